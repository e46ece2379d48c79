// The expectations of a case: names that exist, at times at which they are judged.
import type { CaseInput, ExpectationInput } from '../config/case-schema.ts';
import { didYouMean, found, type Path, problem } from '../config/problems.ts';
import { type Condition, conditionsAt, type Policy } from '../core/policy.ts';
import { formatDuration } from '../core/quantity.ts';
import type { Problem } from '../kit/errors.ts';
import { checkOf, EXPECT_WORDS, type Expectation } from './expectation.ts';
import { parseSpan, type Span } from './time.ts';

export type ExpectContext = {
  readonly policy: Policy;
  readonly path: Path;
  readonly problems: Problem[];
  /** Windows end at their written times, counted from the only deploy. */
  readonly isPlain: boolean;
};

export function readExpects(input: CaseInput, context: ExpectContext): readonly Expectation[] {
  const expects: Expectation[] = [];
  for (const [when, fields] of Object.entries(input.expect ?? {})) {
    const path = [...context.path, 'expect', when];
    const span = parseSpan(when);
    if (span === null) {
      const wanted = 'a time since the deploy such as 45s, or from-to such as 2m-10m';
      context.problems.push(problem(path, `the time ${when}`, wanted));
      continue;
    }
    expects.push(...readFields(fields, span, { ...context, path }));
  }
  return expects;
}

export function readNever(
  input: CaseInput,
  untilMs: number,
  context: ExpectContext,
): readonly Expectation[] {
  const path = [...context.path, 'never'];
  const whole = { fromMs: 0, untilMs };
  return readFields(input.never ?? {}, whole, { ...context, path, isPlain: false });
}

function readFields(
  fields: Readonly<Record<string, ExpectationInput>>,
  span: Span,
  context: ExpectContext,
): readonly Expectation[] {
  const { path, problems } = context;
  const version = fields['version'] === undefined ? null : String(fields['version']);
  return Object.entries(fields).flatMap(([field, written]): readonly Expectation[] => {
    if (field === 'version') return [];
    const at = [...path, field];
    const isPlain = context.isPlain && version === null;
    if (!isKnown(field, span, { ...context, path: at, isPlain })) return [];
    const result = checkOf(field, written);
    if (result.kind === 'problem') {
      problems.push(problem(at, found(written), result.wanted));
      return [];
    }
    const { check } = result;
    if (
      check.kind === 'window' &&
      !context.policy.windows.some(({ name }) => name === check.name)
    ) {
      const names = context.policy.windows.map(({ name }) => name);
      const wanted = `one of ${names.join(', ')}${didYouMean(check.name, names)}`;
      problems.push(problem(at, found(check.name), wanted));
      return [];
    }
    return [{ ...span, field, text: textOf(written), check, version }];
  });
}

function textOf(written: ExpectationInput): string {
  if (Array.isArray(written)) return `[${written.join(', ')}]`;
  if (typeof written !== 'object') return String(written);
  return Object.entries(written)
    .map(([name, state]) => `${name}: ${state}`)
    .join(', ');
}

function isKnown(field: string, span: Span, context: ExpectContext): boolean {
  const { policy, path, problems } = context;
  if ((EXPECT_WORDS as readonly string[]).includes(field)) return true;
  const all = [...policy.conditions, ...(policy.verify?.conditions ?? [])];
  const byId = all.find(({ id }) => id === field);
  const own = all.filter(({ indicator }) => indicator === field);
  if (byId === undefined && own.length === 0) {
    const names = [...EXPECT_WORDS, ...Object.keys(policy.indicators), ...all.map(({ id }) => id)];
    const wanted = `an indicator, a condition, or one of ${EXPECT_WORDS.join(', ')}${didYouMean(field, names)}`;
    problems.push(problem(path, 'a name that the policy does not know', wanted));
    return false;
  }
  if (!context.isPlain || byId !== undefined) return true;
  for (const atMs of [span.fromMs, span.untilMs]) {
    const judged = conditionsAt(policy, atMs).filter(({ indicator }) => indicator === field);
    if (judged.length === 1) continue;
    const at = formatDuration(atMs);
    if (judged.length === 0) {
      const when = own.map((one) => `${one.id}${windowText(policy, one)}`).join(', ');
      const foundText = `${field} at ${at}, when no condition judges it`;
      problems.push(problem(path, foundText, `a time within its windows: ${when}`));
    } else {
      const ids = judged.map(({ id }) => id).join(', ');
      const foundText = `${field}, which ${judged.length} conditions judge at ${at}`;
      problems.push(problem(path, foundText, `the id of one of them: ${ids}`));
    }
    return false;
  }
  return true;
}

function windowText(policy: Policy, { window }: Condition): string {
  const found = policy.windows.find(({ name }) => name === window);
  if (found === undefined) return ' (after a rollback; write its id)';
  return ` (${formatDuration(found.fromMs)}-${formatDuration(found.untilMs)})`;
}
