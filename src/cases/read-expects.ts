// The expectations of a case: names that exist, at times at which they are judged. An expectation
// that can be no other way is refused: a case that cannot fail is green for ever.
import type { CaseInput, ExpectationInput } from '../config/case-schema.ts';
import { didYouMean, found, type Path, problem } from '../config/problems.ts';
import { type Condition, conditionsAt, type Policy, type Window } from '../core/policy.ts';
import { formatDuration } from '../core/quantity.ts';
import type { Problem } from '../kit/errors.ts';
import { type Check, checkOf, EXPECT_WORDS, type Expectation } from './expectation.ts';
import { parseSpan, type Span, spanText } from './time.ts';

export type ExpectContext = {
  readonly policy: Policy;
  readonly path: Path;
  readonly problems: Problem[];
  /** Windows end at their written times, counted from the only deploy. */
  readonly isPlain: boolean;
  /** Those that the case deploys. */
  readonly versions: readonly string[];
  /** Nothing is seen before; since the deploy. */
  readonly startedMs: number;
};

type FieldsContext = ExpectContext & { readonly isNever: boolean };

export function readExpects(input: CaseInput, context: ExpectContext): readonly Expectation[] {
  const expects: Expectation[] = [];
  for (const [when, fields] of Object.entries(input.expect ?? {})) {
    const path = [...context.path, 'expect', when];
    const span = parseSpan(when);
    if (span === null) {
      const wanted = 'a time since the deploy such as 45s, or from-to such as 2m-10m';
      context.problems.push(problem(path, `the time ${when}`, wanted));
    } else if (span.fromMs < context.startedMs) {
      const wanted = `a time from ${formatDuration(context.startedMs)} on, when the watch starts (deploy.started)`;
      context.problems.push(problem(path, `the time ${when}`, wanted));
    }
    // Without its time the rest is read all the same: every mistake is told at once.
    expects.push(...readFields(fields, span, { ...context, path, isNever: false }));
  }
  return expects;
}

export function readNever(
  input: CaseInput,
  untilMs: number,
  context: ExpectContext,
): readonly Expectation[] {
  if (input.never === undefined) return [];
  const path = [...context.path, 'never'];
  const times = Object.keys(input.expect ?? {});
  const isEndKnown =
    input.until !== undefined || (times.length > 0 && times.every((when) => parseSpan(when)));
  // An end that nobody knows is told already.
  const whole = isEndKnown ? { fromMs: context.startedMs, untilMs } : null;
  return readFields(input.never, whole, { ...context, path, isNever: true });
}

function readFields(
  fields: Readonly<Record<string, ExpectationInput>>,
  span: Span | null,
  context: FieldsContext,
): readonly Expectation[] {
  const { path, problems, versions } = context;
  const version = fields['version'] === undefined ? null : String(fields['version']);
  if (version !== null && !versions.includes(version)) {
    const wanted = `a version that the case deploys: ${versions.join(', ')}`;
    problems.push(problem([...path, 'version'], found(version), wanted));
  }
  const named = Object.entries(fields).filter(([field]) => field !== 'version');
  if (named.length === 0) {
    const wanted = 'what is expected, such as { watch: stopped }: without it no case can fail';
    problems.push(problem(path, version === null ? 'nothing' : 'only a version', wanted));
  }
  return named.flatMap(([field, written]): readonly Expectation[] => {
    const at = [...path, field];
    const isPlain = context.isPlain && version === null;
    const own = { ...context, path: at, isPlain };
    if (!isKnown(field, own)) return [];
    const result = checkOf(field, written);
    if (result.kind === 'problem') {
      problems.push(problem(at, found(written), result.wanted));
      return [];
    }
    const { check } = result;
    if (span === null || !isPossible(check, span, own)) return [];
    return [{ ...span, field, text: textOf(written), check, version }];
  });
}

