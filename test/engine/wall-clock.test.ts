// The wall clock is set by somebody: no verdict comes of it that nobody has seen.
import { describe, expect, it } from 'vitest';
import { anEngine, type Engine, GOOD, share } from '../support/engine.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const VERDICTS = ['watch.passed', 'watch.stopped', 'watch.inconclusive'];

async function watched(): Promise<Engine> {
  const engine = anEngine();
  engine.world.readings = { fill_rate: share(0.97) };
  engine.world.health = async () => GOOD;
  engine.start();
  await engine.watch();
  await engine.clock.advance(2 * MINUTE);
  return engine;
}

const verdicts = async (engine: Engine) =>
  (await engine.types('w_1')).filter((type) => VERDICTS.includes(type));
const bad = { fill_rate: share(0.1) };

describe('a wall clock that is set back before the deploy', () => {
  it('ends no watch, whatever is read: each tick fails, and says why', async () => {
    const engine = await watched();
    engine.clock.setWall(-HOUR);
    engine.world.readings = bad;
    await engine.clock.advance(10 * MINUTE);
    expect(await verdicts(engine)).toEqual([]);
    expect(engine.errors.at(-1)).toMatchObject({
      message: expect.stringMatching(/^the clock says .* before the deploy .* not judged/),
    });
    expect(engine.vitals().isLive).toBe(true);
  });

  it('is judged again when the time is right, without what was read meanwhile', async () => {
    const engine = await watched();
    engine.clock.setWall(-HOUR);
    engine.world.readings = bad;
    await engine.clock.advance(MINUTE);
    engine.world.readings = { fill_rate: share(0.97) };
    engine.clock.setWall(HOUR);
    await engine.clock.advance(MINUTE);
    expect(await verdicts(engine)).toEqual([]);
    engine.world.readings = bad;
    await engine.clock.advance(MINUTE);
    expect(await verdicts(engine)).toEqual(['watch.stopped']);
  });

  it('is no matter within the minute that clocks may differ', async () => {
    const engine = await watched();
    engine.clock.setWall(-2 * MINUTE - 30_000);
    await engine.clock.advance(10_000);
    expect(engine.errors).toEqual([]);
    expect(await verdicts(engine)).toEqual([]);
  });
});

describe('a wall clock that steps forward', () => {
  it('by hours, into the last window: what nobody saw is no pass', async () => {
    const engine = await watched();
    engine.clock.setWall(3 * HOUR);
    await engine.clock.advance(20 * MINUTE);
    expect(await verdicts(engine)).toEqual(['watch.inconclusive']);
    expect(await engine.types('w_1')).toContain('watch.resumed');
  });

  it('beyond the deadline: inconclusive, since nobody looked', async () => {
    const engine = await watched();
    engine.clock.setWall(30 * HOUR);
    await engine.clock.advance(MINUTE);
    const last = (await engine.events('w_1')).find(({ type }) => type === 'watch.inconclusive');
    expect(last).toMatchObject({ reason: 'not_evaluated' });
  });

  it('and back again: judged as before, and a breach still stops', async () => {
    const engine = await watched();
    engine.clock.setWall(10 * MINUTE);
    await engine.clock.advance(MINUTE);
    engine.clock.setWall(-10 * MINUTE);
    await engine.clock.advance(MINUTE);
    expect(await verdicts(engine)).toEqual([]);
    engine.world.readings = bad;
    await engine.clock.advance(MINUTE);
    expect(await verdicts(engine)).toEqual(['watch.stopped']);
  });
});
