// What a page says about a condition besides its figures: what it must be, within which bounds it
// is fine, and which condition is the worst of a watch.
import { effectivePolicy } from '../core/decide.ts';
import { limitValue } from '../core/limit.ts';
import type { Condition, Limit, Policy } from '../core/policy.ts';
import { formatDuration, formatValue, type Unit } from '../core/quantity.ts';
import type { Track } from '../core/track.ts';
import { isIncidentOpen, type WatchState } from '../core/watch.ts';
import { limitText } from '../core/wording.ts';
import type { ConditionView, WatchView } from './control.ts';

type Compare = Extract<Limit, { kind: 'compare' }>;

/** What a value must be so that a stop or warn condition does not hold. */
const OPPOSITE = {
  above: 'at_most',
  below: 'at_least',
  at_least: 'below',
  at_most: 'above',
} as const;

function isGoodRole(role: Condition['role']): boolean {
  return role === 'pass' || role === 'verify';
}

/** "must be at least 80 %", "must not fail 3 checks in a row". */
export function mustText(
  { role, limit }: Pick<Condition, 'role' | 'limit'>,
  absolute: number | null,
  unit: Unit,
): string {
  const isGood = isGoodRole(role);
  if (limit.kind !== 'compare') {
    const verb = limit.kind === 'failing' ? 'fail' : 'pass';
    const times = limit.times === 1 ? '' : ` ${limit.times} checks in a row`;
    return `must ${isGood ? '' : 'not '}${verb}${times}`;
  }
  const came = limit.of === null || absolute === null ? '' : ` (${formatValue(absolute, unit)})`;
  if (limit.comparator === 'within') {
    return `must ${isGood ? '' : 'not '}be ${limitText(limit, unit)}${came}`;
  }
  const comparator = isGood ? limit.comparator : OPPOSITE[limit.comparator];
  return `must be ${limitText({ ...limit, comparator }, unit)}${came}`;
}

/** The limit in the indicator's unit; also before the condition was judged for the first time. */
export function absoluteLimit(
  limit: Limit,
  judged: number | null | undefined,
  parameters: Readonly<Record<string, number | string>>,
  baseline: number | undefined,
): number | null {
  if (limit.kind !== 'compare') return null;
  return judged ?? limitValue(limit, parameters, baseline);
}

/** The bounds within which a value is fine; both null where a line would say nothing. */
export function allowedRange(
  { role, limit }: Pick<Condition, 'role' | 'limit'>,
  absolute: number | null,
  baseline: number | undefined,
): ConditionView['allowed'] {
  const isGood = isGoodRole(role);
  if (limit.kind !== 'compare' || absolute === null) return { low: null, high: null };
  if (limit.comparator === 'within') return isGood ? around(limit, absolute, baseline) : NOWHERE;
  const isUp = limit.comparator === 'above' || limit.comparator === 'at_least';
  return isUp === isGood ? { low: absolute, high: null } : { low: null, high: absolute };
}

const NOWHERE = { low: null, high: null } as const;

function around(limit: Compare, absolute: number, baseline: number | undefined) {
  const centre = limit.of === 'baseline' ? (baseline ?? 0) : 0;
  const span = Math.abs(absolute);
  return { low: centre - span, high: centre + span };
}

/** Worst first; what is not named is no trouble. */
const TROUBLE = ['firing', 'pending', 'blind'] as const;

/** The condition that a list shows: what stopped the deploy, else what is worst now. */
export function worstOf(
  policy: Policy,
  state: WatchState,
  track: Track | null,
  conditions: readonly ConditionView[],
): WatchView['worst'] {
  const stoppedBy = state.stop?.conditions[0]?.condition;
  const tripped = conditions.find(({ condition }) => condition === stoppedBy);
  if (tripped !== undefined) return summary({ ...tripped, state: 'firing' });
  if (state.phase !== 'watching' || track === null) return null;
  const sinceDeployMs = track.atMs - (state.deploy?.deployedAtMs ?? track.atMs);
  const now = effectivePolicy(policy, state)
    .windows.filter((one) => sinceDeployMs >= one.fromMs && sinceDeployMs < one.untilMs)
    .map(({ name }) => name);
  const judged = conditions.filter(
    ({ role, window }) => (role === 'stop' || role === 'warn') && now.includes(window),
  );
  for (const trouble of TROUBLE) {
    // Before its first sample a condition waits by design.
    const found = judged.find((one) => one.state === trouble && one.blindReason !== 'too_early');
    if (found !== undefined) return summary(found);
  }
  return null;
}

/** All that fired together, each with how long it had been out of its limit. */
export function causesOf(
  stop: WatchState['stop'],
  conditions: readonly ConditionView[],
): NonNullable<WatchView['stop']>['causes'] {
  return (stop?.conditions ?? []).flatMap(({ condition, atMs, sinceMs }) => {
    const found = conditions.find((one) => one.condition === condition);
    const text = found && summary({ ...found, state: 'firing' })?.text;
    if (text === undefined) return [];
    const longSeconds = Math.round((atMs - sinceMs) / 1_000);
    const long = longSeconds > 0 ? `, for ${formatDuration(longSeconds * 1_000)}` : '';
    return [{ condition, text: `${text}${long}` }];
  });
}

function summary({ condition, title, state, now, must }: ConditionView): WatchView['worst'] {
  const rule = state === 'blind' ? '' : `, ${must}`;
  return { condition, state, text: `${title} ${now}${rule}` };
}

export function incidentOf(state: WatchState): WatchView['incident'] {
  if (!isIncidentOpen(state)) return 'none';
  return state.critical === null ? 'open' : 'critical';
}