/** Whether it can be so in this policy, at such a time. */
function isPossible(check: Check, span: Span, context: FieldsContext): boolean {
  const refuse = (foundText: string, wanted: string) => {
    context.problems.push(problem(context.path, foundText, wanted));
    return false;
  };
  const { policy, isNever } = context;
  switch (check.kind) {
    case 'condition':
      return isJudged(check.name, span, context);
    case 'window': {
      const { name } = check;
      const names = policy.windows.map((window) => window.name);
      const window = policy.windows.find((one) => one.name === name);
      if (window === undefined) {
        return refuse(found(name), `one of ${names.join(', ')}${didYouMean(name, names)}`);
      }
      return (
        !isNever || !isBeyond([window], span, context) || refuse(...beyond(name, window, span))
      );
    }
    case 'actions':
    case 'action_states': {
      const sent = check.kind === 'actions' ? check.sent : Object.keys(check.states);
      const known = policy.actions.map(({ name }) => name);
      const other = sent.find((name) => known.every((one) => one !== name));
      if (other !== undefined) {
        return refuse(other, `actions of the policy: ${known.join(', ') || 'it has none'}`);
      }
      return sent.length > 0 || !isNever || refuse('a list of 0', 'which are never sent');
    }
    case 'verification':
      return (
        policy.verify !== null ||
        check.state === 'none' ||
        refuse(check.state, 'none: the policy verifies no rollback (on_stop has no verify)')
      );
    default:
      return true;
  }
}

function textOf(written: ExpectationInput): string {
  if (Array.isArray(written)) return `[${written.join(', ')}]`;
  if (typeof written !== 'object') return String(written);
  return Object.entries(written)
    .map(([name, state]) => `${name}: ${state}`)
    .join(', ');
}

function isKnown(field: string, { policy, path, problems }: ExpectContext): boolean {
  if ((EXPECT_WORDS as readonly string[]).includes(field)) return true;
  if (meantBy(field, policy).length === 0) {
    const all = [...policy.conditions, ...(policy.verify?.conditions ?? [])];
    const names = [...EXPECT_WORDS, ...Object.keys(policy.indicators), ...all.map(({ id }) => id)];
    const wanted = `an indicator, a condition, or one of ${EXPECT_WORDS.join(', ')}${didYouMean(field, names)}`;
    problems.push(problem(path, 'a name that the policy does not know', wanted));
    return false;
  }
  return true;
}

/** The condition of that id, or those of an indicator. */
function meantBy(name: string, policy: Policy): readonly Condition[] {
  const all = [...policy.conditions, ...(policy.verify?.conditions ?? [])];
  const byId = all.find(({ id }) => id === name);
  return byId === undefined ? all.filter(({ indicator }) => indicator === name) : [byId];
}

function isJudged(field: string, span: Span, context: FieldsContext): boolean {
  const { policy, path, problems, isPlain, isNever } = context;
  const own = meantBy(field, policy);
  if (isNever) {
    const windows = own.map(({ window }) => policy.windows.find(({ name }) => name === window));
    const known = windows.flatMap((window) => (window === undefined ? [] : [window]));
    const [first] = known;
    // One without a window proves a rollback, at a time that nobody knows here.
    if (first === undefined || known.length < own.length) return true;
    if (!isBeyond(known, span, context)) return true;
    problems.push(problem(path, ...beyond(field, first, span)));
    return false;
  }
  if (!isPlain || own.some(({ id }) => id === field)) return true;
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

/** All of it lies outside the case. */
function isBeyond(
  windows: readonly Pick<Window, 'fromMs' | 'untilMs'>[],
  span: Span,
  { isPlain }: FieldsContext,
): boolean {
  const isOver = ({ untilMs }: Pick<Window, 'untilMs'>) => isPlain && untilMs <= span.fromMs;
  return windows.every((window) => window.fromMs > span.untilMs || isOver(window));
}

function beyond(what: string, window: Span, span: Span): [foundText: string, wanted: string] {
  const wanted = `what is there at some time of the case (${spanText(span)}); this is there ${spanText(window)}`;
  return [what, wanted];
}

function windowText(policy: Policy, { window }: Condition): string {
  const found = policy.windows.find(({ name }) => name === window);
  if (found === undefined) return ' (after a rollback; write its id)';
  return ` (${formatDuration(found.fromMs)}-${formatDuration(found.untilMs)})`;
}
