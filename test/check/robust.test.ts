// Whatever the validator lets through, the checks can say something about, or nothing.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CATALOGUE } from '../../src/check/catalogue.ts';
import { staticFindings } from '../../src/check/static.ts';
import { subjectOf } from '../../src/check/subject.ts';
import { metricsIn } from '../../src/check/words.ts';
import { FINDING_NAMES } from '../../src/config/finding-names.ts';
import { pathOf, pathText } from '../../src/config/problems.ts';
import { readPolicy } from '../../src/config/to-policy.ts';
import { withChanges } from '../config/sample-policy.ts';
import { CLEAN } from './sample.ts';

function pathsOf(value: unknown, prefix = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    return [path, ...pathsOf(item, path)];
  });
}

const COMPARATORS = ['above', 'below', 'at_least', 'at_most', 'within'] as const;
const QUANTITIES = [0, 1, -1, 0.5, 2000, '0%', '80%', '200%', '2s', '5ms', '1GB', '1kB'] as const;
const limit = fc
  .tuple(
    fc.constantFrom(...COMPARATORS),
    fc.constantFrom(...QUANTITIES),
    fc.constantFrom({}, { of: 'baseline' }, { of: 'capital' }, { for: '1m' }),
  )
  .map(([comparator, value, more]) => ({ [comparator]: value, ...more }));
const value = fc.oneof(
  limit,
  fc.constantFrom<unknown>(...QUANTITIES, undefined, [], '15m', '7d', 'wait', 'observe'),
  fc.constantFrom({ failing: 1 }, { passing: 2 }, { gauge: { metric: 'x_total' } }),
);
const change = fc.tuple(fc.constantFrom(...pathsOf(CLEAN)), value);

/** No change is inside of another. */
const changesApart = fc.uniqueArray(change, {
  maxLength: 2,
  selector: ([path]) => path,
  comparator: (a, b) => a.startsWith(b) || b.startsWith(a),
});

const RUNS = 200;

describe('the checks', () => {
  it('never throw on a valid policy, and tell findings of their list', () => {
    let valid = 0;
    fc.assert(
      fc.property(changesApart, (changes) => {
        // As it comes from a file: a list has no holes.
        const raw: unknown = JSON.parse(JSON.stringify(withChanges(CLEAN, changes)));
        const result = readPolicy(raw, 'x');
        fc.pre(result.kind === 'policy');
        valid += 1;
        for (const { name, level, message } of staticFindings(subjectOf(result.policy, raw))) {
          expect(level).toBe(CATALOGUE[name].level);
          expect(message).not.toMatch(/undefined|NaN|null|\[object/);
        }
      }),
      { numRuns: RUNS, maxSkipsPerRun: 500 },
    );
    expect(valid).toBe(RUNS);
  });
});

describe('the list of findings', () => {
  it('has each name once', () => {
    expect(new Set(FINDING_NAMES).size).toBe(FINDING_NAMES.length);
    expect(Object.keys(CATALOGUE).toSorted()).toEqual([...FINDING_NAMES].toSorted());
  });
});

describe('a path as text', () => {
  it.each(['windows[0].stop.fill_rate', 'on_stop[2].verify', 'match["a b"].x'])(
    '%s is read back',
    (text) => {
      expect(pathText(pathOf(text))).toBe(text);
    },
  );
});

describe('metrics in PromQL', () => {
  it.each([
    ['sum(rate(a_total{x="b"}[5m])) / sum(rate(c_total[5m]))', ['a_total', 'c_total']],
    ['max by (le, pod) (a_bytes offset 5m) > 3e9 or vector(0)', ['a_bytes']],
    ['a and on (x) group_left (y) b unless c', ['a', 'b', 'c']],
    ['histogram_quantile(0.9, sum by (le) (rate(x:y_bucket[${range}]))) # of z', ['x:y_bucket']],
    ['absent(up{job="a"}) == bool 1', ['up']],
    ['{__name__="a"}', []],
    ['a @ end() + b @ 1.5', ['a', 'b']],
  ])('%s', (promql, metrics) => {
    expect(metricsIn(promql)).toEqual(metrics);
  });
});
