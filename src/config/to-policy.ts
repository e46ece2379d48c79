// A policy file that passed all checks → the core's Policy, with every default filled in.
import { basename } from 'node:path';
import {
  type Action,
  type ActionName,
  ALWAYS,
  type Condition,
  type Indicator,
  type Policy,
  type SecretRef,
  type Selector,
  type Window,
} from '../core/policy.ts';
import type { Problem } from '../kit/errors.ts';
import { ms, SECRET_NAME, shareValue } from './fields.ts';
import { parameterSpec } from './parameters.ts';
import { policyProblems } from './policy-checks.ts';
import { type Draft, type DraftIndicator, readDraft, VERIFY } from './policy-draft.ts';
import { type ActionInput, type PolicyInput, policySchema } from './policy-schema.ts';
import { schemaProblems, uniqueProblems } from './problems.ts';
import { fixedRangeMs, readsRange } from './promql.ts';
import { parseSelector } from './selector.ts';

export type PolicyResult =
  | { readonly kind: 'policy'; readonly policy: Policy }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

/** `config/policies/aurora.yaml` → `aurora` */
export function policyNameOf(file: string): string {
  return basename(file).replace(/\.(ya?ml|json)$/i, '');
}

/** Parsed YAML or JSON of any shape → a policy, or every mistake in it. Never throws. */
export function readPolicy(raw: unknown, defaultName: string): PolicyResult {
  const parsed = policySchema.safeParse(raw);
  const problems = uniqueProblems([
    ...(parsed.success ? [] : schemaProblems(parsed.error, raw)),
    ...policyProblems(raw),
  ]);
  if (problems.length > 0 || !parsed.success) return { kind: 'problems', problems };
  return { kind: 'policy', policy: toPolicy(parsed.data, defaultName) };
}

/** @param parsed passed the schema and `policyProblems`; anything else throws */
export function toPolicy(parsed: PolicyInput, defaultName: string): Policy {
  const draft = readDraft(parsed);
  const verify = parsed.on_stop.find((step) => step.verify !== undefined)?.verify;
  return {
    name: parsed.name ?? defaultName,
    service: parsed.service,
    environment: parsed.environment ?? null,
    source: parsed.source,
    intervalMs: ms(parsed.interval),
    mode: parsed.mode,
    parameters: Object.fromEntries(
      Object.entries(parsed.parameters).map(([name, input]) => [name, parameterSpec(input)]),
    ),
    match: parsed.match,
    indicators: Object.fromEntries(
      [...draft.indicators].map(([id, input]) => [id, toIndicator(id, must(input, id))]),
    ),
    windows: toWindows(draft),
    conditions: toConditions(draft, (window) => window !== VERIFY),
    actions: toActions(parsed),
    verify: verify
      ? {
          withinMs: ms(verify.within),
          conditions: toConditions(draft, (window) => window === VERIFY),
        }
      : null,
    blindAfterMs: ms(parsed.blind?.after ?? '2m'),
    armWithinMs: ms(parsed.arm?.within ?? '2m'),
    staleAfterMs: ms(parsed.stale_after),
    coverage: must(shareValue(parsed.coverage), 'coverage'),
    worseBy: must(shareValue(parsed.pre_existing?.worse_by ?? '20%'), 'worse_by'),
    ...demandsOf(parsed),
    runbook: parsed.runbook ?? null,
    dashboard: parsed.dashboard ?? null,
  };
}

/** What people decide and sign; absent where nobody has to. */
function demandsOf({ requires, sign_offs }: PolicyInput): Pick<Policy, 'requires' | 'signOffs'> {
  const needed = Object.entries(sign_offs?.needed ?? {}).map(([role, statement]) => {
    return { role, statement };
  });
  return {
    ...(requires === undefined
      ? {}
      : {
          requires: {
            gate: requires.gate,
            freshMs: ms(requires.fresh),
            otherwise: requires.otherwise,
          },
        }),
    ...(sign_offs === undefined ? {} : { signOffs: { afterMs: ms(sign_offs.after), needed } }),
  };
}

/** More than fit into the deadline, which is what ends them. */
const WEBHOOK_ATTEMPTS = 50;

/** What the checks have guaranteed. */
function must<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new Error(`not checked before: ${what}`);
  return value;
}

function selectorOf(text: string): Selector {
  const result = parseSelector(text);
  if (result.kind === 'problem') throw new Error(`not checked before: ${result.message}`);
  return result.selector;
}

