// Health checks of the past, where a prober recorded them. A failed check counts once, at the tick
// after it was made, however often canaryd would have asked in between: three failures in a row are
// three that really happened. A good one holds until the next, as the sample of a gauge does. What
// was not recorded is blind, never good.

import type { Policy, Selector } from '../core/policy.ts';
import { previousVersionValues, type ReadHealth, resolveIndicator } from '../core/read.ts';
import type { Reading } from '../core/sample.ts';
import { selectorText } from '../core/select.ts';
import type { Point } from '../core/series.ts';
import { templateValues } from '../core/template.ts';
import { healthKey } from '../engine/stand-by.ts';
import type { VirtualClock } from '../kit/virtual-clock.ts';
import type { Query } from '../source/prometheus-api.ts';
import { rawSelector } from '../source/promql.ts';
import type { PastDeploy } from './result.ts';

/** No check for so long: nobody looked. */
const MISSING_AFTER_MS = 120_000;
/** How far back the last check before the deploy may lie. */
const BEFORE_MS = 300_000;
/** As the engine fills them in. */
const DEFAULT_ENVIRONMENT = 'production';
const WATCH_ID = 'w_1';

export type RecordedHealthOptions = {
  readonly query: Query;
  /** Of the replay: an answer comes when the next check was made. */
  readonly clock: () => VirtualClock;
  readonly deployedAtMs: number;
};

export function recordedHealth(options: RecordedHealthOptions): ReadHealth {
  const { query, clock, deployedAtMs } = options;
  const given = new Map<string, Point>();

  return async ({ id, recorded }, signal) => {
    if (recorded === undefined) return blind('rejected', 'not recorded');
    const atMs = clock().now();
    const last = given.get(id);
    const afterMs = last?.[0] ?? deployedAtMs - 1;
    const missingAtMs = (last?.[0] ?? deployedAtMs) + MISSING_AFTER_MS;
    const untilMs = Math.max(atMs, missingAtMs);
    const checks = await clock().standingStill(checksOf(query, recorded, afterMs, untilMs, signal));
    if (!Array.isArray(checks)) return checks;
    const made = checks.findLast(([madeMs]) => madeMs <= atMs);
    if (made === undefined && last?.[1] === 1 && atMs < missingAtMs) return readingOf(last);
    const next = made ?? checks[0];
    const isAwake = await slept(clock(), (next?.[0] ?? untilMs) - atMs, signal);
    if (!isAwake || next === undefined) {
      return blind('stale', `no check was recorded by ${selectorText(recorded)} for 2m`);
    }
    given.set(id, next);
    return readingOf(next);
  };
}

/** Checks after one time, up to and including another; in order. */
async function checksOf(
  query: Query,
  recorded: Selector,
  afterMs: number,
  untilMs: number,
  signal: AbortSignal,
): Promise<Point[] | Reading> {
  const need = { metrics: [recorded.metric], selectors: [recorded] };
  const answer = await query(rawSelector(need, untilMs - afterMs), untilMs, signal);
  if (answer.kind === 'failed') return blind(answer.reason, answer.detail);
  const series = answer.result.type === 'matrix' ? answer.result.series : [];
  const own = series
    .map(({ points }) => points.filter(([atMs]) => atMs > afterMs))
    .filter((points) => points.length > 0);
  if (own.length > 1) {
    return blind('many_series', `${own.length} series of ${selectorText(recorded)}: one is meant`);
  }
  return [...(own[0] ?? [])];
}

function readingOf([atMs, value]: Point): Reading {
  const detail = `recorded at ${new Date(atMs).toISOString().slice(11, 19)} UTC`;
  return { kind: 'value', value: value === 1 ? 1 : 0, detail };
}

function blind(reason: Extract<Reading, { kind: 'blind' }>['reason'], detail: string): Reading {
  return { kind: 'blind', reason, detail };
}

async function slept(clock: VirtualClock, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    if (ms > 0) await clock.sleep(ms, signal);
    return true;
  } catch {
    return false;
  }
}

/** What the last recorded check before the deploy said, by the key that the engine asks with. */
export async function healthBefore(
  policy: Policy,
  deploy: PastDeploy,
  query: Query,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Reading>> {
  const found = new Map<string, Reading>();
  const { deployedAtMs } = deploy;
  const environment = deploy.environment ?? policy.environment ?? DEFAULT_ENVIRONMENT;
  const values = templateValues({ ...deploy, environment, by: null, url: null }, WATCH_ID);
  for (const indicator of Object.values(policy.indicators)) {
    const resolved = resolveIndicator(indicator, policy, previousVersionValues(values));
    if (resolved.kind !== 'http' || resolved.recorded === undefined) continue;
    const fromMs = deployedAtMs - BEFORE_MS;
    const checks = await checksOf(query, resolved.recorded, fromMs, deployedAtMs - 1, signal);
    const last = Array.isArray(checks) ? checks.at(-1) : undefined;
    if (last !== undefined) found.set(healthKey(resolved), readingOf(last));
  }
  return found;
}
