// The demo is only worth something if the shipped policy sees each fault, and nothing else.
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadPolicyFile } from '../../src/config/load.ts';
import { limitValue, met } from '../../src/core/limit.ts';
import { type MeasuredIndicator, measure } from '../../src/core/measure.ts';
import type { Condition, Role } from '../../src/core/policy.ts';
import type { Series } from '../../src/core/series.ts';
import { FAULTS, type Fault } from '../../src/demo/faults.ts';
import { AuroraSimulation } from '../../src/demo/simulation.ts';
import { type Figures, figuresBetween } from './figures.ts';

const MINUTE = 60_000;
const policy = loadPolicyFile(
  fileURLToPath(new URL('../../config/policies/aurora.yaml', import.meta.url)),
);
const parameters = { deploy_capital: 100_000, expected_positions: 10 };

const valuesOf = (figures: Figures): Readonly<Record<string, number>> => ({
  fill_rate: figures.fillRate,
  submit_latency_p99: figures.p99,
  submit_latency_p95: figures.p95,
  realized_loss: -figures.realizedPnl,
  pnl: figures.realizedPnl,
  open_positions: figures.positions,
  xai_trace_missing: figures.xaiMissing,
  memory: figures.memory,
  cpu: figures.cpu,
  mutation_score: figures.mutationScore,
  line_coverage: figures.lineCoverage,
  branch_coverage: figures.branchCoverage,
  error_rate: figures.httpErrors,
  security_findings: figures.critical * 2,
  log_errors: figures.logErrors,
});

/** Ids of the conditions of that role whose limit the figures meet, by value alone. */
function metConditions(role: Role, healthy: Figures, figures: Figures): readonly string[] {
  const [before, now] = [valuesOf(healthy), valuesOf(figures)];
  const isMet = ({ indicator, limit }: Condition): boolean => {
    const value = now[indicator];
    if (limit.kind !== 'compare' || value === undefined) return false;
    const absolute = limitValue(limit, parameters, before[indicator]);
    return absolute !== null && met(limit, value, absolute, before[indicator]);
  };
  return policy.conditions
    .filter((condition) => condition.role === role && isMet(condition))
    .map(({ id }) => id);
}

async function minutesWith(fault: Fault | null): Promise<readonly [Figures, Figures]> {
  const simulation = new AuroraSimulation({ version: '1.0.0', seed: 11 });
  const first = await simulation.exposition();
  simulation.step(MINUTE);
  const second = await simulation.exposition();
  simulation.fault(fault);
  simulation.step(MINUTE);
  const third = await simulation.exposition();
  return [figuresBetween(first, second, 60), figuresBetween(second, third, 60)];
}

/** By value. Health and traffic are judged by other means than a limit on a figure. */
const STOPS: Readonly<Record<Fault, readonly string[]>> = {
  fill_rate: ['immediate.stop.fill_rate'],
  all_orders_fail: ['immediate.stop.fill_rate'],
  no_traffic: [],
  latency: ['immediate.stop.submit_latency_p99'],
  p95_latency: ['immediate.stop.submit_latency_p99', 'always.stop.submit_latency_p95'],
  slow: [],
  loss: ['immediate.stop.realized_loss'],
  positions: ['immediate.stop.open_positions'],
  xai: ['immediate.stop.xai_trace_missing'],
  xai_coverage: ['immediate.stop.xai_trace_missing', 'always.stop.xai_trace_missing'],
  health: [],
  health_hang: [],
  memory: [],
  cpu: [],
  errors: ['always.stop.error_rate'],
  log_errors: [],
  coverage: ['always.stop.line_coverage'],
  branch_coverage: ['always.stop.branch_coverage'],
  mutation: ['always.stop.mutation_score'],
  security: ['always.stop.security_findings'],
};

const DEPLOYED_MS = Date.parse('2026-11-21T22:00:00Z');

/** A service that was seen before the deploy and restarts with it, scraped every five seconds. */
function scraped(metric: string, countAt: (second: number) => number, labels = {}): Series {
  const seconds = Array.from({ length: 76 }, (_, index) => -60 + index * 5);
  const points = seconds.map(
    (second) => [DEPLOYED_MS + second * 1_000, second < 0 ? 1e6 : countAt(second)] as const,
  );
  return { metric, labels: { job: 'aurora', instance: 'a', ...labels }, points };
}

