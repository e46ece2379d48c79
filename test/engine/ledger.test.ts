import { describe, expect, it } from 'vitest';
import type { EventBody } from '../../src/core/event.ts';
import { fold, UNSTARTED } from '../../src/core/watch.ts';
import { type Appended, Ledger } from '../../src/engine/ledger.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { aDeploy, aPolicy, aTick, aTrack, started, stopped, T0 } from '../support/build.ts';
import { changed, tempJournal } from '../support/engine.ts';

const WARNED: EventBody = { type: 'watch.armed', armed: 2, total: 2 };

function aWatch(id = 'w_1', environment = 'production') {
  const deploy = aDeploy({ environment });
  const policyHash = 'hash';
  return { id, deploy, policy: aPolicy(), policyHash, idempotencyKey: null, startedAtMs: T0 };
}

function aLedger(journal: Journal) {
  const appended: Appended[] = [];
  const ledger = new Ledger({
    journal,
    channels: ['oncall', 'log'],
    publicUrl: 'https://canaryd.example',
    onAppended: (one) => void appended.push(one),
  });
  return { ledger, appended };
}

/** A journal with one open watch, and two ledgers that know it: two who write. */
async function two() {
  const journal = tempJournal();
  const { ledger, appended } = aLedger(journal);
  await ledger.open(aWatch(), { events: [started()] }, [], T0);
  await ledger.load('w_1');
  const other = aLedger(journal);
  await other.ledger.load('w_1');
  return { journal, ledger, appended, other: other.ledger };
}

describe('Ledger.decide', () => {
  it('writes a decision and its deliveries at once, and tells of it afterwards', async () => {
    const { journal, ledger, appended } = await two();
    await ledger.decide('w_1', T0 + 1_000, () => ({ events: [stopped()] }));
    const pending = (await journal.deliveries('w_1')).map(({ id }) => id);
    expect(pending).toEqual([
      'w_1-e1-oncall',
      'w_1-e1-log',
      'w_1-disarm',
      'w_1-rollback',
      'w_1-e2-oncall',
      'w_1-e2-log',
    ]);
    expect(appended.at(-1)).toMatchObject({
      before: { phase: 'watching' },
      after: { phase: 'stopped' },
      record: { phase: 'stopped', revision: 2, isActive: false, closedAtMs: T0 + 1_000 },
      events: [{ type: 'watch.stopped', seq: 2, atMs: T0 + 1_000 }],
    });
  });

  it('writes neither when the journal refuses one of them', async () => {
    const { journal, ledger } = await two();
    const broken = changed(journal, {
      append: (batches) =>
        journal.append(
          batches.map((batch) => ({
            ...batch,
            deliveries: batch.deliveries.map((one) => ({ ...one, watchId: 'w_2' })),
          })),
        ),
    });
    const failing = aLedger(broken).ledger;
    await expect(failing.decide('w_1', T0, () => ({ events: [stopped()] }))).rejects.toMatchObject({
      code: 'journal_failed',
    });
    expect(await journal.events('w_1')).toHaveLength(1);
    expect((await ledger.load('w_1'))?.state.phase).toBe('watching');
  });

  it('decides again, on what is there now, when somebody else was faster', async () => {
    const { journal, ledger, other } = await two();
    const seen: string[] = [];
    const loaded = await ledger.decide('w_1', T0, async ({ state }) => {
      seen.push(state.arming);
      if (seen.length === 1) await other.decide('w_1', T0, () => ({ events: [WARNED] }));
      return { events: [{ type: 'watch.cancelled', by: 'ann', reason: 'test' }] };
    });
    expect(seen).toEqual(['waiting', 'armed']);
    expect(loaded.record).toMatchObject({ phase: 'cancelled', revision: 3 });
    expect((await journal.events('w_1')).map(({ type }) => type)).toEqual([
      'watch.started',
      'watch.armed',
      'watch.cancelled',
    ]);
  });

  it('writes nothing, and tells nobody, when there is nothing to decide any more', async () => {
    const { ledger, appended, other } = await two();
    const before = appended.length;
    let isFirst = true;
    const loaded = await ledger.decide('w_1', T0, async ({ state }) => {
      if (isFirst) await other.decide('w_1', T0, () => ({ events: [stopped()] }));
      isFirst = false;
      return state.phase === 'watching' ? { events: [WARNED] } : null;
    });
    expect(loaded.state.phase).toBe('stopped');
    expect(appended).toHaveLength(before);
  });

  it('gives up when the watch keeps changing', async () => {
    const { ledger, other } = await two();
    const decided = ledger.decide('w_1', T0, async () => {
      await other.decide('w_1', T0, () => ({ events: [WARNED] }));
      return { events: [WARNED] };
    });
    await expect(decided).rejects.toMatchObject({
      code: 'conflict',
      message: 'Cannot write to watch w_1: it keeps changing',
    });
  });

  it('knows no watch that is not there', async () => {
    const { ledger } = await two();
    await expect(ledger.decide('w_9', T0, () => null)).rejects.toMatchObject({
      code: 'watch_not_found',
    });
    expect(await ledger.load('w_9')).toBe(null);
  });

  it('writes a tick without an event, and gives back its track', async () => {
    const { ledger, appended } = await two();
    const tick = { tick: aTick(T0 + 5_000), track: aTrack(T0 + 5_000) };
    const loaded = await ledger.decide('w_1', T0 + 5_000, () => ({ events: [], tick }));
    expect(loaded.record).toMatchObject({ revision: 1, track: { atMs: T0 + 5_000 } });
    expect(appended.at(-1)).toMatchObject({ events: [], tick: { atMs: T0 + 5_000 } });
    expect((await ledger.load('w_1'))?.record.track).toEqual(tick.track);
  });
});

