import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { settled, VirtualClock } from '../support/virtual-clock.ts';

describe('systemClock.sleep', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('lets go of the signal when it wakes by itself', async () => {
    const { signal } = new AbortController();
    const sleep = systemClock.sleep(50, signal);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(50);
    await sleep;
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('rejects with the reason when aborted, and leaves no timer', async () => {
    const stopping = new AbortController();
    const sleep = systemClock.sleep(50, stopping.signal);
    stopping.abort('enough');
    await expect(sleep).rejects.toBe('enough');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('rejects at once when aborted before', async () => {
    await expect(systemClock.sleep(50, AbortSignal.abort('before'))).rejects.toBe('before');
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([60 * 86_400_000, Number.POSITIVE_INFINITY])(
    'does not wake at once when asked for %d ms, more than a timer can hold',
    async (ms) => {
      let isAwake = false;
      void systemClock.sleep(ms).then(() => {
        isAwake = true;
      });
      await vi.advanceTimersByTimeAsync(86_400_000);
      expect(isAwake).toBe(false);
    },
  );

  it('takes a time in the past for now', async () => {
    const sleep = systemClock.sleep(-5_000);
    await vi.advanceTimersByTimeAsync(0);
    await expect(sleep).resolves.toBeUndefined();
  });
});

describe('VirtualClock', () => {
  it('wakes who is due in order, each at its own time, also those who fall asleep meanwhile', async () => {
    const clock = new VirtualClock(1_000);
    const woken: [string, number, number][] = [];
    const note = (name: string) => () => {
      woken.push([name, clock.monotonic(), clock.now()]);
    };
    const late = clock.sleep(30).then(note('late'));
    const early = clock
      .sleep(10)
      .then(note('early'))
      .then(() => clock.sleep(5))
      .then(note('again'));
    await clock.advance(29);
    expect(woken).toEqual([
      ['early', 10, 1_010],
      ['again', 15, 1_015],
    ]);
    await clock.advance(1);
    await Promise.all([late, early]);
    expect(woken.at(-1)).toEqual(['late', 30, 1_030]);
    expect(clock.sleeping).toBe(0);
  });

  it('wakes nobody when the wall clock is set', async () => {
    const clock = new VirtualClock(1_000);
    let isAwake = false;
    void clock.sleep(10).then(() => {
      isAwake = true;
    });
    clock.setWall(3_600_000);
    await settled();
    expect([isAwake, clock.now(), clock.monotonic()]).toEqual([false, 3_601_000, 0]);
    clock.setWall(-7_200_000);
    await clock.advance(10);
    expect([isAwake, clock.now(), clock.monotonic()]).toEqual([true, -3_598_990, 10]);
  });
});
