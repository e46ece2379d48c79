// Small builders: a complete, ordinary value with one visible difference per test. Typed with the
// core's own types, so that a changed contract shows here first.
import type { ActionPayload, Message, NewDelivery } from '../../src/core/delivery.ts';
import type { Deploy } from '../../src/core/deploy.ts';
import type { EventBody, Evidence } from '../../src/core/event.ts';
import type { Action, ActionName, Condition, Indicator, Policy } from '../../src/core/policy.ts';
import type { Tick } from '../../src/core/sample.ts';
import type { ConditionTrack, Track } from '../../src/core/track.ts';

/** 2026-01-01T00:00:00Z: the deploy of every builder. */
export const T0 = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

type Of<Kind extends Indicator['kind']> = Extract<Indicator, { kind: Kind }>;

export function aRatio(over: Partial<Of<'ratio'>> = {}): Of<'ratio'> {
  return {
    kind: 'ratio',
    id: 'fill_rate',
    title: 'Order fill rate',
    unit: 'ratio',
    part: 'good',
    numerator: { metric: 'orders_filled_total', matchers: [] },
    total: { metric: 'orders_submitted_total', matchers: [] },
    overMs: MINUTE,
    minTotal: 20,
    early: 'shorten',
    ...over,
  };
}

export function aHealthCheck(over: Partial<Of<'http'>> = {}): Of<'http'> {
  return {
    kind: 'http',
    id: 'health',
    title: 'Health endpoint',
    unit: 'number',
    url: 'http://127.0.0.1:8080/health',
    timeoutMs: 2_000,
    status: [],
    json: null,
    headers: {},
    ...over,
  };
}

export function aCondition(over: Partial<Condition> = {}): Condition {
  return {
    id: 'immediate.stop.fill_rate',
    indicator: 'fill_rate',
    window: 'immediate',
    role: 'stop',
    limit: { kind: 'compare', comparator: 'below', value: 0.8, of: null },
    forMs: 0,
    onBlind: 'hold',
    ...over,
  };
}

export function anAction(over: Partial<Action> = {}): Action {
  const name = over.name ?? 'rollback';
  return {
    name,
    via: { kind: 'webhook', url: `http://127.0.0.1:9/${name}`, secret: null, headers: {} },
    timeoutMs: 5_000,
    attempts: 8,
    deadlineMs: 5 * MINUTE,
    ...over,
  };
}

/** Stops below 80 % or after three failed health checks in 15 minutes; passes above 95 %. */
export function aPolicy(over: Partial<Policy> = {}): Policy {
  return {
    name: 'shop',
    service: 'shop',
    environment: null,
    source: 'prometheus',
    intervalMs: 5_000,
    mode: 'act',
    parameters: {},
    match: {},
    indicators: { fill_rate: aRatio(), health: aHealthCheck() },
    windows: [
      { name: 'immediate', fromMs: 0, untilMs: 15 * MINUTE, passForMs: 0 },
      { name: 'success', fromMs: 15 * MINUTE, untilMs: 24 * HOUR, passForMs: 5 * MINUTE },
    ],
    conditions: [
      aCondition(),
      aCondition({
        id: 'immediate.stop.health',
        indicator: 'health',
        limit: { kind: 'failing', times: 3 },
      }),
      aCondition({
        id: 'success.pass.fill_rate',
        window: 'success',
        role: 'pass',
        limit: { kind: 'compare', comparator: 'above', value: 0.95, of: null },
      }),
    ],
    actions: [anAction({ name: 'disarm' }), anAction()],
    verify: null,
    blindAfterMs: MINUTE,
    armWithinMs: MINUTE,
    staleAfterMs: 30_000,
    coverage: 0.8,
    worseBy: 0.2,
    runbook: null,
    dashboard: null,
    ...over,
  };
}

export function aDeploy(over: Partial<Deploy> = {}): Deploy {
  return {
    service: 'shop',
    environment: 'production',
    version: '2.0.0',
    previousVersion: '1.9.0',
    deployedAtMs: T0,
    parameters: {},
    by: null,
    url: null,
    ...over,
  };
}

type Event<Type extends EventBody['type']> = Extract<EventBody, { type: Type }>;

