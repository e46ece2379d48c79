// Figures out of what a process says of itself at /metrics.
import { sumOf } from '../support/many-deploys.ts';

export type Histogram = {
  /** Upper edge of the bucket in which this share of all observations is reached. */
  edgeOf(share: number): number;
  /** Share of the observations above an edge. */
  above(edge: number): number;
};

/** What was observed between two looks at the same histogram. */
export function histogramBetween(before: string, after: string, metric: string): Histogram {
  const grown = (labels: string) =>
    sumOf(after, `${metric}_bucket`, labels) - sumOf(before, `${metric}_bucket`, labels);
  const all = sumOf(after, `${metric}_count`) - sumOf(before, `${metric}_count`);
  const edges = [...after.matchAll(new RegExp(`^${metric}_bucket\\{.*?le="([^"]+)"`, 'gm'))].map(
    ([, edge = '']) => ({
      edge: edge === '+Inf' ? Infinity : Number(edge),
      count: grown(`le="${edge}"`),
    }),
  );
  return {
    edgeOf: (share) =>
      all === 0
        ? Number.NaN
        : (edges.find(({ count }) => count >= share * all)?.edge ?? Number.NaN),
    above: (wanted) => {
      const found = edges.find(({ edge }) => edge === wanted);
      return found === undefined || all === 0 ? Number.NaN : 1 - found.count / all;
    },
  };
}