/** The longest time in the first five minutes in which the condition's limit was met. */
function longestBreach(id: string, series: readonly Series[]): number {
  const condition = policy.conditions.find((one) => one.id === id) as Condition;
  const indicator = policy.indicators[condition.indicator] as MeasuredIndicator;
  const set = { series, coveredFromMs: DEPLOYED_MS - MINUTE };
  let [longestMs, sinceMs] = [0, Number.POSITIVE_INFINITY];
  for (let atMs = DEPLOYED_MS; atMs <= DEPLOYED_MS + 5 * MINUTE; atMs += 5_000) {
    const view = { atMs, deployedAtMs: DEPLOYED_MS, staleAfterMs: 30_000, previous: null };
    const reading = measure(indicator, set, view);
    const isMet =
      reading.kind === 'value' &&
      condition.limit.kind === 'compare' &&
      met(condition.limit, reading.value, condition.limit.value, undefined);
    sinceMs = isMet ? Math.min(sinceMs, atMs) : Number.POSITIVE_INFINITY;
    longestMs = Math.max(longestMs, isMet ? atMs - sinceMs + 5_000 : 0);
  }
  return longestMs;
}

describe('the policy config/policies/aurora.yaml and a healthy deploy', () => {
  const submitted = scraped('aurora_orders_submitted_total', (second) => 4 * second);
  const filled = (delay: number, share = 1) =>
    scraped('aurora_orders_filled_total', (second) => share * 4 * Math.max(0, second - delay));
  const FILL_RATE = 'immediate.stop.fill_rate';

  it.each([0, 2, 5, 8, 10])('whose orders are filled after %d s is not stopped', (delay) => {
    expect(longestBreach(FILL_RATE, [submitted, filled(delay)])).toBe(0);
  });

  it('is told from one that fills too few', () => {
    const { forMs } = policy.conditions.find(({ id }) => id === FILL_RATE) as Condition;
    expect(longestBreach(FILL_RATE, [submitted, filled(2, 0.7)])).toBeGreaterThan(forMs);
  });

  it.each([1, 2, 4, 20])('with %d slow orders at its start is stopped only for many', (slow) => {
    const took = (le: string, countAt: (orders: number) => number) =>
      scraped('aurora_order_submit_latency_seconds_bucket', (s) => countAt(4 * s), { le });
    const series = [
      took('0.5', (orders) => Math.max(0, orders - slow)),
      took('2', (orders) => Math.max(0, orders - slow)),
      took('5', (orders) => orders),
      took('+Inf', (orders) => orders),
    ];
    const isStopped = longestBreach('immediate.stop.submit_latency_p99', series) > 0;
    expect(isStopped).toBe(slow === 20);
  });
});

describe('the policy config/policies/aurora.yaml and the simulated service', () => {
  it.each(FAULTS)('fault %s meets its own stop conditions and no other', async (fault) => {
    const [healthy, figures] = await minutesWith(fault);
    const stops = metConditions('stop', healthy, figures);
    expect(stops.toSorted()).toEqual(STOPS[fault].toSorted());
  });

  it('every stop condition is met by some fault', () => {
    const byLimit = policy.conditions.filter(
      ({ role, limit }) => role === 'stop' && limit.kind === 'compare',
    );
    const reached = new Set(Object.values(STOPS).flat());
    expect(byLimit.map(({ id }) => id).filter((id) => !reached.has(id))).toEqual([]);
  });

  it('healthy figures meet every pass condition, and no stop or warn condition', async () => {
    const [healthy, figures] = await minutesWith(null);
    expect(metConditions('stop', healthy, figures)).toEqual([]);
    expect(metConditions('warn', healthy, figures)).toEqual([]);
    const pass = policy.conditions.filter(({ role }) => role === 'pass').map(({ id }) => id);
    expect(metConditions('pass', healthy, figures)).toEqual(pass);
  });

  it.each([
    ['slow', 'warning.warn.submit_latency_p95'],
    ['memory', 'warning.warn.memory'],
    ['cpu', 'warning.warn.cpu'],
  ] as const)('fault %s is worth the warning %s', async (fault, id) => {
    const [healthy, figures] = await minutesWith(fault);
    expect(metConditions('warn', healthy, figures)).toEqual([id]);
  });
});
