// Findings about indicators by themselves: what they count, over which range, with how much traffic.
import type { Indicator, RatioIndicator, Selector } from '../core/policy.ts';
import { formatDuration, formatValue } from '../core/quantity.ts';
import { selectorText } from '../source/promql.ts';
import { type Finding, finding } from './finding.ts';
import { aboutCondition, aboutIndicator, type Judged, type Subject } from './subject.ts';
import { selectorsOf, signOfPart } from './words.ts';

/** Below this even one event is a fifth of all. */
export const GUARD_MIN = 5;
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
  return LOOKS_LIKE_REGEX.test(value.replace(/\$\{[a-z_]+\}/g, ''));
}

function guardFindings(subject: Subject, indicator: Indicator): Finding[] {
  if (indicator.kind !== 'ratio' && indicator.kind !== 'quantile') return [];
  const { minTotal, id } = indicator;
  if (minTotal < GUARD_MIN) {
    const about = aboutIndicator(subject, id, 'min_total');
    const wanted = `at least ${GUARD_MIN}, better 20 or more; remove it for the safe default`;
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

function oneEvent(subject: Subject, judged: Judged, { part, minTotal }: RatioIndicator): Finding[] {
  const { limit } = judged.condition;
  if (limit.kind !== 'compare' || limit.of !== null) return [];
  const { comparator, value } = limit;
  // A limit of none at all means it: there one event is one too many.
  const margin = part === 'bad' ? value : 1 - value;
  const isUp = comparator === 'above' || comparator === 'at_least';
  if (margin <= 0 || isUp !== (part === 'bad') || comparator === 'within') return [];
  const share = 1 / minTotal;
  const epsilon = 1e-9;
  const isInclusive = comparator === 'at_least' || comparator === 'at_most';
  if (isInclusive ? share < margin - epsilon : share <= margin + epsilon) return [];
  const needed = Math.ceil(2 / margin - epsilon);
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

const DIVISION = /\/(?!\s*\d)/;

function promqlFindings(subject: Subject, indicator: Extract<Indicator, { kind: 'promql' }>) {
  const bare = indicator.promql.replace(/"(?:[^"\\]|\\.)*"|'[^']*'|`[^`]*`|#.*/g, '""');
  const isRatio = DIVISION.test(bare) || /\bhistogram_quantile\b/.test(bare);
  if (!isRatio || /[<>]|\b(?:and|unless)\b/.test(bare)) return [];
  const wanted = 'a guard such as "and sum(increase(…[5m])) > 20", or a structured indicator';
  const about = aboutIndicator(subject, indicator.id, 'promql');
  return [finding('unguarded-promql', about, 'a share or quantile of any traffic', wanted)];
}

const LOOKS_LIKE_REGEX = /\.[*+]|\.\.|\[[^\]]+\]|\||\\[dws]|^\^|\$$/;

function regexFindings(subject: Subject, indicator: Indicator): Finding[] {
  const matchers =
    indicator.kind === 'promql'
      ? [...indicator.promql.matchAll(/(\w+)\s*(!?=)\s*"((?:[^"\\]|\\.)*)"/g)].map(
          ([, label = '', op = '', value = '']) => ({ label, op, value }),
        )
      : selectorsOf(indicator).flatMap(({ matchers: own }) => own);
  const seen = new Set<string>();
  return matchers.flatMap(({ label, op, value }) => {
    const text = `${label}${op}"${value}"`;
    if (op.endsWith('~') || !looksLikeRegex(value) || seen.has(text)) return [];
    seen.add(text);
    const wanted = `${label}${op === '=' ? '=~' : '!~'}"${value}" for a pattern; = takes the text as it is`;
    return [finding('regex-in-equals', aboutIndicator(subject, indicator.id), text, wanted)];
  });
}

function gaugeFindings(subject: Subject, indicator: Indicator): Finding[] {
  if (indicator.kind !== 'gauge' || !isCounterName(indicator.metric)) return [];
  const found = `${indicator.metric.metric}, by its name a counter, as a gauge`;
  const wanted = 'rate or increase; a counter only grows';
  return [
    finding('counter-as-gauge', aboutIndicator(subject, indicator.id, 'gauge'), found, wanted),
  ];
}

function isCounterName({ metric }: Selector): boolean {
  return /_(total|bucket|sum|count)$/.test(metric);
}

function rangeFindings({ policy, ...rest }: Subject, indicator: Indicator): Finding[] {
  const rangeMs = rangeOf(indicator);
  const leastMs = SAMPLES_IN_RANGE_MIN * policy.intervalMs;
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
      return indicator.overMs;
    case 'promql':
      return indicator.overMs ?? (indicator.waitMs > 0 ? indicator.waitMs : null);
    default:
      return null;
  }
}
