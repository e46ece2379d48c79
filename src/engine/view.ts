// A watch as people see it: the journal's state next to the latest figures, in words.
import { effectivePolicy } from '../core/decide.ts';
import type { Delivery } from '../core/delivery.ts';
import { linksOf } from '../core/message.ts';
import { ALWAYS, type Condition, type Indicator, type Policy } from '../core/policy.ts';
import { formatValue } from '../core/quantity.ts';
import { resolveIndicator } from '../core/read.ts';
import type { Tick } from '../core/sample.ts';
import { neededSignOffs, signatureOf } from '../core/sign-off.ts';
import { templateValues } from '../core/template.ts';
import type { ConditionTrack } from '../core/track.ts';
import { verifyConditions } from '../core/verify.ts';
import type { WatchState } from '../core/watch.ts';
import { conditionSentence, countsText, limitNow, limitText, titleOf } from '../core/wording.ts';
import { type Acknowledging, acknowledgedBy } from './acknowledging.ts';
import type { ConditionView, WatchView } from './control.ts';
import type { Loaded } from './ledger.ts';
import {
  absoluteLimit,
  allowedRange,
  causesOf,
  incidentOf,
  mustText,
  worstOf,
} from './view-words.ts';

export type QueryOf = (indicator: Indicator) => string | null;

export function watchView(
  { record, state }: Loaded,
  deliveries: readonly Delivery[],
  tick: Tick | null,
  publicUrl: string | null,
  queryOf: QueryOf = () => null,
  acknowledging: Acknowledging | null = null,
): WatchView {
  const { deploy, policy, track } = record;
  const stops = begunStops(policy, track === null ? 0 : track.atMs - deploy.deployedAtMs);
  const seen = stops.filter(({ id }) => track?.conditions[id]?.everSeen === true).length;
  const conditions = conditionViews(policy, state, track?.conditions ?? {}, tick).map((view) => ({
    ...view,
    query: queryIn(record, view.indicator, queryOf),
  }));
  return {
    id: record.id,
    service: deploy.service,
    environment: deploy.environment,
    version: deploy.version,
    previousVersion: deploy.previousVersion,
    policy: policy.name,
    policyHash: record.policyHash,
    revision: record.revision,
    mode: state.mode,
    phase: state.phase,
    active: record.isActive,
    deployedAt: iso(deploy.deployedAtMs),
    startedAt: iso(record.startedAtMs),
    closedAt: state.closedAtMs === null ? null : iso(state.closedAtMs),
    deadlineAt: iso(state.deadlineAtMs),
    window: state.window,
    armed: { seen, total: stops.length },
    reason: state.stop?.reason ?? null,
    verification: state.verification.kind,
    acknowledgedBy: acknowledgedBy(state, acknowledging),
    incident: incidentOf(state),
    rollbackOf: state.rollbackOf,
    withoutGo: state.withoutGo,
    signOffs: signOffViews(policy, state, deploy.deployedAtMs),
    lastTickAt: track === null ? null : iso(track.atMs),
    url: publicUrl === null ? null : `${publicUrl}/watches/${record.id}`,
    intervalMs: policy.intervalMs,
    windows: windowViews(effectivePolicy(policy, state), deploy.deployedAtMs),
    ...stopView(policy, state, conditions),
    worst: worstOf(policy, state, track, conditions),
    deployedBy: deploy.by,
    links: linksOf({ state, policy, publicUrl: null, watchId: record.id }),
    parameters: deploy.parameters,
    conditions,
    actions: actionViews(state, deliveries),
  };
}

function windowViews(policy: Policy, deployedAtMs: number): WatchView['windows'] {
  return policy.windows
    .filter(({ name }) => name !== ALWAYS)
    .map(({ name, fromMs, untilMs }) => {
      return { name, fromAt: iso(deployedAtMs + fromMs), untilAt: iso(deployedAtMs + untilMs) };
    });
}

function signOffViews(
  policy: Policy,
  state: WatchState,
  deployedAtMs: number,
): WatchView['signOffs'] {
  const dueAt = iso(deployedAtMs + (policy.signOffs?.afterMs ?? 0));
  return neededSignOffs(policy, state).map(({ role, statement }) => {
    const given = signatureOf(state, role);
    const signed = given && {
      ...{ name: given.name, by: given.by, note: given.note },
      at: iso(given.atMs),
    };
    return { role, statement, dueAt, signed };
  });
}

function stopView(
  policy: Policy,
  { stop, verification }: WatchState,
  conditions: readonly ConditionView[],
): Pick<WatchView, 'stop' | 'plan' | 'verifyUntil'> {
  const verifyMs = policy.verify?.withinMs ?? null;
  return {
    stop: stop && {
      ...{ at: iso(stop.atMs), cause: stop.cause, by: stop.by, mode: stop.mode },
      causes: causesOf(stop, conditions),
    },
    plan: { actions: policy.actions.map(({ name }) => name), verifyMs },
    verifyUntil:
      verification.kind === 'verifying' ? iso(verification.sinceMs + (verifyMs ?? 0)) : null,
  };
}

