import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { Message } from '../../src/core/delivery.ts';
import type { NewGateMessage } from '../../src/core/gate-message.ts';
import { standing } from '../../src/core/signature.ts';
import { newestDecision } from '../../src/engine/gate-desk.ts';
import { VirtualClock } from '../../src/kit/virtual-clock.ts';
import { T0 } from '../support/build.ts';
import { tempJournal } from '../support/engine.ts';
import { aGateRecord, EVIDENCE_HASH, gateDesk } from '../support/gate-desk.ts';

const MINUTE = 60_000;

function aDesk(options: Parameters<typeof gateDesk>[0] = {}) {
  const clock = new VirtualClock(T0);
  const made = gateDesk({ clock, ...options });
  let runs = 0;
  /** A run of the gate that has just ended. */
  const report = (over: Parameters<typeof aGateRecord>[0] = {}, by: string | null = 'pipeline') => {
    const at = new Date(clock.now()).toISOString();
    const id = `g_${String(++runs).padStart(16, '0')}`;
    const record = aGateRecord({ id, startedAt: at, endedAt: at, ...over });
    return made.desk.report({ ...record, evidenceHash: EVIDENCE_HASH }, by);
  };
  return { ...made, clock, report };
}

const ENTRY = {
  ...{ gate: 'release', criterion: 'review_done', role: 'engineering_lead', name: 'Ada' },
  ...{ environment: 'testnet', version: '2.1.0', note: null },
};
const PLACE = { gate: 'release', environment: 'testnet', version: '2.1.0', limit: 100 };
const KEY = { gate: 'release', service: 'aurora', environment: 'testnet', version: '2.1.0' };

function aMessage(recordId: string): NewGateMessage {
  const message: Message = {
    ...{ kind: 'gate.decided', severity: 'info' as const, headline: 'GO', lines: [], fields: [] },
    ...{ next: null, links: [], watchId: '', atMs: T0 },
    deploy: { service: 'aurora', environment: 'testnet', version: '2.1.0', previousVersion: null },
  };
  const id = `${recordId}-chat`;
  return { id, recordId, channel: 'chat', message, notBeforeMs: T0, deadlineAtMs: T0 + MINUTE };
}

