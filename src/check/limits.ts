// Findings about single limits: direction, reach, unit, and what they are a share of.
import { contains, meet, regionOf } from '../config/limit-checks.ts';
import { BASELINE } from '../config/policy-draft.ts';
import { isShareKind } from '../config/units.ts';
import { formatValue } from '../core/quantity.ts';
import { type Finding, finding } from './finding.ts';
import {
  aboutCondition,
  callsHighBad,
  domainOf,
  isAlarm,
  type Judged,
  type Subject,
} from './subject.ts';
import { unitFindings } from './units.ts';
import { allWordsOf, isTime, isWaited, signOfIndicator, wordsOf } from './words.ts';

export function limitFindings(subject: Subject): Finding[] {
  return [
    ...subject.judged.flatMap((judged) => [
      ...directionFindings(subject, judged),
      ...reachFindings(subject, judged),
      ...baselineFindings(subject, judged),
      ...unitFindings(subject, judged),
      ...checkFindings(subject, judged),
    ]),
    ...parameterFindings(subject),
  ];
}

function directionFindings(subject: Subject, judged: Judged): Finding[] {
  const { indicator, condition } = judged;
  const says = callsHighBad(judged);
  if (says === null) return [];
  const [isSure, isHighBad, why] = meaningOf(judged);
  if (isHighBad === null || isHighBad === says) return [];
  const name = isSure ? 'upside-down-limit' : 'suspicious-direction';
  const side = says === isAlarm(condition.role) ? 'below or at_most' : 'above or at_least';
  const found = `${judged.text}, where ${why}`;
  const wanted = `${side}; turn the limit of ${indicator.id} around`;
  return [finding(name, aboutCondition(subject, judged), found, wanted)];
}

/** Whether high is bad, as surely as it is known, and why. */
function meaningOf({ indicator }: Judged): readonly [boolean, boolean | null, string] {
  if (indicator.kind === 'ratio') {
    const isBad = indicator.part === 'bad';
    return [true, isBad, `the figure is the share of ${indicator.part} events`];
  }
  if (indicator.kind === 'audit_log') {
    return [true, true, `the figure is the share of ${indicator.bad} events`];
  }
  const isDuration = indicator.kind === 'quantile' && indicator.unit === 'seconds';
  if (isDuration && isWaited(allWordsOf(indicator))) {
    return [true, true, 'the figure is how long something takes'];
  }
  const sign = signOfIndicator(indicator);
  if (sign === null) return [false, null, ''];
  const side = sign === 'bad' ? 'high' : 'low';
  return [false, sign === 'bad', `the name sounds as if ${side} values were bad`];
}

/** Limits beyond the ends of what a figure can be. Ratios are judged by the validator. */
function reachFindings(subject: Subject, judged: Judged): Finding[] {
  const { condition, indicator } = judged;
  const { limit, role } = condition;
  if (limit.kind !== 'compare' || isShareKind(indicator.kind)) return [];
  if (limit.comparator === 'within' && limit.of !== null) return [];
  const domain = domainOf(indicator);
  if (domain === null) return [];
  const region = regionOf(limit);
  const about = aboutCondition(subject, judged);
  const least = formatValue(0, indicator.unit);
  if (contains(region, domain)) {
    const effect = isAlarm(role) ? 'which always fires' : 'which proves nothing';
    const wanted = `a limit that the figure can cross; it is never below ${least}`;
    return [finding('always-holds', about, `${judged.text}, ${effect}`, wanted)];
  }
  if (meet(region, domain)) return [];
  const effect = isAlarm(role) ? 'which never fires' : 'which can never be met';
  const wanted = `a limit that the figure can reach; it is never below ${least}`;
  return [finding('never-holds', about, `${judged.text}, ${effect}`, wanted)];
}

function baselineFindings(subject: Subject, judged: Judged): Finding[] {
  const { condition, indicator } = judged;
  const { limit, role } = condition;
  if (limit.kind !== 'compare' || limit.of !== BASELINE) return [];
  const about = aboutCondition(subject, judged);
  if (indicator.kind === 'increase' && indicator.overMs === null) {
    const wanted = 'a range; set "over", or use an absolute limit';
    return [finding('no-baseline', about, `${judged.text}, of a count since the deploy`, wanted)];
  }
  if (!isAlarm(role)) return [];
  const unchanged = { from: 1, to: 1, fromIncluded: true, toIncluded: true };
  if (contains(regionOf(limit), unchanged)) {
    const found = `${judged.text}, which an unchanged value breaches`;
    const wanted = 'more than 100% with above, less with below; 120% is a fifth more';
    return [finding('unchanged-value-fires', about, found, wanted)];
  }
  const isUp = limit.comparator === 'above' || limit.comparator === 'at_least';
  if (!isUp || limit.value <= 0 || !mayBeZero(judged)) return [];
  const found = `${judged.text}, of something that may be 0 before the deploy`;
  const wanted = 'an absolute limit; the first event after a quiet time fires this one';
  return [finding('zero-baseline', about, found, wanted)];
}

function mayBeZero({ indicator }: Judged): boolean {
  switch (indicator.kind) {
    case 'ratio':
      return indicator.part === 'bad';
    case 'audit_log':
    case 'rate':
    case 'increase':
      return true;
    case 'gauge':
    case 'promql': {
      const words = [...wordsOf(indicator.id), ...wordsOf(indicator.title)];
      return signOfIndicator(indicator) === 'bad' && !isTime(words);
    }
    default:
      return false;
  }
}

function checkFindings(subject: Subject, judged: Judged): Finding[] {
  const { limit, role } = judged.condition;
  if (role !== 'stop' || limit.kind !== 'failing' || limit.times > 1) return [];
  const about = aboutCondition(subject, judged);
  return [finding('single-check-stops', about, judged.text, 'failing: 2 or more, such as 3')];
}

/** Parameters that may be 0 and make limits of 0. Each is told once. */
function parameterFindings({ policy, judged }: Subject): Finding[] {
  return Object.entries(policy.parameters).flatMap(([name, { above, atLeast }]) => {
    const users = judged.filter(
      ({ condition: { limit } }) => limit.kind === 'compare' && limit.of === name,
    );
    const isPositive = (above !== null && above >= 0) || (atLeast !== null && atLeast > 0);
    const [first] = users;
    if (first === undefined || isPositive) return [];
    const ids = users.map(({ condition }) => condition.id).join(', ');
    const about = { policy: policy.name, path: ['parameters', name], subject: name };
    const found = `a parameter that may be 0, and with it the limit of ${ids}`;
    return [finding('zero-parameter', about, found, 'only values above 0; add "above: 0"')];
  });
}
