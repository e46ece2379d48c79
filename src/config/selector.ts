// `metric{label="value",other=~"a|b"}` → a Selector. Strict: what is not understood is refused,
// because a selector that matches nothing makes a condition blind, after the deploy.
import { compilePattern } from '../core/pattern.ts';
import type { Matcher, Selector } from '../core/policy.ts';

export type SelectorResult =
  | { readonly kind: 'selector'; readonly selector: Selector }
  | { readonly kind: 'problem'; readonly message: string };

const METRIC = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const MATCHER = /^\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\\n]|\\.)*)"\s*/;
const MATCHERS_MAX = 20;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', '"': '"', '\\': '\\' };

const WANTED = 'a selector such as http_requests_total or http_requests_total{status=~"5.."}';

function refuse(what: string, advice: string): SelectorResult {
  return { kind: 'problem', message: `found ${what}; wanted ${WANTED}; ${advice}` };
}

export function parseSelector(text: string): SelectorResult {
  const metric = METRIC.exec(text.trim())?.[0];
  if (metric === undefined) return refuse('no metric name', 'begin with the name of the metric');
  const rest = text.trim().slice(metric.length).trimStart();
  if (rest === '') return { kind: 'selector', selector: { metric, matchers: [] } };
  if (rest.startsWith('(')) {
    return refuse('a function call', 'use an indicator of kind promql for expressions');
  }
  if (!rest.startsWith('{')) {
    const advice = rest.startsWith('[')
      ? 'leave the range out and set "over"'
      : 'use an indicator of kind promql for expressions';
    return refuse(`more after the metric ${metric}`, advice);
  }
  return parseMatchers(metric, rest.slice(1));
}

function parseMatchers(metric: string, text: string): SelectorResult {
  const matchers: Matcher[] = [];
  let rest = text.trimStart();
  while (!rest.startsWith('}')) {
    const parts = MATCHER.exec(rest);
    if (parts === null || matchers.length === MATCHERS_MAX) {
      return refuse(
        `a label matcher that cannot be read after ${metric}{`,
        `write label="value" with =, !=, =~ or !~, at most ${MATCHERS_MAX}, and close with }`,
      );
    }
    const [whole, label = '', op = '=', quoted = ''] = parts;
    const value = quoted.replace(/\\(.)/g, (_, char: string) => ESCAPES[char] ?? `\\${char}`);
    const wrong = matcherProblem(label, op, value, matchers);
    if (wrong !== null) return wrong;
    matchers.push({ label, op: op as Matcher['op'], value });
    rest = rest.slice(whole.length);
    if (rest === '') return refuse('no closing }', 'close the label matchers with }');
    if (rest.startsWith(',')) rest = rest.slice(1).trimStart();
    else if (!rest.startsWith('}')) return refuse('no comma between matchers', 'add a comma');
  }
  if (rest.slice(1).trim() !== '') {
    return refuse('text after the closing }', 'remove it; ranges go into "over"');
  }
  return { kind: 'selector', selector: { metric, matchers } };
}

function matcherProblem(
  label: string,
  op: string,
  value: string,
  before: readonly Matcher[],
): SelectorResult | null {
  if (label === '__name__' || label === 'le') {
    return refuse(`a matcher on ${label}`, `remove it: canaryd sets ${label} itself`);
  }
  if (before.some((matcher) => matcher.label === label && matcher.op === op)) {
    return refuse(`the label ${label} twice`, 'keep one of the two matchers');
  }
  if (op === '=~' || op === '!~') {
    const pattern = compilePattern(value.replace(/\$\{[a-z_]+\}/g, 'x'));
    if (pattern === null) {
      return refuse(`a broken regular expression for ${label}`, 'mend it or use = or !=');
    }
  }
  return null;
}
