// Which series a selector means. The rules are those of Prometheus: a missing label is an empty
// one, and a regular expression must match the whole value.
import { compilePattern } from './pattern.ts';
import type { Indicator, Matcher, Selector } from './policy.ts';
import type { Blind } from './sample.ts';
import type { Series } from './series.ts';

export type Selection = { readonly kind: 'selected'; readonly series: readonly Series[] };

type Test = (labels: Series['labels']) => boolean;

export function select(series: readonly Series[], selector: Selector): Selection | Blind {
  const tests: Test[] = [];
  for (const matcher of selector.matchers) {
    const test = testOf(matcher);
    if (test === null) {
      const text = matcherText(matcher);
      const detail = cut(`${text} in the policy is not a valid regular expression: correct it`);
      return { kind: 'blind', reason: 'rejected', detail };
    }
    tests.push(test);
  }
  const selected = series.filter(
    ({ metric, labels }) => metric === selector.metric && tests.every((test) => test(labels)),
  );
  return { kind: 'selected', series: selected };
}

function testOf({ label, op, value }: Matcher): Test | null {
  const wanted = op === '=' || op === '=~';
  // `hasOwn`: a label may be called `constructor`.
  const read = (labels: Series['labels']) =>
    Object.hasOwn(labels, label) ? (labels[label] ?? '') : '';
  if (op === '=' || op === '!=') return (labels) => (read(labels) === value) === wanted;
  const pattern = compilePattern(value);
  return pattern && ((labels) => pattern.matches(read(labels)) === wanted);
}

/** `metric{label="value"}` as a person would write it. */
export function selectorText(selector: Selector): string {
  if (selector.matchers.length === 0) return selector.metric;
  return `${selector.metric}{${selector.matchers.map(matcherText).join(',')}}`;
}

function matcherText({ label, op, value }: Matcher): string {
  return `${label}${op}${JSON.stringify(value)}`;
}

const DETAIL_MAX = 300;

/** At most as long as the detail of a reading may be. */
export function cut(text: string, max: number = DETAIL_MAX): string {
  return text.length <= max ? text : `${text.slice(0, max - 3)}...`;
}

/** Which series an indicator is made of; those of PromQL stand in its text, a health check has none. */
export function selectorsOf(indicator: Indicator): readonly Selector[] {
  switch (indicator.kind) {
    case 'ratio':
      return [indicator.numerator, indicator.total];
    case 'quantile':
      return [indicator.histogram];
    case 'rate':
    case 'increase':
      return [indicator.counter];
    case 'gauge':
      return [indicator.metric];
    case 'promql':
    case 'http':
    case 'audit_log':
      return [];
    default:
      return indicator satisfies never;
  }
}
