// The names of all findings of `canaryd check`, in the order of docs/check.md. They are part of the
// policy language (`waive`), so a name once given stays. What each means is in
// `src/check/catalogue.ts`.

/** Found in the policy alone. */
export const STATIC_FINDINGS = [
  'no-traffic-guard',
  'one-event-decides',
  'unguarded-promql',
  'alert-expression',
  'upside-down-limit',
  'suspicious-direction',
  'good-bad-swapped',
  'ratio-of-itself',
  'part-outside-total',
  'regex-in-equals',
  'counter-as-gauge',
  'several-hosts',
  'short-range',
  'unit-doubt',
  'always-holds',
  'never-holds',
  'warn-looser-than-stop',
  'pass-inside-stop',
  'unchanged-value-fires',
  'zero-baseline',
  'no-baseline',
  'zero-parameter',
  'single-check-stops',
  'no-early-stop',
  'window-too-short',
  'long-wait',
  'no-time-to-fire',
  'no-time-to-pass',
  'low-coverage',
  'no-action',
  'no-rollback',
  'no-verify',
  'verify-too-short',
  'verify-without-traffic',
  'observes-only',
  'unused-waiver',
] as const;

/** Found at the source, by `check --live`. `counter-as-gauge` is found there, too. */
export const LIVE_FINDINGS = [
  'source-unreachable',
  'source-empty',
  'query-rejected',
  'unknown-metric',
  'no-matching-series',
  'part-not-seen',
  'several-series',
  'gauge-as-counter',
  'no-bucket-at-limit',
  'limit-beyond-buckets',
  'range-under-four-scrapes',
  'stale-before-scrape',
  'would-stop-now',
  'would-warn-now',
  'pass-not-met-now',
  'blind-now',
  'far-limit',
  'slow-query',
  'expensive-query',
  'source-warns',
  'value-needed',
] as const;

export const FINDING_NAMES = [...STATIC_FINDINGS, ...LIVE_FINDINGS] as const;
export type FindingName = (typeof FINDING_NAMES)[number];

/** Of a source that cannot be asked nothing is known: that is never right as it is. */
export const WAIVABLE_FINDINGS = FINDING_NAMES.filter(
  (name): name is Exclude<FindingName, 'source-unreachable'> => name !== 'source-unreachable',
);
