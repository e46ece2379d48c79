// Who watches the watcher: what hangs is cut off, named, and never judged; what answers with errors
// is alive. On virtual time, with sources and journals that never settle.
import { describe, expect, it } from 'vitest';
import type { Source } from '../../src/core/read.ts';
import { JOURNAL_ANSWERS_WITHIN_MS, JournalGuard } from '../../src/engine/journal-guard.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { aPolicy, T0 } from '../support/build.ts';
import { anEngine, changed, share, tempJournal } from '../support/engine.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const MINUTE = 60_000;
const never = <T>() => new Promise<T>(() => undefined);

/** Reads well until it is told to hang, and then ignores every signal. */
function hangingSource(readWithinMs: number) {
  const world = { isHanging: false, reads: 0 };
  const source: Source = {
    readWithinMs,
    read: async ({ indicators }) => {
      world.reads += 1;
      if (world.isHanging) return never();
      return Object.fromEntries(indicators.map(({ id }) => [id, share(0.97)]));
    },
    forget: () => {},
  };
  return { world, sources: { prometheus: source } };
}

/** A journal of which these methods hang once it is told to. */
function hangingJournal(methods: readonly (keyof Journal)[]) {
  const world = { isHanging: false };
  const real = tempJournal();
  const over = methods.map((name) => {
    const method = real[name] as (...args: unknown[]) => unknown;
    const work = (...args: unknown[]) => (world.isHanging ? never() : method.apply(real, args));
    return [name, work];
  });
  return { world, journal: changed(real, Object.fromEntries(over) as Partial<Journal>) };
}

describe('a tick that hangs', () => {
  it('is cut off after the time of its source and 30 s, and the next one runs', async () => {
    const { world, sources } = hangingSource(10_000);
    const engine = anEngine({ sources });
    engine.start();
    await engine.watch();
    await engine.clock.advance(12_000);
    world.isHanging = true;
    await engine.clock.advance(3_000);
    world.isHanging = false;
    await engine.clock.advance(39_000);
    expect(engine.errors).toEqual([]);
    const before = engine.ticks.length;
    await engine.clock.advance(2_000);
    expect(engine.errors).toMatchObject([{ message: 'the tick did not end within 40 s' }]);
    await engine.clock.advance(10_000);
    expect(engine.ticks.length).toBeGreaterThan(before);
  });

  it('that ends late all the same is no observation any more', async () => {
    const { world, sources } = hangingSource(10_000);
    const late = Promise.withResolvers<void>();
    const { read } = sources.prometheus;
    const slow: Source = {
      ...sources.prometheus,
      read: async (request) => {
        if (world.isHanging) await late.promise;
        return read({ ...request, signal: new AbortController().signal });
      },
    };
    const engine = anEngine({ sources: { prometheus: slow } });
    engine.start();
    const id = await engine.watch();
    await engine.clock.advance(12_000);
    world.isHanging = true;
    await engine.clock.advance(MINUTE);
    world.isHanging = false;
    late.resolve();
    await engine.clock.advance(0);
    const ticks = await engine.journal.ticks(id, 0, Number.MAX_SAFE_INTEGER, 999);
    const times = ticks.map(({ atMs }) => atMs - T0);
    expect(times).toContain(10_000);
    expect(times).not.toContain(15_000);
    expect(times.at(-1)).toBeGreaterThan(50_000);
  });

  it('never passes the watch: it ends inconclusive', async () => {
    const { world, sources } = hangingSource(10_000);
    const windows = [
      { name: 'immediate', fromMs: 0, untilMs: 5 * MINUTE, passForMs: 0 },
      { name: 'success', fromMs: 5 * MINUTE, untilMs: 20 * MINUTE, passForMs: MINUTE },
    ];
    const engine = anEngine({ sources, policies: [aPolicy({ windows })] });
    engine.start();
    const id = await engine.watch();
    await engine.clock.advance(12_000);
    world.isHanging = true;
    await engine.clock.advance(22 * MINUTE);
    const last = (await engine.events(id)).find(({ type }) => type === 'watch.inconclusive');
    expect(last).toMatchObject({
      reason: 'not_evaluated',
      because: ['evaluation failed: the tick did not end within 40 s'],
    });
    expect(await engine.types(id)).not.toContain('watch.passed');
  });
});

