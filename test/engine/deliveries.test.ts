// Deliveries from the stop of a watch to their end, on virtual time and a real journal.
import { describe, expect, it } from 'vitest';
import type { SendAction } from '../../src/engine/action-sender.ts';
import { anAction, aPolicy, T0 } from '../support/build.ts';
import {
  anEngine,
  changed,
  DELIVERED,
  type Engine,
  type EngineOptions,
  GOOD,
  retryable,
  share,
  tempJournal,
  unreachable,
} from '../support/engine.ts';
import { settled, VirtualClock } from '../support/virtual-clock.ts';

const BY = { by: 'ann', reason: 'test' };
const HOUR = 3_600_000;

/** Never answers; ends when it is cut off, as the webhook does. */
const hang: SendAction = (_delivery, _action, _values, signal) =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(retryable({ reason: 'interrupted' })));
  });

function only(name: 'disarm' | 'rollback', act: SendAction): SendAction {
  return async (delivery, ...rest) =>
    delivery.id === `w_1-${name}` ? act(delivery, ...rest) : DELIVERED;
}

/** Watches w_1, and the fill rate falls: the watch stops at T0 + 5 s. */
async function fallen(options: EngineOptions = {}, prepare = (_: Engine) => {}): Promise<Engine> {
  const engine = anEngine(options);
  const { world, clock } = engine;
  world.readings = { fill_rate: share(0.97) };
  prepare(engine);
  engine.start();
  await engine.watch();
  await clock.advance(1_000);
  world.readings = { fill_rate: share(0.5) };
  await clock.advance(4_000);
  await settled();
  expect(await engine.types('w_1')).toContain('watch.stopped');
  return engine;
}

function full(): Promise<never> {
  return Promise.reject(new Error('the disk is full'));
}

/** w_1 was stopped by a human; nothing has been sent yet. */
async function stoppedBefore(options: EngineOptions = {}): Promise<Engine> {
  const engine = anEngine(options);
  await engine.watch();
  await engine.commands.stop('w_1', BY);
  return engine;
}

