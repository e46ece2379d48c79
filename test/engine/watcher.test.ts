// What a watcher reads, when, and what it makes of it, on virtual time and a real journal.
import { describe, expect, it } from 'vitest';
import type { Policy } from '../../src/core/policy.ts';
import type { Readings } from '../../src/core/read.ts';
import { aCondition, aHealthCheck, aPolicy, aRatio, T0 } from '../support/build.ts';
import {
  anEngine,
  BAD,
  changed,
  type Engine,
  type EngineOptions,
  GOOD,
  retryable,
  share,
  tempJournal,
  unreachable,
} from '../support/engine.ts';
import { settled } from '../support/virtual-clock.ts';

const MINUTE = 60_000;
const HEALTHY: Readings = { fill_rate: share(0.97) };

async function watching(options: EngineOptions = {}, prepare = (_: Engine) => {}) {
  const engine = anEngine(options);
  engine.world.readings = HEALTHY;
  prepare(engine);
  engine.start();
  await engine.watch();
  return engine;
}

/** Requests for the time before the deploy, or for the present. */
function askedOf({ world }: Engine, when: 'before' | 'now') {
  return world.asked.filter(({ deployedAtMs }) => (deployedAtMs === null) === (when === 'before'));
}

const above80 = { kind: 'compare', comparator: 'above', value: 0.8, of: null } as const;
const verifying = (over: Partial<NonNullable<Policy['verify']>> = {}): Policy =>
  aPolicy({
    verify: {
      withinMs: 10 * MINUTE,
      conditions: [
        aCondition({ id: 'verify.fill_rate', role: 'verify', window: 'verify', limit: above80 }),
        aCondition({
          id: 'verify.health',
          indicator: 'health',
          role: 'verify',
          window: 'verify',
          limit: { kind: 'passing', times: 2 },
        }),
      ],
      ...over,
    },
  });

