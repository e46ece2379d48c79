// What proves a count over a range before a gate: that the target was looked at before its counter
// was born, and that each job was looked at for most of the range. A watch has its deploy to begin
// from; a gate has only what is kept, and a part of it must not pass for all.
// May not take one service for another: without job and instance a series proves only itself.
import { unprovenBirths } from '../../core/increase.ts';
import { bucketSelector, LOOKBACK_MS, metricNames } from '../../core/measure.ts';
import type { PromqlIndicator, Selector } from '../../core/policy.ts';
import { formatDuration, formatNumber, parseDuration, roughDuration } from '../../core/quantity.ts';
import type { SeriesIndicator } from '../../core/read.ts';
import type { Blind } from '../../core/sample.ts';
import { cut, select, selectorsOf } from '../../core/select.ts';
import type { Point, Series } from '../../core/series.ts';
import type { Query } from '../../source/prometheus-api.ts';
import type { MatrixSeries } from '../../source/prometheus-result.ts';
import { selectorText } from '../../source/promql.ts';

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

/** Too few steps of the range at which anything of a job was seen; null: enough. */
function shortfall(job: string, seen: readonly MatrixSeries[], overMs: number): Blind | null {
  const stepMs = stepMsOf(overMs);
  const steps = new Set(seen.flatMap(({ points }) => points.map(([at]) => at)));
  if (steps.size / Math.max(1, Math.floor(overMs / stepMs)) >= COVERED_MIN) return null;
  const known = roughDuration(Math.min(overMs, steps.size * stepMs));
  const whose = job === NOBODY ? '' : ` of ${job}`;
  const detail =
    `the source knows ${known} of the ${roughDuration(overMs)}, at least ` +
    `${formatNumber(COVERED_MIN * 100)} % wanted${whose}; try again later`;
  return { kind: 'blind', reason: 'too_few', detail: cut(detail) };
}

