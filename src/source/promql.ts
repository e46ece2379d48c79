// PromQL texts: what a person pastes into Grafana for an indicator, and what canaryd itself asks.
// Pure; knows no HTTP.
//
// The two differ on purpose. `rate()` and `increase()` extrapolate to the borders of the range, and
// two series that began seconds ago are extrapolated differently: straight after a deploy the
// quotient of two rates of a healthy service is anything between 66 % and 138 %. So canaryd fetches
// the raw samples (`rawSelector`) and counts increments itself, by the same code as for a scraped
// service. On series older than the range both give the same figure.
import type { Aggregate, Indicator, Matcher, Selector } from '../core/policy.ts';
import { formatDuration } from '../core/quantity.ts';
import type { SeriesIndicator } from '../core/read.ts';
import { escapeLabelValue } from '../core/template.ts';

/** Stands for the time since the deploy (at most `overMs`) in a `promql` indicator. */
export const RANGE_PLACEHOLDER = '${range}';
/** Label that tells the expressions of one combined query apart. */
export const INDICATOR_LABEL = 'canaryd_indicator';

const PLAIN_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/** What is asked for an indicator, for people to try. */
export function queryOf(indicator: Indicator): string {
  switch (indicator.kind) {
    case 'http':
      return `GET ${indicator.url}`;
    case 'audit_log':
      return `${indicator.bad} events of ${indicator.report} in ${formatDuration(indicator.overMs)}`;
    default:
      return promqlOf(indicator);
  }
}

/** The query of an indicator for people. `increase` since the deploy takes Grafana's own range. */
export function promqlOf(indicator: SeriesIndicator): string {
  switch (indicator.kind) {
    case 'ratio': {
      const range = formatDuration(indicator.overMs);
      const part = `sum(increase(${selectorText(indicator.numerator)}[${range}]))`;
      return `${part} / sum(increase(${selectorText(indicator.total)}[${range}]))`;
    }
    case 'quantile': {
      const { metric, matchers } = indicator.histogram;
      const buckets = selectorText({ metric: `${metric}_bucket`, matchers });
      const rates = `rate(${buckets}[${formatDuration(indicator.overMs)}])`;
      return `histogram_quantile(${indicator.q}, sum by (le) (${rates}))`;
    }
    case 'rate': {
      const range = formatDuration(indicator.overMs);
      return aggregated(indicator.aggregate, `rate(${selectorText(indicator.counter)}[${range}])`);
    }
    case 'increase': {
      const range = indicator.overMs === null ? '$__range' : formatDuration(indicator.overMs);
      return `sum(increase(${selectorText(indicator.counter)}[${range}]))`;
    }
    case 'gauge': {
      const value = aggregated(indicator.aggregate, selectorText(indicator.metric));
      return indicator.negate ? `-${value}` : value;
    }
    case 'promql': {
      const range = indicator.overMs === null ? '$__range' : formatDuration(indicator.overMs);
      return indicator.promql.replaceAll(RANGE_PLACEHOLDER, () => range);
    }
    default:
      return indicator satisfies never;
  }
}

function aggregated(aggregate: Aggregate, expression: string): string {
  return aggregate === 'one' ? expression : `${aggregate}(${expression})`;
}

/** `metric{label="value"}`, also for names that need quoting. */
export function selectorText({ metric, matchers }: Selector): string {
  if (PLAIN_NAME.test(metric)) {
    return matchers.length === 0 ? metric : `${metric}{${matchers.map(matcherText).join(',')}}`;
  }
  const name: Matcher = { label: '__name__', op: '=', value: metric };
  return `{${[name, ...matchers].map(matcherText).join(',')}}`;
}

function matcherText({ label, op, value }: Matcher): string {
  return `${label}${op}"${escapeLabelValue(value)}"`;
}

/** Which raw series of a source some indicators need. */
export type RawNeed = {
  readonly metrics: readonly string[];
  /** The selectors behind `metrics`. */
  readonly selectors: readonly Selector[];
};

/**
 * One range selector that covers every series needed, and as few others as can be said in one.
 * What it fetches too much, `measure` leaves out.
 */
export function rawSelector({ metrics, selectors }: RawNeed, windowMs: number): string {
  return rangeSelector(namesOf(metrics), sharedMatchers(selectors), windowMs);
}

