import { describe, expect, it } from 'vitest';
import type { ReadHealth } from '../../src/core/read.ts';
import type { Reading } from '../../src/core/sample.ts';
import { HealthProbes } from '../../src/engine/health-probes.ts';
import { aHealthCheck } from '../support/build.ts';
import { BAD, GOOD } from '../support/engine.ts';
import { settled, VirtualClock } from '../support/virtual-clock.ts';

const { signal } = new AbortController();
const HEALTH = aHealthCheck();
const SLOW = aHealthCheck({ id: 'slow', url: 'http://127.0.0.1:8080/slow' });

/** Answers one after the other; each takes its time. */
function scripted(clock: VirtualClock, answers: readonly (readonly [ms: number, Reading])[]) {
  let asked = 0;
  const read: ReadHealth = async () => {
    const [ms, reading] = answers[asked] ?? [0, GOOD];
    asked += 1;
    if (ms > 0) await clock.sleep(ms);
    return reading;
  };
  return { probes: new HealthProbes(read, clock), asked: () => asked };
}

/** What the tick gets, and when. */
async function tick(clock: VirtualClock, probes: HealthProbes, indicators = [HEALTH]) {
  const startedAt = clock.monotonic();
  let tookMs = -1;
  const reading = probes.read(indicators, signal).then((readings) => {
    tookMs = clock.monotonic() - startedAt;
    return readings;
  });
  await clock.advance(1_000);
  return { readings: await reading, tookMs };
}

describe('HealthProbes', () => {
  it('waits for an endpoint that answers soon', async () => {
    const clock = new VirtualClock();
    const { probes } = scripted(clock, [[200, GOOD]]);
    expect(await tick(clock, probes)).toEqual({ readings: { health: GOOD }, tookMs: 200 });
    expect(clock.sleeping).toBe(0);
  });

  it('waits 300 ms for one that does not, and counts its answer at the next tick, once', async () => {
    const clock = new VirtualClock();
    const { probes, asked } = scripted(clock, [
      [1_500, BAD],
      [5_000, GOOD],
    ]);
    expect(await tick(clock, probes)).toEqual({ readings: {}, tookMs: 300 });
    await clock.advance(4_000);
    expect(asked()).toBe(1);
    expect(await tick(clock, probes)).toMatchObject({ readings: { health: BAD } });
    expect(asked()).toBe(2);
    expect((await tick(clock, probes)).readings).toEqual({});
  });

  it('asks an endpoint that is still thinking no second time', async () => {
    const clock = new VirtualClock();
    const { probes, asked } = scripted(clock, [[60_000, BAD]]);
    for (let times = 0; times < 10; times += 1) await tick(clock, probes);
    expect(asked()).toBe(1);
  });

  it('counts a late answer before a new one that differs, so that no row is made up', async () => {
    const clock = new VirtualClock();
    const { probes } = scripted(clock, [
      [0, BAD],
      [0, BAD],
      [800, GOOD],
      [0, BAD],
      [0, BAD],
    ]);
    const seen: unknown[] = [];
    for (let times = 0; times < 5; times += 1) {
      seen.push((await tick(clock, probes)).readings['health']);
      await clock.advance(4_000);
    }
    expect(seen).toEqual([BAD, BAD, undefined, GOOD, BAD]);
  });

  it('keeps its pace with an endpoint that is always slow', async () => {
    const clock = new VirtualClock();
    const slow = Array.from({ length: 10 }, () => [2_000, BAD] as const);
    const { probes } = scripted(clock, slow);
    const seen: unknown[] = [];
    for (let times = 0; times < 5; times += 1) {
      seen.push((await tick(clock, probes)).readings['health']);
      await clock.advance(4_000);
    }
    expect(seen).toEqual([undefined, BAD, BAD, BAD, BAD]);
  });

  it('gives the quick ones although one hangs', async () => {
    const clock = new VirtualClock();
    const read: ReadHealth = async ({ id }) => {
      if (id === 'slow') await clock.sleep(60_000);
      return GOOD;
    };
    const answer = await tick(clock, new HealthProbes(read, clock), [SLOW, HEALTH]);
    expect(answer).toEqual({ readings: { health: GOOD }, tookMs: 300 });
  });

  it('forgets answers and questions: what was asked of the old version counts no more', async () => {
    const clock = new VirtualClock();
    const { probes } = scripted(clock, [
      [2_000, BAD],
      [500, GOOD],
      [500, GOOD],
    ]);
    await tick(clock, probes);
    probes.forget();
    await tick(clock, probes);
    await clock.advance(4_000);
    expect((await tick(clock, probes)).readings).toEqual({ health: GOOD });
  });

  it('asks nobody and waits for nothing without an endpoint', async () => {
    const clock = new VirtualClock();
    const { probes, asked } = scripted(clock, []);
    expect(await probes.read([], signal)).toEqual({});
    expect([asked(), clock.sleeping]).toEqual([0, 0]);
  });

  it('leaves no rejection unhandled when a reader fails late', async () => {
    const clock = new VirtualClock();
    const unhandled: unknown[] = [];
    const note = (error: unknown) => void unhandled.push(error);
    process.on('unhandledRejection', note);
    const read: ReadHealth = async () => {
      await clock.sleep(2_000);
      throw new Error('a bug');
    };
    await tick(clock, new HealthProbes(read, clock));
    await clock.advance(4_000);
    await settled();
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});
