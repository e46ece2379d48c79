// What every store must keep of gates. It knows only the interface; what the schema of one store
// refuses by itself, and races of replicas, are tested beside it.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NewGateMessage } from '../../src/core/gate-message.ts';
import {
  type CheckRecord,
  type CriterionRecord,
  headOf,
  type SignOff,
  type StoredGateRecord,
} from '../../src/core/gate-record.ts';
import type { GateMessageUpdate } from '../../src/journal/gate-store.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { aMessage, T0 } from '../support/build.ts';
import type { OpenedJournal } from './contract.ts';

export function aSignOff(over: Partial<SignOff> = {}): SignOff {
  return {
    ...{ gate: 'testnet', criterion: 'code_review', role: 'cto', name: 'Ann' },
    ...{ environment: 'testnet', version: '2.1.0', atMs: T0, note: null },
    ...over,
  };
}

const CHECK: CheckRecord = {
  ...{ id: 'coverage', kind: 'coverage', wants: 'lines ≥ 90 %', outcome: 'fail' },
  ...{ text: 'lines 88 %', details: ['~NaN \0 \u2028 🚀'], tookMs: 5.25 },
  exhibits: [{ file: 'coverage.xml', sha256: 'c0ffee', isCut: false }],
};

const CRITERION: CriterionRecord = {
  ...{ id: 'coverage', title: 'Test coverage', section: null, level: 'green', outcome: 'fail' },
  exemption: {
    ...{ kind: 'waiver', criterion: 'coverage', by: 'Bea', reason: 'a spike', untilMs: T0 + 5 },
  },
  checks: [CHECK],
  signOffs: [
    { role: 'cto', statement: 'It is safe', signed: aSignOff(), text: 'signed by Ann' },
    { role: 'ceo', statement: 'It is wanted', signed: null, text: 'nobody has signed' },
  ],
};

/** The deploy is given in parts, so that a test says only what it is about. */
export function aGateRecord(
  id: string,
  over: Partial<StoredGateRecord> = {},
  deploy: Partial<StoredGateRecord['deploy']> = {},
): StoredGateRecord {
  return {
    ...{ id, gate: 'testnet', title: 'Aurora testnet', decision: 'no_go' },
    deploy: {
      ...{ service: 'aurora', environment: 'testnet', version: '2.1.0' },
      parameters: { capital: 100_000, '~': '~', odd: Number.NaN },
      ...deploy,
    },
    ...{ startedAt: '2026-01-01T00:00:00.000Z', endedAt: '2026-01-01T00:01:00.000Z' },
    reasons: ['green coverage: lines 88 %, at least 90 % wanted'],
    override: { approvals: [aSignOff({ via: 'oncall' })], risk: 'small' },
    approvals: [aSignOff({ isWithdrawn: true, note: 'seen' })],
    criteria: [CRITERION],
    ...{ next: null, gateHash: 'abc', tools: { git: '2.40' }, version: '1.0.0' },
    ...{ evidenceHash: 'c0ffee', reportedBy: 'ci', receivedAtMs: T0 },
    notSignedHere: [aSignOff({ name: 'Eve' })],
    ...over,
  };
}

export function aGateMessage(
  recordId: string,
  channel: string,
  over: Partial<NewGateMessage> = {},
): NewGateMessage {
  return {
    ...{ id: `${recordId}.${channel}`, recordId, channel, message: aMessage() },
    ...{ notBeforeMs: T0, deadlineAtMs: T0 + 60_000 },
    ...over,
  };
}

const UNTOUCHED = {
  ...{ state: 'pending', attempts: 0, attemptedAtMs: null },
  ...{ lastReason: null, lastDetail: null },
};

function ended(id: string, attempt: number, over: Partial<GateMessageUpdate> = {}) {
  const told = { state: 'delivered', reason: 'ok', detail: 'HTTP 200' } as const;
  return { id, attempt, notBeforeMs: T0 + 9, ...told, ...over };
}

const ids = (rows: readonly { id: string }[]) => rows.map(({ id }) => id);
const names = (rows: readonly SignOff[]) => rows.map(({ name }) => name);

