// What a page says of a condition besides its figures.
import { describe, expect, it } from 'vitest';
import type { Limit, Role } from '../../src/core/policy.ts';
import { UNSTARTED } from '../../src/core/watch.ts';
import { absoluteLimit, allowedRange, mustText, worstOf } from '../../src/engine/view-words.ts';
import { aConditionTrack, aPolicy, aTrack } from '../support/build.ts';
import { aCondition, T0 } from './sample.ts';

type Comparator = Extract<Limit, { kind: 'compare' }>['comparator'];
const compare = (comparator: Comparator, value: number, of: string | null = null): Limit => {
  return { kind: 'compare', comparator, value, of };
};

describe('what a condition must be', () => {
  it.each<[Role, Limit, number | null, string]>([
    ['stop', compare('below', 0.8), 0.8, 'must be at least 80 %'],
    ['warn', compare('above', 0.8), 0.8, 'must be at most 80 %'],
    ['stop', compare('at_least', 0.8), 0.8, 'must be below 80 %'],
    ['stop', compare('at_most', 0.8), 0.8, 'must be above 80 %'],
    ['stop', compare('within', 0.8), 0.8, 'must not be within ±80 %'],
    ['pass', compare('above', 0.95), 0.95, 'must be above 95 %'],
    ['verify', compare('within', 0.1), 0.1, 'must be within ±10 %'],
    [
      'stop',
      compare('above', 0.9, 'baseline'),
      0.45,
      'must be at most 90 % of the value before the deploy (45 %)',
    ],
    [
      'stop',
      compare('above', 0.9, 'baseline'),
      null,
      'must be at most 90 % of the value before the deploy',
    ],
    ['stop', { kind: 'failing', times: 3 }, null, 'must not fail 3 checks in a row'],
    ['verify', { kind: 'passing', times: 1 }, null, 'must pass'],
  ])('%s %j', (role, limit, absolute, text) => {
    expect(mustText({ role, limit }, absolute, 'ratio')).toBe(text);
  });

  it.each<[Role, Limit, number | null, [number | null, number | null]]>([
    ['stop', compare('below', 0.8), 0.8, [0.8, null]],
    ['stop', compare('above', 2), 2, [null, 2]],
    ['pass', compare('above', 0.95), 0.95, [0.95, null]],
    ['pass', compare('at_most', 3), 3, [null, 3]],
    ['pass', compare('within', 5), 5, [-5, 5]],
    ['pass', compare('within', 0.1, 'baseline'), 2, [18, 22]],
    ['stop', compare('within', 5), 5, [null, null]],
    ['stop', compare('above', 2, 'baseline'), null, [null, null]],
    ['stop', { kind: 'failing', times: 3 }, null, [null, null]],
  ])('%s %j is fine within %j', (role, limit, absolute, [low, high]) => {
    expect(allowedRange({ role, limit }, absolute, 20)).toEqual({ low, high });
  });

  it('is known from the parameters before anything was judged', () => {
    const limit = compare('above', 1.2, 'expected_positions');
    expect(absoluteLimit(limit, null, { expected_positions: 10 }, undefined)).toBe(12);
    expect(absoluteLimit(limit, 15, { expected_positions: 10 }, undefined)).toBe(15);
  });
});

describe('the worst condition', () => {
  const policy = aPolicy();
  const track = aTrack(T0, { conditions: { x: aConditionTrack() } });
  const state = { ...UNSTARTED };
  const conditions = (...states: ('inactive' | 'blind' | 'pending' | 'firing')[]) =>
    states.map((one, index) => aCondition({ condition: `${index}`, state: one }));
  const worst = (...states: Parameters<typeof conditions>) =>
    worstOf(policy, state, track, conditions(...states))?.condition ?? null;

  it('fires before it is pending, and is pending before it is blind', () => {
    expect(worst('inactive', 'blind', 'pending', 'firing')).toBe('3');
    expect(worst('inactive', 'blind', 'pending')).toBe('2');
    expect(worst('inactive', 'blind')).toBe('1');
    expect(worst('inactive')).toBeNull();
  });

  it('is none that waits by design, none that is fulfilled, none of another window', () => {
    const others = [
      aCondition({ state: 'blind', blindReason: 'too_early' }),
      aCondition({ state: 'firing', role: 'pass' }),
      aCondition({ state: 'firing', window: 'another' }),
    ];
    expect(worstOf(policy, state, track, others)).toBeNull();
  });
});
