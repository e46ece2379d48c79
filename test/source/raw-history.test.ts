import { describe, expect, it } from 'vitest';
import type { Point } from '../../src/core/series.ts';
import { HISTORY_MS_MAX, RawHistory } from '../../src/source/raw-history.ts';

const labels = { __name__: 'a_total', instance: 'x' };

function matrix(...points: readonly Point[]) {
  return [{ labels, points, isNativeHistogram: false }];
}

function pointsOf(history: RawHistory) {
  return history.set().series.map(({ points }) => [...points]);
}

/** A counter that grows by one from 1 to here. */
function steady(to: number): readonly Point[] {
  return Array.from({ length: to }, (_, index): Point => [index + 1, index + 1]);
}

describe('the history of a watch', () => {
  it('merges overlapping answers by time, and the newer answer counts', () => {
    const history = new RawHistory(0);
    history.merge(matrix([10, 1], [20, 2], [40, 4]), 45);
    history.merge(matrix([20, 2.5], [30, 3], [40, 4], [50, 5]), 55);
    expect(pointsOf(history)).toEqual([
      [
        [10, 1],
        [20, 2.5],
        [30, 3],
        [40, 4],
        [50, 5],
      ],
    ]);
    expect(history.fetchedToMs).toBe(55);
  });

  it('keeps series apart by labels, whatever their order', () => {
    const history = new RawHistory(0);
    history.merge(matrix([10, 1]), 10);
    const other = { instance: 'y', __name__: 'a_total' };
    const same = { instance: 'x', __name__: 'a_total' };
    history.merge([{ labels: other, points: [[20, 7]], isNativeHistogram: false }], 20);
    history.merge([{ labels: same, points: [[20, 2]], isNativeHistogram: false }], 20);
    const kept = history.set().series.map((one) => ({ ...one, points: [...one.points] }));
    expect(kept).toEqual([
      {
        metric: 'a_total',
        labels: { instance: 'x' },
        points: [
          [10, 1],
          [20, 2],
        ],
      },
      { metric: 'a_total', labels: { instance: 'y' }, points: [[20, 7]] },
    ]);
  });

  it('drops old points but the last one before the cut', () => {
    const history = new RawHistory(0);
    history.merge(matrix(...steady(40)), 40);
    history.trim(() => ({ fromMs: 5, wholeFromMs: 25, isCounter: false }), 40);
    expect(pointsOf(history)[0]?.[0]).toEqual([24, 24]);
    history.trim(() => ({ fromMs: 30, wholeFromMs: 100, isCounter: false }), 110);
    expect(pointsOf(history)).toEqual([steady(40).slice(-11)]);
    history.trim(() => ({ fromMs: 90, wholeFromMs: 100, isCounter: false }), 110);
    expect(pointsOf(history)).toEqual([steady(40).slice(-1)]);
    expect(history.coveredFromMs).toBe(0);
  });

  it('keeps longer where a counter fell, with the point before', () => {
    const history = new RawHistory(0);
    const points = steady(40).map(([at, value]): Point => [at, at < 10 ? value : value - 9]);
    history.merge(matrix(...points), 40);
    history.trim(() => ({ fromMs: 5, wholeFromMs: 25, isCounter: true }), 40);
    expect(pointsOf(history)[0]?.slice(0, 4)).toEqual([
      [9, 9],
      [10, 1],
      [24, 15],
      [25, 16],
    ]);
    history.trim(() => ({ fromMs: 20, wholeFromMs: 30, isCounter: true }), 45);
    expect(pointsOf(history)[0]?.[0]).toEqual([29, 20]);
  });

  it('forgets an ended series after 25 hours, and no longer claims to have looked there', () => {
    const history = new RawHistory(0);
    history.merge(matrix([10, 1]), 10);
    const atMs = HISTORY_MS_MAX + 11;
    const fromMs = atMs - 60_000;
    history.trim(() => ({ fromMs, wholeFromMs: atMs, isCounter: true }), atMs);
    expect(pointsOf(history)).toEqual([]);
    expect(history.coveredFromMs).toBe(11);
  });
});
