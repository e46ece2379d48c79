import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../src/core/delivery.ts';
import { CALL_KIND } from '../../src/core/escalation.ts';
import { mergeMessages } from '../../src/core/merge.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createPagerDuty } from '../../src/notify/pagerduty.ts';
import { trialMessage } from '../../src/notify/trial.ts';
import { exampleOf, MESSAGE_KINDS, type MessageKind } from '../docs/message-examples.ts';
import { type FakePagerDuty, startFakePagerDuty } from '../support/fake-pagerduty.ts';
import { IncidentBook } from './incident-book.ts';
import { fullOf, monsters } from './monsters.ts';
import { httpTroubles, onlyItsOwnYes } from './troubles.ts';

let pagerduty: FakePagerDuty;
beforeAll(async () => {
  pagerduty = await startFakePagerDuty();
});
beforeEach(() => pagerduty.reset());
afterAll(() => pagerduty.close());

const signal = new AbortController().signal;

function make(over: Partial<Parameters<typeof createPagerDuty>[0]> = {}) {
  const { url, routingKey } = pagerduty;
  return createPagerDuty({ url, routingKey, timeoutMs: 5_000, clock: systemClock, ...over });
}

/** Of the incidents, by dedup_key. */
const statuses = () =>
  Object.fromEntries([...pagerduty.incidents].map(([key, { status }]) => [key, status]));

