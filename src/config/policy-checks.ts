// What a policy must fulfil beyond the shape of its fields. Works on whatever could be read, and
// tells everything at once.
import { ALWAYS } from '../core/policy.ts';
import { formatDuration, parseDuration } from '../core/quantity.ts';
import { PLACEHOLDERS } from '../core/template.ts';
import type { Problem } from '../kit/errors.ts';
import type { IndicatorInput, IndicatorKind } from './indicator-schema.ts';
import { boundProblems, twinProblems } from './limit-checks.ts';
import { parameterProblems } from './parameters.ts';
import {
  BASELINE,
  type Draft,
  entriesOf,
  fieldOf,
  itemsOf,
  readDraft,
  VERIFY,
} from './policy-draft.ts';
import { CONDITIONS_MAX } from './policy-schema.ts';
import { didYouMean, found, problem } from './problems.ts';
import { fixedRangeMs, readsRange } from './promql.ts';
import { placeholderProblems } from './text-checks.ts';

/** Which kinds an indicator's common field means something for. */
const FIELD_KINDS: Readonly<Record<'over' | 'min_total' | 'early', readonly IndicatorKind[]>> = {
  over: ['ratio', 'quantile', 'rate', 'increase', 'promql', 'audit_log'],
  min_total: ['ratio', 'quantile', 'audit_log'],
  early: ['ratio', 'quantile', 'rate', 'increase', 'audit_log'],
};

/** Every mistake that the schema alone cannot see. */
export function policyProblems(raw: unknown): Problem[] {
  const draft = readDraft(raw);
  return [
    ...draft.problems,
    ...indicatorProblems(draft),
    ...useProblems(draft),
    ...windowProblems(raw, draft),
    ...conditionProblems(draft),
    ...reachProblems(draft),
    ...twinProblems(draft),
    ...boundProblems(draft),
    ...parameterProblems(draft.parameters),
    ...stepProblems(raw),
    ...signOffProblems(raw, draft),
    ...placeholderProblems(raw, [...PLACEHOLDERS, ...draft.parameters.keys()]),
  ];
}

function indicatorProblems(draft: Draft): Problem[] {
  const problems: Problem[] = [];
  for (const [id, indicator] of draft.indicators) {
    if (indicator === null) continue;
    const { input, kind } = indicator;
    const path = ['indicators', id];
    for (const field of ['over', 'min_total', 'early'] as const) {
      if (input[field] === undefined || FIELD_KINDS[field].includes(kind)) continue;
      const wanted = `it only with ${FIELD_KINDS[field].join(', ')}; remove it`;
      problems.push(problem([...path, field], `${field} on an indicator of kind ${kind}`, wanted));
    }
    if (input.early !== undefined && kind === 'increase' && input.over === undefined) {
      const wanted = 'it only with "over"; remove it, or set "over"';
      problems.push(problem([...path, 'early'], 'early on a count since the deploy', wanted));
    }
    if (input.quantile?.histogram.match(/_bucket\b/)) {
      const wanted = 'the base name of the histogram; leave _bucket out';
      const at = [...path, 'quantile', 'histogram'];
      problems.push(problem(at, found(input.quantile.histogram), wanted));
    }
    if (input.audit_log !== undefined) problems.push(...logProblems(input.audit_log, path));
    if (input.promql !== undefined)
      problems.push(...promqlProblems(input.promql, input.over, path));
  }
  return problems;
}

type LogInput = NonNullable<IndicatorInput['audit_log']>;

function logProblems({ bad, ...given }: LogInput, path: string[]): Problem[] {
  const at = [...path, 'audit_log'];
  if (bad === 'untraced' && given.trace === undefined) {
    const wanted = 'trace with it, such as { id: trace_id }; add it';
    return [problem([...at, 'bad'], 'untraced without a trace to look for', wanted)];
  }
  const of = bad === 'untraced' ? 'invalid' : 'untraced';
  const others = bad === 'untraced' ? (['schema', 'numbers'] as const) : (['trace'] as const);
  return others.flatMap((field) => {
    if (given[field] === undefined) return [];
    const wanted = `it only with bad: ${of}; remove it, or write another indicator with bad: ${of}`;
    return [problem([...at, field], `${field} with bad: ${bad}`, wanted)];
  });
}

