// Findings about conditions on the same series that contradict each other, where the validator
// cannot be sure: in other windows, or by way of another indicator.
import { contains, direction, meet, type Region, regionOf } from '../config/limit-checks.ts';
import type { Indicator } from '../core/policy.ts';
import { selectorsOf } from '../core/select.ts';
import { selectorText } from '../source/promql.ts';
import { type Finding, finding } from './finding.ts';
import { aboutCondition, isAlarm, type Judged, type Subject } from './subject.ts';

export function twinFindings(subject: Subject): Finding[] {
  const { judged } = subject;
  const of = (role: string) => judged.filter(({ condition }) => condition.role === role);
  return [
    ...of('warn').flatMap((warn) => looserWarn(subject, warn, of('stop'))),
    ...[...of('pass'), ...of('verify')].flatMap((pass) => passInside(subject, pass)),
  ];
}

function isApart(a: Judged, b: Judged): boolean {
  if (a.span === null || b.span === null) return false;
  return a.span.untilMs <= b.span.fromMs || b.span.untilMs <= a.span.fromMs;
}

/** Where the windows overlap, the validator refuses it. */
function looserWarn(subject: Subject, warn: Judged, stops: readonly Judged[]): Finding[] {
  const stop = stops.find((other) => {
    if (other.condition.indicator !== warn.condition.indicator || !isApart(warn, other))
      return false;
    const [a, b] = [warn.condition.limit, other.condition.limit];
    if (a.kind === 'failing' && b.kind === 'failing') return a.times > b.times;
    if (a.kind !== 'compare' || b.kind !== 'compare' || a.of !== b.of) return false;
    if (direction(a) === null || direction(a) !== direction(b)) return false;
    return contains(regionOf(b), regionOf(a)) && !contains(regionOf(a), regionOf(b));
  });
  if (stop === undefined) return [];
  const found = `${warn.text}, which is looser than ${stop.text}`;
  const wanted = 'a warning before the limit of the stop; tighten it';
  return [finding('warn-looser-than-stop', aboutCondition(subject, warn), found, wanted)];
}

function passInside(subject: Subject, pass: Judged): Finding[] {
  const own = regionIn(pass);
  const alarm = subject.judged.find((other) => {
    const isSameIndicator = other.condition.indicator === pass.condition.indicator;
    if (isSameIndicator || !isAlarm(other.condition.role)) return false;
    const [a, b] = [pass.condition.limit, other.condition.limit];
    if (a.kind !== 'compare' || b.kind !== 'compare' || a.of !== b.of) return false;
    if (pass.condition.role === 'verify' && other.condition.role === 'warn') return false;
    const theirs = regionIn(other);
    if (own === null || theirs === null) return false;
    return seriesOf(pass.indicator) === seriesOf(other.indicator) && meet(own, theirs);
  });
  if (alarm === undefined) return [];
  const found = `${pass.text}, which also holds where ${alarm.condition.indicator} calls for ${alarm.text}`;
  const wanted = 'a limit outside of that; both read the same series';
  return [finding('pass-inside-stop', aboutCondition(subject, pass), found, wanted)];
}

/** The region of the series itself: a negated gauge is turned back. */
function regionIn({ condition: { limit }, indicator }: Judged): Region | null {
  if (limit.kind !== 'compare') return null;
  const region = regionOf(limit);
  if (indicator.kind !== 'gauge' || !indicator.negate) return region;
  return {
    from: -region.to,
    to: -region.from,
    fromIncluded: region.toIncluded,
    toIncluded: region.fromIncluded,
  };
}

/** Equal for indicators that are the same figure, whatever their range. */
function seriesOf(indicator: Indicator): string {
  const detail =
    indicator.kind === 'quantile'
      ? indicator.q
      : indicator.kind === 'gauge' || indicator.kind === 'rate'
        ? indicator.aggregate
        : indicator.kind === 'promql'
          ? indicator.promql
          : indicator.kind === 'audit_log'
            ? [
                indicator.report,
                indicator.bad,
                indicator.trace,
                indicator.schema,
                indicator.numbers,
              ]
            : indicator.id;
  // Two ratios of the same counters are one figure, unless one counts the good, the other the bad.
  const what = indicator.kind === 'ratio' ? indicator.part : detail;
  return JSON.stringify([indicator.kind, what, selectorsOf(indicator).map(selectorText)]);
}
