import { describe, expect, test } from 'vitest';
import { coverageOf, coverageShortfall } from '../../src/core/coverage.ts';
import type { ConditionTrack } from '../../src/core/track.ts';
import { aCondition, aConditionTrack, aPolicy, aTrack, T0 } from '../support/build.ts';

const MINUTE = 60_000;
const STOP = 'immediate.stop.fill_rate';
const warn = aCondition({ id: 'immediate.warn.memory', indicator: 'memory', role: 'warn' });
const policy = aPolicy({ conditions: [aCondition(), warn], coverage: 0.5 });

function coverage(sinceDeployMs: number, over: Partial<ConditionTrack>): number | undefined {
  const track = aTrack(T0, { conditions: { [STOP]: aConditionTrack(over) } });
  return coverageOf(policy, track, sinceDeployMs)[STOP];
}

describe('coverage', () => {
  test('is the share of the ticks of the window so far', () => {
    expect(coverage(10 * MINUTE, { ticksJudged: 60 })).toBe(0.5);
  });

  test('is counted against the whole window once it is over, and no longer changes', () => {
    expect(coverage(15 * MINUTE, { ticksJudged: 90 })).toBe(0.5);
    expect(coverage(5 * 60 * MINUTE, { ticksJudged: 90 })).toBe(0.5);
  });

  test('leaves out the ticks that waited by design', () => {
    expect(coverage(15 * MINUTE, { ticksJudged: 60, ticksEarly: 120 })).toBe(1);
  });

  test('of a condition that only waited is nothing', () => {
    expect(coverage(15 * MINUTE, { ticksJudged: 0, ticksEarly: 180 })).toBe(0);
    expect(coverageOf(policy, aTrack(T0, { conditions: {} }), MINUTE)[STOP]).toBe(0);
  });

  test('is never more than all', () => {
    expect(coverage(1_000, { ticksJudged: 3 })).toBe(1);
  });

  test('does not speak of a window that has not begun', () => {
    const later = aPolicy({ conditions: [aCondition({ id: 'x', window: 'success' })] });
    const track = aTrack(T0);
    expect(coverageOf(later, track, 15 * MINUTE)).toEqual({});
    expect(coverageOf(later, track, 15 * MINUTE + 1)).toEqual({ x: 0 });
  });
});

describe('a shortfall of coverage', () => {
  test('begins below the wanted share, and is final when the window is over', () => {
    const short = { [STOP]: 0.49 };
    const text = `${STOP} was judged in 49 % of its window, at least 50 % is wanted`;
    expect(coverageShortfall(policy, short, 14 * MINUTE)).toEqual({ all: [text], final: [] });
    expect(coverageShortfall(policy, short, 15 * MINUTE)).toEqual({ all: [text], final: [text] });
    expect(coverageShortfall(policy, { [STOP]: 0.5 }, 15 * MINUTE).all).toEqual([]);
  });

  test('is there when nothing was judged, even if the policy wants no share at all', () => {
    const lenient = { ...policy, coverage: 0 };
    expect(coverageShortfall(lenient, { [STOP]: 0 }, MINUTE).all).toHaveLength(1);
  });

  test('of a warning is only that it was never judged', () => {
    expect(coverageShortfall(policy, { [warn.id]: 0.01 }, 15 * MINUTE).all).toEqual([]);
    expect(coverageShortfall(policy, { [warn.id]: 0 }, 15 * MINUTE).final).toEqual([
      'immediate.warn.memory was never judged in its window',
    ]);
  });
});
