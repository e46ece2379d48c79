// Raw samples as a source hands them over. Both sources give this same shape, and
// `measure.ts` turns it into readings, so that they agree by construction.

/** [time in ms, value]. */
export type Point = readonly [atMs: number, value: number];

/** Oldest first. A list of points is one; a source that keeps many has a smaller form. */
export interface Points extends Iterable<Point> {
  readonly length: number;
  /** Negative: from the end. */
  at(index: number): Point | undefined;
}

export type Series = {
  readonly metric: string;
  /** Without `__name__`. */
  readonly labels: Readonly<Record<string, string>>;
  readonly points: Points;
  /** When it was seen first, of a source that has dropped these points: see `firstTimesOf`. */
  readonly firstMs?: readonly number[];
  /** Since when a source that answers no longer has it; absent: it goes on, or not known. */
  readonly endedAtMs?: number;
};

export type SeriesSet = {
  readonly series: readonly Series[];
  /** Samples before this time were not looked at: a series' absence there proves nothing. */
  readonly coveredFromMs: number;
};
