// What can be seen of a metric at a query time: which series there are, which are fresh, and in
// words why nothing can be judged. May not look at points after the query time.
import { spacingMs } from './increase.ts';
import type { Selector } from './policy.ts';
import { roughDuration } from './quantity.ts';
import type { Blind, BlindReason, Counts } from './sample.ts';
import { cut, selectorText } from './select.ts';
import type { Point, Series, SeriesSet } from './series.ts';

export type MeasureView = {
  /** The query time. */
  readonly atMs: number;
  /** null: a reading of the time before the deploy. */
  readonly deployedAtMs: number | null;
  readonly staleAfterMs: number;
  /** Counts since the deploy as of an earlier tick. */
  readonly previous: { readonly atMs: number; readonly counts: Counts } | null;
};

/** A gauge this many sample spacings behind its siblings belongs to a process that is gone. */
const LEFT_BEHIND_SPACINGS = 2.5;

/** Why none of these series can be judged now; null when at least one can. */
export function unseenSeries(
  series: readonly Series[],
  selector: Selector,
  set: SeriesSet,
  view: MeasureView,
): Blind | null {
  const name = selectorText(selector);
  const known = series.filter((one) => newestPoint(one, view.atMs) !== null);
  if (known.length === 0) return noSeries(selector, set, view);
  if (known.some((one) => isFresh(one, view))) return null;
  const ended = known.filter((one) => (one.endedAtMs ?? Infinity) <= view.atMs);
  const newestMs = Math.max(...known.map((one) => newestPoint(one, view.atMs)?.[0] ?? 0));
  const age = roughDuration(view.atMs - newestMs);
  if (view.deployedAtMs !== null && newestMs < view.deployedAtMs) {
    return blind('stale', `newest sample of ${name} is from before the deploy, ${age} old`);
  }
  if (ended.length === known.length) {
    return blind('stale', `${name} is gone since ${age}: its last series ended`);
  }
  const limit = roughDuration(view.staleAfterMs);
  return blind('stale', `newest sample of ${name} is ${age} old, at most ${limit} wanted`);
}

export function unseenCounters(
  series: readonly Series[],
  selector: Selector,
  set: SeriesSet,
  view: MeasureView,
): Blind | null {
  return unseenSeries(series, selector, set, view) ?? notANumber(series, selector, view);
}

/** Older NaNs are missing points, but the newest one hides what the counter reads now. */
export function notANumber(
  series: readonly Series[],
  selector: Selector,
  view: MeasureView,
): Blind | null {
  const broken = series.find((one) => {
    const newest = newestPoint(one, view.atMs);
    return newest !== null && !Number.isFinite(newest[1]) && isFresh(one, view);
  });
  if (!broken) return null;
  const value = newestPoint(broken, view.atMs)?.[1];
  return blind('not_finite', `newest sample of ${selectorText(selector)} is ${value}`);
}

function noSeries(selector: Selector, set: SeriesSet, view: MeasureView): Blind {
  const others = set.series.filter(
    (one) => one.metric === selector.metric && newestPoint(one, view.atMs) !== null,
  ).length;
  const name = selectorText(selector);
  const why =
    others > 0
      ? `${others} series of ${selector.metric} have other labels`
      : `no metric of this name is known, perhaps it is misspelt`;
  return blind('no_series', `no series matches ${name}: ${why}`);
}

function isFresh(series: Series, view: MeasureView): boolean {
  const newest = newestPoint(series, view.atMs);
  if (newest === null || (series.endedAtMs ?? Infinity) <= view.atMs) return false;
  if (view.deployedAtMs !== null && newest[0] < view.deployedAtMs) return false;
  return view.atMs - newest[0] <= view.staleAfterMs;
}

/** Fresh, and not left behind by its siblings: the series of processes that still run. */
export function liveSeries(series: readonly Series[], view: MeasureView): readonly Series[] {
  const fresh = series.filter((one) => isFresh(one, view));
  let newest: { atMs: number; spacing: number | null } = { atMs: -Infinity, spacing: null };
  const dated = fresh.map((one) => {
    const atMs = newestPoint(one, view.atMs)?.[0] ?? -Infinity;
    const last = { one, atMs, spacing: spacingMs(one.points, view.atMs) };
    if (last.atMs > newest.atMs) newest = last;
    return last;
  });
  return dated
    .filter(({ atMs, spacing }) => {
      // Targets may be scraped at different paces: the slower one sets the measure.
      const slower = Math.max(spacing ?? 0, newest.spacing ?? 0);
      return slower === 0 || newest.atMs - atMs <= LEFT_BEHIND_SPACINGS * slower;
    })
    .map(({ one }) => one);
}

export function newestPoint(series: Series, atMs: number): Point | null {
  for (let index = series.points.length - 1; index >= 0; index -= 1) {
    const point = series.points.at(index);
    if (point !== undefined && point[0] <= atMs) return point;
  }
  return null;
}

export function manySeries(selector: Selector, series: readonly Series[]): Blind {
  const names = series.slice(0, 3).map(({ labels }) => {
    const pairs = Object.entries(labels).map(([label, value]) => `${label}="${cut(value, 40)}"`);
    return `{${pairs.join(',')}}`;
  });
  const more = series.length > names.length ? ', ...' : '';
  const text = `${series.length} series of ${selectorText(selector)} where one is meant`;
  return blind('many_series', `${text}: ${names.join(', ')}${more}`);
}

export function blind(reason: BlindReason, detail: string): Blind {
  return { kind: 'blind', reason, detail: cut(detail) };
}
