// Findings about indicators by themselves: what they count, over which range, with how much traffic.
import type {
  AuditLogIndicator,
  Indicator,
  QuantileIndicator,
  RatioIndicator,
} from '../core/policy.ts';
import { formatDuration, formatValue } from '../core/quantity.ts';
import { selectorsOf } from '../core/select.ts';
import { selectorText } from '../source/promql.ts';
import {
  bareCounters,
  divisorsIn,
  isComparison,
  isCounterName,
  withoutTexts,
} from './expressions.ts';
import { type About, type Finding, finding } from './finding.ts';
import { aboutCondition, aboutIndicator, type Judged, type Subject } from './subject.ts';
import { signOfPart } from './words.ts';

/** Below this even one event is a fifth of all. */
export const GUARD_MIN = 5;
/** What the validator fills in for a ratio. */
const MIN_TOTAL_DEFAULT = 20;
/** Fewer samples in a range leave nothing to count when one is late. */
export const SAMPLES_IN_RANGE_MIN = 4;

export function indicatorFindings(subject: Subject): Finding[] {
  const own = Object.values(subject.policy.indicators).flatMap((indicator) => [
    ...guardFindings(subject, indicator),
    ...(indicator.kind === 'ratio' ? ratioFindings(subject, indicator) : []),
    ...(indicator.kind === 'promql' ? promqlFindings(subject, indicator) : []),
    ...regexFindings(subject, indicator),
    ...gaugeFindings(subject, indicator),
    ...rangeFindings(subject, indicator),
  ]);
  return [...own, ...hostFindings(subject), ...matchFindings(subject)];
}

/** Endpoints of one service are on one host; the odd one is told, else the later one. */
function hostFindings(subject: Subject): Finding[] {
  const all = Object.values(subject.policy.indicators);
  const checks = all.flatMap((one) => (one.kind === 'http' ? [one] : []));
  const byHost = Map.groupBy(checks, ({ url }) => hostOf(url));
  const [usual, ...others] = [...byHost].toSorted(([, a], [, b]) => b.length - a.length);
  const [same] = usual?.[1] ?? [];
  if (same === undefined) return [];
  return others.flatMap(([host, own]) =>
    own.map(({ id }) => {
      const found = `a check of ${host}, while ${same.id} asks ${hostOf(same.url)}`;
      const wanted = 'the service that is deployed; waive it when both belong to it';
      return finding('several-hosts', aboutIndicator(subject, id, 'http', 'url'), found, wanted);
    }),
  );
}

/** Ports may differ: many services answer for their health on one of their own. */
function hostOf(url: string): string {
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname === '[::1]' ? '127.0.0.1' : hostname;
}

/** Labels of the whole policy are compared as they are. */
function matchFindings({ policy }: Subject): Finding[] {
  return Object.entries(policy.match).flatMap(([label, value]) => {
    if (!looksLikeRegex(value)) return [];
    const about = { policy: policy.name, path: ['match', label], subject: label };
    const wanted = `the text as it is; for a pattern write ${label}=~"${value}" on the selectors`;
    return [finding('regex-in-equals', about, `${label}: "${value}" under match`, wanted)];
  });
}

function looksLikeRegex(value: string): boolean {
  const text = value.replace(/\$\{[a-z_]+\}/g, '');
  // The path of a route may hold what else is a pattern: /products/[id].
  return text.startsWith('/') ? /\.[*+]/.test(text) : LOOKS_LIKE_REGEX.test(text);
}

type ShareIndicator = RatioIndicator | AuditLogIndicator;

function isShare(indicator: Indicator): indicator is ShareIndicator {
  return indicator.kind === 'ratio' || indicator.kind === 'audit_log';
}

function partOf(indicator: ShareIndicator): 'good' | 'bad' {
  return indicator.kind === 'ratio' ? indicator.part : 'bad';
}

