// Raw samples to readings: what every structured indicator reads, whatever the source. Both
// sources call this, so that an indicator gives the same answer on each.
// Pure. May not use a sample from after the query time, nor judge one from before the deploy.
import { type CounterSteps, type Start, stepsAfter, stepsOf } from './increase.ts';
import { dividingLabels } from './kin.ts';
import type {
  Aggregate,
  GaugeIndicator,
  IncreaseIndicator,
  QuantileIndicator,
  RateIndicator,
  RatioIndicator,
  Selector,
} from './policy.ts';
import { histogramQuantile, orderBuckets, parseBound } from './quantile.ts';
import { formatNumber, roughDuration } from './quantity.ts';
import type { SeriesIndicator } from './read.ts';
import type { Blind, Counts, Reading } from './sample.ts';
import { select, selectorText } from './select.ts';
import type { Series, SeriesSet } from './series.ts';
import {
  blind,
  liveSeries,
  type MeasureView,
  manySeries,
  newestPoint,
  notANumber,
  unseenCounters,
  unseenSeries,
} from './visible.ts';

/** Indicators that are computed from raw samples: all but PromQL. */
export type MeasuredIndicator = Exclude<SeriesIndicator, { kind: 'promql' }>;

/**
 * How far before the start of a range a source should look. The last point before the start is
 * the base of a counter, and a series counts as new only when it was absent there: a gap in
 * scraping that is longer than this looks like a new process.
 */
export const LOOKBACK_MS = 300_000;

/** Names of the metrics whose series `measure` needs. */
export function metricNames(indicator: MeasuredIndicator): readonly string[] {
  switch (indicator.kind) {
    case 'ratio':
      return [...new Set([indicator.numerator.metric, indicator.total.metric])];
    case 'quantile':
      return [bucketSelector(indicator.histogram).metric];
    case 'rate':
    case 'increase':
      return [indicator.counter.metric];
    case 'gauge':
      return [indicator.metric.metric];
    default:
      return indicator satisfies never;
  }
}

/**
 * How far back from the query time the indicator looks, without `LOOKBACK_MS` and the time after
 * which a sample is stale; null: since the deploy, or since `previous` where there is one. Counts
 * since the deploy need the time since `previous` (without it: since the deploy) of every kind.
 */
export function historyMs(indicator: MeasuredIndicator): number | null {
  return indicator.kind === 'gauge' ? 0 : indicator.overMs;
}

export function measure(indicator: MeasuredIndicator, set: SeriesSet, view: MeasureView): Reading {
  const reading = measureOne(indicator, set, view);
  const counts = [reading.counts, reading.sinceDeploy].filter((one) => one !== undefined);
  const areTold = counts.every(({ part, total }) => Number.isFinite(part + total));
  // Numbers at the edge of what can be told overflow: a share of infinity would be 0, for sure.
  return areTold ? reading : blind('not_finite', 'the counts are larger than any number');
}

function measureOne(indicator: MeasuredIndicator, set: SeriesSet, view: MeasureView): Reading {
  switch (indicator.kind) {
    case 'ratio':
      return measureRatio(indicator, set, view);
    case 'quantile':
      return measureQuantile(indicator, set, view);
    case 'rate':
      return measureRate(indicator, set, view);
    case 'increase':
      return measureIncrease(indicator, set, view);
    case 'gauge':
      return measureGauge(indicator, set, view);
    default:
      return indicator satisfies never;
  }
}

function measureRatio(indicator: RatioIndicator, set: SeriesSet, view: MeasureView): Reading {
  const total = select(set.series, indicator.total);
  if (total.kind === 'blind') return total;
  const part = select(set.series, indicator.numerator);
  if (part.kind === 'blind') return part;
  const range = rangeOf(indicator, view);
  const dividing = dividingLabels([indicator.total, indicator.numerator]);
  const both = [...total.series, ...part.series];
  const steps = countSteps(both, set, view, range, dividing);
  const countsAfter = (start: Start): Counts => ({
    part: sumOf(part.series, steps, start),
    total: sumOf(total.series, steps, start),
  });
  const sinceDeploy = countsSinceDeploy(view, countsAfter);
  if (range.kind === 'blind') return { ...range, ...sinceDeploy };
  const unseen =
    unseenCounters(total.series, indicator.total, set, view) ??
    notANumber(part.series, indicator.numerator, view);
  if (unseen) return unseen;
  const counts = countsAfter(range);
  const few = tooFew(counts, indicator.minTotal, range);
  if (few) return { ...few, ...sinceDeploy };
  return seen(counts.part / counts.total, {
    ...shown(range),
    counts,
    ...sinceDeploy,
  });
}

