// Limits against each other: what contradicts its twin on the same indicator would stop a deploy
// that the author calls good, or hide a warning behind its stop.
import type { Limit } from '../core/policy.ts';
import type { Problem } from '../kit/errors.ts';
import { BASELINE, type Draft, type DraftCondition, limitText } from './policy-draft.ts';
import { problem } from './problems.ts';
import { isShareKind } from './units.ts';

/** The values for which a limit holds. */
export type Region = {
  readonly from: number;
  readonly to: number;
  readonly fromIncluded: boolean;
  readonly toIncluded: boolean;
};

export function regionOf(limit: Extract<Limit, { kind: 'compare' }>): Region {
  const { value } = limit;
  const all = { from: -Infinity, to: Infinity, fromIncluded: false, toIncluded: false };
  switch (limit.comparator) {
    case 'above':
      return { ...all, from: value };
    case 'at_least':
      return { ...all, from: value, fromIncluded: true };
    case 'below':
      return { ...all, to: value };
    case 'at_most':
      return { ...all, to: value, toIncluded: true };
    case 'within': {
      const centre = limit.of === BASELINE ? 1 : 0;
      const width = Math.abs(value);
      const ends = { from: centre - width, to: centre + width };
      return { ...ends, fromIncluded: true, toIncluded: true };
    }
    default:
      return limit.comparator satisfies never;
  }
}

export function contains(outer: Region, inner: Region): boolean {
  const from =
    inner.from > outer.from ||
    (inner.from === outer.from && (outer.fromIncluded || !inner.fromIncluded));
  const to =
    inner.to < outer.to || (inner.to === outer.to && (outer.toIncluded || !inner.toIncluded));
  return from && to;
}

export function meet(a: Region, b: Region): boolean {
  const from = Math.max(a.from, b.from);
  const to = Math.min(a.to, b.to);
  if (from !== to) return from < to;
  const holds = (region: Region) =>
    (region.from < from || region.fromIncluded) && (region.to > to || region.toIncluded);
  return holds(a) && holds(b);
}

export function direction(limit: Limit): 'up' | 'down' | null {
  if (limit.kind !== 'compare') return limit.kind === 'failing' ? 'up' : 'down';
  if (limit.comparator === 'within') return null;
  return limit.comparator === 'above' || limit.comparator === 'at_least' ? 'up' : 'down';
}

function overlap(a: DraftCondition, b: DraftCondition): boolean {
  if (a.window === b.window) return true;
  if (a.fromMs === null || a.untilMs === null) return false;
  if (b.fromMs === null || b.untilMs === null) return false;
  return a.fromMs < b.untilMs && b.fromMs < a.untilMs;
}

type Known = DraftCondition & { readonly limit: Limit };

/** Regions can be compared only when both are absolute, or shares of the same thing. */
function regions(a: Known, b: Known): readonly [Region, Region] | null {
  if (a.limit.kind !== 'compare' || b.limit.kind !== 'compare') return null;
  return a.limit.of === b.limit.of ? [regionOf(a.limit), regionOf(b.limit)] : null;
}

function named(condition: DraftCondition): string {
  const text = condition.input === null ? '' : ` ${limitText(condition.input)}`;
  return `${condition.role}${text} in ${condition.window}`;
}

function at(condition: DraftCondition): (string | number)[] {
  const { limit, path } = condition;
  if (limit === null) return [...path];
  return [...path, limit.kind === 'compare' ? limit.comparator : limit.kind];
}

/** A warning that cannot come before its stop. */
function warnProblem(warn: Known, stop: Known): Problem | null {
  const [up, down] = [direction(warn.limit), direction(stop.limit)];
  if (up !== null && down !== null && up !== down) {
    const wanted = `the same direction as ${named(stop)}; turn one of them around`;
    return problem(at(warn), `${named(warn)}, against the direction of its stop`, wanted);
  }
  if (!overlap(warn, stop)) return null;
  const both = regions(warn, stop);
  const hidden =
    both === null
      ? warn.limit.kind === 'failing' &&
        stop.limit.kind === 'failing' &&
        warn.limit.times >= stop.limit.times
      : contains(both[1], both[0]) && warn.forMs >= stop.forMs;
  if (!hidden) return null;
  const wanted = `a warning that comes before ${named(stop)}; tighten or remove the warning`;
  return problem(at(warn), `${named(warn)}, which never comes before its stop`, wanted);
}

/** A pass (or proof) that holds where the policy calls for a stop or a warning. */
function passProblem(pass: Known, alarm: Known): Problem | null {
  const both = regions(pass, alarm);
  if (both === null || !meet(both[0], both[1])) return null;
  const how = contains(both[1], both[0]) ? 'holds only where' : 'also holds where';
  const wanted = `a limit outside of ${named(alarm)}; make the ${pass.role} condition stricter`;
  return problem(at(pass), `${named(pass)}, which ${how} ${alarm.role} conditions hold`, wanted);
}

export function twinProblems(draft: Draft): Problem[] {
  const problems: Problem[] = [];
  const byIndicator = new Map<string, Known[]>();
  for (const condition of draft.conditions) {
    const { limit } = condition;
    if (limit === null) continue;
    const twins = byIndicator.get(condition.indicator) ?? [];
    twins.push({ ...condition, limit });
    byIndicator.set(condition.indicator, twins);
  }
  for (const twins of byIndicator.values()) {
    const by = (...roles: string[]) => twins.filter(({ role }) => roles.includes(role));
    for (const stop of by('stop')) {
      problems.push(...by('warn').flatMap((warn) => warnProblem(warn, stop) ?? []));
      problems.push(...by('verify').flatMap((proof) => passProblem(proof, stop) ?? []));
    }
    for (const alarm of by('stop', 'warn')) {
      problems.push(...by('pass').flatMap((pass) => passProblem(pass, alarm) ?? []));
    }
  }
  return problems;
}

/** Limits at the ends of a ratio, which hold always or never. */
export function boundProblems(draft: Draft): Problem[] {
  return draft.conditions.flatMap((condition) => {
    const { limit } = condition;
    const kind = draft.indicators.get(condition.indicator)?.kind;
    if (!isShareKind(kind) || limit?.kind !== 'compare' || limit.of !== null) return [];
    const region = regionOf(limit);
    const domain = { from: 0, to: 1, fromIncluded: true, toIncluded: true };
    const always = contains(region, domain);
    if (!always && meet(region, domain)) return [];
    const what = `${named(condition)}, which ${always ? 'always' : 'never'} holds`;
    return [problem(at(condition), what, 'a limit inside 0% to 100% that a ratio can cross')];
  });
}