function guardFindings(subject: Subject, indicator: Indicator): Finding[] {
  const isOfEvents = indicator.kind === 'quantile' || isShare(indicator);
  if (!isOfEvents) return [];
  const { minTotal, id } = indicator;
  if (minTotal < GUARD_MIN) {
    const about = aboutIndicator(subject, id, 'min_total');
    const needed = neededTotal(subject, indicator);
    const wanted =
      needed > MIN_TOTAL_DEFAULT
        ? `at least ${needed} with this limit; fewer, and one event decides`
        : `at least ${GUARD_MIN}, better 20 or more; remove it for the safe default`;
    return [finding('no-traffic-guard', about, `min_total ${minTotal}`, wanted)];
  }
  if (indicator.kind === 'quantile') {
    const needed = Math.ceil(Number((1 / (1 - indicator.q)).toPrecision(9)));
    if (minTotal >= needed) return [];
    const found = `min_total ${minTotal}: the slowest event alone is the quantile ${indicator.q}`;
    const wanted = `at least ${needed}, better ${5 * needed}; raise it, or leave it out`;
    const about = aboutIndicator(subject, id, 'min_total');
    return [finding('one-event-decides', about, found, wanted)];
  }
  return subject.judged
    .filter(({ condition }) => condition.indicator === id && condition.role === 'stop')
    .flatMap((judged) => oneEvent(subject, judged, indicator));
}

const EPSILON = 1e-9;

/** How many bad events in all a limit lets by; null: none, or it is no limit of bad events. */
function marginOf({ condition: { limit } }: Judged, part: 'good' | 'bad'): number | null {
  if (limit.kind !== 'compare' || limit.of !== null || limit.comparator === 'within') return null;
  // A limit of none at all means it: there one event is one too many.
  const margin = part === 'bad' ? limit.value : 1 - limit.value;
  const isUp = limit.comparator === 'above' || limit.comparator === 'at_least';
  return margin <= 0 || isUp !== (part === 'bad') ? null : margin;
}

function decides(minTotal: number, { condition: { limit } }: Judged, margin: number): boolean {
  const share = 1 / minTotal;
  const isInclusive = limit.kind === 'compare' && /^at_/.test(limit.comparator);
  return isInclusive ? share >= margin - EPSILON : share > margin + EPSILON;
}

/** So many events that several are needed to cross a stop; 0: nothing is said about it. */
function neededTotal({ judged }: Subject, indicator: ShareIndicator | QuantileIndicator): number {
  if (indicator.kind === 'quantile') return 0;
  const needs = judged.map((one) => {
    const { condition } = one;
    if (condition.indicator !== indicator.id || condition.role !== 'stop') return 0;
    const margin = marginOf(one, partOf(indicator));
    if (margin === null || !decides(MIN_TOTAL_DEFAULT, one, margin)) return 0;
    return severalOf(margin);
  });
  return Math.max(0, ...needs);
}

function severalOf(margin: number): number {
  return Math.ceil(2 / margin - EPSILON);
}

function oneEvent(subject: Subject, judged: Judged, indicator: ShareIndicator): Finding[] {
  const { minTotal } = indicator;
  const margin = marginOf(judged, partOf(indicator));
  if (margin === null || !decides(minTotal, judged, margin)) return [];
  const share = 1 / minTotal;
  const needed = severalOf(margin);
  const found = `${judged.text}: with min_total ${minTotal} one event is ${formatValue(share, 'ratio')}`;
  const wanted = `several events to decide; raise min_total to ${needed} or more`;
  return [finding('one-event-decides', aboutCondition(subject, judged), found, wanted)];
}

function ratioFindings(subject: Subject, indicator: RatioIndicator): Finding[] {
  const { id, numerator, total, part } = indicator;
  const about = aboutIndicator(subject, id, 'ratio');
  const [partText, totalText] = [selectorText(numerator), selectorText(total)];
  if (partText === totalText) {
    const wanted = `the counter or labels of the ${part} events only`;
    return [finding('ratio-of-itself', about, `${totalText} as ${part} and as total`, wanted)];
  }
  const findings: Finding[] = [];
  const sign = signOfPart(numerator, total);
  if (sign !== null && sign !== part) {
    const found = `${partText} as ${part}, which sounds ${sign}`;
    const wanted = `${part} events there; write "${sign}:" instead of "${part}:"`;
    findings.push(
      finding('good-bad-swapped', { ...about, path: [...about.path, part] }, found, wanted),
    );
  }
  const narrowed = total.matchers.find(
    ({ label }) => !numerator.matchers.some((own) => own.label === label),
  );
  if (narrowed !== undefined) {
    const found = `a total only of ${narrowed.label}${narrowed.op}"${narrowed.value}", and a part of all`;
    const wanted = `${narrowed.label} on both; add it to ${partText}`;
    findings.push(
      finding('part-outside-total', { ...about, path: [...about.path, part] }, found, wanted),
    );
  }
  return findings;
}

