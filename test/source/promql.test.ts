import { describe, expect, it } from 'vitest';
import type { Selector } from '../../src/core/policy.ts';
import type { SeriesIndicator } from '../../src/core/read.ts';
import {
  combined,
  fillRange,
  promqlOf,
  rawSelector,
  sharedMatchers,
} from '../../src/source/promql.ts';
import { aRatio } from '../support/build.ts';

const common = { id: 'x', title: 'X', unit: 'number' } as const;
const counter: Selector = {
  metric: 'orders_total',
  matchers: [{ label: 'version', op: '=', value: '2.4' }],
};

function job(metric: string, value: string, op: '=' | '=~' = '='): Selector {
  return { metric, matchers: [{ label: 'job', op, value }] };
}

describe('promqlOf', () => {
  it.each<readonly [string, SeriesIndicator]>([
    [
      'sum(increase(orders_filled_total[1m])) / sum(increase(orders_submitted_total[1m]))',
      aRatio(),
    ],
    [
      'histogram_quantile(0.99, sum by (le) (rate(latency_seconds_bucket{job="a"}[1m30s])))',
      {
        ...common,
        kind: 'quantile',
        q: 0.99,
        histogram: job('latency_seconds', 'a'),
        overMs: 90_000,
        minTotal: 0,
        early: 'shorten',
      },
    ],
    [
      'sum(rate(orders_total{version="2.4"}[1m]))',
      { ...common, kind: 'rate', counter, aggregate: 'sum', overMs: 60_000, early: 'wait' },
    ],
    [
      'rate(orders_total{version="2.4"}[1m])',
      { ...common, kind: 'rate', counter, aggregate: 'one', overMs: 60_000, early: 'wait' },
    ],
    [
      'sum(increase(orders_total{version="2.4"}[5m]))',
      { ...common, kind: 'increase', counter, overMs: 300_000, early: 'wait' },
    ],
    [
      'sum(increase(orders_total{version="2.4"}[$__range]))',
      { ...common, kind: 'increase', counter, overMs: null, early: 'wait' },
    ],
    [
      '-sum(pnl_usd)',
      {
        ...common,
        kind: 'gauge',
        metric: { metric: 'pnl_usd', matchers: [] },
        aggregate: 'sum',
        negate: true,
      },
    ],
    [
      '{__name__="process.memory"}',
      {
        ...common,
        kind: 'gauge',
        metric: { metric: 'process.memory', matchers: [] },
        aggregate: 'one',
        negate: false,
      },
    ],
    [
      'max_over_time(depth[1m])',
      {
        ...common,
        kind: 'promql',
        promql: 'max_over_time(depth[${range}])',
        overMs: 60_000,
        waitMs: 0,
      },
    ],
  ])('gives %s', (text, indicator) => {
    expect(promqlOf(indicator)).toBe(text);
  });

  it('escapes label values', () => {
    const metric = { metric: 'g', matchers: [{ label: 'a', op: '=~', value: '"\\d\n' }] } as const;
    const gauge = { ...common, kind: 'gauge', metric, aggregate: 'min', negate: false } as const;
    expect(promqlOf(gauge)).toBe('min(g{a=~"\\"\\\\d\\n"})');
  });
});

describe('rawSelector', () => {
  it('asks for all metrics in one range selector', () => {
    const need = { metrics: ['b', 'a', 'b'], selectors: [job('a', 'x'), job('b', 'x')] };
    expect(rawSelector(need, 75_000)).toBe('{__name__=~"a|b",job="x"}[1m15s]');
  });

  it('names a single metric exactly', () => {
    expect(rawSelector({ metrics: ['a.b'], selectors: [] }, 1_000)).toBe('{__name__="a.b"}[1s]');
  });

  it('takes metric names literally', () => {
    const text = rawSelector({ metrics: ['a.b', 'c'], selectors: [] }, 1_000);
    expect(text).toBe('{__name__=~"a\\\\.b|c"}[1s]');
  });

  it('never asks for an empty range', () => {
    expect(rawSelector({ metrics: ['a'], selectors: [] }, 0)).toBe('{__name__="a"}[1ms]');
  });
});

describe('sharedMatchers', () => {
  it('leaves out a matcher that only some selectors have', () => {
    const plain = { metric: 'b', matchers: [] };
    expect(sharedMatchers([job('a', 'x'), plain])).toEqual([]);
  });

  it('allows any of the values that selectors fix for the same label', () => {
    expect(sharedMatchers([job('a', 'x.y'), job('b', 'z|w', '=~')])).toEqual([
      { label: 'job', op: '=~', value: '(?:z|w)|x\\.y' },
    ]);
  });

  it('does not turn a negative matcher into an alternative', () => {
    const not: Selector = { metric: 'b', matchers: [{ label: 'job', op: '!=', value: 'x' }] };
    expect(sharedMatchers([job('a', 'x'), not])).toEqual([]);
  });
});

describe('fillRange', () => {
  const expression = { promql: 'rate(a[${range}]) / rate(b[${range}])', overMs: 60_000 };

  it('takes the time since the deploy while it is shorter', () => {
    expect(fillRange(expression, 37_900)).toBe('rate(a[37s]) / rate(b[37s])');
  });

  it('takes the whole range later, and before a deploy', () => {
    expect(fillRange(expression, 61_000)).toBe('rate(a[60s]) / rate(b[60s])');
    expect(fillRange(expression, null)).toBe('rate(a[60s]) / rate(b[60s])');
  });

  it('has no range in the first second, nor since a deploy that is still to come', () => {
    expect(fillRange(expression, 999)).toBeNull();
    expect(fillRange({ ...expression, overMs: null }, null)).toBeNull();
  });
});

describe('combined', () => {
  it('keeps a comment of one expression from swallowing the next', () => {
    const lines = combined([
      { id: 'a', promql: 'up # all', isScalar: false },
      { id: 'b$1"', promql: '1', isScalar: true },
    ]).split('\n');
    expect(lines).toEqual([
      'label_replace((',
      'up # all',
      '), "canaryd_indicator", "a", "", "")',
      'or',
      'label_replace(vector(',
      '1',
      '), "canaryd_indicator", "b$$1\\"", "", "")',
    ]);
  });
});
