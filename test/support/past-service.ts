// The past of a service that was deployed many times: what a Prometheus would hold of it, some
// deploys with a fault. Each version is a new process: its counters begin at 0.
import type { PastDeploy } from '../../src/backtest/result.ts';
import { readPolicy } from '../../src/config/to-policy.ts';
import { parseYaml } from '../../src/config/yaml-file.ts';
import type { Policy } from '../../src/core/policy.ts';
import type { Series } from '../../src/core/series.ts';

export const FAULTS = ['fills', 'latency', 'positions', 'errors', 'gone'] as const;
export type PastFault = (typeof FAULTS)[number];

export type PastVersion = {
  readonly version: string;
  readonly atMs: number;
  /** From `FAULT_AFTER_MS` on. */
  readonly fault: PastFault | null;
};

export const FAULT_AFTER_MS = 60_000;
const BOUNDS = [0.1, 0.5, 1, 2.5, Infinity];
const INSTANCES = ['a:80', 'b:80'] as const;

export type PastServiceOptions = {
  readonly versions: readonly PastVersion[];
  readonly stepMs: number;
  /** Only the time around deploys is recorded: so long before, and so long after. */
  readonly beforeMs: number;
  readonly afterMs: number;
};

/** Instance a is scraped at whole steps, b a little later. */
export function pastService(options: PastServiceOptions): readonly Series[] {
  const { versions, stepMs, beforeMs, afterMs } = options;
  return versions.flatMap((one, index) => {
    const next = versions[index + 1];
    const isRecorded = (atMs: number) =>
      atMs < one.atMs + afterMs || (next !== undefined && atMs >= next.atMs - beforeMs);
    const untilMs = next?.atMs ?? one.atMs + afterMs;
    return INSTANCES.flatMap((instance, instanceIndex) => {
      const times: number[] = [];
      const firstMs = Math.ceil(one.atMs / stepMs) * stepMs + instanceIndex * 1_300;
      for (let atMs = firstMs; atMs < untilMs; atMs += stepMs) {
        if (isRecorded(atMs)) times.push(atMs);
      }
      return seriesOf(one, instance, times);
    });
  });
}

function seriesOf(
  { version, atMs, fault }: PastVersion,
  instance: string,
  times: readonly number[],
) {
  const labels = { instance, job: 'shop', version };
  const faultyMs = (sinceMs: number) => Math.max(0, sinceMs - FAULT_AFTER_MS);
  const made = (
    metric: string,
    value: (sinceMs: number) => number,
    more: Readonly<Record<string, string>> = {},
  ): Series => ({
    metric,
    labels: { ...labels, ...more },
    points: times
      .filter((time) => !(fault === 'gone' && faultyMs(time - atMs) > 0))
      .map((time) => [time, value(time - atMs)] as const),
  });
  const submitted = (sinceMs: number) => Math.floor(sinceMs / 100);
  const lost = (sinceMs: number) =>
    Math.floor(
      submitted(sinceMs) * 0.02 + (fault === 'fills' ? submitted(faultyMs(sinceMs)) * 0.5 : 0),
    );
  const slow = (sinceMs: number) => (fault === 'latency' ? submitted(faultyMs(sinceMs)) : 0);
  return [
    made('up', () => 1),
    made('shop_orders_submitted_total', submitted),
    made('shop_orders_filled_total', (since) => submitted(since) - lost(since)),
    ...BOUNDS.map((bound) =>
      made(
        'shop_latency_seconds_bucket',
        (since) => {
          const quick = submitted(since) - slow(since);
          const share = Math.min(1, Math.sqrt(bound));
          return Math.floor(quick * share) + (bound >= 2.5 ? slow(since) : 0);
        },
        { le: bound === Infinity ? '+Inf' : String(bound) },
      ),
    ),
    made('shop_open_positions', (since) =>
      fault === 'positions' && faultyMs(since) > 0 ? 40 : 10 + Math.round(Math.sin(since / 60_000)),
    ),
    made('shop_log_errors_total', (since) =>
      fault === 'errors' ? Math.floor(faultyMs(since) / 2_000) : 0,
    ),
  ];
}

/** Six conditions, and every way in which a source is asked. */
export const PAST_POLICY = `service: shop
source: prometheus
interval: 5s
parameters:
  expected_positions: { type: number, at_least: 0, default: 10 }
match: { job: shop, version: "\${version}" }
indicators:
  fill_rate:
    ratio: { good: shop_orders_filled_total, total: shop_orders_submitted_total }
    over: 1m
  latency_p95:
    quantile: { q: 0.95, histogram: shop_latency_seconds }
    over: 1m
  open_positions: { gauge: { metric: shop_open_positions, aggregate: sum } }
  log_errors: { increase: { counter: shop_log_errors_total } }
  instances: { promql: 'count(up{job="shop",version="\${version}"} == 1)' }
  error_rate:
    promql: 'sum(increase(shop_log_errors_total{version="\${version}"}[\${range}])) / 60'
    over: 1m
windows:
  - name: immediate
    until: 5m
    stop:
      fill_rate: { below: 80%, for: 15s }
      latency_p95: { above: 2s }
      open_positions: { above: 300%, of: expected_positions }
      instances: { below: 2, for: 30s, blind: stop }
    warn:
      error_rate: { above: 0.2 }
  - name: success
    until: 15m
    pass:
      fill_rate: { above: 95% }
      log_errors: { at_most: 0 }
    for: 2m
`;

/** The deploys of these versions, labelled by what was wrong with them. */
export function pastDeploys(versions: readonly PastVersion[]): readonly PastDeploy[] {
  return versions.slice(1).map((one, index) => ({
    service: 'shop',
    environment: null,
    version: one.version,
    previousVersion: versions[index]?.version ?? null,
    deployedAtMs: one.atMs,
    parameters: {},
    label: one.fault === null ? 'good' : 'bad',
  }));
}

/** `faults` in turn; the first version is only there to be replaced. */
export function pastVersions(
  fromMs: number,
  everyMs: number,
  faults: readonly (PastFault | null)[],
): readonly PastVersion[] {
  return [null, ...faults].map((fault, index) => ({
    version: `1.${index}.0`,
    atMs: fromMs + index * everyMs,
    fault,
  }));
}

export function policyOf(text: string): Policy {
  const yaml = parseYaml(text);
  const read = yaml.kind === 'value' ? readPolicy(yaml.value, 'shop') : yaml;
  if (read.kind === 'problems') throw new Error(JSON.stringify(read.problems));
  return read.policy;
}
