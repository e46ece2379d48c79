// What a backtest found: plain data, the same for the terminal, `--json` and the report.
import type { Role } from '../core/policy.ts';
import type { Phase } from '../core/watch.ts';

export const LABELS = ['good', 'bad'] as const;
/** What people say of a past deploy: `bad` should have been stopped. */
export type Label = (typeof LABELS)[number];

/** A deploy of the past, given in a list, found by a version label, or out of canaryd's journal. */
export type PastDeploy = {
  readonly service: string;
  readonly environment: string | null;
  readonly version: string;
  readonly previousVersion: string | null;
  readonly deployedAtMs: number;
  readonly parameters: Readonly<Record<string, number | string>>;
  readonly label: Label | null;
  /** When the next version, or a rollback, took its place: what is measured then is not its own. */
  readonly replaced?: { readonly atMs: number; readonly version: string } | null;
  /** When canaryd began to watch it; default: with the deploy. */
  readonly startedAtMs?: number;
};

/**
 * Against the label:
 * - `right`: a bad one was stopped, a good one passed
 * - `false_stop`: a good one was stopped
 * - `missed`: a bad one passed
 * - `undecided`: it ended inconclusive, or was replaced before anything was decided
 */
export type Score = 'right' | 'false_stop' | 'missed' | 'undecided';

export type ConditionResult = {
  /** `<window>.<role>.<indicator>`. */
  readonly condition: string;
  readonly indicator: string;
  readonly title: string;
  readonly role: Role;
  /** "Stop when Order fill rate below 80 % for 45s (immediate, 0s-15m)". */
  readonly sentence: string;
  /** When it is judged, since the deploy. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** Within these a value is fine; null: no bound on that side, or no limit that can be drawn. */
  readonly low: number | null;
  readonly high: number | null;
  /** How long it could not be judged while it should have been, and the cause that lasted longest. */
  readonly blindMs: number;
  readonly blindReason: string | null;
  /** How long it was judged. */
  readonly judgedMs: number;
  /** Since the deploy; null: it never fired. */
  readonly firedAfterMs: number | null;
};

export type IndicatorSeries = {
  readonly indicator: string;
  readonly title: string;
  readonly unit: string;
  /** Since the deploy; null: blind. At most `POINTS_MAX`; where thinned, extremes are kept. */
  readonly points: readonly (readonly [afterMs: number, value: number | null])[];
};

export const POINTS_MAX = 500;

export type DeployResult = {
  readonly deploy: PastDeploy;
  /** `failed`: it could not be replayed, and `because` says why. */
  readonly verdict: Exclude<Phase, 'watching'> | 'failed';
  /** When the verdict was reached, since the deploy; null when it failed. */
  readonly afterMs: number | null;
  /** Conditions that stopped or passed it. */
  readonly by: readonly string[];
  /** "Order fill rate 72.34 % (871 of 1,204 in 1m), limit: below 80 %", one for each cause. */
  readonly because: readonly string[];
  /** How long at least one stop condition could not be judged. */
  readonly blindMs: number;
  readonly score: Score | null;
  readonly conditions: readonly ConditionResult[];
  readonly series: readonly IndicatorSeries[];
};

/** What the backtest cost the source. */
export type Load = {
  readonly requests: number;
  /** Samples that the source says it has read; null when it does not say. */
  readonly samples: number | null;
  readonly bytes: number;
  /** Time spent waiting for answers, and the longest one. */
  readonly seconds: number;
  readonly slowestSeconds: number;
};

export type Totals = {
  readonly deploys: number;
  readonly verdicts: Readonly<Record<DeployResult['verdict'], number>>;
  readonly labelled: number;
  readonly scores: Readonly<Record<Score, number>>;
  /** Bad deploys that were stopped, by every policy that is compared. */
  readonly stopsTimed: number;
  /** Of these: median and longest time to the stop. */
  readonly stopAfterMedianMs: number | null;
  readonly stopAfterMaxMs: number | null;
  /** Share of the watched time in which at least one stop condition was blind; 0 to 1. */
  readonly blindShare: number;
};

export type BacktestResult = {
  readonly policy: { readonly name: string; readonly file: string; readonly hash: string };
  readonly source: string;
  readonly ranAt: string;
  readonly version: string;
  readonly deploys: readonly DeployResult[];
  /** Conditions of the policy that could not be replayed, with the reason, in words. */
  readonly leftOut?: readonly string[];
  /** Conditions that were blind for all of a deploy, in words. */
  readonly blind?: readonly string[];
  readonly totals: Totals;
  readonly load: Load;
};
