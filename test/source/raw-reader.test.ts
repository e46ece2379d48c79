import { describe, expect, it } from 'vitest';
import type { MeasuredIndicator } from '../../src/core/measure.ts';
import type { Readings } from '../../src/core/read.ts';
import type { Point } from '../../src/core/series.ts';
import type { Query, QueryAnswer } from '../../src/source/prometheus-api.ts';
import { RawReader } from '../../src/source/raw-reader.ts';
import { aloneOn } from '../../src/source/shared-raw.ts';
import { aRatio, T0 } from '../support/build.ts';

const SECOND = 1_000;
const STEP = 5 * SECOND;
const RESTARTED_MS = 45 * SECOND;
const indicators = [
  { ...aRatio({ overMs: 30 * SECOND, early: 'shorten', minTotal: 1 }), id: 'fill_rate' },
];

/** Ten orders per second since the deploy, scraped every 5 s; the service restarts after 45 s. */
function samplesUntil(atMs: number, fromMs: number): Point[] {
  const points: Point[] = [];
  for (let at = T0 + STEP; at <= atMs; at += STEP) {
    const sinceMs = at - T0 < RESTARTED_MS ? at - T0 : at - T0 - RESTARTED_MS;
    if (at > fromMs) points.push([at, sinceMs / 100]);
  }
  return points;
}

function matrix(points: readonly Point[]): QueryAnswer {
  const series = ['orders_filled_total', 'orders_submitted_total'].map((metric) => ({
    labels: { __name__: metric, instance: 'a' },
    points,
    isNativeHistogram: false,
  }));
  return { kind: 'answered', result: { type: 'matrix', series }, warnings: [] };
}

function millis(duration: string): number {
  const units: Readonly<Record<string, number>> = { ms: 1, s: SECOND, m: 60 * SECOND };
  const parts = [...duration.matchAll(/(\d+)(ms|s|m)/g)];
  return parts.reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (units[unit] ?? 0), 0);
}

type Span = { readonly fromMs: number; readonly untilMs: number };

/** What is read at every tick of two minutes, by a source that answers "nothing" in this span. */
async function readings(empty: Span): Promise<readonly Readings[]> {
  const asked: number[] = [];
  const query: Query = async (promql, atMs) => {
    const spanMs = millis(/\[(.*)\]$/.exec(promql)?.[1] ?? '');
    asked.push(spanMs);
    const isEmpty = atMs >= T0 + empty.fromMs && atMs < T0 + empty.untilMs;
    return matrix(isEmpty ? [] : samplesUntil(atMs, atMs - spanMs));
  };
  const reader = new RawReader(aloneOn(query));
  const found: Readings[] = [];
  for (let since = 15 * SECOND; since <= 120 * SECOND; since += STEP) {
    const request = {
      watchId: 'w_1',
      atMs: T0 + since + 1,
      deployedAtMs: T0,
      staleAfterMs: 20 * SECOND,
      previous: {},
      signal: new AbortController().signal,
      indicators,
    };
    found.push(Object.fromEntries(await reader.read(indicators, request)));
  }
  expect(asked.every((ms) => ms > 0)).toBe(true);
  return found;
}

describe('a source that answers "nothing" for longer than answers overlap', () => {
  const never = { fromMs: 0, untilMs: 0 };
  const last = (all: readonly Readings[]) => all.at(-1)?.['fill_rate'];

  it('is asked for that time again, and no count is lost, moved or doubled', async () => {
    const whole = await readings(never);
    const holed = await readings({ fromMs: 40 * SECOND, untilMs: 85 * SECOND });
    expect(last(whole)).toMatchObject({ kind: 'value', sinceDeploy: { part: 1100, total: 1100 } });
    expect(holed.map((tick) => tick['fill_rate']?.kind)).toContain('blind');
    expect(holed.slice(-8)).toEqual(whole.slice(-8));
  });

  it('is asked for all time since the deploy when it never held anything before', async () => {
    const holed = await readings({ fromMs: 0, untilMs: 70 * SECOND });
    expect(holed.slice(-8)).toEqual((await readings(never)).slice(-8));
  });
});

