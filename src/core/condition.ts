// One condition, one tick: from its previous state and a reading to its next state. Pure; the
// restart of a watch continues from the saved state exactly.
//
// `for` counts observed time only: between two samples of one run at most `GAP_INTERVALS`
// intervals are credited, so that slow ticks still count and an outage does not. A good sample
// resets it (rule 7), and so does a time without sight that is longer than `blindAfterMs`, be it
// the source's or canaryd's own.
import type { Evidence } from './event.ts';
import { clearlyWorse, limitValue, met } from './limit.ts';
import type { Condition, Policy } from './policy.ts';
import type { Reading, Tick, Value } from './sample.ts';
import type { ConditionTrack, Track } from './track.ts';
import type { WatchState } from './watch.ts';

/** Two samples further apart than this many intervals are not one observation. */
export const GAP_INTERVALS = 2.5;
/** A condition counts as recovered after this long without a breach: flapping is told once. */
export const RECOVERED_AFTER_MS = 60_000;

export type ConditionContext = {
  readonly atMs: number;
  readonly intervalMs: number;
  /** Unseen for longer than this breaks a run: what was seen before is no longer one observation. */
  readonly blindAfterMs: number;
  /** The tick before this one; null for the first. */
  readonly lastTickMs: number | null;
  readonly parameters: Readonly<Record<string, number | string>>;
  readonly baseline: number | undefined;
};

/** What a condition's next state depends on, besides its reading. */
export function contextOf(
  policy: Policy,
  state: WatchState,
  track: Track | null,
  tick: Tick,
  { indicator }: Condition,
): ConditionContext {
  return {
    atMs: tick.atMs,
    intervalMs: policy.intervalMs,
    blindAfterMs: policy.blindAfterMs,
    lastTickMs: track?.atMs ?? null,
    parameters: state.deploy?.parameters ?? {},
    baseline: state.baseline[indicator],
  };
}

const UNSEEN: Omit<ConditionTrack, 'stateSinceMs'> = {
  state: 'inactive',
  runSinceMs: null,
  runSamples: 0,
  runMs: 0,
  streak: 0,
  lastAtMs: null,
  lastValue: null,
  limit: null,
  everSeen: false,
  blind: null,
  ticksJudged: 0,
  ticksEarly: 0,
  recovered: false,
};

const NO_RUN = { runSinceMs: null, runSamples: 0, runMs: 0 };

type Absence = Pick<ConditionContext, 'atMs' | 'intervalMs' | 'blindAfterMs' | 'lastTickMs'>;

/**
 * All conditions as they are before a tick. An absence is over for those as well that this tick
 * does not judge, because a clock is outside of their window or their health check has not answered
 * yet: the next tick would not know of it.
 */
export function conditionsBefore(
  { intervalMs, blindAfterMs }: Policy,
  track: Track | null,
  { atMs }: Tick,
): Record<string, ConditionTrack> {
  const absence = { atMs, intervalMs, blindAfterMs, lastTickMs: track?.atMs ?? null };
  const before = Object.entries(track?.conditions ?? {});
  return Object.fromEntries(before.map(([id, one]) => [id, beforeOf(one, absence)]));
}

/** What is left of the previous state when nobody looked for a while: no timer goes on. */
function beforeOf(
  previous: ConditionTrack | undefined,
  { atMs, intervalMs, blindAfterMs, lastTickMs }: Absence,
): ConditionTrack {
  if (previous === undefined) return { ...UNSEEN, stateSinceMs: atMs };
  const unseenMs = lastTickMs === null ? 0 : atMs - lastTickMs;
  if (unseenMs <= Math.max(blindAfterMs, GAP_INTERVALS * intervalMs)) return previous;
  const blind = previous.blind && { ...previous.blind, sinceMs: atMs };
  return { ...previous, ...NO_RUN, streak: 0, stateSinceMs: atMs, blind };
}

/** What must hold without a gap (pass, verify) begins again after one. */
function unbroken(
  before: ConditionTrack,
  { role }: Condition,
  { atMs, intervalMs }: ConditionContext,
): ConditionTrack {
  const isGap = before.lastAtMs !== null && atMs - before.lastAtMs > GAP_INTERVALS * intervalMs;
  return isGap && isGoodRole(role) ? { ...before, ...NO_RUN } : before;
}

function isGoodRole(role: Condition['role']): boolean {
  return role === 'pass' || role === 'verify';
}

export function advance(
  previous: ConditionTrack | undefined,
  condition: Condition,
  reading: Reading,
  context: ConditionContext,
): ConditionTrack {
  const before = beforeOf(previous, context);
  if (reading.kind === 'blind') return advanceBlind(before, condition, reading, context);
  if (!Number.isFinite(reading.value)) {
    // Sources say so themselves; a NaN that slipped through must not pass for "within limits".
    const detail = `the value is ${reading.value}`;
    const blind = { kind: 'blind', reason: 'not_finite', detail } as const;
    return advanceBlind(before, condition, blind, context);
  }
  const { limit } = condition;
  if (limit.kind !== 'compare') {
    return advanceHealth(before, limit.kind, limit.times, reading, context);
  }
  const absolute = limitValue(limit, context.parameters, context.baseline);
  if (absolute === null) {
    const what =
      limit.of === 'baseline' ? 'the value before the deploy' : `the parameter ${limit.of}`;
    const detail = `the limit is a share of ${what}, which is not known`;
    const blind = { kind: 'blind', reason: 'no_baseline', detail } as const;
    return advanceBlind(before, condition, blind, context);
  }
  const isMet = met(limit, reading.value, absolute, context.baseline);
  const run = isMet ? lengthen(unbroken(before, condition, context), context) : NO_RUN;
  const state = !isMet ? 'inactive' : isLongEnough(run, condition, context) ? 'firing' : 'pending';
  return judged(before, { ...run, state, streak: 0, limit: absolute }, reading, context);
}

