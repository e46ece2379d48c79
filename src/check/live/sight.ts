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
  /** Names of all metrics; null: not known. */
  metricNames(span: Span): Promise<readonly string[] | null>;
  labelNames(metric: string, span: Span): Promise<readonly string[] | null>;
  labelValues(metric: string, label: string, span: Span): Promise<readonly string[] | null>;
  /** As the source says: `counter`, `gauge`, `histogram`, `summary`; null: not known. */
  typeOf(metric: string, signal: AbortSignal): Promise<string | null>;
  /** Time between two samples of a metric, where its raw samples are not at hand. */
  spacingOf(metric: string, request: ReadRequest): Promise<number | null>;
}

/** What is known of a metric `x_total` may be kept as that of `x`. */
export function familiesOf(metric: string): readonly string[] {
  const base = metric.replace(/_(total|bucket|count|sum)$/, '');
  return base === metric ? [metric] : [metric, base];
}
