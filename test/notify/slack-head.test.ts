// The one message of a watch in Slack: what it shows first, and what can be pressed under it.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Message, Receipt, SendContext } from '../../src/core/delivery.ts';
import { digestOf } from '../../src/core/merge.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createSlackBot } from '../../src/notify/slack-bot.ts';
import type { SlackPayload } from '../../src/notify/slack-message.ts';
import { exampleOf, type MessageKind } from '../docs/message-examples.ts';
import { type FakeSlackApi, startFakeSlackApi } from '../support/fake-slack-api.ts';

let slack: FakeSlackApi;
beforeAll(async () => {
  slack = await startFakeSlackApi();
});
beforeEach(() => slack.reset());
afterAll(() => slack.close());

const signal = new AbortController().signal;
const RED = '#c4162a';
const YELLOW = '#e8a317';
const GREEN = '#2e9e5b';

function bot() {
  const { url, token, channel } = slack;
  const names = { mention: 'here', buttons: 'ops' };
  return createSlackBot({ url, token, channel, ...names, timeoutMs: 5_000, clock: systemClock });
}

/** The kinds one after the other, a second apart. */
function storyOf(kinds: readonly MessageKind[]): readonly Message[] {
  return kinds.map((kind, index) => ({ ...exampleOf(kind), atMs: 1_000 * (index + 1) }));
}

async function tell(send: ReturnType<typeof bot>, messages: readonly Message[]): Promise<void> {
  for (const message of messages) {
    expect(await send(message, signal)).toMatchObject({ kind: 'delivered' });
  }
}

/** The head of the only watch. */
function head() {
  const [first, ...others] = slack.channelMessages();
  expect(others).toEqual([]);
  const blocks = (first?.payload as SlackPayload | undefined)?.attachments?.[0]?.blocks ?? [];
  const buttons = blocks.flatMap((block) =>
    block.type === 'actions' ? block.elements.map(({ text }) => text.text) : [],
  );
  const { text = '', notification = '', color = null, ts = '' } = first ?? {};
  return { text, notification, color, buttons, thread: slack.thread(ts) };
}

