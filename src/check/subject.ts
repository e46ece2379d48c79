// A valid policy together with where everything stands in its file: what the checks look at.
import type { Region } from '../config/limit-checks.ts';
import { direction } from '../config/limit-checks.ts';
import { type Draft, limitText, readDraft } from '../config/policy-draft.ts';
import type { Path } from '../config/problems.ts';
import type { Condition, Indicator, Policy } from '../core/policy.ts';
import type { About } from './finding.ts';

export type Judged = {
  readonly condition: Condition;
  readonly indicator: Indicator;
  /** The mapping of the limit, in the file. */
  readonly path: Path;
  /** The comparison itself. */
  readonly at: Path;
  /** `stop below 80% in immediate`, as it is written. */
  readonly text: string;
  /** The limit is written as a bare number. */
  readonly isBare: boolean;
  /** Since the deploy; null for verify conditions. */
  readonly span: { readonly fromMs: number; readonly untilMs: number } | null;
};

export type Subject = {
  readonly policy: Policy;
  /** The parsed YAML. */
  readonly raw: unknown;
  readonly draft: Draft;
  readonly judged: readonly Judged[];
};

/** @param raw what `policy` was read from */
export function subjectOf(policy: Policy, raw: unknown): Subject {
  const draft = readDraft(raw);
  const all = [...policy.conditions, ...(policy.verify?.conditions ?? [])];
  const judged = all.map((condition): Judged => {
    const written = draft.conditions.find(
      ({ window, role, indicator }) => `${window}.${role}.${indicator}` === condition.id,
    );
    const indicator = policy.indicators[condition.indicator];
    if (written?.input === null || written === undefined || indicator === undefined) {
      throw new Error(`the policy was not read from this file: ${condition.id}`);
    }
    const { limit } = condition;
    const comparator = limit.kind === 'compare' ? limit.comparator : limit.kind;
    const { fromMs, untilMs, path, input } = written;
    return {
      condition,
      indicator,
      path,
      at: [...path, comparator],
      text: `${condition.role} ${limitText(input)} in ${condition.window}`,
      isBare: typeof input[comparator] === 'number' || /^-?[\d.]+$/.test(`${input[comparator]}`),
      span: fromMs === null || untilMs === null ? null : { fromMs, untilMs },
    };
  });
  return { policy, raw, draft, judged };
}

export function aboutCondition({ policy }: Subject, { condition, at }: Judged): About {
  const { id, indicator } = condition;
  return { policy: policy.name, path: at, condition: id, indicator };
}

export function aboutIndicator({ policy }: Subject, id: string, ...rest: string[]): About {
  return { policy: policy.name, path: ['indicators', id, ...rest], indicator: id };
}

/** Whether the condition calls high values bad; null when it has no direction. */
export function callsHighBad({ condition: { limit, role } }: Judged): boolean | null {
  if (limit.kind !== 'compare') return null;
  const side = direction(limit);
  if (side === null) return null;
  return isAlarm(role) === (side === 'up');
}

export function isAlarm(role: Condition['role']): boolean {
  return role === 'stop' || role === 'warn';
}

/** How long after the deploy an indicator has its first value. */
export function waitOf(indicator: Indicator): number {
  if (indicator.kind === 'promql') return indicator.waitMs;
  if (indicator.kind === 'gauge' || indicator.kind === 'http') return 0;
  return indicator.early === 'wait' ? (indicator.overMs ?? 0) : 0;
}

/** How long the condition must be met until it counts. */
export function holdOf({ condition: { limit, forMs } }: Judged, intervalMs: number): number {
  return limit.kind === 'compare' ? forMs : (limit.times - 1) * intervalMs;
}

/** Values that the figure can have; null when anything is possible. */
export function domainOf(indicator: Indicator): Region | null {
  const fromZero = { from: 0, to: Infinity, fromIncluded: true, toIncluded: false };
  switch (indicator.kind) {
    case 'ratio':
    case 'audit_log':
      return { ...fromZero, to: 1, toIncluded: true };
    case 'rate':
    case 'increase':
      return fromZero;
    case 'quantile':
      return indicator.unit === 'seconds' || indicator.unit === 'bytes' ? fromZero : null;
    case 'gauge':
      return indicator.unit === 'bytes' && !indicator.negate ? fromZero : null;
    default:
      return null;
  }
}
