// A service's history in a real Prometheus, ending at `T`, and policies that read it.
import { type LiveReport, lookAt } from '../../src/check/live/look.ts';
import { prometheusSight } from '../../src/check/live/prometheus-sight.ts';
import { subjectOf } from '../../src/check/subject.ts';
import { readPolicy } from '../../src/config/to-policy.ts';
import type { Reading } from '../../src/core/sample.ts';
import type { Point, Series } from '../../src/core/series.ts';
import type { Clock } from '../../src/kit/clock.ts';
import { systemClock } from '../../src/kit/clock.ts';

export const T = Date.parse('2026-03-01T12:00:00Z');
const MINUTE = 60_000;
const FROM = T - 40 * MINUTE;

/** The time of `T`, in which spans go on as always. */
export const clockAtT: Clock = { ...systemClock, now: () => T };

function points(everyMs: number, valueAt: (index: number) => number): readonly Point[] {
  const count = Math.floor((T - FROM) / everyMs);
  // The newest sample is a moment old, as it always is.
  return Array.from({ length: count }, (_, index) => [
    FROM + index * everyMs + everyMs - 2_000,
    valueAt(index),
  ]);
}

const SCRAPE = 15_000;
const series = (
  metric: string,
  labels: Record<string, string>,
  valueAt: (index: number) => number,
  everyMs = SCRAPE,
): Series => ({ metric, labels: { job: 'shop', ...labels }, points: points(everyMs, valueAt) });

const EDGES = [0.1, 0.5, 1, 2.5];
/** Of 40 requests per scrape all take less than half a second. */
const buckets = EDGES.concat(Infinity).map((edge) =>
  series('request_seconds_bucket', { le: edge === Infinity ? '+Inf' : `${edge}` }, (index) =>
    edge < 0.5 ? index * 30 : index * 40,
  ),
);

export const HISTORY: readonly Series[] = [
  ...buckets,
  series('orders_submitted_total', {}, (index) => index * 30),
  series('orders_filled_total', {}, (index) => index * 29),
  series('http_requests_total', { status: '200' }, (index) => index * 40),
  series('http_requests_total', { status: '404' }, (index) => index),
  series('queue_length', { queue: 'orders' }, () => 40),
  series('queue_length', { queue: 'mails' }, () => 3),
  series('process_resident_memory_bytes', {}, () => 400e6),
  series('pnl_usd', {}, () => -120),
  series('workers_busy', {}, (index) => 10 + (index % 3)),
  series('rare_total', {}, (index) => index * 50, MINUTE),
  series('answer_time', {}, () => 0.25),
  series('idle_total', {}, () => 7),
  series('coverage', {}, () => 93),
  {
    ...series('young_total', {}, (index) => index * 30),
    points: points(SCRAPE, (i) => i).slice(-8),
  },
];

/** A policy in which one stop condition judges one indicator. */
export function policyOn(indicator: object, limit: object, more: object = {}) {
  return {
    service: 'shop',
    source: 'prometheus',
    interval: '5s',
    parameters: { capital: { type: 'number', above: 0 } },
    indicators: { it: indicator },
    windows: [{ name: 'immediate', until: '30m', stop: { it: limit } }],
    on_stop: [{ rollback: { command: ['/bin/rollback'] } }],
    ...more,
  };
}

export async function liveOf(
  url: string,
  raw: unknown,
  given: {
    readonly parameters?: Readonly<Record<string, number>>;
    readonly version?: string;
    readonly health?: Reading;
    readonly clock?: Clock;
    readonly timeoutMs?: number;
  } = {},
): Promise<LiveReport> {
  const result = readPolicy(raw, 'shop');
  if (result.kind === 'problems') throw new Error(JSON.stringify(result.problems));
  const clock = given.clock ?? clockAtT;
  return lookAt(subjectOf(result.policy, raw), {
    sight: prometheusSight({ url, timeoutMs: given.timeoutMs ?? 5_000, clock }),
    readHealth: async () => given.health ?? { kind: 'value', value: 1 },
    clock,
    signal: new AbortController().signal,
    parameters: given.parameters ?? {},
    version: given.version ?? null,
  });
}
