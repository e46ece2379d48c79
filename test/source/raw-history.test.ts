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
    history.merge(matrix([10, 1], [20, 2], [30, 3], [40, 4]), 40);
    history.trim(35, 40);
    expect(pointsOf(history)).toEqual([
      [
        [30, 3],
        [40, 4],
      ],
    ]);
    history.trim(100, 110);
    expect(pointsOf(history)).toEqual([[[40, 4]]]);
    expect(history.coveredFromMs).toBe(0);
  });

  it('forgets an ended series after 25 hours, and no longer claims to have looked there', () => {
    const history = new RawHistory(0);
    history.merge(matrix([10, 1]), 10);
    const atMs = HISTORY_MS_MAX + 11;
    history.trim(atMs - 60_000, atMs);
    expect(pointsOf(history)).toEqual([]);
    expect(history.coveredFromMs).toBe(11);
  });
});