/** `fill_rate` → `Fill rate` */
function titleOf(id: string): string {
  const words = id.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const OVER_DEFAULT = '1m';
const MIN_TOTAL_DEFAULT = 20;
/** So many observations must lie beyond a quantile: below that one slow order is the quantile. */
const BEYOND_QUANTILE = 5;

function minTotalFor(q: number | null): number {
  if (q === null) return MIN_TOTAL_DEFAULT;
  // 1 - 0.99 is a little less than 0.01: without rounding it would be 501.
  return Math.ceil(Number((BEYOND_QUANTILE / (1 - q)).toPrecision(9)));
}

function toIndicator(id: string, { input, unit }: DraftIndicator): Indicator {
  const common = { id, title: input.title ?? titleOf(id), unit };
  const ranged = { overMs: ms(input.over ?? OVER_DEFAULT), early: input.early ?? 'shorten' };
  const minTotal = input.min_total ?? minTotalFor(input.quantile?.q ?? null);
  if (input.ratio !== undefined) {
    const { good, bad, total } = input.ratio;
    return {
      ...{ ...common, kind: 'ratio', part: good === undefined ? 'bad' : 'good' },
      numerator: selectorOf(must(good ?? bad, id)),
      ...{ total: selectorOf(total), minTotal, ...ranged },
    };
  }
  if (input.quantile !== undefined) {
    const histogram = selectorOf(input.quantile.histogram);
    return { ...common, kind: 'quantile', q: input.quantile.q, histogram, minTotal, ...ranged };
  }
  if (input.rate !== undefined) {
    const { aggregate } = input.rate;
    return {
      ...common,
      kind: 'rate',
      counter: selectorOf(input.rate.counter),
      aggregate,
      ...ranged,
    };
  }
  if (input.increase !== undefined) {
    const counter = selectorOf(input.increase.counter);
    const overMs = input.over === undefined ? null : ms(input.over);
    return { ...common, kind: 'increase', counter, overMs, early: ranged.early };
  }
  if (input.gauge !== undefined) {
    const { aggregate, negate } = input.gauge;
    return { ...common, kind: 'gauge', metric: selectorOf(input.gauge.metric), aggregate, negate };
  }
  if (input.promql !== undefined) {
    const { promql } = input;
    const overMs = readsRange(promql) ? ranged.overMs : null;
    return { ...common, kind: 'promql', promql, overMs, waitMs: fixedRangeMs(promql) };
  }
  if (input.audit_log !== undefined) {
    const log = auditLogOf(input.audit_log);
    return { ...common, ...ranged, minTotal, ...log, kind: 'audit_log' };
  }
  return toHttpIndicator(common, must(input.http, id));
}

function auditLogOf({
  max_age: maxAge,
  ...input
}: NonNullable<DraftIndicator['input']['audit_log']>) {
  const { report, bad, time, trace, schema, numbers } = input;
  return {
    ...{ report, bad, time },
    trace: trace === undefined ? null : { ...trace, of: trace.of ?? null },
    schema: schema ?? null,
    numbers: numbers ?? [],
    maxAgeMs: maxAge === undefined ? null : ms(maxAge),
  };
}

function toHttpIndicator(
  common: { readonly id: string; readonly title: string; readonly unit: string },
  http: Exclude<DraftIndicator['input']['http'], undefined>,
): Indicator {
  const { status, json } = http;
  const pointer = json?.pointer ?? `/${json?.path?.replaceAll('.', '/') ?? ''}`;
  return {
    ...common,
    kind: 'http',
    url: http.url,
    timeoutMs: ms(http.timeout),
    status: status === undefined ? [] : typeof status === 'number' ? [status] : status,
    json: json === undefined ? null : { pointer, equals: String(json.equals) },
    headers: http.headers ?? {},
    ...(http.recorded === undefined ? {} : { recorded: selectorOf(http.recorded) }),
  };
}

function toWindows(draft: Draft): Window[] {
  const windows = draft.windows.map(({ name, fromMs, untilMs, passForMs }) => ({
    name,
    fromMs: must(fromMs, name),
    untilMs: must(untilMs, name),
    passForMs: passForMs ?? 0,
  }));
  if (!draft.conditions.some(({ window }) => window === ALWAYS)) return windows;
  const untilMs = must(windows.at(-1), ALWAYS).untilMs;
  return [...windows, { name: ALWAYS, fromMs: 0, untilMs, passForMs: 0 }];
}

function toConditions(draft: Draft, isWanted: (window: string) => boolean): Condition[] {
  return draft.conditions
    .filter(({ window }) => isWanted(window))
    .map(({ window, role, indicator, limit, forMs, input }) => {
      const id = `${window}.${role}.${indicator}`;
      const onBlind = input?.blind ?? 'hold';
      return { id, indicator, window, role, limit: must(limit, id), forMs, onBlind };
    });
}

function toActions(parsed: PolicyInput): Action[] {
  return parsed.on_stop.flatMap((step) =>
    (['disarm', 'rollback'] as const).flatMap((name) => {
      const input = step[name];
      return input === undefined ? [] : [toAction(name, input)];
    }),
  );
}

function toAction(name: ActionName, input: ActionInput): Action {
  const deadlineMs = ms(input.deadline ?? '3m');
  if (input.webhook !== undefined) {
    const { url, secret, headers } = input.webhook;
    const signing = secret === undefined ? null : { secret: secret.slice(1) };
    return {
      name,
      via: { kind: 'webhook', url, secret: signing, headers: withSecrets(headers ?? {}) },
      timeoutMs: ms(input.timeout ?? '5s'),
      attempts: input.attempts ?? WEBHOOK_ATTEMPTS,
      deadlineMs,
    };
  }
  return {
    name,
    via: { kind: 'command', argv: must(input.command, name), env: withSecrets(input.env ?? {}) },
    timeoutMs: ms(input.timeout ?? '30s'),
    attempts: input.attempts ?? 3,
    deadlineMs,
  };
}

function withSecrets(texts: Readonly<Record<string, string>>): Record<string, string | SecretRef> {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [
      name,
      SECRET_NAME.test(text) ? { secret: text.slice(1) } : text,
    ]),
  );
}
