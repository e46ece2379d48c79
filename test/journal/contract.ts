// The suite that every store must pass. It knows only the interface; what is special to one
// store (its file, its locks, its migrations) is tested beside it.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Delivery } from '../../src/core/delivery.ts';
import type { EventBody } from '../../src/core/event.ts';
import { fold } from '../../src/core/watch.ts';
import type { Append, Journal } from '../../src/journal/journal.ts';
import {
  aDeploy,
  aMessage,
  aMessageDelivery,
  anActionDelivery,
  aPolicy,
  aTick,
  aTrack,
  someEvidence,
  started,
  stopped,
  T0,
} from '../support/build.ts';

export type OpenedJournal = {
  readonly journal: Journal;
  /** Closes the journal and opens the same store again; at most once a test. */
  reopen(): Promise<Journal>;
};

const ARMED: EventBody = { type: 'watch.armed', armed: 2, total: 2 };
const CANCELLED: EventBody = { type: 'watch.cancelled', by: 'ann', reason: 'test' };
const PASSED: EventBody = { type: 'watch.passed', conditions: [], coverage: {} };
const RESOLVED: EventBody = { type: 'watch.resolved', by: 'ann', reason: 'well' };
const SIGNED: EventBody = {
  ...{ type: 'watch.signed', role: 'qa_lead', name: 'Ada', by: 'ada', note: null },
};
const ACKNOWLEDGED: EventBody = { type: 'watch.acknowledged', by: 'ann', reason: 'seen' };

/** The first append of a watch; each in an environment of its own, so that many can be open. */
export function create(id: string, over: Partial<Append> = {}, environment = id): Append {
  const deploy = aDeploy({ environment });
  return {
    watchId: id,
    create: {
      id,
      deploy,
      policy: aPolicy(),
      policyHash: 'hash',
      idempotencyKey: null,
      startedAtMs: T0,
    },
    expectedRevision: 0,
    atMs: T0,
    events: [started({ deploy })],
    deliveries: [],
    phase: 'watching',
    isActive: true,
    ...over,
  };
}

/** One more append to a watch that `create` made. */
export function next(watchId: string, expectedRevision: number, over: Partial<Append>): Append {
  return {
    watchId,
    expectedRevision,
    atMs: T0 + 1_000,
    events: [],
    deliveries: [],
    phase: 'watching',
    isActive: true,
    ...over,
  };
}

/** Stops the watch and plans both actions and a message. */
function stop(watchId: string, expectedRevision = 1): Append {
  return next(watchId, expectedRevision, {
    events: [stopped()],
    deliveries: [
      anActionDelivery('disarm', watchId),
      anActionDelivery('rollback', watchId, { afterDelivery: `${watchId}.disarm` }),
      aMessageDelivery(`${watchId}.stopped.oncall`, watchId),
    ],
    phase: 'stopped',
    isActive: false,
  });
}

function close(watchId: string, closedAtMs: number): Append {
  const closing = { events: [PASSED], phase: 'passed', isActive: false } as const;
  return next(watchId, 1, { ...closing, atMs: closedAtMs });
}

const delivered = (id: string, attempt = 0) =>
  ({ id, state: 'delivered', attempt, notBeforeMs: T0, reason: 'ok', detail: 'HTTP 202' }) as const;
const ids = (rows: readonly { id: string }[]) => rows.map(({ id }) => id);
const states = (rows: readonly Delivery[]) => rows.map(({ state }) => state);

