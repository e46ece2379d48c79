import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { type Loop, startLoop } from '../../src/kit/loop.ts';

const EVERY_MS = 1_000;

describe('startLoop', () => {
  let startedAtMs = 0;
  let runs: number[] = [];
  let loop: Loop | null = null;

  function start(
    work: () => Promise<number | undefined> = async () => undefined,
    slot: { readonly offsetMs?: number } = {},
  ): Loop {
    loop = startLoop({
      clock: systemClock,
      everyMs: EVERY_MS,
      ...slot,
      work: () => {
        runs.push(systemClock.monotonic() - startedAtMs);
        return work();
      },
      onError: () => undefined,
    });
    return loop;
  }

  beforeEach(() => {
    vi.useFakeTimers();
    startedAtMs = systemClock.monotonic();
    runs = [];
  });
  afterEach(async () => {
    await loop?.stop();
    vi.useRealTimers();
  });

  it('runs at once and then at each period', async () => {
    start();
    await vi.advanceTimersByTimeAsync(3_500);
    expect(runs).toEqual([0, 1_000, 2_000, 3_000]);
  });

  it('runs more when poked, and keeps the period all the same', async () => {
    const { poke } = start();
    await vi.advanceTimersByTimeAsync(300);
    for (let times = 0; times < 50; times += 1) {
      poke();
      await vi.advanceTimersByTimeAsync(1);
    }
    const poked = runs.length;
    expect(poked).toBeGreaterThan(2);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(runs.slice(poked)).toEqual([1_000, 2_000]);
  });

  it('makes one more run after a poke during a run', async () => {
    const { poke } = start(async () => {
      await systemClock.sleep(100);
      return undefined;
    });
    await vi.advanceTimersByTimeAsync(50);
    poke();
    poke();
    await vi.advanceTimersByTimeAsync(1_200);
    expect(runs).toEqual([0, 100, 1_000]);
  });

  it('skips what a run that takes too long has missed', async () => {
    let tookMs = 2_500;
    start(async () => {
      const ms = tookMs;
      tookMs = 0;
      await systemClock.sleep(ms);
      return undefined;
    });
    await vi.advanceTimersByTimeAsync(4_000);
    expect(runs).toHaveLength(3);
    expect(runs[1]).toBeGreaterThanOrEqual(2_500);
    expect(runs[2]).toBe(3_500);
  });

  /** Timers of whole milliseconds come up to one later. */
  const tens = (ms: number) => Math.round(ms / 10) * 10;
  /** A slot that comes so long after the start. */
  const slotAfter = (ms: number) => ({ offsetMs: (startedAtMs + ms) % EVERY_MS });

  it('runs at once and then in its slot of each period', async () => {
    start(undefined, slotAfter(700));
    await vi.advanceTimersByTimeAsync(3_000);
    expect(runs.map(tens)).toEqual([0, 700, 1_700, 2_700]);
  });

  it('leaves out a slot that comes too soon after a run', async () => {
    start(undefined, slotAfter(200));
    await vi.advanceTimersByTimeAsync(3_000);
    expect(runs.map(tens)).toEqual([0, 1_200, 2_200]);
  });

  it('finds back to its slot after a run that took too long', async () => {
    let tookMs = 1_700;
    const work = async () => {
      const ms = tookMs;
      tookMs = 0;
      await systemClock.sleep(ms);
      return undefined;
    };
    start(work, slotAfter(0));
    await vi.advanceTimersByTimeAsync(4_500);
    expect(runs.map(tens)).toEqual([0, 1_700, 3_000, 4_000]);
  });

  it('goes on after an error', async () => {
    start(() => Promise.reject(new Error('the disk is full')));
    await vi.advanceTimersByTimeAsync(1_500);
    expect(runs).toEqual([0, 1_000]);
  });

  it('is never run twice at a time', async () => {
    let inside = 0;
    let most = 0;
    const { poke, stop } = start(async () => {
      inside += 1;
      most = Math.max(most, inside);
      await systemClock.sleep(100);
      inside -= 1;
      return undefined;
    });
    for (let times = 0; times < 200; times += 1) {
      poke();
      await vi.advanceTimersByTimeAsync(7);
    }
    const stopped = stop();
    await vi.advanceTimersByTimeAsync(100);
    await stopped;
    expect(most).toBe(1);
    expect(runs.length).toBeGreaterThan(10);
  });

  it('waits as long as the run asks, from its end', async () => {
    start(async () => 250);
    await vi.advanceTimersByTimeAsync(600);
    expect(runs).toEqual([0, 250, 500]);
  });

  it('does not drift when runs take time', async () => {
    start(async () => {
      await systemClock.sleep(300);
      return undefined;
    });
    await vi.advanceTimersByTimeAsync(3_500);
    expect(runs).toEqual([0, 1_000, 2_000, 3_000]);
  });

  it('waits at its stop for the run that is under way, and starts no other', async () => {
    const end = Promise.withResolvers<undefined>();
    const { poke, stop } = start(() => end.promise);
    await vi.advanceTimersByTimeAsync(0);
    poke();
    let isStopped = false;
    const stopped = stop().then(() => {
      isStopped = true;
    });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(isStopped).toBe(false);
    end.resolve(undefined);
    await stopped;
    poke();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(runs).toEqual([0]);
  });

  it('stops at once out of a pause, and leaves no timer', async () => {
    const { stop } = start();
    await vi.advanceTimersByTimeAsync(100);
    await stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tells its run of the stop, and not of the error that follows from it', async () => {
    const errors: unknown[] = [];
    loop = startLoop({
      clock: systemClock,
      everyMs: EVERY_MS,
      work: (signal) => systemClock.sleep(60_000, signal).then(() => undefined),
      onError: (error) => errors.push(error),
    });
    await vi.advanceTimersByTimeAsync(100);
    await loop.stop();
    expect(errors).toEqual([]);
  });

  it('makes no composite of the signal that lives as long as the loop: they pile up', async () => {
    const any = vi.spyOn(AbortSignal, 'any');
    start();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(runs).toHaveLength(6);
    expect(any).not.toHaveBeenCalled();
  });
});
