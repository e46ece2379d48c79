import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CALL_KIND } from '../../src/core/escalation.ts';
import { mergeMessages } from '../../src/core/merge.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createAlertmanager } from '../../src/notify/alertmanager.ts';
import { trialMessage } from '../../src/notify/trial.ts';
import { exampleOf } from '../docs/message-examples.ts';
import { type FakeAlertmanager, startFakeAlertmanager } from '../support/fake-alertmanager.ts';
import { IncidentBook } from './incident-book.ts';
import { fullOf, monsters } from './monsters.ts';
import { httpTroubles, onlyItsOwnYes } from './troubles.ts';

const AUTHORIZATION = `Basic ${Buffer.from('canaryd:am-secret-password').toString('base64')}`;
let first: FakeAlertmanager;
let second: FakeAlertmanager;
beforeAll(async () => {
  [first, second] = await Promise.all([
    startFakeAlertmanager(AUTHORIZATION),
    startFakeAlertmanager(AUTHORIZATION),
  ]);
});
beforeEach(() => {
  first.reset();
  second.reset();
});
afterAll(() => Promise.all([first.close(), second.close()]));

const signal = new AbortController().signal;
type Options = Parameters<typeof createAlertmanager>[0];

function make({ url, ...over }: Partial<Options> & { readonly url?: string } = {}) {
  return createAlertmanager({
    urls: [url ?? first.url],
    authorization: AUTHORIZATION,
    labels: { team: 'trading' },
    expireMs: 86_400_000,
    timeoutMs: 5_000,
    clock: systemClock,
    ...over,
  });
}

/** Its time is that of the example, long ago: what is bad is bad until it expires. */
const active = (of: FakeAlertmanager) => of.active(Date.now()).map(({ labels }) => labels);

