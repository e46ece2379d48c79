// The raw samples of one watch, merged from many overlapping answers and kept as long as an
// indicator may look back. Bounded: points older than that go, except the last one before the cut,
// from which the next increment of its counter is counted.
import type { Point, SeriesSet } from '../core/series.ts';
import type { Labels, MatrixSeries } from './prometheus-result.ts';

/**
 * A series that has ended is forgotten after this; nothing is asked from further back, unless an
 * indicator's own range is longer.
 */
export const HISTORY_MS_MAX = 25 * 3_600_000;

type Kept = { readonly metric: string; readonly labels: Labels; points: readonly Point[] };

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
      const kept = this.#series.get(key);
      if (kept === undefined) this.#series.set(key, { metric, labels: others, points });
      else kept.points = merged(kept.points, points);
    }
    if (answer.length > 0) this.#fetchedToMs = atMs;
  }

  /** Drops what no indicator asks for any more. */
  trim(keepFromMs: number, atMs: number): void {
    const forgetMs = atMs - this.#reachMs;
    // What was forgotten was not "absent".
    this.#coveredFromMs = Math.max(this.#coveredFromMs, forgetMs);
    for (const [key, kept] of this.#series) {
      const newestMs = kept.points.at(-1)?.[0] ?? Number.NEGATIVE_INFINITY;
      if (newestMs < forgetMs) {
        this.#series.delete(key);
        continue;
      }
      const first = kept.points.findIndex(([pointMs]) => pointMs >= keepFromMs);
      // The anchor stays, also of a series without a newer point.
      const anchor = first === -1 ? kept.points.length - 1 : first - 1;
      if (anchor > 0) kept.points = kept.points.slice(anchor);
    }
  }

  set(): SeriesSet {
    return { series: [...this.#series.values()], coveredFromMs: this.#coveredFromMs };
  }
}

/** Both lists are in order of time; at the same time the newer answer counts. */
function merged(kept: readonly Point[], added: readonly Point[]): readonly Point[] {
  const firstMs = added[0]?.[0];
  if (firstMs === undefined) return kept;
  const overlapFrom = kept.findLastIndex(([pointMs]) => pointMs < firstMs) + 1;
  if (overlapFrom === kept.length) return [...kept, ...added];
  const tail = new Map([...kept.slice(overlapFrom), ...added]);
  return [...kept.slice(0, overlapFrom), ...[...tail].sort(([a], [b]) => a - b)];
}

function keyOf(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
