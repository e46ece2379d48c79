// The structured indicators of one watch. One request per tick fetches the raw samples of all of
// them since the last answer; `measure` judges the kept history, exactly as for a scraped service.
import {
  historyMs,
  LOOKBACK_MS,
  type MeasuredIndicator,
  measure,
  metricNames,
} from '../core/measure.ts';
import type { ReadRequest } from '../core/read.ts';
import type { Blind, Counts, Reading } from '../core/sample.ts';
import { selectorsOf } from '../core/select.ts';
import type { SeriesSet } from '../core/series.ts';
import { cut, type QueryAnswer } from './prometheus-api.ts';
import { selectorText, sharedMatchers } from './promql.ts';
import { HISTORY_MS_MAX, type Need, RawHistory } from './raw-history.ts';
import type { RawQuery } from './shared-raw.ts';

/**
 * Each request reaches back this far before the last answer: a sample carries the time at which
 * its scrape began and is visible only when the scrape has ended, up to a scrape timeout later.
 */
export const OVERLAP_MS = 30_000;

type Base = { readonly atMs: number; readonly counts: Counts };

/** Everything that was fetched for one set of indicators and one deploy. */
type Watched = {
  readonly key: string;
  readonly deployedAtMs: number | null;
  readonly history: RawHistory;
  /**
   * Counts since the deploy up to a time before which no sample comes late any more. The caller's
   * own counts end at its last tick and would miss a sample that became visible after it.
   */
  readonly bases: Map<string, Base | null>;
  settledAtMs: number;
};

export class RawReader {
  readonly #query: RawQuery;
  #watched: Watched | null = null;
  /** The history since the deploy was too large to be fetched: only ranges are looked at. */
  #isShort = false;

  constructor(query: RawQuery) {
    this.#query = query;
  }

  async read(
    indicators: readonly MeasuredIndicator[],
    request: ReadRequest,
  ): Promise<ReadonlyMap<string, Reading>> {
    if (indicators.length === 0) return new Map();
    const { atMs } = request;
    const watched = this.#watchedFor(indicators, request);
    const { history } = watched;
    const sinceMs =
      history.fetchedToMs === null ? history.coveredFromMs : history.fetchedToMs - OVERLAP_MS;
    const fromMs = Math.max(sinceMs, history.coveredFromMs, atMs - reachMs(indicators));
    const answer = await this.#query({ ...needOf(indicators), fromMs, atMs }, request.signal);
    if (answer.kind === 'failed') return this.#failed(indicators, watched, answer);
    if (answer.result.type !== 'matrix') {
      const detail = `a ${answer.result.type} came where raw samples were asked`;
      return sameForAll(indicators, { kind: 'blind', reason: 'rejected', detail });
    }
    this.#watched = watched;
    history.merge(
      answer.result.series.filter(({ points }) => points.length > 0),
      atMs,
    );
    history.trim(needsOf(indicators, watched, atMs), atMs);
    const set = history.set();
    this.#settle(indicators, set, watched, request);
    const native = answer.result.series.flatMap(({ labels, isNativeHistogram }) =>
      isNativeHistogram ? [labels['__name__'] ?? ''] : [],
    );
    return new Map(
      indicators.map((indicator) => {
        const reading = this.#measured(indicator, set, watched, request);
        return [indicator.id, explained(reading, indicator, indicators, native, answer.warnings)];
      }),
    );
  }

  #watchedFor(indicators: readonly MeasuredIndicator[], request: ReadRequest): Watched {
    const { atMs, deployedAtMs } = request;
    const key = JSON.stringify(
      indicators.map((one) => [one.id, selectorsOf(one).map(selectorText)]),
    );
    const known = this.#watched;
    const fetchedToMs = known?.history.fetchedToMs ?? null;
    const goesOn =
      known?.key === key &&
      known.deployedAtMs === deployedAtMs &&
      fetchedToMs !== null &&
      fetchedToMs <= atMs &&
      fetchedToMs > atMs - reachMs(indicators);
    if (known && goesOn) return known;
    const fromMs = firstFromMs(indicators, request, this.#isShort);
    const bases = indicators.map(({ id }) => [id, request.previous[id] ?? null] as const);
    return {
      key,
      deployedAtMs,
      history: new RawHistory(fromMs, reachMs(indicators)),
      bases: new Map(bases),
      settledAtMs: Number.NEGATIVE_INFINITY,
    };
  }

