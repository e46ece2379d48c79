import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Message, Outcome, Receipt, SendContext } from '../../src/core/delivery.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createGrafana } from '../../src/notify/grafana.ts';
import { trialMessage } from '../../src/notify/trial.ts';
import { exampleOf, type MessageKind } from '../docs/message-examples.ts';
import { type FakeGrafana, startFakeGrafana } from '../support/fake-grafana.ts';
import { monsters } from './monsters.ts';
import { httpTroubles, onlyItsOwnYes } from './troubles.ts';

let grafana: FakeGrafana;
beforeAll(async () => {
  grafana = await startFakeGrafana();
});
beforeEach(() => grafana.reset());
afterAll(() => grafana.close());

const signal = new AbortController().signal;

function make(over: Partial<Parameters<typeof createGrafana>[0]> = {}) {
  const { url, token } = grafana;
  const common = { tags: [], dashboardUid: null, timeoutMs: 5_000, clock: systemClock };
  return createGrafana({ url, token, ...common, ...over });
}

type Deploy = NonNullable<Message['deploy']>;
/** Deployed half a second before its watch begins. */
const at = (kind: MessageKind, atMs: number, deployedAtMs: number | null = 500): Message => {
  const { deployedAtMs: _, ...deploy } = exampleOf(kind).deploy as Deploy;
  const known = deployedAtMs === null ? deploy : { ...deploy, deployedAtMs };
  return { ...exampleOf(kind), atMs, deploy: known };
};

/** Each by another process with the receipts. */
async function tellEach(...messages: readonly Message[]): Promise<readonly Outcome[]> {
  const receipts: Receipt[] = [];
  const context: SendContext = { deliveryId: 'd_1', receipts: async () => receipts };
  const outcomes: Outcome[] = [];
  for (const message of messages) {
    const outcome = await make()(message, signal, context);
    outcomes.push(outcome);
    const { receipt = null } = outcome.kind === 'refused' ? {} : outcome;
    if (receipt !== null) receipts.push({ kind: message.kind, receipt });
  }
  return outcomes;
}

/** One kind after the other, a second apart. */
const tell = (...kinds: readonly MessageKind[]) =>
  tellEach(...kinds.map((kind, index) => at(kind, 1_000 * (index + 1))));

/** `[time, end, tags that say what it is]`. */
const marks = () =>
  grafana.annotations().map(({ time, timeEnd, tags }) => {
    return [time, timeEnd, tags.filter((tag) => !tag.includes(':') && tag !== 'canaryd')];
  });

