import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CompareLimit, clearlyWorse, limitValue, met } from '../../src/core/limit.ts';
import type { Comparator } from '../../src/core/policy.ts';

function limit(comparator: Comparator, value: number, of: string | null = null): CompareLimit {
  return { kind: 'compare', comparator, value, of };
}

describe('met', () => {
  // [comparator, just below the limit, at it, just above it]
  test.for([
    ['above', false, false, true],
    ['at_least', false, true, true],
    ['below', true, false, false],
    ['at_most', true, true, false],
  ] as const)('%s: below %s, at %s, above %s', ([comparator, below, at, above]) => {
    const one = limit(comparator, 0.8);
    expect([0.7999999, 0.8, 0.8000001].map((value) => met(one, value, 0.8, undefined))).toEqual([
      below,
      at,
      above,
    ]);
  });

  test('within is closeness to 0, on both sides and at the border', () => {
    const one = limit('within', 200);
    const values = [-200.1, -200, 0, 200, 200.1];
    expect(values.map((value) => met(one, value, 200, undefined))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
  });

  test('within a share of the baseline is closeness to the baseline, also to a negative one', () => {
    const one = limit('within', 0.1, 'baseline');
    for (const baseline of [100, -100]) {
      const absolute = limitValue(one, {}, baseline) ?? Number.NaN;
      const near = [0.89, 0.91, 1, 1.09, 1.11].map((share) =>
        met(one, share * baseline, absolute, baseline),
      );
      expect(near).toEqual([false, true, true, true, false]);
    }
  });
});

describe('limitValue', () => {
  test('is the value itself when it is absolute', () => {
    expect(limitValue(limit('above', 2), {}, 5)).toBe(2);
  });

  test('is a share of a parameter', () => {
    expect(
      limitValue(limit('above', 0.005, 'deploy_capital'), { deploy_capital: 1e5 }, undefined),
    ).toBe(500);
  });

  test.for([
    ['a parameter that the deploy did not bring', 'capital', {}],
    ['a parameter that is a text', 'capital', { capital: '1000' }],
    ['a baseline that is not known', 'baseline', { baseline: 7 }],
  ] as const)('is not known with %s', ([, of, parameters]) => {
    expect(limitValue(limit('above', 1.2, of), parameters, undefined)).toBeNull();
  });

  test('above 100 % of the baseline it is above the baseline, below 100 % below it, whatever its sign', () => {
    const share = fc.double({ min: 1.001, max: 10, noNaN: true });
    const size = fc.double({ min: 0.001, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(share, size, fc.boolean(), (more, amount, isNegative) => {
        const baseline = isNegative ? -amount : amount;
        const higher = limitValue(limit('above', more, 'baseline'), {}, baseline) ?? Number.NaN;
        const lower = limitValue(limit('below', 1 / more, 'baseline'), {}, baseline) ?? Number.NaN;
        expect(higher).toBeGreaterThan(baseline);
        expect(lower).toBeLessThan(baseline);
      }),
    );
  });

  test('a baseline that has not changed is never a breach of "below 80 %" or "above 120 %"', () => {
    for (const baseline of [-10, 0, 10]) {
      for (const one of [limit('below', 0.8, 'baseline'), limit('above', 1.2, 'baseline')]) {
        expect(met(one, baseline, limitValue(one, {}, baseline) ?? Number.NaN, baseline)).toBe(
          false,
        );
      }
    }
  });
});

describe('clearlyWorse', () => {
  test('below 80 % from a baseline of 75 %: 16 points lower is clearly worse, less is not', () => {
    const one = limit('below', 0.8);
    expect(clearlyWorse(one, 0.591, 0.8, 0.75, 0.2)).toBe(false);
    expect(clearlyWorse(one, 0.589, 0.8, 0.75, 0.2)).toBe(true);
  });

  test('above 2 s from a baseline of 3 s: 0.6 s more is clearly worse, less is not', () => {
    const one = limit('above', 2);
    expect(clearlyWorse(one, 3.59, 2, 3, 0.2)).toBe(false);
    expect(clearlyWorse(one, 3.61, 2, 3, 0.2)).toBe(true);
  });

  test('an unchanged value is never worse, not even with a margin of nothing', () => {
    expect(clearlyWorse(limit('above', 2), 3, 2, 3, 0)).toBe(false);
    expect(clearlyWorse(limit('above', 2), 3.001, 2, 3, 0)).toBe(true);
  });
});