describe('a signature at the desk', () => {
  it('has the time of the daemon, and is there before anything was decided', async () => {
    const { desk, clock } = aDesk();
    await clock.advance(MINUTE);
    const signed = { ...ENTRY, via: 'oncall', atMs: T0 + MINUTE };
    expect(await desk.sign({ ...ENTRY, via: 'oncall' })).toEqual(signed);
    expect(await desk.signOffs(PLACE)).toEqual([signed]);
  });

  it('is taken back by another entry: both are kept', async () => {
    const { desk, clock } = aDesk();
    await desk.sign(ENTRY);
    await clock.advance(MINUTE);
    await desk.sign({ ...ENTRY, name: 'ADA', isWithdrawn: true });
    const all = await desk.signOffs(PLACE);
    expect(all.map(({ isWithdrawn = false }) => isWithdrawn)).toEqual([false, true]);
  });

  it.each([
    ['was never given', { name: 'Adda' }],
    ['was given in another role', { role: 'qa_lead' }],
    ['was given for another version', { version: '2.1.1' }],
  ])('cannot be taken back when it %s: that is told, with who has signed', async (_, other) => {
    const { desk } = aDesk();
    await desk.sign(ENTRY);
    const taking = desk.sign({ ...ENTRY, ...other, isWithdrawn: true });
    await expect(taking).rejects.toMatchObject({ code: 'conflict' });
    await expect(taking).rejects.toThrow(/signed have: (Ada \(engineering_lead\)|nobody)$/);
    expect(await desk.signOffs(PLACE)).toHaveLength(1);
  });

  it.each([
    ['a moment', MINUTE],
    ['an hour', 60 * MINUTE],
  ])('is taken back also by a clock that has gone back by %s', async (_, backMs) => {
    const ahead = aDesk();
    await ahead.clock.advance(backMs);
    const signed = await ahead.desk.sign(ENTRY);
    const { desk } = aDesk({ store: ahead.store });
    const taken = await desk.sign({ ...ENTRY, isWithdrawn: true });
    expect(taken.atMs).toBe(signed.atMs);
    expect(standing(await desk.signOffs(PLACE))).toEqual([]);
  });

  it('is given anew also by a clock that has gone back a moment', async () => {
    const ahead = aDesk();
    await ahead.clock.advance(MINUTE);
    await ahead.desk.sign(ENTRY);
    await ahead.desk.sign({ ...ENTRY, isWithdrawn: true });
    const { desk } = aDesk({ store: ahead.store });
    const again = await desk.sign(ENTRY);
    expect(standing(await desk.signOffs(PLACE))).toEqual([again]);
  });

  it('is not dated into the future for a clock that was wrong by an hour', async () => {
    const ahead = aDesk();
    await ahead.clock.advance(60 * MINUTE);
    await ahead.desk.sign(ENTRY);
    const { desk } = aDesk({ store: ahead.store });
    expect((await desk.sign(ENTRY)).atMs).toBe(T0);
  });

  it('is taken back once, however often the same is asked: its answer may have been lost', async () => {
    const { desk, clock } = aDesk();
    await desk.sign(ENTRY);
    await clock.advance(1);
    const taken = await desk.sign({ ...ENTRY, isWithdrawn: true });
    await clock.advance(60 * MINUTE);
    expect(await desk.sign({ ...ENTRY, isWithdrawn: true })).toEqual(taken);
    expect(await desk.signOffs(PLACE)).toHaveLength(2);
    const other = desk.sign({ ...ENTRY, note: 'a bug', isWithdrawn: true });
    await expect(other).rejects.toThrow('signed have: nobody');
  });

  it('is taken back again when it was given again', async () => {
    const { desk } = aDesk();
    for (const isWithdrawn of [{}, { isWithdrawn: true }, {}, { isWithdrawn: true }] as const) {
      await desk.sign({ ...ENTRY, ...isWithdrawn });
    }
    const all = await desk.signOffs(PLACE);
    expect(all).toHaveLength(4);
    expect(standing(all)).toEqual([]);
  });

  it('is one when it comes again within a minute, and another one later', async () => {
    const { desk, clock } = aDesk();
    const first = await desk.sign(ENTRY);
    await clock.advance(MINUTE - 1);
    expect(await desk.sign(ENTRY)).toEqual(first);
    await clock.advance(1);
    expect((await desk.sign(ENTRY)).atMs).toBe(T0 + MINUTE);
    expect(await desk.signOffs(PLACE)).toHaveLength(2);
  });

  it.each([
    ['note', { note: 'all passed' }],
    ['token', { via: 'oncall' }],
    ['service', { service: 'aurora' }],
    ['spelling', { name: 'ADA' }],
  ])('is kept beside one with another %s', async (_, other) => {
    const { desk } = aDesk();
    await desk.sign(ENTRY);
    await desk.sign({ ...ENTRY, ...other });
    expect(await desk.signOffs(PLACE)).toHaveLength(2);
  });
});