describe('vitals', () => {
  it('are well while nothing hangs, also for hours', async () => {
    const engine = anEngine();
    engine.start();
    await engine.watch();
    await engine.clock.advance(2 * 3_600_000);
    expect(engine.vitals()).toMatchObject({
      isLive: true,
      checks: { evaluation: 'ok', watches: 'ok', deliveries: 'ok', journal_answers: 'ok' },
    });
  });

  it('name the watch whose ticks hang, and since when; one that was cut off once is no hang', async () => {
    const { world, sources } = hangingSource(10_000);
    const engine = anEngine({ sources });
    engine.start();
    const id = await engine.watch();
    await engine.clock.advance(12_000);
    world.isHanging = true;
    await engine.clock.advance(50_000);
    expect(engine.vitals().isLive).toBe(true);
    await engine.clock.advance(10_000);
    expect(engine.vitals()).toMatchObject({
      isLive: false,
      checks: {
        watches: `no tick has ended: ${id} since 2026-01-01T00:00:10.000Z (62 s)`,
        evaluation: 'ok',
      },
    });
    world.isHanging = false;
    await engine.clock.advance(50_000);
    expect(engine.vitals().isLive).toBe(true);
  });

  it('take a slow source within its own limits for no hang', async () => {
    const clock = new VirtualClock();
    const source: Source = {
      readWithinMs: 2 * MINUTE,
      read: async ({ indicators }) => {
        await clock.sleep(2 * MINUTE);
        return Object.fromEntries(indicators.map(({ id }) => [id, share(0.97)]));
      },
      forget: () => {},
    };
    const engine = anEngine({ clock, sources: { prometheus: source } });
    engine.start();
    await engine.watch();
    await clock.advance(119_000);
    expect(engine.vitals().isLive).toBe(true);
    await clock.advance(10 * MINUTE);
    expect(engine.errors).toEqual([]);
  });

  it('are well while the journal answers with errors: a restart mends no database', async () => {
    let isBroken = false;
    const real = tempJournal();
    const broken = <T>() => Promise.reject<T>(new Error('connection refused'));
    const journal = changed(real, {
      activeIds: (limit) => (isBroken ? broken() : real.activeIds(limit)),
      watch: (id) => (isBroken ? broken() : real.watch(id)),
      append: (batches) => (isBroken ? broken() : real.append(batches)),
      pendingDeliveries: (...args) => (isBroken ? broken() : real.pendingDeliveries(...args)),
    });
    const engine = anEngine({ journal });
    engine.start();
    await engine.watch();
    await engine.clock.advance(10_000);
    isBroken = true;
    await engine.clock.advance(10 * MINUTE);
    expect(engine.vitals().isLive).toBe(true);
  });

  it.each<readonly (keyof Journal)[]>([
    ['append'],
    ['watch', 'activeIds', 'hold', 'pendingDeliveries', 'announce', 'append'],
  ])(
    'fail when the journal answers nothing at all (%s), and are well again with it',
    async (...methods) => {
      const { world, journal } = hangingJournal(methods);
      const engine = anEngine({ journal });
      engine.start();
      await engine.watch();
      await engine.clock.advance(10_000);
      world.isHanging = true;
      await engine.clock.advance(15_000);
      expect(engine.vitals().isLive).toBe(true);
      await engine.clock.advance(15_000);
      const { isLive, checks } = engine.vitals();
      expect(isLive).toBe(false);
      expect(checks.journal_answers).toMatch(/^no answer, not even an error, since .* s\)$/);
      world.isHanging = false;
      await engine.clock.advance(30_000);
      expect(engine.vitals()).toMatchObject({ isLive: true, checks: { journal_answers: 'ok' } });
    },
  );

  it('name the looks that have not ended', async () => {
    const engine = anEngine();
    await engine.clock.advance(21_000);
    expect(engine.vitals().checks).toMatchObject({
      evaluation: expect.stringContaining('no look for watches has ended since'),
      deliveries: expect.stringContaining('no look for deliveries has ended since'),
    });
  });
});

describe('JournalGuard', () => {
  it('fails a call that has no answer in time, and drops what it still gives', async () => {
    const clock = new VirtualClock();
    const late = Promise.withResolvers<null>();
    const journal = changed(tempJournal(), { hold: () => late.promise });
    const guard = new JournalGuard(journal, clock);
    const asked = guard.journal.hold().catch((error: unknown) => error);
    await clock.advance(JOURNAL_ANSWERS_WITHIN_MS);
    late.reject(new Error('too late'));
    expect(await asked).toMatchObject({
      code: 'journal_failed',
      message: expect.stringContaining('not answered for 15 s'),
    });
    expect(clock.sleeping).toBe(0);
  });

  it('notes how long writes have failed; a conflict proves nothing', async () => {
    const clock = new VirtualClock();
    let outcome: 'appended' | 'conflict' | 'full' = 'full';
    const journal = changed(tempJournal(), {
      append: async () => {
        if (outcome === 'full') throw new Error('disk is full');
        return outcome;
      },
    });
    const guard = new JournalGuard(journal, clock);
    const write = () => guard.journal.append([]).catch(() => null);
    await write();
    await clock.advance(5_000);
    outcome = 'conflict';
    await write();
    expect(guard.state()).toMatchObject({ failingForMs: 5_000, failure: 'disk is full' });
    outcome = 'appended';
    await write();
    await clock.advance(1_000);
    expect(guard.state()).toMatchObject({ failingForMs: null, failure: null, writtenAgoMs: 1_000 });
  });
});

describe('a policy with long intervals', () => {
  it('is no hang between its ticks', async () => {
    const engine = anEngine({ policies: [aPolicy({ intervalMs: 5 * MINUTE })] });
    engine.world.readings = { fill_rate: share(0.97) };
    engine.start();
    await engine.watch();
    await engine.clock.advance(30 * MINUTE - 1_000);
    expect(engine.vitals().isLive).toBe(true);
  });
});
