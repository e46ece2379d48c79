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

/** Times and values in turn: a list of pairs takes five times the memory, and there are millions. */
type Packed = Float64Array;
type Kept = { readonly metric: string; readonly labels: Labels; points: Packed };

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
      if (kept === undefined)
        this.#series.set(key, { metric, labels: others, points: packed(points) });
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
      if (newestMsOf(kept.points) < forgetMs) {
        this.#series.delete(key);
        continue;
      }
      // The anchor stays, also of a series without a newer point.
      const anchor = firstFrom(kept.points, keepFromMs) - 1;
      if (anchor > 0) kept.points = kept.points.slice(2 * anchor);
    }
  }

  /** Made anew at each call: ask once for all that is measured at one time. */
  set(): SeriesSet {
    const series = [...this.#series.values()].map(({ metric, labels, points }) => {
      return { metric, labels, points: pairs(points, 0) };
    });
    return { series, coveredFromMs: this.#coveredFromMs };
  }
}

function packed(points: readonly Point[]): Packed {
  const all = new Float64Array(2 * points.length);
  for (const [index, [atMs, value]] of points.entries()) {
    all[2 * index] = atMs;
    all[2 * index + 1] = value;
  }
  return all;
}

function pairs(points: Packed, from: number): readonly Point[] {
  const all: Point[] = [];
  for (let at = 2 * from; at < points.length; at += 2) {
    all.push([points[at] ?? 0, points[at + 1] ?? 0]);
  }
  return all;
}

function newestMsOf(points: Packed): number {
  return points.at(-2) ?? Number.NEGATIVE_INFINITY;
}

/** Index of the first point that is not before; their number when all are. */
function firstFrom(points: Packed, atMs: number): number {
  let index = points.length / 2;
  while (index > 0 && (points[2 * index - 2] ?? 0) >= atMs) index -= 1;
  return index;
}

/** Both lists are in order of time; at the same time the newer answer counts. */
function merged(kept: Packed, added: readonly Point[]): Packed {
  const firstMs = added[0]?.[0];
  if (firstMs === undefined) return kept;
  const from = firstFrom(kept, firstMs);
  const tail = new Map([...pairs(kept, from), ...added]);
  const ordered = packed([...tail].sort(([a], [b]) => a - b));
  const all = new Float64Array(2 * from + ordered.length);
  all.set(kept.subarray(0, 2 * from));
  all.set(ordered, 2 * from);
  return all;
}

function keyOf(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
