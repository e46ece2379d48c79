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
  /** Ticks in which it was judged, and in which it waited by design (`too_early`). */
  readonly ticksJudged: number;
  readonly ticksEarly: number;
  /** Was seen healthy since the deploy for a while: a later breach is not pre-existing. */
  readonly recovered: boolean;
};

export type Track = {
  readonly atMs: number;
  readonly conditions: Readonly<Record<string, ConditionTrack>>;
  /** Counts since the deploy, per indicator, with the time up to which they count. */
  readonly sinceDeploy: Readonly<
    Record<string, { readonly atMs: number; readonly counts: Counts }>
  >;
  /**
   * Since when all pass conditions of the present window hold together; in a verification: since
   * when it is watched without a gap.
   */
  readonly passSinceMs: number | null;
};
