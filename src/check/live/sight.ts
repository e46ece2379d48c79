// What `check --live` asks a source, whichever kind it is.
import type { Readings, ReadRequest, SeriesIndicator } from '../../core/read.ts';
import type { Series } from '../../core/series.ts';

export type Cost = {
  readonly ms: number;
  /** Samples that the source read for it; null: it does not say. */
  readonly samples: number | null;
};

/** The series behind an indicator, as they are now. */
export type Look = {
  /** Raw series for structured indicators; empty for PromQL. */
  readonly series: readonly Series[];
  /** How many there are; for PromQL those that the expression gives. */
  readonly count: number;
  readonly cost: Cost | null;
  /** Why the source did not answer this; then nothing is known of the series. */
  readonly failure: Failure | null;
  /** What the source says against its own answer: data may be missing. */
  readonly warnings: readonly string[];
};

export type Failure = {
  readonly detail: string;
  /** The text of the query is at fault, and not the source. */
  readonly isOfQuery: boolean;
};

export type Span = { readonly fromMs: number; readonly toMs: number; readonly signal: AbortSignal };

export interface Sight {
  readonly kind: 'prometheus' | 'scrape';
  /** Why the source cannot be asked at all; null: it answers. */
  deadBecause(atMs: number, signal: AbortSignal): Promise<string | null>;
  /** All indicators at once, as each tick in production reads them. */
  read(request: ReadRequest): Promise<{ readonly readings: Readings; readonly cost: Cost }>;
  /** One indicator by itself. */
  look(indicator: SeriesIndicator, request: ReadRequest): Promise<Look>;
  /** Whether there was any metric; null: not known. */
  hasAny(span: Span): Promise<boolean | null>;
  /** Whether one of them is of this name; null: not known. */
  hasMetric(metric: string, span: Span): Promise<boolean | null>;
  /** Names of all metrics, to find the one that was meant; null: not known, or too many. */
  metricNames(span: Span): Promise<readonly string[] | null>;
  labelNames(metric: string, span: Span): Promise<readonly string[] | null>;
  labelValues(metric: string, label: string, span: Span): Promise<readonly string[] | null>;
  /**
   * As the source says: `counter`, `gauge`, `histogram`, `summary`; null: not known. The parts of
   * a histogram or summary (`_bucket`, `_count`, `_sum`) are counters.
   */
  typeOf(metric: string, signal: AbortSignal): Promise<string | null>;
  /** Time between two samples of a metric, where its raw samples are not at hand. */
  spacingOf(metric: string, request: ReadRequest): Promise<number | null>;
}

/** Names under which the kind of a metric may be kept: that of `x_total` as that of `x`. */
export function familiesOf(metric: string): readonly string[] {
  const base = metric.replace(/_(total|bucket|count|sum)$/, '');
  return base === metric ? [metric] : [metric, base];
}

/** What the kind of a family says of one of its metrics; null: of another metric, or nothing. */
export function kindIn(metric: string, family: string, type: string | null): string | null {
  if (family === metric) return type;
  const isPart = /_total$/.test(metric)
    ? type === 'counter'
    : type === 'histogram' || type === 'summary';
  return isPart ? 'counter' : null;
}

/** Median time between two samples; null: too few to tell. */
export function medianGapOf(series: readonly Pick<Series, 'points'>[]): number | null {
  const gaps = series.flatMap(({ points }) => {
    const times = Array.from(points, ([atMs]) => atMs);
    return times.slice(1).map((atMs, index) => atMs - (times[index] ?? atMs));
  });
  return gaps.length < 2 ? null : (gaps.sort((a, b) => a - b)[gaps.length >> 1] ?? null);
}