function advanceHealth(
  before: ConditionTrack,
  kind: 'failing' | 'passing',
  times: number,
  reading: Value,
  context: ConditionContext,
): ConditionTrack {
  const isMet = (reading.value === 1) === (kind === 'passing');
  const streak = isMet ? before.streak + 1 : 0;
  const run = isMet ? lengthen(before, context) : NO_RUN;
  const state = !isMet ? 'inactive' : streak >= times ? 'firing' : 'pending';
  return judged(before, { ...run, state, streak, limit: null }, reading, context);
}

/**
 * Ticks come some milliseconds late or early: one that is early by less than this must not cost a
 * whole interval.
 */
const JITTER_MS_MAX = 100;
const JITTER_INTERVALS = 1 / 20;

function isLongEnough(
  { runMs, runSamples }: Pick<ConditionTrack, 'runMs' | 'runSamples'>,
  { forMs }: Condition,
  { intervalMs }: ConditionContext,
): boolean {
  const jitterMs = Math.min(JITTER_MS_MAX, JITTER_INTERVALS * intervalMs);
  return runMs >= forMs || (runSamples > 1 && runMs >= forMs - jitterMs);
}

function lengthen(before: ConditionTrack, { atMs, intervalMs }: ConditionContext) {
  if (before.runSinceMs === null) return { runSinceMs: atMs, runSamples: 1, runMs: 0 };
  const sinceLast = before.lastAtMs === null ? 0 : atMs - before.lastAtMs;
  const seen = Math.min(Math.max(0, sinceLast), GAP_INTERVALS * intervalMs);
  return {
    runSinceMs: before.runSinceMs,
    runSamples: before.runSamples + 1,
    runMs: before.runMs + seen,
  };
}

function judged(
  before: ConditionTrack,
  next: Pick<ConditionTrack, 'state' | 'runSinceMs' | 'runSamples' | 'runMs' | 'streak' | 'limit'>,
  reading: Value,
  { atMs }: ConditionContext,
): ConditionTrack {
  const stateSinceMs = before.state === next.state && before.everSeen ? before.stateSinceMs : atMs;
  const healthyLong = next.state === 'inactive' && atMs - stateSinceMs >= RECOVERED_AFTER_MS;
  return {
    ...next,
    stateSinceMs,
    lastAtMs: atMs,
    lastValue: reading.value,
    everSeen: true,
    blind: null,
    ticksJudged: before.ticksJudged + 1,
    ticksEarly: before.ticksEarly,
    recovered: before.recovered || healthyLong,
  };
}

function advanceBlind(
  before: ConditionTrack,
  condition: Condition,
  reading: Extract<Reading, { kind: 'blind' }>,
  { atMs, blindAfterMs }: ConditionContext,
): ConditionTrack {
  // A changed cause is still one blindness: on-call is told how long nothing was seen. But the
  // wait for the range to fill is planned, and no part of it.
  const wasWaiting = before.blind?.reason === 'too_early' && reading.reason !== 'too_early';
  const sinceMs = wasWaiting ? atMs : (before.blind?.sinceMs ?? atMs);
  const breaksRun = isGoodRole(condition.role) || atMs - sinceMs > blindAfterMs;
  return {
    ...before,
    ...(breaksRun ? { ...NO_RUN, streak: 0 } : {}),
    state: 'blind',
    stateSinceMs: before.state === 'blind' ? before.stateSinceMs : atMs,
    blind: { reason: reading.reason, detail: reading.detail, sinceMs },
    ticksEarly: before.ticksEarly + (reading.reason === 'too_early' ? 1 : 0),
  };
}

/** The record behind a decision about a condition that was judged in this tick. */
export function evidenceOf(
  condition: Condition,
  track: ConditionTrack,
  reading: Reading,
  context: { readonly baseline: number | undefined; readonly preExisting: boolean },
): Evidence {
  const seen = reading.kind === 'value' ? reading : null;
  return {
    condition: condition.id,
    indicator: condition.indicator,
    role: condition.role,
    value: seen?.value ?? track.lastValue ?? 0,
    limit: track.limit,
    sinceMs: track.runSinceMs ?? track.stateSinceMs,
    atMs: track.lastAtMs ?? track.stateSinceMs,
    samples: track.runSamples,
    preExisting: context.preExisting,
    ...(seen?.counts === undefined ? {} : { counts: seen.counts }),
    ...(seen?.sinceDeploy === undefined ? {} : { sinceDeploy: seen.sinceDeploy }),
    ...(seen?.rangeMs === undefined ? {} : { rangeMs: seen.rangeMs }),
    ...(seen?.shortened === undefined ? {} : { shortened: seen.shortened }),
    ...(context.baseline === undefined ? {} : { baseline: context.baseline }),
    ...(seen?.detail === undefined ? {} : { detail: seen.detail }),
  };
}

/** Whether a firing condition that was red before the deploy still counts as the old trouble. */
export function stillPreExisting(
  condition: Condition,
  track: ConditionTrack,
  wasPreExisting: boolean,
  baseline: number | undefined,
  worseBy: number,
): boolean {
  if (!wasPreExisting || track.recovered) return false;
  const { limit } = condition;
  if (limit.kind !== 'compare' || baseline === undefined) return true;
  if (track.lastValue === null || track.limit === null) return true;
  return !clearlyWorse(limit, track.lastValue, track.limit, baseline, worseBy);
}
