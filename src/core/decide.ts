// The only place where a tick is decided. Pure: state, readings and the time go in, events come
// out. Every condition that is due is judged on every tick, before anything is concluded (rule 8).
//
// Order within a tick: baseline, window, stop, then what people are told (pre-existing, arming,
// blindness, warnings, sign-offs), then pass or inconclusive. After a stop nothing else is concluded.
import { advance, conditionsBefore, contextOf, GAP_INTERVALS } from './condition.ts';
import type { EventBody } from './event.ts';
import { limitValue, met } from './limit.ts';
import { type Condition, conditionsAt, type Policy, policyEndMs, windowAt } from './policy.ts';
import type { Readings } from './read.ts';
import type { Tick } from './sample.ts';
import {
  blindEvidence,
  emit,
  evidenceFor,
  isBlindTooLong,
  isOldTrouble,
  readingOf,
  type Scene,
  stateOf,
} from './scene.ts';
import { decideEnd } from './tick-end.ts';
import {
  tellArming,
  tellBlindness,
  tellPreExisting,
  tellSignOffs,
  tellWarnings,
} from './tick-news.ts';
import type { Track } from './track.ts';
import { evolve, type WatchState } from './watch.ts';
import { conditionNow } from './wording.ts';

/**
 * The time before the deploy is read at the deploy and so much earlier. A service or a canaryd that
 * has not been there for long has only the nearer ones.
 */
export const BASELINE_LEADS_MS: readonly number[] = [
  30 * 60_000,
  5 * 60_000,
  60_000,
  10_000,
  3_000,
];

export type TickInput = {
  readonly policy: Policy;
  readonly state: WatchState;
  readonly track: Track | null;
  readonly tick: Tick;
  /**
   * Readings of times before the deploy, oldest first, the last one of the deploy itself, when they
   * were taken with this tick.
   */
  readonly baseline: readonly Readings[] | null;
  /** The hold-fire switch is on. */
  readonly isHeld: boolean;
};

export type TickDecision = { readonly events: readonly EventBody[]; readonly track: Track };

/** The policy whose last windows end at the watch's deadline, which a human may have extended. */
export function effectivePolicy(policy: Policy, state: WatchState): Policy {
  const end = policyEndMs(policy);
  const deadline = state.deadlineAtMs - (state.deploy?.deployedAtMs ?? 0);
  if (state.deploy === null || deadline === end) return policy;
  const windows = policy.windows.map((window) =>
    window.untilMs === end ? { ...window, untilMs: deadline } : window,
  );
  return { ...policy, windows };
}

/** One tick of a watch that is `watching`. */
export function decideTick(input: TickInput): TickDecision {
  const policy = effectivePolicy(input.policy, input.state);
  const { state, tick } = input;
  const sinceDeployMs = tick.atMs - (state.deploy?.deployedAtMs ?? tick.atMs);
  const due = conditionsAt(policy, sinceDeployMs);
  const baselined = input.baseline && baselineEvent(policy, state, input.baseline);
  const after = baselined ? evolve(state, { ...baselined, seq: 0, atMs: tick.atMs }) : state;
  const conditions = advanceAll(policy, after, input.track, tick, due);
  const track = trackOf(input, policy, due, conditions);
  const events = baselined ? [baselined] : [];
  const scene: Scene = { policy, tick, track, due, sinceDeployMs, events, state: after };
  const window = windowAt(policy, sinceDeployMs);
  if (window !== null && window.name !== after.window) {
    emit(scene, { type: 'window.entered', window: window.name });
  }
  if (!decideStop(scene, input.isHeld)) {
    tellPreExisting(scene);
    tellArming(scene);
    tellBlindness(scene);
    tellWarnings(scene);
    tellSignOffs(scene);
    decideEnd(scene);
  }
  return { events: scene.events, track };
}

function advanceAll(
  policy: Policy,
  state: WatchState,
  track: Track | null,
  tick: Tick,
  due: readonly Condition[],
): Track['conditions'] {
  const next = conditionsBefore(policy, track, tick);
  for (const condition of due) {
    // A health check that has not answered yet is counted when it has: no reading, no step.
    const isUnanswered = tick.readings[condition.indicator] === undefined;
    if (isUnanswered && policy.indicators[condition.indicator]?.kind === 'http') continue;
    const context = contextOf(policy, state, track, tick, condition);
    next[condition.id] = advance(
      next[condition.id],
      condition,
      readingOf(tick, condition),
      context,
    );
  }
  return next;
}

