// The guard before the journal, for what is kept of gates: each call is bounded, and only what was
// really written proves that the journal takes writes. On virtual time.
import { describe, expect, it } from 'vitest';
import { JOURNAL_ANSWERS_WITHIN_MS, JournalGuard } from '../../src/engine/journal-guard.ts';
import type { GateStore } from '../../src/journal/gate-store.ts';
import { aGateMessage, aGateRecord, aSignOff } from '../journal/gate-contract.ts';
import { T0 } from '../support/build.ts';
import { changed, tempJournal } from '../support/engine.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const OUTCOME = {
  ...{ id: 'g_1.oncall', attempt: 1, notBeforeMs: T0, reason: null, detail: '' },
  state: 'delivered',
} as const;

const CALLS: Readonly<Record<keyof GateStore, (store: GateStore) => Promise<unknown>>> = {
  addSignOff: (store) => store.addSignOff(aSignOff()),
  addGateRecord: (store) =>
    store.addGateRecord(aGateRecord('g_1'), [aGateMessage('g_1', 'oncall')]),
  startGateAttempt: (store) => store.startGateAttempt('g_1.oncall', 1, T0),
  endGateAttempt: (store) => store.endGateAttempt(OUTCOME),
  signOffs: (store) => store.signOffs({ gate: 'testnet', limit: 9 }),
  gateRecord: (store) => store.gateRecord('g_1'),
  gateRecords: (store) => store.gateRecords({ limit: 9 }),
  gateHeads: (store) => store.gateHeads({ limit: 9 }),
  gateMessages: (store) => store.gateMessages('g_1'),
  pendingGateMessages: (store) => store.pendingGateMessages(9),
};
const NAMES = Object.keys(CALLS) as (keyof GateStore)[];

describe('the guarded journal', () => {
  it('passes on what is asked of gates, and what comes of it', async () => {
    const clock = new VirtualClock();
    const { journal } = new JournalGuard(tempJournal(), clock);
    const results: unknown[] = [];
    for (const name of NAMES) results.push(await CALLS[name](journal));
    const message = { id: 'g_1.oncall', state: 'delivered', attempts: 1 };
    expect(results).toMatchObject([
      ...[undefined, true, true, undefined],
      ...[[{ role: 'cto' }], { id: 'g_1' }, [{ id: 'g_1' }], [{ criteriaTotal: 1 }], [message], []],
    ]);
    expect(clock.sleeping).toBe(0);
  });

  it.each(NAMES)('lets no %s hang for ever', async (name) => {
    const clock = new VirtualClock();
    const hanging = changed(tempJournal(), { [name]: () => new Promise(() => undefined) });
    const guard = new JournalGuard(hanging, clock);
    const call = CALLS[name](guard.journal).catch((error: unknown) => error);
    await clock.advance(JOURNAL_ANSWERS_WITHIN_MS);
    expect(await call).toMatchObject({ code: 'journal_failed' });
    expect(guard.state().silentForMs).toBe(JOURNAL_ANSWERS_WITHIN_MS);
  });

  it.each(['addSignOff', 'addGateRecord', 'startGateAttempt'] as const)(
    'takes %s for a write, when it wrote',
    async (name) => {
      const clock = new VirtualClock();
      const journal = tempJournal();
      await journal.addGateRecord(aGateRecord('g_1'), [aGateMessage('g_1', 'oncall')]);
      const guard = new JournalGuard(changed(journal, { addGateRecord: async () => true }), clock);
      expect(guard.state().writtenAgoMs).toBeNull();
      await CALLS[name](guard.journal);
      expect(guard.state().writtenAgoMs).toBe(0);
    },
  );

  it('takes nothing for a write that found its work done', async () => {
    const journal = tempJournal();
    for (const name of NAMES) await CALLS[name](journal);
    const guard = new JournalGuard(journal, new VirtualClock());
    for (const name of NAMES.filter((each) => each !== 'addSignOff')) {
      await CALLS[name](guard.journal);
    }
    expect(guard.state().writtenAgoMs).toBeNull();
  });

  it.each(['addSignOff', 'addGateRecord', 'startGateAttempt', 'endGateAttempt'] as const)(
    'remembers that %s failed',
    async (name) => {
      const full = async () => {
        throw new Error('disk is full');
      };
      const guard = new JournalGuard(changed(tempJournal(), { [name]: full }), new VirtualClock());
      await expect(CALLS[name](guard.journal)).rejects.toThrow('disk is full');
      expect(guard.state()).toMatchObject({ failingForMs: 0, failure: 'disk is full' });
    },
  );
});
