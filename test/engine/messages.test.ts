// Order and pace of the messages of a channel, on virtual time and a real journal.
import { describe, expect, it } from 'vitest';
import type { Channel } from '../../src/engine/lanes.ts';
import { T0 } from '../support/build.ts';
import {
  anEngine,
  DELIVERED,
  type Engine,
  type EngineOptions,
  retryable,
  share,
} from '../support/engine.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const BY = { by: 'ann', reason: 'test' };
const HOUR = 3_600_000;

describe('the messages of a channel', () => {
  /** Five watches start at once: five messages. */
  async function fiveStarts(options: EngineOptions, prepare: (engine: Engine) => void) {
    const engine = anEngine(options);
    engine.world.readings = { fill_rate: share(0.97) };
    prepare(engine);
    engine.start();
    for (let number = 1; number <= 5; number += 1) {
      await engine.watch({ environment: `e${number}` });
    }
    return engine;
  }

  it('go out one at a time', async () => {
    let inside = 0;
    let most = 0;
    const engine = await fiveStarts({}, ({ world, clock }) => {
      world.message = async () => {
        inside += 1;
        most = Math.max(most, inside);
        await clock.sleep(100);
        inside -= 1;
        return DELIVERED;
      };
    });
    await engine.clock.advance(3_000);
    expect(engine.world.told.length).toBeGreaterThanOrEqual(5);
    expect(most).toBe(1);
  });

  it('keep their spacing, also after one was refused', async () => {
    const engine = await fiveStarts({}, ({ world }) => {
      world.spacingMs = 1_000;
      world.message = async () => ({ kind: 'refused', reason: 'client_error', detail: 'no' });
    });
    await engine.clock.advance(4_000);
    expect(engine.world.told.map(([atMs]) => atMs)).toEqual([0, 1_000, 2_000, 3_000, 4_000]);
  });

  it('let a critical one go first', async () => {
    const engine = await fiveStarts({}, ({ world }) => {
      world.spacingMs = 1_000;
    });
    await engine.clock.advance(0);
    await engine.commands.stop('w_5', BY);
    await engine.clock.advance(1_000);
    expect(engine.world.messages.map(({ kind }) => kind)).toEqual([
      'watch.started',
      'watch.stopped',
    ]);
  });

  it.each([
    ['as long as it is asked', 30_000, 30_000],
    ['but five minutes at most', 24 * HOUR, 300_000],
  ])('all wait when the channel is rate limited, %s', async (_, retryAfterMs, waitMs) => {
    const engine = await fiveStarts({}, ({ world }) => {
      const answers = [retryable({ reason: 'rate_limited', retryAfterMs })];
      world.message = async () => answers.pop() ?? DELIVERED;
    });
    await engine.clock.advance(0);
    await engine.commands.stop('w_5', BY);
    await engine.clock.advance(waitMs - 1);
    expect(engine.world.told).toHaveLength(1);
    await engine.clock.advance(1_000);
    expect(engine.world.messages[1]?.kind).toBe('watch.stopped');
    expect(engine.world.told[1]?.[0]).toBe(waitMs);
  });

  const slowly = retryable({ reason: 'client_error', retryAfterMs: 60_000 });

  /** The starts that were told up to now, without repetitions. */
  function toldStarts({ world }: Engine): readonly string[] {
    const starts = world.messages.filter(({ kind }) => kind === 'watch.started');
    return [...new Set(starts.map(({ watchId }) => watchId))];
  }

  it('pass one that is refused for its own sake, which is tried again all the same', async () => {
    const engine = await fiveStarts({}, ({ world }) => {
      world.spacingMs = 1_000;
      world.message = async ({ watchId }) => (watchId === 'w_1' ? slowly : DELIVERED);
    });
    // One a second, and four that are armed meanwhile may come between.
    await engine.clock.advance(9_000);
    expect(toldStarts(engine)).toHaveLength(5);
    expect(await engine.delivery('w_1-e1-oncall')).toMatchObject({ state: 'pending', attempts: 1 });
    await engine.clock.advance(60_000);
    expect(await engine.delivery('w_1-e1-oncall')).toMatchObject({ attempts: 2 });
  });

  it('keep their order while nothing gets through, but not for ever', async () => {
    const engine = await fiveStarts({}, ({ world }) => {
      world.message = async ({ watchId, kind }) => {
        const isFirst = watchId === 'w_1' && kind === 'watch.started';
        return isFirst ? retryable({ reason: 'network' }) : DELIVERED;
      };
    });
    await engine.clock.advance(30_000);
    expect(toldStarts(engine)).toHaveLength(1);
    await engine.clock.advance(90_000);
    expect(toldStarts(engine)).toHaveLength(5);
  });

  it('say that they may have been seen, whatever failed since the try without an answer', async () => {
    const engine = anEngine();
    const outcomes = [
      retryable({ reason: 'network', maybeDelivered: true }),
      retryable({ reason: 'server_error' }),
    ];
    engine.world.message = async () => outcomes.shift() ?? DELIVERED;
    engine.start();
    await engine.watch();
    await engine.clock.advance(10_000);
    const [first, ...again] = engine.world.messages.slice(0, 3).map(({ lines }) => lines.join(' '));
    expect(first).not.toContain('seen it before');
    expect(again).toHaveLength(2);
    expect(again.every((text) => text.includes('seen it before'))).toBe(true);
  });

  it('of another lane neither wait for one that fails nor share its pause', async () => {
    const sent: (readonly [string, number])[] = [];
    const clock = new VirtualClock();
    const oncall: Channel = {
      spacingMs: 1_000,
      lane: ({ severity }) => (severity === 'critical' ? 'critical' : 'normal'),
      send: async ({ severity, watchId }) => {
        sent.push([`${severity} ${watchId}`, clock.now() - T0]);
        const limited = retryable({ reason: 'rate_limited', retryAfterMs: 300_000 });
        return severity === 'critical' ? limited : DELIVERED;
      },
    };
    const engine = anEngine({ clock, channels: { oncall } });
    await engine.watch({ environment: 'e1' });
    await engine.watch({ environment: 'e2' });
    await engine.commands.stop('w_1', BY);
    engine.start();
    await clock.advance(2_000);
    expect(sent.filter(([, atMs]) => atMs === 0).map(([name]) => name)).toEqual([
      'critical w_1',
      'info w_1',
    ]);
    expect(sent).toContainEqual(['info w_2', 1_000]);
    expect(sent.filter(([name]) => name.startsWith('critical'))).toHaveLength(1);
  });

  it('are not silenced by a wall clock that is set back', async () => {
    const engine = await fiveStarts({}, ({ world }) => {
      world.spacingMs = 1_000;
    });
    await engine.clock.advance(0);
    engine.clock.setWall(-HOUR);
    await engine.clock.advance(10_000);
    expect(engine.world.told.length).toBeGreaterThanOrEqual(5);
  });

  // When to try again is in the journal as wall time, since another replica may have to know it.
  it.each([
    ['later by as much', 60_000, 360_000],
    ['not later, when that is more than the longest wait', 300_001, 300_000],
  ])('whose clock is set back in a wait come %s', async (_, backMs, untilMs) => {
    const engine = await fiveStarts({}, ({ world }) => {
      const answers = [retryable({ reason: 'rate_limited', retryAfterMs: HOUR })];
      world.message = async () => answers.pop() ?? DELIVERED;
    });
    await engine.clock.advance(0);
    engine.clock.setWall(-backMs);
    await engine.commands.stop('w_5', BY);
    const told = () => engine.world.messages.map(({ kind, watchId }) => `${kind} ${watchId}`);
    await engine.clock.advance(300_000 - 1);
    expect(told()).toEqual(['watch.started w_1']);
    await engine.clock.advance(501);
    expect(told()[1]).toBe('watch.stopped w_5');
    if (untilMs > 300_000) {
      await engine.clock.advance(untilMs - 300_000 - 502);
      expect(told()).toHaveLength(2);
    }
    await engine.clock.advance(3_000);
    expect(told().slice(2, 4)).toEqual(['watch.started w_1', 'watch.started w_2']);
  });
});
