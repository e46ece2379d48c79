import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { historyMs, measure, metricNames } from '../../src/core/measure.ts';
import type {
  GaugeIndicator,
  IncreaseIndicator,
  Matcher,
  QuantileIndicator,
  RateIndicator,
  RatioIndicator,
  Selector,
} from '../../src/core/policy.ts';
import type { Counts, Reading } from '../../src/core/sample.ts';
import type { Point, Series, SeriesSet } from '../../src/core/series.ts';
import type { MeasureView } from '../../src/core/visible.ts';

/** Times are in seconds; the deploy is at 1000. */
const DEPLOY = 1_000;

type Points = Readonly<Record<number, number>>;

function series(metric: string, points: Points, labels: Record<string, string> = {}): Series {
  const own = Object.entries(points).map(([at, value]) => [Number(at) * 1_000, value] as Point);
  own.sort(([a], [b]) => a - b);
  return { metric, labels, points: own };
}

function setOf(...all: Series[]): SeriesSet {
  return { series: all, coveredFromMs: 0 };
}

function at(seconds: number, more: Partial<MeasureView> = {}): MeasureView {
  return {
    atMs: seconds * 1_000,
    deployedAtMs: DEPLOY * 1_000,
    staleAfterMs: 30_000,
    previous: null,
    ...more,
  };
}

function selector(metric: string, ...matchers: Matcher[]): Selector {
  return { metric, matchers };
}

const common = { id: 'it', title: 'It', unit: 'number' } as const;

const ratio: RatioIndicator = {
  ...common,
  kind: 'ratio',
  part: 'good',
  numerator: selector('filled'),
  total: selector('orders'),
  overMs: 60_000,
  minTotal: 20,
  early: 'shorten',
};
const quantile: QuantileIndicator = {
  ...common,
  kind: 'quantile',
  q: 0.9,
  histogram: selector('took'),
  overMs: 60_000,
  minTotal: 1,
  early: 'shorten',
};
const rate: RateIndicator = {
  ...common,
  kind: 'rate',
  counter: selector('orders'),
  aggregate: 'sum',
  overMs: 60_000,
  early: 'shorten',
};
const increase: IncreaseIndicator = {
  ...common,
  kind: 'increase',
  counter: selector('orders'),
  overMs: 60_000,
  early: 'shorten',
};
const gauge: GaugeIndicator = {
  ...common,
  kind: 'gauge',
  metric: selector('positions'),
  aggregate: 'sum',
  negate: false,
};

function bucket(le: string, points: Points, labels: Record<string, string> = {}): Series {
  return series('took_bucket', points, { ...labels, le });
}

function blind(reason: string, detail: string) {
  return { kind: 'blind', reason, detail: expect.stringContaining(detail) };
}

function countOf(reading: Reading): number {
  return reading.kind === 'value' ? reading.value : Number.NaN;
}

describe('Names and history', () => {
  it('name what a source must fetch', () => {
    expect(metricNames(ratio)).toEqual(['filled', 'orders']);
    expect(metricNames({ ...ratio, numerator: ratio.total })).toEqual(['orders']);
    expect(metricNames(quantile)).toEqual(['took_bucket']);
    expect(metricNames(gauge)).toEqual(['positions']);
    expect(metricNames(rate)).toEqual(['orders']);
  });

  it('say how far an indicator looks back', () => {
    expect(historyMs(ratio)).toBe(60_000);
    expect(historyMs(gauge)).toBe(0);
    expect(historyMs({ ...increase, overMs: null })).toBeNull();
  });
});