function trackOf(
  { track, tick }: TickInput,
  policy: Policy,
  due: readonly Condition[],
  conditions: Track['conditions'],
): Track {
  const sinceDeploy = { ...track?.sinceDeploy };
  for (const [indicator, reading] of Object.entries(tick.readings)) {
    if (reading.sinceDeploy === undefined) continue;
    // After a clock was set back, or from a replica whose clock is behind: counts up to a later
    // time are not counted again.
    const atMs = Math.max(tick.atMs, sinceDeploy[indicator]?.atMs ?? tick.atMs);
    sinceDeploy[indicator] = { atMs, counts: reading.sinceDeploy };
  }
  const passes = due.filter(({ role }) => role === 'pass');
  const allHold = passes.length > 0 && passes.every(({ id }) => conditions[id]?.state === 'firing');
  const isGap = track !== null && tick.atMs - track.atMs > GAP_INTERVALS * policy.intervalMs;
  const passSinceMs = allHold ? ((isGap ? null : track?.passSinceMs) ?? tick.atMs) : null;
  return { atMs: tick.atMs, conditions, sinceDeploy, passSinceMs };
}

/**
 * Values before the deploy, and the stop and warn conditions that were breached already. Pipelines
 * report a deploy when it has ended: by then the new version may have run for minutes. So the
 * oldest earlier reading is the baseline, never the deploy's own, and only what was red in every
 * reading, the deploy's own and at least one earlier, is old trouble.
 */
function baselineEvent(
  policy: Policy,
  state: WatchState,
  baseline: readonly Readings[],
): Extract<EventBody, { type: 'watch.baselined' }> {
  const known = baseline.map(finiteValues);
  const earlier = known.slice(0, -1);
  const values: Record<string, number> = Object.assign({}, ...earlier.toReversed());
  const parameters = state.deploy?.parameters ?? {};
  const isBreach = ({ limit }: Condition, value: number): boolean => {
    if (limit.kind !== 'compare') return (value === 1) === (limit.kind === 'passing');
    // A limit relative to the baseline cannot have been breached by the baseline itself.
    if (limit.of === 'baseline') return false;
    const absolute = limitValue(limit, parameters, undefined);
    return absolute !== null && met(limit, value, absolute, undefined);
  };
  const wasBreached = (condition: Condition): boolean => {
    const seen = known.flatMap((one) => one[condition.indicator] ?? []);
    const wasThere = earlier.some((one) => one[condition.indicator] !== undefined);
    const calls = condition.role === 'stop' || condition.role === 'warn';
    return calls && wasThere && seen.every((value) => isBreach(condition, value));
  };
  const preExisting = policy.conditions.filter(wasBreached).map(({ id }) => id);
  return { type: 'watch.baselined', values, preExisting };
}

/** What is no number would come back from the journal as null. */
function finiteValues(readings: Readings): Record<string, number> {
  const values: Record<string, number> = {};
  for (const [indicator, reading] of Object.entries(readings)) {
    if (reading.kind === 'value' && Number.isFinite(reading.value)) {
      values[indicator] = reading.value;
    }
  }
  return values;
}

/** @returns whether the watch stopped */
function decideStop(scene: Scene, isHeld: boolean): boolean {
  const stops = scene.due.filter(({ role }) => role === 'stop');
  const fired = stops.filter(
    (condition) => stateOf(scene, condition) === 'firing' && !isOldTrouble(scene, condition),
  );
  const blind = stops.filter(
    (condition) => condition.onBlind === 'stop' && isBlindTooLong(scene, condition),
  );
  if (fired.length === 0 && blind.length === 0) return false;
  const conditions = fired.map((condition) => evidenceFor(scene, condition));
  const blindness = blind.map((condition) => blindEvidence(scene, condition));
  const names = [
    ...conditions.map((evidence) => conditionNow(scene.policy, evidence)),
    ...blindness.map(({ indicator, reason }) => `${indicator} stayed blind (${reason})`),
  ];
  emit(scene, {
    type: 'watch.stopped',
    cause: 'condition',
    by: 'canaryd',
    reason: names.join('; '),
    conditions,
    blind: blindness,
    ...stopPlan(scene.policy, scene.state, isHeld),
  });
  return true;
}

/** Whether a stop acts, and with what. */
export function stopPlan(policy: Policy, state: WatchState, isHeld: boolean) {
  const mode = state.mode === 'observe' ? 'observe' : isHeld ? 'hold' : 'act';
  const actions = mode === 'act' ? policy.actions.map(({ name }) => name) : [];
  return { mode, actions, verifies: policy.verify !== null } as const;
}