function promqlFindings(subject: Subject, indicator: Extract<Indicator, { kind: 'promql' }>) {
  const { promql } = indicator;
  const about = aboutIndicator(subject, indicator.id, 'promql');
  const counters = bareCounters(promql).map((metric) => {
    const found = `${metric}, by its name a counter, without rate or increase`;
    return finding('counter-as-gauge', about, found, 'rate or increase; a counter only grows');
  });
  if (isComparison(promql)) {
    const wanted = 'the figure alone, with its limit in the policy; cut the comparison off';
    const found = 'a comparison, which gives no series while all is well';
    return [...counters, finding('alert-expression', about, found, wanted)];
  }
  return [...counters, ...unguarded(promql, about)];
}

function unguarded(promql: string, about: About): Finding[] {
  const isOfTraffic = divisorsIn(promql).some((divisor) =>
    /\b(?:i?rate|increase)\s*\(|_bucket\b/.test(divisor),
  );
  const bare = withoutTexts(promql);
  const isShare = isOfTraffic || /\bhistogram_quantile\b/.test(bare);
  if (!isShare || /[<>]|\b(?:and|unless)\b/.test(bare)) return [];
  const wanted = 'a guard such as "and sum(increase(…[5m])) > 20", or a structured indicator';
  return [finding('unguarded-promql', about, 'a share or quantile of any traffic', wanted)];
}

const LOOKS_LIKE_REGEX = /\.[*+]|\.\.|\[[^\]]+\]|\||\\[dws]|^\^|\$$/;

function regexFindings(subject: Subject, indicator: Indicator): Finding[] {
  const matchers =
    indicator.kind === 'promql'
      ? [...indicator.promql.matchAll(/(\w+)\s*(!?=~?|!~)\s*"((?:[^"\\]|\\.)*)"/g)].map(
          ([, label = '', op = '', value = '']) => ({ label, op, value }),
        )
      : selectorsOf(indicator).flatMap(({ matchers: own }) => own);
  const seen = new Set<string>();
  return matchers.flatMap(({ label, op, value }) => {
    const text = `${label}${op}"${value}"`;
    if (op.endsWith('~') && /^[1-5]xx$/i.test(value) && !seen.has(text)) {
      seen.add(text);
      const [digit = ''] = value;
      const pattern = `${label}${op}"${digit}.."`;
      const wanted = `${pattern} for all of them; x is no wildcard; "=" if it is written ${value}`;
      return [finding('regex-in-equals', aboutIndicator(subject, indicator.id), text, wanted)];
    }
    if (op.endsWith('~') || !looksLikeRegex(value) || seen.has(text)) return [];
    seen.add(text);
    const wanted = `${label}${op === '=' ? '=~' : '!~'}"${value}" for a pattern; = takes the text as it is`;
    return [finding('regex-in-equals', aboutIndicator(subject, indicator.id), text, wanted)];
  });
}

function gaugeFindings(subject: Subject, indicator: Indicator): Finding[] {
  if (indicator.kind !== 'gauge' || !isCounterName(indicator.metric.metric)) return [];
  const found = `${indicator.metric.metric}, by its name a counter, as a gauge`;
  const wanted = 'rate or increase; a counter only grows';
  return [
    finding('counter-as-gauge', aboutIndicator(subject, indicator.id, 'gauge'), found, wanted),
  ];
}

function rangeFindings({ policy, ...rest }: Subject, indicator: Indicator): Finding[] {
  const rangeMs = rangeOf(indicator);
  const leastMs = SAMPLES_IN_RANGE_MIN * policy.intervalMs;
  // Events are not sampled: none is missed by looking seldom.
  if (indicator.kind === 'audit_log') return [];
  if (rangeMs === null || rangeMs >= leastMs) return [];
  const field = indicator.kind === 'promql' ? 'promql' : 'over';
  const found = `a range of ${formatDuration(rangeMs)} at an interval of ${formatDuration(policy.intervalMs)}`;
  const wanted = `at least ${formatDuration(leastMs)}; lengthen "over" or shorten "interval"`;
  const about = aboutIndicator({ policy, ...rest }, indicator.id, field);
  return [finding('short-range', about, found, wanted)];
}

/** The range that is looked at; null when there is none, or it is the time since the deploy. */
export function rangeOf(indicator: Indicator): number | null {
  switch (indicator.kind) {
    case 'ratio':
    case 'quantile':
    case 'rate':
    case 'increase':
    case 'audit_log':
      return indicator.overMs;
    case 'promql':
      return indicator.overMs ?? (indicator.waitMs > 0 ? indicator.waitMs : null);
    default:
      return null;
  }
}
