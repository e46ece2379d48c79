// After the stop: what the outcome of an action means, and whether the rollback helped.
// 2xx is "accepted"; only the verify conditions confirm (design of `on_stop.verify`).
import { advance, evidenceOf } from './condition.ts';
import type { Outcome } from './delivery.ts';
import type { DeliveryReason, EventBody } from './event.ts';
import type { ActionName, Condition, Policy } from './policy.ts';
import type { Tick } from './sample.ts';
import type { ConditionTrack, Track } from './track.ts';
import { verifiedAction, type WatchState } from './watch.ts';
import { conditionNow } from './wording.ts';

/** On-call hears of an action that is still being tried after so many failed attempts. */
export const DELAYED_AFTER_ATTEMPTS = 3;

/**
 * The verify conditions that can be judged: one that compares with `${previous_version}` cannot
 * when the deploy did not name it.
 */
export function verifyConditions(policy: Policy, state: WatchState): readonly Condition[] {
  const conditions = policy.verify?.conditions ?? [];
  if (state.deploy?.previousVersion) return conditions;
  return conditions.filter(({ indicator }) => {
    const definition = policy.indicators[indicator];
    const text = definition?.kind === 'http' ? `${definition.url}${definition.json?.equals}` : '';
    return !text.includes('${previous_version}');
  });
}

/** One tick of a watch whose rollback was accepted. */
export function decideVerification(
  policy: Policy,
  state: WatchState,
  track: Track | null,
  tick: Tick,
): { readonly events: readonly EventBody[]; readonly track: Track } {
  const { verification } = state;
  const conditions = verifyConditions(policy, state);
  const next: Record<string, ConditionTrack> = { ...track?.conditions };
  for (const condition of conditions) {
    const reading = tick.readings[condition.indicator];
    if (reading === undefined) continue;
    next[condition.id] = advance(next[condition.id], condition, reading, {
      atMs: tick.atMs,
      intervalMs: policy.intervalMs,
      blindAfterMs: policy.blindAfterMs,
      lastTickMs: track?.atMs ?? null,
      parameters: state.deploy?.parameters ?? {},
      baseline: state.baseline[condition.indicator],
    });
  }
  const after: Track = {
    atMs: tick.atMs,
    conditions: next,
    sinceDeploy: track?.sinceDeploy ?? {},
    passSinceMs: null,
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
    const event = { type: 'rollback.confirmed', action, conditions: evidence, afterMs } as const;
    return { events: [event], track: after };
  }
  if (afterMs < (policy.verify?.withinMs ?? 0)) return { events: [], track: after };
  const because = [
    ...unmet.map((condition) => unmetText(policy, condition, next[condition.id], tick)),
    ...unjudgeable(policy, conditions),
  ];
  const reason = 'not_verified' as const;
  return { events: [{ type: 'rollback.not_confirmed', action, reason, because }], track: after };
}

/** A health check that is still open: what is known is in the track. */
const NOT_ANSWERED = { kind: 'blind', reason: 'rejected', detail: 'no answer yet' } as const;

function unjudgeable(policy: Policy, judged: readonly Condition[]): readonly string[] {
  const left = (policy.verify?.conditions ?? []).filter((condition) => !judged.includes(condition));
  return left.map(
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
