// What counters counted, as raw increments: last value minus first, resets added up, nothing
// extrapolated. A counter becomes a list of steps, each dated by the point that showed it, so that
// a range may be split anywhere and the parts add up to the whole.
// May not look at points after the query time, nor count what happened before the deploy.
import { Kin } from './kin.ts';
import type { Point, Points, Series, SeriesSet } from './series.ts';

/** What one point added. */
export type Step = {
  readonly atMs: number;
  /** Never negative. */
  readonly add: number;
  /** Since when it was added; null: since the process or the counter began. */
  readonly sinceMs: number | null;
};

export type CounterSteps = ReadonlyMap<Series, readonly Step[]>;

export type StepsView = {
  readonly atMs: number;
  readonly deployedAtMs: number | null;
  /** Earlier steps are of no interest. */
  readonly fromMs: number;
  /** Labels that divide the counters of one process, such as `status`: see `dividingLabels`. */
  readonly dividing: readonly string[];
};

/** So many earlier points of another target prove that the source was looking. */
const WITNESS_POINTS = 3;
/** The distances of so many last points say how often a series is sampled. */
const SPACING_GAPS = 9;
/** A series that is sampled every x may be missing this many x at the edge of the coverage. */
const EDGE_SPACINGS = 1.5;

/**
 * Steps of these counters at or after `fromMs`. They belong to one indicator: when one of them
 * falls back, its process restarted, and all counters of that process start from 0 with it, also
 * those whose new value happens to exceed the old one.
 */
export function stepsOf(series: readonly Series[], set: SeriesSet, view: StepsView): CounterSteps {
  const kin = new Kin(series, view.dividing);
  const points = pointsOf(series, view, kin);
  const restarts = kin.share(timesOfFalls(points));
  let witness: Witness | null = null;
  const steps = new Map<Series, readonly Step[]>();
  for (const [one, own] of points) {
    const restartsMs = [...restarts(one)].sort((a, b) => a - b);
    steps.set(
      one,
      stepsOfOne(own, view.deployedAtMs, restartsMs, (firstMs) => {
        // A base before the time of interest adds nothing, whatever it shows.
        if (firstMs < view.fromMs) return false;
        witness ??= witnessOf(set, view.atMs);
        return wasAbsentBefore(one, firstMs, set, witness);
      }),
    );
  }
  return steps;
}

/** Where a range starts; inclusive at the deploy, whose first moment belongs to it. */
export type Start = {
  readonly fromMs: number;
  readonly isInclusive: boolean;
  /** A step since before then tells of another time; absent: no step does. */
  readonly sinceMs?: number;
};

export function stepsAfter(
  steps: readonly Step[] | undefined,
  { fromMs, isInclusive, sinceMs = Number.NEGATIVE_INFINITY }: Start,
): readonly Step[] {
  return (steps ?? []).filter(
    (step) =>
      (step.atMs > fromMs || (isInclusive && step.atMs === fromMs)) &&
      (step.sinceMs ?? Number.POSITIVE_INFINITY) >= sinceMs,
  );
}

/**
 * First points, after `fromMs` and above 0, of series of which nothing proves that they were absent
 * before: what they show may have been counted at any time.
 */
export function unprovenBirths(
  series: readonly Series[],
  set: SeriesSet,
  atMs: number,
  fromMs: number,
): readonly Point[] {
  const witness = witnessOf(set, atMs);
  return series.flatMap((one) => {
    const first = firstFinite(one.points);
    const isBirth = first !== undefined && first[0] > fromMs && first[0] <= atMs && first[1] > 0;
    return isBirth && !wasAbsentBefore(one, first[0], set, witness) ? [first] : [];
  });
}

function firstFinite(points: Points): Point | undefined {
  for (const point of points) if (Number.isFinite(point[1])) return point;
  return undefined;
}

/** Median distance of the last points until then; null with fewer than two. */
export function spacingMs(points: Points, untilMs = Number.POSITIVE_INFINITY): number | null {
  const gaps: number[] = [];
  let laterMs: number | null = null;
  for (let index = points.length - 1; index >= 0 && gaps.length < SPACING_GAPS; index -= 1) {
    const [atMs = 0] = points.at(index) ?? [];
    if (atMs > untilMs) continue;
    if (laterMs !== null) gaps.push(laterMs - atMs);
    laterMs = atMs;
  }
  gaps.sort((a, b) => a - b);
  return gaps[Math.floor(gaps.length / 2)] ?? null;
}

/**
 * Points from the base of each counter on. A step that spans several points of another counter
 * of its process needs those too: one of them may show the restart.
 */
function pointsOf(
  series: readonly Series[],
  view: StepsView,
  kin: Kin,
): ReadonlyMap<Series, readonly Point[]> {
  const points = new Map(series.map((one) => [one, pointsFor(one, view)] as const));
  const firsts = new Map<Series, readonly number[]>();
  for (const [one, own] of points) {
    const first = own[0]?.[0];
    if (first !== undefined && own.length > 1) firsts.set(one, [first]);
  }
  const basesMs = kin.share(firsts);
  for (const [one, own] of points) {
    const baseMs = Math.min(...basesMs(one));
    const isShort = baseMs < (own[0]?.[0] ?? baseMs);
    if (isShort) points.set(one, pointsFor(one, { ...view, fromMs: baseMs }));
  }
  return points;
}

