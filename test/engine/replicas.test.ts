// Several replicas on one journal, on virtual time: who does what, what happens when one goes, and
// that two which both hold a watch to be theirs do no harm.
import { describe, expect, it } from 'vitest';
import type { SendAction } from '../../src/engine/action-sender.ts';
import { LEASE_MS } from '../../src/engine/share.ts';
import { aPolicy, T0 } from '../support/build.ts';
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
  World,
} from '../support/engine.ts';
import { type JournalView, SharedJournal } from '../support/shared-journal.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const BY = { by: 'ann', reason: 'test' };
const INTERVAL_MS = aPolicy().intervalMs;
const ENVIRONMENTS = Array.from({ length: 12 }, (_, index) => `env${index}`);

type Replica = Engine & { readonly view: JournalView };

/** Replicas that share a journal, a clock and a world; none is started yet. */
function replicas(count: number, options: EngineOptions = {}) {
  const clock = new VirtualClock();
  const shared = new SharedJournal(tempJournal(), clock);
  const world = new World();
  world.readings = { fill_rate: share(0.97) };
  const all = Array.from({ length: count }, (_, index): Replica => {
    const view = shared.view();
    const replica = `r_${index + 1}`;
    const engine = anEngine({ ...options, clock, world, journal: view.journal, replica });
    return Object.assign(engine, { view });
  });
  const [first, second] = all;
  if (first === undefined || second === undefined) throw new Error('wants two replicas');
  return { clock, shared, world, all, first, second };
}

async function startAll(all: readonly Engine[], clock: VirtualClock): Promise<void> {
  for (const engine of all) engine.start();
  // Each has heard of all others.
  await clock.advance(1_500);
}

/** Twelve watches, each in an environment of its own. */
async function watchTwelve(engine: Engine): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const environment of ENVIRONMENTS) ids.push(await engine.watch({ environment }));
  return ids;
}

function tickedBy(engine: Engine): ReadonlySet<string> {
  return new Set(engine.ticks.map(({ watchId }) => watchId));
}

async function tickTimes(engine: Engine, id: string): Promise<readonly number[]> {
  const ticks = await engine.journal.ticks(id, 0, Number.MAX_SAFE_INTEGER, 1_000);
  return ticks.map(({ atMs }) => atMs - T0);
}

function gaps(times: readonly number[]): readonly number[] {
  return times.slice(1).map((time, index) => time - (times[index] ?? 0));
}