describe('the message of a watch in Slack', () => {
  it('keeps the stop first, with the latest news below, while nothing has closed it', async () => {
    await tell(bot(), storyOf(['watch.started', 'watch.stopped', 'action.accepted']));
    const { text, notification, color, buttons } = head();
    expect(notification).toMatch(/^STOPPED aurora 2\.1\.0/);
    expect(text).toContain('rollback of aurora 2.1.0 (testnet) accepted after 120ms');
    expect(color).toBe(RED);
    expect(buttons).toEqual(['Acknowledge', 'Hold fire']);
  });

  it('calls for a start without a GO, and goes on to the next news', async () => {
    const headline = 'aurora 2.1.0 (testnet) started WITHOUT a GO of gate aurora-testnet';
    const started = { ...exampleOf('watch.started'), severity: 'critical', headline } as const;
    const send = bot();
    await tell(send, [{ ...started, atMs: 1_000 }]);
    expect(head()).toMatchObject({ color: RED, buttons: ['Stop now', 'Hold fire'] });
    expect(head().text).toContain('WITHOUT a GO');
    await tell(send, [{ ...exampleOf('watch.passed'), atMs: 2_000 }]);
    expect(head().notification).toMatch(/^PASSED/);
    expect(head().color).not.toBe(RED);
  });

  it('keeps the stop before what is as critical, and later', async () => {
    await tell(bot(), storyOf(['watch.stopped', 'action.accepted', 'rollback.not_confirmed']));
    expect(head()).toMatchObject({ color: RED, buttons: ['Acknowledge'] });
    expect(head().notification).toMatch(/^STOPPED/);
    expect(head().text).toContain(exampleOf('rollback.not_confirmed').headline);
  });

  it('lets somebody acknowledge when the stop is the first that it tells', async () => {
    const send = bot();
    const [stopped, accepted, acknowledged] = storyOf([
      'watch.stopped',
      'action.accepted',
      'watch.acknowledged',
    ]);
    await tell(
      send,
      [stopped, accepted].filter((one) => one !== undefined),
    );
    expect(head().buttons).toContain('Acknowledge');
    await tell(
      send,
      [acknowledged].filter((one) => one !== undefined),
    );
    expect(head()).toMatchObject({ color: RED, buttons: ['Hold fire'] });
    expect(head().notification).toMatch(/^STOPPED/);
  });

  it('shows the end of it as it is, without buttons', async () => {
    await tell(bot(), storyOf(['watch.stopped', 'action.accepted', 'rollback.confirmed']));
    expect(head()).toMatchObject({ color: GREEN, buttons: [] });
    expect(head().notification).toMatch(/CONFIRMED/);
  });

  it('keeps colour and buttons of a warning that goes on', async () => {
    await tell(bot(), storyOf(['watch.started', 'condition.warned', 'watch.extended']));
    const buttons = ['Acknowledge', 'Stop now', 'Hold fire'];
    expect(head()).toMatchObject({ color: YELLOW, buttons });
    expect(head().notification).toBe(exampleOf('watch.extended').headline);
  });

  it('shows a stop that comes late, and what has happened since', async () => {
    const [stopped, accepted] = storyOf(['watch.stopped', 'action.accepted']);
    await tell(
      bot(),
      [accepted, stopped].filter((one) => one !== undefined),
    );
    expect(head()).toMatchObject({ color: RED, buttons: ['Acknowledge', 'Hold fire'] });
    expect(head().notification).toMatch(/^STOPPED/);
    expect(head().text).toContain(`Since then: ${accepted?.headline}`);
  });

  it('is over when the end comes late', async () => {
    const [stopped, confirmed, extended] = storyOf([
      'watch.stopped',
      'rollback.confirmed',
      'watch.extended',
    ]);
    const late = [stopped, extended, confirmed].filter((one) => one !== undefined);
    await tell(bot(), late);
    expect(head()).toMatchObject({ color: GREEN, buttons: [] });
  });

  it('is not opened again by a stop that comes after its end', async () => {
    const [stopped, confirmed] = storyOf(['watch.stopped', 'rollback.confirmed']);
    await tell(
      bot(),
      [confirmed, stopped].filter((one) => one !== undefined),
    );
    expect(head()).toMatchObject({ color: GREEN, buttons: [] });
  });

  it('stands the same on another replica, and after a restart', async () => {
    const receipts: Receipt[] = [];
    const told = storyOf(['watch.started', 'watch.stopped', 'action.accepted']);
    // The stop comes last: what it has changed is in its own receipt.
    for (const message of [told[0], told[2], told[1]].filter((one) => one !== undefined)) {
      const context = { deliveryId: message.kind, receipts: async () => receipts };
      const outcome = await bot()(message, signal, context);
      const { receipt = '' } = outcome.kind === 'refused' ? {} : outcome;
      // By the order in which they were planned, not delivered.
      receipts.splice(message.kind === 'watch.stopped' ? 1 : receipts.length, 0, {
        kind: message.kind,
        receipt,
      });
    }
    const later = { ...exampleOf('action.delayed'), atMs: 9_000 };
    await bot()(later, signal, { deliveryId: 'd', receipts: async () => receipts });
    expect(head()).toMatchObject({ color: RED, buttons: ['Acknowledge', 'Hold fire'] });
    expect(head().notification).toMatch(/^STOPPED/);
  });

  it.each([
    ['"atMs":5', 1],
    ['"other":5', 2],
    ['"standing":{"open":{"severity":"loud"}}', 2],
    ['"standing":{"atMs":5,"open":{"severity":"loud"},"phase":"no"}', 1],
  ])('goes on from a receipt of another version that says %s', async (said, messages) => {
    await tell(bot(), storyOf(['watch.started']));
    const [{ ts } = { ts: '' }] = slack.channelMessages();
    const receipt = `{"channel":"${slack.channel}","ts":"${ts}",${said}}`;
    const receipts = async () => [{ kind: 'watch.started', receipt }];
    const context: SendContext = { deliveryId: 'd', receipts };
    await bot()({ ...exampleOf('watch.stopped'), atMs: 9_000 }, signal, context);
    expect(slack.channelMessages()).toHaveLength(messages);
  });

  describe('and the digest of a night', () => {
    const digest = () => {
      const [warned, recovered] = storyOf(['condition.warned', 'condition.pre_existing']);
      if (warned === undefined || recovered === undefined) throw new Error('no story');
      return digestOf([warned, recovered], 60_000, () => true);
    };

    it('has it in its thread only, whatever the time of the digest', async () => {
      const send = bot();
      await tell(send, [{ ...exampleOf('watch.stopped'), atMs: 3_000 }]);
      await tell(send, [digest()]);
      expect(head()).toMatchObject({ color: RED, buttons: ['Acknowledge', 'Hold fire'] });
      expect(head().notification).toMatch(/STOPPED/);
      const last = head().thread.at(-1);
      expect(last?.notification).toMatch(/^Held in the quiet hours/);
      expect(last).toMatchObject({ isBroadcast: true, pings: [] });
    });

    it('leaves it alone when there is no message of the watch yet', async () => {
      const send = bot();
      await tell(send, [digest(), { ...exampleOf('watch.stopped'), atMs: 3_000 }]);
      expect(slack.channelMessages()).toHaveLength(2);
    });
  });

  describe('when it was posted and its thread failed', () => {
    const stopped = exampleOf('watch.stopped');
    const pings = () => {
      const all = slack.channelMessages().flatMap(({ ts }) => slack.thread(ts));
      return [...slack.channelMessages(), ...all].flatMap((message) => message.pings);
    };

    it('calls people once', async () => {
      const send = bot();
      slack.limitThreadOnce();
      expect(await send(stopped, signal)).toMatchObject({ reason: 'rate_limited' });
      await tell(send, [stopped]);
      expect(pings()).toEqual(['<!here>']);
      expect(head().thread).toMatchObject([{ isBroadcast: false }]);
    });

    it('is not posted again after a restart', async () => {
      slack.limitThreadOnce();
      const deliveryId = 'd_1';
      const first = await bot()(stopped, signal, { deliveryId, receipts: async () => [] });
      const { receipt = '' } = first.kind === 'refused' ? {} : first;
      const receipts = async () => [{ kind: stopped.kind, receipt }];
      const second = await bot()(stopped, signal, { deliveryId, receipts });
      expect(second).toMatchObject({ kind: 'delivered' });
      expect(slack.calls).toEqual(['post', 'reply']);
      expect(pings()).toEqual(['<!here>']);
    });

    it('calls people again for the next that is critical', async () => {
      await tell(bot(), storyOf(['watch.stopped', 'rollback.not_confirmed']));
      expect(head().thread.at(-1)).toMatchObject({ isBroadcast: true, pings: ['<!here>'] });
      expect(pings()).toEqual(['<!here>']);
    });
  });
});
