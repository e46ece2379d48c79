// A quantile of a classic histogram, to the digit as Prometheus' histogram_quantile gives it, so
// that a person who pastes the query into Grafana reads the same number.

/** Observations at or below an upper bound, cumulative. */
export type Bucket = { readonly bound: number; readonly count: number };

/** Differences smaller than this share are float noise, not a broken histogram. */
const NOISE = 1e-12;

/** `le` as written by any client: `0.5`, `5e-1`, `+Inf`; null when it is no number. */
export function parseBound(le: string | undefined): number | null {
  if (le === undefined || le.trim() === '') return null;
  if (/^\+?inf(inity)?$/i.test(le)) return Number.POSITIVE_INFINITY;
  if (/^-inf(inity)?$/i.test(le)) return Number.NEGATIVE_INFINITY;
  const bound = Number(le);
  return Number.isNaN(bound) ? null : bound;
}

/**
 * Buckets in the order of their bounds, equal bounds added up, counts made to rise: each bucket's
 * own scrape may be torn, and a smaller count at a larger bound would give a nonsensical quantile.
 */
export function orderBuckets(buckets: readonly Bucket[]): readonly Bucket[] {
  const sums = new Map<number, number>();
  for (const { bound, count } of buckets) sums.set(bound, (sums.get(bound) ?? 0) + count);
  const ordered = [...sums].sort(([a], [b]) => a - b);
  let highest = ordered[0]?.[1] ?? 0;
  return ordered.map(([bound, count]) => {
    const isNoise =
      Math.abs(count - highest) <= NOISE * Math.max(Math.abs(count), Math.abs(highest));
    if (!isNoise && count > highest) highest = count;
    return { bound, count: highest };
  });
}

/**
 * NaN when nothing was observed or the `+Inf` bucket is missing.
 * @param buckets as `orderBuckets` gives them
 */
export function histogramQuantile(q: number, buckets: readonly Bucket[]): number {
  const last = buckets.at(-1);
  const highestFinite = buckets.at(-2);
  if (last?.bound !== Number.POSITIVE_INFINITY || highestFinite === undefined) return Number.NaN;
  if (last.count === 0 || Number.isNaN(q)) return Number.NaN;
  const rank = q * last.count;
  const found = buckets.slice(0, -1).findIndex((bucket) => bucket.count >= rank);
  const bucket = buckets[found];
  if (bucket === undefined) return highestFinite.bound;
  const below = buckets[found - 1];
  if (below === undefined && bucket.bound <= 0) return bucket.bound;
  const start = below?.bound ?? 0;
  const countBelow = below?.count ?? 0;
  const share = (rank - countBelow) / (bucket.count - countBelow);
  return start + (bucket.bound - start) * share;
}
