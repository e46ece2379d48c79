// Findings about what an indicator reads now: a limit that would fire, one far away, no sight.
import { isShareKind } from '../../config/units.ts';
import { limitValue, met } from '../../core/limit.ts';
import type { Condition, Indicator } from '../../core/policy.ts';
import { formatNumber, formatValue } from '../../core/quantity.ts';
import type { Reading } from '../../core/sample.ts';
import { countsText, limitNow } from '../../core/wording.ts';
import { divisorsIn } from '../expressions.ts';
import { type Finding, finding } from '../finding.ts';
import { aboutCondition, type Judged, type Subject } from '../subject.ts';
import { countsTime } from '../units.ts';
import { allWordsOf, isShare, isTime } from '../words.ts';

/** Beyond this factor a limit is rather in another unit. */
const FAR_FACTOR = 200;
const PERCENT_FACTOR = 50;

export type Verdict = {
  /** In the indicator's unit; null: not known, or a health check. */
  readonly limit: number | null;
  /** null: blind, or its limit is not known. */
  readonly isMet: boolean | null;
};

/** What the condition says of a reading, were a deploy to change nothing. */
export function verdictOf(
  { limit }: Condition,
  reading: Reading,
  parameters: Readonly<Record<string, number | string>>,
): Verdict {
  if (reading.kind === 'blind') {
    const absolute = limit.kind === 'compare' ? limitValue(limit, parameters, undefined) : null;
    return { limit: absolute, isMet: null };
  }
  const { value } = reading;
  if (limit.kind !== 'compare') {
    return { limit: null, isMet: (value === 1) === (limit.kind === 'passing') };
  }
  const absolute = limitValue(limit, parameters, value);
  return { limit: absolute, isMet: absolute === null ? null : met(limit, value, absolute, value) };
}

export function valueFindings(
  subject: Subject,
  judged: Judged,
  reading: Reading,
  verdict: Verdict,
): Finding[] {
  if (reading.kind === 'blind') return [];
  const { condition, indicator } = judged;
  const about = aboutCondition(subject, judged);
  const now = nowText(judged, reading);
  const { limit, role } = condition;
  // Of the baseline, this is said without the source: a deploy that changes nothing breaches it.
  const isOfBaseline = limit.kind === 'compare' && limit.of === 'baseline';
  const rule = limitNow(limit, verdict.limit, indicator.unit);
  const findings: Finding[] = [];
  if (verdict.isMet === true && !isOfBaseline && (role === 'stop' || role === 'warn')) {
    const name = role === 'stop' ? 'would-stop-now' : 'would-warn-now';
    const wanted = 'a healthy service within its limit; look at the service, then at the limit';
    findings.push(finding(name, about, `${now}, while ${rule} is a ${role}`, wanted));
  }
  if (verdict.isMet === false && (role === 'pass' || role === 'verify')) {
    const wanted = `${rule}; a deploy that changes nothing would not pass`;
    findings.push(finding('pass-not-met-now', about, now, wanted));
  }
  const factor = farFactor(judged, reading.value, verdict.limit);
  if (factor !== null && findings.length === 0) {
    const found = `${now}, which is ${formatNumber(factor, 0)} times off the limit, ${rule}`;
    findings.push(finding('far-limit', about, found, 'limit and metric in the same unit'));
  }
  return findings;
}

function nowText({ indicator }: Judged, reading: Extract<Reading, { kind: 'value' }>): string {
  if (indicator.kind === 'http') {
    const word = reading.value === 1 ? 'passing' : 'failing';
    return `${indicator.id} ${word}${reading.detail === undefined ? '' : ` (${reading.detail})`}`;
  }
  const counts = countsText(indicator, reading.counts, reading.rangeMs);
  const behind = counts === '' ? '' : ` (${counts})`;
  return `${indicator.id} at ${formatValue(reading.value, indicator.unit)}${behind}`;
}

/** Counts may well be far from their limit; a limit of a parameter has its unit. */
function farFactor({ indicator, condition }: Judged, value: number, limit: number | null) {
  const isCount = isShareKind(indicator.kind) || indicator.kind === 'increase';
  const isOf = condition.limit.kind !== 'compare' || condition.limit.of !== null;
  if (isCount || isOf || limit === null || limit === 0 || value === 0) return null;
  const factor = Math.abs(value / limit);
  const far = Math.max(factor, 1 / factor);
  if (isPercentOfShare(indicator, value, limit)) return far >= PERCENT_FACTOR ? far : null;
  return isMeasured(indicator) && far >= FAR_FACTOR ? far : null;
}

/** A time or a size. What is behind is near 0 while all is well, and far from any limit. */
function isMeasured(indicator: Indicator): boolean {
  const words = allWordsOf(indicator);
  if (words.some((word) => BEHIND.has(word))) return false;
  const { unit } = indicator;
  return unit === 'bytes' || unit === 'seconds' || (countsTime(indicator) && isTime(words));
}

const BEHIND: ReadonlySet<string> = new Set('lag age behind since backlog delay'.split(' '));

/** One of the two looks like a share from 0 to 1, the other like percent from 0 to 100. */
function isPercentOfShare(indicator: Indicator, value: number, limit: number): boolean {
  if (indicator.kind !== 'gauge' && indicator.kind !== 'promql') return false;
  const isDivision = indicator.kind === 'promql' && divisorsIn(indicator.promql).length > 0;
  if (!isDivision && !isShare(allWordsOf(indicator))) return false;
  // 0 and 1 are counts as often as shares.
  const isPart = (one: number) => one > 0 && one < 1;
  const isPercent = (one: number) => one > 1 && one <= 100;
  return (isPart(value) && isPercent(limit)) || (isPart(limit) && isPercent(value));
}

/** Why an indicator cannot be seen; what the series themselves explain is left to them. */
export function blindFindings(
  subject: Subject,
  judged: Judged,
  reading: Reading,
  /** `brief`: the source was looked at for seconds only, which no range can be filled from. */
  known: { readonly isExplained: boolean; readonly isBrief: boolean },
): Finding[] {
  if (reading.kind !== 'blind') return [];
  const about = aboutCondition(subject, judged);
  const { reason, detail } = reading;
  if (judged.indicator.kind === 'audit_log') {
    const wanted = 'sight; correct what the reason names, or wait until the log has enough events';
    return [finding('blind-now', about, `${reason}: ${detail}`, wanted)];
  }
  switch (reason) {
    case 'rejected':
      return [finding('query-rejected', about, detail, 'a query that the source answers')];
    case 'unreachable': {
      const wanted = 'an answer; check the load and the limits of the source';
      return [finding('blind-now', about, detail, wanted)];
    }
    case 'many_series': {
      const wanted = 'one series; set "aggregate", or add labels; in PromQL use sum or max';
      return [finding('several-series', about, detail, wanted)];
    }
    default: {
      const needsTime = reason === 'too_few' || reason === 'too_early';
      if (known.isExplained || (known.isBrief && needsTime)) return [];
      const wanted = 'sight; as the reason says, more traffic, a longer range or other labels';
      return [finding('blind-now', about, `${reason}: ${detail}`, wanted)];
    }
  }
}
