// After the stop: what the outcome of an action means, and whether the rollback helped.
// 2xx is "accepted"; only the verify conditions confirm (design of `on_stop.verify`).
import { advance, conditionsBefore, contextOf, evidenceOf, GAP_INTERVALS } from './condition.ts';
import type { Outcome } from './delivery.ts';
import type { DeliveryReason, EventBody } from './event.ts';
import type { ActionName, Condition, Policy } from './policy.ts';
import { needsPreviousVersion } from './read.ts';
import type { Tick } from './sample.ts';
import type { ConditionTrack, Track } from './track.ts';
import { verifiedAction, type WatchState } from './watch.ts';
import { conditionNow } from './wording.ts';

/** Back from an absence, canaryd watches this long before it calls a rollback unconfirmed. */
const VERIFY_SEEN_MS = 60_000;

/** On-call hears of an action that is still being tried after so many failed attempts. */
export const DELAYED_AFTER_ATTEMPTS = 3;

/**
 * The verify conditions that can be judged: one that compares with `${previous_version}` cannot
 * when the deploy did not name it.
 */
export function verifyConditions(policy: Policy, state: WatchState): readonly Condition[] {
  const conditions = policy.verify?.conditions ?? [];
  if (state.deploy?.previousVersion) return conditions;
  return conditions.filter(({ indicator }) => !needsPreviousVersion(policy, indicator));
}

/** One tick of a watch whose rollback was accepted. */
export function decideVerification(
  policy: Policy,
  state: WatchState,
  track: Track | null,
  tick: Tick,
): { readonly events: readonly EventBody[]; readonly track: Track } {
  const { verification } = state;
  const seenSinceMs = seenSince(policy, state, track, tick);
  const conditions = verifyConditions(policy, state);
  const next = conditionsBefore(policy, track, tick);
  for (const condition of conditions) {
    const reading = tick.readings[condition.indicator];
    if (reading === undefined) continue;
    const context = contextOf(policy, state, track, tick, condition);
    next[condition.id] = advance(next[condition.id], condition, reading, context);
  }
  const after: Track = {
    atMs: tick.atMs,
    conditions: next,
    sinceDeploy: track?.sinceDeploy ?? {},
    passSinceMs: seenSinceMs,
  };
  const action = verifiedAction(state.actions);
  if (verification.kind !== 'verifying' || action === null) return { events: [], track: after };
  const unmet = conditions.filter(({ id }) => next[id]?.state !== 'firing');
  const afterMs = tick.atMs - verification.sinceMs;
  // Nothing to judge is no proof.
  if (conditions.length > 0 && unmet.length === 0) {
    const evidence = conditions.flatMap((condition) => {
      const conditionTrack = next[condition.id];
      if (conditionTrack === undefined) return [];
      const reading = tick.readings[condition.indicator] ?? NOT_ANSWERED;
      const baseline = state.baseline[condition.indicator];
      return [evidenceOf(condition, conditionTrack, reading, { baseline, preExisting: false })];
    });
    const left = unjudged(policy, conditions).map(({ indicator }) => indicator);
    const event = { type: 'rollback.confirmed', action, conditions: evidence, afterMs } as const;
    const told = left.length === 0 ? event : { ...event, unjudged: left };
    return { events: [told], track: after };
  }
  const withinMs = policy.verify?.withinMs ?? 0;
  // After an absence the conditions get time to show themselves before anybody is woken.
  const isSeenLong = tick.atMs - seenSinceMs >= Math.min(withinMs, VERIFY_SEEN_MS);
  if (afterMs < withinMs || !isSeenLong) return { events: [], track: after };
  const because = [
    ...unmet.map((condition) => unmetText(policy, condition, next[condition.id], tick)),
    ...unjudgeable(policy, conditions),
  ];
  const reason = 'not_verified' as const;
  return { events: [{ type: 'rollback.not_confirmed', action, reason, because }], track: after };
}

/** Since when the verification is watched without an absence of canaryd's. */
function seenSince(policy: Policy, state: WatchState, track: Track | null, tick: Tick): number {
  if (state.verification.kind !== 'verifying') return tick.atMs;
  const { sinceMs } = state.verification;
  const isFirst = track === null || track.atMs < sinceMs;
  const lastMs = isFirst ? sinceMs : track.atMs;
  const gapMs = Math.max(GAP_INTERVALS * policy.intervalMs, policy.blindAfterMs);
  if (tick.atMs - lastMs > gapMs) return tick.atMs;
  return isFirst ? sinceMs : (track.passSinceMs ?? sinceMs);
}

/** A health check that is still open: what is known is in the track. */
const NOT_ANSWERED = { kind: 'blind', reason: 'rejected', detail: 'no answer yet' } as const;

function unjudged(policy: Policy, judged: readonly Condition[]): readonly Condition[] {
  return (policy.verify?.conditions ?? []).filter((condition) => !judged.includes(condition));
}

function unjudgeable(policy: Policy, judged: readonly Condition[]): readonly string[] {
  return unjudged(policy, judged).map(
    ({ indicator }) =>
      `${indicator} could not be judged: the deploy did not name its previous version`,
  );
}

function unmetText(
  policy: Policy,
  condition: Condition,
  track: ConditionTrack | undefined,
  tick: Tick,
): string {
  const reading = tick.readings[condition.indicator];
  if (track === undefined) return `${condition.indicator} was never read`;
  if (reading?.kind === 'blind') {
    return `${condition.indicator} is blind: ${reading.reason} (${reading.detail})`;
  }
  const evidence = evidenceOf(condition, track, reading ?? NOT_ANSWERED, {
    baseline: undefined,
    preExisting: false,
  });
  return conditionNow(policy, evidence);
}

/** What the end of an attempt means for the watch; nothing when the state has moved on. */
export function decideOutcome(
  state: WatchState,
  attempt: {
    readonly action: ActionName;
    readonly attempts: number;
    readonly outcome: Outcome;
    /** Set when no further attempt will be made. */
    readonly gaveUp: DeliveryReason | null;
    readonly atMs: number;
  },
): readonly EventBody[] {
  const { action, attempts, outcome, gaveUp, atMs } = attempt;
  if (state.actions[action] !== 'pending') return [];
  if (outcome.kind === 'delivered') {
    const afterMs = atMs - (state.stop?.atMs ?? atMs);
    return [{ type: 'action.accepted', action, attempts, detail: outcome.detail, afterMs }];
  }
  if (gaveUp === null) {
    if (attempts !== DELAYED_AFTER_ATTEMPTS) return [];
    return [{ type: 'action.delayed', action, attempts, detail: outcome.detail }];
  }
  return giveUp(state, action, attempts, gaveUp, outcome.detail);
}

/** An action will not be tried any more; without the rollback nothing can be confirmed. */
export function giveUp(
  state: WatchState,
  action: ActionName,
  attempts: number,
  reason: DeliveryReason,
  detail: string,
): readonly EventBody[] {
  const gaveUp = { type: 'action.gave_up', action, attempts, reason, detail } as const;
  if (state.verification.kind !== 'waiting' || verifiedAction(state.actions) !== action) {
    return [gaveUp];
  }
  const because = [`the ${action} was not accepted: ${detail}`];
  const unconfirmed = reason === 'superseded' ? 'superseded' : 'not_accepted';
  return [gaveUp, { type: 'rollback.not_confirmed', action, reason: unconfirmed, because }];
}