describe('Ledger.load', () => {
  it('folds thousands of events, and from its cache only what is new', async () => {
    const { journal, ledger } = await two();
    for (let round = 0; round < 25; round += 1) {
      await ledger.decide('w_1', T0, () => ({ events: Array.from({ length: 100 }, () => WARNED) }));
    }
    const read: number[] = [];
    const counting = changed(journal, {
      events: async (...args) => {
        const events = await journal.events(...args);
        read.push(events.length);
        return events;
      },
    });
    const fresh = aLedger(counting).ledger;
    const folded = await fresh.load('w_1');
    expect(folded?.state).toEqual(fold(await journal.events('w_1')));
    expect(read).toEqual([1_000, 1_000, 501]);
    await ledger.decide('w_1', T0, () => ({ events: [stopped()] }));
    expect((await fresh.load('w_1'))?.state.phase).toBe('stopped');
    expect(await fresh.load('w_1')).toEqual(await ledger.load('w_1'));
    expect(read).toEqual([1_000, 1_000, 501, 1]);
  });

  it('gives the same from the cache as from the journal, whoever wrote', async () => {
    const { journal, ledger, other } = await two();
    const bodies: readonly EventBody[] = [
      WARNED,
      { type: 'watch.acknowledged', by: 'ann', reason: 'seen' },
      { type: 'watch.extended', by: 'ann', reason: 'slow', deadlineAtMs: T0 + 90_000_000 },
      stopped(),
      { type: 'action.accepted', action: 'disarm', attempts: 1, detail: 'ok', afterMs: 5 },
    ];
    for (const [index, body] of bodies.entries()) {
      const writer = index % 2 === 0 ? ledger : other;
      await writer.decide('w_1', T0 + index, () => ({ events: [body] }));
      const fresh = fold(await journal.events('w_1'), UNSTARTED);
      expect((await ledger.load('w_1'))?.state).toEqual(fresh);
      expect((await other.load('w_1'))?.state).toEqual(fresh);
    }
  });

  it('keeps to the revision of the record when events are written between the two reads', async () => {
    const { journal, ledger, other } = await two();
    const racing = changed(journal, {
      watch: async (id) => {
        const record = await journal.watch(id);
        await other.decide('w_1', T0, () => ({ events: [stopped()] }));
        return record;
      },
    });
    const { ledger: slow } = aLedger(racing);
    expect((await slow.load('w_1'))?.state).toMatchObject({ phase: 'watching' });
    expect((await ledger.load('w_1'))?.state.phase).toBe('stopped');
  });

  it('does not mix an old record with a newer state of its cache', async () => {
    const { journal } = await two();
    let isRacing = true;
    const racing = changed(journal, {
      watch: async (id) => {
        const record = await journal.watch(id);
        if (!isRacing) return record;
        isRacing = false;
        await slow.decide('w_1', T0, () => ({ events: [stopped()] }));
        return record;
      },
    });
    const { ledger: slow } = aLedger(racing);
    expect(await slow.load('w_1')).toMatchObject({
      record: { revision: 1 },
      state: { phase: 'watching' },
    });
  });
});

describe('Ledger.open', () => {
  it('ends the earlier watch and opens the new one, or does neither', async () => {
    const { journal, ledger, other } = await two();
    const earlier = await ledger.load('w_1');
    if (earlier === null) throw new Error('no watch');
    const superseded: EventBody = { type: 'watch.superseded', byWatch: 'w_2', version: '3' };
    await other.decide('w_1', T0, () => ({ events: [WARNED] }));
    const open = (loaded: typeof earlier) =>
      ledger.open(
        aWatch('w_2'),
        { events: [started()] },
        [{ loaded, decision: { events: [superseded] } }],
        T0,
      );
    expect(await open(earlier)).toBe(null);
    expect(await journal.watch('w_2')).toBe(null);
    const now = await ledger.load('w_1');
    if (now === null) throw new Error('no watch');
    expect(await open(now)).toMatchObject({ record: { id: 'w_2', revision: 1 } });
    expect((await ledger.load('w_1'))?.state.phase).toBe('superseded');
  });

  it('gives null when the service is watched already', async () => {
    const { ledger } = await two();
    expect(await ledger.open(aWatch('w_2'), { events: [started()] }, [], T0)).toBe(null);
    const elsewhere = aWatch('w_2', 'staging');
    expect(await ledger.open(elsewhere, { events: [started()] }, [], T0)).not.toBe(null);
  });
});
