// Figures of a service that give each indicator a wanted value: counters with a rate, gauges with a
// value, histograms with a distribution, with labels that the policy's selectors mean. Several
// indicators may read the same series: what comes out is computed again and held against the policy
// by the caller. Pure.

import type { MeasuredIndicator } from '../core/measure.ts';
import type { QuantileIndicator, RatioIndicator, Selector } from '../core/policy.ts';
import { histogramQuantile } from '../core/quantile.ts';
import { isMeant, type Labels, labelsFor, without } from './labels.ts';

export type CounterFigure = { readonly metric: string; readonly labels: Labels; perSecond: number };
export type GaugeFigure = { readonly metric: string; readonly labels: Labels; value: number };
export type HistogramFigure = {
  /** Without `_bucket`. */
  readonly metric: string;
  readonly labels: Labels;
  readonly perSecond: number;
  /** Rising; the share of observations that are at most so large. */
  readonly buckets: readonly { readonly bound: number; readonly share: number }[];
};

export type Figures = {
  readonly counters: readonly CounterFigure[];
  readonly gauges: readonly GaugeFigure[];
  readonly histograms: readonly HistogramFigure[];
};

/** The value an indicator should have, and which others are as good. */
export type Wanted = { readonly value: number; readonly accepts: (value: number) => boolean };

export type Order = {
  /** Placeholders filled. */
  readonly indicators: readonly MeasuredIndicator[];
  readonly wanted: ReadonlyMap<string, Wanted>;
  /** What decides where several want different values of one series. */
  readonly first: string | null;
  /** Events a second, where nothing asks for another number. */
  readonly perSecond: number;
  /** More bounds of buckets: a process never changes them. */
  readonly bounds: ReadonlyMap<string, readonly number[]>;
};

/** Counts since the deploy get there in this time. */
const SINCE_DEPLOY_SECONDS = 5;
/** The P95 lies below the P99. */
const BELOW_NEXT_QUANTILE = 0.9;

export type FiguresResult =
  | { readonly kind: 'figures'; readonly figures: Figures }
  | { readonly kind: 'refused'; readonly indicator: string; readonly why: string };

class Refused extends Error {
  readonly indicator: string;
  constructor(indicator: string, why: string) {
    super(why);
    this.indicator = indicator;
  }
}

export function figuresFor(order: Order): FiguresResult {
  try {
    const counters = new Counters();
    ratios(order, counters);
    rates(order, counters);
    return {
      kind: 'figures',
      figures: { counters: counters.list, gauges: gauges(order), histograms: histograms(order) },
    };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { kind: 'refused', indicator: error.indicator, why: error.message };
  }
}

/** What the indicator reads of these figures once they have been there long enough; NaN: nothing. */
export function readingOf(indicator: MeasuredIndicator, figures: Figures): number {
  const sum = (selector: Selector) =>
    figures.counters
      .filter(({ metric, labels }) => isMeant(selector, metric, labels))
      .reduce((total, { perSecond }) => total + perSecond, 0);
  switch (indicator.kind) {
    case 'ratio':
      return sum(indicator.numerator) / sum(indicator.total);
    case 'rate':
      return sum(indicator.counter);
    case 'increase':
      return sum(indicator.counter) * secondsOf(indicator.overMs);
    case 'quantile': {
      const found = figures.histograms.find(({ metric, labels }) =>
        isMeant(indicator.histogram, metric, labels),
      );
      const buckets = (found?.buckets ?? []).map(({ bound, share }) => ({ bound, count: share }));
      return histogramQuantile(indicator.q, [...buckets, { bound: Infinity, count: 1 }]);
    }
    case 'gauge': {
      const values = figures.gauges
        .filter(({ metric, labels }) => isMeant(indicator.metric, metric, labels))
        .map(({ value }) => value);
      const value = together(indicator.aggregate, values);
      return indicator.negate ? 0 - value : value;
    }
    default:
      return indicator satisfies never;
  }
}

const secondsOf = (overMs: number | null) =>
  overMs === null ? SINCE_DEPLOY_SECONDS : overMs / 1_000;