function measureQuantile(indicator: QuantileIndicator, set: SeriesSet, view: MeasureView): Reading {
  const selector = bucketSelector(indicator.histogram);
  const selection = select(set.series, selector);
  if (selection.kind === 'blind') return selection;
  const range = rangeOf(indicator, view);
  const steps = countSteps(selection.series, set, view, range);
  const bucketsAfter = (start: Start) =>
    orderBuckets(
      selection.series.flatMap((series) => {
        const bound = parseBound(series.labels['le']);
        return bound === null ? [] : [{ bound, count: sumOf([series], steps, start) }];
      }),
    );
  const countsAfter = (start: Start): Counts => ({
    part: 0,
    total: bucketsAfter(start).at(-1)?.count ?? 0,
  });
  const sinceDeploy = countsSinceDeploy(view, countsAfter);
  if (range.kind === 'blind') return { ...range, ...sinceDeploy };
  const unseen = unseenCounters(selection.series, selector, set, view);
  if (unseen) return unseen;
  const buckets = bucketsAfter(range);
  const counts = { part: 0, total: buckets.at(-1)?.count ?? 0 };
  if (buckets.length < 2 || buckets.at(-1)?.bound !== Number.POSITIVE_INFINITY) {
    const name = selectorText(selector);
    return blind('not_finite', `${name} has no le="+Inf" bucket beside a finite one`);
  }
  const few = tooFew(counts, indicator.minTotal, range);
  if (few) return { ...few, ...sinceDeploy };
  const value = histogramQuantile(indicator.q, buckets);
  return seen(value, { ...shown(range), counts, ...sinceDeploy });
}

function measureRate(indicator: RateIndicator, set: SeriesSet, view: MeasureView): Reading {
  const selection = select(set.series, indicator.counter);
  if (selection.kind === 'blind') return selection;
  const range = rangeOf(indicator, view);
  if (range.kind === 'blind') return range;
  const unseen = unseenCounters(selection.series, indicator.counter, set, view);
  if (unseen) return unseen;
  // What an old pod counted happened and stays in a sum; elsewhere it would be one value too many.
  const live = liveSeries(selection.series, view);
  const meant = indicator.aggregate === 'sum' ? selection.series : live;
  if (indicator.aggregate === 'one' && live.length > 1) return manySeries(indicator.counter, live);
  const steps = countSteps(meant, set, view, range);
  const newestMs = live.reduce(
    (newest, series) => Math.max(newest, newestPoint(series, view.atMs)?.[0] ?? 0),
    0,
  );
  const rates: number[] = [];
  for (const series of meant) {
    const own = stepsAfter(steps.get(series), range);
    const [first] = own;
    if (first === undefined) continue;
    const seconds = (newestMs - (first.sinceMs ?? range.fromMs)) / 1_000;
    if (seconds > 0) rates.push(sumOf([series], steps, range) / seconds);
  }
  if (rates.length === 0) {
    const span = roughDuration(range.rangeMs);
    return blind('too_few', `one sample in ${span}: a rate needs two`);
  }
  return seen(aggregate(indicator.aggregate, rates), shown(range));
}

function measureIncrease(indicator: IncreaseIndicator, set: SeriesSet, view: MeasureView): Reading {
  const selection = select(set.series, indicator.counter);
  if (selection.kind === 'blind') return selection;
  const range = rangeOf(indicator, view);
  const steps = countSteps(selection.series, set, view, range);
  const countsAfter = (start: Start): Counts => ({
    part: 0,
    total: sumOf(selection.series, steps, start),
  });
  const sinceDeploy = countsSinceDeploy(view, countsAfter);
  if (range.kind === 'blind') return { ...range, ...sinceDeploy };
  const unseen = unseenCounters(selection.series, indicator.counter, set, view);
  if (unseen?.reason === 'no_series') {
    const hint = 'it may not have counted yet: a counter born with its first event looks the same';
    return blind('no_series', `${unseen.detail}; ${hint}`);
  }
  if (unseen) return unseen;
  // Since the deploy means the running total: the history may not reach back that far.
  const value =
    indicator.overMs === null ? (sinceDeploy.sinceDeploy?.total ?? 0) : countsAfter(range).total;
  return seen(value, { ...shown(range), ...sinceDeploy });
}

function measureGauge(indicator: GaugeIndicator, set: SeriesSet, view: MeasureView): Reading {
  const selection = select(set.series, indicator.metric);
  if (selection.kind === 'blind') return selection;
  if (view.deployedAtMs !== null && view.atMs < view.deployedAtMs) return beforeDeploy(view);
  const unseen = unseenSeries(selection.series, indicator.metric, set, view);
  if (unseen) return unseen;
  const live = liveSeries(selection.series, view);
  if (indicator.aggregate === 'one' && live.length > 1) return manySeries(indicator.metric, live);
  const values = live.map((series) => newestPoint(series, view.atMs)?.[1] ?? Number.NaN);
  const value = aggregate(indicator.aggregate, values);
  // 0 minus, so that a negated 0 is no -0.
  return seen(indicator.negate ? 0 - value : value, {});
}