describe('a decision at the desk', () => {
  it('is kept with when it came and by which token', async () => {
    const { desk, report } = aDesk({ publicUrl: 'https://canaryd.example' });
    const { decision, created } = await report();
    expect(created).toBe(true);
    expect(decision).toMatchObject({
      record: { reportedBy: 'pipeline', receivedAtMs: T0, evidenceHash: EVIDENCE_HASH },
      url: `https://canaryd.example/gates/${decision.record.id}`,
      isNewest: true,
      signedSince: [],
    });
    expect(await desk.decision(decision.record.id)).toEqual(decision);
  });

  it('is one when it comes twice, whoever sends it and whenever', async () => {
    const { desk, clock, report } = aDesk();
    const first = await report({ id: 'g_same' });
    const { startedAt, endedAt } = first.decision.record;
    await clock.advance(MINUTE);
    const second = await report({ id: 'g_same', startedAt, endedAt }, 'other');
    expect(second).toEqual({ decision: first.decision, created: false });
    expect(await desk.decisions({ limit: 10 })).toHaveLength(1);
  });

  it.each([
    ['decision', { decision: 'no_go' }],
    ['reason', { reasons: ['another'] }],
    ['version', { deploy: { ...KEY, parameters: {} } }],
  ] as const)('is refused when its id is taken by one with another %s', async (_, other) => {
    const { desk, report } = aDesk();
    await report({ id: 'g_same' });
    await expect(report({ id: 'g_same', ...other })).rejects.toMatchObject({ code: 'conflict' });
    expect((await desk.decision('g_same')).record).toMatchObject({ decision: 'go' });
  });

  it.each(['startedAt', 'endedAt'] as const)(
    'is refused with %s in the future: it would be fresh for long',
    async (field) => {
      const { report } = aDesk();
      const far = { [field]: new Date(T0 + 5 * MINUTE + 1).toISOString() };
      await expect(report(far)).rejects.toMatchObject({
        code: 'usage',
        problems: [{ message: expect.stringContaining('set the clock of the machine') }],
      });
      const near = { [field]: new Date(T0 + 5 * MINUTE).toISOString() };
      expect((await report(near)).created).toBe(true);
    },
  );

  it('is told: what is to be sent is planned with it, once', async () => {
    const pokes: string[] = [];
    const { store, report } = aDesk({
      planMessages: ({ id }) => [aMessage(id)],
      onAdded: () => pokes.push('poke'),
    });
    await report({ id: 'g_same' });
    await report({ id: 'g_same' });
    expect(pokes).toEqual(['poke']);
    expect(await store.gateMessages('g_same')).toMatchObject([{ id: 'g_same-chat' }]);
  });

  it('that nobody knows is named', async () => {
    const { desk } = aDesk();
    const missing = { code: 'gate_record_not_found', message: expect.stringContaining('g_none') };
    await expect(desk.decision('g_none')).rejects.toMatchObject(missing);
    await expect(desk.decisions({ limit: 1, beforeId: 'g_none' })).rejects.toMatchObject(missing);
  });
});

describe('what has come since a decision', () => {
  it('are the signatures after it, also those that take one back', async () => {
    const { desk, clock, report } = aDesk();
    await desk.sign({ ...ENTRY, name: 'Early' });
    await clock.advance(MINUTE);
    const { decision } = await report();
    await clock.advance(MINUTE);
    await desk.sign(ENTRY);
    await desk.sign({ ...ENTRY, service: 'aurora', name: 'Kim' });
    await desk.sign({ ...ENTRY, service: 'spark', name: 'Other' });
    await desk.sign({ ...ENTRY, version: '2.1.1', name: 'Newer' });
    await clock.advance(1);
    await desk.sign({ ...ENTRY, isWithdrawn: true });
    const { signedSince } = await desk.decision(decision.record.id);
    expect(signedSince.map(({ name, isWithdrawn = false }) => [name, isWithdrawn])).toEqual([
      ['Ada', false],
      ['Kim', false],
      ['Ada', true],
    ]);
  });

  it('are not those that the decision has counted, when it was long on its way', async () => {
    const { desk, clock, report } = aDesk();
    const begun = new Date(clock.now()).toISOString();
    const ada = await desk.sign(ENTRY);
    await clock.advance(MINUTE);
    const [, reviewed] = aGateRecord().criteria;
    const signOffs = [{ role: ada.role, statement: '', text: '', signed: ada }];
    const criteria = reviewed === undefined ? [] : [{ ...reviewed, signOffs }];
    await desk.sign({ ...ENTRY, name: 'Kim' });
    await clock.advance(MINUTE);
    const { decision } = await report({ criteria, startedAt: begun, endedAt: begun });
    expect(decision.signedSince.map(({ name }) => name)).toEqual(['Kim']);
  });
});

