// A short stretch of what `npm run soak` does for days.
import { describe, expect, it } from 'vitest';
import { growth, soak } from './soak.ts';

/** The loops of the dispatcher, the keeper and the share. */
const LOOPS = 3;

describe('a daemon over hours, with watches that come and go', () => {
  it('ends them all rightly, and holds no more in the end than in the beginning', async () => {
    const { hours, ends, errors } = await soak({
      hours: 8,
      watches: 10,
      intervalMs: 120_000,
      seed: 7,
    });
    expect(errors).toEqual([]);
    expect(Object.keys(ends).toSorted()).toEqual(['passed', 'stopped']);
    for (const { timers, watched } of hours)
      expect(timers - watched).toBeLessThanOrEqual(LOOPS + 1);
    // Megabytes of a process that runs other tests, too: a leak of every tick would double them.
    expect(growth(hours)).toBeLessThan(0.5);
  }, 60_000);
});