describe('a tick', () => {
  it('comes at once, and then at each interval', async () => {
    const engine = await watching();
    await engine.clock.advance(20_000);
    const times = askedOf(engine, 'now').map(({ atMs }) => atMs - T0);
    expect(times).toEqual([0, 5_000, 10_000, 15_000, 20_000]);
    expect(engine.ticks.map(({ lagMs }) => lagMs)).toEqual([0, 0, 0, 0, 0]);
  });

  it('reads each indicator once, all at one time, however many conditions there are', async () => {
    const two = { fill_rate: aRatio(), cancel_rate: aRatio({ id: 'cancel_rate' }) };
    const policy = aPolicy({
      indicators: { ...two, health: aHealthCheck() },
      conditions: ['fill_rate', 'cancel_rate', 'fill_rate', 'health'].map((indicator, index) =>
        aCondition({ id: `c${index}`, indicator }),
      ),
    });
    const engine = await watching({ policies: [policy] });
    await engine.clock.advance(1_000);
    const [asked, ...more] = askedOf(engine, 'now');
    expect(more).toEqual([]);
    expect(asked?.indicators.map(({ id }) => id)).toEqual(['fill_rate', 'cancel_rate']);
    expect(asked).toMatchObject({ atMs: T0, deployedAtMs: T0, watchId: 'w_1' });
    expect(engine.world.checks).toHaveLength(1);
  });

  it('brings the counts since the deploy of the tick before', async () => {
    const engine = await watching({}, ({ world }) => {
      const counts = { part: 5, total: 7 };
      world.readings = { fill_rate: { kind: 'value', value: 0.9, sinceDeploy: counts } };
    });
    await engine.clock.advance(5_000);
    const previous = askedOf(engine, 'now').map((request) => request.previous);
    expect(previous).toEqual([{}, { fill_rate: { atMs: T0, counts: { part: 5, total: 7 } } }]);
  });

  it('is not delayed by a health endpoint that is slow, and counts it when it answers', async () => {
    const engine = await watching({}, ({ world, clock }) => {
      world.health = async () => {
        await clock.sleep(2_000);
        return BAD;
      };
    });
    await engine.clock.advance(14_000);
    expect(engine.ticks.map(({ tookMs }) => tookMs)).toEqual([300, 300, 300]);
    expect(await engine.types('w_1')).not.toContain('watch.stopped');
    await engine.clock.advance(2_000);
    const stop = (await engine.events('w_1')).find(({ type }) => type === 'watch.stopped');
    expect(stop).toMatchObject({
      conditions: [{ condition: 'immediate.stop.health', samples: 3 }],
    });
  });

  it('comes again after one that failed', async () => {
    const journal = tempJournal();
    let failures = 0;
    const failing = changed(journal, {
      append: (batches) => {
        failures -= 1;
        return failures >= 0 ? Promise.reject(new Error('full')) : journal.append(batches);
      },
    });
    const engine = await watching({ journal: failing });
    await engine.clock.advance(1_000);
    failures = 2;
    await engine.clock.advance(14_000);
    expect(engine.errors).toHaveLength(2);
    const ticks = await journal.ticks('w_1', T0, T0 + MINUTE, 99);
    expect(ticks.map(({ atMs }) => atMs - T0)).toEqual([0, 15_000]);
  });

  it('that fails until after the deadline ends the watch without a verdict', async () => {
    const source = {
      read: () => Promise.reject(new Error('URI malformed')),
      forget: () => {},
    };
    const windows = [{ name: 'immediate', fromMs: 0, untilMs: 5 * MINUTE, passForMs: 0 }];
    const policies = [aPolicy({ windows, conditions: [aCondition()] })];
    const engine = await watching({ policies, sources: { prometheus: source } });
    await engine.clock.advance(5 * MINUTE);
    expect(await engine.types('w_1')).not.toContain('watch.inconclusive');
    await engine.clock.advance(2 * MINUTE);
    const events = await engine.events('w_1');
    expect(events.filter(({ type }) => type === 'watch.inconclusive')).toMatchObject([
      { reason: 'not_evaluated', because: ['evaluation failed: URI malformed'] },
    ]);
    expect((await engine.journal.watch('w_1'))?.isActive).toBe(false);
  });

  it('that is cut short by the end of canaryd is no observation', async () => {
    const engine = await watching({}, ({ world }) => {
      world.health = (_, signal) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve(unreachable())));
    });
    await engine.clock.advance(100);
    await engine.stop();
    expect(await engine.journal.ticks('w_1', T0, T0 + MINUTE, 99)).toEqual([]);
    expect(engine.clock.sleeping).toBe(0);
  });

  it('goes on when the wall clock is set back', async () => {
    const engine = await watching();
    await engine.clock.advance(2 * MINUTE);
    engine.clock.setWall(-MINUTE);
    await engine.clock.advance(20_000);
    expect(askedOf(engine, 'now')).toHaveLength(29);
    expect(engine.errors).toEqual([]);
    engine.world.readings = { fill_rate: share(0.5) };
    await engine.clock.advance(5_000);
    expect(await engine.types('w_1')).toContain('watch.stopped');
  });

  it('counts on from the latest counts when the wall clock is set back', async () => {
    const engine = anEngine();
    const counts = { part: 97, total: 100 };
    engine.world.readings = { fill_rate: { kind: 'value', value: 0.97, sinceDeploy: counts } };
    engine.start();
    await engine.watch();
    await engine.clock.advance(20_000);
    engine.clock.setWall(-8_000);
    await engine.clock.advance(10_000);
    const last = engine.world.asked.at(-1)?.previous['fill_rate'];
    // What was counted up to then may not be counted again.
    expect(last).toEqual({ atMs: T0 + 20_000, counts });
  });

  it('observes only while hold fire is on', async () => {
    const engine = await watching();
    await engine.commands.setHold({ by: 'ann', reason: 'storm' });
    engine.world.readings = { fill_rate: share(0.5) };
    await engine.clock.advance(5_000);
    const stop = (await engine.events('w_1')).find(({ type }) => type === 'watch.stopped');
    expect(stop).toMatchObject({ mode: 'hold', actions: [] });
    expect(engine.world.acted).toEqual([]);
  });
});

describe('the time before the deploy', () => {
  it('is read once', async () => {
    const engine = await watching({}, ({ world }) => {
      world.before = { fill_rate: share(0.9) };
    });
    await engine.clock.advance(MINUTE);
    const baselined = (await engine.events('w_1')).filter(({ type }) => type === 'watch.baselined');
    expect(baselined).toMatchObject([{ values: { fill_rate: 0.9 } }]);
    const times = new Set(askedOf(engine, 'before').map(({ atMs }) => atMs));
    expect(askedOf(engine, 'before')).toHaveLength(times.size);
    expect(Math.max(...times)).toBe(T0);
  });

  it('is asked for again while the source gives nothing at all', async () => {
    const engine = await watching({}, ({ world }) => {
      world.before = { fill_rate: unreachable() };
    });
    await engine.clock.advance(20_000);
    expect(await engine.types('w_1')).not.toContain('watch.baselined');
    engine.world.before = { fill_rate: share(0.9) };
    await engine.clock.advance(5_000);
    const baselined = (await engine.events('w_1')).filter(({ type }) => type === 'watch.baselined');
    expect(baselined).toMatchObject([{ values: { fill_rate: 0.9 } }]);
  });

  it('is given up after ten minutes', async () => {
    const engine = await watching({}, ({ world }) => {
      world.before = { fill_rate: unreachable() };
    });
    await engine.clock.advance(10 * MINUTE);
    const asked = askedOf(engine, 'before').length;
    expect(await engine.types('w_1')).toContain('watch.baselined');
    await engine.clock.advance(MINUTE);
    expect(askedOf(engine, 'before')).toHaveLength(asked);
  });

  it('is not waited for when it is known to be empty', async () => {
    const engine = await watching({}, ({ world }) => {
      world.before = { fill_rate: { kind: 'blind', reason: 'no_series', detail: 'none' } };
    });
    await engine.clock.advance(0);
    expect(await engine.types('w_1')).toContain('watch.baselined');
  });
});