export function started(over: Partial<Event<'watch.started'>> = {}): Event<'watch.started'> {
  return {
    type: 'watch.started',
    deploy: aDeploy(),
    policy: 'shop',
    policyHash: 'hash',
    mode: 'act',
    lateMs: 0,
    rollbackOf: null,
    deadlineAtMs: T0 + 24 * HOUR,
    stopConditions: 2,
    ...over,
  };
}

export function someEvidence(over: Partial<Evidence> = {}): Evidence {
  return {
    condition: 'immediate.stop.fill_rate',
    indicator: 'fill_rate',
    role: 'stop',
    value: 0.72,
    limit: 0.8,
    sinceMs: T0 + 30_000,
    atMs: T0 + 40_000,
    samples: 3,
    counts: { part: 867, total: 1204 },
    preExisting: false,
    ...over,
  };
}

export function stopped(over: Partial<Event<'watch.stopped'>> = {}): Event<'watch.stopped'> {
  return {
    type: 'watch.stopped',
    cause: 'condition',
    by: 'canaryd',
    reason: 'fill rate below 80 %',
    conditions: [someEvidence()],
    blind: [],
    mode: 'act',
    actions: ['disarm', 'rollback'],
    verifies: false,
    ...over,
  };
}

function payload(action: ActionName, watch: string): ActionPayload {
  return {
    type: `canaryd.${action}`,
    timestamp: new Date(T0).toISOString(),
    data: {
      watch,
      service: 'shop',
      environment: 'production',
      version: '2.0.0',
      previous_version: '1.9.0',
      conditions: [],
      reason: 'fill rate below 80 %',
      url: null,
    },
  };
}

export function aMessage(over: Partial<Message> = {}): Message {
  return {
    kind: 'watch.stopped',
    severity: 'critical',
    headline: 'shop 2.0.0 stopped',
    lines: ['Order fill rate is 72 %.'],
    fields: [['Service', 'shop']],
    next: null,
    links: [],
    watchId: 'w_1',
    atMs: T0,
    ...over,
  };
}

/** The delivery of an action; its id is `<watch>.<action>` unless told otherwise. */
export function anActionDelivery(
  action: ActionName,
  watchId: string,
  over: Partial<NewDelivery> = {},
): NewDelivery {
  return {
    id: `${watchId}.${action}`,
    watchId,
    content: { kind: 'action', action, payload: payload(action, watchId) },
    createdAtMs: T0,
    notBeforeMs: T0,
    afterDelivery: null,
    deadlineAtMs: T0 + 5 * MINUTE,
    attemptsMax: 8,
    ...over,
  };
}

/** The delivery of a message to the channel `oncall`. */
export function aMessageDelivery(
  id: string,
  watchId: string,
  over: Partial<NewDelivery> = {},
): NewDelivery {
  return {
    id,
    watchId,
    content: { kind: 'message', channel: 'oncall', message: aMessage({ watchId }) },
    createdAtMs: T0,
    notBeforeMs: T0,
    afterDelivery: null,
    deadlineAtMs: T0 + HOUR,
    attemptsMax: 20,
    ...over,
  };
}

export function aTick(atMs: number, readings: Tick['readings'] = {}): Tick {
  return { atMs, readings: { health: { kind: 'value', value: 1 }, ...readings } };
}

export function aConditionTrack(over: Partial<ConditionTrack> = {}): ConditionTrack {
  return {
    state: 'inactive',
    stateSinceMs: T0,
    runSinceMs: null,
    runSamples: 0,
    runMs: 0,
    streak: 0,
    lastAtMs: T0,
    lastValue: 0.97,
    limit: 0.8,
    everSeen: true,
    blind: null,
    ticksJudged: 1,
    ticksEarly: 0,
    recovered: false,
    ...over,
  };
}

export function aTrack(atMs: number, over: Partial<Track> = {}): Track {
  return {
    atMs,
    conditions: { 'immediate.stop.fill_rate': aConditionTrack({ lastAtMs: atMs }) },
    sinceDeploy: { fill_rate: { atMs, counts: { part: 867, total: 1204 } } },
    passSinceMs: null,
    ...over,
  };
}
