import { describe, expect, it } from 'vitest';
import { measure } from '../../src/core/measure.ts';
import type { IncreaseIndicator } from '../../src/core/policy.ts';
import {
  BASE_MS_MAX,
  POINTS_MAX,
  ScrapeHistory,
  STANDBY_MS,
  UNASKED_SPACING_MS,
} from '../../src/source/scrape-history.ts';

const asked = () => true;
const unasked = () => false;

const ERRORS: IncreaseIndicator = {
  ...{ kind: 'increase', id: 'errors', title: 'Errors', unit: 'number' },
  ...{ counter: { metric: 'orders', matchers: [] }, overMs: null, early: 'wait' },
};

function orders(value: number) {
  return [{ metric: 'orders', labels: { instance: 'a' }, value, timestampMs: null }];
}

/** One scrape a second; each finds one more order. */
function history(seconds: number, isAsked: () => boolean): ScrapeHistory {
  const kept = new ScrapeHistory();
  for (let second = 0; second < seconds; second += 1) {
    kept.add('a', orders(second), second * 1_000, isAsked);
  }
  return kept;
}

function pointsOf(kept: ScrapeHistory) {
  return [
    ...(kept.read(['orders']).series.find(({ metric }) => metric === 'orders')?.points ?? []),
  ];
}

describe('The history of a scrape source', () => {
  it('thins old points of a long series again and again, from its first one on', () => {
    const points = pointsOf(history(3 * POINTS_MAX, asked));
    expect(points.length).toBeLessThanOrEqual(POINTS_MAX);
    expect(points[0]).toEqual([0, 0]);
  });

  it('keeps the recent points of a long series as they are', () => {
    const recent = Array.from({ length: 400 }, (_, index) => POINTS_MAX - 399 + index);
    const points = pointsOf(history(POINTS_MAX + 1, asked));
    expect(points.slice(-400)).toEqual(recent.map((second) => [second * 1_000, second]));
  });

  it('keeps what nobody asks for at a lower resolution, and always its newest point', () => {
    const points = pointsOf(history(301, unasked));
    expect(points.length).toBeLessThan(300_000 / UNASKED_SPACING_MS + 60);
    expect(points.at(-1)).toEqual([300_000, 300]);
  });

  it('drops points that are older than it keeps, and says from when on it knows', () => {
    const kept = history(100, asked);
    const nowMs = STANDBY_MS + 50_000;
    kept.prune(nowMs);
    expect(pointsOf(kept)[0]).toEqual([49_000, 49]);
    expect(kept.read(['orders']).coveredFromMs).toBe(49_000);
  });

  it('keeps more for a longer range', () => {
    const kept = history(100, asked);
    kept.keep(2 * STANDBY_MS);
    kept.prune(STANDBY_MS + 50_000);
    expect(pointsOf(kept)[0]).toEqual([0, 0]);
  });

  it('keeps the last point before, from which a counter goes on after an outage', () => {
    const kept = history(100, asked);
    const nowMs = 2 * STANDBY_MS;
    kept.prune(nowMs - 20_000);
    kept.add('a', orders(1_800), nowMs, asked);
    kept.prune(nowMs);
    expect(pointsOf(kept)).toEqual([
      [99_000, 99],
      [nowMs, 1_800],
    ]);
    const previous = { atMs: 99_000, counts: { part: 0, total: 90 } };
    const view = { atMs: nowMs, deployedAtMs: 9_000, staleAfterMs: 10_000, previous };
    expect(measure(ERRORS, kept.read(['orders']), view)).toMatchObject({ value: 1_791 });
  });

  it('gives a short range nothing of an outage that was mostly before it', () => {
    const kept = history(100, asked);
    const nowMs = 2 * STANDBY_MS;
    kept.add('a', orders(1_800), nowMs, asked);
    kept.add('a', orders(1_802), nowMs + 1_000, asked);
    const view = { atMs: nowMs + 1_000, deployedAtMs: 9_000, staleAfterMs: 10_000, previous: null };
    const over = (overMs: number): IncreaseIndicator => ({ ...ERRORS, overMs });
    const set = kept.read(['orders']);
    expect(measure(over(300_000), set, view)).toMatchObject({
      value: 2,
      sinceDeploy: { total: 1_793 },
    });
    expect(measure(over(1_500_000), set, view)).toMatchObject({ value: 1_703 });
  });

  it('counts from 0 what is born in an outage', () => {
    const kept = history(100, asked);
    const nowMs = 2 * STANDBY_MS;
    const errors = { metric: 'errors', labels: { instance: 'a' }, value: 3, timestampMs: null };
    kept.add('a', [...orders(100), errors], nowMs, asked);
    kept.prune(nowMs);
    const born: IncreaseIndicator = { ...ERRORS, counter: { metric: 'errors', matchers: [] } };
    const view = { atMs: nowMs, deployedAtMs: 9_000, staleAfterMs: 10_000, previous: null };
    expect(measure(born, kept.read(['errors']), view)).toMatchObject({ value: 3 });
  });

  it('forgets a series that has ended, and after 25 hours one of which nothing came', () => {
    const ended = history(10, asked);
    ended.add('a', [], 11_000, asked);
    ended.prune(10 * STANDBY_MS);
    expect(pointsOf(ended)).toEqual([]);
    const silent = history(10, asked);
    silent.prune(BASE_MS_MAX + 10_000);
    expect(pointsOf(silent)).toEqual([]);
    silent.add('a', orders(7), BASE_MS_MAX + 10_000, asked);
    expect(pointsOf(silent)).toEqual([[BASE_MS_MAX + 10_000, 7]]);
  });

  it('takes the first of two equal series in one scrape', () => {
    const kept = new ScrapeHistory();
    kept.add('a', [...orders(1), ...orders(2)], 1_000, asked);
    expect(pointsOf(kept)).toEqual([[1_000, 1]]);
  });
});