  #failed(
    indicators: readonly MeasuredIndicator[],
    { key, deployedAtMs, history }: Watched,
    { reason, detail, fault }: Extract<QueryAnswer, { kind: 'failed' }>,
  ): ReadonlyMap<string, Reading> {
    // Too much for one answer or for the server's limits: next time without the time before.
    // Where the same was answered with nothing, it was not too much.
    const before = this.#watched;
    const isAnswered = before?.key === key && before.deployedAtMs === deployedAtMs;
    if (fault !== 'server' && history.fetchedToMs === null && !isAnswered) this.#isShort = true;
    return sameForAll(indicators, { kind: 'blind', reason, detail });
  }

  /** Moves the bases on to where no sample comes late any more. */
  #settle(
    indicators: readonly MeasuredIndicator[],
    set: SeriesSet,
    watched: Watched,
    request: Pick<ReadRequest, 'deployedAtMs' | 'staleAfterMs'>,
  ): void {
    const { deployedAtMs, staleAfterMs } = request;
    const { fetchedToMs } = watched.history;
    if (deployedAtMs === null || fetchedToMs === null) return;
    const atMs = fetchedToMs - OVERLAP_MS;
    if (atMs <= deployedAtMs) return;
    if (atMs - watched.settledAtMs < OVERLAP_MS) return;
    watched.settledAtMs = atMs;
    for (const indicator of indicators) {
      const previous = watched.bases.get(indicator.id) ?? null;
      if (previous !== null && previous.atMs >= atMs) continue;
      const reading = measure(indicator, set, { atMs, deployedAtMs, staleAfterMs, previous });
      const counts = reading.sinceDeploy;
      if (counts !== undefined && knowsSinceDeploy(watched, previous)) {
        watched.bases.set(indicator.id, { atMs, counts });
      }
    }
  }

  #measured(
    indicator: MeasuredIndicator,
    set: SeriesSet,
    watched: Watched,
    request: ReadRequest,
  ): Reading {
    const { atMs, deployedAtMs, staleAfterMs } = request;
    const previous = watched.bases.get(indicator.id) ?? null;
    const reading = measure(indicator, set, { atMs, deployedAtMs, staleAfterMs, previous });
    if (knowsSinceDeploy(watched, previous)) return reading;
    if (historyMs(indicator) === null) {
      const detail = 'counts since the deploy, and the samples since then cannot be fetched';
      return { kind: 'blind', reason: 'rejected', detail };
    }
    const { sinceDeploy: _incomplete, ...rest } = reading;
    return rest;
  }
}

/** Counts of only a part of the time since the deploy are not shown as if they were all. */
function knowsSinceDeploy({ history, deployedAtMs }: Watched, previous: Base | null): boolean {
  return previous !== null || deployedAtMs === null || history.coveredFromMs <= deployedAtMs;
}

/** Where the first request of a watch begins; later ones only ask for what is new. */
function firstFromMs(
  indicators: readonly MeasuredIndicator[],
  { atMs, deployedAtMs, previous }: ReadRequest,
  isShort: boolean,
): number {
  const rangeFromMs = atMs - longestRangeMs(indicators);
  const countedFromMs = indicators
    .filter(countsSinceDeploy)
    .map(({ id }) => previous[id]?.atMs ?? deployedAtMs ?? atMs);
  const fromMs =
    deployedAtMs === null
      ? rangeFromMs
      : isShort
        ? Math.max(rangeFromMs, deployedAtMs)
        : Math.min(Math.max(rangeFromMs, deployedAtMs), ...countedFromMs);
  return Math.max(Math.min(fromMs, atMs) - LOOKBACK_MS, atMs - reachMs(indicators));
}