describe('A range', () => {
  const counter = series('orders', { 980: 10, 1000: 100, 1020: 130, 1060: 200, 1100: 300 });

  it('is cut by the deploy and says so', () => {
    expect(measure(increase, setOf(counter), at(1020))).toMatchObject({
      value: 30,
      rangeMs: 20_000,
      shortened: true,
    });
  });

  it('is whole once the deploy is longer ago', () => {
    expect(measure(increase, setOf(counter), at(1100))).toMatchObject({
      value: 170,
      rangeMs: 60_000,
      shortened: false,
    });
  });

  it('that may not be cut waits, and says how long', () => {
    const reading = measure({ ...increase, early: 'wait' }, setOf(counter), at(1020));
    expect(reading).toEqual({
      ...blind('too_early', 'waits 40s more'),
      sinceDeploy: { part: 0, total: 30 },
    });
    expect(measure({ ...increase, early: 'wait' }, setOf(counter), at(1060))).toMatchObject({
      value: 100,
    });
  });

  it('before the deploy is the plain one', () => {
    expect(measure(increase, setOf(counter), at(1020, { deployedAtMs: null }))).toEqual({
      kind: 'value',
      value: 120,
      rangeMs: 60_000,
      shortened: false,
    });
  });

  it('is not judged before a deploy that is ahead', () => {
    expect(measure(increase, setOf(counter), at(995))).toEqual(
      blind('too_early', 'the deploy is 5s ahead'),
    );
    expect(measure(gauge, setOf(counter), at(995))).toMatchObject({ reason: 'too_early' });
  });

  it('never sees a point after the query time', () => {
    expect(countOf(measure(increase, setOf(counter), at(1049)))).toBe(30);
  });
});