function promqlProblems(promql: string, over: string | undefined, path: string[]): Problem[] {
  const problems: Problem[] = [];
  const foreign = /\$__?\w+|\$\{__\w+/.exec(promql)?.[0];
  if (foreign !== undefined) {
    const wanted = `PromQL without Grafana's variables; write ${'$'}{range} or a fixed range`;
    problems.push(problem([...path, 'promql'], foreign, wanted));
  }
  if (over !== undefined && !readsRange(promql)) {
    const wanted = `it only with ${'$'}{range} in the PromQL; remove "over", or use ${'$'}{range}`;
    problems.push(problem([...path, 'over'], 'over without a range to fill in', wanted));
  }
  return problems;
}

function useProblems(draft: Draft): Problem[] {
  const problems: Problem[] = [];
  const used = new Set(draft.conditions.map(({ indicator }) => indicator));
  for (const { indicator, path } of draft.conditions) {
    if (draft.indicators.has(indicator)) continue;
    const names = draft.indicators.keys();
    const wanted =
      'an indicator that is ' +
      `defined${didYouMean(indicator, names) || '; define it under indicators'}`;
    problems.push(problem(path, `the indicator ${found(indicator)}, which nobody defines`, wanted));
  }
  for (const id of draft.indicators.keys()) {
    if (used.has(id)) continue;
    const wanted = 'each indicator in at least one condition; use it in a window or remove it';
    problems.push(problem(['indicators', id], 'an indicator that no condition uses', wanted));
  }
  if (draft.conditions.length > CONDITIONS_MAX) {
    const what = `${draft.conditions.length} conditions`;
    problems.push(problem(['windows'], what, `at most ${CONDITIONS_MAX}; split the policy`));
  }
  if (!draft.conditions.some(({ role }) => role === 'stop')) {
    const wanted = 'at least one under "stop"; without one nothing can be stopped';
    problems.push(problem(['windows'], 'no stop condition at all', wanted));
  }
  return problems;
}

function windowProblems(raw: unknown, draft: Draft): Problem[] {
  const problems: Problem[] = [];
  const names = new Set<string>();
  const hasAlways = draft.conditions.some(({ window }) => window === ALWAYS);
  for (const { path, name, fromMs, untilMs, passForMs } of draft.windows) {
    if (name === ALWAYS || name === VERIFY) {
      const wanted = `another name; ${name} is taken by canaryd's own window`;
      problems.push(problem([...path, 'name'], `the name ${name}`, wanted));
    } else if (names.has(name)) {
      const wanted = 'each name once; rename this window';
      problems.push(problem([...path, 'name'], `the name ${found(name)} a second time`, wanted));
    }
    names.add(name);
    if (fromMs !== null && untilMs !== null && untilMs <= fromMs) {
      const wanted =
        `a time after ${formatDuration(fromMs)}, where the window before ends; until ` +
        'counts from the deploy';
      problems.push(problem([...path, 'until'], `"${formatDuration(untilMs)}"`, wanted));
    }
    const own = draft.conditions.filter(({ window }) => window === name);
    if (own.length === 0 && !hasAlways && untilMs !== null) {
      const wanted = 'stop, warn or pass conditions; add some or remove the window';
      problems.push(problem(path, 'a window in which nothing is judged', wanted));
    }
    const isLast = name === draft.windows.at(-1)?.name;
    if (!isLast && own.some(({ role }) => role === 'pass')) {
      // A pass closes the watch: later windows would never be judged.
      const wanted = 'pass conditions in the last window only; move them there';
      problems.push(problem([...path, 'pass'], 'pass before the last window', wanted));
    }
    if (passForMs === null) continue;
    const value = fieldOf(itemsOf(fieldOf(raw, 'windows'))[Number(path[1])], 'pass');
    if (entriesOf(value).length === 0) {
      const wanted = 'it only with "pass"; a limit has a "for" of its own';
      problems.push(problem([...path, 'for'], 'for in a window without pass', wanted));
    }
    if (fromMs !== null && untilMs !== null && untilMs > fromMs && passForMs >= untilMs - fromMs) {
      const length = formatDuration(untilMs - fromMs);
      const wanted = `less than ${length}, the length of the window; shorten it`;
      problems.push(problem([...path, 'for'], `"${formatDuration(passForMs)}"`, wanted));
    }
  }
  return problems;
}

function conditionProblems(draft: Draft): Problem[] {
  const problems: Problem[] = [];
  for (const { path, role, input } of draft.conditions) {
    if (input === null) continue;
    const isStreak = input.failing !== undefined || input.passing !== undefined;
    if (input.of !== undefined) {
      problems.push(...ofProblems(draft, input.of, [...path, 'of'], isStreak));
    }
    if (isStreak && input.for !== undefined) {
      const wanted = 'no "for" with failing and passing; their number says how long';
      problems.push(problem([...path, 'for'], `"${input.for}"`, wanted));
    }
    if (input.blind !== undefined && role !== 'stop') {
      const wanted = 'it only on stop conditions; remove it';
      problems.push(problem([...path, 'blind'], `blind on a ${role} condition`, wanted));
    }
    const isAlarm = role === 'stop' || role === 'warn';
    if (isAlarm && input.passing !== undefined) {
      const wanted = 'failing; remove it or turn it around';
      problems.push(problem([...path, 'passing'], `passing on a ${role} condition`, wanted));
    }
    if (!isAlarm && input.failing !== undefined) {
      const wanted = 'passing; remove it or turn it around';
      problems.push(problem([...path, 'failing'], `failing on a ${role} condition`, wanted));
    }
  }
  return problems;
}

function ofProblems(draft: Draft, of: string, path: (string | number)[], isStreak: boolean) {
  if (isStreak) {
    return [problem(path, found(of), 'no "of" with failing and passing; remove it')];
  }
  if (of === BASELINE) return [];
  const parameter = draft.parameters.get(of);
  if (parameter === undefined) {
    const advice =
      didYouMean(of, [...draft.parameters.keys(), BASELINE]) || '; define it under parameters';
    return [problem(path, found(of), `a number parameter or baseline${advice}`)];
  }
  if (parameter?.type === 'string') {
    const wanted = 'a parameter of type number; a share of a text means nothing';
    return [problem(path, `${found(of)}, a parameter of type string`, wanted)];
  }
  return [];
}

/** Conditions that cannot fire or hold inside their window. */
function reachProblems(draft: Draft): Problem[] {
  const problems: Problem[] = [];
  for (const { path, role, window, indicator, input, forMs, fromMs, untilMs } of draft.conditions) {
    const lengthMs =
      role === VERIFY
        ? draft.verifyWithinMs
        : fromMs === null || untilMs === null
          ? null
          : untilMs - fromMs;
    if (lengthMs === null || lengthMs <= 0) continue;
    if (input?.for !== undefined && forMs > lengthMs) {
      const wanted = `at most ${formatDuration(lengthMs)}, the length of ${window}; shorten it`;
      problems.push(problem([...path, 'for'], `"${input.for}"`, wanted));
    }
    const waitMs = waitOf(draft, indicator);
    if (role !== VERIFY && untilMs !== null && waitMs >= untilMs) {
      const wait = formatDuration(waitMs);
      const what = `the indicator ${indicator}, which waits ${wait} after the deploy`;
      const way =
        draft.indicators.get(indicator)?.kind === 'promql'
          ? `write ${'$'}{range} instead of the fixed range`
          : 'set "early: shorten"';
      const wanted =
        `it before ${window} ends at ${formatDuration(untilMs)}; shorten its range, or ` + `${way}`;
      problems.push(problem(path, what, wanted));
    }
  }
  return problems;
}

/** How long after the deploy an indicator has its first value. */
function waitOf(draft: Draft, id: string): number {
  const input = draft.indicators.get(id)?.input;
  if (input?.promql !== undefined) return fixedRangeMs(input.promql);
  return input?.early === 'wait' ? (parseDuration(input.over ?? '1m') ?? 0) : 0;
}

/** After the last window nobody judges the watch: nobody would be asked. */
function signOffProblems(raw: unknown, draft: Draft): Problem[] {
  const after = fieldOf(fieldOf(raw, 'sign_offs'), 'after');
  const afterMs = typeof after === 'string' ? parseDuration(after) : null;
  const endMs = draft.windows.at(-1)?.untilMs ?? null;
  if (afterMs === null || endMs === null || afterMs < endMs) return [];
  const wanted = `less than ${formatDuration(endMs)}, the end of the last window; shorten it`;
  return [problem(['sign_offs', 'after'], `"${after}"`, wanted)];
}

const STEPS: readonly string[] = ['disarm', 'rollback', VERIFY];

function stepProblems(raw: unknown): Problem[] {
  const problems: Problem[] = [];
  const before: string[] = [];
  for (const [index, step] of itemsOf(fieldOf(raw, 'on_stop')).entries()) {
    for (const [name, value] of entriesOf(step)) {
      const path = ['on_stop', index, name];
      const order = STEPS.indexOf(name);
      if (order === -1) continue;
      const later = before.find((other) => STEPS.indexOf(other) > order);
      if (before.includes(name)) {
        problems.push(problem(path, `${name} a second time`, 'it once; remove one'));
      } else if (later !== undefined) {
        const wanted = `the order ${STEPS.join(', ')}; move ${name} before ${later}`;
        problems.push(problem(path, `${name} after ${later}`, wanted));
      }
      before.push(name);
      if (name === VERIFY) problems.push(...verifyProblems(value, path));
      else problems.push(...actionProblems(value, path));
    }
  }
  if (before.includes(VERIFY) && !before.includes('disarm') && !before.includes('rollback')) {
    const path = ['on_stop', before.indexOf(VERIFY), VERIFY];
    const wanted = 'a disarm or rollback before it; there is nothing to prove otherwise';
    problems.push(problem(path, 'verify without an action', wanted));
  }
  return problems;
}

function verifyProblems(value: unknown, path: (string | number)[]): Problem[] {
  const pass = fieldOf(value, 'pass');
  if (pass === undefined || entriesOf(pass).length > 0) return [];
  return [problem([...path, 'pass'], 'no condition', 'at least one that proves the rollback')];
}

function actionProblems(value: unknown, path: (string | number)[]): Problem[] {
  const problems: Problem[] = [];
  if (fieldOf(value, 'env') !== undefined && fieldOf(value, 'webhook') !== undefined) {
    const wanted = 'it only with command; use headers for a webhook';
    problems.push(problem([...path, 'env'], 'env with a webhook', wanted));
  }
  const [timeout, deadline] = [fieldOf(value, 'timeout'), fieldOf(value, 'deadline')];
  const timeoutMs = typeof timeout === 'string' ? parseDuration(timeout) : null;
  const deadlineMs = typeof deadline === 'string' ? parseDuration(deadline) : 180_000;
  if (timeoutMs !== null && deadlineMs !== null && timeoutMs > deadlineMs) {
    const wanted = `at most the deadline, ${formatDuration(deadlineMs)}; shorten it`;
    problems.push(problem([...path, 'timeout'], `"${timeout}"`, wanted));
  }
  return problems;
}