describe('the actions of a stop', () => {
  it('are sent at once: disarm first, the rollback as soon as it has been accepted', async () => {
    const { world } = await fallen();
    expect(world.acted).toEqual([
      [5_000, 'w_1-disarm', 1],
      [5_000, 'w_1-rollback', 1],
    ]);
  });

  it('the rollback goes when disarm was refused', async () => {
    const refused = await fallen({}, (engine) => {
      engine.world.action = only('disarm', async () => ({
        kind: 'refused',
        reason: 'client_error',
        detail: 'HTTP 404',
      }));
    });
    expect(refused.world.acted).toEqual([
      [5_000, 'w_1-disarm', 1],
      [5_000, 'w_1-rollback', 1],
    ]);
    const events = await refused.events('w_1');
    expect(events.find(({ type }) => type === 'action.gave_up')).toMatchObject({
      action: 'disarm',
      reason: 'client_error',
      detail: 'HTTP 404',
    });
  });

  it.each([
    ['hangs', hang],
    ['keeps failing', async () => retryable()],
  ])('the rollback waits three seconds for a disarm that %s, not longer', async (_, disarm) => {
    const { world, clock } = await fallen({}, (engine) => {
      engine.world.action = only('disarm', disarm);
    });
    await clock.advance(60_000);
    const rollbacks = world.acted.filter(([, id]) => id === 'w_1-rollback');
    expect(rollbacks).toEqual([[8_000, 'w_1-rollback', 1]]);
  });

  it('wait for no message', async () => {
    const { world } = await fallen({}, (engine) => {
      engine.world.message = (_, signal) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve(retryable())));
    });
    expect(world.told).toHaveLength(1);
    expect(world.acted).toHaveLength(2);
  });

  it('are in the journal as begun before they are sent', async () => {
    const seen: unknown[] = [];
    const journal = tempJournal();
    await fallen({ journal }, (engine) => {
      engine.world.action = async ({ id }) => {
        const { inFlight, attempts, state } = await engine.delivery(id);
        seen.push([id, inFlight, attempts, state, (await engine.types('w_1')).at(-1)]);
        return DELIVERED;
      };
    });
    expect(seen).toEqual([
      ['w_1-disarm', true, 1, 'pending', 'watch.stopped'],
      ['w_1-rollback', true, 1, 'pending', 'action.accepted'],
    ]);
  });

  it('are tried again with a doubling wait up to its cap, then given up', async () => {
    const engine = await fallen({ random: () => 0.5 }, ({ world }) => {
      world.action = only('rollback', async () => retryable());
    });
    await engine.clock.advance(4 * 60_000);
    const times = engine.world.acted.filter(([, id]) => id === 'w_1-rollback');
    const waits = times.map(([atMs], index) => atMs - (times[index - 1]?.[0] ?? atMs));
    // 0.75, 1.5, 3, 6, 12, then three quarters of the cap, each on the next sweep.
    expect(waits).toEqual([0, 1_000, 1_500, 3_000, 6_000, 12_000, 15_000, 15_000]);
    expect(await engine.delivery('w_1-rollback')).toMatchObject({
      state: 'gave_up',
      attempts: 8,
      lastReason: 'attempts_exhausted',
    });
    const events = await engine.events('w_1');
    expect(events.filter(({ type }) => type === 'action.delayed')).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({ type: 'action.gave_up', reason: 'attempts_exhausted' });
  });

  it.each([
    ['when the receiver asks for it', 12_000, 12_000],
    ['but not for as long as it likes', HOUR, 20_000],
  ])('wait longer %s', async (_, retryAfterMs, waitMs) => {
    const { world, clock } = await fallen({}, (engine) => {
      engine.world.action = only('rollback', async () => retryable({ retryAfterMs }));
    });
    await clock.advance(21_000);
    const times = world.acted.filter(([, id]) => id === 'w_1-rollback').map(([atMs]) => atMs);
    expect(times.slice(0, 2)).toEqual([5_000, 5_000 + waitMs]);
  });

  it('end at their deadline', async () => {
    const slow = { attempts: 50, deadlineMs: 10_000 };
    const actions = [anAction({ name: 'disarm' }), anAction(slow)];
    const engine = await fallen({ policies: [aPolicy({ actions })] }, ({ world }) => {
      world.action = only('rollback', async () => retryable());
    });
    await engine.clock.advance(60_000);
    const last = engine.world.acted.at(-1)?.[0] ?? 0;
    expect(last).toBeLessThanOrEqual(15_000);
    expect(await engine.delivery('w_1-rollback')).toMatchObject({
      state: 'gave_up',
      lastReason: 'deadline',
    });
    // Known as soon as no other attempt fits, not only when the deadline has passed.
    const [gaveUp] = (await engine.events('w_1')).filter(({ type }) => type === 'action.gave_up');
    expect(gaveUp?.atMs).toBe(T0 + last);
  });

  it('end when hold fire is set, at their next attempt', async () => {
    const engine = await fallen({}, ({ world }) => {
      world.action = only('rollback', async () => retryable());
    });
    await engine.commands.setHold(BY);
    await engine.clock.advance(60_000);
    expect(engine.world.acted).toHaveLength(2);
    expect(await engine.delivery('w_1-rollback')).toMatchObject({
      state: 'gave_up',
      lastReason: 'hold_fire',
    });
  });

  it('end when a newer deploy supersedes the watch', async () => {
    const engine = await fallen({}, ({ world }) => {
      world.action = only('rollback', async () => retryable());
    });
    engine.world.readings = { fill_rate: share(0.97) };
    await engine.watch({ version: '3.0.0' });
    await engine.clock.advance(60_000);
    expect(engine.world.acted).toHaveLength(2);
    expect(await engine.delivery('w_1-rollback')).toMatchObject({
      state: 'gave_up',
      lastReason: 'superseded',
    });
  });

  it('are sent once, however often the dispatcher is poked', async () => {
    const engine = await fallen({}, ({ world }) => {
      world.action = hang;
    });
    for (let times = 0; times < 100; times += 1) engine.dispatcher.poke();
    await engine.clock.advance(2_000);
    for (let times = 0; times < 100; times += 1) {
      engine.dispatcher.poke();
      await settled();
    }
    expect(engine.world.acted).toEqual([[5_000, 'w_1-disarm', 1]]);
  });

  it('are not put off by a wall clock that is set back', async () => {
    const engine = await fallen({}, ({ world }) => {
      let failures = 2;
      world.action = async () => {
        failures -= 1;
        return failures >= 0 ? retryable() : DELIVERED;
      };
    });
    engine.clock.setWall(-HOUR);
    await engine.clock.advance(10_000);
    expect(await engine.delivery('w_1-disarm')).toMatchObject({ state: 'delivered' });
    expect(await engine.delivery('w_1-rollback')).toMatchObject({ state: 'delivered' });
  });

  it('are repeated at the usual pace when canaryd itself fails to send them', async () => {
    let failures = 3;
    const engine = await fallen({}, ({ world }) => {
      world.action = only('rollback', async () => {
        failures -= 1;
        if (failures >= 0) throw new TypeError('x is not a function');
        return DELIVERED;
      });
    });
    expect(engine.world.acted).toHaveLength(2);
    await engine.clock.advance(10_000);
    const rollbacks = engine.world.acted.filter(([, id]) => id === 'w_1-rollback');
    expect(rollbacks.map(([atMs]) => atMs)).toEqual([5_000, 5_500, 6_500, 8_500]);
    expect(engine.errors).toHaveLength(3);
    expect(await engine.delivery('w_1-rollback')).toMatchObject({ state: 'delivered' });
  });
});