describe('the end of a watch', () => {
  it('ends its ticks, and the source may forget it', async () => {
    const engine = await watching();
    await engine.clock.advance(MINUTE);
    await engine.commands.cancel('w_1', { by: 'ann', reason: 'test' });
    await engine.clock.advance(5_000);
    const asked = engine.world.asked.length;
    const asleep = engine.clock.sleeping;
    await engine.clock.advance(MINUTE);
    expect(engine.world.asked).toHaveLength(asked);
    expect(engine.world.forgotten).toEqual(['w_1', 'w_1/verification']);
    // The dispatcher's, the keeper's and the share's loop; the watcher's is gone.
    expect(asleep).toBe(3);
    expect(engine.errors).toEqual([]);
  });

  it('comes by the deadline, also when nothing was seen to the end', async () => {
    const windows = [{ name: 'immediate', fromMs: 0, untilMs: 5 * MINUTE, passForMs: 0 }];
    const policy = aPolicy({ windows, conditions: [aCondition()] });
    const engine = await watching({ policies: [policy] }, ({ world }) => {
      world.readings = { fill_rate: unreachable() };
    });
    await engine.clock.advance(6 * MINUTE);
    const last = (await engine.events('w_1')).find(({ type }) => type === 'watch.inconclusive');
    expect(last).toMatchObject({ reason: 'deadline' });
    expect(engine.world.forgotten).toEqual(['w_1', 'w_1/verification']);
  });
});

describe('an absence', () => {
  it.each([
    [14_000, false],
    [60_000, true],
  ])('of %d ms: told %s', async (awayMs, isTold) => {
    const first = await watching();
    await first.clock.advance(20_000);
    await first.stop();
    const { clock, journal, world } = first;
    await clock.advance(awayMs - 8_000);
    const second = anEngine({ clock, journal, world });
    second.start();
    await clock.advance(20_000);
    const resumed = (await second.events('w_1')).filter(({ type }) => type === 'watch.resumed');
    expect(resumed.map((event) => event.type === 'watch.resumed' && event.awayMs)).toEqual(
      isTold ? [awayMs] : [],
    );
  });
});

describe('the verification', () => {
  /** w_1 has stopped at T0 + 5 s and its rollback is accepted `acceptedMs` later. */
  async function rolledBack(acceptedMs: number, policy = verifying()) {
    const engine = await watching({ policies: [policy] }, ({ world, clock }) => {
      world.action = async ({ id }) => {
        if (id === 'w_1-rollback') await clock.sleep(acceptedMs);
        return { kind: 'delivered', detail: 'HTTP 202' };
      };
    });
    await engine.clock.advance(1_000);
    const sinceDeploy = { part: 500, total: 1_000 };
    engine.world.readings = { fill_rate: { kind: 'value', value: 0.5, sinceDeploy } };
    await engine.clock.advance(4_000 + acceptedMs);
    expect(await engine.types('w_1')).toContain('watch.stopped');
    engine.world.asked.length = 0;
    return engine;
  }

  it('reads from the acceptance of the rollback on, and nothing of before', async () => {
    const engine = await rolledBack(12_000);
    await engine.clock.advance(5_000);
    const [asked, ...more] = engine.world.asked;
    expect(asked).toMatchObject({ atMs: T0 + 20_000, deployedAtMs: T0 + 17_000 });
    expect(asked?.previous).toEqual({});
    expect(more).toEqual([]);
  });

  it('reads nothing while the rollback is not accepted', async () => {
    const engine = await rolledBack(1_000);
    expect(engine.world.asked).toEqual([]);
    const waiting = await watching({ policies: [verifying()] }, ({ world }) => {
      world.action = async () => retryable();
      world.readings = { fill_rate: share(0.5) };
    });
    await waiting.clock.advance(30_000);
    expect(askedOf(waiting, 'now')).toHaveLength(1);
  });

  it('confirms when all conditions hold, and then ends', async () => {
    const engine = await rolledBack(0);
    engine.world.readings = HEALTHY;
    await engine.clock.advance(5_000);
    expect(await engine.types('w_1')).not.toContain('rollback.confirmed');
    await engine.clock.advance(5_000);
    expect((await engine.events('w_1')).at(-1)).toMatchObject({
      type: 'rollback.confirmed',
      afterMs: 10_000,
    });
    await engine.clock.advance(5_000);
    expect(engine.world.forgotten).toEqual(['w_1', 'w_1/verification']);
  });

  it('counts no health check that was asked before the rollback was accepted', async () => {
    const engine = await watching({ policies: [verifying()] }, ({ world, clock }) => {
      world.health = async () => {
        await clock.sleep(2_000);
        return GOOD;
      };
    });
    await engine.clock.advance(1_000);
    engine.world.readings = { fill_rate: share(0.5) };
    await engine.clock.advance(4_500);
    expect(await engine.types('w_1')).toContain('action.accepted');
    engine.world.readings = HEALTHY;
    // Asked at 5 s, before: not counted. Asked at 10 s and 15 s: the two that are wanted.
    await engine.clock.advance(10_000);
    expect(await engine.types('w_1')).not.toContain('rollback.confirmed');
    await engine.clock.advance(5_000);
    expect(await engine.types('w_1')).toContain('rollback.confirmed');
  });

  it('says when it was not confirmed in time', async () => {
    const engine = await rolledBack(0, verifying({ withinMs: MINUTE }));
    await engine.clock.advance(MINUTE);
    expect((await engine.events('w_1')).at(-1)).toMatchObject({
      type: 'rollback.not_confirmed',
      reason: 'not_verified',
    });
  });

  it('that fails at every tick is called unconfirmed all the same', async () => {
    const engine = await rolledBack(0, verifying({ withinMs: MINUTE }));
    engine.world.failing = new Error('URI malformed');
    await engine.clock.advance(3 * MINUTE);
    expect((await engine.events('w_1')).at(-1)).toMatchObject({
      type: 'rollback.not_confirmed',
      because: ['evaluation failed: URI malformed'],
    });
    expect((await engine.journal.watch('w_1'))?.isActive).toBe(false);
  });

  it('goes on in the next life', async () => {
    const engine = await rolledBack(0);
    await engine.stop();
    const { clock, journal, world } = engine;
    world.readings = HEALTHY;
    const second = anEngine({ clock, journal, world, policies: [] });
    second.start();
    await clock.advance(10_000);
    expect((await second.events('w_1')).at(-1)).toMatchObject({ type: 'rollback.confirmed' });
  });
});

