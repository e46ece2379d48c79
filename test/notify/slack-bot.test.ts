import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Message, Outcome, Receipt, SendContext } from '../../src/core/delivery.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createSlackBot } from '../../src/notify/slack-bot.ts';
import { exampleOf, type MessageKind } from '../docs/message-examples.ts';
import { type FakeSlackApi, startFakeSlackApi } from '../support/fake-slack-api.ts';
import { fullOf, monsters } from './monsters.ts';
import { aStopMessage } from './sample.ts';
import { httpTroubles, onlyItsOwnYes } from './troubles.ts';

let slack: FakeSlackApi;
beforeAll(async () => {
  slack = await startFakeSlackApi();
});
beforeEach(() => slack.reset());
afterAll(() => slack.close());

const signal = new AbortController().signal;

function make(over: Partial<Parameters<typeof createSlackBot>[0]> = {}) {
  const { url, token, channel } = slack;
  return createSlackBot({
    url,
    token,
    channel,
    mention: null,
    timeoutMs: 5_000,
    clock: systemClock,
    ...over,
  });
}

/** As the journal would: what was delivered for each watch, with its receipt. */
function receiptStore() {
  const stored: (Receipt & { readonly watchId: string })[] = [];
  const contextOf = ({ kind, atMs }: Message): SendContext => ({
    deliveryId: `${kind}.${atMs}`,
    receipts: async (watchId) => stored.filter((one) => one.watchId === watchId),
  });
  const keep = ({ watchId, kind }: Message, outcome: Outcome) => {
    if (outcome.kind === 'refused' || outcome.receipt === undefined) return;
    stored.push({ watchId, kind, receipt: outcome.receipt });
  };
  return { contextOf, keep };
}

const STORY: readonly MessageKind[] = [
  'watch.started',
  'watch.armed',
  'watch.stopped',
  'action.accepted',
  'rollback.confirmed',
];
/** The kinds one after the other, a second apart. */
const story = STORY.map((kind, index) => ({ ...exampleOf(kind), atMs: 1_000 * index }));