export function namesOf(metrics: readonly string[]): readonly string[] {
  return [...new Set(metrics)].sort();
}

/**
 * One range selector over several metrics: `{__name__=~"a|b",job="x"}[75s]`.
 * @param names of metrics, each once, in order
 */
export function rangeSelector(
  names: readonly string[],
  matchers: readonly Matcher[],
  windowMs: number,
): string {
  const [only] = names;
  const name: Matcher =
    names.length === 1 && only !== undefined
      ? { label: '__name__', op: '=', value: only }
      : { label: '__name__', op: '=~', value: names.map(escapeRegexp).join('|') };
  const all = [name, ...matchers].map(matcherText);
  return `{${all.join(',')}}[${formatDuration(Math.max(1, Math.ceil(windowMs)))}]`;
}

/**
 * Matchers that every selector implies: those that all of them have, and for a label that each of
 * them fixes in its own way, any of these values.
 */
export function sharedMatchers(selectors: readonly Selector[]): readonly Matcher[] {
  const [first, ...rest] = selectors;
  if (first === undefined) return [];
  const common = first.matchers.filter((matcher) =>
    rest.every(({ matchers }) => matchers.some((other) => isSame(matcher, other))),
  );
  const labels = [...new Set(first.matchers.map(({ label }) => label))];
  const either = labels
    .filter((label) => !common.some((matcher) => matcher.label === label))
    .map((label) => anyOf(label, selectors))
    .filter((matcher) => matcher !== null);
  return [...common, ...either].sort((a, b) => (matcherText(a) < matcherText(b) ? -1 : 1));
}

function anyOf(label: string, selectors: readonly Selector[]): Matcher | null {
  const patterns = new Set<string>();
  for (const { matchers } of selectors) {
    const own = matchers.find((matcher) => matcher.label === label && isPositive(matcher));
    if (own === undefined) return null;
    patterns.add(own.op === '=' ? escapeRegexp(own.value) : `(?:${own.value})`);
  }
  return { label, op: '=~', value: [...patterns].sort().join('|') };
}

function isPositive({ op }: Matcher): boolean {
  return op === '=' || op === '=~';
}

function isSame(a: Matcher, b: Matcher): boolean {
  return a.label === b.label && a.op === b.op && a.value === b.value;
}

/** For RE2, which Prometheus anchors at both ends. */
export function escapeRegexp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/**
 * Puts the time since the deploy in the place of `${range}`, in whole seconds.
 * @returns null when the deploy is less than a second old, or a range since the deploy is meant and
 *   there was no deploy
 */
export function fillRange(
  { promql, overMs }: { readonly promql: string; readonly overMs: number | null },
  sinceDeployMs: number | null,
): string | null {
  if (!promql.includes(RANGE_PLACEHOLDER)) return promql;
  const rangeMs = Math.min(overMs ?? Infinity, sinceDeployMs ?? Infinity);
  const seconds = Math.floor(rangeMs / 1_000);
  if (!Number.isFinite(seconds) || seconds < 1) return null;
  return promql.replaceAll(RANGE_PLACEHOLDER, `${seconds}s`);
}

export type Expression = {
  readonly id: string;
  readonly promql: string;
  /** The expression gives a scalar, which has to become a vector first. */
  readonly isScalar: boolean;
};

/** Many expressions as one query; each stands on lines of its own, so comments end with them. */
export function combined(expressions: readonly Expression[]): string {
  return expressions
    .map(({ id, promql, isScalar }) => {
      const open = isScalar ? 'label_replace(vector(' : 'label_replace((';
      // In a replacement text `$` names a group of the regular expression.
      const value = escapeLabelValue(id).replaceAll('$', '$$$$');
      return `${open}\n${promql}\n), "${INDICATOR_LABEL}", "${value}", "", "")`;
    })
    .join('\nor\n');
}

/** On which expression of a combined query a line (counted from 1) is; null: between them. */
export function expressionAt(expressions: readonly Expression[], line: number): Expression | null {
  let before = 1;
  for (const one of expressions) {
    const end = before + one.promql.split('\n').length;
    if (line > before && line <= end) return one;
    // Its last line, and the `or`.
    before = end + 3;
  }
  return null;
}
