// What a channel gave out is shown to it again, across restarts and replicas: the real Slack bot
// against a Slack that keeps its messages.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Outcome } from '../../src/core/delivery.ts';
import { LEASE_MS } from '../../src/engine/share.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createSlackBot } from '../../src/notify/slack-bot.ts';
import { anEngine, type Engine, type EngineOptions, tempJournal } from '../support/engine.ts';
import { type FakeSlackApi, startFakeSlackApi } from '../support/fake-slack-api.ts';
import { SharedJournal } from '../support/shared-journal.ts';
import { until } from '../support/until.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

let slack: FakeSlackApi;
beforeAll(async () => {
  slack = await startFakeSlackApi();
});
beforeEach(() => slack.reset());
afterAll(() => slack.close());

const STOP = { by: 'ann', reason: 'looks bad' };

/** An engine with a bot of its own, which knows nothing of what others have posted. */
function withBot(options: EngineOptions): Engine & { readonly sent: string[] } {
  const { url, token, channel } = slack;
  const bot = createSlackBot({
    ...{ url, token, channel, mention: null },
    ...{ timeoutMs: 5_000, clock: systemClock },
  });
  const sent: string[] = [];
  const send: typeof bot = (message, ...rest) => {
    sent.push(message.kind);
    return bot(message, ...rest);
  };
  return Object.assign(anEngine({ ...options, channels: { oncall: { send, spacingMs: 0 } } }), {
    sent,
  });
}

/** Sockets are real, so that time is pushed on until all messages have gone out. */
async function allDelivered(engine: Engine, watchId: string): Promise<void> {
  await until(async () => {
    await engine.clock.advance(500);
    const all = await engine.journal.deliveries(watchId);
    expect(all.map(({ state }) => state)).toEqual(all.map(() => 'delivered'));
  }, 20_000);
}

/** The one message of the watch, and the kinds in its thread. */
function inSlack() {
  const [head, ...others] = slack.channelMessages();
  expect(others).toEqual([]);
  return { head, thread: slack.thread(head?.ts ?? '').map(({ notification }) => notification) };
}

describe('the message of a watch in Slack', () => {
  it('is the same after a restart', async () => {
    const [clock, journal] = [new VirtualClock(), tempJournal()];
    const before = withBot({ clock, journal });
    before.start();
    const id = await before.watch();
    await allDelivered(before, id);
    expect(inSlack().head?.notification).toContain('Watching');
    const told = inSlack().thread.length;
    await before.stop();

    const after = withBot({ clock, journal });
    after.start();
    await after.commands.stop(id, STOP);
    await allDelivered(after, id);
    expect(after.sent).toContain('watch.stopped');
    expect(inSlack().thread.length).toBeGreaterThan(told);
    expect(slack.calls.filter((call) => call === 'post')).toHaveLength(1);
  });

  it('is not posted again when only its thread failed before a restart', async () => {
    const [clock, journal] = [new VirtualClock(), tempJournal()];
    slack.limitThreadOnce();
    const before = withBot({ clock, journal });
    before.start();
    const id = await before.watch();
    await until(async () => {
      await clock.advance(20);
      const [first] = await journal.deliveries(id);
      expect(first).toMatchObject({ state: 'pending', lastReason: 'rate_limited' });
    }, 20_000);
    await before.stop();

    const after = withBot({ clock, journal });
    after.start();
    await allDelivered(after, id);
    expect(inSlack().thread.length).toBeGreaterThan(0);
    expect(slack.calls.filter((call) => call === 'post')).toHaveLength(1);
  });

  it('is the same when another replica goes on', async () => {
    const clock = new VirtualClock();
    const shared = new SharedJournal(tempJournal(), clock);
    const replicas = ['r_1', 'r_2'].map((replica) => {
      const view = shared.view();
      return { view, engine: withBot({ clock, journal: view.journal, replica }) };
    });
    for (const { engine } of replicas) engine.start();
    await clock.advance(1_500);
    const [one] = replicas;
    const id = (await one?.engine.watch()) ?? '';
    await allDelivered(one?.engine ?? anEngine(), id);

    const owner = replicas.find(({ engine }) => engine.sent.length > 0);
    const other = replicas.find((replica) => replica !== owner);
    expect(other?.engine.sent).toEqual([]);
    owner?.view.cut();
    await clock.advance(2 * LEASE_MS);
    await other?.engine.commands.stop(id, STOP);
    await allDelivered(other?.engine ?? anEngine(), id);
    expect(other?.engine.sent).toContain('watch.stopped');
    expect(inSlack().head?.edits).toBeGreaterThan(0);
    expect(slack.calls.filter((call) => call === 'post')).toHaveLength(1);
  });

  it('is begun anew when it was deleted, and stays that one', async () => {
    const [clock, journal] = [new VirtualClock(), tempJournal()];
    const engine = withBot({ clock, journal });
    engine.start();
    const id = await engine.watch();
    await allDelivered(engine, id);
    slack.deleteAll();
    await engine.commands.stop(id, STOP);
    await allDelivered(engine, id);
    expect(inSlack().thread.length).toBeGreaterThan(0);
    expect(slack.calls.filter((call) => call === 'post')).toHaveLength(2);
  });
});

describe('a receipt', () => {
  it('is shown only to its own channel', async () => {
    const shown: (readonly [string, number])[] = [];
    const channel = (name: string) => ({
      spacingMs: 0,
      send: async (...[message, , context]: Parameters<ReturnType<typeof createSlackBot>>) => {
        const receipts = (await context?.receipts(message.watchId)) ?? [];
        shown.push([name, receipts.filter(({ receipt }) => receipt !== name).length]);
        return { kind: 'delivered', detail: '', receipt: name } satisfies Outcome;
      },
    });
    const engine = anEngine({ channels: { oncall: channel('oncall'), mail: channel('mail') } });
    engine.start();
    const id = await engine.watch();
    await allDelivered(engine, id);
    await engine.commands.stop(id, STOP);
    await allDelivered(engine, id);
    expect(shown.length).toBeGreaterThan(2);
    expect(shown.filter(([, foreign]) => foreign > 0)).toEqual([]);
    const kept = (await engine.journal.deliveries(id)).map(({ content, receipt }) => {
      return [content.kind === 'message' ? content.channel : null, receipt];
    });
    expect(kept.filter(([name, receipt]) => name !== receipt)).toEqual([]);
  });
});
