// The only place where anything is decided. Pure: state, readings and the time go in, events come
// out. Every condition that is due is judged on every tick, before anything is concluded (rule 8).
//
// Order within a tick: baseline, window, stop, then what people are told (pre-existing, arming,
// blindness, warnings), then pass or inconclusive. After a stop nothing else is concluded.
import {
  advance,
  evidenceOf,
  GAP_INTERVALS,
  RECOVERED_AFTER_MS,
  stillPreExisting,
} from './condition.ts';
import { coverageOf, coverageShortfall } from './coverage.ts';
import type { BlindEvidence, EventBody, Evidence } from './event.ts';
import { limitValue, met } from './limit.ts';
import {
  ALWAYS,
  type Condition,
  conditionsAt,
  type Policy,
  policyEndMs,
  windowAt,
} from './policy.ts';
import { formatDuration, roughDuration } from './quantity.ts';
import type { Readings } from './read.ts';
import type { Reading, Tick } from './sample.ts';
import type { ConditionTrack, Track } from './track.ts';
import { evolve, type WatchState } from './watch.ts';
import { conditionNow } from './wording.ts';

/** A flapping warning is told this often; then it is only in the journal of samples. */
export const WARNINGS_TOLD_MAX = 3;
/** A condition that keeps going blind is told this often; it still counts against coverage. */
export const BLINDNESS_TOLD_MAX = 3;
/** A watch nobody evaluated until this long after its deadline says so. */
export const DEADLINE_GRACE_MS = 60_000;

export type TickInput = {
  readonly policy: Policy;
  readonly state: WatchState;
  readonly track: Track | null;
  readonly tick: Tick;
  /** Readings of the time before the deploy, when they were taken with this tick. */
  readonly baseline: Readings | null;
  /** The hold-fire switch is on. */
  readonly isHeld: boolean;
};

export type TickDecision = { readonly events: readonly EventBody[]; readonly track: Track };

/** What the conditions look like at this tick, and a place to collect events. */
type Scene = {
  readonly policy: Policy;
  readonly tick: Tick;
  readonly track: Track;
  readonly due: readonly Condition[];
  readonly sinceDeployMs: number;
  readonly events: EventBody[];
  state: WatchState;
};

function emit(scene: Scene, event: EventBody): void {
  scene.events.push(event);
  scene.state = evolve(scene.state, { ...event, seq: 0, atMs: scene.tick.atMs });
}

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
  const next: Record<string, ConditionTrack> = { ...track?.conditions };
  for (const condition of due) {
    // A health check that has not answered yet is counted when it has: no reading, no step.
    const isUnanswered = tick.readings[condition.indicator] === undefined;
    if (isUnanswered && policy.indicators[condition.indicator]?.kind === 'http') continue;
    next[condition.id] = advance(next[condition.id], condition, readingOf(tick, condition), {
      atMs: tick.atMs,
      intervalMs: policy.intervalMs,
      blindAfterMs: policy.blindAfterMs,
      lastTickMs: track?.atMs ?? null,
      parameters: state.deploy?.parameters ?? {},
      baseline: state.baseline[condition.indicator],
    });
  }
  return next;
}

function readingOf(tick: Tick, condition: Condition): Reading {
  return (
    tick.readings[condition.indicator] ?? {
      kind: 'blind',
      reason: 'rejected',
      detail: 'the source gave no reading for it',
    }
  );
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
    sinceDeploy[indicator] = { atMs: tick.atMs, counts: reading.sinceDeploy };
  }
  const passes = due.filter(({ role }) => role === 'pass');
  const allHold = passes.length > 0 && passes.every(({ id }) => conditions[id]?.state === 'firing');
  const isGap = track !== null && tick.atMs - track.atMs > GAP_INTERVALS * policy.intervalMs;
  const passSinceMs = allHold ? ((isGap ? null : track?.passSinceMs) ?? tick.atMs) : null;
  return { atMs: tick.atMs, conditions, sinceDeploy, passSinceMs };
}