describe('the newest decision', () => {
  it('is the last that was reported for this gate, service, environment and version', async () => {
    const { desk, store, clock, report } = aDesk();
    const deploy = aGateRecord().deploy;
    const first = await report();
    await clock.advance(MINUTE);
    const second = await report({ decision: 'no_go' });
    await report({ gate: 'other' });
    await report({ deploy: { ...deploy, service: 'spark' } });
    await report({ deploy: { ...deploy, environment: 'production' } });
    await report({ deploy: { ...deploy, version: '2.1.1' } });
    const newest = await newestDecision(store, KEY);
    expect(newest?.id).toBe(second.decision.record.id);
    const is = async (id: string) => (await desk.decision(id)).isNewest;
    expect([await is(first.decision.record.id), await is(second.decision.record.id)]).toEqual([
      false,
      true,
    ]);
    expect(await newestDecision(store, { ...KEY, version: '9' })).toBeNull();
  });

  it.each([
    ['a GO that arrives late, after a NO-GO that ended later', 'no_go', 'go', 'g_first'],
    ['a GO that arrives late, after a review that ended later', 'review', 'go', 'g_first'],
    ['a NO-GO that arrives late: what is not certain is no GO', 'go', 'no_go', 'g_late'],
    ['a GO that arrives late, after a GO that ended later', 'go', 'go', 'g_first'],
  ] as const)('is certain: %s', async (_, first, late, newest) => {
    const { desk, store, clock, report } = aDesk();
    const begun = new Date(clock.now()).toISOString();
    await clock.advance(MINUTE);
    await report({ id: 'g_first', decision: first });
    await clock.advance(MINUTE);
    await report({ id: 'g_late', decision: late, startedAt: begun, endedAt: begun });
    expect((await newestDecision(store, KEY))?.id).toBe(newest);
    const listed = await desk.decisions({ limit: 10 });
    expect(listed.filter(({ isNewest }) => isNewest).map(({ head }) => head.id)).toEqual([newest]);
    expect((await desk.decision(newest)).isNewest).toBe(true);
  });

  it('is a NO-GO also when many GOs that are older arrive after it', async () => {
    const { store, clock, report } = aDesk();
    const begun = new Date(clock.now()).toISOString();
    await clock.advance(MINUTE);
    const { decision } = await report({ decision: 'no_go' });
    for (let copy = 0; copy < 30; copy++) await report({ startedAt: begun, endedAt: begun });
    expect((await newestDecision(store, KEY))?.id).toBe(decision.record.id);
  });

  it('that cannot be read is left out of the list, and told', async () => {
    const told: string[] = [];
    const store = tempJournal();
    const { desk, report } = aDesk({ store, onDamaged: ({ message }) => void told.push(message) });
    await report({ id: 'g_good' });
    await report({ id: 'g_bad' });
    using database = new DatabaseSync(store.path);
    database.exec(`DROP TRIGGER gate_records_are_facts;
      UPDATE gate_records SET head = '{' WHERE id = 'g_bad'`);
    const listed = await desk.decisions({ limit: 10 });
    expect(listed.map(({ head }) => head.id)).toEqual(['g_good']);
    // A page is full all the same: what comes after it is asked for by its last one.
    expect(await desk.decisions({ limit: 1 })).toHaveLength(1);
    expect(told).toEqual([expect.stringContaining('head of decision g_bad of a gate is not JSON')]);
  });

  it('is listed without reading what was found: that may be a megabyte each', async () => {
    const store = tempJournal();
    const { desk, report } = aDesk({ store });
    const { decision } = await report();
    using database = new DatabaseSync(store.path);
    database.exec("DROP TRIGGER gate_records_are_facts; UPDATE gate_records SET body = '{'");
    const [listed] = await desk.decisions({ limit: 10 });
    const { criteria: _, ...rest } = decision.record;
    expect(listed?.head).toEqual({ ...rest, criteriaMet: 2, criteriaTotal: 2 });
    await expect(desk.decision(decision.record.id)).rejects.toThrow('is not JSON');
  });

  it('is marked on every page of the list', async () => {
    const { desk, report } = aDesk();
    const ids: string[] = [];
    for (let run = 0; run < 4; run++) ids.push((await report()).decision.record.id);
    const page = async (filter: { beforeId?: string }) =>
      (await desk.decisions({ limit: 2, ...filter })).map(({ head, isNewest }) => [
        head.id,
        isNewest,
      ]);
    const [d = '', c = '', b = '', a = ''] = ids.toReversed();
    expect(await page({})).toEqual([
      [d, true],
      [c, false],
    ]);
    expect(await page({ beforeId: c })).toEqual([
      [b, false],
      [a, false],
    ]);
    const other = await report({ gate: 'other' });
    expect(await page({ beforeId: other.decision.record.id })).toEqual([
      [d, true],
      [c, false],
    ]);
  });
});