describe('A counter across the deploy', () => {
  const looked = series('other', { 900: 1, 950: 1, 990: 1, 1005: 1 });

  it('of a process that went on counts from its first point after the deploy', () => {
    const went = series('orders', { 990: 50, 1005: 80, 1010: 90 });
    expect(countOf(measure(increase, setOf(went), at(1010)))).toBe(10);
  });

  it('of a restarted process counts from 0', () => {
    const restarted = series('orders', { 990: 5_000, 1005: 80, 1010: 90 });
    expect(countOf(measure(increase, setOf(restarted), at(1010)))).toBe(90);
  });

  it('that was absent while the source looked counts from 0', () => {
    const born = series('orders', { 1005: 3, 1010: 4 });
    expect(countOf(measure(increase, setOf(born, looked), at(1010)))).toBe(4);
  });

  it('of a new pod counts from 0 when others were looked at for long', () => {
    const pod = series('orders', { 1005: 3, 1010: 4 }, { instance: 'new' });
    const old = series('orders', { 980: 70, 985: 71, 990: 72 }, { instance: 'old' });
    expect(countOf(measure(increase, setOf(pod, old), at(1010)))).toBe(4);
  });

  it('of a target that is merely scraped later than another does not count from 0', () => {
    const first = series('orders', { 1001: 900, 1006: 900, 1011: 900 }, { instance: 'a' });
    const later = series('orders', { 1004: 500, 1009: 501, 1014: 502 }, { instance: 'b' });
    const set = { series: [first, later], coveredFromMs: 1_000_500 };
    expect(countOf(measure(increase, set, at(1015)))).toBe(2);
  });

  it('of a target that is scraped less often than another does not count from 0', () => {
    const often = { 1001: 9, 1006: 9, 1011: 9, 1016: 9, 1021: 9 };
    const quick = series('orders', often, { instance: 'a' });
    const slow = series('orders', { 1020: 500, 1050: 503 }, { instance: 'b' });
    const set = { series: [quick, slow], coveredFromMs: 1_000_500 };
    expect(countOf(measure(increase, set, at(1050)))).toBe(3);
  });

  it('of which nothing is known before counts from its first point', () => {
    const alone = series('orders', { 1005: 300, 1010: 310 });
    expect(countOf(measure(increase, setOf(alone), at(1010)))).toBe(10);
    expect(countOf(measure(increase, setOf(alone), at(1006)))).toBe(0);
    const uncovered = { series: [alone, looked], coveredFromMs: 1_005_000 };
    expect(countOf(measure(increase, uncovered, at(1010)))).toBe(10);
    const lost = { series: [alone, looked], coveredFromMs: 1_000_000 };
    const unwatched = series('other', { 900: 1, 950: 1, 990: 1, 1010: 1 });
    expect(countOf(measure(increase, { ...lost, series: [alone, unwatched] }, at(1010)))).toBe(10);
  });

  it('counts the new value after a reset later on', () => {
    const crashed = series('orders', { 990: 1, 1005: 10, 1010: 30, 1015: 7, 1020: 9 });
    expect(countOf(measure(increase, setOf(crashed), at(1020)))).toBe(29);
  });

  it('restarts with the other counters of its process, even where its own value rose', () => {
    const labels = { instance: 'a' };
    const total = series('orders', { 990: 30, 1005: 20, 1010: 40 }, labels);
    const filled = series('filled', { 990: 3, 1005: 18, 1010: 36 }, labels);
    expect(measure(ratio, setOf(total, filled), at(1010))).toMatchObject({
      value: 0.9,
      counts: { part: 36, total: 40 },
    });
  });

  it('goes on when another process behind the same target restarts', () => {
    // Two pods push through one gateway. Pod a restarts at 1100 and fills nothing from then on.
    const pod = (metric: string, name: string, valueAt: (second: number) => number) => {
      const seconds = Array.from({ length: 31 }, (_, index) => 990 + index * 5);
      const points = Object.fromEntries(seconds.map((second) => [second, valueAt(second)]));
      return series(metric, points, { job: 'push', instance: 'gateway:9091', pod: name });
    };
    const grown = (second: number) => 50_000 + 10 * (second - DEPLOY);
    const set = setOf(
      pod('orders', 'a', (second) => (second < 1_100 ? grown(second) : 10 * (second - 1_100))),
      pod('filled', 'a', (second) => (second < 1_100 ? grown(second) : 0)),
      pod('orders', 'b', (second) => 1_000_000 + second),
      pod('filled', 'b', (second) => 1_000_000 + second),
    );
    expect(measure(ratio, set, at(1_140))).toMatchObject({ counts: { part: 210, total: 610 } });
  });

  it('restarts across the label that tells bad events from all', () => {
    const bad = selector('requests', { label: 'status', op: '=', value: '500' });
    const indicator = { ...ratio, numerator: bad, total: selector('requests') };
    const of = (points: Points, status: string, path: string) =>
      series('requests', points, { instance: 'a', status, path });
    const set = setOf(
      of({ 990: 900, 1005: 20, 1010: 60 }, '200', '/orders'),
      of({ 990: 3, 1005: 18, 1010: 40 }, '500', '/orders'),
      of({ 990: 7, 1005: 8, 1010: 9 }, '200', '/other'),
    );
    expect(measure(indicator, set, at(1010))).toMatchObject({ counts: { part: 40, total: 101 } });
  });

  it('has no fresh point: stale, with the cause', () => {
    const old = series('orders', { 980: 5, 990: 6 });
    expect(measure(increase, setOf(old), at(1005))).toEqual(blind('stale', 'before the deploy'));
    const quiet = series('orders', { 990: 5, 1005: 6 });
    expect(measure(increase, setOf(quiet), at(1050))).toEqual(
      blind('stale', 'is 45s old, at most 30s wanted'),
    );
    const gone = { ...series('orders', { 990: 5, 1005: 6 }), endedAtMs: 1_008_000 };
    expect(measure(increase, setOf(gone), at(1010))).toEqual(blind('stale', 'ended'));
  });

  it('is never negative, also when the service counts below 0', () => {
    const broken = series('orders', { 990: 5, 1005: 4, 1010: -3, 1015: -3 });
    expect(countOf(measure(increase, setOf(broken), at(1015)))).toBe(4);
  });
});