/**
 * What each metric is still needed for. Counts since the deploy go on from their base: after a time
 * without answers that may be long ago. Before that a counter only has to show restarts: those of
 * others of its process count for it.
 */
function needsOf(
  indicators: readonly MeasuredIndicator[],
  watched: Watched,
  atMs: number,
): (metric: string) => Need {
  const wholeFrom = new Map<string, number>();
  const counters = new Set<string>();
  for (const indicator of indicators) {
    const rangeFromMs = atMs - (historyMs(indicator) ?? 0) - OVERLAP_MS;
    const countedFromMs = countsSinceDeploy(indicator) ? countedFrom(indicator, watched) : null;
    const fromMs = Math.min(rangeFromMs, countedFromMs ?? rangeFromMs);
    for (const metric of metricNames(indicator)) {
      wholeFrom.set(metric, Math.min(fromMs, wholeFrom.get(metric) ?? fromMs));
      if (indicator.kind !== 'gauge') counters.add(metric);
    }
  }
  const earliestMs = Math.min(...wholeFrom.values());
  const fromMs = earliestMs - LOOKBACK_MS;
  return (metric) => {
    const wholeFromMs = wholeFrom.get(metric) ?? earliestMs;
    return { fromMs, wholeFromMs, isCounter: counters.has(metric) };
  };
}

/** null: the counts since the deploy are not known, and will not be. */
function countedFrom({ id }: MeasuredIndicator, watched: Watched): number | null {
  const base = watched.bases.get(id) ?? null;
  if (base !== null) return base.atMs;
  return knowsSinceDeploy(watched, base) ? watched.deployedAtMs : null;
}

function countsSinceDeploy({ kind }: MeasuredIndicator): boolean {
  return kind !== 'gauge' && kind !== 'rate';
}

function longestRangeMs(indicators: readonly MeasuredIndicator[]): number {
  return Math.max(0, ...indicators.map((indicator) => historyMs(indicator) ?? 0));
}

/** No range is cut: a count of some of its days would pass for that of all. */
function reachMs(indicators: readonly MeasuredIndicator[]): number {
  return Math.max(HISTORY_MS_MAX, longestRangeMs(indicators) + LOOKBACK_MS);
}

function needOf(indicators: readonly MeasuredIndicator[]) {
  return { metrics: indicators.flatMap(metricNames), selectors: indicators.flatMap(selectorsOf) };
}

/** What only the source knows: series left out by the request, native histograms, warnings. */
function explained(
  reading: Reading,
  indicator: MeasuredIndicator,
  indicators: readonly MeasuredIndicator[],
  native: readonly string[],
  warnings: readonly string[],
): Reading {
  if (reading.kind === 'blind' && reading.reason === 'no_series') {
    const histogram = metricNames(indicator).find((name) => native.includes(name));
    if (histogram !== undefined) {
      const detail = `${histogram} is a native histogram: use promql with histogram_quantile()`;
      return { ...reading, reason: 'rejected', detail: cut(detail) };
    }
  }
  const notes = warnings.map((warning) => `Prometheus warns: ${warning}`);
  if (reading.kind === 'blind' && reading.reason === 'no_series') {
    const shared = sharedMatchers(indicators.flatMap(selectorsOf));
    const text = shared.map(({ label, op, value }) => `${label}${op}${JSON.stringify(value)}`);
    if (text.length > 0) notes.unshift(`only series with {${text.join(',')}} were looked at`);
  }
  if (notes.length === 0) return reading;
  const detail = [...(reading.detail === undefined ? [] : [reading.detail]), ...notes].join('; ');
  return { ...reading, detail: cut(detail) };
}

function sameForAll(
  indicators: readonly MeasuredIndicator[],
  reading: Blind,
): ReadonlyMap<string, Reading> {
  return new Map(indicators.map(({ id }) => [id, reading]));
}