describe('deliveries of an earlier life', () => {
  it('an action under way is repeated under the same id', async () => {
    const engine = await stoppedBefore();
    await engine.journal.startAttempt('w_1-disarm', 1, T0, 'r_0');
    engine.start();
    await engine.clock.advance(1_000);
    expect(engine.world.acted).toEqual([
      [0, 'w_1-disarm', 2],
      [0, 'w_1-rollback', 1],
    ]);
  });

  it('an action that may be tried only once is not repeated: it may have arrived', async () => {
    const once = [anAction({ name: 'disarm', attempts: 1 }), anAction()];
    const engine = await stoppedBefore({ policies: [aPolicy({ actions: once })] });
    await engine.journal.startAttempt('w_1-disarm', 1, T0, 'r_0');
    engine.start();
    await engine.clock.advance(1_000);
    expect(engine.world.acted).toEqual([[0, 'w_1-rollback', 1]]);
    expect(await engine.delivery('w_1-disarm')).toMatchObject({
      state: 'gave_up',
      lastReason: 'interrupted',
    });
  });

  it('a message under way is not told again, unless it is critical: then it says so', async () => {
    const engine = await stoppedBefore();
    const { journal, world } = engine;
    const messages = (await journal.pendingDeliveries(9, 'message')).map(({ id }) => id);
    expect(messages).toHaveLength(2);
    for (const id of messages) await journal.startAttempt(id, 1, T0, 'r_0');
    engine.start();
    await engine.clock.advance(10_000);
    const again = world.messages.filter(({ lines }) => lines.join().includes('restarted'));
    expect(again.map(({ kind }) => kind)).toEqual(['watch.stopped']);
    expect(world.messages.map(({ kind }) => kind)).not.toContain('watch.started');
    expect(await engine.delivery('w_1-e1-oncall')).toMatchObject({
      state: 'gave_up',
      lastReason: 'interrupted',
    });
  });

  it('an action whose deadline passed meanwhile is not sent any more', async () => {
    const engine = await stoppedBefore();
    await engine.clock.advance(5 * 60_000 + 1);
    engine.start();
    await engine.clock.advance(1_000);
    expect(engine.world.acted).toEqual([]);
    expect(await engine.delivery('w_1-rollback')).toMatchObject({
      state: 'gave_up',
      lastReason: 'deadline',
      lastDetail: expect.stringContaining('it was not sent'),
    });
  });

  it('a channel that the config no longer has is given up', async () => {
    const engine = await stoppedBefore();
    const second = anEngine({ journal: engine.journal, clock: engine.clock, channels: {} });
    second.start();
    await second.clock.advance(1_000);
    expect(await engine.journal.pendingDeliveries(9)).toEqual([]);
    expect(await engine.delivery('w_1-e1-oncall')).toMatchObject({
      state: 'gave_up',
      lastReason: 'misconfigured',
    });
  });
});

