// What a Prometheus holds of two healthy services: Aurora as the demo simulates it, and an HTTP API
// beside another service that is in trouble.
import type { Reading } from '../../../src/core/sample.ts';
import type { Point, Series } from '../../../src/core/series.ts';
import { AuroraSimulation } from '../../../src/demo/simulation.ts';
import { parseMetrics } from '../../../src/source/metrics-text.ts';
import { T } from '../live-world.ts';
import type { PolicyName } from './ways.ts';

const MINUTE = 60_000;
const EVERY_MS = 5_000;
const FROM = T - 30 * MINUTE;
/** The newest sample is a moment old, as it always is. */
const LAST = T - 1_000;

async function aurora(): Promise<readonly Series[]> {
  const simulation = new AuroraSimulation({ version: '2.0.0' });
  const points = new Map<string, Series & { readonly points: Point[] }>();
  for (let atMs = FROM; atMs <= LAST; atMs += EVERY_MS) {
    simulation.step(EVERY_MS);
    const parsed = parseMetrics(await simulation.exposition(), simulation.contentType);
    if (parsed.kind === 'bad') throw new Error(parsed.detail);
    for (const { metric, labels, value } of parsed.samples) {
      const key = JSON.stringify([metric, labels]);
      const series = points.get(key) ?? {
        metric,
        labels: { job: 'aurora', ...labels },
        points: [],
      };
      series.points.push([atMs + EVERY_MS - 1_000, value]);
      points.set(key, series);
    }
  }
  return [...points.values()];
}

const EDGES = [0.05, 0.1, 0.25, 0.5, 1, 2.5, Infinity];

/** `perSecond` requests, of which `failed` fail, all of them taking `seconds`. */
function api(
  job: string,
  { perSecond, failed, seconds }: Record<'perSecond' | 'failed' | 'seconds', number>,
): readonly Series[] {
  const made = (metric: string, labels: Record<string, string>, value: (n: number) => number) => ({
    metric,
    labels: { job, ...labels },
    points: Array.from({ length: (LAST - FROM) / EVERY_MS }, (_, index): Point => {
      return [FROM + index * EVERY_MS + EVERY_MS - 1_000, value(index * (EVERY_MS / 1_000))];
    }),
  });
  return [
    made('http_requests_total', { status: '200' }, (at) => at * perSecond * (1 - failed)),
    made('http_requests_total', { status: '500' }, (at) => at * perSecond * failed),
    ...EDGES.map((edge) =>
      made(
        'http_request_duration_seconds_bucket',
        { le: edge === Infinity ? '+Inf' : String(edge) },
        (at) => (edge < seconds ? 0 : at * perSecond),
      ),
    ),
    made('http_requests_in_flight', {}, () => Math.round(perSecond * seconds * 3)),
  ];
}

export async function healthySeries(name: PolicyName): Promise<readonly Series[]> {
  if (name === 'aurora') return aurora();
  return [
    ...api('checkout', { perSecond: 50, failed: 0.001, seconds: 0.08 }),
    ...api('search', { perSecond: 200, failed: 0.4, seconds: 2 }),
  ];
}

/** Every endpoint of both answers as it should, wherever it is asked. */
export const healthyEndpoints = async (): Promise<Reading> => ({ kind: 'value', value: 1 });

export const DEPLOY = {
  aurora: { deploy_capital: 100_000, expected_positions: 10 },
  'http-api': {},
} as const;
