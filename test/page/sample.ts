// A watch as the page gets it, and what it knows of it.
import type { ConditionView, WatchView } from '../../src/engine/control.ts';
import { EMPTY } from '../../src/http/page/browser/reducer.js';
import type { State } from '../../src/http/page/browser/types.d.ts';
import { conditionView, T0 } from '../support/fake-control.ts';

export { T0 };
export const at = (ms: number) => new Date(T0 + ms).toISOString();

export function aCondition(over: Partial<ConditionView> = {}): ConditionView {
  return conditionView(over);
}

export function aView(over: Partial<WatchView> = {}): WatchView {
  return {
    id: 'w_1',
    service: 'aurora',
    environment: 'production',
    version: '2.1.0',
    previousVersion: '2.0.0',
    policy: 'aurora',
    policyHash: 'abc',
    revision: 1,
    mode: 'act',
    phase: 'watching',
    active: true,
    deployedAt: at(0),
    startedAt: at(0),
    closedAt: null,
    deadlineAt: at(3_600_000),
    window: 'immediate',
    armed: { seen: 6, total: 6 },
    reason: null,
    verification: 'none',
    acknowledgedBy: null,
    incident: 'none',
    rollbackOf: null,
    withoutGo: null,
    signOffs: [],
    lastTickAt: at(60_000),
    url: null,
    intervalMs: 5_000,
    windows: [{ name: 'immediate', fromAt: at(0), untilAt: at(3_600_000) }],
    stop: null,
    plan: { actions: ['disarm', 'rollback'], verifyMs: 600_000 },
    verifyUntil: null,
    worst: null,
    deployedBy: null,
    links: [],
    parameters: {},
    conditions: [aCondition()],
    actions: [],
    ...over,
  };
}

export function aStop(over: Partial<NonNullable<WatchView['stop']>> = {}) {
  const text = 'Order fill rate 72.4 % (871 of 1,204 in 1m), must be at least 80 %, for 45s';
  const causes = [{ condition: 'immediate.stop.fill_rate', text }];
  return {
    at: at(90_000),
    cause: 'condition',
    by: 'canaryd',
    mode: 'act',
    causes,
    ...over,
  } as const;
}

export function aStopped(over: Partial<WatchView> = {}): WatchView {
  return aView({
    phase: 'stopped',
    closedAt: at(90_000),
    verification: 'verifying',
    verifyUntil: at(690_000),
    stop: aStop(),
    incident: 'critical',
    reason: 'fill rate below 80 %',
    worst: {
      condition: 'immediate.stop.fill_rate',
      state: 'firing',
      text: 'Order fill rate 72.4 % (871 of 1,204 in 1m), must be at least 80 %',
    },
    ...over,
  });
}

export function aState(view: WatchView, over: Partial<State> = {}): State & { view: WatchView } {
  return { ...EMPTY, hold: null, ...over, view };
}