/** Values before the deploy, and the stop and warn conditions that were breached already. */
function baselineEvent(
  policy: Policy,
  state: WatchState,
  readings: Readings,
): Extract<EventBody, { type: 'watch.baselined' }> {
  const values: Record<string, number> = {};
  for (const [indicator, reading] of Object.entries(readings)) {
    // What is no number would come back from the journal as null.
    if (reading.kind !== 'value' || !Number.isFinite(reading.value)) continue;
    values[indicator] = reading.value;
  }
  const parameters = state.deploy?.parameters ?? {};
  const wasBreached = (condition: Condition): boolean => {
    const value = values[condition.indicator];
    const { limit, role } = condition;
    if (value === undefined || (role !== 'stop' && role !== 'warn')) return false;
    if (limit.kind !== 'compare') return (value === 1) === (limit.kind === 'passing');
    // A limit relative to the baseline cannot have been breached by the baseline itself.
    if (limit.of === 'baseline') return false;
    const absolute = limitValue(limit, parameters, undefined);
    return absolute !== null && met(limit, value, absolute, undefined);
  };
  const preExisting = policy.conditions.filter(wasBreached).map(({ id }) => id);
  return { type: 'watch.baselined', values, preExisting };
}

function evidenceFor(scene: Scene, condition: Condition): Evidence {
  const track = scene.track.conditions[condition.id];
  const baseline = scene.state.baseline[condition.indicator];
  if (track === undefined) throw new Error(`no track for ${condition.id}`);
  const preExisting = scene.state.preExisting.includes(condition.id) && !track.recovered;
  const reading = readingOf(scene.tick, condition);
  return evidenceOf(condition, track, reading, { baseline, preExisting });
}

/** As it was last judged: its window has ended, what is read now says nothing about it. */
function lastEvidenceFor(scene: Scene, condition: Condition): Evidence {
  const tick = { atMs: scene.tick.atMs, readings: {} };
  return evidenceFor({ ...scene, tick }, condition);
}

function blindEvidence(scene: Scene, condition: Condition): BlindEvidence {
  const blind = scene.track.conditions[condition.id]?.blind;
  return {
    condition: condition.id,
    indicator: condition.indicator,
    reason: blind?.reason ?? 'no_series',
    detail: blind?.detail ?? unsampled(scene, condition),
    sinceMs: blind?.sinceMs ?? scene.tick.atMs,
  };
}

function unsampled({ policy, sinceDeployMs }: Scene, condition: Condition): string {
  const window = policy.windows.find(({ name }) => name === condition.window);
  const isOver = window !== undefined && window.untilMs <= sinceDeployMs;
  return isOver ? 'its window had ended before the watch saw it' : 'never sampled';
}

function stateOf(scene: Scene, condition: Condition): ConditionTrack['state'] | undefined {
  return scene.track.conditions[condition.id]?.state;
}

function blindForMs(scene: Scene, condition: Condition): number {
  const blind = scene.track.conditions[condition.id]?.blind;
  return blind ? scene.tick.atMs - blind.sinceMs : 0;
}

function isBlindTooLong(scene: Scene, condition: Condition): boolean {
  return (
    stateOf(scene, condition) === 'blind' &&
    !isWaiting(scene, condition) &&
    blindForMs(scene, condition) >= scene.policy.blindAfterMs
  );
}

/** Waiting for the range to fill is planned, not blindness that anybody can mend. */
function isWaiting(scene: Scene, condition: Condition): boolean {
  return scene.track.conditions[condition.id]?.blind?.reason === 'too_early';
}

