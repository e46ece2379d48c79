// The demo is only worth something if the shipped policy sees each fault, and nothing else.
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadPolicyFile } from '../../src/config/load.ts';
import { limitValue, met } from '../../src/core/limit.ts';
import type { Condition, Role } from '../../src/core/policy.ts';
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