describe('the work of several replicas', () => {
  it('is divided: each watch is judged by one of them, and all have some', async () => {
    const { all, first, second, clock } = replicas(2);
    await startAll(all, clock);
    const ids = await watchTwelve(first);
    await clock.advance(60_000);
    const shares = [tickedBy(first), tickedBy(second)];
    expect(shares.every((one) => one.size > 0)).toBe(true);
    expect(shares.flatMap((one) => [...one]).toSorted()).toEqual(ids.toSorted());
  });

  it('is taken over from one that is killed, a few seconds later', async () => {
    const { all, first, second, clock } = replicas(2);
    await startAll(all, clock);
    const ids = await watchTwelve(first);
    await clock.advance(30_000);
    second.view.cut();
    await clock.advance(60_000);
    for (const id of ids) {
      const longest = Math.max(...gaps(await tickTimes(first, id)));
      expect(longest).toBeLessThanOrEqual(INTERVAL_MS + LEASE_MS + 2_000);
    }
    expect(tickedBy(first)).toEqual(new Set(ids));
    // Nobody was away for long enough to be told of it.
    for (const id of ids) expect(await first.types(id)).not.toContain('watch.resumed');
  });

  it('is not left by both: who began an attempt goes on when the answer to that was lost', async () => {
    const clock = new VirtualClock();
    const shared = new SharedJournal(tempJournal(), clock);
    const world = new World();
    const { journal } = shared.view();
    let isLosing = true;
    const startAttempt: typeof journal.startAttempt = async (...args) => {
      const began = await journal.startAttempt(...args);
      if (isLosing) throw new Error('the answer was lost');
      return began;
    };
    const first = anEngine({ clock, world, journal: changed(journal, { startAttempt }) });
    await startAll([first], clock);
    const ids = await watchTwelve(first);
    for (const id of ids) await first.commands.stop(id, BY);
    await clock.advance(100);
    isLosing = false;
    // Half of them are the other one's now, which finds them begun by somebody who lives.
    const second = anEngine({ clock, world, journal: shared.view().journal, replica: 'r_2' });
    await startAll([second], clock);
    await clock.advance(60_000);
    for (const id of ids) {
      expect(await first.delivery(`${id}-rollback`)).toMatchObject({ state: 'delivered' });
    }
  });

  it('is handed over by one that ends, without a tick that is missed by much', async () => {
    const { all, first, second, clock } = replicas(2);
    await startAll(all, clock);
    const ids = await watchTwelve(first);
    await clock.advance(30_000);
    await second.stop();
    await clock.advance(60_000);
    for (const id of ids) {
      const longest = Math.max(...gaps(await tickTimes(first, id)));
      expect(longest).toBeLessThanOrEqual(INTERVAL_MS + 2_000);
    }
  });

  it('is shared again with one that comes later', async () => {
    const { first, second, clock } = replicas(2);
    first.start();
    await clock.advance(1_500);
    const ids = await watchTwelve(first);
    await clock.advance(30_000);
    expect(tickedBy(first)).toEqual(new Set(ids));
    second.start();
    await clock.advance(10_000);
    const before = first.ticks.length;
    await clock.advance(30_000);
    const now = new Set(first.ticks.slice(before).map(({ watchId }) => watchId));
    const others = tickedBy(second);
    expect(others.size).toBeGreaterThan(0);
    expect([...now].filter((id) => others.has(id))).toEqual([]);
  });

  it('begins at nobody before the journal has said who is there', async () => {
    const journal = tempJournal();
    let isAnswering = false;
    const engine = anEngine({
      journal: changed(journal, {
        announce: (...args) =>
          isAnswering ? journal.announce(...args) : Promise.reject(new Error('not now')),
      }),
    });
    await engine.watch();
    engine.start();
    await engine.clock.advance(10_000);
    expect([engine.ticks, engine.world.told]).toEqual([[], []]);
    isAnswering = true;
    await engine.clock.advance(2_000);
    expect(engine.ticks).toHaveLength(1);
    expect(engine.world.told).toHaveLength(1);
  });
});

describe('two replicas that both hold a watch to be theirs', () => {
  it('judge each moment once', async () => {
    const { all, first, second, clock } = replicas(2);
    first.view.split();
    second.view.split();
    await startAll(all, clock);
    const id = await first.watch();
    await clock.advance(60_000);
    expect(tickedBy(first)).toEqual(tickedBy(second));
    expect(Math.min(...gaps(await tickTimes(first, id)))).toBeGreaterThanOrEqual(INTERVAL_MS / 2);
    expect([...first.errors, ...second.errors]).toEqual([]);
  });

  it('do not count a failed health check twice', async () => {
    const { all, first, second, clock, world } = replicas(2);
    first.view.split();
    second.view.split();
    await startAll(all, clock);
    const id = await first.watch();
    world.health = async () => GOOD;
    await clock.advance(11_000);
    world.health = async () => BAD;
    // Two failed checks of three.
    await clock.advance(10_000);
    expect(await first.types(id)).not.toContain('watch.stopped');
    await clock.advance(10_000);
    expect(await first.types(id)).toContain('watch.stopped');
  });

  it('stop it once, and send each action and message once', async () => {
    const { all, first, second, clock, world } = replicas(2);
    first.view.split();
    second.view.split();
    await startAll(all, clock);
    const id = await first.watch();
    await clock.advance(10_000);
    world.readings = { fill_rate: share(0.5) };
    await clock.advance(30_000);
    const types = await first.types(id);
    expect(types.filter((type) => type === 'watch.stopped')).toHaveLength(1);
    const sent = world.acted.map(([, delivery, attempt]) => [delivery, attempt]);
    expect(sent).toEqual([
      [`${id}-disarm`, 1],
      [`${id}-rollback`, 1],
    ]);
    const stops = world.messages.filter(({ kind }) => kind === 'watch.stopped');
    expect(stops).toHaveLength(1);
  });
});

