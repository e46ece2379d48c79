// What can be understood of a policy, piece by piece, so that one broken piece does not hide the
// mistakes of the others. A correct policy is read by the same code, with nothing missing.
import { ALWAYS, type Limit, type Role } from '../core/policy.ts';
import { parseDuration, type Unit } from '../core/quantity.ts';
import type { Problem } from '../kit/errors.ts';
import { type IndicatorInput, type IndicatorKind, indicatorSchema } from './indicator-schema.ts';
import {
  COMPARATORS,
  type LimitInput,
  limitSchema,
  type ParameterInput,
  parameterSchema,
  STREAKS,
} from './policy-schema.ts';
import { found, type Path, problem } from './problems.ts';
import { kindOf, limitNumber, unitOf } from './units.ts';

/** Name of the window of the verify conditions. */
export const VERIFY = 'verify';
export const BASELINE = 'baseline';

export type DraftIndicator = {
  readonly input: IndicatorInput;
  readonly kind: IndicatorKind;
  readonly unit: Unit;
};

export type DraftWindow = {
  readonly path: Path;
  readonly name: string;
  readonly fromMs: number | null;
  readonly untilMs: number | null;
  readonly passForMs: number | null;
};

export type DraftCondition = {
  readonly path: Path;
  readonly window: string;
  readonly role: Role;
  readonly indicator: string;
  /** null when its fields are wrong. */
  readonly input: LimitInput | null;
  /** null when its value cannot be understood. */
  readonly limit: Limit | null;
  readonly forMs: number;
  /** Since the deploy; null when unknown, and for verify conditions. */
  readonly fromMs: number | null;
  readonly untilMs: number | null;
};

export type Draft = {
  /** null: defined, but wrong. */
  readonly indicators: ReadonlyMap<string, DraftIndicator | null>;
  readonly parameters: ReadonlyMap<string, ParameterInput | null>;
  readonly windows: readonly DraftWindow[];
  readonly conditions: readonly DraftCondition[];
  readonly verifyWithinMs: number | null;
  /** Limits that do not fit their indicator. */
  readonly problems: readonly Problem[];
};

export function entriesOf(value: unknown): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return Object.entries(value);
}

export function fieldOf(value: unknown, field: string): unknown {
  return entriesOf(value).find(([key]) => key === field)?.[1];
}

export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function durationOf(value: unknown): number | null {
  return typeof value === 'string' ? parseDuration(value) : null;
}

export function readDraft(raw: unknown): Draft {
  const indicators = new Map(
    entriesOf(fieldOf(raw, 'indicators')).map(([id, value]) => [id, readIndicator(value)]),
  );
  const parameters = new Map(
    entriesOf(fieldOf(raw, 'parameters')).map(([id, value]) => {
      return [id, parameterSchema.safeParse(value).data ?? null] as const;
    }),
  );
  const windows = readWindows(raw);
  const problems: Problem[] = [];
  const conditions: DraftCondition[] = [];
  const read = (of: Omit<Group, 'roles'> & { readonly roles: readonly Role[] }) => {
    for (const role of of.roles) {
      conditions.push(...readConditions({ ...of, role }, { indicators, problems }));
    }
  };
  for (const [index, window] of windows.entries()) {
    const holder = itemsOf(fieldOf(raw, 'windows'))[index];
    read({ ...window, window: window.name, holder, roles: ['stop', 'warn', 'pass'] });
  }
  const last = windows.at(-1);
  read({
    path: [ALWAYS],
    window: ALWAYS,
    holder: fieldOf(raw, ALWAYS),
    roles: ['stop', 'warn'],
    fromMs: 0,
    untilMs: last?.untilMs ?? null,
  });
  let verifyWithinMs: number | null = null;
  for (const [index, step] of itemsOf(fieldOf(raw, 'on_stop')).entries()) {
    const holder = fieldOf(step, VERIFY);
    verifyWithinMs = durationOf(fieldOf(holder, 'within')) ?? verifyWithinMs;
    const path = ['on_stop', index, VERIFY];
    read({ path, window: VERIFY, holder, roles: ['verify'], fromMs: null, untilMs: null });
  }
  return { indicators, parameters, windows, conditions, verifyWithinMs, problems };
}

