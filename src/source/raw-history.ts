// The raw samples of one watch, merged from many overlapping answers and kept as long as an
// indicator may look back. Bounded: points older than that go, except the last one before the cut,
// from which the next increment of its counter is counted, and for a while the falls of counters.
// When each series was seen first is known longer: it proves that others were not there yet.
import { firstTimesOf } from '../core/increase.ts';
import type { SeriesSet } from '../core/series.ts';
import { PackedPoints } from './packed-points.ts';
import type { Labels, MatrixSeries } from './prometheus-result.ts';

/**
 * A series that has ended is forgotten after this; nothing is asked from further back, unless an
 * indicator's own range is longer.
 */
export const HISTORY_MS_MAX = 25 * 3_600_000;

/** So many say how often a series is sampled, and that it still is. */
const NEWEST_KEPT = 10;

/** What is asked of the series of a metric. */
export type Need = {
  /** Nothing before it but the last sample, from which the next step is counted. */
  readonly fromMs: number;
  /** Each sample from then on; between the two only what tells of restarts, of a counter. */
  readonly wholeFromMs: number;
  readonly isCounter: boolean;
};

type Kept = {
  readonly metric: string;
  readonly labels: Labels;
  readonly points: PackedPoints;
  /** Dropped points still prove that the source looked. */
  firstMs?: readonly number[];
};

export class RawHistory {
  readonly #series = new Map<string, Kept>();
  readonly #reachMs: number;
  #coveredFromMs: number;
  #fetchedToMs: number | null = null;

  constructor(fromMs: number, reachMs = HISTORY_MS_MAX) {
    this.#coveredFromMs = fromMs;
    this.#reachMs = reachMs;
  }

  get coveredFromMs(): number {
    return this.#coveredFromMs;
  }

  /** Query time of the last answer that held anything; null before the first. */
  get fetchedToMs(): number | null {
    return this.#fetchedToMs;
  }

  /**
   * Adds what an answer brought: all points of the window that ends at `atMs`. An answer without
   * any may be a source that has lost sight for a while: the same time is asked for once more.
   */
  merge(answer: readonly MatrixSeries[], atMs: number): void {
    for (const { labels, points } of answer) {
      const { __name__: metric = '', ...others } = labels;
      const key = keyOf(labels);
      const known = this.#series.get(key);
      const kept: Kept = known ?? { metric, labels: others, points: new PackedPoints() };
      kept.points.merge(points);
      this.#series.set(key, kept);
    }
    if (answer.length > 0) this.#fetchedToMs = atMs;
  }

  /** Drops what no indicator asks for any more. */
  trim(needOf: (metric: string) => Need, atMs: number): void {
    const forgetMs = atMs - this.#reachMs;
    // What was forgotten was not "absent".
    this.#coveredFromMs = Math.max(this.#coveredFromMs, forgetMs);
    for (const [key, kept] of this.#series) {
      const { metric, points } = kept;
      const newestMs = points.at(-1)?.[0] ?? Number.NEGATIVE_INFINITY;
      if (newestMs < forgetMs) {
        this.#series.delete(key);
        continue;
      }
      kept.firstMs = firstTimesOf(kept, this.#coveredFromMs);
      const { fromMs, wholeFromMs, isCounter } = needOf(metric);
      // The anchor stays, also of a series without a newer point.
      points.dropFirst(points.firstFrom(Math.max(fromMs, forgetMs)) - 1);
      const newestFromMs = points.at(-NEWEST_KEPT)?.[0] ?? Number.NEGATIVE_INFINITY;
      const keepFromMs = Math.min(wholeFromMs, newestFromMs);
      if (isCounter) points.keepFallsBefore(keepFromMs);
      else points.dropFirst(points.firstFrom(keepFromMs) - 1);
    }
  }

  /** What is known now: it changes with the next answer. */
  set(): SeriesSet {
    return { series: [...this.#series.values()], coveredFromMs: this.#coveredFromMs };
  }
}

function keyOf(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