describe('A ratio', () => {
  const orders = series('orders', { 990: 500, 1005: 20, 1010: 40 });

  it('is the share of raw increments, with its counts', () => {
    const filled = series('filled', { 990: 490, 1005: 15, 1010: 30 });
    expect(measure(ratio, setOf(orders, filled), at(1010))).toEqual({
      kind: 'value',
      value: 0.75,
      rangeMs: 10_000,
      shortened: true,
      counts: { part: 30, total: 40 },
      sinceDeploy: { part: 30, total: 40 },
    });
  });

  it('is 0 while its numerator does not exist', () => {
    expect(measure(ratio, setOf(orders), at(1010))).toMatchObject({
      value: 0,
      counts: { part: 0, total: 40 },
    });
  });

  it('sums several series', () => {
    const a = series('orders', { 990: 500, 1005: 20 }, { instance: 'a' });
    const b = series('orders', { 990: 500, 1005: 30 }, { instance: 'b' });
    const filled = series('filled', { 990: 490, 1005: 10 }, { instance: 'b' });
    expect(measure(ratio, setOf(a, b, filled), at(1005))).toMatchObject({
      value: 0.2,
      counts: { part: 10, total: 50 },
    });
  });

  it('of too few events is blind, with its counts', () => {
    const few = series('orders', { 990: 500, 1005: 1, 1040: 3 });
    expect(measure(ratio, setOf(few), at(1040))).toEqual({
      ...blind('too_few', '3 of at least 20 events in 40s'),
      counts: { part: 0, total: 3 },
      sinceDeploy: { part: 0, total: 3 },
    });
    const idle = series('orders', { 990: 5, 1005: 5, 1040: 5 });
    expect(measure({ ...ratio, minTotal: 0 }, setOf(idle), at(1040))).toMatchObject({
      reason: 'too_few',
    });
  });

  it('of no total is blind: perhaps misspelt, or the labels differ', () => {
    const filled = series('filled', { 990: 1, 1005: 2 });
    expect(measure(ratio, setOf(filled), at(1010))).toEqual(blind('no_series', 'misspelt'));
    const wanted = { ...ratio, total: selector('orders', { label: 'v', op: '=', value: '2' }) };
    expect(measure(wanted, setOf(orders), at(1010))).toEqual(
      blind('no_series', '1 series of orders have other labels'),
    );
  });

  it('goes on counting since the deploy from the previous tick', () => {
    const previous = { atMs: 1_005_000, counts: { part: 7, total: 1_000 } };
    expect(measure(ratio, setOf(orders), at(1010, { previous }))).toMatchObject({
      counts: { part: 0, total: 40 },
      sinceDeploy: { part: 7, total: 1_020 },
    });
  });

  it('of the time before the deploy has no counts since the deploy', () => {
    const reading = measure(ratio, setOf(orders), at(1010, { deployedAtMs: null }));
    expect(reading).not.toHaveProperty('sinceDeploy');
    expect(reading).toMatchObject({ counts: { part: 0, total: 40 } });
  });

  it('may exceed 1: nothing is clamped', () => {
    const filled = series('filled', { 990: 490, 1005: 50, 1010: 60 });
    expect(countOf(measure(ratio, setOf(orders, filled), at(1010)))).toBe(1.5);
  });
});

describe('Matchers', () => {
  const set = setOf(
    series('positions', { 1005: 1 }, { code: '500' }),
    series('positions', { 1005: 2 }, { code: '404' }),
    series('positions', { 1005: 4 }),
    series('other', { 1005: 8 }, { code: '500' }),
  );

  it.each([
    ['=', '500', 1],
    ['=', '', 4],
    ['!=', '500', 6],
    ['!=', '', 3],
    ['=~', '5..', 1],
    ['=~', '5|404', 2],
    ['=~', '50', Number.NaN],
    ['=~', '.*', 7],
    ['!~', '[45]..', 4],
    ['=~', '(?i)50\\d', 1],
  ] as const)('code%s"%s" means what it means in Prometheus', (op, value, sum) => {
    const metric = selector('positions', { label: 'code', op, value });
    expect(countOf(measure({ ...gauge, metric }, set, at(1005)))).toBe(sum);
  });

  it('do not mistake a missing label for a property of objects', () => {
    const metric = selector('positions', { label: 'constructor', op: '=', value: '' });
    expect(countOf(measure({ ...gauge, metric }, set, at(1005)))).toBe(7);
  });

  it('with an invalid regular expression are rejected', () => {
    const metric = selector('positions', { label: 'code', op: '=~', value: '(' });
    expect(measure({ ...gauge, metric }, set, at(1005))).toEqual(
      blind('rejected', 'code=~"(" in the policy is not a valid regular expression'),
    );
  });
});

