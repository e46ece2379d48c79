// Fewer points for a chart. Extremes stay: a spike of one tick is what somebody looks for.
import type { IndicatorSeries } from './result.ts';

type Points = IndicatorSeries['points'];

export function thinned(points: Points, max: number): Points {
  if (points.length <= max) return points;
  // Of each bucket the lowest, the highest and one blind point.
  const perBucket = Math.ceil((3 * points.length) / max);
  const kept: Points[number][] = [];
  for (let from = 0; from < points.length; from += perBucket) {
    kept.push(...extremes(points.slice(from, from + perBucket)));
  }
  return kept.slice(0, max);
}

function extremes(bucket: Points): Points {
  const numbers = bucket.filter(([, value]) => value !== null);
  const by = (isBetter: (a: number, b: number) => boolean) =>
    numbers.reduce<Points[number] | null>(
      (best, one) => (best === null || isBetter(one[1] ?? 0, best[1] ?? 0) ? one : best),
      null,
    );
  const picked = [
    by((a, b) => a < b),
    by((a, b) => a > b),
    bucket.find(([, value]) => value === null) ?? null,
  ];
  const points = [...new Set(picked)].filter((one) => one !== null);
  return points.toSorted(([a], [b]) => a - b);
}