describe('deliveries of several replicas', () => {
  it('follow a stop that was asked of another replica', async () => {
    const { all, first, second, clock, world } = replicas(2);
    await startAll(all, clock);
    const ids = await watchTwelve(first);
    for (const id of ids) await second.commands.stop(id, BY);
    await clock.advance(1_000);
    const rollbacks = world.acted.filter(([, id]) => id.endsWith('-rollback'));
    expect(rollbacks.map(([, id]) => id).toSorted()).toEqual(
      ids.map((id) => `${id}-rollback`).toSorted(),
    );
  });

  it('of a channel go out by one replica, which keeps the pace', async () => {
    const { all, first, second, clock, world } = replicas(2);
    world.spacingMs = 1_000;
    await startAll(all, clock);
    await watchTwelve(first);
    await clock.advance(30_000);
    const times = world.told.map(([atMs]) => atMs);
    expect(times.length).toBeGreaterThanOrEqual(12);
    expect(Math.min(...gaps(times))).toBeGreaterThanOrEqual(1_000);
    const told = [first, second].filter(({ attempts }) => attempts.length > 0);
    expect(told).toHaveLength(1);
  });

  it('that a living replica is sending are left to it, whoever owns the watch now', async () => {
    const { first, second, clock, world } = replicas(2);
    world.action = hangs(12_000, clock);
    first.start();
    await clock.advance(1_500);
    const ids = await watchTwelve(first);
    for (const id of ids) await first.commands.stop(id, BY);
    await clock.advance(500);
    second.start();
    await clock.advance(11_000);
    const disarms = world.acted.filter(([, id]) => id.endsWith('-disarm'));
    expect(disarms).toHaveLength(ids.length);
  });

  it('that a dead replica was sending are repeated under the same id', async () => {
    const { all, first, second, clock, world } = replicas(2);
    world.action = hangs(60_000, clock);
    await startAll(all, clock);
    const ids = await watchTwelve(first);
    for (const id of ids) await first.commands.stop(id, BY);
    await clock.advance(1_000);
    second.view.cut();
    const before = world.acted.length;
    await clock.advance(LEASE_MS + 2_000);
    const again = world.acted.slice(before).filter(([, id]) => id.endsWith('-disarm'));
    expect(again.length).toBeGreaterThan(0);
    expect(again.every(([, , attempt]) => attempt === 2)).toBe(true);
    expect(new Set(again.map(([, id]) => id)).size).toBe(again.length);
  });

  it('of an overtaken attempt do not undo what the later one is doing', async () => {
    const { first, second, clock, world } = replicas(2);
    const answers: (() => void)[] = [];
    world.action = (_delivery, _action, _values, signal) =>
      new Promise((resolve) => {
        const answer = () => resolve(retryable({ reason: 'timeout' }));
        answers.push(answer);
        signal.addEventListener('abort', answer);
      });
    first.start();
    await clock.advance(1_500);
    const id = await first.watch();
    await first.commands.stop(id, BY);
    await clock.advance(200);
    // The first one is held to be dead while its attempt is still under way.
    first.view.silence();
    await clock.advance(LEASE_MS);
    second.start();
    await clock.advance(2_000);
    answers[0]?.();
    await clock.advance(100);
    expect(await second.delivery(`${id}-disarm`)).toMatchObject({
      state: 'pending',
      inFlight: true,
      holder: 'r_2',
      attempts: 2,
    });
  });
});

/** Answers after so long, or when it is cut off. */
function hangs(ms: number, clock: VirtualClock): SendAction {
  return async (_delivery, _action, _values, signal) => {
    await clock.sleep(ms, signal).catch(() => undefined);
    return retryable({ reason: 'timeout' });
  };
}