type Range = Start & {
  readonly kind: 'range';
  readonly rangeMs: number;
  readonly shortened: boolean;
};

export function rangeOf(
  { overMs, early }: Pick<IncreaseIndicator, 'overMs' | 'early'>,
  view: MeasureView,
): Range | Blind {
  const { atMs, deployedAtMs } = view;
  const range = { kind: 'range', shortened: false, isInclusive: false } as const;
  if (deployedAtMs === null) {
    if (overMs === null) return blind('too_early', 'counts since the deploy: there is none yet');
    return { ...range, ...lastOf(overMs, atMs) };
  }
  if (atMs < deployedAtMs) return beforeDeploy(view);
  const sinceMs = atMs - deployedAtMs;
  const fromDeploy = { ...range, fromMs: deployedAtMs, rangeMs: sinceMs, isInclusive: true };
  if (overMs === null) return fromDeploy;
  if (overMs <= sinceMs) {
    const last = lastOf(overMs, atMs);
    return { ...range, ...last, isInclusive: last.fromMs === deployedAtMs };
  }
  if (early === 'wait') {
    const over = roughDuration(overMs);
    const rest = roughDuration(overMs - sinceMs);
    return blind('too_early', `waits ${rest} more: its range of ${over} starts before the deploy`);
  }
  return { ...fromDeploy, shortened: true };
}

/** After an outage a step holds all of it: where most of that was before the range, it is not its. */
function lastOf(rangeMs: number, atMs: number) {
  const fromMs = atMs - rangeMs;
  return { rangeMs, fromMs, sinceMs: fromMs - Math.max(rangeMs, LOOKBACK_MS) };
}

function beforeDeploy({ atMs, deployedAtMs }: MeasureView): Blind {
  return blind('too_early', `the deploy is ${roughDuration((deployedAtMs ?? atMs) - atMs)} ahead`);
}

function shown({ rangeMs, shortened }: Range) {
  return { rangeMs, shortened };
}

/** Steps from the start of the range, or from where the counts since the deploy go on. */
function countSteps(
  series: readonly Series[],
  set: SeriesSet,
  view: MeasureView,
  range: Range | Blind,
  dividing: readonly string[] = [],
): CounterSteps {
  const { atMs, deployedAtMs, previous } = view;
  const countedFromMs = deployedAtMs === null ? atMs : (previous?.atMs ?? deployedAtMs);
  const rangeFromMs = range.kind === 'range' ? range.fromMs : atMs;
  const fromMs = Math.min(rangeFromMs, countedFromMs);
  return stepsOf(series, set, { atMs, deployedAtMs, fromMs, dividing });
}

function sumOf(series: readonly Series[], steps: CounterSteps, start: Start): number {
  let sum = 0;
  for (const one of series) {
    for (const step of stepsAfter(steps.get(one), start)) sum += step.add;
  }
  return sum;
}

function countsSinceDeploy(
  { atMs, deployedAtMs, previous }: MeasureView,
  countsAfter: (start: Start) => Counts,
): { readonly sinceDeploy?: Counts } {
  if (deployedAtMs === null || atMs < deployedAtMs) return {};
  if (previous === null) {
    return { sinceDeploy: countsAfter({ fromMs: deployedAtMs, isInclusive: true }) };
  }
  const added = countsAfter({ fromMs: previous.atMs, isInclusive: false });
  const { part, total } = previous.counts;
  return { sinceDeploy: { part: part + added.part, total: total + added.total } };
}

export function tooFew(counts: Counts, minTotal: number, range: Range): Blind | null {
  if (counts.total > 0 && counts.total >= minTotal) return null;
  const wanted = minTotal > 0 ? ` of at least ${formatNumber(minTotal)}` : '';
  const detail = `${formatNumber(counts.total)}${wanted} events in ${roughDuration(range.rangeMs)}`;
  return { ...blind('too_few', detail), counts };
}

function aggregate(how: Aggregate, values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  switch (how) {
    case 'sum':
    case 'one':
      return sum;
    case 'avg':
      return sum / values.length;
    case 'min':
      return values.reduce((least, value) => Math.min(least, value), Infinity);
    case 'max':
      return values.reduce((most, value) => Math.max(most, value), -Infinity);
    default:
      return how satisfies never;
  }
}

export function bucketSelector(histogram: Selector): Selector {
  return { ...histogram, metric: `${histogram.metric}_bucket` };
}

function seen(value: number, rest: Partial<Extract<Reading, { kind: 'value' }>>): Reading {
  if (!Number.isFinite(value)) return blind('not_finite', `the value is ${value}`);
  return { ...rest, kind: 'value', value };
}
