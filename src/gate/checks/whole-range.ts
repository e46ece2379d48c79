// What proves a count over a range before a gate: that the target was looked at before its counter
// was born, and that most of the range was looked at. A watch has its deploy to begin from; a gate
// has only what is kept, and a part of it must not pass for all.
import { unprovenBirths } from '../../core/increase.ts';
import { LOOKBACK_MS, metricNames } from '../../core/measure.ts';
import type { PromqlIndicator } from '../../core/policy.ts';
import { formatDuration, formatNumber, roughDuration } from '../../core/quantity.ts';
import type { SeriesIndicator } from '../../core/read.ts';
import type { Blind } from '../../core/sample.ts';
import { select, selectorsOf } from '../../core/select.ts';
import type { Series, SeriesSet } from '../../core/series.ts';
import type { Query } from '../../source/prometheus-api.ts';
import type { MatrixSeries } from '../../source/prometheus-result.ts';

/** Of the range; what is missing may have held anything. */
const COVERED_MIN = 0.8;
const STEPS = 300;
const STEP_MS_MIN = 1_000;

type Counted = Extract<SeriesIndicator, { kind: 'ratio' | 'quantile' | 'rate' | 'increase' }>;
export type CountedRange = Counted & { readonly overMs: number };

export function isCountedRange(indicator: SeriesIndicator): indicator is CountedRange {
  return (
    indicator.kind !== 'gauge' &&
    indicator.kind !== 'promql' &&
    indicator.overMs !== null &&
    indicator.overMs > 0
  );
}

function stepMsOf(overMs: number): number {
  return Math.max(STEP_MS_MIN, Math.ceil(overMs / STEPS / 1_000) * 1_000);
}

/** A subquery over the range, at its steps. */
function stepsIn(overMs: number): string {
  return `[${formatDuration(overMs)}:${formatDuration(stepMsOf(overMs))}]`;
}

/** Too few steps of the range at which anything was seen; null: enough. */
function shortfall(seen: readonly MatrixSeries[], overMs: number): Blind | null {
  const stepMs = stepMsOf(overMs);
  const steps = new Set(seen.flatMap(({ points }) => points.map(([at]) => at)));
  if (steps.size / Math.max(1, Math.floor(overMs / stepMs)) >= COVERED_MIN) return null;
  const known = roughDuration(Math.min(overMs, steps.size * stepMs));
  const detail =
    `the source knows ${known} of the ${roughDuration(overMs)}, at least ` +
    `${formatNumber(COVERED_MIN * 100)} % wanted; try again later`;
  return { kind: 'blind', reason: 'too_few', detail };
}

/** What an expression looks at over its range: `up{job="a"}[${range}]`. */
const RANGED =
  /([a-zA-Z_:][\w:]*)?\s*(\{(?:[^}"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*\})?\s*\[\$\{range\}\]/g;

/** Why an expression over a range is not proven: nothing that it names was seen for most of it. */
export async function expressionDoubt(
  query: Query,
  { promql, overMs }: Pick<PromqlIndicator, 'promql' | 'overMs'>,
  atMs: number,
  signal: AbortSignal,
): Promise<Blind | null> {
  const selectors = [...promql.matchAll(RANGED)]
    .map(([, metric = '', matchers = '']) => `${metric}${matchers}`)
    .filter((selector) => selector !== '');
  if (overMs === null || selectors.length === 0) return null;
  const any = [...new Set(selectors)].join(' or ');
  const answer = await query(`count(${any})${stepsIn(overMs)}`, atMs, signal);
  if (answer.kind === 'failed') {
    return { kind: 'blind', reason: answer.reason, detail: answer.detail };
  }
  return shortfall(answer.result.type === 'matrix' ? answer.result.series : [], overMs);
}

/** A way to ask that also brings when the targets of what it brings were seen. */
export class WitnessedQuery {
  readonly #query: Query;
  readonly #indicator: CountedRange;
  #seen: readonly MatrixSeries[] = [];
  #set: SeriesSet = { series: [], coveredFromMs: Number.POSITIVE_INFINITY };

  constructor(query: Query, indicator: CountedRange) {
    this.#query = query;
    this.#indicator = indicator;
  }

  readonly ask: Query = async (promql, atMs, signal) => {
    const answer = await this.#query(promql, atMs, signal);
    if (answer.kind === 'failed' || answer.result.type !== 'matrix') return answer;
    const own = answer.result.series.filter(({ points }) => points.length > 0);
    const seen = await this.#query(this.promql, atMs, signal);
    if (seen.kind === 'failed') return seen;
    const targets = new Set(own.map(({ labels }) => targetOf(labels)));
    const all = seen.result.type === 'matrix' ? seen.result.series : [];
    this.#seen = all.filter(({ labels }) => targets.has(targetOf(labels)));
    const series = [...own, ...this.#seen];
    const coveredFromMs = atMs - this.#indicator.overMs - LOOKBACK_MS;
    this.#set = { series: series.map(seriesOf), coveredFromMs };
    return { ...answer, result: { ...answer.result, series } };
  };

  /**
   * Each target, at each step at which it answered or a series of these metrics was there. It does
   * not reach into the time before the range: a sample is found up to 5 minutes later.
   */
  get promql(): string {
    const names = metricNames(this.#indicator).map((name) => `{__name__="${name}"}`);
    const { overMs } = this.#indicator;
    return `count by (job, instance) (${['up == 1', ...names].join(' or ')})${stepsIn(overMs)}`;
  }

  /** Why the reading is not proven; null: it is. */
  doubt(atMs: number): Blind | null {
    const { overMs, title } = this.#indicator;
    const uncovered = shortfall(this.#seen, overMs);
    if (uncovered !== null) return uncovered;
    const selected = selectorsOf(this.#indicator).flatMap((selector) => {
      const found = select(this.#set.series, selector);
      return found.kind === 'blind' ? [] : found.series;
    });
    const [first] = unprovenBirths(selected, this.#set, atMs, atMs - overMs);
    if (first === undefined) return null;
    const [bornMs, value] = first;
    const detail =
      `${title} first has a sample ${roughDuration(atMs - bornMs)} ago, with the value ` +
      `${formatNumber(value)}, and its target was not seen before: nobody knows when that was counted`;
    return { kind: 'blind', reason: 'too_few', detail };
  }
}

function targetOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([labels['job'] ?? '', labels['instance'] ?? '']);
}

function seriesOf({ labels, points }: MatrixSeries): Series {
  const { __name__: metric = '', ...others } = labels;
  return { metric, labels: others, points };
}