function readIndicator(value: unknown): DraftIndicator | null {
  const input = indicatorSchema.safeParse(value).data;
  if (input === undefined) return null;
  const kind = kindOf(input);
  return kind === null ? null : { input, kind, unit: unitOf(input) };
}

function readWindows(raw: unknown): DraftWindow[] {
  let fromMs: number | null = 0;
  return itemsOf(fieldOf(raw, 'windows')).map((value, index) => {
    const name = fieldOf(value, 'name');
    const untilMs = durationOf(fieldOf(value, 'until'));
    const window = {
      path: ['windows', index],
      name: typeof name === 'string' ? name : `window ${index}`,
      fromMs,
      untilMs,
      passForMs: durationOf(fieldOf(value, 'for')),
    };
    fromMs = untilMs;
    return window;
  });
}

type Group = {
  readonly path: Path;
  readonly window: string;
  readonly holder: unknown;
  readonly fromMs: number | null;
  readonly untilMs: number | null;
};

function readConditions(
  group: Group & { readonly role: Role },
  context: { readonly indicators: Draft['indicators']; readonly problems: Problem[] },
): DraftCondition[] {
  const { role, window, fromMs, untilMs } = group;
  // Verify conditions stand under `pass`, but are a role of their own.
  const field = role === 'verify' ? 'pass' : role;
  return entriesOf(fieldOf(group.holder, field)).map(([indicator, value]) => {
    const path = [...group.path, field, indicator];
    const input = limitSchema.safeParse(value).data ?? null;
    const defined = context.indicators.get(indicator);
    let limit: Limit | null = null;
    if (input !== null && defined !== undefined && defined !== null) {
      const result = readLimit(input, defined, path);
      if (result.kind === 'limit') limit = result.limit;
      else context.problems.push(result.problem);
    }
    const forMs = input?.for === undefined ? 0 : (parseDuration(input.for) ?? 0);
    return { path, window, role, indicator, input, limit, forMs, fromMs, untilMs };
  });
}

type LimitResult =
  | { readonly kind: 'limit'; readonly limit: Limit }
  | { readonly kind: 'problem'; readonly problem: Problem };

function readLimit(input: LimitInput, indicator: DraftIndicator, path: Path): LimitResult {
  for (const kind of STREAKS) {
    const times = input[kind];
    if (times === undefined) continue;
    if (indicator.kind === 'http') return { kind: 'limit', limit: { kind, times } };
    const wanted = `one of ${COMPARATORS.join(', ')}; ${kind} counts checks of an http indicator`;
    const what = `${kind} on an indicator of kind ${indicator.kind}`;
    return { kind: 'problem', problem: problem([...path, kind], what, wanted) };
  }
  const comparator = COMPARATORS.find((word) => input[word] !== undefined);
  const written = comparator === undefined ? undefined : input[comparator];
  if (comparator === undefined || written === undefined) {
    throw new Error('a limit without a comparison passed the schema');
  }
  const at = [...path, comparator];
  if (indicator.kind === 'http') {
    const wanted = 'failing or passing with a number of checks in a row, such as failing: 3';
    const what = `${comparator} on an indicator of kind http`;
    return { kind: 'problem', problem: problem(at, what, wanted) };
  }
  const of = input.of ?? null;
  const value = limitNumber(written, indicator, of);
  if (value.kind === 'wrong') {
    return { kind: 'problem', problem: problem(at, found(written, at), value.wanted) };
  }
  return { kind: 'limit', limit: { kind: 'compare', comparator, value: value.value, of } };
}

/** `below 80% of baseline`, as it was written. */
export function limitText(input: LimitInput): string {
  const word = [...COMPARATORS, ...STREAKS].find((name) => input[name] !== undefined);
  if (word === undefined) return 'no limit';
  return `${word} ${input[word]}${input.of === undefined ? '' : ` of ${input.of}`}`;
}
