// What is dropped of the samples of a watch is not missed: a reader that drops reads at every tick
// what one reads that keeps everything, whatever counters do.
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { MeasuredIndicator } from '../../src/core/measure.ts';
import type { Point } from '../../src/core/series.ts';
import { RawHistory } from '../../src/source/raw-history.ts';
import { RawReader } from '../../src/source/raw-reader.ts';
import type { RawQuery } from '../../src/source/shared-raw.ts';
import { aRatio, T0 } from '../support/build.ts';

const SECOND = 1_000;
const SCRAPE_MS = 5 * SECOND;
const UNTIL_S = 1_500;
const counter = (metric: string) => ({ metric, matchers: [] });
const shown = (id: string) => ({ id, title: id, unit: 'number' }) as const;

const INDICATORS: readonly MeasuredIndicator[] = [
  aRatio({ overMs: 60 * SECOND, early: 'shorten', minTotal: 1 }),
  {
    ...shown('errors'),
    kind: 'increase',
    counter: counter('errors_total'),
    overMs: null,
    early: 'wait',
  },
  {
    ...shown('rate'),
    kind: 'rate',
    counter: counter('orders_submitted_total'),
    overMs: 30 * SECOND,
    early: 'shorten',
    aggregate: 'max',
  },
  { ...shown('depth'), kind: 'gauge', metric: counter('depth'), aggregate: 'max', negate: false },
];

/** Seconds after the deploy. */
type Span = { readonly from: number; readonly for: number };

/** One series: when its process starts anew, and when it is not there. */
type Life = {
  readonly metric: string;
  readonly instance: string;
  readonly restarts: readonly number[];
  readonly gone: readonly Span[];
};

const isIn = (spans: readonly Span[], at: number) =>
  spans.some((span) => at >= span.from && at < span.from + span.for);

function pointsOf({ metric, restarts, gone }: Life): readonly Point[] {
  const points: Point[] = [];
  for (let since = -600; since <= UNTIL_S; since += SCRAPE_MS / SECOND) {
    const startedAt = Math.max(-10_000, ...restarts.filter((at) => at <= since));
    const value = metric === 'depth' ? (since * 7) % 11 : (since - startedAt) * 3;
    if (!isIn(gone, since)) points.push([T0 + since * SECOND, value]);
  }
  return points;
}

function answering(lives: readonly Life[], away: readonly Span[]): RawQuery {
  const all = lives.map((life) => ({ ...life, points: pointsOf(life) }));
  return async ({ fromMs, atMs }) => {
    if (isIn(away, (atMs - T0) / SECOND)) {
      return { kind: 'failed', reason: 'unreachable', detail: 'refused', fault: 'server' };
    }
    const series = all.map(({ metric, instance, points }) => ({
      labels: { __name__: metric, instance, job: 'app' },
      points: points.filter(([at]) => at > fromMs && at <= atMs),
      isNativeHistogram: false,
    }));
    const own = series.filter(({ points }) => points.length > 0);
    return { kind: 'answered', result: { type: 'matrix', series: own }, warnings: [] };
  };
}

async function readings(query: RawQuery, indicators: readonly MeasuredIndicator[], everyS: number) {
  const reader = new RawReader(query);
  const { signal } = new AbortController();
  const read: unknown[] = [];
  for (let since = 1; since <= UNTIL_S; since += everyS) {
    const request = { watchId: 'w_1', atMs: T0 + since * SECOND + 300, deployedAtMs: T0 };
    const more = { staleAfterMs: 20 * SECOND, previous: {}, signal, indicators };
    read.push([since, ...(await reader.read(indicators, { ...request, ...more }))]);
  }
  return read;
}

/** One after the other, each shorter than what is looked back on beyond a range. */
const gone = fc
  .array(fc.record({ from: fc.integer({ min: 0, max: 240 }), for: fc.nat(240) }), { maxLength: 3 })
  .map((spans) => spans.map((span, index) => ({ ...span, from: 500 * index - 80 + span.from })));
/** Many a counter is born with its first event, long after its process. */
const bornAt = fc.oneof(fc.constant(-700), fc.integer({ min: -100, max: 1_400 }));
const lives = fc
  .tuple(
    fc.array(fc.array(fc.integer({ min: -300, max: 1_400 }), { maxLength: 5 }), {
      minLength: 1,
      maxLength: 2,
    }),
    fc.array(gone, { minLength: 8, maxLength: 8 }),
    fc.array(bornAt, { minLength: 8, maxLength: 8 }),
  )
  .map(([processes, gaps, births]) =>
    processes.flatMap((restarts, process) =>
      ['orders_filled_total', 'orders_submitted_total', 'errors_total', 'depth'].map(
        (metric, index): Life => ({
          metric,
          instance: `p${process}`,
          restarts,
          gone: [
            { from: -700, for: 700 + (births[4 * process + index] ?? 0) },
            ...(gaps[4 * process + index] ?? []),
          ],
        }),
      ),
    ),
  );
const away = fc.array(
  fc.record({ from: fc.integer({ min: 0, max: 1_200 }), for: fc.integer({ min: 5, max: 900 }) }),
  { maxLength: 2 },
);
const pace = fc.constantFrom(5, 10, 15);
/** What one indicator keeps must not be what another one needs. */
const some = fc.subarray([...INDICATORS], { minLength: 1 });

describe('a reader that drops old samples', () => {
  afterEach(() => void vi.restoreAllMocks());

  it('reads what one that keeps them all reads, through restarts, gaps and outages', async () => {
    await fc.assert(
      fc.asyncProperty(lives, away, pace, some, async (all, outages, everyS, indicators) => {
        const query = answering(all, outages);
        const dropping = await readings(query, indicators, everyS);
        const trim = vi.spyOn(RawHistory.prototype, 'trim').mockReturnValue(undefined);
        const keeping = await readings(query, indicators, everyS);
        trim.mockRestore();
        expect(dropping).toEqual(keeping);
      }),
      { numRuns: 60 },
    );
  });
});