/** What an expression looks at over a range: `up{job="a"}[${range}]`, `up[1h]`, `up[1h:1m]`. */
const RANGED =
  /([a-zA-Z_:][\w:]*)?\s*(\{(?:[^}"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*\})?\s*\[\s*(\$\{range\}|\w+)\s*(?::[^\]]*)?\]/g;

type Ranged = { readonly selector: string; readonly overMs: number };

function rangedOf({ promql, overMs }: Pick<PromqlIndicator, 'promql' | 'overMs'>) {
  const found = new Map<string, Ranged>();
  for (const [, metric = '', matchers = '', range = ''] of promql.matchAll(RANGED)) {
    const selector = `${metric}${matchers}`;
    // A number alone is one of seconds.
    const written = /^\d+$/.test(range) ? `${range}s` : range;
    const rangeMs = range === '${range}' ? overMs : parseDuration(written);
    if (selector === '' || rangeMs === null || rangeMs <= 0) continue;
    found.set(`${selector}[${rangeMs}]`, { selector, overMs: rangeMs });
  }
  return [...found.values()];
}

/**
 * Why an expression over a range is not proven: of something that it names, a job was not seen for
 * most of it. What nobody ever saw is not asked for: it may be a counter without events.
 */
export async function expressionDoubt(
  query: Query,
  indicator: Pick<PromqlIndicator, 'promql' | 'overMs'>,
  atMs: number,
  signal: AbortSignal,
): Promise<Blind | null> {
  const ranged = rangedOf(indicator);
  const [first] = ranged;
  let isSeen = false;
  for (const { selector, overMs } of ranged) {
    const answer = await query(`count by (job) (${selector})${stepsIn(overMs)}`, atMs, signal);
    if (answer.kind === 'failed') {
      return { kind: 'blind', reason: answer.reason, detail: answer.detail };
    }
    for (const series of answer.result.type === 'matrix' ? answer.result.series : []) {
      const doubt = shortfall(jobOf(series.labels), [series], overMs);
      if (doubt !== null) return doubt;
      isSeen = true;
    }
  }
  return first === undefined || isSeen ? null : shortfall(NOBODY, [], first.overMs);
}

/** A way to ask that also brings when the targets of what it brings were seen. */
export class WitnessedQuery {
  readonly #query: Query;
  readonly #indicator: CountedRange;
  readonly #selectors: readonly Selector[];
  /** What the indicator is made of, and what was seen of its targets. */
  #series: readonly Series[] = [];
  /** By job, of those that the indicator is made of. */
  #seen: ReadonlyMap<string, readonly MatrixSeries[]> = new Map();

  constructor(query: Query, indicator: CountedRange) {
    this.#query = query;
    this.#indicator = indicator;
    this.#selectors =
      indicator.kind === 'quantile'
        ? [bucketSelector(indicator.histogram)]
        : selectorsOf(indicator);
  }

  readonly ask: Query = async (promql, atMs, signal) => {
    const answer = await this.#query(promql, atMs, signal);
    if (answer.kind === 'failed' || answer.result.type !== 'matrix') return answer;
    const own = answer.result.series.filter(({ points }) => points.length > 0);
    const jobs = new Set(selected(own.map(seriesOf), this.#selectors).map(jobOfSeries));
    const all: MatrixSeries[] = [];
    for (const text of [this.promql, ...(jobs.has(NOBODY) ? [this.#promqlOfNobody] : [])]) {
      const seen = await this.#query(text, atMs, signal);
      if (seen.kind === 'failed') return seen;
      const isAlone = text !== this.promql;
      const found = seen.result.type === 'matrix' ? seen.result.series : [];
      all.push(...found.filter(({ labels }) => (jobOf(labels) === NOBODY) === isAlone));
    }
    this.#seen = new Map(
      [...jobs].map((job) => [job, all.filter(({ labels }) => jobOf(labels) === job)]),
    );
    const targets = new Set(own.map(({ labels }) => targetOf(labels)));
    const witnesses = all.filter(
      ({ labels }) => jobOf(labels) !== NOBODY && targets.has(targetOf(labels)),
    );
    const series = [...own, ...witnesses];
    this.#series = series.map(seriesOf);
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

  /** Without job and instance, as after a remote write: only what the indicator itself means. */
  get #promqlOfNobody(): string {
    const own = this.#selectors.map(({ metric, matchers }) => {
      const nobody = ['job', 'instance'].map((label) => ({ label, op: '=', value: '' }) as const);
      return selectorText({ metric, matchers: [...matchers, ...nobody] });
    });
    return `count(${own.join(' or ')})${stepsIn(this.#indicator.overMs)}`;
  }

  /** Why the reading is not proven; null: it is. */
  doubt(atMs: number): Blind | null {
    const { overMs, title } = this.#indicator;
    for (const [job, seen] of this.#seen) {
      const uncovered = shortfall(job, seen, overMs);
      if (uncovered !== null) return uncovered;
    }
    const [first] = this.#unproven(atMs);
    if (first === undefined) return null;
    const [bornMs, value] = first;
    const detail =
      `${title} first has a sample ${roughDuration(atMs - bornMs)} ago, with the value ` +
      `${formatNumber(value)}, and its target was not seen before: nobody knows when that was counted`;
    return { kind: 'blind', reason: 'too_few', detail };
  }

  #unproven(atMs: number): readonly Point[] {
    const { overMs } = this.#indicator;
    const coveredFromMs = atMs - overMs - LOOKBACK_MS;
    const births = (own: readonly Series[], series: readonly Series[]) =>
      unprovenBirths(own, { series, coveredFromMs }, atMs, atMs - overMs);
    const own = selected(this.#series, selectorsOf(this.#indicator));
    return [...Map.groupBy(own, jobOfSeries)].flatMap(([job, ofJob]) =>
      job === NOBODY
        ? ofJob.flatMap((one) => births([one], [one]))
        : births(
            ofJob,
            this.#series.filter((one) => jobOfSeries(one) === job),
          ),
    );
  }
}

function selected(series: readonly Series[], selectors: readonly Selector[]): readonly Series[] {
  const found = selectors.map((selector) => select(series, selector));
  return [...new Set(found.flatMap((one) => (one.kind === 'blind' ? [] : one.series)))];
}

/** Of a series that says neither its job nor its instance. */
const NOBODY = '';

/** Whose instances may replace each other. */
function jobOf({ job = '', instance = '' }: Readonly<Record<string, string>>): string {
  if (job !== '') return `job ${job}`;
  return instance === '' ? NOBODY : `instance ${instance}`;
}

function jobOfSeries({ labels }: Series): string {
  return jobOf(labels);
}

function targetOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([labels['job'] ?? '', labels['instance'] ?? '']);
}

function seriesOf({ labels, points }: MatrixSeries): Series {
  const { __name__: metric = '', ...others } = labels;
  return { metric, labels: others, points };
}
