// What the start of a watch means, also for the watches of earlier deploys of the same service.
import { type Deploy, deployKey } from './deploy.ts';
import type { EventBody } from './event.ts';
import { type Mode, type Policy, policyEndMs } from './policy.ts';
import { giveUp } from './verify.ts';
import { fold, isActive, isIncidentOpen, type WatchState } from './watch.ts';

/** A deploy of the previous version this soon after a stop is that stop's rollback. */
export const ROLLBACK_DEPLOY_WITHIN_MS = 60 * 60_000;
/** The same version, deployed so much later than the watched one, is a deploy of its own. */
export const REDEPLOY_AFTER_MS = 10 * 60_000;
/** A deploy's time may be this far ahead of our clock. */
export const CLOCK_SKEW_MS = 60_000;

/** A start earlier than this after the deploy is no late start. */
const LATE_FROM_MS = 10_000;

export type Earlier = { readonly id: string; readonly state: WatchState };

export type StartDecision =
  /** The same deploy: its watch is the answer. */
  | { readonly kind: 'exists'; readonly watchId: string }
  /** The same deploy with other parameters: one of the two is a mistake. */
  | { readonly kind: 'differs'; readonly watchId: string }
  /** A later deploy of the service is known, whatever became of it: this one is history. */
  | { readonly kind: 'outdated'; readonly watchId: string }
  /** The policy wants a GO of a gate, and there is none that counts. */
  | { readonly kind: 'without_go'; readonly found: string }
  | {
      readonly kind: 'start';
      /** The policy wants a GO; not before going back. */
      readonly needsGo: boolean;
      readonly events: readonly EventBody[];
      /** Events for earlier watches, and whether their pending actions are given up. */
      readonly earlier: readonly {
        readonly id: string;
        readonly events: readonly EventBody[];
        readonly givesUpActions: boolean;
      }[];
    };

export function decideStart(input: {
  readonly id: string;
  readonly deploy: Deploy;
  readonly policy: Policy;
  readonly policyHash: string;
  readonly mode: Mode;
  /** The caller said when it was deployed; otherwise that is just our own clock. */
  readonly isTimeGiven: boolean;
  readonly nowMs: number;
  /** Recent watches of the same service and environment, newest first. */
  readonly recent: readonly Earlier[];
  /** What was found instead of the GO that the policy requires; default: nothing is wrong. */
  readonly withoutGo?: string | null;
}): StartDecision {
  const { id, deploy, policy, policyHash, nowMs, recent } = input;
  const same = recent.find(({ state }) => isSameDeploy(state, deploy, input.isTimeGiven));
  if (same !== undefined) {
    const kind = hasSameParameters(same.state, deploy) ? 'exists' : 'differs';
    return { kind, watchId: same.id };
  }
  // A cancelled watch may have been started with the wrong time: it is no obstacle to a new one.
  const newer = recent.find(
    ({ state }) =>
      state.phase !== 'cancelled' && (state.deploy?.deployedAtMs ?? 0) > deploy.deployedAtMs,
  );
  if (newer !== undefined) return { kind: 'outdated', watchId: newer.id };
  const rolledBack = recent.find(({ state }) => isRollbackOf(state, deploy, nowMs, recent));
  // Nobody asks a checklist before going back; where to must not have been stopped itself.
  const isExempt = rolledBack !== undefined && !wasStopped(deploy, recent);
  const needsGo = policy.requires !== undefined && !isExempt;
  const withoutGo = input.withoutGo ?? null;
  if (withoutGo !== null && needsGo && policy.requires?.otherwise === 'refuse') {
    return { kind: 'without_go', found: withoutGo };
  }
  const earlier = recent
    .filter((watch) => watch !== rolledBack)
    .map((watch) => supersede(watch, id, deploy))
    .filter(({ events }) => events.length > 0);
  const lateMs = nowMs - deploy.deployedAtMs;
  const started: EventBody = {
    type: 'watch.started',
    deploy,
    policy: policy.name,
    policyHash,
    // A rollback is itself a deploy: it must not start a loop (rule 11).
    mode: rolledBack === undefined ? input.mode : 'observe',
    lateMs: lateMs >= LATE_FROM_MS ? lateMs : 0,
    rollbackOf: rolledBack?.id ?? null,
    deadlineAtMs: deploy.deployedAtMs + policyEndMs(policy),
    stopConditions: policy.conditions.filter(({ role }) => role === 'stop').length,
    ...(withoutGo === null ? {} : needsGo ? { withoutGo } : { neededNoGo: withoutGo }),
  };
  return { kind: 'start', needsGo, events: [started], earlier };
}