describe('the Alertmanager channel', () => {
  it('fires an alert with labels that stay the same, and the rest as annotations', async () => {
    expect(await make()(exampleOf('watch.stopped'), signal)).toMatchObject({ kind: 'delivered' });
    const [alert] = first.alerts();
    expect(alert?.labels).toEqual({
      job: 'canaryd',
      alertname: 'DeployStopped',
      severity: 'critical',
      service: 'aurora',
      environment: 'testnet',
      watch: 'w_example',
      team: 'trading',
    });
    expect(alert?.annotations).toEqual({
      summary: expect.stringMatching(/^STOPPED aurora 2\.1\.0/),
      description: expect.stringContaining('before the deploy: 98.1 %'),
      next: expect.stringContaining('canaryd now does'),
      watch: 'w_example',
      version: '2.1.0',
    });
    expect(alert?.startsAt).toBe(new Date(exampleOf('watch.stopped').atMs).toISOString());
  });

  it('resolves by the same labels, whichever alert is open', async () => {
    const send = make();
    await send(exampleOf('condition.warned'), signal);
    await send(exampleOf('watch.stopped'), signal);
    expect(active(first)).toHaveLength(2);
    await send(exampleOf('rollback.confirmed'), signal);
    expect(active(first)).toEqual([]);
    expect(first.alerts()).toHaveLength(2);
  });

  it('ends with the trouble of one deploy nothing of another one', async () => {
    const send = make();
    const next = { watchId: 'w_next' };
    await send(exampleOf('watch.stopped'), signal);
    await send({ ...exampleOf('condition.warned'), ...next }, signal);
    await send({ ...exampleOf('condition.recovered'), ...next }, signal);
    expect(active(first).map(({ watch, alertname }) => [watch, alertname])).toEqual([
      ['w_example', 'DeployStopped'],
    ]);
  });

  it('tells of a storm with one request, and of each watch by an alert of its own', async () => {
    const blind = exampleOf('conditions.blinded');
    const sighted = exampleOf('conditions.sighted');
    const ids = ['w_1', 'w_2', 'w_3'] as const;
    const all = (message: typeof blind) => {
      const [one, ...others] = ids.map((watchId) => ({ ...message, watchId }));
      return one === undefined ? message : mergeMessages([one, ...others]);
    };
    const book = new IncidentBook(make());
    for (const id of ids) book.open.add(id);
    await book.tell(all(blind));
    expect(first.requests).toHaveLength(1);
    expect(active(first).map(({ watch }) => watch)).toEqual(ids);
    await book.tell({ ...sighted, watchId: 'w_2' });
    expect(active(first).map(({ watch }) => watch)).toEqual(['w_1', 'w_3']);
    await book.tell(all(sighted));
    expect(active(first)).toEqual([]);
    expect(first.requests).toHaveLength(3);
  });

  it('fires anew for a call, until the incident is over', async () => {
    const book = new IncidentBook(make());
    book.open.add('w_example');
    await book.tell(exampleOf('watch.stopped'));
    const call = { ...exampleOf('watch.stopped'), kind: CALL_KIND };
    for (const id of ['w_example-c1-e2-am', 'w_example-c2-e2-am']) await book.tell(call, id);
    expect(active(first).map((labels) => labels['call'])).toEqual([
      undefined,
      'w_example-c1-e2-am',
      'w_example-c2-e2-am',
    ]);
    await book.tell(exampleOf('watch.resolved'));
    expect(active(first)).toEqual([]);
  });

  it('says nothing of what opens and closes no alert', async () => {
    expect(await make()(exampleOf('watch.started'), signal)).toMatchObject({
      kind: 'delivered',
      detail: 'not sent: it opens and closes no alert',
    });
    expect(first.requests).toEqual([]);
  });

  it('leaves no alert open when it comes after its end', async () => {
    await new IncidentBook(make()).tell(exampleOf('watch.stopped'));
    expect(first.requests).toHaveLength(1);
    expect(active(first)).toEqual([]);
  });

  it('lets an alert that nobody resolves end by itself', async () => {
    const before = Date.now();
    await make({ expireMs: 3_600_000 })(exampleOf('watch.stopped'), signal);
    expect(first.active(before + 3_600_000)).toHaveLength(1);
    expect(first.active(Date.now() + 3_600_001)).toEqual([]);
  });

  it('tries a channel by an alert of its own, for five minutes', async () => {
    const before = Date.now();
    await make()(trialMessage({ isCritical: false, channels: 1, atMs: before }), signal);
    expect(active(first)).toEqual([
      { job: 'canaryd', alertname: 'NotifyTest', severity: 'info', team: 'trading' },
    ]);
    expect(first.active(Date.now() + 300_001)).toEqual([]);
  });

  describe('with two Alertmanagers', () => {
    const both = () => make({ urls: [first.url, second.url] });

    it('tells both', async () => {
      await both()(exampleOf('watch.stopped'), signal);
      expect([active(first).length, active(second).length]).toEqual([1, 1]);
    });

    it('has delivered what one of them took', async () => {
      first.down();
      const outcome = await both()(exampleOf('watch.stopped'), signal);
      expect(outcome).toMatchObject({ kind: 'delivered' });
      expect(outcome.detail).toMatch(/^1 of 2 took it \(1: ECONNRESET; 2: HTTP 200 in \d+ ms\)$/);
    });

    it('goes on until all of them have taken the end', async () => {
      const send = both();
      await send(exampleOf('watch.stopped'), signal);
      second.down();
      expect(await send(exampleOf('rollback.confirmed'), signal)).toMatchObject({
        kind: 'retryable',
        detail: expect.stringMatching(/^1 of 2 took it /),
      });
      expect([active(first).length, active(second).length]).toEqual([0, 1]);
      second.up();
      await send(exampleOf('rollback.confirmed'), signal);
      expect([active(first).length, active(second).length]).toEqual([0, 0]);
    });

    it('does not end with a late end what has been opened since', async () => {
      const send = both();
      const stopped = exampleOf('watch.stopped');
      const over = { ...exampleOf('rollback.confirmed'), atMs: stopped.atMs + 1 };
      await send(stopped, signal);
      second.down();
      await send(over, signal);
      second.up();
      await send({ ...stopped, watchId: 'w_2', atMs: over.atMs + 1 }, signal);
      expect(await send(over, signal)).toMatchObject({ kind: 'delivered' });
      expect([active(first).length, active(second).length]).toEqual([1, 1]);
    });

    it('has not tried the channel when one of them is down', async () => {
      second.down();
      const trial = trialMessage({ isCritical: false, channels: 1, atMs: Date.now() });
      expect(await both()(trial, signal)).toMatchObject({ kind: 'retryable', reason: 'network' });
    });

    it('tries again when one of them may take it later', async () => {
      first.respondOnce(400, '"invalid label set"');
      second.respondOnce(503, 'starting');
      const outcome = await both()(exampleOf('watch.stopped'), signal);
      expect(outcome).toMatchObject({ kind: 'retryable', reason: 'server_error' });
      expect(outcome.detail).toBe(
        '0 of 2 took it (1: HTTP 400: "invalid label set"; 2: HTTP 503: starting)',
      );
    });

    it('gives up when both refuse it', async () => {
      for (const one of [first, second]) one.respondOnce(400, '"bad"');
      expect(await both()(exampleOf('watch.stopped'), signal)).toMatchObject({
        kind: 'refused',
        reason: 'client_error',
      });
    });
  });

  it('says that the login is wrong', async () => {
    const outcome = await make({ authorization: 'Bearer wrong-bearer-token' })(
      exampleOf('watch.stopped'),
      signal,
    );
    expect(outcome).toEqual({
      kind: 'refused',
      reason: 'misconfigured',
      detail: 'HTTP 401: Unauthorized: Bearer [redacted]; check basic_auth or bearer_token',
    });
  });

  it.each(['x', '&', '🚀', 'a\n'])('stays within the limits when full of %j', async (text) => {
    expect(await make()(fullOf(text), signal)).toMatchObject({ kind: 'delivered' });
    expect(first.requests[0]?.text.length).toBeLessThan(20_000);
  });

  it('never builds what Alertmanager refuses, whatever the message holds', async () => {
    const send = make();
    await fc.assert(
      fc.asyncProperty(monsters, async (message) => {
        expect(await send(message, signal)).toMatchObject({ kind: 'delivered' });
      }),
      { numRuns: 150 },
    );
  });

  onlyItsOwnYes({ service: () => first, make });
  httpTroubles({
    service: () => first,
    make,
    secrets: () => [AUTHORIZATION.slice(6), 'am-secret-password'],
  });
});
