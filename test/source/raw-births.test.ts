// The first errors are counted though nothing else is kept of the time in which they came: a counter
// that is born with them starts from 0, and what proves that it was not there before must last.
import { describe, expect, it } from 'vitest';
import type { MeasuredIndicator } from '../../src/core/measure.ts';
import type { Point } from '../../src/core/series.ts';
import { RawReader } from '../../src/source/raw-reader.ts';
import type { RawQuery } from '../../src/source/shared-raw.ts';
import { T0 } from '../support/build.ts';

const SECOND = 1_000;
const metric = (name: string) => ({ metric: name, matchers: [] });
const shown = (id: string) => ({ id, title: id, unit: 'number' }) as const;

const ERRORS: MeasuredIndicator = {
  ...shown('errors'),
  kind: 'increase',
  counter: metric('errors_total'),
  overMs: null,
  early: 'wait',
};
const DEPTH: MeasuredIndicator = {
  ...shown('depth'),
  kind: 'gauge',
  metric: metric('depth'),
  aggregate: 'max',
  negate: false,
};
const RATE: MeasuredIndicator = {
  ...shown('rate'),
  kind: 'rate',
  counter: metric('orders_total'),
  overMs: 30 * SECOND,
  early: 'shorten',
  aggregate: 'max',
};

/** A process that is there all the time, and whose counter of errors begins with the first ones. */
function service(scrapeS: number, bornS: number, awayS: readonly [number, number]): RawQuery {
  const since = (fromS: number, value: (at: number) => number) => {
    const points: Point[] = [];
    for (let at = -600; at <= 1_200; at += scrapeS) {
      if (at >= fromS) points.push([T0 + at * SECOND, value(at)]);
    }
    return points;
  };
  const all = {
    errors_total: since(bornS, () => 3),
    depth: since(-600, () => 1),
    orders_total: since(-600, (at) => at + 600),
  };
  return async ({ metrics, fromMs, atMs }) => {
    const now = (atMs - T0) / SECOND;
    if (now >= awayS[0] && now < awayS[1]) {
      return { kind: 'failed', reason: 'unreachable', detail: 'refused', fault: 'server' };
    }
    const series = Object.entries(all)
      .filter(([name]) => metrics.includes(name))
      .map(([name, points]) => ({
        labels: { __name__: name, instance: 'a', job: 'app' },
        points: points.filter(([at]) => at > fromMs && at <= atMs),
        isNativeHistogram: false,
      }))
      .filter(({ points }) => points.length > 0);
    return { kind: 'answered', result: { type: 'matrix', series }, warnings: [] };
  };
}

async function errorsAtEnd(indicators: readonly MeasuredIndicator[], query: RawQuery) {
  const reader = new RawReader(query);
  const { signal } = new AbortController();
  let last: unknown = null;
  for (let at = 5; at <= 1_100; at += 5) {
    const request = { watchId: 'w_1', atMs: T0 + at * SECOND + 300, deployedAtMs: T0 };
    const more = { staleAfterMs: 20 * SECOND, previous: {}, signal, indicators };
    last = (await reader.read(indicators, { ...request, ...more })).get('errors');
  }
  return last;
}

describe('the first errors of a counter that is born with them', () => {
  const never = [0, 0] as const;
  const long = [300, 900] as const;

  it.each([
    ['beside a gauge', [ERRORS, DEPTH], service(5, 400, never)],
    ['beside a gauge that is sampled often', [ERRORS, DEPTH], service(1, 400, never)],
    ['in an outage, beside a gauge', [ERRORS, DEPTH], service(5, 400, long)],
    ['in an outage, beside a rate', [ERRORS, RATE], service(5, 400, long)],
  ])('stay in the counts since the deploy: %s', async (_, indicators, query) => {
    expect(await errorsAtEnd(indicators, query)).toMatchObject({ kind: 'value', value: 3 });
  });

  it('are no other than the first: what was no number for ten minutes is not counted anew', async () => {
    const query: RawQuery = async ({ fromMs, atMs }) => {
      const at = Array.from({ length: 400 }, (_, index) => T0 + (index - 100) * 5 * SECOND);
      const value = (time: number) =>
        time > T0 + 100 * SECOND && time < T0 + 700 * SECOND ? Number.NaN : 100_000;
      const series = ['orders_total', 'depth'].map((name) => ({
        labels: { __name__: name, instance: 'a', job: 'app' },
        points: at
          .filter((time) => time > fromMs && time <= atMs)
          .map((time) => [time, name === 'depth' ? 1 : value(time)] as const),
        isNativeHistogram: false,
      }));
      return { kind: 'answered', result: { type: 'matrix', series }, warnings: [] };
    };
    const reader = new RawReader(query);
    const { signal } = new AbortController();
    const indicators = [RATE, DEPTH];
    const rates: unknown[] = [];
    for (let at = 5; at <= 800; at += 5) {
      const request = { watchId: 'w_1', atMs: T0 + at * SECOND + 300, deployedAtMs: T0 };
      const more = { staleAfterMs: 20 * SECOND, previous: {}, signal, indicators };
      const reading = (await reader.read(indicators, { ...request, ...more })).get('rate');
      rates.push(reading?.kind === 'value' ? reading.value : null);
    }
    expect(rates).toContain(null);
    expect(new Set(rates)).toEqual(new Set([null, 0]));
  });
});