export function gateContract(store: string, open: () => Promise<OpenedJournal>): void {
  describe(`${store}: gates`, () => {
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

    describe('a signature', () => {
      test('reads back as it was given, also after a restart', async () => {
        const plain = aSignOff({ note: 'a "quote", \0 and 🚀', atMs: T0 + 0.5 });
        const more = { statement: 'Tests pass', covers: ['a', 'b'] };
        const all = [
          plain,
          aSignOff({ via: 'oncall', isWithdrawn: true, service: 'aurora', ...more }),
        ];
        for (const signOff of all) await journal.addSignOff(signOff);
        expect(await journal.signOffs({ gate: 'testnet', limit: 9 })).toEqual(all);
        await reopen();
        expect(await journal.signOffs({ gate: 'testnet', limit: 9 })).toEqual(all);
      });

      test('is found by gate, environment and version, and only by what is asked for', async () => {
        await journal.addSignOff(aSignOff());
        await journal.addSignOff(aSignOff({ name: 'Bea', environment: 'live' }));
        await journal.addSignOff(aSignOff({ name: 'Cid', version: '2.1.1' }));
        await journal.addSignOff(aSignOff({ name: 'Dan', gate: 'live' }));
        const found = async (filter: { environment?: string; version?: string }) =>
          names(await journal.signOffs({ gate: 'testnet', limit: 9, ...filter }));
        expect(await found({})).toEqual(['Ann', 'Bea', 'Cid']);
        expect(await found({ environment: 'testnet' })).toEqual(['Ann', 'Cid']);
        expect(await found({ version: '2.1.0' })).toEqual(['Ann', 'Bea']);
        expect(await found({ environment: 'testnet', version: '2.1.0' })).toEqual(['Ann']);
        expect(await found({ version: "2.1.0' OR '1'='1" })).toEqual([]);
        expect(await found({ version: '2.1.0\0' })).toEqual([]);
        expect(names(await journal.signOffs({ gate: 'live', limit: 9 }))).toEqual(['Dan']);
      });

      test('comes in the order of receipt whatever its clock said; the limit keeps the newest', async () => {
        await journal.addSignOff(aSignOff({ name: 'first', atMs: T0 + 9_000 }));
        await journal.addSignOff(aSignOff({ name: 'second', atMs: T0 }));
        await journal.addSignOff(aSignOff({ name: 'third', atMs: T0 - 9_000 }));
        const newest = await journal.signOffs({ gate: 'testnet', limit: 2 });
        expect(names(newest)).toEqual(['second', 'third']);
      });
    });

    describe('a decision', () => {
      test('reads back as it was given, with its messages, also after a restart', async () => {
        const record = aGateRecord('g_1');
        const messages = [aGateMessage('g_1', 'oncall'), aGateMessage('g_1', 'devs')];
        expect(await journal.addGateRecord(record, messages)).toBe(true);
        const untouched = messages.map((message) => ({ ...message, ...UNTOUCHED }));
        const check = async () => {
          expect(await journal.gateRecord('g_1')).toEqual(record);
          expect(await journal.gateRecords({ limit: 9 })).toEqual([record]);
          expect(await journal.gateHeads({ limit: 9 })).toEqual([headOf(record)]);
          expect(await journal.gateMessages('g_1')).toEqual(untouched.toReversed());
          expect(await journal.pendingGateMessages(9)).toEqual(untouched);
        };
        await check();
        await reopen();
        await check();
      });

      test('that is not there is null, and has no messages', async () => {
        expect(await journal.gateRecord('g_1')).toBeNull();
        expect(await journal.gateRecord('g\0')).toBeNull();
        expect(await journal.gateMessages('g_1')).toEqual([]);
      });

      test('of the same id writes nothing the second time, whatever it says', async () => {
        const record = aGateRecord('g_1');
        expect(await journal.addGateRecord(record, [aGateMessage('g_1', 'oncall')])).toBe(true);
        const other = aGateRecord('g_1', { decision: 'go', receivedAtMs: T0 + 1 });
        expect(await journal.addGateRecord(other, [aGateMessage('g_1', 'devs')])).toBe(false);
        expect(await journal.addGateRecord(record, [])).toBe(false);
        expect(await journal.gateRecords({ limit: 9 })).toEqual([record]);
        expect(ids(await journal.gateMessages('g_1'))).toEqual(['g_1.oncall']);
      });

      test('is not written without its messages', async () => {
        const message = aGateMessage('g_1', 'oncall');
        const twice = [message, { ...message, id: 'again' }];
        await expect(journal.addGateRecord(aGateRecord('g_1'), twice)).rejects.toThrow(
          'plans two messages of decision g_1 for channel oncall',
        );
        const unnamed = [aGateMessage('g_1', 'devs'), { ...message, id: '' }];
        await expect(journal.addGateRecord(aGateRecord('g_1'), unnamed)).rejects.toMatchObject({
          code: 'journal_failed',
        });
        const foreign = [aGateMessage('g_2', 'oncall')];
        await expect(journal.addGateRecord(aGateRecord('g_1'), foreign)).rejects.toThrow(
          'plans message g_2.oncall of g_2 with decision g_1',
        );
        expect(await journal.gateRecord('g_1')).toBeNull();
        expect(await journal.pendingGateMessages(9)).toEqual([]);
      });

      test('comes newest first by its receipt, whatever the clocks said, page by page', async () => {
        const received = [T0 + 500, T0, T0, T0 - 500, T0 + 900];
        for (const [index, receivedAtMs] of received.entries()) {
          await journal.addGateRecord(aGateRecord(`g_${index}`, { receivedAtMs }), []);
        }
        const page = async (beforeId?: string) =>
          ids(await journal.gateRecords({ limit: 2, ...(beforeId && { beforeId }) }));
        expect(await page()).toEqual(['g_4', 'g_3']);
        expect(await page('g_3')).toEqual(['g_2', 'g_1']);
        expect(await page('g_1')).toEqual(['g_0']);
        expect(await page('g_0')).toEqual([]);
        expect(await page('unknown')).toEqual([]);
      });

      test('is found by gate, service, environment and version, and by all together', async () => {
        const deploys = { b: { service: 'lunia' }, c: { environment: 'live' } } as const;
        await journal.addGateRecord(aGateRecord('a'), []);
        await journal.addGateRecord(aGateRecord('b', {}, deploys.b), []);
        await journal.addGateRecord(aGateRecord('c', {}, deploys.c), []);
        await journal.addGateRecord(aGateRecord('d', {}, { version: '2.1.1' }), []);
        await journal.addGateRecord(aGateRecord('e', { gate: 'live' }), []);
        const found = async (filter: Readonly<Record<string, string>>) =>
          ids(await journal.gateHeads({ limit: 9, ...filter }));
        expect(await found({})).toEqual(['e', 'd', 'c', 'b', 'a']);
        expect(await found({ gate: 'live' })).toEqual(['e']);
        expect(await found({ service: 'aurora' })).toEqual(['e', 'd', 'c', 'a']);
        expect(await found({ environment: 'live' })).toEqual(['c']);
        expect(await found({ version: '2.1.1' })).toEqual(['d']);
        const exact = { gate: 'testnet', service: 'aurora', environment: 'testnet' };
        expect(await found({ ...exact, version: '2.1.0' })).toEqual(['a']);
        expect(await found({ ...exact, beforeId: 'd' })).toEqual(['a']);
        expect(await found({ gate: 'testnet\0' })).toEqual([]);
      });
    });

    describe('a message of a decision', () => {
      const [first, second] = ['g_1.oncall', 'g_2.oncall'];
      beforeEach(async () => {
        await journal.addGateRecord(aGateRecord('g_1'), [aGateMessage('g_1', 'oncall')]);
        await journal.addGateRecord(aGateRecord('g_2'), [aGateMessage('g_2', 'oncall')]);
      });
      const message = async (recordId = 'g_1') => (await journal.gateMessages(recordId))[0];

      test('waits in planned order, at most as many as are asked for', async () => {
        expect(ids(await journal.pendingGateMessages(9))).toEqual([first, second]);
        expect(ids(await journal.pendingGateMessages(1))).toEqual([first]);
      });

      test('begins each attempt once, in order', async () => {
        expect(await journal.startGateAttempt(first, 2, T0)).toBe(false);
        expect(await journal.startGateAttempt(first, 1, T0 + 0.5)).toBe(true);
        expect(await journal.startGateAttempt(first, 1, T0 + 1)).toBe(false);
        expect(await message()).toMatchObject({ attempts: 1, attemptedAtMs: T0 + 1 });
        expect(await message('g_2')).toMatchObject(UNTOUCHED);
        expect(await journal.startGateAttempt('unknown', 1, T0)).toBe(false);
        // It was begun, and canaryd ended: the next one has the next number.
        expect(await journal.startGateAttempt(first, 2, T0 + 9)).toBe(true);
        expect(await message()).toMatchObject({ attempts: 2, attemptedAtMs: T0 + 9 });
      });

      test('goes on waiting after an attempt that failed, and says why', async () => {
        await journal.startGateAttempt(first, 1, T0);
        const failed = { state: 'pending', reason: 'timeout', detail: 'no \0 answer' } as const;
        await journal.endGateAttempt(ended(first, 1, { ...failed, notBeforeMs: T0 + 2.5 }));
        expect(await message()).toMatchObject({
          ...{ state: 'pending', attempts: 1, notBeforeMs: T0 + 3, lastReason: 'timeout' },
          lastDetail: expect.stringMatching(/^no . answer$/s),
        });
        expect(ids(await journal.pendingGateMessages(9))).toEqual([first, second]);
      });

      test('that has ended never changes and never begins again', async () => {
        await journal.startGateAttempt(first, 1, T0);
        await journal.endGateAttempt(ended(first, 1, { reason: null }));
        const done = await message();
        expect(done).toMatchObject({ state: 'delivered', lastReason: null, attempts: 1 });
        await journal.endGateAttempt(ended(first, 1, { state: 'gave_up', reason: 'deadline' }));
        expect(await journal.startGateAttempt(first, 2, T0 + 1)).toBe(false);
        expect(await message()).toEqual(done);
        expect(ids(await journal.pendingGateMessages(9))).toEqual([second]);
      });

      test('is not changed by the outcome of an earlier attempt', async () => {
        await journal.startGateAttempt(first, 1, T0);
        await journal.startGateAttempt(first, 2, T0 + 1);
        const begun = await message();
        await journal.endGateAttempt(ended(first, 1));
        await journal.endGateAttempt(ended('unknown', 1));
        expect(await message()).toEqual(begun);
        await journal.endGateAttempt(ended(first, 2));
        expect(await message()).toMatchObject({ state: 'delivered', attempts: 2 });
      });

      test('may be given up before it was ever tried', async () => {
        const late = { state: 'gave_up', reason: 'deadline', detail: 'it was not sent' } as const;
        await journal.endGateAttempt(ended(first, 0, late));
        expect(await message()).toMatchObject({
          ...{ state: 'gave_up', attempts: 0, attemptedAtMs: null, lastReason: 'deadline' },
        });
      });
    });

    describe('prune', () => {
      const prune = async () => {
        const { decisions, signatures } = await journal.prune(T0, T0);
        return { decisions, signatures };
      };

      test('drops decisions with their messages by the retention of watches', async () => {
        await journal.addGateRecord(aGateRecord('old', { receivedAtMs: T0 - 1 }), [
          aGateMessage('old', 'oncall'),
        ]);
        await journal.addGateRecord(aGateRecord('new'), [aGateMessage('new', 'oncall')]);
        // It is still to be told.
        expect(await prune()).toEqual({ decisions: 0, signatures: 0 });
        await journal.startGateAttempt('old.oncall', 1, T0);
        await journal.endGateAttempt(ended('old.oncall', 1));
        expect(await prune()).toEqual({ decisions: 1, signatures: 0 });
        expect(ids(await journal.gateRecords({ limit: 9 }))).toEqual(['new']);
        expect(await journal.gateMessages('old')).toEqual([]);
        expect(ids(await journal.pendingGateMessages(9))).toEqual(['new.oncall']);
      });

      test('drops more decisions than one step of it holds', async () => {
        for (let index = 0; index < 45; index += 1) {
          await journal.addGateRecord(aGateRecord(`g_${index}`, { receivedAtMs: T0 - 1 }), []);
        }
        expect(await prune()).toEqual({ decisions: 45, signatures: 0 });
      });

      test('drops signatures in their order: what takes one back stays at least as long', async () => {
        await journal.addSignOff(aSignOff({ name: 'Ann', atMs: T0 - 1 }));
        // The clock of the one who signed was ahead.
        await journal.addSignOff(aSignOff({ name: 'Bea', atMs: T0 }));
        await journal.addSignOff(aSignOff({ name: 'Bea', atMs: T0 - 1, isWithdrawn: true }));
        await journal.addSignOff(aSignOff({ name: 'Cid', atMs: T0 - 1, version: '2.1.1' }));
        expect(await prune()).toEqual({ decisions: 0, signatures: 2 });
        const left = await journal.signOffs({ gate: 'testnet', limit: 9 });
        expect(names(left)).toEqual(['Bea', 'Bea']);
      });

      test('gives no place in the order a second time', async () => {
        await journal.addGateRecord(aGateRecord('a', { receivedAtMs: T0 - 1 }), []);
        await prune();
        await journal.addGateRecord(aGateRecord('b'), []);
        await journal.addGateRecord(aGateRecord('a'), []);
        expect(ids(await journal.gateRecords({ limit: 9 }))).toEqual(['a', 'b']);
      });
    });

    test('a journal that is closed fails each call', async () => {
      await journal[Symbol.asyncDispose]();
      const closed = { code: 'journal_failed' };
      const calls = [
        () => journal.addSignOff(aSignOff()),
        () => journal.addGateRecord(aGateRecord('g_1'), []),
        () => journal.startGateAttempt('g_1.oncall', 1, T0),
        () => journal.endGateAttempt(ended('g_1.oncall', 1)),
        () => journal.signOffs({ gate: 'testnet', limit: 9 }),
        () => journal.gateRecord('g_1'),
        () => journal.gateRecords({ limit: 9 }),
        () => journal.gateMessages('g_1'),
        () => journal.pendingGateMessages(9),
      ];
      for (const call of calls) await expect(call()).rejects.toMatchObject(closed);
    });
  });
}