describe('a source that is away for longer than samples are kept', () => {
  /** Seconds after the deploy at which there was no answer. */
  type Away = (sinceMs: number) => boolean;

  /** Counts since the deploy at each tick of half an hour; ten orders a second. */
  async function countsSeen(isAway: Away) {
    const query: Query = async (promql, atMs) => {
      if (isAway(atMs - T0)) {
        return { kind: 'failed', reason: 'unreachable', detail: 'refused', fault: 'server' };
      }
      const spanMs = millis(/\[(.*)\]$/.exec(promql)?.[1] ?? '');
      return matrix(samplesUntil(atMs, atMs - spanMs));
    };
    const reader = new RawReader(aloneOn(query));
    const seen: unknown[] = [];
    for (let since = 60 * SECOND; since <= 1_800 * SECOND; since += STEP) {
      const request = {
        ...{ watchId: 'w_1', atMs: T0 + since + 1, deployedAtMs: T0, staleAfterMs: 20 * SECOND },
        ...{ previous: {}, signal: new AbortController().signal, indicators },
      };
      const found = (await reader.read(indicators, request)).get('fill_rate');
      seen.push(found?.kind === 'value' ? found.sinceDeploy : null);
    }
    return seen;
  }

  it('is counted in full when it is back', async () => {
    const whole = await countsSeen(() => false);
    const holed = await countsSeen((since) => since > 120 * SECOND && since < 1_500 * SECOND);
    expect(holed).toContain(null);
    expect(holed.slice(-20)).toEqual(whole.slice(-20));
  });

  it('counts each increment once, however short each answer was', async () => {
    const whole = await countsSeen(() => false);
    const holed = await countsSeen((since) => since % (400 * SECOND) > 10 * SECOND);
    expect(holed.filter((one) => one !== null).length).toBeGreaterThan(3);
    expect(holed.flatMap((one, at) => (one === null ? [] : [[at, one]]))).toEqual(
      holed.flatMap((one, at) => (one === null ? [] : [[at, whole[at]]])),
    );
  });
});

describe('a range of several days', () => {
  const HOUR = 3_600 * SECOND;
  const week: MeasuredIndicator = {
    ...{ id: 'breaches', title: 'Breaches', unit: 'number', early: 'wait' },
    kind: 'increase',
    counter: { metric: 'breaches_total', matchers: [] },
    overMs: 7 * 24 * HOUR,
  };
  const DAYS_30 = 30 * 24 * HOUR;

  /** Scraped every two minutes, for ever; it counted once, so many hours before the first tick. */
  function reader(hoursBefore: number): RawReader {
    const query: Query = async (promql, atMs) => {
      const spanMs = spanOf(/\[(.*)\]$/.exec(promql)?.[1] ?? '');
      const points: Point[] = [];
      for (let at = atMs; at > atMs - spanMs; at -= 120 * SECOND) {
        points.unshift([at, at < T0 - hoursBefore * HOUR ? 0 : 1]);
      }
      const labels = { __name__: 'breaches_total', instance: 'a' };
      const series = [{ labels, points, isNativeHistogram: false }];
      return { kind: 'answered', result: { type: 'matrix', series }, warnings: [] };
    };
    return new RawReader(aloneOn(query));
  }

  function spanOf(duration: string): number {
    const units: Readonly<Record<string, number>> = { d: 24 * HOUR, h: HOUR, m: 60 * SECOND };
    const parts = [...duration.matchAll(/(\d+)([dhm])/g)];
    return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (units[unit] ?? 0), 0);
  }

  const read = async (from: RawReader, afterMs: number, deployedAtMs: number | null) => {
    const found = await from.read([week], {
      ...{ watchId: 'w_1', atMs: T0 + afterMs, deployedAtMs, staleAfterMs: 300 * SECOND },
      ...{ previous: {}, signal: new AbortController().signal, indicators: [week] },
    });
    return found.get('breaches');
  };

  it('is looked at as far back as it reaches, and no farther', async () => {
    expect(await read(reader(160), 0, null)).toMatchObject({ kind: 'value', value: 1 });
    expect(await read(reader(170), 0, null)).toMatchObject({ kind: 'value', value: 0 });
  });

  it('is kept from tick to tick', async () => {
    const watched = reader(160);
    expect(await read(watched, 0, T0 - DAYS_30)).toMatchObject({ value: 1 });
    expect(await read(watched, 4 * HOUR, T0 - DAYS_30)).toMatchObject({ value: 1 });
    expect(await read(watched, 10 * HOUR, T0 - DAYS_30)).toMatchObject({ value: 0 });
  });
});