describe('Grafana', () => {
  it('has a region from the deploy to the end of a watch that passes', async () => {
    const outcomes = await tell('watch.started', 'watch.armed', 'watch.passed');
    expect(marks()).toEqual([[500, 3_000, ['deploy', 'passed']]]);
    expect(outcomes).toMatchObject([
      { kind: 'delivered', receipt: '{"id":41}' },
      { kind: 'delivered', detail: 'not marked' },
      { kind: 'delivered', detail: expect.stringMatching(/^region ended: HTTP 200 in \d+ ms$/) },
    ]);
  });

  it.each([
    ['rollback.confirmed', 'rollback_confirmed'],
    ['rollback.not_confirmed', 'rollback_not_confirmed'],
  ] as const)('has points for a stop and for %s', async (kind, tag) => {
    await tell('watch.started', 'watch.stopped', 'action.accepted', kind);
    expect(marks()).toEqual([
      [500, 2_000, ['deploy', 'stopped']],
      [2_000, 2_000, ['stopped']],
      [4_000, 4_000, [tag]],
    ]);
  });

  it.each(['watch.inconclusive', 'watch.cancelled', 'watch.superseded'] as const)(
    'ends the region with %s',
    async (kind) => {
      await tell('watch.started', kind);
      expect(marks()).toEqual([[500, 2_000, ['deploy', kind.replace('watch.', '')]]]);
    },
  );

  it('has a region from the deploy to the end when nobody has marked the start', async () => {
    await tell('watch.passed');
    expect(marks()).toEqual([[500, 1_000, ['deploy', 'passed']]]);
  });

  it('has region and point of a stop whose start nobody has marked, each once', async () => {
    const stopped = at('watch.stopped', 2_000);
    grafana.failSecond();
    const outcomes = await tellEach(stopped, stopped);
    expect(outcomes).toMatchObject([
      { kind: 'retryable', reason: 'server_error', receipt: expect.any(String) },
      { kind: 'delivered' },
    ]);
    expect(marks()).toEqual([
      [500, 2_000, ['deploy', 'stopped']],
      [2_000, 2_000, ['stopped']],
    ]);
  });

  it('begins no second region when the start comes after the end of the quiet hours', async () => {
    await tellEach(at('watch.stopped', 2_000), at('watch.started', 1_000));
    expect(marks()).toEqual([
      [500, 2_000, ['deploy', 'stopped']],
      [2_000, 2_000, ['stopped']],
    ]);
  });

  it('marks the end by a point when nobody knows when the deploy was', async () => {
    await tellEach(at('watch.passed', 1_000, null));
    expect(marks()).toEqual([[1_000, 1_000, ['passed']]]);
  });

  it('ends no region before it begins, whatever the clocks say', async () => {
    await tellEach(at('watch.started', 1_000, 9_000), at('watch.stopped', 2_000, 9_000));
    expect(marks()).toEqual([
      [1_000, 2_000, ['deploy', 'stopped']],
      [2_000, 2_000, ['stopped']],
    ]);
  });

  it('marks the end by a point when somebody has removed the region', async () => {
    const receipts = async () => [{ kind: 'watch.started', receipt: '{"id":7}' }];
    const outcome = await make()(exampleOf('watch.passed'), signal, { deliveryId: 'd', receipts });
    expect(outcome).toMatchObject({ kind: 'delivered' });
    expect(marks()).toHaveLength(1);
    expect(grafana.requests.map(({ method }) => method)).toEqual(['PATCH', 'POST']);
  });

  it.each(['', '{', '{"id":"../../x"}', '{"id":1.5}', '[1]'])(
    'takes a receipt that is %s for none',
    async (receipt) => {
      const receipts = async () => [{ kind: 'watch.started', receipt }];
      await make()(exampleOf('watch.passed'), signal, { deliveryId: 'd', receipts });
      expect(grafana.requests.map(({ method }) => method)).toEqual(['POST']);
    },
  );

  it('says which deploy it was, in tags and text', async () => {
    const send = make({ tags: ['team:trading', 'canaryd'], dashboardUid: grafana.dashboard });
    const links = [{ label: 'Watch', url: 'https://canaryd.test/watches/w_1?a="b"&c' }];
    const message = { ...exampleOf('watch.started'), headline: 'Watching <b> & "c"', links };
    await send(message, signal);
    expect(grafana.annotations()[0]).toMatchObject({
      tags: [
        'canaryd',
        'deploy',
        'service:aurora',
        'environment:testnet',
        'version:2.1.0',
        'team:trading',
      ],
      text:
        'Watching &lt;b&gt; &amp; &quot;c&quot; ' +
        '<a href="https://canaryd.test/watches/w_1?a=%22b%22&amp;c">Watch</a>',
      dashboardUID: 'canaryd-on-call',
    });
  });

  it('repeats no point when only the region failed, and no region when only the point did', async () => {
    const receipts = async () => [{ kind: 'watch.started', receipt: '{"id":7}' }];
    grafana.respondOnce(500, { message: 'database is locked' });
    const stop = exampleOf('watch.stopped');
    const outcome = await make()(stop, signal, { deliveryId: 'd', receipts });
    expect(outcome).toMatchObject({ kind: 'retryable', reason: 'server_error' });
    expect(grafana.requests.map(({ method }) => method)).toEqual(['PATCH']);
  });

  it.each<readonly [number, string, string, string]>([
    [401, 'Invalid API key', 'misconfigured', 'check the token'],
    [403, 'Permissions needed: annotations:create', 'misconfigured', 'role Editor'],
    [404, 'Not found', 'client_error', 'check url'],
    [400, 'bad request data', 'client_error', 'HTTP 400'],
  ])('says what to do about HTTP %i', async (status, message, reason, advice) => {
    grafana.respondOnce(status, { message });
    const outcome = await make()(exampleOf('watch.started'), signal);
    expect(outcome).toMatchObject({ kind: 'refused', reason });
    expect(outcome.detail).toContain(advice);
  });

  it.each([
    [429, 'rate_limited'],
    [500, 'server_error'],
    [503, 'server_error'],
  ])('tries again after HTTP %i', async (status, reason) => {
    grafana.respondOnce(status, { message: 'busy' }, { 'retry-after': '7' });
    expect(await make()(exampleOf('watch.passed'), signal)).toMatchObject({
      kind: 'retryable',
      reason,
      retryAfterMs: 7_000,
    });
  });

  it('says so when the dashboard is not there', async () => {
    const outcome = await make({ dashboardUid: 'other' })(exampleOf('watch.started'), signal);
    expect(outcome).toMatchObject({ kind: 'refused', reason: 'client_error' });
    expect(outcome.detail).toContain('no such dashboard');
  });

  it('does not take an answer without an id for a mark', async () => {
    grafana.respondOnce(200, { message: 'welcome' });
    expect(await make()(exampleOf('watch.started'), signal)).toMatchObject({
      kind: 'retryable',
      reason: 'bad_response',
    });
  });

  it('marks a trial as one', async () => {
    const trial = trialMessage({ isCritical: false, channels: 1, atMs: 5_000 });
    expect(await make()(trial, signal)).toMatchObject({ kind: 'delivered' });
    expect(marks()).toEqual([[5_000, 5_000, ['test']]]);
  });

  it('never builds what Grafana refuses, whatever the message holds', async () => {
    const send = make();
    await fc.assert(
      fc.asyncProperty(monsters, async (message: Message) => {
        const outcome = await send({ ...message, kind: 'watch.started' }, signal);
        expect(outcome).toMatchObject({ kind: 'delivered' });
      }),
      { numRuns: 100 },
    );
    const texts = grafana
      .annotations()
      .map(({ text }) => text.replace(/ <a href="[^"<]*">[^<]*<\/a>$/, ''));
    expect(texts.filter((text) => /[<>]/.test(text))).toEqual([]);
  });

  it('has nothing for other messages', async () => {
    for (const kind of ['conditions.blinded', 'watch.acknowledged', 'journal.failed'] as const) {
      expect(await make()(exampleOf(kind), signal)).toMatchObject({ detail: 'not marked' });
    }
    expect(grafana.requests).toEqual([]);
  });

  onlyItsOwnYes({ service: () => grafana, make });
  httpTroubles({ service: () => grafana, make, secrets: () => [grafana.token] });
});
