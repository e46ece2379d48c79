// The policies of the simulated world: short windows, so that a whole story fits into minutes, and
// every kind of indicator and role. They differ by seed.
import type { Condition, Policy } from '../../src/core/policy.ts';
import type { SignOffDemand } from '../../src/core/sign-off.ts';
import { aCondition, aHealthCheck, anAction, aPolicy, aRatio } from '../support/build.ts';

export type PolicyPlan = {
  readonly service: string;
  /** Series carry the version, and only the new one's are read. */
  readonly isVersioned: boolean;
  readonly mode: 'act' | 'observe';
  readonly hasDisarm: boolean;
  readonly verifies: boolean;
  readonly attempts: number;
  readonly actionDeadlineMs: number;
  readonly stopsWhenBlind: boolean;
  readonly intervalMs: number;
  /** Absent: nobody signs. */
  readonly signOffs?: SignOffDemand;
};

export const OVER_MS = 30_000;
export const STALE_AFTER_MS = 20_000;
export const BLIND_AFTER_MS = 30_000;
export const IMMEDIATE_MS = 60_000;
export const END_MS = 180_000;
export const PASS_FOR_MS = 30_000;
export const VERIFY_WITHIN_MS = 60_000;
export const ACTION_TIMEOUT_MS = 5_000;
export const HEALTH_TIMEOUT_MS = 2_000;

const over = { overMs: OVER_MS, early: 'shorten' } as const;
const named = (id: string) => ({ id, title: id.replaceAll('_', ' '), unit: 'number' }) as const;
const compare = (comparator: 'above' | 'below' | 'at_most', value: number) =>
  ({ kind: 'compare', comparator, value, of: null }) as const;

function indicators({ isVersioned }: PolicyPlan): Policy['indicators'] {
  const counter = (metric: string) => ({ metric, matchers: [] });
  return {
    fill_rate: aRatio({ ...over, minTotal: 20 }),
    latency: {
      ...named('latency'),
      ...over,
      kind: 'quantile',
      q: 0.9,
      histogram: counter('order_seconds'),
      minTotal: 20,
    },
    errors: {
      ...named('errors'),
      ...over,
      kind: 'rate',
      counter: counter('errors_total'),
      aggregate: 'sum',
    },
    positions: {
      ...named('positions'),
      kind: 'gauge',
      metric: counter('open_positions'),
      aggregate: 'sum',
      negate: false,
    },
    pnl: {
      ...named('pnl'),
      kind: 'promql',
      promql: isVersioned
        ? 'min(pnl_usd{version="${version}"})'
        : 'min(pnl_usd{service="${service}"})',
      overMs: null,
      waitMs: 0,
    },
    health: aHealthCheck({
      url: 'http://127.0.0.1:8080/${service}/health',
      timeoutMs: HEALTH_TIMEOUT_MS,
    }),
  };
}

function conditions({ stopsWhenBlind }: PolicyPlan): readonly Condition[] {
  const stop = (indicator: string, window: string, rest: Partial<Condition>) =>
    aCondition({ id: `${window}.stop.${indicator}`, indicator, window, role: 'stop', ...rest });
  return [
    stop('fill_rate', 'always', { limit: compare('below', 0.8), forMs: 10_000 }),
    stop('latency', 'immediate', { limit: compare('above', 1), forMs: 10_000 }),
    stop('positions', 'always', {
      limit: compare('above', 120),
      forMs: 15_000,
      onBlind: stopsWhenBlind ? 'stop' : 'hold',
    }),
    stop('health', 'immediate', { limit: { kind: 'failing', times: 3 } }),
    aCondition({
      ...{ id: 'always.warn.errors', indicator: 'errors', window: 'always', role: 'warn' },
      limit: compare('above', 5),
    }),
    aCondition({
      ...{ id: 'success.pass.fill_rate', indicator: 'fill_rate', window: 'success', role: 'pass' },
      limit: compare('above', 0.95),
    }),
    aCondition({
      ...{ id: 'success.pass.pnl', indicator: 'pnl', window: 'success', role: 'pass' },
      limit: compare('above', -1_000),
    }),
  ];
}

export function policyOf(plan: PolicyPlan): Policy {
  const verify = (indicator: string, limit: Condition['limit']) =>
    aCondition({ id: `verify.${indicator}`, indicator, window: 'verify', role: 'verify', limit });
  const { service, isVersioned, mode, attempts, intervalMs } = plan;
  const action = { attempts, deadlineMs: plan.actionDeadlineMs, timeoutMs: ACTION_TIMEOUT_MS };
  return aPolicy({
    name: service,
    service,
    mode,
    intervalMs,
    match: isVersioned ? { service, version: '${version}' } : { service },
    indicators: indicators(plan),
    windows: [
      { name: 'immediate', fromMs: 0, untilMs: IMMEDIATE_MS, passForMs: 0 },
      { name: 'success', fromMs: IMMEDIATE_MS, untilMs: END_MS, passForMs: PASS_FOR_MS },
      { name: 'always', fromMs: 0, untilMs: END_MS, passForMs: 0 },
    ],
    conditions: conditions(plan),
    actions: [
      ...(plan.hasDisarm ? [anAction({ ...action, name: 'disarm' })] : []),
      anAction({ ...action, name: 'rollback' }),
    ],
    verify: plan.verifies
      ? {
          withinMs: VERIFY_WITHIN_MS,
          conditions: [
            verify('health', { kind: 'passing', times: 2 }),
            verify('fill_rate', compare('above', 0.8)),
          ],
        }
      : null,
    blindAfterMs: BLIND_AFTER_MS,
    armWithinMs: 30_000,
    staleAfterMs: STALE_AFTER_MS,
    coverage: 0.8,
    ...(plan.signOffs === undefined ? {} : { signOffs: plan.signOffs }),
  });
}
