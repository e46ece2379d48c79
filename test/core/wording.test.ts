import { describe, expect, test } from 'vitest';
import type { Limit } from '../../src/core/policy.ts';
import { conditionNow, conditionSentence, limitText, sinceText } from '../../src/core/wording.ts';
import { aCondition, aPolicy, someEvidence, T0 } from '../support/build.ts';

const policy = aPolicy();

function compare(over: Partial<Extract<Limit, { kind: 'compare' }>>): Limit {
  return { kind: 'compare', comparator: 'above', value: 0.8, of: null, ...over };
}

describe('a limit in words', () => {
  test.for([
    [compare({ comparator: 'below' }), 'ratio', 'below 80 %'],
    [compare({ value: 2 }), 'seconds', 'above 2 s'],
    [compare({ comparator: 'at_least', value: 3 }), 'number', 'at least 3'],
    [compare({ comparator: 'at_most', value: 1e9 }), 'bytes', 'at most 1 GB'],
    [compare({ value: 0.005, of: 'deploy_capital' }), 'USD', 'above 0.5 % of deploy_capital'],
    [
      compare({ value: 1.2, of: 'baseline' }),
      'seconds',
      'above 120 % of the value before the deploy',
    ],
    [
      compare({ comparator: 'within', value: 0.002, of: 'capital' }),
      'USD',
      'within ±0.2 % of capital',
    ],
    [{ kind: 'failing', times: 3 }, 'number', 'failing 3 checks in a row'],
    [{ kind: 'passing', times: 1 }, 'number', 'passing 1 check'],
  ] as const)('%o in %s is "%s"', ([limit, unit, text]) => {
    expect(limitText(limit, unit)).toBe(text);
  });
});

describe('a condition in words', () => {
  test('is a sentence with its window', () => {
    expect(policy.conditions.map((condition) => conditionSentence(condition, policy))).toEqual([
      'Stop when Order fill rate below 80 % (immediate, 0s-15m)',
      'Stop when Health endpoint failing 3 checks in a row (immediate, 0s-15m)',
      'Pass needs Order fill rate above 95 % (success, 15m-1d)',
    ]);
  });

  test('says how long, and that blindness stops', () => {
    const condition = aCondition({ forMs: 60_000, onBlind: 'stop' });
    expect(conditionSentence(condition, policy)).toBe(
      'Stop when Order fill rate below 80 % for 1m, or stays blind (immediate, 0s-15m)',
    );
  });
});

describe('a figure in words', () => {
  test('has the counts behind it and the limit', () => {
    expect(conditionNow(policy, someEvidence({ rangeMs: 60_000 }))).toBe(
      'Order fill rate 72 % (867 of 1,204 in 1m), limit: below 80 %',
    );
  });

  test('says when its range is shortened', () => {
    expect(conditionNow(policy, someEvidence({ rangeMs: 20_000, shortened: true }))).toBe(
      'Order fill rate 72 % (867 of 1,204 in 20s, since the deploy), limit: below 80 %',
    );
  });

  test('of a verification is shortened by the rollback, not by the deploy', () => {
    const condition = aCondition({
      id: 'verify.fill_rate',
      role: 'verify',
      window: 'verify',
      limit: compare({ comparator: 'above' }),
    });
    const verifying = aPolicy({ verify: { withinMs: 600_000, conditions: [condition] } });
    const evidence = someEvidence({
      condition: 'verify.fill_rate',
      role: 'verify',
      rangeMs: 20_000,
      shortened: true,
    });
    expect(conditionNow(verifying, evidence)).toBe(
      'Order fill rate 72 % (867 of 1,204 in 20s, since the rollback), wanted: above 80 %',
    );
  });

  test('of a pass condition is wanted, not limited', () => {
    const evidence = someEvidence({
      condition: 'success.pass.fill_rate',
      role: 'pass',
      value: 0.98,
    });
    expect(conditionNow(policy, evidence)).toBe(
      'Order fill rate 98 % (867 of 1,204), wanted: above 95 %',
    );
  });

  test('says what a relative limit came to', () => {
    const relative = aPolicy({
      conditions: [
        aCondition({ limit: compare({ comparator: 'below', value: 0.9, of: 'baseline' }) }),
      ],
    });
    expect(conditionNow(relative, someEvidence({ limit: 0.882 }))).toBe(
      'Order fill rate 72 % (867 of 1,204), limit: below 90 % of the value before the deploy (88.2 %)',
    );
  });

  test('of a health endpoint is its checks in a row, and none of a run that is over', () => {
    const failing = someEvidence({
      condition: 'immediate.stop.health',
      indicator: 'health',
      value: 0,
      detail: 'HTTP 503',
    });
    expect(conditionNow(policy, failing)).toBe(
      'Health endpoint failing, 3 checks in a row: HTTP 503',
    );
    expect(conditionNow(policy, { ...failing, samples: 1 })).toBe(
      'Health endpoint failing, 1 check in a row: HTTP 503',
    );
    expect(conditionNow(policy, { ...failing, samples: 0 })).toBe(
      'Health endpoint failing: HTTP 503',
    );
  });

  test('of a condition that the policy no longer knows is its name', () => {
    expect(conditionNow(policy, someEvidence({ condition: 'gone', indicator: 'gone' }))).toBe(
      'gone',
    );
  });

  test('says since when, in UTC', () => {
    expect(sinceText(someEvidence({ sinceMs: T0 + 50_590_000, samples: 1 }))).toBe(
      'since 14:03:10 UTC, 1 sample',
    );
  });
});