describe('the Slack bot', () => {
  it('has one message for a watch with the latest news, and the whole story in its thread', async () => {
    const send = make({ mention: 'here' });
    for (const message of story) {
      expect(await send(message, signal)).toMatchObject({ kind: 'delivered' });
    }
    const [head, ...others] = slack.channelMessages();
    expect(others).toEqual([]);
    expect(head?.notification).toMatch(/^rollback of aurora 2\.1\.0 \(testnet\) CONFIRMED/);
    expect(head).toMatchObject({ edits: 4, color: '#2e9e5b' });
    const thread = slack.thread(head?.ts ?? '');
    expect(thread.map(({ notification }) => notification.replace(/[:,].*/, ''))).toEqual([
      'Watching aurora 2.1.0 (testnet)',
      'Armed',
      '<!here> STOPPED aurora 2.1.0 (testnet)',
      'rollback of aurora 2.1.0 (testnet) accepted after 120ms',
      'rollback of aurora 2.1.0 (testnet) CONFIRMED after 48s',
    ]);
  });

  it('shows what is critical in the channel as well, and calls people once', async () => {
    const send = make({ mention: 'here' });
    for (const message of story) await send(message, signal);
    const [head] = slack.channelMessages();
    const loud = slack.thread(head?.ts ?? '').filter(({ isBroadcast }) => isBroadcast);
    expect(loud.map(({ pings }) => pings)).toEqual([['<!here>']]);
    expect(head?.pings).toEqual([]);
  });

  it('calls people in the message itself when the first news is critical', async () => {
    await make({ mention: 'here' })(exampleOf('watch.stopped'), signal);
    const [head] = slack.channelMessages();
    expect(head?.pings).toEqual(['<!here>']);
    expect(slack.thread(head?.ts ?? '')).toMatchObject([{ pings: [], isBroadcast: false }]);
  });

  it('has a message for each watch', async () => {
    const send = make();
    for (const watchId of ['w_1', 'w_2', 'w_1']) await send(aStopMessage({ watchId }), signal);
    expect(slack.channelMessages()).toHaveLength(2);
  });

  it('goes on in the same thread after a restart, by the receipts', async () => {
    const { contextOf, keep } = receiptStore();
    for (const message of story) {
      // Each time another process.
      keep(message, await make()(message, signal, contextOf(message)));
    }
    expect(slack.channelMessages()).toHaveLength(1);
    expect(slack.calls).toEqual(['post', 'reply', ...Array(4).fill(['update', 'reply']).flat()]);
  });

  it('begins a new thread when the receipts are not known, or of another channel', async () => {
    const receipt = JSON.stringify({ channel: 'C9', ts: '1.2', atMs: 0 });
    for (const found of ['', '{', '[]', '{"ts":1}', receipt]) {
      const receipts = async () => [{ kind: 'watch.started', receipt: found }];
      await make()(aStopMessage(), signal, { deliveryId: 'd', receipts });
    }
    expect(slack.channelMessages()).toHaveLength(5);
  });

  it('begins a new thread when somebody has deleted the old one', async () => {
    const send = make();
    await send(aStopMessage(), signal);
    slack.deleteAll();
    expect(await send(aStopMessage(), signal)).toMatchObject({ kind: 'delivered' });
    expect(slack.channelMessages()).toHaveLength(1);
  });

  it('begins a new thread at once for late news when the old one was deleted', async () => {
    const { contextOf, keep } = receiptStore();
    const send = make();
    const newer = aStopMessage({ atMs: 2_000 });
    keep(newer, await send(newer, signal, contextOf(newer)));
    slack.deleteAll();
    const late = aStopMessage({ headline: 'older', atMs: 1_000 });
    expect(await send(late, signal, contextOf(late))).toMatchObject({ kind: 'delivered' });
    expect(slack.channelMessages()).toHaveLength(1);
  });

  it('does not replace newer news by older ones that come late', async () => {
    const send = make();
    await send(aStopMessage({ headline: 'newer', atMs: 2_000 }), signal);
    await send(aStopMessage({ headline: 'older', atMs: 1_000 }), signal);
    const [head] = slack.channelMessages();
    expect(head).toMatchObject({ notification: 'newer', edits: 0 });
    expect(slack.thread(head?.ts ?? '').map(({ notification }) => notification)).toEqual([
      'newer',
      'older',
    ]);
  });

  it('repeats no message when only its thread failed', async () => {
    const send = make();
    slack.respondOnce(200, { ok: true, channel: slack.channel, ts: '1.1' });
    slack.respondOnce(200, { ok: false, error: 'internal_error' });
    expect(await send(aStopMessage(), signal)).toMatchObject({
      kind: 'retryable',
      reason: 'server_error',
      detail: 'internal_error',
      maybeDelivered: true,
    });
    slack.respondOnce(200, { ok: true, channel: slack.channel, ts: '1.2' });
    expect(await send(aStopMessage(), signal)).toMatchObject({ kind: 'delivered' });
    expect(slack.requests.map(({ path }) => path)).toEqual(Array(3).fill('/chat.postMessage'));
  });

  it('sends plain text when Slack refuses the blocks', async () => {
    slack.refuseBlocks();
    const send = make();
    for (const message of story) {
      expect(await send(message, signal)).toMatchObject({ kind: 'delivered' });
    }
    const [head] = slack.channelMessages();
    expect(head?.hasBlocks).toBe(false);
    expect(slack.thread(head?.ts ?? '')).toHaveLength(5);
  });

  it.each([
    ['not_in_channel', { reason: 'client_error' }, 'invite the bot to the channel'],
    ['channel_not_found', { reason: 'client_error' }, 'check the id of the channel'],
    ['is_archived', { reason: 'client_error' }, 'choose another one'],
    ['invalid_auth', { reason: 'misconfigured' }, 'check the bot token'],
    ['token_revoked', { reason: 'misconfigured' }, 'make a new one'],
    ['missing_scope', { reason: 'misconfigured' }, 'chat:write'],
    ['some_new_word', { reason: 'client_error' }, 'some_new_word'],
  ])('says what to do when Slack refuses with %s', async (error, expected, advice) => {
    slack.respondOnce(200, { ok: false, error });
    const outcome = await make()(aStopMessage(), signal);
    expect(outcome).toMatchObject({ kind: 'refused', ...expected });
    expect(outcome.detail).toContain(advice);
  });

  it('waits as long as Slack asks for', async () => {
    slack.respondOnce(429, { ok: false, error: 'ratelimited' }, { 'retry-after': '30' });
    expect(await make()(aStopMessage(), signal)).toMatchObject({
      kind: 'retryable',
      reason: 'rate_limited',
      detail: 'ratelimited',
      retryAfterMs: 30_000,
    });
  });

  it.each(['x', '&', '🚀', 'a\n'])('stays within the limits when full of %j', async (text) => {
    expect(await make()(fullOf(text), signal)).toMatchObject({ kind: 'delivered' });
  });

  it('never builds what Slack refuses, and never pings, whatever the message holds', async () => {
    const send = make();
    await fc.assert(
      fc.asyncProperty(monsters, async (message) => {
        expect(await send(message, signal)).toMatchObject({ kind: 'delivered' });
        expect(slack.channelMessages().flatMap(({ pings }) => pings)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  onlyItsOwnYes({ service: () => slack, make });
  httpTroubles({ service: () => slack, make, secrets: () => [slack.token] });
});
