// Comparing a value with a limit. `met` reads as the policy does: for stop and warn conditions a
// met limit is a breach, for pass and verify conditions it is good.
import type { Limit } from './policy.ts';

export type CompareLimit = Extract<Limit, { kind: 'compare' }>;

/**
 * The limit as an absolute number in the indicator's unit. "120 % of baseline" is a fifth of its
 * size above it, also when it is negative: a loss of 10 gives a limit of -8, not of -12.
 * @returns null when it is a share of the baseline and the baseline is not known
 */
export function limitValue(
  limit: CompareLimit,
  parameters: Readonly<Record<string, number | string>>,
  baseline: number | undefined,
): number | null {
  if (limit.of === null) return limit.value;
  if (limit.of === 'baseline') {
    if (baseline === undefined) return null;
    if (limit.comparator === 'within') return limit.value * Math.abs(baseline);
    return baseline < 0 ? baseline - (limit.value - 1) * baseline : limit.value * baseline;
  }
  const parameter = parameters[limit.of];
  return typeof parameter === 'number' ? limit.value * parameter : null;
}

/** @param absolute what `limitValue` gave */
export function met(
  limit: CompareLimit,
  value: number,
  absolute: number,
  baseline: number | undefined,
): boolean {
  switch (limit.comparator) {
    case 'above':
      return value > absolute;
    case 'below':
      return value < absolute;
    case 'at_least':
      return value >= absolute;
    case 'at_most':
      return value <= absolute;
    case 'within': {
      const centre = limit.of === 'baseline' ? (baseline ?? 0) : 0;
      return Math.abs(value - centre) <= Math.abs(absolute);
    }
    default:
      return limit.comparator satisfies never;
  }
}

/** Whether a breach that was there before the deploy got worse by `worseBy` of limit or value. */
export function clearlyWorse(
  limit: CompareLimit,
  value: number,
  absolute: number,
  baseline: number,
  worseBy: number,
): boolean {
  const margin = worseBy * Math.max(Math.abs(absolute), Math.abs(baseline));
  const rises = limit.comparator === 'above' || limit.comparator === 'at_least';
  return rises
    ? value >= baseline + margin && value > baseline
    : value <= baseline - margin && value < baseline;
}