function isOldTrouble(scene: Scene, condition: Condition): boolean {
  const track = scene.track.conditions[condition.id];
  return (
    track !== undefined &&
    stillPreExisting(
      condition,
      track,
      scene.state.preExisting.includes(condition.id),
      scene.state.baseline[condition.indicator],
      scene.policy.worseBy,
    )
  );
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

/** Old trouble alerts once and blocks a pass; it does not roll this deploy back (rule 5). */
function tellPreExisting(scene: Scene): void {
  for (const condition of scene.due) {
    if (condition.role !== 'stop' || stateOf(scene, condition) !== 'firing') continue;
    if (scene.state.toldPreExisting.includes(condition.id)) continue;
    emit(scene, { type: 'condition.pre_existing', evidence: evidenceFor(scene, condition) });
  }
}

function tellArming(scene: Scene): void {
  if (scene.state.arming === 'armed') return;
  const begun = new Set(
    scene.policy.windows.filter((w) => w.fromMs <= scene.sinceDeployMs).map((w) => w.name),
  );
  const stops = scene.policy.conditions.filter(
    ({ role, window }) => role === 'stop' && begun.has(window),
  );
  const unseen = stops.filter(({ id }) => scene.track.conditions[id]?.everSeen !== true);
  const total = stops.length;
  const armed = total - unseen.length;
  if (total === 0) return;
  if (unseen.length === 0) {
    emit(scene, { type: 'watch.armed', armed, total });
    return;
  }
  const watchedMs = scene.tick.atMs - scene.state.startedAtMs;
  if (scene.state.arming === 'unarmed' || watchedMs < scene.policy.armWithinMs) return;
  const missing = unseen.filter((condition) => !isWaiting(scene, condition));
  if (missing.length === 0) return;
  const conditions = missing.map((condition) => blindEvidence(scene, condition));
  emit(scene, { type: 'watch.unarmed', armed, total, conditions });
}

function tellBlindness(scene: Scene): void {
  const told = scene.state.toldBlind;
  const blind = scene.due.filter(
    (condition) =>
      isBlindTooLong(scene, condition) &&
      told[condition.id] === undefined &&
      (scene.state.blindnesses[condition.id] ?? 0) < BLINDNESS_TOLD_MAX,
  );
  if (blind.length > 0) {
    const conditions = blind.map((condition) => blindEvidence(scene, condition));
    emit(scene, { type: 'conditions.blinded', conditions });
  }
  const sighted = scene.due.filter(
    (condition) => told[condition.id] !== undefined && stateOf(scene, condition) !== 'blind',
  );
  if (sighted.length === 0) return;
  const conditions = sighted.map(({ id }) => ({
    condition: id,
    blindMs: scene.tick.atMs - (told[id] ?? scene.tick.atMs),
  }));
  emit(scene, { type: 'conditions.sighted', conditions });
}

function tellWarnings(scene: Scene): void {
  for (const condition of scene.due) {
    if (condition.role !== 'warn') continue;
    const track = scene.track.conditions[condition.id];
    const firedAtMs = scene.state.warned[condition.id];
    if (track?.state === 'firing' && firedAtMs === undefined) {
      if ((scene.state.warnings[condition.id] ?? 0) >= WARNINGS_TOLD_MAX) continue;
      emit(scene, { type: 'condition.warned', evidence: evidenceFor(scene, condition) });
    }
    const isQuiet =
      track?.state === 'inactive' && scene.tick.atMs - track.stateSinceMs >= RECOVERED_AFTER_MS;
    if (isQuiet && firedAtMs !== undefined) {
      const evidence = evidenceFor(scene, condition);
      const firedMs = track.stateSinceMs - firedAtMs;
      emit(scene, { type: 'condition.recovered', evidence, firedMs });
    }
  }
}

function decideEnd(scene: Scene): void {
  const { policy, state, track, tick } = scene;
  const coverage = coverageOf(policy, track, scene.sinceDeployMs);
  const shortfall = coverageShortfall(policy, coverage, scene.sinceDeployMs);
  const obstacles = obstaclesToPass(scene);
  const passes = scene.due.filter(({ role }) => role === 'pass');
  const passForMs = windowAt(policy, scene.sinceDeployMs)?.passForMs ?? 0;
  const isHeldLong = track.passSinceMs !== null && tick.atMs - track.passSinceMs >= passForMs;
  if (isHeldLong && obstacles.length === 0) {
    if (shortfall.all.length === 0) {
      const conditions = passes.map((condition) => evidenceFor(scene, condition));
      emit(scene, { type: 'watch.passed', conditions, coverage });
      return;
    }
    // What was not seen in a window that has ended will never be seen: no use in waiting.
    if (shortfall.final.length > 0) {
      const because = shortfall.final;
      emit(scene, { type: 'watch.inconclusive', reason: 'coverage', coverage, because });
      return;
    }
  }
  if (tick.atMs < state.deadlineAtMs) return;
  const needsPass = policy.conditions.some(({ role }) => role === 'pass');
  const isLate = tick.atMs > state.deadlineAtMs + DEADLINE_GRACE_MS;
  const because = [...unmetPasses(scene), ...obstacles, ...shortfall.all];
  if (!needsPass && because.length === 0 && !isLate) {
    emit(scene, { type: 'watch.passed', conditions: [], coverage });
    return;
  }
  if (because.length === 0) because.push(isLate ? notEvaluated(scene) : notHeldLong(scene));
  const reason = isLate ? 'not_evaluated' : 'deadline';
  emit(scene, { type: 'watch.inconclusive', reason, coverage, because });
}

function notEvaluated({ tick, state }: Scene): string {
  const late = roughDuration(tick.atMs - state.deadlineAtMs);
  return `canaryd looked again only ${late} after the deadline`;
}

function notHeldLong({ policy }: Scene): string {
  const end = policyEndMs(policy);
  const last = policy.windows.find(({ untilMs, name }) => untilMs === end && name !== ALWAYS);
  const wanted = formatDuration(last?.passForMs ?? 0);
  return `the pass conditions did not hold together for ${wanted} without a gap`;
}

/**
 * Why a pass is out of the question at this tick, although all pass conditions may hold. The last
 * windows count at their end too; of a window that ended earlier remains what a stop condition
 * ended with: old trouble that was never seen to heal.
 */
function obstaclesToPass(scene: Scene): readonly string[] {
  const { policy, sinceDeployMs } = scene;
  const end = policyEndMs(policy);
  return policy.conditions.flatMap((condition) => {
    const window = policy.windows.find(({ name }) => name === condition.window);
    if (condition.role !== 'stop' && condition.role !== 'warn') return [];
    if (window === undefined || window.fromMs > sinceDeployMs) return [];
    if (window.untilMs > sinceDeployMs) return obstacleOf(scene, condition);
    if (window.untilMs === end) return obstacleOf(scene, condition);
    if (condition.role !== 'stop' || stateOf(scene, condition) !== 'firing') return [];
    const last = conditionNow(policy, lastEvidenceFor(scene, condition));
    return [`${condition.id} was still breached when its window ended: ${last}`];
  });
}

function obstacleOf(scene: Scene, condition: Condition): readonly string[] {
  const track = scene.track.conditions[condition.id];
  if (track === undefined || track.state === 'inactive') return [];
  if (track.state === 'blind') {
    if (condition.role !== 'stop' || isWaiting(scene, condition)) return [];
    return [`${condition.id} is blind: ${track.blind?.reason} (${track.blind?.detail})`];
  }
  if (condition.role === 'warn' && track.state === 'pending') return [];
  return [conditionNow(scene.policy, evidenceFor(scene, condition))];
}

/** Pass conditions of the last window that do not hold, in words. */
function unmetPasses(scene: Scene): readonly string[] {
  const end = policyEndMs(scene.policy);
  const last = scene.policy.windows.filter((w) => w.untilMs === end && w.name !== ALWAYS);
  return scene.policy.conditions
    .filter(({ role, window }) => role === 'pass' && last.some(({ name }) => name === window))
    .flatMap((condition) => {
      const track = scene.track.conditions[condition.id];
      if (track === undefined) return [`${condition.id} was never judged`];
      if (track.state === 'firing') return [];
      if (track.state === 'blind') {
        return [`${condition.id} is blind: ${track.blind?.reason} (${track.blind?.detail})`];
      }
      const now = conditionNow(scene.policy, lastEvidenceFor(scene, condition));
      return [`${condition.id} does not hold: ${now}`];
    });
}
