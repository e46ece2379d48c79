// Values that an indicator should have: one that all limits of the policy call healthy, and one that
// a condition does not. Pure, over the policy alone.
import { limitValue, met } from '../core/limit.ts';
import type { Condition, Indicator, Limit, Policy } from '../core/policy.ts';

export type Parameters = Readonly<Record<string, number | string>>;

type Bounds = { readonly low: number; readonly high: number; readonly isOfBaseline: boolean };

export const allConditions = (policy: Policy): readonly Condition[] => [
  ...policy.conditions,
  ...(policy.verify?.conditions ?? []),
];

const isGood = ({ role }: Condition) => role === 'pass' || role === 'verify';

/** Whether a value is one that this condition wants: a stop limit that is not met, a pass limit that is. */
export function isWanted(
  condition: Condition,
  value: number,
  parameters: Parameters,
  healthy: number,
): boolean {
  const { limit } = condition;
  if (limit.kind !== 'compare')
    return isGood(condition) === ((limit.kind === 'passing') === (value === 1));
  const absolute = limitValue(limit, parameters, healthy);
  return absolute !== null && met(limit, value, absolute, healthy) === isGood(condition);
}

/** A value that all conditions want; null: their limits leave none. */
export function healthyValue(
  indicator: Indicator,
  conditions: readonly Condition[],
  parameters: Parameters,
): number | null {
  const own = conditions.filter((one) => one.indicator === indicator.id);
  if (indicator.kind === 'http') {
    return (
      [1, 0].find((value) => own.every((one) => isWanted(one, value, parameters, value))) ?? null
    );
  }
  const tried = candidates(indicator, boundsOf(indicator, own, parameters));
  const isHealthy = (value: number) => own.every((one) => isWanted(one, value, parameters, value));
  return tried.find((value) => isPossible(indicator, value) && isHealthy(value)) ?? null;
}

function boundsOf(
  indicator: Indicator,
  conditions: readonly Condition[],
  parameters: Parameters,
): Bounds {
  let low = hasFloor(indicator) ? 0 : Number.NEGATIVE_INFINITY;
  let high = indicator.kind === 'ratio' ? 1 : Number.POSITIVE_INFINITY;
  let isOfBaseline = false;
  for (const condition of conditions) {
    const { limit } = condition;
    if (limit.kind !== 'compare') continue;
    if (limit.of === 'baseline') {
      isOfBaseline = true;
      continue;
    }
    const absolute = limitValue(limit, parameters, undefined);
    if (absolute === null) continue;
    if (limit.comparator === 'within') {
      if (!isGood(condition)) continue;
      low = Math.max(low, -Math.abs(absolute));
      high = Math.min(high, Math.abs(absolute));
    } else if (isUpper(limit) !== isGood(condition)) high = Math.min(high, absolute);
    else low = Math.max(low, absolute);
  }
  return { low, high, isOfBaseline };
}

const isUpper = ({ comparator }: Extract<Limit, { kind: 'compare' }>) =>
  comparator === 'above' || comparator === 'at_least';

const hasFloor = ({ kind }: Indicator) => kind !== 'gauge' && kind !== 'promql' && kind !== 'http';

function isPossible(indicator: Indicator, value: number): boolean {
  if (hasFloor(indicator) && value < 0) return false;
  return indicator.kind !== 'ratio' || value <= 1;
}

/** What looks natural first; the caller takes the first one that is healthy. */
function candidates(indicator: Indicator, { low, high, isOfBaseline }: Bounds): readonly number[] {
  const middle = (low + high) / 2;
  const natural = usual(indicator);
  const far = (share: number) => low + (high - low) * share;
  const found: number[] = [];
  if (indicator.kind === 'ratio') found.push(low > 0 ? far(0.8) : high < 1 ? far(0.2) : natural);
  else if (Number.isFinite(low) && Number.isFinite(high)) {
    if (low <= 0 && high > 0) found.push(high * 0.4);
    found.push(middle);
  } else if (Number.isFinite(high))
    found.push(high > 0 ? high * 0.4 : high - Math.max(1, -high * 0.5));
  else if (Number.isFinite(low)) found.push(low > 0 ? low * 1.5 : Math.max(natural, low));
  else found.push(natural);
  // Counts of what should not happen are 0 when they may be.
  const zero = isOfBaseline ? [] : [0];
  const isCount = indicator.kind === 'increase';
  return [...(isCount ? zero : []), ...found, natural, middle, ...zero, low, high, 0].filter(
    Number.isFinite,
  );
}

function usual(indicator: Indicator): number {
  if (indicator.kind === 'ratio') return indicator.part === 'good' ? 0.8 : 0.2;
  if (indicator.unit === 'ratio') return 0.5;
  if (indicator.unit === 'seconds') return 0.1;
  return indicator.unit === 'bytes' ? 1e8 : 10;
}

/** A value for which the condition fires, clearly beyond its limit; null: there is none. */
export function faultyValue(
  indicator: Indicator,
  condition: Condition,
  parameters: Parameters,
  healthy: number,
): number | null {
  const { limit } = condition;
  if (limit.kind !== 'compare') return limit.kind === 'failing' ? 0 : 1;
  const absolute = limitValue(limit, parameters, healthy);
  if (absolute === null) return null;
  const step = Math.max(Math.abs(absolute) * 0.5, absolute === 0 ? 1 : 0);
  const tried =
    limit.comparator === 'within'
      ? [limit.of === 'baseline' ? healthy : 0]
      : isUpper(limit)
        ? [
            ...(indicator.kind === 'ratio' ? [absolute + (1 - absolute) * 0.5] : []),
            absolute + step,
            absolute,
          ]
        : [absolute - step, absolute];
  return (
    tried.find((value) => isPossible(indicator, value) && met(limit, value, absolute, healthy)) ??
    null
  );
}