/** Finite points from the last one before `fromMs` to `atMs`; a NaN is a missing point. */
function pointsFor(series: Series, view: StepsView): readonly Point[] {
  const kept: Point[] = [];
  for (let index = series.points.length - 1; index >= 0; index -= 1) {
    const point = series.points.at(index);
    if (point === undefined || point[0] > view.atMs || !Number.isFinite(point[1])) continue;
    kept.push(point);
    if (point[0] < view.fromMs) break;
  }
  return kept.reverse();
}

function stepsOfOne(
  points: readonly Point[],
  deployedAtMs: number | null,
  restartsMs: readonly number[],
  absentBefore: (firstMs: number) => boolean,
): readonly Step[] {
  const steps: Step[] = [];
  let before: Point | null = null;
  let next = 0;
  for (const point of points) {
    let restarted = false;
    for (let at = restartsMs[next]; at !== undefined && at <= point[0]; at = restartsMs[next]) {
      restarted ||= before !== null && at > before[0];
      next += 1;
    }
    if (deployedAtMs === null || point[0] >= deployedAtMs) {
      const isNew = before === null && absentBefore(point[0]);
      steps.push(stepTo(point, before, { deployedAtMs, restarted, isNew }));
    }
    before = point;
  }
  return steps;
}

function stepTo(
  [atMs, value]: Point,
  before: Point | null,
  known: { deployedAtMs: number | null; restarted: boolean; isNew: boolean },
): Step {
  // A counter below 0 is a bug of the service; it must not take counts away.
  const fromZero = Math.max(0, value);
  if (before === null) {
    return known.isNew ? { atMs, add: fromZero, sinceMs: null } : { atMs, add: 0, sinceMs: atMs };
  }
  const [beforeMs, beforeValue] = before;
  const isFirst = known.deployedAtMs !== null && beforeMs < known.deployedAtMs;
  if (known.restarted) return { atMs, add: fromZero, sinceMs: isFirst ? null : beforeMs };
  // The same process went on: what it counted around the deploy may be of the time before.
  if (isFirst) return { atMs, add: 0, sinceMs: atMs };
  return { atMs, add: value - beforeValue, sinceMs: beforeMs };
}

/** Times of the points at which each counter fell back. */
function timesOfFalls(
  points: ReadonlyMap<Series, readonly Point[]>,
): ReadonlyMap<Series, readonly number[]> {
  const falls = new Map<Series, readonly number[]>();
  for (const [series, own] of points) {
    const times: number[] = [];
    let before = Number.NEGATIVE_INFINITY;
    for (const [atMs, value] of own) {
      if (value < before) times.push(atMs);
      before = value;
    }
    if (times.length > 0) falls.set(series, times);
  }
  return falls;
}

function targetOf({ labels }: Series): string {
  return JSON.stringify([labels['job'] ?? '', labels['instance'] ?? '']);
}

type Witness = {
  /** First point of each target. */
  readonly firstMs: ReadonlyMap<string, number>;
  /** From here on some target is known to have been looked at several times. */
  readonly lookedMs: number;
};

/**
 * Times of the first points in the coverage. They prove that the source looked before another series
 * was born: a source that drops points keeps these times, for as long as the coverage has them.
 */
export function firstTimesOf(
  { firstMs = [], points }: Pick<Series, 'firstMs' | 'points'>,
  fromMs: number,
  untilMs = Number.POSITIVE_INFINITY,
): readonly number[] {
  const times = firstMs.filter((atMs) => atMs >= fromMs && atMs <= untilMs);
  if (times.length === WITNESS_POINTS) return times;
  for (const [atMs, value] of points) {
    if (atMs > untilMs || times.length === WITNESS_POINTS) break;
    const isNext = atMs >= fromMs && atMs > (times.at(-1) ?? Number.NEGATIVE_INFINITY);
    if (isNext && Number.isFinite(value)) times.push(atMs);
  }
  return times;
}

function witnessOf(set: SeriesSet, atMs: number): Witness {
  const firstMs = new Map<string, number>();
  let lookedMs = Number.POSITIVE_INFINITY;
  for (const series of set.series) {
    const times = firstTimesOf(series, set.coveredFromMs, atMs);
    const target = targetOf(series);
    const first = times[0] ?? Number.POSITIVE_INFINITY;
    firstMs.set(target, Math.min(first, firstMs.get(target) ?? Number.POSITIVE_INFINITY));
    lookedMs = Math.min(lookedMs, times[WITNESS_POINTS - 1] ?? Number.POSITIVE_INFINITY);
  }
  return { firstMs, lookedMs };
}

/**
 * The source looked and the series was not there: a new process, or a counter that is created
 * with its first event. Both start from 0. Targets are scraped one after another, so at the edge
 * of the coverage the later ones only seem to be new: that is no proof.
 */
function wasAbsentBefore(
  series: Series,
  firstMs: number,
  set: SeriesSet,
  witness: Witness,
): boolean {
  if (set.coveredFromMs >= firstMs) return false;
  // It was there itself: only its points of then are gone, and those since are no numbers.
  if ((series.firstMs?.[0] ?? firstMs) < firstMs) return false;
  const sameTargetMs = witness.firstMs.get(targetOf(series)) ?? Number.POSITIVE_INFINITY;
  if (sameTargetMs < firstMs) return true;
  const edgeMs = EDGE_SPACINGS * (spacingMs(series.points) ?? 0);
  return witness.lookedMs < firstMs && firstMs - set.coveredFromMs > edgeMs;
}