describe('Dispatcher, when the journal fails', () => {
  it('sends nothing that it could not write down, and does not spin', async () => {
    const journal = tempJournal();
    let isFull = true;
    let tries = 0;
    const failing = changed(journal, {
      startAttempt: (...args) => {
        tries += 1;
        return isFull ? full() : journal.startAttempt(...args);
      },
      startAttempts: (...args) => {
        tries += 1;
        return isFull ? full() : journal.startAttempts(...args);
      },
    });
    const engine = await fallen({ journal: failing });
    await engine.clock.advance(10_000);
    expect(engine.world.acted).toEqual([]);
    // Twice a second for each of the action and the channel, and a little more for the pokes.
    expect(tries).toBeLessThan(80);
    isFull = false;
    await engine.clock.advance(1_000);
    expect(engine.world.acted.map(([, id]) => id)).toEqual(['w_1-disarm', 'w_1-rollback']);
  });

  it('does not send again what it only could not write down', async () => {
    const journal = tempJournal();
    let isFull = false;
    const failing = changed(journal, {
      append: (batches) => (isFull ? full() : journal.append(batches)),
    });
    const engine = await fallen({ journal: failing }, ({ world }) => {
      world.action = only('disarm', async () => {
        isFull = true;
        return DELIVERED;
      });
    });
    await engine.clock.advance(30_000);
    const disarms = () => engine.world.acted.filter(([, id]) => id === 'w_1-disarm');
    expect(disarms()).toHaveLength(1);
    isFull = false;
    await engine.clock.advance(30_000);
    expect(disarms()).toHaveLength(1);
    expect(await engine.delivery('w_1-disarm')).toMatchObject({ state: 'delivered', attempts: 1 });
    expect(engine.world.acted.filter(([, id]) => id === 'w_1-rollback')).toHaveLength(1);
  });

  it('repeats it under its id when that lasts: not more than once in two minutes', async () => {
    const journal = tempJournal();
    let isFull = false;
    const failing = changed(journal, {
      append: (batches) => (isFull ? full() : journal.append(batches)),
    });
    const engine = await fallen({ journal: failing }, ({ world }) => {
      world.action = only('disarm', async () => {
        isFull = true;
        return DELIVERED;
      });
    });
    await engine.clock.advance(10 * 60_000);
    const disarms = engine.world.acted.filter(([, id]) => id === 'w_1-disarm');
    expect(disarms.length).toBeGreaterThan(1);
    const gaps = disarms.slice(1).map(([atMs], index) => atMs - (disarms[index]?.[0] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThan(2 * 60_000);
  });

  it('goes on after a sweep that failed', async () => {
    const journal = tempJournal();
    let failures = 3;
    const failing = changed(journal, {
      pendingDeliveries: (...args) => {
        failures -= 1;
        return failures >= 0 ? full() : journal.pendingDeliveries(...args);
      },
    });
    const engine = anEngine({ journal: failing });
    await engine.watch();
    engine.start();
    await engine.clock.advance(3_000);
    expect(engine.world.told).toHaveLength(1);
    expect(engine.errors).toHaveLength(3);
  });
});

describe('Dispatcher.stop', () => {
  it('waits for what is being sent, and writes down what came of it', async () => {
    const engine = await fallen({}, ({ world, clock }) => {
      world.action = async () => {
        await clock.sleep(4_000);
        return DELIVERED;
      };
    });
    let isStopped = false;
    const stopped = engine.dispatcher.stop(8_000).then(() => {
      isStopped = true;
    });
    await engine.clock.advance(3_999);
    expect(isStopped).toBe(false);
    await engine.clock.advance(1);
    expect(await engine.delivery('w_1-disarm')).toMatchObject({ state: 'delivered' });
    await engine.clock.advance(4_000);
    await stopped;
  });

  it('still sends the rollback that waited for its disarm: the next start may be far', async () => {
    const engine = await fallen({}, ({ world, clock }) => {
      world.action = async () => {
        await clock.sleep(1_000);
        return DELIVERED;
      };
    });
    const stopped = engine.dispatcher.stop(8_000);
    await engine.clock.advance(3_000);
    await stopped;
    expect(await engine.delivery('w_1-rollback')).toMatchObject({
      state: 'delivered',
      attempts: 1,
    });
  });

  it('cuts off what takes longer, and leaves it to the next start', async () => {
    const engine = await fallen({}, ({ world }) => {
      world.action = hang;
    });
    await engine.stop();
    expect(await engine.delivery('w_1-disarm')).toMatchObject({ state: 'pending', attempts: 1 });
    expect(engine.clock.sleeping).toBe(0);

    const next = anEngine({ journal: engine.journal, clock: engine.clock });
    next.start();
    await next.clock.advance(1_000);
    const again = next.world.acted.map(([, id, attempt]) => `${id} ${attempt}`);
    expect(again.toSorted()).toEqual(['w_1-disarm 2', 'w_1-rollback 2']);
  });

  it.each(['startAttempt', 'pendingDeliveries'] as const)(
    'ends although the journal fails (%s), and does not spin',
    async (method) => {
      const journal = tempJournal();
      let isFull = false;
      let tries = 0;
      const failing = changed(journal, {
        [method]: (...args: never[]) => {
          tries += 1;
          // A loop that never waits would never let the test end.
          if (tries > 200) return new Promise(() => undefined);
          return isFull ? full() : (journal[method] as (...all: never[]) => unknown)(...args);
        },
      });
      const engine = anEngine({ journal: failing });
      await engine.watch();
      await engine.commands.stop('w_1', BY);
      isFull = true;
      engine.start();
      await engine.clock.advance(1_000);
      await engine.stop();
      expect(tries).toBeLessThan(50);
      expect(engine.world.acted).toEqual([]);
    },
  );

  it('is quick when nothing is being sent', async () => {
    const clock = new VirtualClock();
    const engine = anEngine({ clock });
    engine.start();
    await clock.advance(1_000);
    await engine.dispatcher.stop(8_000);
    expect(clock.monotonic()).toBe(1_000);
  });
});

describe('the rollback of a blind watch', () => {
  it('is none: what cannot be seen acts on nothing', async () => {
    const engine = anEngine();
    engine.world.readings = { fill_rate: unreachable() };
    engine.world.health = async () => GOOD;
    engine.start();
    await engine.watch();
    await engine.clock.advance(10 * 60_000);
    expect(engine.world.acted).toEqual([]);
    expect(await engine.types('w_1')).toContain('watch.unarmed');
  });
});
