import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatDuration,
  formatNumber,
  formatValue,
  parseDuration,
  parseQuantity,
  roughDuration,
} from '../../src/core/quantity.ts';

describe('parseDuration', () => {
  test.for([
    ['0s', 0],
    ['500ms', 500],
    ['1h30m', 5_400_000],
    ['1.5m', 90_000],
    ['2w', 1_209_600_000],
  ] as const)('reads %s as %i ms', ([text, ms]) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.for(['', '5', '5 m', '-5s', '5x', 'm5', '5m ', '1e3s', '.5s', 'NaNs'])(
    'refuses "%s"',
    (text) => {
      expect(parseDuration(text)).toBeNull();
    },
  );

  test('reads back what formatDuration writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 * 366 * 86_400_000 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});

describe('roughDuration', () => {
  test.for([
    [0, '0s'],
    [12, '12ms'],
    [999, '999ms'],
    [1_000, '1s'],
    [93_412, '1m33s'],
    [3_599_999, '1h'],
    [5_000_000, '1h23m'],
    [86_400_000, '1d'],
    [-61_000, '-1m1s'],
  ] as const)('says %i ms as %s', ([ms, text]) => {
    expect(roughDuration(ms)).toBe(text);
  });

  test('is never off by more than a minute, nor by more than a second under an hour', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_000, max: 40 * 86_400_000 }), (ms) => {
        const said = parseDuration(roughDuration(ms)) ?? Number.NaN;
        expect(Math.abs(said - ms)).toBeLessThanOrEqual(ms < 3_600_000 ? 1_000 : 60_000);
      }),
    );
  });
});

describe('parseQuantity', () => {
  test.for([
    ['80%', { value: 0.8, unit: 'ratio' }],
    ['0.5 %', { value: 0.005, unit: 'ratio' }],
    ['-2%', { value: -0.02, unit: 'ratio' }],
    ['2s', { value: 2, unit: 'seconds' }],
    ['500ms', { value: 0.5, unit: 'seconds' }],
    ['1GB', { value: 1e9, unit: 'bytes' }],
    ['512MiB', { value: 536_870_912, unit: 'bytes' }],
    ['0.01', { value: 0.01, unit: 'number' }],
    [0.01, { value: 0.01, unit: 'number' }],
    [' 42 ', { value: 42, unit: 'number' }],
  ] as const)('reads %s', ([written, quantity]) => {
    expect(parseQuantity(written)).toEqual(quantity);
  });

  test.for([
    '80 percent',
    '1 XB',
    'iB',
    '1iB',
    '%',
    '',
    '1,000',
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ])('refuses %s', (written) => {
    expect(parseQuantity(written)).toBeNull();
  });
});

describe('formatValue', () => {
  test.for([
    [0.724, 'ratio', '72.4 %'],
    [1, 'ratio', '100 %'],
    [0, 'ratio', '0 %'],
    [0.00012, 'ratio', '0.012 %'],
    [2.31, 'seconds', '2.31 s'],
    [0.0453, 'seconds', '45.3 ms'],
    [0, 'seconds', '0 s'],
    [1_234_567_890, 'bytes', '1.23 GB'],
    [999, 'bytes', '999 B'],
    [1_204.5, 'USD', '1,204.5 USD'],
    [-1_234_567.891, 'USD', '-1,234,567.89 USD'],
    [0.0123, 'number', '0.0123'],
    [Number.NaN, 'ratio', 'NaN'],
    [Number.POSITIVE_INFINITY, 'seconds', 'Infinity'],
  ] as const)('says %d in %s as %s', ([value, unit, text]) => {
    expect(formatValue(value, unit)).toBe(text);
  });
});

describe('formatNumber', () => {
  test('never says minus zero', () => {
    expect(formatNumber(-0.0001)).toBe('0');
    expect(formatNumber(-0)).toBe('0');
  });

  test('keeps the number that it groups', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e12, max: 1e12 }), (value) => {
        expect(Number(formatNumber(value, 0).replaceAll(',', ''))).toBe(value);
      }),
    );
  });
});