function isSameDeploy(state: WatchState, deploy: Deploy, isTimeGiven: boolean): boolean {
  if (state.deploy === null || deployKey(state.deploy) !== deployKey(deploy)) return false;
  if (state.deploy.deployedAtMs === deploy.deployedAtMs) return true;
  // The same deploy may be reported twice, at different moments; much later it is another one.
  const laterMs = isTimeGiven ? deploy.deployedAtMs - state.deploy.deployedAtMs : 0;
  if (state.phase === 'watching') return laterMs < REDEPLOY_AFTER_MS;
  // A pipeline that repeats its start must not call off the rollback that is under way.
  return !isTimeGiven && isRollingBack(state);
}

function isRollingBack(state: WatchState): boolean {
  return isActive(state) || Object.values(state.actions).includes('pending');
}

function hasSameParameters(state: WatchState, { parameters }: Deploy): boolean {
  const known = state.deploy?.parameters ?? {};
  const names = Object.keys({ ...known, ...parameters });
  return names.every((name) => known[name] === parameters[name]);
}

function isRollbackOf(
  state: WatchState,
  deploy: Deploy,
  nowMs: number,
  recent: readonly Earlier[],
): boolean {
  if (state.phase !== 'stopped' || state.stop === null || state.deploy === null) return false;
  const { deployedAtMs, previousVersion, version } = state.deploy;
  // Not every pipeline names the previous version: one that was watched before it counts too.
  const wasThereBefore = recent.some(
    ({ state: { deploy: other } }) =>
      other !== null && other.version === deploy.version && other.deployedAtMs < deployedAtMs,
  );
  if (deploy.version === version) return false;
  if (previousVersion !== deploy.version && !wasThereBefore) return false;
  return (
    deploy.deployedAtMs >= deployedAtMs && nowMs - state.stop.atMs <= ROLLBACK_DEPLOY_WITHIN_MS
  );
}

/** The last watch of this version's own deploy was stopped. Those of rollbacks to it say nothing. */
function wasStopped({ version }: Deploy, recent: readonly Earlier[]): boolean {
  const own = recent.find(
    ({ state: { deploy, rollbackOf, phase } }) =>
      deploy?.version === version && rollbackOf === null && phase !== 'cancelled',
  );
  return own?.state.phase === 'stopped';
}

/** A newer deploy ends the old watch; the old one may no longer roll back, nor verify. */
function supersede(earlier: Earlier, byWatch: string, deploy: Deploy) {
  const { id, state } = earlier;
  if (state.phase === 'watching') {
    const superseded = { type: 'watch.superseded', byWatch, version: deploy.version } as const;
    return { id, events: [superseded], givesUpActions: false };
  }
  const events: EventBody[] = [];
  const why = `a newer deploy (${deploy.version}) has started`;
  for (const action of ['disarm', 'rollback'] as const) {
    if (state.actions[action] === 'pending') {
      events.push(...giveUp(state, action, 0, 'superseded', why));
    }
  }
  const isVerifying = state.verification.kind === 'verifying';
  if (isVerifying) {
    const action = state.actions.rollback === undefined ? 'disarm' : 'rollback';
    events.push({
      type: 'rollback.not_confirmed',
      action,
      reason: 'superseded',
      because: [why],
    });
  }
  const givesUpActions = events.some(({ type }) => type === 'action.gave_up');
  const after = fold(
    events.map((event) => ({ ...event, seq: 0, atMs: 0 })),
    state,
  );
  // Nobody has to look after what a newer deploy has replaced.
  if (isIncidentOpen(after)) events.push({ type: 'watch.resolved', by: 'canaryd', reason: why });
  return { id, events, givesUpActions };
}