describe('A quantile', () => {
  function histogram(counts: Readonly<Record<string, number>>): SeriesSet {
    const buckets = Object.entries(counts).map(([le, count]) =>
      bucket(le, { 990: 9e9, 1005: count }),
    );
    return setOf(...buckets);
  }

  it.each([
    [0.5, { '0.1': 50, '0.5': 90, '+Inf': 100 }, 0.1],
    [0.25, { '0.1': 50, '0.5': 90, '+Inf': 100 }, 0.05],
    [0.7, { '0.1': 50, '0.5': 90, '+Inf': 100 }, 0.3],
    [0.99, { '0.1': 50, '0.5': 90, '+Inf': 100 }, 0.5],
    [0.5, { '-1': 60, '1': 90, '+Inf': 100 }, -1],
    [0.9, { '0.1': 50, '0.5': 40, '1': 100, '+Inf': 100 }, 0.9],
    [1, { '0.1': 50, '0.5': 100, '+Inf': 100 }, 0.5],
  ])('%d of %j is %d, as Prometheus interpolates', (q, counts, value) => {
    const reading = measure({ ...quantile, q }, histogram(counts), at(1005));
    expect(countOf(reading)).toBeCloseTo(value, 12);
  });

  it('sums the increments of all series per bound, however the bound is written', () => {
    const set = setOf(
      bucket('0.1', { 990: 99, 1005: 10 }, { instance: 'a' }),
      bucket('+Inf', { 990: 99, 1005: 10 }, { instance: 'a' }),
      bucket('0.10', { 990: 99, 1005: 0 }, { instance: 'b' }),
      bucket('1', { 990: 99, 1005: 10 }, { instance: 'b' }),
      bucket('1.0', { 990: 99, 1005: 10 }, { instance: 'a' }),
      bucket('+Inf', { 990: 99, 1005: 10 }, { instance: 'b' }),
    );
    expect(measure({ ...quantile, q: 0.75 }, set, at(1005))).toEqual({
      kind: 'value',
      value: 0.55,
      rangeMs: 5_000,
      shortened: true,
      counts: { part: 0, total: 20 },
      sinceDeploy: { part: 0, total: 20 },
    });
  });

  it('of a restarted process is not torn: all its buckets start from 0 together', () => {
    const set = setOf(
      bucket('0.1', { 990: 5, 1005: 99 }),
      bucket('1', { 990: 4_000, 1005: 100 }),
      bucket('+Inf', { 990: 9_000, 1005: 100 }),
    );
    expect(countOf(measure(quantile, set, at(1005)))).toBeLessThan(0.1);
  });

  it('of too few observations is blind', () => {
    const set = histogram({ '0.1': 1, '+Inf': 3 });
    expect(measure({ ...quantile, minTotal: 20 }, set, at(1005))).toEqual({
      ...blind('too_few', '3 of at least 20'),
      counts: { part: 0, total: 3 },
      sinceDeploy: { part: 0, total: 3 },
    });
  });

  it('without a +Inf bucket is blind', () => {
    expect(measure(quantile, histogram({ '0.1': 1, '1': 3 }), at(1005))).toEqual(
      blind('not_finite', 'no le="+Inf" bucket'),
    );
  });
});

describe('A rate', () => {
  it('is increments per observed second', () => {
    const counter = series('orders', { 990: 9, 1005: 10, 1025: 50 });
    expect(countOf(measure(rate, setOf(counter), at(1030)))).toBe(2);
  });

  it('of a process that started from 0 is observed since the deploy', () => {
    const counter = series('orders', { 990: 900, 1010: 10, 1020: 40 });
    expect(countOf(measure(rate, setOf(counter), at(1020)))).toBe(2);
  });

  it('of several series is aggregated', () => {
    const a = series('orders', { 990: 0, 1000: 0, 1010: 10, 1020: 20 }, { instance: 'a' });
    const b = series('orders', { 990: 0, 1000: 0, 1010: 30, 1020: 60 }, { instance: 'b' });
    const read = (aggregate: RateIndicator['aggregate']) =>
      measure({ ...rate, aggregate }, setOf(a, b), at(1020));
    expect(countOf(read('sum'))).toBe(4);
    expect(countOf(read('avg'))).toBe(2);
    expect(countOf(read('min'))).toBe(1);
    expect(countOf(read('max'))).toBe(3);
    expect(read('one')).toMatchObject({ reason: 'many_series' });
  });

  it('of a pod that is gone is spread over the time it was gone', () => {
    const gone = { ...series('orders', { 990: 0, 1000: 0, 1010: 40 }), endedAtMs: 1_015_000 };
    const live = series('orders', { 1000: 0, 1010: 0, 1020: 0 }, { instance: 'b' });
    expect(countOf(measure(rate, setOf(gone, live), at(1020)))).toBe(2);
  });

  it('of a single sample is blind', () => {
    const counter = series('orders', { 1005: 10 });
    expect(measure(rate, setOf(counter), at(1005))).toEqual(blind('too_few', 'a rate needs two'));
  });

  it('of no series is blind', () => {
    expect(measure(rate, setOf(), at(1005))).toEqual(blind('no_series', 'misspelt'));
  });
});