function queryIn(record: Loaded['record'], id: string, queryOf: QueryOf): string | null {
  const { deploy, policy } = record;
  const indicator = policy.indicators[id];
  if (indicator === undefined) return null;
  return queryOf(resolveIndicator(indicator, policy, templateValues(deploy, record.id)));
}

/** Stop conditions of the windows that have begun: those that can be armed. */
function begunStops(policy: Policy, sinceDeployMs: number): readonly Condition[] {
  const begun = policy.windows.filter(({ fromMs }) => fromMs <= sinceDeployMs);
  return policy.conditions.filter(
    ({ role, window }) => role === 'stop' && begun.some(({ name }) => name === window),
  );
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function conditionViews(
  policy: Policy,
  state: WatchState,
  tracks: Readonly<Record<string, ConditionTrack>>,
  tick: Tick | null,
): readonly Omit<ConditionView, 'query'>[] {
  const effective = effectivePolicy(policy, state);
  const isVerifying = state.phase === 'stopped' && state.verification.kind !== 'none';
  const all = isVerifying
    ? [...policy.conditions, ...verifyConditions(policy, state)]
    : policy.conditions;
  const sinceDeployMs = tick === null ? 0 : tick.atMs - (state.deploy?.deployedAtMs ?? tick.atMs);
  const begun = new Set(
    effective.windows
      .filter((w) => sinceDeployMs >= w.fromMs && sinceDeployMs < w.untilMs)
      .map((w) => w.name),
  );
  return all.map((condition) => {
    const isDue =
      condition.role === 'verify'
        ? state.verification.kind === 'verifying'
        : state.phase === 'watching' && begun.has(condition.window);
    return conditionView(policy, state, condition, tracks[condition.id], isDue, tick);
  });
}

function conditionView(
  policy: Policy,
  state: WatchState,
  condition: Condition,
  track: ConditionTrack | undefined,
  due: boolean,
  tick: Tick | null,
): Omit<ConditionView, 'query'> {
  const indicator = policy.indicators[condition.indicator];
  const unit = indicator?.unit ?? 'number';
  // After a stop the readings are of the verification; the others stay as they were judged.
  const isRead = state.phase === 'watching' || condition.role === 'verify';
  const evidence = state.stop?.conditions.find((one) => one.condition === condition.id);
  const present = isRead ? tick?.readings[condition.indicator] : undefined;
  const reading = evidence === undefined ? present : ({ kind: 'value', ...evidence } as const);
  const value = reading?.kind === 'value' ? reading.value : (track?.lastValue ?? null);
  const limit = limitNow(condition.limit, track?.limit ?? null, unit);
  const isGood = condition.role === 'pass' || condition.role === 'verify';
  const rule = isGood ? `wanted: ${limit}` : `limit: ${limit}`;
  const counts =
    reading?.kind === 'value' ? countsText(indicator, reading.counts, reading.rangeMs) : '';
  const now =
    track?.state === 'blind'
      ? `blind: ${track.blind?.reason} (${track.blind?.detail})`
      : value === null
        ? 'not read yet'
        : indicator?.kind === 'http'
          ? `${value === 1 ? 'good' : 'bad'}${reading?.kind === 'value' && reading.detail ? ` (${reading.detail})` : ''}`
          : `${formatValue(value, unit)}${counts === '' ? '' : ` (${counts})`}`;
  const baseline = state.baseline[condition.indicator];
  const parameters = state.deploy?.parameters ?? {};
  const absolute = absoluteLimit(condition.limit, track?.limit, parameters, baseline);
  return {
    condition: condition.id,
    indicator: condition.indicator,
    title: titleOf(policy, condition.indicator),
    window: condition.window,
    role: condition.role,
    due,
    state: track?.state ?? 'waiting',
    stateSince: track === undefined ? null : iso(track.stateSinceMs),
    firesAt: firesAt(condition, track),
    value,
    limit: track?.limit ?? null,
    unit,
    limitText: limitText(condition.limit, unit),
    text: `${now}, ${rule}`,
    now,
    must: mustText(condition, absolute, unit),
    allowed: allowedRange(condition, absolute, baseline),
    sentence: conditionSentence(condition, policy),
    blindReason: track?.state === 'blind' ? (track.blind?.reason ?? null) : null,
    preExisting: state.preExisting.includes(condition.id),
  };
}

/** Only observed time counts (`runMs`): after a gap it is later than it seemed. */
function firesAt(
  { role, forMs }: Condition,
  track: ConditionTrack | undefined,
): ConditionView['firesAt'] {
  if (track?.state !== 'pending' || track.lastAtMs === null) return null;
  if (role !== 'stop' && role !== 'warn') return null;
  return iso(track.lastAtMs + Math.max(0, forMs - track.runMs));
}

function actionViews(state: WatchState, deliveries: readonly Delivery[]): WatchView['actions'] {
  return deliveries.flatMap((delivery) => {
    const { content } = delivery;
    if (content.kind !== 'action') return [];
    return [
      {
        action: content.action,
        state: state.actions[content.action] ?? delivery.state,
        attempts: delivery.attempts,
        detail: delivery.lastDetail,
      },
    ];
  });
}
