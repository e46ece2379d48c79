// Deliveries beside a journal that answers late, is damaged in one place, or took a write and did
// not say so.
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { Journal } from '../../src/journal/journal.ts';
import { aPolicy } from '../support/build.ts';
import { anEngine, changed, retryable, share, tempJournal } from '../support/engine.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const BY = { by: 'ann', reason: 'test' };
const ONLY_ROLLBACK = { actions: aPolicy().actions.filter(({ name }) => name === 'rollback') };

/** A watch of version 2 whose attempt to roll back is begun 13 s before its answer comes. */
async function withSlowStart(journal: Journal) {
  const clock = new VirtualClock();
  let isSlow = true;
  const slow = changed(journal, {
    startAttempt: async (...args) => {
      const begun = await journal.startAttempt(...args);
      if (!isSlow || !args[0].endsWith('-rollback')) return begun;
      isSlow = false;
      await clock.sleep(13_000);
      return begun;
    },
  });
  const engine = anEngine({ journal: slow, clock, policies: [aPolicy(ONLY_ROLLBACK)] });
  engine.world.readings = { fill_rate: share(0.97) };
  engine.start();
  await engine.watch({ version: '2.0.0', previousVersion: '1.0.0' });
  await clock.advance(1_000);
  await engine.commands.stop('w_1', BY);
  await clock.advance(3_000);
  return engine;
}

describe('an attempt whose beginning was answered late', () => {
  it('is not made when a newer deploy has called it off meanwhile', async () => {
    const engine = await withSlowStart(tempJournal());
    await engine.watch({ version: '3.0.0', previousVersion: '2.0.0' });
    await engine.clock.advance(30_000);
    expect(engine.world.acted).toEqual([]);
    expect(await engine.types('w_1')).not.toContain('action.accepted');
    expect(await engine.delivery('w_1-rollback')).toMatchObject({ state: 'gave_up' });
  });

  it('is not made when hold fire was turned on meanwhile', async () => {
    const engine = await withSlowStart(tempJournal());
    await engine.commands.setHold(BY);
    await engine.clock.advance(30_000);
    expect(engine.world.acted).toEqual([]);
    expect(await engine.delivery('w_1-rollback')).toMatchObject({
      state: 'gave_up',
      lastReason: 'hold_fire',
    });
  });

  it('is made when everything still stands', async () => {
    const engine = await withSlowStart(tempJournal());
    await engine.clock.advance(30_000);
    expect(engine.world.acted.map(([, id]) => id)).toEqual(['w_1-rollback']);
    expect(await engine.delivery('w_1-rollback')).toMatchObject({ state: 'delivered' });
  });
});

describe('a delivery that cannot be read', () => {
  it.each(['message', 'action'])('as a %s holds up no other one', async (kind) => {
    const journal = tempJournal();
    const engine = anEngine({ journal });
    engine.world.readings = { fill_rate: share(0.97) };
    engine.world.message = async () => retryable();
    engine.world.action = async () => retryable();
    engine.start();
    const damaged = await engine.watch({ environment: 'a' });
    const well = await engine.watch({ environment: 'b' });
    await engine.commands.stop(damaged, BY);
    await engine.clock.advance(1_000);
    using db = new DatabaseSync(journal.path);
    db.prepare("UPDATE deliveries SET content = '{' WHERE watch_id = ? AND kind = ?").run(
      damaged,
      kind,
    );
    engine.world.acted.length = 0;
    engine.world.told.length = 0;
    await engine.commands.stop(well, BY);
    await engine.clock.advance(20_000);
    const acted = new Set(engine.world.acted.map(([, id]) => id));
    expect([...acted]).toEqual(expect.arrayContaining([`${well}-disarm`, `${well}-rollback`]));
    expect(engine.world.told.length).toBeGreaterThan(0);
    // Told, and not at every look.
    const told = engine.errors.filter((error) => String(error).includes('damaged'));
    expect(told.length).toBeGreaterThan(0);
    expect(told.length).toBeLessThan(10);
  });
});

describe('an outcome that was written although the answer was lost', () => {
  it('is not written a second time', async () => {
    const real = tempJournal();
    let losesAnswer = false;
    const journal = changed(real, {
      append: async (batches) => {
        const result = await real.append(batches);
        if (!losesAnswer) return result;
        losesAnswer = false;
        throw new Error('the connection was lost');
      },
    });
    const engine = anEngine({ journal, policies: [aPolicy(ONLY_ROLLBACK)] });
    engine.world.readings = { fill_rate: share(0.97) };
    engine.world.action = async ({ attempts }) => {
      // Of the third attempt on-call is told.
      losesAnswer = attempts === 3;
      return retryable();
    };
    engine.start();
    await engine.watch();
    await engine.commands.stop('w_1', BY);
    await engine.clock.advance(30_000);
    const types = await engine.types('w_1');
    expect(types.filter((type) => type === 'action.delayed')).toHaveLength(1);
    expect(engine.world.acted.map(([, , attempt]) => attempt).slice(0, 4)).toEqual([1, 2, 3, 4]);
  });
});