describe('An increase', () => {
  it('of a metric that does not exist says that it may not have counted yet', () => {
    const alive = series('other', { 990: 1, 1005: 2 });
    expect(measure(increase, setOf(alive), at(1005))).toEqual(
      blind('no_series', 'may not have counted yet'),
    );
  });

  it('since the deploy goes on from the previous tick, whatever the history holds', () => {
    const counter = series('orders', { 4990: 100, 5000: 130 });
    const previous = { atMs: 4_995_000, counts: { part: 0, total: 70 } };
    expect(measure({ ...increase, overMs: null }, setOf(counter), at(5000, { previous }))).toEqual({
      kind: 'value',
      value: 100,
      rangeMs: 4_000_000,
      shortened: false,
      sinceDeploy: { part: 0, total: 100 },
    });
  });

  it('since the deploy means nothing before a deploy', () => {
    const counter = series('orders', { 990: 100 });
    const before = at(1000, { deployedAtMs: null });
    expect(measure({ ...increase, overMs: null }, setOf(counter), before)).toMatchObject({
      reason: 'too_early',
    });
  });
});

describe('A gauge', () => {
  const two = setOf(
    series('positions', { 1000: 1, 1005: 4 }, { instance: 'a' }),
    series('positions', { 1000: 1, 1005: 6 }, { instance: 'b' }),
  );

  it('is aggregated over its live series', () => {
    const read = (aggregate: GaugeIndicator['aggregate']) =>
      countOf(measure({ ...gauge, aggregate }, two, at(1005)));
    expect([read('sum'), read('avg'), read('min'), read('max')]).toEqual([10, 5, 4, 6]);
  });

  it('of which one is meant names the series that are too many', () => {
    expect(measure({ ...gauge, aggregate: 'one' }, two, at(1005))).toEqual(
      blind('many_series', '2 series of positions where one is meant: {instance="a"}, {instance='),
    );
  });

  it('is negated, without a negative zero', () => {
    const loss = { ...gauge, negate: true };
    expect(countOf(measure(loss, two, at(1005)))).toBe(-10);
    const flat = setOf(series('positions', { 1005: 0 }));
    expect(measure(loss, flat, at(1005))).toEqual({ kind: 'value', value: 0 });
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('of %d is blind', (value) => {
    const set = setOf(series('positions', { 1004: 1, 1005: value }));
    expect(measure(gauge, set, at(1005))).toMatchObject({ reason: 'not_finite' });
  });

  it('from before the deploy is stale, whatever its value', () => {
    const set = setOf(series('positions', { 995: 1, 999: 1 }));
    expect(measure(gauge, set, at(1005))).toEqual(blind('stale', 'before the deploy'));
    expect(countOf(measure(gauge, set, at(1005, { deployedAtMs: null })))).toBe(1);
  });

  it('that is too old is stale, with its age', () => {
    const set = setOf(series('positions', { 1000: 1, 1005: 1 }));
    expect(measure(gauge, set, at(1046))).toEqual(blind('stale', 'is 41s old, at most 30s wanted'));
  });

  it('of a pod that is gone is not in the sum while its siblings go on', () => {
    const gone = series('positions', { 1000: 50, 1005: 50 }, { instance: 'gone' });
    const live = series('positions', { 1005: 1, 1010: 2, 1015: 3, 1020: 4 });
    expect(countOf(measure(gauge, setOf(gone, live), at(1015)))).toBe(53);
    expect(countOf(measure(gauge, setOf(gone, live), at(1020)))).toBe(4);
  });

  it('of a pod that the source saw end is out at once', () => {
    const gone = { ...series('positions', { 1000: 50 }), endedAtMs: 1_005_000 };
    const live = series('positions', { 1000: 1, 1005: 2 }, { instance: 'b' });
    expect(countOf(measure(gauge, setOf(gone, live), at(1004)))).toBe(51);
    expect(countOf(measure(gauge, setOf(gone, live), at(1005)))).toBe(2);
  });
});

describe('NaN in a counter', () => {
  it('is a missing point while later ones are known', () => {
    const counter = series('orders', { 990: 1, 1005: 10, 1010: Number.NaN, 1015: 30 });
    expect(countOf(measure(increase, setOf(counter), at(1015)))).toBe(20);
  });

  it('as the newest point of either part of a ratio is blind, not a wrong share', () => {
    const orders = series('orders', { 990: 1, 1005: 100, 1010: 200 });
    const filled = series('filled', { 990: 1, 1005: 100, 1010: Number.NaN });
    expect(measure(ratio, setOf(orders, filled), at(1010))).toEqual(
      blind('not_finite', 'newest sample of filled is NaN'),
    );
    const swapped = { ...ratio, numerator: ratio.total, total: ratio.numerator };
    expect(measure(swapped, setOf(orders, filled), at(1010))).toMatchObject({
      reason: 'not_finite',
    });
  });
});

describe('Counting, whatever the samples', () => {
  const value = fc.oneof(
    { weight: 8, arbitrary: fc.nat(50) },
    { weight: 1, arbitrary: fc.constant(Number.NaN) },
  );
  const points = fc
    .dictionary(fc.integer({ min: 980, max: 1040 }).map(String), value, { maxKeys: 25 })
    .map((entries) => entries as Points);
  const sets = fc
    .record({ a: points, b: points, rare: points })
    .map(({ a, b, rare }) =>
      setOf(
        series('orders', a, { instance: 'a' }),
        series('orders', b, { instance: 'b' }),
        series('filled', rare, { instance: 'a' }),
      ),
    );
  const patient = { ...ratio, minTotal: 0, overMs: 15_000 };
  const sinceDeploy = (reading: Reading): Counts | undefined => reading.sinceDeploy;

  it('is never negative', () => {
    fc.assert(
      fc.property(sets, fc.integer({ min: 1000, max: 1040 }), (set, seconds) => {
        const reading = measure(patient, set, at(seconds));
        const counts = [reading.counts, reading.sinceDeploy].filter((one) => one !== undefined);
        expect(counts.every(({ part, total }) => part >= 0 && total >= 0)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('gives the same sum in one go and tick by tick, wherever the ticks are', () => {
    const ticks = fc.uniqueArray(fc.integer({ min: 1000, max: 1039 }), { maxLength: 8 });
    fc.assert(
      fc.property(sets, ticks, (set, times) => {
        // Ends of all series are known at every tick, so that no tick is blind by age.
        const all = [...times].sort((a, b) => a - b).concat(1040);
        let previous: MeasureView['previous'] = null;
        for (const seconds of all) {
          const reading = measure(patient, set, at(seconds, { previous, staleAfterMs: 1e9 }));
          const counts = sinceDeploy(reading);
          previous = counts === undefined ? previous : { atMs: seconds * 1_000, counts };
        }
        const whole = measure(patient, set, at(1040, { staleAfterMs: 1e9 }));
        const folded = previous?.counts;
        expect(folded).toEqual(sinceDeploy(whole) ?? folded);
      }),
      { numRuns: 1_000 },
    );
  });

  it('never turns NaN into a finite value of a gauge', () => {
    fc.assert(
      fc.property(points, fc.integer({ min: 1000, max: 1040 }), (own, seconds) => {
        const last = { ...own, [seconds]: Number.NaN };
        const reading = measure(gauge, setOf(series('positions', last)), at(seconds));
        expect(reading).toMatchObject({ kind: 'blind', reason: 'not_finite' });
      }),
    );
  });
});