describe('WatchKeeper', () => {
  it('finds watches that nobody told it of', async () => {
    const elsewhere = anEngine();
    const { journal, clock, world } = elsewhere;
    world.readings = HEALTHY;
    const engine = anEngine({ journal, clock, world });
    engine.start();
    await clock.advance(500);
    await elsewhere.watch();
    await clock.advance(4_500);
    expect(engine.ticks).toMatchObject([{ watchId: 'w_1' }]);
  });

  it('keeps one watcher for each, however often it is poked', async () => {
    const engine = await watching();
    for (let times = 0; times < 50; times += 1) {
      engine.keeper.poke();
      await settled();
    }
    await engine.clock.advance(22_000);
    expect(askedOf(engine, 'now').map(({ atMs }) => atMs - T0)).toEqual([
      0, 5_000, 10_000, 15_000, 20_000,
    ]);
    expect(engine.keeper.idleMs()).toBe(0);
  });

  it('watches on, blind, when the config lost the source of an open watch', async () => {
    const engine = await watching();
    await engine.clock.advance(5_000);
    await engine.stop();
    const { clock, journal } = engine;
    const second = anEngine({ clock, journal, sources: {} });
    second.start();
    await clock.advance(2 * MINUTE);
    const blinded = (await second.events('w_1')).find(({ type }) => type === 'conditions.blinded');
    expect(blinded).toMatchObject({
      conditions: [
        {
          condition: 'immediate.stop.fill_rate',
          reason: 'rejected',
          detail: "the config no longer defines the source 'prometheus'",
        },
      ],
    });
  });

  it('looks again after a look that failed: an error is no hang', async () => {
    const journal = tempJournal();
    let isBroken = true;
    const failing = changed(journal, {
      activeIds: (limit) =>
        isBroken ? Promise.reject(new Error('locked')) : journal.activeIds(limit),
    });
    const engine = anEngine({ journal: failing });
    engine.start();
    await engine.clock.advance(10_000);
    expect(engine.errors).toHaveLength(12);
    expect(engine.keeper.idleMs()).toBe(0);
    expect(engine.keeper.mayBeActive).toBe(true);
    isBroken = false;
    await engine.clock.advance(5_000);
    expect(engine.keeper.mayBeActive).toBe(false);
  });

  it('ends all watchers at its stop, and leaves no timer', async () => {
    const engine = await watching();
    await engine.watch({ environment: 'staging' });
    await engine.clock.advance(7_000);
    await engine.stop();
    expect(engine.clock.sleeping).toBe(0);
    const asked = engine.world.asked.length;
    await engine.clock.advance(MINUTE);
    expect(engine.world.asked).toHaveLength(asked);
  });
});
