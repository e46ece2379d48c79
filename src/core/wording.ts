// Conditions as sentences: one wording for policy listings, messages, API and terminal.
import type { Evidence } from './event.ts';
import type { Condition, Indicator, Limit, Policy } from './policy.ts';
import { formatDuration, formatNumber, formatValue, roughDuration, type Unit } from './quantity.ts';
import type { Counts } from './sample.ts';

const COMPARATORS = {
  above: 'above',
  below: 'below',
  at_least: 'at least',
  at_most: 'at most',
  within: 'within ±',
} as const;

/** "below 80 %", "above 0.5 % of deploy_capital", "failing 3 checks in a row". */
export function limitText(limit: Limit, unit: Unit): string {
  if (limit.kind !== 'compare') {
    return `${limit.kind} ${limit.times} ${limit.times === 1 ? 'check' : 'checks in a row'}`;
  }
  const word = COMPARATORS[limit.comparator];
  const gap = limit.comparator === 'within' ? '' : ' ';
  const value = formatValue(limit.value, limit.of === null ? unit : 'ratio');
  const of = limit.of === 'baseline' ? 'the value before the deploy' : limit.of;
  return `${word}${gap}${value}${of === null ? '' : ` of ${of}`}`;
}

export function titleOf(policy: Policy, indicator: string): string {
  return policy.indicators[indicator]?.title ?? indicator;
}

/** "Stop when Order fill rate is below 80 % for 1m (immediate, 0s-15m)". */
export function conditionSentence(condition: Condition, policy: Policy): string {
  const indicator = policy.indicators[condition.indicator];
  const verb = { stop: 'Stop', warn: 'Warn', pass: 'Pass', verify: 'Verified' }[condition.role];
  const when = condition.role === 'pass' || condition.role === 'verify' ? 'needs' : 'when';
  const window = policy.windows.find(({ name }) => name === condition.window);
  const span = window
    ? ` (${window.name}, ${formatDuration(window.fromMs)}-${formatDuration(window.untilMs)})`
    : '';
  const hold = condition.forMs > 0 ? ` for ${formatDuration(condition.forMs)}` : '';
  const blind = condition.onBlind === 'stop' ? ', or stays blind' : '';
  const limit = limitText(condition.limit, indicator?.unit ?? 'number');
  return `${verb} ${when} ${titleOf(policy, condition.indicator)} ${limit}${hold}${blind}${span}`;
}

/** "871 of 1,204 in 1m" for ratios, "1,204 observations in 40s" for quantiles; empty otherwise. */
export function countsText(
  indicator: Indicator | undefined,
  counts: Counts | undefined,
  rangeMs: number | undefined,
): string {
  if (counts === undefined || indicator === undefined) return '';
  const range = rangeMs === undefined ? '' : ` in ${roughDuration(rangeMs)}`;
  if (indicator.kind === 'quantile') return `${formatNumber(counts.total, 0)} observations${range}`;
  return `${formatNumber(counts.part, 0)} of ${formatNumber(counts.total, 0)}${range}`;
}

/** "Order fill rate 72.4 % (871 of 1,204 in 1m), limit: below 80 %". */
export function conditionNow(policy: Policy, evidence: Evidence): string {
  const indicator = policy.indicators[evidence.indicator];
  const condition =
    policy.conditions.find(({ id }) => id === evidence.condition) ??
    policy.verify?.conditions.find(({ id }) => id === evidence.condition);
  const title = titleOf(policy, evidence.indicator);
  if (indicator === undefined || condition === undefined) return title;
  const { limit } = condition;
  if (limit.kind !== 'compare') {
    const word = evidence.value === 1 ? 'passing' : 'failing';
    const detail = evidence.detail === undefined ? '' : `: ${evidence.detail}`;
    const row = evidence.samples === 0 ? '' : `, ${checks(evidence.samples)} in a row`;
    return `${title} ${word}${row}${detail}`;
  }
  const counts = countsText(indicator, evidence.counts, evidence.rangeMs);
  const since = condition.role === 'verify' ? 'rollback' : 'deploy';
  const shortened = evidence.shortened === true ? `, since the ${since}` : '';
  const behind = counts === '' ? '' : ` (${counts}${shortened})`;
  const value = formatValue(evidence.value, indicator.unit);
  const isGood = condition.role === 'pass' || condition.role === 'verify';
  const rule = limitNow(limit, evidence.limit, indicator.unit);
  return `${title} ${value}${behind}, ${isGood ? 'wanted' : 'limit'}: ${rule}`;
}

/** "above 0.5 % of deploy_capital (500 USD)": the rule and what it came to. */
export function limitNow(limit: Limit, absolute: number | null, unit: Unit): string {
  const text = limitText(limit, unit);
  if (limit.kind !== 'compare' || limit.of === null || absolute === null) return text;
  return `${text} (${formatValue(absolute, unit)})`;
}

/** "since 14:03:10 UTC, 9 samples". */
export function sinceText(evidence: Evidence): string {
  const at = new Date(evidence.sinceMs).toISOString().slice(11, 19);
  const samples = `${evidence.samples} ${evidence.samples === 1 ? 'sample' : 'samples'}`;
  return `since ${at} UTC, ${samples}`;
}

function checks(count: number): string {
  return `${formatNumber(count, 0)} ${count === 1 ? 'check' : 'checks'}`;
}
