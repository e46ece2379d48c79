// The demo's trading service, for policies that read what it shows: there faults look as they do in
// life (orders in flight, a loss that builds up), which figures made from limits do not.
import type { Condition, Policy } from '../core/policy.ts';
import { startAurora } from '../demo/aurora.ts';
import type { Fault } from '../demo/faults.ts';
import { AuroraSimulation } from '../demo/simulation.ts';
import type { Clock } from '../kit/clock.ts';
import type { SimulatedService } from './service.ts';
import type { Parameters } from './targets.ts';

/** Orders a second. */
export const AURORA_PER_SECOND = 20;
export const AURORA_PARAMETERS: Parameters = { deploy_capital: 100_000, expected_positions: 10 };

/** What makes each condition of config/policies/aurora.yaml fire. */
const FAULTS: Readonly<Record<string, Fault>> = {
  'immediate.stop.fill_rate': 'fill_rate',
  'immediate.stop.submit_latency_p99': 'latency',
  'immediate.stop.realized_loss': 'loss',
  'immediate.stop.open_positions': 'positions',
  'immediate.stop.xai_trace_missing': 'xai',
  'immediate.stop.health': 'health',
  'warning.warn.fill_rate': 'fill_rate',
  'warning.warn.submit_latency_p95': 'slow',
  'warning.warn.memory': 'memory',
  'warning.warn.cpu': 'cpu',
  'always.stop.line_coverage': 'coverage',
  'always.stop.branch_coverage': 'branch_coverage',
  'always.stop.mutation_score': 'mutation',
  'always.stop.xai_trace_missing': 'xai_coverage',
  'always.stop.submit_latency_p95': 'p95_latency',
  'always.stop.error_rate': 'errors',
  'always.stop.security_findings': 'security',
};

export const auroraFault = ({ id }: Condition): Fault | null => FAULTS[id] ?? null;

/** Whether the demo's service shows all that the policy reads. */
export async function isAurora(policy: Policy): Promise<boolean> {
  if (policy.service !== 'aurora' || Object.keys(policy.match).length > 0) return false;
  const simulation = new AuroraSimulation({ version: '1.0.0' });
  simulation.step(5_000);
  const text = await simulation.exposition();
  const isShown = (metric: string) => text.includes(`# TYPE ${metric} `);
  return Object.values(policy.indicators).every((indicator) => {
    switch (indicator.kind) {
      case 'ratio':
        return isShown(indicator.numerator.metric) && isShown(indicator.total.metric);
      case 'quantile':
        return isShown(indicator.histogram.metric);
      case 'rate':
      case 'increase':
        return isShown(indicator.counter.metric);
      case 'gauge':
        return isShown(indicator.metric.metric);
      case 'http':
        return indicator.json === null || indicator.json.pointer === '/version';
      case 'promql':
      case 'audit_log':
        return false;
      default:
        return indicator satisfies never;
    }
  });
}

export async function startAuroraService(options: {
  readonly version: string;
  readonly fault: Fault | null;
  readonly parameters: Parameters;
  readonly clock: Clock;
}): Promise<SimulatedService> {
  const { version, fault, parameters, clock } = options;
  const { deploy_capital: capital, expected_positions: positions } = parameters;
  const aurora = await startAurora({
    version,
    clock,
    ...(typeof capital === 'number' ? { deployCapital: capital } : {}),
    ...(typeof positions === 'number' ? { expectedPositions: positions } : {}),
  });
  return {
    metricsUrl: `${aurora.url}/metrics`,
    // Its answer names the version, too.
    healthUrl: () => `${aurora.url}/health`,
    get version() {
      return aurora.version;
    },
    get previousVersion() {
      return aurora.previousVersion;
    },
    deploy: (next) => aurora.deploy(next),
    goWrong: () => aurora.fault(fault),
    disarm: () => aurora.disarm(),
    arm: () => aurora.arm(),
    close: () => aurora.close(),
  };
}
