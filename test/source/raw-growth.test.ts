// How many samples are kept of one watch, over three days of scrapes: bounded by how far back the
// indicators look, not by the age of the watch.
import { describe, expect, it, vi } from 'vitest';
import { LOOKBACK_MS } from '../../src/core/measure.ts';
import type { SeriesIndicator } from '../../src/core/read.ts';
import { HISTORY_MS_MAX, RawHistory } from '../../src/source/raw-history.ts';
import { RawReader } from '../../src/source/raw-reader.ts';
import type { RawQuery } from '../../src/source/shared-raw.ts';
import { aRatio, T0 } from '../support/build.ts';

const SCRAPE_MS = 15_000;
const TICK_MS = 60_000;
const HOUR = 3_600_000;
const RANGE_MS = 5 * 60_000;
/** Points of a series in the time that is kept, with the last one before it. */
const POINTS_MAX = (RANGE_MS + LOOKBACK_MS) / SCRAPE_MS + 2;

type Measured = Exclude<SeriesIndicator, { kind: 'promql' }>;
const counter = (metric: string) => ({ metric, matchers: [] });
const shown = (id: string) => ({ id, title: id, unit: 'number' }) as const;
/** One of each way to look back: not at all, over a range, since the deploy. */
const INDICATORS: readonly Measured[] = [
  aRatio({ overMs: RANGE_MS }),
  { kind: 'gauge', ...shown('depth'), metric: counter('depth'), aggregate: 'max', negate: false },
  {
    kind: 'increase',
    ...shown('errors'),
    counter: counter('errors_total'),
    overMs: null,
    early: 'wait',
  },
];
const METRICS = ['orders_filled_total', 'orders_submitted_total', 'depth', 'errors_total'];

/** Every scrape of every metric in the window, by the process that ran then. */
function answering(lifeMs: number, value = (at: number, _metric: string) => at): RawQuery {
  return async ({ fromMs, atMs }) => {
    const series = METRICS.flatMap((metric) => {
      const points = [];
      for (let at = Math.ceil(fromMs / SCRAPE_MS) * SCRAPE_MS; at <= atMs; at += SCRAPE_MS) {
        points.push([at, value((at - T0 + HOUR) / 1_000, metric)] as const);
      }
      const lives = Map.groupBy(points, ([at]) => `process ${Math.floor((at - T0) / lifeMs)}`);
      return [...lives].map(([instance, own]) => ({
        labels: { __name__: metric, instance },
        points: own,
        isNativeHistogram: false,
      }));
    });
    return { kind: 'answered', result: { type: 'matrix', series }, warnings: [] };
  };
}

/** At the end of each hour: how many series are kept, and all their points. */
async function kept(hours: number, query: RawQuery) {
  const set = vi.spyOn(RawHistory.prototype, 'set');
  const reader = new RawReader(query);
  const { signal } = new AbortController();
  const sizes: { readonly series: number; readonly points: number }[] = [];
  for (let atMs = T0 + TICK_MS; atMs <= T0 + hours * HOUR; atMs += TICK_MS) {
    const request = { watchId: 'w_1', indicators: INDICATORS, atMs, deployedAtMs: T0 };
    await reader.read(INDICATORS, { ...request, staleAfterMs: 60_000, previous: {}, signal });
    const last = set.mock.results.at(-1)?.value as ReturnType<RawHistory['set']>;
    set.mockClear();
    if ((atMs - T0) % HOUR !== 0) continue;
    const points = last.series.reduce((sum, one) => sum + one.points.length, 0);
    sizes.push({ series: last.series.length, points });
  }
  return sizes;
}

describe('the samples of a watch', () => {
  it('are as many after 72 hours as after one', async () => {
    const sizes = await kept(72, answering(Infinity));
    expect(sizes).toHaveLength(72);
    expect(new Set(sizes.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(sizes[0]?.series).toBe(METRICS.length);
    expect(sizes[0]?.points).toBeLessThanOrEqual(METRICS.length * POINTS_MAX);
  });

  it('are of 25 hours where its counts cannot go on: a total that is no number', async () => {
    const isBroken = (at: number, metric: string) =>
      metric === 'orders_submitted_total' && at > (2 * HOUR) / 1_000;
    const value = (at: number, metric: string) => (isBroken(at, metric) ? Number.NaN : at);
    const sizes = await kept(40, answering(Infinity, value));
    const most = METRICS.length * (HISTORY_MS_MAX / SCRAPE_MS + 2);
    expect(sizes.at(-1)?.points).toBeLessThanOrEqual(most);
    expect(sizes.at(-1)).toEqual(sizes.at(-2));
  });

  it('of processes that ended are one each, and none after 25 hours', async () => {
    const sizes = await kept(72, answering(HOUR));
    const processes = HISTORY_MS_MAX / HOUR + 1;
    const points = METRICS.length * (POINTS_MAX + processes);
    expect(Math.max(...sizes.map((one) => one.series))).toBe(METRICS.length * processes);
    expect(Math.max(...sizes.map((one) => one.points))).toBeLessThanOrEqual(points);
    expect(sizes.at(-1)).toEqual(sizes[30]);
  });
});