function together(how: 'sum' | 'min' | 'max' | 'avg' | 'one', values: readonly number[]): number {
  if (values.length === 0 || (how === 'one' && values.length > 1)) return Number.NaN;
  if (how === 'min') return Math.min(...values);
  if (how === 'max') return Math.max(...values);
  const sum = values.reduce((total, value) => total + value, 0);
  return how === 'avg' ? sum / values.length : sum;
}

const keyOf = (metric: string, labels: Labels) =>
  JSON.stringify([metric, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);

class Counters {
  readonly #known = new Map<string, CounterFigure>();

  get list(): readonly CounterFigure[] {
    return [...this.#known.values()];
  }

  set(metric: string, labels: Labels, perSecond: number): void {
    this.#known.set(keyOf(metric, labels), { metric, labels, perSecond });
  }

  meant(selector: Selector): readonly CounterFigure[] {
    return this.list.filter(({ metric, labels }) => isMeant(selector, metric, labels));
  }

  sum(selector: Selector): number | null {
    const meant = this.meant(selector);
    return meant.length === 0 ? null : meant.reduce((total, { perSecond }) => total + perSecond, 0);
  }
}

function labelsOf(id: string, selector: Selector, more: Selector['matchers'] = []): Labels {
  const labels = labelsFor([...selector.matchers, ...more]);
  if (labels !== null) return labels;
  throw new Refused(id, `no labels are found that its selector for ${selector.metric} means`);
}

function wantedOf(order: Order, id: string): Wanted {
  const wanted = order.wanted.get(id);
  if (wanted === undefined) throw new Refused(id, 'no value is healthy by all its limits');
  return wanted;
}

function ratios(order: Order, counters: Counters): void {
  const all = order.indicators.filter((one) => one.kind === 'ratio');
  const totals = new Map<string, RatioIndicator[]>();
  for (const one of all) {
    const key = JSON.stringify(one.total);
    totals.set(key, [...(totals.get(key) ?? []), one]);
  }
  // A total that is a part of another ratio has the rate that the other gives it.
  const isPart = ([first]: readonly RatioIndicator[]) =>
    all.some(
      ({ numerator, total }) =>
        numerator.metric === first?.total.metric && total.metric !== numerator.metric,
    );
  const groups = [...totals.values()].sort((a, b) => Number(isPart(a)) - Number(isPart(b)));
  for (const group of groups) ratioGroup(order, counters, group);
}

/** Ratios with the same total. */
function ratioGroup(order: Order, counters: Counters, group: readonly RatioIndicator[]): void {
  const [first] = group;
  if (first === undefined) return;
  const { total } = first;
  const rate = counters.sum(total) ?? order.perSecond;
  const own = group.filter(({ numerator }) => numerator.metric === total.metric);
  let rest = rate;
  const others: Selector['matchers'][number][] = [];
  for (const { id, numerator } of own) {
    const matcher = without(numerator, total);
    if (matcher === null) continue;
    others.push(matcher);
    const share = rate * wantedOf(order, id).value;
    rest -= share;
    counters.set(total.metric, labelsOf(id, numerator, total.matchers), share);
  }
  if (own.length > 0 || counters.sum(total) === null) {
    counters.set(total.metric, labelsOf(first.id, total, others), Math.max(0, rest));
  }
  for (const { id, numerator } of group) {
    if (numerator.metric === total.metric) continue;
    counters.set(numerator.metric, labelsOf(id, numerator), rate * wantedOf(order, id).value);
  }
}

/** Rates and increases; of a counter that a ratio made only what it is not already right for. */
function rates(order: Order, counters: Counters): void {
  for (const one of order.indicators) {
    if (one.kind !== 'rate' && one.kind !== 'increase') continue;
    const seconds = one.kind === 'rate' ? 1 : secondsOf(one.overMs);
    const { value, accepts } = wantedOf(order, one.id);
    const sum = counters.sum(one.counter);
    if (sum === null) {
      counters.set(one.counter.metric, labelsOf(one.id, one.counter), value / seconds);
    } else if (!accepts(sum * seconds)) {
      const meant = counters.meant(one.counter);
      for (const counter of meant) {
        const share = sum > 0 ? counter.perSecond / sum : 1 / meant.length;
        counter.perSecond = (value / seconds) * share;
      }
    }
  }
}

function gauges(order: Order): readonly GaugeFigure[] {
  type Wish = {
    readonly id: string;
    readonly raw: number;
    readonly accepts: (raw: number) => boolean;
  };
  const known = new Map<string, { metric: string; labels: Labels; wishes: Wish[] }>();
  for (const one of order.indicators) {
    if (one.kind !== 'gauge') continue;
    const { value, accepts } = wantedOf(order, one.id);
    const signed = (of: number) => (one.negate ? 0 - of : of);
    const labels = labelsOf(one.id, one.metric);
    const key = keyOf(one.metric.metric, labels);
    const found = known.get(key) ?? { metric: one.metric.metric, labels, wishes: [] };
    found.wishes.push({ id: one.id, raw: signed(value), accepts: (raw) => accepts(signed(raw)) });
    known.set(key, found);
  }
  return [...known.values()].map(({ metric, labels, wishes }) => {
    const decisive = wishes.find(({ id }) => id === order.first);
    const tried = [...wishes.map(({ raw }) => raw), 0];
    const forAll = tried.find((raw) => wishes.every(({ accepts }) => accepts(raw)));
    return { metric, labels, value: decisive?.raw ?? forAll ?? wishes[0]?.raw ?? 0 };
  });
}

export function histogramKey({ histogram }: QuantileIndicator): string {
  return JSON.stringify(histogram);
}

function histograms(order: Order): readonly HistogramFigure[] {
  const groups = new Map<string, QuantileIndicator[]>();
  for (const one of order.indicators) {
    if (one.kind !== 'quantile') continue;
    groups.set(histogramKey(one), [...(groups.get(histogramKey(one)) ?? []), one]);
  }
  return [...groups].map(([key, group]) => {
    const points = quantilePoints(order, group);
    const bounds = [
      ...new Set([...points.map(({ value }) => value), ...(order.bounds.get(key) ?? [])]),
    ];
    const buckets = bounds
      .filter((bound) => bound > 0)
      .sort((a, b) => a - b)
      .map((bound) => ({ bound, share: shareAt(bound, points) }));
    const [first] = group;
    if (first === undefined) throw new Error('a group has a member');
    const { metric } = first.histogram;
    return {
      metric,
      labels: labelsOf(first.id, first.histogram),
      perSecond: order.perSecond,
      buckets,
    };
  });
}

type QuantilePoint = { readonly q: number; value: number };

/** Rising values for rising quantiles; what decides moves the others out of its way. */
function quantilePoints(
  order: Order,
  group: readonly QuantileIndicator[],
): readonly QuantilePoint[] {
  const sorted = group.toSorted((a, b) => a.q - b.q);
  const points = sorted.map(({ id, q }) => ({ q, value: wantedOf(order, id).value }));
  const fixed = sorted.findIndex(({ id }) => id === order.first);
  const from = fixed === -1 ? points.length - 1 : fixed;
  for (let at = from - 1; at >= 0; at -= 1) {
    const [point, next] = [points[at], points[at + 1]];
    if (point && next) point.value = Math.min(point.value, next.value * BELOW_NEXT_QUANTILE);
  }
  for (let at = from + 1; at < points.length; at += 1) {
    const [point, before] = [points[at], points[at - 1]];
    if (point && before) point.value = Math.max(point.value, before.value / BELOW_NEXT_QUANTILE);
  }
  return points;
}

/** Straight lines from 0 through the quantiles to all observations at one and a half of the last. */
function shareAt(bound: number, points: readonly QuantilePoint[]): number {
  const last = points.at(-1)?.value ?? 0;
  const corners = [{ q: 0, value: 0 }, ...points, { q: 1, value: last * 1.5 }];
  for (const [index, { q, value }] of corners.entries()) {
    if (bound > value) continue;
    const before = corners[index - 1];
    if (before === undefined || value <= before.value) return q;
    return before.q + ((bound - before.value) / (value - before.value)) * (q - before.q);
  }
  return 1;
}
