// One reading of an indicator at a time: a value with the counts behind it, or blind with a cause.

/** Why a condition cannot be seen. The same words in journal, metrics, logs and messages. */
export const BLIND_REASONS = [
  'unreachable',
  'rejected',
  'no_series',
  'not_finite',
  'stale',
  'too_few',
  'too_early',
  'many_series',
  'no_baseline',
] as const;

/**
 * - `unreachable`: the source did not answer (in time)
 * - `rejected`: the source answered with an error, or with something that is no number
 * - `no_series`: no such series
 * - `not_finite`: NaN or infinite
 * - `stale`: the newest sample is too old, or from before the deploy
 * - `too_few`: fewer events than `min_total`
 * - `too_early`: the range still reaches back before the deploy, and the indicator waits
 * - `many_series`: several series where one is meant
 * - `no_baseline`: the limit is a share of the value before the deploy, which is not known
 */
export type BlindReason = (typeof BLIND_REASONS)[number];

/** Numerator (good or bad events, as the indicator says) and total. */
export type Counts = { readonly part: number; readonly total: number };

export type Value = {
  readonly kind: 'value';
  readonly value: number;
  /** Range that was looked at; shortened when the deploy is more recent than the range. */
  readonly rangeMs?: number;
  readonly shortened?: boolean;
  /** Counts in the range, for ratios and quantiles (`part` is 0 there). */
  readonly counts?: Counts;
  /** Counts since the deploy. */
  readonly sinceDeploy?: Counts;
  /** For people: "HTTP 503 in 12 ms". */
  readonly detail?: string;
};

export type Blind = {
  readonly kind: 'blind';
  readonly reason: BlindReason;
  /** For people: "3 of at least 20 orders in 1m". No secrets, at most 300 characters. */
  readonly detail: string;
  readonly counts?: Counts;
  readonly sinceDeploy?: Counts;
};

export type Reading = Value | Blind;

/** All readings of one tick, taken at one common query time. */
export type Tick = {
  readonly atMs: number;
  readonly readings: Readonly<Record<string, Reading>>;
};
