// The per-tick state of a watch: a pure fold over its ticks, saved with each tick, so that a
// restart keeps `pending` timers and coverage exactly as they were.
import type { BlindReason, Counts } from './sample.ts';

/** State of one condition. */
export type ConditionTrack = {
  readonly state: 'inactive' | 'pending' | 'firing' | 'blind';
  /** Since when it is in this state. */
  readonly stateSinceMs: number;
  /** First sample of the unbroken run of breaching (for pass and verify: good) samples. */
  readonly runSinceMs: number | null;
  readonly runSamples: number;
  /** Time for which the run was really observed: gaps longer than `GAP` intervals do not count. */
  readonly runMs: number;
  /** Health checks in a row that failed (or passed). */
  readonly streak: number;
  readonly lastAtMs: number | null;
  readonly lastValue: number | null;
  readonly limit: number | null;
  readonly everSeen: boolean;
  readonly blind: {
    readonly reason: BlindReason;
    readonly detail: string;
    readonly sinceMs: number;
  } | null;
  /** Ticks in which it was due, and in which it was judged. */
  readonly ticksDue: number;
  readonly ticksJudged: number;
};

export type Track = {
  readonly atMs: number;
  readonly conditions: Readonly<Record<string, ConditionTrack>>;
  /** Counts since the deploy, per indicator, with the time up to which they count. */
  readonly sinceDeploy: Readonly<
    Record<string, { readonly atMs: number; readonly counts: Counts }>
  >;
  /** Since when all pass conditions of the present window hold together. */
  readonly passSinceMs: number | null;
};
