// The past of an HTTP API that was deployed now and then, beside another service that is in
// trouble: what a Prometheus holds of both. Each version is a new process, its counters begin at 0.
import type { Point, Series } from '../../src/core/series.ts';

export type ApiVersion = {
  readonly version: string;
  readonly atMs: number;
  /** What is wrong with it, from a minute after its start. */
  readonly fault: 'errors' | 'latency' | null;
};

const EVERY_MS = 5_000;
const FAULT_AFTER_MS = 60_000;
const EDGES = [0.05, 0.1, 0.25, 0.5, 1, 2.5, Infinity];
const PER_SECOND = 50;
const QUICK_S = 0.08;
const SLOW_S = 2;
/** Of all requests, healthy and not. */
const FEW_FAIL = 0.001;
const MANY_FAIL = 0.15;

export function pastApi(versions: readonly ApiVersion[], untilMs: number): readonly Series[] {
  return versions.flatMap((one, index) => {
    const endMs = versions[index + 1]?.atMs ?? untilMs;
    const checkout = seriesOf('checkout', one, endMs);
    const troubled = seriesOf('search', { ...one, fault: 'errors' }, endMs);
    return [...checkout, ...troubled, probe(one, endMs)];
  });
}

function timesOf({ atMs }: ApiVersion, endMs: number): readonly number[] {
  const count = Math.max(0, Math.ceil((endMs - atMs) / EVERY_MS));
  return Array.from({ length: count }, (_, index) => atMs + index * EVERY_MS);
}

function probe(one: ApiVersion, endMs: number): Series {
  const points = timesOf(one, endMs).map((atMs): Point => [atMs, 1]);
  return { metric: 'probe_success', labels: { job: 'checkout-health' }, points };
}

function seriesOf(job: string, one: ApiVersion, endMs: number): readonly Series[] {
  const { version, atMs, fault } = one;
  const made = (metric: string, value: (at: number) => number, more: Series['labels'] = {}) => ({
    metric,
    labels: { job, instance: `${job}:8080`, version, ...more },
    points: timesOf(one, endMs).map((time): Point => [time, value(time - atMs)]),
  });
  const requests = (sinceMs: number) => Math.floor((sinceMs / 1_000) * PER_SECOND);
  const bad = (sinceMs: number) => requests(Math.max(0, sinceMs - FAULT_AFTER_MS));
  const failed = (sinceMs: number) =>
    Math.floor(requests(sinceMs) * FEW_FAIL + (fault === 'errors' ? bad(sinceMs) * MANY_FAIL : 0));
  const slow = (sinceMs: number) => (fault === 'latency' ? bad(sinceMs) : 0);
  return [
    made('up', () => 1),
    made('http_requests_total', (at) => requests(at) - failed(at), { status: '200' }),
    made('http_requests_total', failed, { status: '500' }),
    ...EDGES.map((edge) => {
      const isBelow = (seconds: number) => (seconds <= edge ? 1 : 0);
      const count = (at: number) =>
        (requests(at) - slow(at)) * isBelow(QUICK_S) + slow(at) * isBelow(SLOW_S);
      const le = edge === Infinity ? '+Inf' : String(edge);
      return made('http_request_duration_seconds_bucket', count, { le });
    }),
    made('http_requests_in_flight', (at) => (slow(at) > 0 ? 120 : 12)),
  ];
}