describe('the PagerDuty channel', () => {
  it('opens one incident for a watch, with the figures', async () => {
    expect(await make()(exampleOf('watch.stopped'), signal)).toMatchObject({ kind: 'delivered' });
    expect(pagerduty.requests[0]?.body).toEqual({
      routing_key: pagerduty.routingKey,
      event_action: 'trigger',
      dedup_key: 'w_example',
      client: 'canaryd',
      links: [],
      payload: {
        summary: expect.stringMatching(/^STOPPED aurora 2\.1\.0 \(testnet\): Order fill rate 72/),
        source: 'aurora',
        severity: 'critical',
        class: 'watch.stopped',
        component: 'aurora',
        group: 'testnet',
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        custom_details: expect.objectContaining({
          Version: '2.0.0 → 2.1.0',
          watch: 'w_example',
          what: expect.stringContaining('before the deploy: 98.1 %'),
          next: expect.stringContaining('canaryd now does: disarm, then rollback'),
        }),
      },
    });
  });

  it('does for each kind of message what it means', async () => {
    const rows: string[] = [];
    for (const kind of MESSAGE_KINDS) {
      pagerduty.reset();
      await make()(exampleOf(kind), signal);
      const done = pagerduty.requests.map(({ path, body }) =>
        path === '/v2/change/enqueue' ? 'change' : (body as { event_action: string }).event_action,
      );
      rows.push([kind, ...done].join(' '));
    }
    expect(rows).toEqual([
      'watch.started change',
      'watch.armed resolve resolve',
      'watch.unarmed trigger',
      'conditions.blinded trigger',
      'conditions.sighted resolve resolve',
      'condition.warned trigger',
      'condition.recovered resolve resolve',
      'condition.pre_existing trigger',
      'watch.resumed',
      'watch.stopped trigger',
      'action.accepted',
      'action.delayed trigger',
      'action.gave_up trigger',
      'rollback.confirmed resolve resolve',
      'rollback.not_confirmed trigger',
      'watch.passed resolve resolve change',
      'watch.inconclusive trigger',
      'watch.cancelled resolve resolve',
      'watch.superseded resolve resolve',
      'watch.acknowledged acknowledge acknowledge',
      'watch.resolved resolve resolve',
      'watch.sign_off_due',
      'watch.signed',
      'watch.extended',
      'watch.held',
      'watch.released',
      'gate.decided change',
      'journal.failed trigger',
      'journal.recovered resolve resolve',
    ]);
  });

  it('follows a bad deploy from the page to the end of the incident', async () => {
    const send = make();
    const status = async (kind: MessageKind) => {
      await send(exampleOf(kind), signal);
      return pagerduty.incidents.get('w_example');
    };
    expect(await status('watch.started')).toBeUndefined();
    expect(await status('watch.stopped')).toMatchObject({ status: 'triggered' });
    expect(await status('watch.acknowledged')).toMatchObject({ status: 'acknowledged' });
    expect(await status('action.accepted')).toMatchObject({ status: 'acknowledged' });
    expect(await status('rollback.confirmed')).toMatchObject({ status: 'resolved' });
  });

  it('tells of changes without paging', async () => {
    const send = make();
    for (const kind of ['watch.started', 'watch.passed'] as const)
      await send(exampleOf(kind), signal);
    const summaries = pagerduty.changes.map(
      (change) => (change['payload'] as Message & { summary: string }).summary,
    );
    expect(summaries).toEqual(['Watching aurora 2.1.0 (testnet)', 'PASSED aurora 2.1.0 (testnet)']);
    expect(pagerduty.incidents.size).toBe(0);
  });

  it('says that there was nothing to send', async () => {
    expect(await make()(exampleOf('watch.held'), signal)).toEqual({
      kind: 'delivered',
      detail: 'not sent: it opens, acknowledges and closes no incident, and is no change',
    });
  });

  it('leaves no incident open when the page comes after its end', async () => {
    const book = new IncidentBook(make());
    await book.tell(exampleOf('watch.stopped'));
    expect(pagerduty.incidents.get('w_example')).toMatchObject({ status: 'resolved' });
    book.open.add('w_example');
    await book.tell(exampleOf('watch.stopped'));
    expect(pagerduty.incidents.get('w_example')).toMatchObject({ status: 'triggered' });
  });

  it('pages for a stop also while somebody looks after a warning', async () => {
    const book = new IncidentBook(make());
    book.open.add('w_example');
    await book.tell(exampleOf('condition.warned'));
    await book.tell(exampleOf('watch.acknowledged'));
    await book.tell(exampleOf('watch.stopped'));
    expect(statuses()).toEqual({
      'w_example-warning': 'acknowledged',
      w_example: 'triggered',
    });
    await book.tell(exampleOf('rollback.confirmed'));
    expect(new Set(Object.values(statuses()))).toEqual(new Set(['resolved']));
  });

  it('pages anew for each call, and ends all of them with the incident', async () => {
    const book = new IncidentBook(make());
    book.open.add('w_example');
    await book.tell(exampleOf('watch.stopped'));
    const call = { ...exampleOf('watch.stopped'), kind: CALL_KIND };
    await book.tell(call, 'w_example-c1-e2-pager');
    await book.tell(exampleOf('watch.acknowledged'));
    await book.tell(call, 'w_example-c1-e5-pager');
    expect(statuses()).toEqual({
      w_example: 'acknowledged',
      'w_example-c1-e2-pager': 'acknowledged',
      'w_example-c1-e5-pager': 'triggered',
    });
    await book.tell(exampleOf('watch.resolved'));
    expect(new Set(Object.values(statuses()))).toEqual(new Set(['resolved']));
  });

  describe('with a storm', () => {
    const blind = exampleOf('conditions.blinded');
    const storm = mergeMessages([
      blind,
      { ...blind, watchId: 'w_2' },
      { ...blind, watchId: 'w_3' },
    ]);
    const sighted = exampleOf('conditions.sighted');

    it('has one incident for it, which ends with the last of its watches', async () => {
      const book = new IncidentBook(make());
      for (const id of ['w_example', 'w_2', 'w_3']) book.open.add(id);
      await book.tell(storm);
      expect(statuses()).toEqual({ 'storm-w_example-e1-pager': 'triggered' });
      for (const watchId of ['w_example', 'w_3']) {
        book.open.delete(watchId);
        await book.tell({ ...sighted, watchId });
        expect(statuses()).toEqual({ 'storm-w_example-e1-pager': 'triggered' });
      }
      book.open.delete('w_2');
      await book.tell({ ...sighted, watchId: 'w_2' });
      expect(statuses()).toEqual({ 'storm-w_example-e1-pager': 'resolved' });
    });

    it('ends with it no incident of a watch that is bad for itself', async () => {
      const book = new IncidentBook(make());
      for (const id of ['w_example', 'w_2', 'w_3']) book.open.add(id);
      await book.tell(storm);
      await book.tell(exampleOf('watch.stopped'));
      for (const watchId of ['w_2', 'w_3']) {
        book.open.delete(watchId);
        await book.tell({ ...sighted, watchId });
      }
      expect(statuses()).toEqual({
        'storm-w_example-e1-pager': 'triggered',
        w_example: 'triggered',
      });
    });

    it('leaves none open that is told when all is over', async () => {
      await new IncidentBook(make()).tell(storm);
      expect(statuses()).toEqual({ 'storm-w_example-e1-pager': 'resolved' });
    });
  });

  it('sends all events again when the last of them fails', async () => {
    const send = make();
    pagerduty.respondOnce(202, {});
    pagerduty.respondOnce(202, {});
    pagerduty.respondOnce(500, 'no');
    expect(await send(exampleOf('watch.passed'), signal)).toMatchObject({ kind: 'retryable' });
    expect(await send(exampleOf('watch.passed'), signal)).toMatchObject({ kind: 'delivered' });
    expect(pagerduty.changes).toHaveLength(1);
  });

  it('tries a channel by a change, or by an incident when it is critical', async () => {
    const trial = (isCritical: boolean) => trialMessage({ isCritical, channels: 1, atMs: 5_000 });
    await make()(trial(false), signal);
    expect([pagerduty.changes.length, pagerduty.incidents.size]).toEqual([1, 0]);
    await make()(trial(true), signal);
    expect(pagerduty.incidents.get('test-5000')).toMatchObject({ severity: 'critical' });
  });

  it('says which field PagerDuty refuses', async () => {
    pagerduty.respondOnce(400, {
      status: 'invalid event',
      message: 'Event object is invalid',
      errors: ["Length of 'routing_key' is incorrect (should be 32 characters)"],
    });
    expect(await make()(exampleOf('watch.stopped'), signal)).toEqual({
      kind: 'refused',
      reason: 'client_error',
      detail:
        'HTTP 400: Event object is invalid; ' +
        "Length of 'routing_key' is incorrect (should be 32 characters)",
    });
  });

  it.each(['x', '&', '🚀', 'a\n'])('stays within the limits when full of %j', async (text) => {
    expect(await make()(fullOf(text), signal)).toMatchObject({ kind: 'delivered' });
    expect(pagerduty.requests[0]?.text.isWellFormed()).toBe(true);
  });

  it('never builds what PagerDuty refuses, whatever the message holds', async () => {
    const send = make();
    await fc.assert(
      fc.asyncProperty(monsters, async (message) => {
        expect(await send(message, signal)).toMatchObject({ kind: 'delivered' });
      }),
      { numRuns: 150 },
    );
  });

  onlyItsOwnYes({ service: () => pagerduty, make });
  httpTroubles({ service: () => pagerduty, make, secrets: () => [pagerduty.routingKey] });
});