export function journalContract(name: string, open: () => Promise<OpenedJournal>): void {
  describe(name, () => {
    let journal: Journal;
    let reopen: () => Promise<Journal>;

    beforeEach(async () => {
      const opened = await open();
      journal = opened.journal;
      reopen = async () => {
        journal = await opened.reopen();
        return journal;
      };
    });
    afterEach(() => journal[Symbol.asyncDispose]());

    async function has(...batches: Append[]): Promise<void> {
      expect(await journal.append(batches)).toBe('appended');
    }

    describe('append', () => {
      test('creates a watch that reads back as it was given', async () => {
        const batch = create('w_1', {
          deliveries: [aMessageDelivery('w_1.started', 'w_1', { notBeforeMs: T0 + 5 })],
        });
        await has(batch);

        expect(await journal.watch('w_1')).toEqual({
          ...batch.create,
          phase: 'watching',
          isActive: true,
          closedAtMs: null,
          revision: 1,
          track: null,
        });
        expect(await journal.events('w_1')).toEqual([{ ...batch.events[0], seq: 1, atMs: T0 }]);
        expect(await journal.deliveries('w_1')).toEqual([
          {
            ...batch.deliveries[0],
            order: expect.any(Number),
            state: 'pending',
            attempts: 0,
            attemptedAtMs: null,
            inFlight: false,
            holder: null,
            lastReason: null,
            lastDetail: null,
            receipt: null,
          },
        ]);
      });

      test('numbers events within their watch and folds to the live state', async () => {
        await has(create('w_1'), create('w_2'));
        await has(next('w_1', 1, { events: [ARMED, { type: 'window.entered', window: 'late' }] }));
        await has(next('w_1', 3, { events: [CANCELLED], phase: 'cancelled', isActive: false }));

        const events = await journal.events('w_1');
        expect(events.map(({ seq, type }) => [seq, type])).toEqual([
          [1, 'watch.started'],
          [2, 'watch.armed'],
          [3, 'window.entered'],
          [4, 'watch.cancelled'],
        ]);
        expect(fold(events)).toMatchObject({
          phase: 'cancelled',
          arming: 'armed',
          window: 'late',
          closedAtMs: T0 + 1_000,
        });
        expect(await journal.watch('w_1')).toMatchObject({
          phase: 'cancelled',
          isActive: false,
          closedAtMs: T0 + 1_000,
          revision: 4,
        });
        expect(await journal.events('w_2')).toHaveLength(1);
      });

      test('keeps figures that JSON cannot hold, and text that looks like them', async () => {
        const evidence = someEvidence({
          value: Number.NaN,
          limit: Number.NEGATIVE_INFINITY,
          baseline: -0,
          detail: '~NaN',
        });
        await has(create('w_1'));
        await has(next('w_1', 1, { events: [{ type: 'condition.warned', evidence }] }));

        expect(await journal.events('w_1', 1)).toEqual([
          { type: 'condition.warned', evidence, seq: 2, atMs: T0 + 1_000 },
        ]);
      });

      test('keeps names and texts that are special elsewhere', async () => {
        const reason = `'; DROP TABLE watches; -- "\\ \n 🚀 \u2028`;
        const deploy = aDeploy({ service: `o'hara "x"`, parameters: { '~': '~', n: 0.1 } });
        const created = create('w_1');
        await has({
          ...created,
          create: { ...(created.create as NonNullable<Append['create']>), deploy },
          events: [started({ deploy }), { type: 'watch.acknowledged', by: '%_', reason }],
        });

        expect((await journal.watch('w_1'))?.deploy).toEqual(deploy);
        expect(await journal.events('w_1', 1)).toMatchObject([{ by: '%_', reason }]);
        expect(await journal.watches({ service: `o'hara "x"`, limit: 9 })).toHaveLength(1);
      });

      test('refuses a revision that has moved and writes nothing of that append', async () => {
        await has(create('w_1'), create('w_2'));
        await has(next('w_1', 1, { events: [ARMED] }));
        const message = aMessageDelivery('late', 'w_2');

        expect(
          await journal.append([
            next('w_2', 1, {
              events: [ARMED],
              deliveries: [message],
              tick: { tick: aTick(T0), track: aTrack(T0), previousAtMs: null },
            }),
            create('w_3'),
            next('w_1', 1, { events: [ARMED] }),
          ]),
        ).toBe('conflict');

        expect(await journal.watch('w_2')).toMatchObject({ revision: 1, track: null });
        expect(await journal.events('w_2')).toHaveLength(1);
        expect(await journal.deliveries('w_2')).toEqual([]);
        expect(await journal.ticks('w_2', 0, T0, 9)).toEqual([]);
        expect(await journal.watch('w_3')).toBeNull();
      });

      test.each([
        ['older', 1],
        ['newer', 3],
      ])('refuses an %s revision also when there are no events', async (_case, revision) => {
        await has(create('w_1'));
        await has(next('w_1', 1, { events: [ARMED] }));
        const tick = { tick: aTick(T0), track: aTrack(T0), previousAtMs: null };
        expect(await journal.append([next('w_1', revision, { tick })])).toBe('conflict');
        expect(await journal.append([next('w_1', revision, { events: [ARMED] })])).toBe('conflict');
        expect(await journal.watch('w_1')).toMatchObject({ revision: 2, track: null });
      });

      test('refuses an unknown watch, and a watch that exists already', async () => {
        expect(await journal.append([next('w_1', 0, { events: [ARMED] })])).toBe('conflict');
        await has(create('w_1'));
        expect(await journal.append([create('w_1', {}, 'elsewhere')])).toBe('conflict');
      });

      test('lets exactly one of several concurrent appends win', async () => {
        await has(create('w_1'));
        const results = await Promise.all(
          ['a', 'b', 'c', 'd'].map((by) =>
            journal.append([
              next('w_1', 1, { events: [{ type: 'watch.acknowledged', by, reason: '' }] }),
            ]),
          ),
        );
        expect(results.toSorted()).toEqual(['appended', 'conflict', 'conflict', 'conflict']);
        expect(await journal.events('w_1')).toHaveLength(2);
      });

      test('lets exactly one of several concurrent starts of a service win', async () => {
        const starts = ['w_1', 'w_2', 'w_3'].map((id) => journal.append([create(id, {}, 'prod')]));
        expect((await Promise.all(starts)).toSorted()).toEqual([
          'appended',
          'conflict',
          'conflict',
        ]);
        expect(await journal.watches({ limit: 9 })).toHaveLength(1);
      });

      test('keeps one open watch per service and environment, superseded ones aside', async () => {
        await has(create('w_1', {}, 'prod'));
        expect(await journal.append([create('w_2', {}, 'prod')])).toBe('conflict');

        const superseded = { type: 'watch.superseded', byWatch: 'w_2', version: '3' } as const;
        const end = { events: [superseded], phase: 'superseded', isActive: false } as const;
        await has(next('w_1', 1, end), create('w_2', {}, 'prod'));
        const open = await journal.watches({ phase: 'watching', limit: 9 });
        expect(ids(open)).toEqual(['w_2']);
      });

      test('finds a watch by its idempotency key and refuses the key a second time', async () => {
        const keyed = (id: string) => {
          const batch = create(id);
          const { create: watch } = batch;
          return { ...batch, ...(watch && { create: { ...watch, idempotencyKey: 'run 7' } }) };
        };
        await has(keyed('w_1'));
        expect(await journal.append([keyed('w_2')])).toBe('conflict');
        expect((await journal.watchByIdempotencyKey('run 7'))?.id).toBe('w_1');
        expect(await journal.watchByIdempotencyKey('run 8')).toBeNull();
        await has(create('w_3'), create('w_4'));
      });

      test('is whole or nothing when a later batch breaks a unique rule', async () => {
        await has(create('w_1', { deliveries: [aMessageDelivery('same', 'w_1')] }));
        const twice = next('w_1', 2, { deliveries: [aMessageDelivery('same', 'w_1')] });
        const first = next('w_1', 1, { events: [ARMED] });
        expect(await journal.append([first, twice])).toBe('conflict');
        expect(await journal.watch('w_1')).toMatchObject({ revision: 1 });
        await has(first);
      });

      test('has nothing to do for no batches', async () => {
        expect(await journal.append([])).toBe('appended');
      });

      test('throws on a phase that the events do not lead to, and writes nothing', async () => {
        await has(create('w_1'));
        const wrong = next('w_1', 1, { events: [ARMED], phase: 'passed', isActive: false });
        await expect(journal.append([wrong])).rejects.toMatchObject({ code: 'journal_failed' });
        expect(await journal.watch('w_1')).toMatchObject({ phase: 'watching', revision: 1 });
      });
    });

    describe('a closed watch', () => {
      test('stops at most once', async () => {
        await has(create('w_1'));
        await has(stop('w_1'));
        const again = next('w_1', 2, { events: [stopped()], phase: 'stopped', isActive: false });
        expect(await journal.append([again])).toBe('conflict');
        const events = await journal.events('w_1');
        expect(events.filter(({ type }) => type === 'watch.stopped')).toHaveLength(1);
      });

      test.each([
        ['a pass', PASSED, 'passed'],
        ['a cancellation', CANCELLED, 'cancelled'],
        ['more observations', ARMED, 'stopped'],
        ['opening again', ACKNOWLEDGED, 'watching'],
      ] as const)('refuses %s', async (_name, event, phase) => {
        await has(create('w_1'));
        await has(stop('w_1'));
        const isActive = phase === 'watching';
        const late = next('w_1', 2, { events: [event], phase, isActive });
        expect(await journal.append([late])).toBe('conflict');
        expect(await journal.watch('w_1')).toMatchObject({ phase: 'stopped', revision: 2 });
      });

      test('refuses anything after the end within one append', async () => {
        await has(create('w_1'));
        const end = { events: [CANCELLED, ARMED], phase: 'cancelled', isActive: false } as const;
        expect(await journal.append([next('w_1', 1, end)])).toBe('conflict');
      });

      test('takes acknowledgement, what came of its actions, ticks and messages', async () => {
        await has(create('w_1'));
        await has({ ...stop('w_1'), isActive: true });
        const accepted = { action: 'rollback', attempts: 1, detail: '', afterMs: 5 } as const;
        const confirmed = { action: 'rollback', conditions: [], afterMs: 9 } as const;
        const verifying = { phase: 'stopped', isActive: true } as const;
        await has(
          next('w_1', 2, {
            ...verifying,
            events: [{ type: 'action.accepted', ...accepted }, ACKNOWLEDGED],
          }),
          next('w_1', 4, {
            ...verifying,
            tick: { tick: aTick(T0 + 2_000), track: aTrack(T0 + 2_000), previousAtMs: null },
          }),
          next('w_1', 4, {
            events: [{ type: 'rollback.confirmed', ...confirmed }, RESOLVED, SIGNED],
            deliveries: [aMessageDelivery('confirmed', 'w_1')],
            atMs: T0 + 9_000,
            phase: 'stopped',
            isActive: false,
          }),
        );
        expect(await journal.watch('w_1')).toMatchObject({
          phase: 'stopped',
          isActive: false,
          closedAtMs: T0 + 1_000,
          revision: 7,
        });
      });
    });

    describe('deliveries', () => {
      beforeEach(async () => {
        await has(create('w_1'), create('w_2'));
        await has(stop('w_1'), next('w_2', 1, { deliveries: [aMessageDelivery('m', 'w_2')] }));
      });

      const update = (over: Partial<Append>, revision = 2) =>
        next('w_1', revision, { phase: 'stopped', isActive: false, ...over });

      test('wait in the order in which they were planned, across watches', async () => {
        const planned = ['w_1.disarm', 'w_1.rollback', 'w_1.stopped.oncall', 'm'];
        const pending = await journal.pendingDeliveries(9);
        expect(ids(pending)).toEqual(planned);
        const order = pending.map((delivery) => delivery.order);
        expect(order).toEqual(order.toSorted((a, b) => a - b));
        expect(new Set(order).size).toBe(4);
        expect(ids(await journal.pendingDeliveries(2))).toEqual(planned.slice(0, 2));
        expect(ids(await journal.deliveries('w_1'))).toEqual(planned.slice(0, 3));
      });

      test('can be read one by one', async () => {
        const [, rollback] = await journal.deliveries('w_1');
        expect(await journal.delivery('w_1.rollback')).toEqual(rollback);
        expect(await journal.delivery('w_1')).toBeNull();
        expect(await journal.delivery('\0')).toBeNull();
      });

      test('that are planned for later come last, so that a night of them hides nothing', async () => {
        const dueAtMs = T0 + 1_000;
        const later = { notBeforeMs: dueAtMs + 1, deadlineAtMs: dueAtMs + 9_999 };
        const deliveries = [
          aMessageDelivery('held', 'w_2', later),
          aMessageDelivery('due', 'w_2', { notBeforeMs: dueAtMs, deadlineAtMs: dueAtMs + 9_999 }),
        ];
        await has(next('w_2', 1, { deliveries }));
        const found = ids(await journal.pendingDeliveries(9, 'message', undefined, dueAtMs));
        expect(found.at(-1)).toBe('held');
        expect(found.slice(0, -1)).toContain('due');
        await journal.startAttempt('held', 1, dueAtMs, 'r_1');
        expect(ids(await journal.pendingDeliveries(9, 'message', undefined, dueAtMs)).at(-1)).toBe(
          'due',
        );
      });

      test('are one per watch and action, whatever their id', async () => {
        const second = anActionDelivery('rollback', 'w_1', { id: 'another' });
        expect(await journal.append([update({ deliveries: [second] })])).toBe('conflict');
        await has(next('w_2', 1, { deliveries: [anActionDelivery('rollback', 'w_2')] }));
      });

      test('count an attempt before it is made, and are in flight until its outcome', async () => {
        expect(await journal.startAttempt('w_1.rollback', 1, T0 + 50, 'r_1')).toBe(true);
        await reopen();
        expect((await journal.deliveries('w_1'))[1]).toMatchObject({
          state: 'pending',
          attempts: 1,
          attemptedAtMs: T0 + 50,
          inFlight: true,
          holder: 'r_1',
        });

        const outcome = { reason: 'server_error', detail: 'HTTP 503' } as const;
        const retry = { id: 'w_1.rollback', state: 'pending', attempt: 1, ...outcome } as const;
        await has(update({ updates: [{ ...retry, notBeforeMs: T0 + 1_500.25 }] }));
        expect((await journal.deliveries('w_1'))[1]).toMatchObject({
          state: 'pending',
          attempts: 1,
          inFlight: false,
          notBeforeMs: T0 + 1_501,
          lastReason: 'server_error',
          lastDetail: 'HTTP 503',
        });

        expect(await journal.startAttempt('w_1.rollback', 2, T0 + 1_501, 'r_1')).toBe(true);
        await has(update({ updates: [delivered('w_1.rollback')] }));
        expect((await journal.deliveries('w_1'))[1]).toMatchObject({
          state: 'delivered',
          attempts: 2,
          attemptedAtMs: T0 + 1_501,
          inFlight: false,
          lastReason: 'ok',
        });
        expect(ids(await journal.pendingDeliveries(9))).not.toContain('w_1.rollback');
      });

      test.each([
        ['a number that was used', 1],
        ['a number out of turn', 3],
        ['number zero', 0],
      ])('refuse an attempt with %s', async (_name, attempt) => {
        await journal.startAttempt('m', 1, T0, 'r_1');
        expect(await journal.startAttempt('m', attempt, T0 + 1, 'r_1')).toBe(false);
        expect((await journal.deliveries('w_2'))[0]).toMatchObject({ attempts: 1 });
      });

      test('let exactly one of several concurrent attempts begin', async () => {
        const begun = [1, 2, 3].map(() => journal.startAttempt('m', 1, T0, 'r_1'));
        expect((await Promise.all(begun)).filter(Boolean)).toHaveLength(1);
      });

      test('that go out as one begin together; one that has ended or moved on is left out', async () => {
        await has(
          next('w_2', 1, {
            deliveries: ['a', 'b', 'c'].map((id) => aMessageDelivery(id, 'w_2')),
            updates: [delivered('m')],
          }),
        );
        await journal.startAttempt('b', 1, T0, 'r_1');
        const starts = ['a', 'b', 'c', 'm', 'no'].map((id) => ({ id, attempt: 1 }));
        const begun = await journal.startAttempts(starts, T0 + 7.5, 'r_2');
        expect(begun.toSorted()).toEqual(['a', 'c']);
        await reopen();
        const found = await journal.deliveries('w_2');
        const wanted = { attempts: 1, attemptedAtMs: T0 + 8, inFlight: true, holder: 'r_2' };
        expect(found.filter(({ id }) => begun.includes(id))).toMatchObject([wanted, wanted]);
        expect(found.find(({ id }) => id === 'b')).toMatchObject({ attempts: 1, holder: 'r_1' });
        expect(await journal.startAttempts(starts, T0 + 9, 'r_2')).toEqual([]);
        expect(await journal.startAttempts([], T0 + 9, 'r_2')).toEqual([]);
      });

      test('let an outcome count only until a later attempt has begun, unless it arrived', async () => {
        await journal.startAttempt('w_1.rollback', 1, T0, 'r_1');
        await journal.startAttempt('w_1.rollback', 2, T0 + 5_000, 'r_2');
        const why = { reason: 'timeout', detail: 'no answer' } as const;
        const late = { ...delivered('w_1.rollback', 1), state: 'pending', ...why } as const;
        expect(await journal.append([update({ updates: [late] })])).toBe('conflict');
        const gaveUp = { ...late, state: 'gave_up' } as const;
        expect(await journal.append([update({ updates: [gaveUp] })])).toBe('conflict');
        expect((await journal.deliveries('w_1'))[1]).toMatchObject({
          state: 'pending',
          attempts: 2,
          inFlight: true,
          holder: 'r_2',
        });
        await has(update({ updates: [delivered('w_1.rollback', 1)] }));
        expect((await journal.deliveries('w_1'))[1]).toMatchObject({ state: 'delivered' });
      });

      test('keep what their channel gave out, and show it to that channel alone', async () => {
        const receipts = { reason: 'ok', detail: 'posted', attempt: 0, notBeforeMs: T0 } as const;
        const planned = ['a', 'b', 'c', 'd'].map((id) => {
          const content = { kind: 'message', channel: id === 'c' ? 'other' : 'oncall' } as const;
          return aMessageDelivery(id, 'w_2', { content: { ...content, message: aMessage() } });
        });
        // An attempt that failed half-way gives out as much; what comes after it may give nothing.
        const given = (['b', 'a', 'c'] as const).map((id) => {
          const state = id === 'b' ? 'pending' : 'delivered';
          return { id, state, ...receipts, receipt: `{"ts":"${id} é"}` } as const;
        });
        await has(next('w_2', 1, { deliveries: planned, updates: [...given, delivered('d')] }));
        await has(next('w_2', 1, { updates: [delivered('b')] }));
        await reopen();

        const { kind } = aMessage();
        expect(await journal.receipts('w_2', 'oncall')).toEqual([
          { kind, receipt: '{"ts":"a é"}' },
          { kind, receipt: '{"ts":"b é"}' },
        ]);
        expect(await journal.receipts('w_2', 'other')).toHaveLength(1);
        expect(await journal.receipts('w_1', 'oncall')).toEqual([]);
        expect(await journal.receipts('no', 'oncall')).toEqual([]);
        const [m, a] = await journal.deliveries('w_2');
        expect([m?.receipt, a?.receipt]).toEqual([null, '{"ts":"a é"}']);
      });

      test('refuse more attempts than they have', async () => {
        const once = aMessageDelivery('once', 'w_2', { attemptsMax: 1 });
        await has(next('w_2', 1, { deliveries: [once] }));
        expect(await journal.startAttempt('once', 1, T0, 'r_1')).toBe(true);
        expect(await journal.startAttempt('once', 2, T0, 'r_1')).toBe(false);
      });

      test('never change once they have ended', async () => {
        await has(update({ updates: [delivered('w_1.disarm')] }));
        const late = { ...delivered('w_1.disarm'), state: 'gave_up', reason: 'timeout' } as const;
        const again = update({ updates: [late], events: [ACKNOWLEDGED] });
        expect(await journal.append([again])).toBe('conflict');
        expect(await journal.startAttempt('w_1.disarm', 1, T0, 'r_1')).toBe(false);
        expect((await journal.deliveries('w_1'))[0]).toMatchObject({
          state: 'delivered',
          lastReason: 'ok',
        });
        expect(await journal.watch('w_1')).toMatchObject({ revision: 2 });
      });

      test('belong to their watch: an update or attempt of no such delivery is refused', async () => {
        expect(await journal.append([update({ updates: [delivered('m')] })])).toBe('conflict');
        expect(await journal.append([update({ updates: [delivered('no')] })])).toBe('conflict');
        expect(await journal.startAttempt('no', 1, T0, 'r_1')).toBe(false);
      });

      test('of actions are given up together, but not those that arrived, nor messages', async () => {
        await journal.startAttempt('w_1.rollback', 1, T0, 'r_1');
        const giveUpActions = { reason: 'superseded', detail: 'by w_3' } as const;
        await has(update({ updates: [delivered('w_1.disarm')], giveUpActions }));
        const [disarm, rollback, message] = await journal.deliveries('w_1');
        expect(disarm).toMatchObject({ state: 'delivered', lastReason: 'ok' });
        expect(rollback).toMatchObject({
          state: 'gave_up',
          inFlight: false,
          attempts: 1,
          lastReason: 'superseded',
          lastDetail: 'by w_3',
        });
        expect(message).toMatchObject({ state: 'pending', lastReason: null });
      });

      test('of actions planned by the same append survive its giving up', async () => {
        const giveUpActions = { reason: 'superseded', detail: '' } as const;
        const deliveries = [anActionDelivery('disarm', 'w_2')];
        await has(next('w_2', 1, { deliveries, giveUpActions }));
        expect(states(await journal.deliveries('w_2'))).toEqual(['pending', 'pending']);
      });

      test('can be planned and given up in one append', async () => {
        const why = { state: 'gave_up', reason: 'misconfigured' } as const;
        const giveUp = { ...delivered('w_2.disarm'), ...why };
        const deliveries = [anActionDelivery('disarm', 'w_2')];
        await has(next('w_2', 1, { deliveries, updates: [giveUp] }));
        expect(states(await journal.deliveries('w_2'))).toEqual(['pending', 'gave_up']);
      });
    });

    describe('ticks', () => {
      const tick = (atMs: number, readings = {}, previousAtMs: number | null = null) =>
        next('w_1', 1, {
          tick: { tick: aTick(atMs, readings), track: aTrack(atMs), previousAtMs },
        });

      test('read back with every field, and bring the newest track', async () => {
        const counts = { part: 12, total: 1204 };
        const readings = {
          plain: { kind: 'value', value: 0.1 + 0.2 },
          full: {
            kind: 'value',
            value: -0,
            rangeMs: 20_000,
            shortened: true,
            counts,
            sinceDeploy: { part: 0, total: 30 },
            detail: '~ HTTP 200 in 12 ms',
          },
          not_shortened: { kind: 'value', value: Number.NaN, rangeMs: 60_000, shortened: false },
          since_only: { kind: 'value', value: 1e-300, sinceDeploy: counts },
          blind: { kind: 'blind', reason: 'no_series', detail: '' },
          few: { kind: 'blind', reason: 'too_few', detail: '3 of 20', counts, sinceDeploy: counts },
        } as const;
        await has(create('w_1'));
        await has(tick(T0, readings), tick(T0 + 5_000, {}, T0));

        expect(await journal.ticks('w_1', T0, T0, 9)).toEqual([aTick(T0, readings)]);
        expect(await journal.watch('w_1')).toMatchObject({
          track: aTrack(T0 + 5_000),
          revision: 1,
        });
        expect((await journal.watches({ limit: 1 }))[0]?.track).toEqual(aTrack(T0 + 5_000));
      });

      test('are listed by time, both ends included, oldest first, up to the limit', async () => {
        await has(create('w_1'), create('w_2'));
        await has(tick(T0 + 30), tick(T0 + 10, {}, T0 + 30));
        await has(tick(T0 + 20, {}, T0 + 10), tick(T0 + 40, {}, T0 + 20));
        const times = async (...range: [number, number, number]) =>
          (await journal.ticks('w_1', ...range)).map(({ atMs }) => atMs - T0);
        expect(await times(T0 + 20, T0 + 40, 9)).toEqual([20, 30, 40]);
        expect(await times(T0 + 11, T0 + 39, 9)).toEqual([20, 30]);
        expect(await times(0, T0 + 99, 2)).toEqual([10, 20]);
        expect(await journal.ticks('w_2', 0, T0 + 99, 9)).toEqual([]);
      });

      test('of the same time stay as they were first written', async () => {
        await has(create('w_1'));
        await has(tick(T0));
        await has(tick(T0, { other: { kind: 'value', value: 2 } }, T0));
        expect(await journal.ticks('w_1', T0, T0, 9)).toEqual([aTick(T0)]);
      });

      test.each([
        ['the first, when there is one already', null],
        ['one from before the last', T0 - 5],
        ['one from after the last', T0 + 5],
      ])('are refused when they go on from %s', async (_case, previousAtMs) => {
        await has(create('w_1'));
        await has(tick(T0));
        const late = { ...tick(T0 + 9, {}, previousAtMs), events: [ARMED] };
        expect(await journal.append([late])).toBe('conflict');
        expect(await journal.ticks('w_1', T0, T0 + 9, 9)).toHaveLength(1);
        expect(await journal.watch('w_1')).toMatchObject({ revision: 1, track: aTrack(T0) });
      });

      test('of two replicas at once are written by one', async () => {
        await has(create('w_1'));
        await has(tick(T0));
        const both = [1, 2].map((late) => journal.append([tick(T0 + late, {}, T0)]));
        expect((await Promise.all(both)).toSorted()).toEqual(['appended', 'conflict']);
        expect(await journal.ticks('w_1', T0, T0 + 9, 9)).toHaveLength(2);
      });
    });

    describe('lists', () => {
      beforeEach(async () => {
        for (const [index, id] of ['w_1', 'w_2', 'w_3', 'w_4'].entries()) {
          const batch = create(id, {}, `env${index % 2}`);
          const watch = batch.create as NonNullable<Append['create']>;
          const startedAtMs = T0 + Math.floor(index / 2);
          await has({ ...batch, create: { ...watch, startedAtMs } });
          await has({ ...stop(id), isActive: index === 1 });
        }
      });

      test('show the newest first, also when two started in the same millisecond', async () => {
        expect(ids(await journal.watches({ limit: 9 }))).toEqual(['w_4', 'w_3', 'w_2', 'w_1']);
      });

      test('page without gaps or repeats', async () => {
        const first = await journal.watches({ limit: 3 });
        const rest = await journal.watches({ limit: 3, beforeId: 'w_2' });
        expect([...ids(first), ...ids(rest)]).toEqual(['w_4', 'w_3', 'w_2', 'w_1']);
        expect(await journal.watches({ limit: 3, beforeId: 'w_1' })).toEqual([]);
        expect(await journal.watches({ limit: 3, beforeId: 'unknown' })).toEqual([]);
      });

      test.each([
        [{ environment: 'env0' }, ['w_3', 'w_1']],
        [{ service: 'shop', environment: 'env1', beforeId: 'w_4' }, ['w_2']],
        [{ service: 'nope' }, []],
        [{ phase: 'watching' }, []],
        [{ phase: 'stopped', isActive: false }, ['w_4', 'w_3', 'w_1']],
        [{ isActive: true }, ['w_2']],
      ] as const)('filter by %o', async (filter, expected) => {
        expect(ids(await journal.watches({ ...filter, limit: 9 }))).toEqual(expected);
      });

      test('of events go on after the last one seen', async () => {
        expect((await journal.events('w_1', 1)).map(({ seq }) => seq)).toEqual([2]);
        expect((await journal.events('w_1', 0, 1)).map(({ seq }) => seq)).toEqual([1]);
        expect(await journal.events('w_1', 2)).toEqual([]);
        expect(await journal.events('unknown')).toEqual([]);
      });

      test('count every phase, also those without a watch', async () => {
        await has(create('w_5'));
        expect(await journal.counts()).toEqual({
          watching: 1,
          stopped: 4,
          passed: 0,
          inconclusive: 0,
          cancelled: 0,
          superseded: 0,
        });
      });
    });

    describe('the hold-fire switch', () => {
      test('is off, on with who and why, on for another reason, off', async () => {
        expect(await journal.hold()).toBeNull();
        const hold = { by: 'ann', reason: 'incident 7', sinceMs: T0 };
        await journal.setHold(hold);
        await reopen();
        expect(await journal.hold()).toEqual(hold);
        await journal.setHold({ ...hold, reason: 'incident 8' });
        expect(await journal.hold()).toMatchObject({ reason: 'incident 8' });
        await journal.setHold(null);
        expect(await journal.hold()).toBeNull();
      });
    });

    describe('prune', () => {
      beforeEach(async () => {
        for (const id of ['old', 'middle', 'new', 'open']) {
          const message = aMessageDelivery(`${id}.started`, id);
          await has(create(id, { deliveries: [message] }));
          const ticks = [T0, T0 + 5].map((atMs) => {
            const previousAtMs = atMs === T0 ? null : T0;
            return next(id, 1, { tick: { tick: aTick(atMs), track: aTrack(atMs), previousAtMs } });
          });
          await has(...ticks, next(id, 1, { updates: [delivered(message.id)] }));
        }
        await has(close('old', T0 + 10), close('middle', T0 + 20), close('new', T0 + 30));
      });

      test('drops samples first, whole watches later, and never an open watch', async () => {
        expect(await journal.prune(T0 + 30, T0 + 20)).toMatchObject({ samples: 4, watches: 1 });
        expect(ids(await journal.watches({ limit: 9 }))).toEqual(['open', 'new', 'middle']);
        expect(await journal.events('old')).toEqual([]);
        expect(await journal.deliveries('old')).toEqual([]);
        expect(await journal.events('middle')).toHaveLength(2);
        expect(await journal.ticks('middle', 0, T0 + 99, 9)).toEqual([]);
        expect(await journal.ticks('new', 0, T0 + 99, 9)).toHaveLength(2);
        expect(await journal.ticks('open', 0, T0 + 99, 9)).toHaveLength(2);
        expect(await journal.prune(T0 + 30, T0 + 20)).toMatchObject({ samples: 0, watches: 0 });
      });

      test('keeps a watch with a delivery on its way, and one that verifies', async () => {
        await has(create('sending'), create('verifying'));
        await has({ ...stop('sending'), atMs: T0 }, { ...stop('verifying'), isActive: true });
        const unsent = ['disarm', 'rollback', 'stopped.oncall'].map((end) =>
          delivered(`verifying.${end}`),
        );
        const tick = { tick: aTick(T0), track: aTrack(T0), previousAtMs: null };
        const still = { phase: 'stopped', isActive: true } as const;
        await has(next('verifying', 2, { ...still, updates: unsent, tick }));
        expect(await journal.prune(T0 + 99_000, T0 + 99_000)).toMatchObject({
          samples: 6,
          watches: 3,
        });
        const left = ids(await journal.watches({ limit: 9 }));
        expect(left.toSorted()).toEqual(['open', 'sending', 'verifying']);
        expect(await journal.ticks('verifying', 0, T0, 9)).toHaveLength(1);
      });

      test('never gives an order a second time', async () => {
        const last = (await journal.deliveries('new'))[0]?.order;
        await has(next('open', 1, { events: [CANCELLED], phase: 'cancelled', isActive: false }));
        expect(await journal.prune(T0 + 99_000, T0 + 99_000)).toMatchObject({ watches: 4 });
        await has(create('later', { deliveries: [aMessageDelivery('later', 'later')] }));
        const [later] = await journal.pendingDeliveries(9);
        expect(later?.order).toBeGreaterThan(Number(last));
      });
    });

    describe('reopened', () => {
      test('shows everything as it was', async () => {
        await has(create('w_1'), create('w_2'));
        await has(
          next('w_2', 1, { tick: { tick: aTick(T0), track: aTrack(T0), previousAtMs: null } }),
          stop('w_1'),
        );
        const all = async () => [
          await journal.watches({ limit: 9 }),
          await journal.events('w_1'),
          await journal.deliveries('w_1'),
          await journal.ticks('w_2', 0, T0, 9),
          await journal.pendingDeliveries(9),
        ];
        const before = await all();
        await reopen();
        expect(await all()).toEqual(before);
        await has(next('w_2', 1, { events: [ARMED] }));
      });
    });

    describe('check', () => {
      test('is content with a store that can be written', async () => {
        await expect(journal.check()).resolves.toBeUndefined();
      });

      test('throws once the journal is closed, as everything does', async () => {
        await journal[Symbol.asyncDispose]();
        const closed = { code: 'journal_failed' };
        await expect(journal.check()).rejects.toMatchObject(closed);
        await expect(journal.append([create('w_1')])).rejects.toMatchObject(closed);
        await expect(journal.watch('w_1')).rejects.toMatchObject(closed);
      });
    });
  });
}
