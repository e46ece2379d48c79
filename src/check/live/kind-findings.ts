// Findings about kinds of metrics: a counter that is read as it is, a gauge that is counted.
import type { Series } from '../../core/series.ts';
import { bareCounters } from '../expressions.ts';
import { type Finding, finding } from '../finding.ts';
import { aboutMetric, type Seen } from './seen.ts';

/** A counter falls only when its process restarts. */
const FALLS_MIN = 3;
const FALLS_SHARE_MIN = 0.2;

/**
 * Counters that are read as gauges, as the source calls them.
 * @returns `isSettled`: the source knows, and what was said of the names alone does not count
 */
export async function counterFindings(
  seen: Seen,
): Promise<{ readonly findings: readonly Finding[]; readonly isSettled: boolean }> {
  const { indicator, sight, request } = seen;
  const suspects =
    indicator.kind === 'gauge'
      ? [indicator.metric.metric]
      : indicator.kind === 'promql'
        ? bareCounters(indicator.promql)
        : [];
  const findings: Finding[] = [];
  let isSettled = suspects.length > 0;
  for (const metric of suspects) {
    const type = await sight.typeOf(metric, request.signal);
    if (type === null) isSettled = false;
    if (type !== 'counter') continue;
    const found = `${metric}, which the source calls a counter, as a gauge`;
    const wanted = 'rate or increase; a counter only grows';
    findings.push(finding('counter-as-gauge', aboutMetric(seen), found, wanted, 'error'));
  }
  return { findings, isSettled };
}

/** Gauges that are counted. */
export async function gaugeFindings(
  seen: Seen,
  metric: string,
  series: readonly Series[],
): Promise<readonly Finding[]> {
  const { sight, indicator, request } = seen;
  if (indicator.kind === 'quantile' || indicator.kind === 'gauge') return [];
  const about = aboutMetric(seen);
  const type = await sight.typeOf(metric, request.signal);
  const wanted = 'a counter; use gauge for this metric, or name the counter';
  if (type === 'gauge') {
    const found = `${metric}, which the source calls a gauge, as a counter`;
    return [finding('gauge-as-counter', about, found, wanted)];
  }
  if (type !== null) return [];
  const { falls, steps } = fallsIn(series);
  if (falls < FALLS_MIN || falls < FALLS_SHARE_MIN * steps) return [];
  const found = `${metric} as a counter, which falls at ${falls} of ${steps} samples`;
  return [finding('gauge-as-counter', about, found, wanted)];
}

function fallsIn(series: readonly Series[]): { readonly falls: number; readonly steps: number } {
  let [falls, steps] = [0, 0];
  for (const { points } of series) {
    let before: number | null = null;
    for (const [, value] of points) {
      if (before !== null) steps += 1;
      if (before !== null && value < before) falls += 1;
      before = value;
    }
  }
  return { falls, steps };
}
