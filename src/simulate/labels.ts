// Labels that a selector means: for each label a value that satisfies all its matchers. Found by
// trying, and then tested by the rules of the policy language: what cannot be found is told.
import { compilePattern } from '../core/pattern.ts';
import type { Matcher, Selector } from '../core/policy.ts';

export type Labels = Readonly<Record<string, string>>;

/** What services call things; tried when a matcher only says what a label is not. */
const USUAL = ['200', '500', 'ok', 'error', 'GET', '/', 'main', 'other', ''];
const REPEATS_MAX = 20;

/** @returns null when no value is found for one of the labels */
export function labelsFor(matchers: readonly Matcher[]): Labels | null {
  const labels: Record<string, string> = {};
  for (const label of new Set(matchers.map((matcher) => matcher.label))) {
    const own = matchers.filter((matcher) => matcher.label === label);
    const tried = own
      .toSorted((a, b) => a.op.length - b.op.length)
      .flatMap(({ op, value }) => (op.endsWith('~') ? examplesOf(value) : [value]));
    const found = [...tried, ...USUAL].find((value) => own.every((one) => accepts(one, value)));
    if (found === undefined) return null;
    if (found !== '') labels[label] = found;
  }
  return labels;
}

export function accepts({ op, value }: Matcher, given: string): boolean {
  if (op === '=' || op === '!=') return (given === value) === (op === '=');
  const pattern = compilePattern(value);
  return pattern !== null && pattern.matches(given) === (op === '=~');
}

export function isMeant({ metric, matchers }: Selector, of: string, labels: Labels): boolean {
  return metric === of && matchers.every((one) => accepts(one, labels[one.label] ?? ''));
}

const OPPOSITE = { '=': '!=', '!=': '=', '=~': '!~', '!~': '=~' } as const;

/** Of the events that `all` means those that `part` does not mean; null: there are none. */
export function without(part: Selector, all: Selector): Matcher | null {
  const isInAll = (one: Matcher) =>
    all.matchers.some(
      ({ label, op, value }) => label === one.label && op === one.op && value === one.value,
    );
  const own = part.matchers.find((one) => !isInAll(one));
  return own === undefined ? null : { ...own, op: OPPOSITE[own.op] };
}

/** Texts that a regular expression probably matches: the first of each choice. */
export function examplesOf(pattern: string): readonly string[] {
  const tops = splitTop(pattern.replace(/^\^|\$$/g, ''));
  return tops.map((choice) => exampleOf(choice));
}

/** At `|` outside of groups and classes. */
function splitTop(pattern: string): readonly string[] {
  const parts = [''];
  let depth = 0;
  for (const [index, char] of [...pattern].entries()) {
    const isEscaped = pattern[index - 1] === '\\';
    if (!isEscaped && (char === '(' || char === '[')) depth += 1;
    if (!isEscaped && (char === ')' || char === ']')) depth -= 1;
    if (char === '|' && depth === 0 && !isEscaped) parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts;
}

const TOKEN =
  /\((?:\?:)?((?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*)\)|\[(\^?)((?:[^\]\\]|\\.)+)\]|\\(.)|([^()[\]\\])/y;
const QUANTIFIER = /[*?]|\+|\{(\d+)(?:,\d*)?\}/y;
const ESCAPED: Readonly<Record<string, string>> = { d: '0', w: 'x', s: ' ', D: 'x', S: 'x' };

function exampleOf(choice: string): string {
  let text = '';
  let at = 0;
  while (at < choice.length) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(choice);
    if (token === null) return text;
    at = TOKEN.lastIndex;
    QUANTIFIER.lastIndex = at;
    const quantifier = QUANTIFIER.exec(choice);
    if (quantifier !== null) at = QUANTIFIER.lastIndex;
    const [first = '', times] = quantifier ?? [];
    const isOptional = first === '?' || first === '*';
    const count = isOptional ? 0 : Math.min(REPEATS_MAX, Number(times ?? 1));
    text += oneOf(token).repeat(count);
  }
  return text;
}

function oneOf([, group, negated, set, escaped, plain = '']: RegExpExecArray): string {
  if (group !== undefined) return exampleOf(splitTop(group)[0] ?? '');
  if (set !== undefined) return negated === '^' ? notIn(set) : inSet(set);
  if (escaped !== undefined) return ESCAPED[escaped] ?? escaped;
  return plain === '.' ? '0' : /[\^$]/.test(plain) ? '' : plain;
}

function inSet(set: string): string {
  const [first = '', second = ''] = set;
  return first === '\\' ? (ESCAPED[second] ?? second) : first;
}

const notIn = (set: string) => ['x', '0', '_', 'z'].find((char) => !set.includes(char)) ?? '-';
