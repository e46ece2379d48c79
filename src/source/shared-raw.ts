// Raw samples of many watches in one question. Watches of one policy want the same metrics and
// differ in the value of a label (the environment, the version): `{deploy=~"a|b|c"}`, and each gets
// the series that it asked for.
import type { Matcher } from '../core/policy.ts';
import type { Clock } from '../kit/clock.ts';
import type { Query, QueryAnswer } from './prometheus-api.ts';
import type { MatrixSeries } from './prometheus-result.ts';
import {
  escapeRegexp,
  namesOf,
  type RawNeed,
  rangeSelector,
  rawSelector,
  sharedMatchers,
} from './promql.ts';
import { type Answered, SHARED_MAX, type Shareable, SharedQuery } from './shared-query.ts';

/** @param fromMs, atMs the window of the samples; `atMs` is the query time */
export type RawQuestion = RawNeed & { readonly fromMs: number; readonly atMs: number };

/** How raw samples are asked for. */
export type RawQuery = (need: RawQuestion, signal: AbortSignal) => Promise<QueryAnswer>;

/** Each need as a question of its own. */
export function aloneOn(query: Query): RawQuery {
  return (need, signal) => query(rawSelector(need, need.atMs - need.fromMs), need.atMs, signal);
}

/** Needs of one turn of the event loop that fit together as one question. */
export function sharedOn(query: Query, clock: Clock): RawQuery {
  const shared = new SharedQuery(query, RAW, clock);
  return ({ metrics, selectors, fromMs, atMs }, signal) =>
    shared.ask(
      { names: namesOf(metrics), matchers: sharedMatchers(selectors), fromMs, atMs },
      signal,
    );
}

/** A watch that has to catch up on minutes shares with others that have to, not with all. */
const WINDOW_STEP_MS = 60_000;
/** Query times this close together are of one moment. */
const MOMENT_MS = 1_000;

type Need = Pick<RawQuestion, 'fromMs' | 'atMs'> & {
  readonly names: readonly string[];
  readonly matchers: readonly Matcher[];
};

const RAW: Shareable<Need> = {
  /** What has to be the same: metrics, labels, anything but the values of `=`; and the length. */
  shapeOf(need) {
    const shape = need.matchers.map(({ label, op, value }) => [
      label,
      op,
      op === '=' ? null : value,
    ]);
    return JSON.stringify([need.names, shape, minutesOf(need)]);
  },
  keyOf,
  partOf: keyOf,
  sizeOf: minutesOf,
  /** Watches times minutes: the answer is read in one go, and nothing else happens meanwhile. */
  sizeMax: 5 * SHARED_MAX,
  atMsOf: ({ atMs }) => atMs,
  isOfMoment: (one, oldest) => momentOf(one) === momentOf(oldest),
  questionOf(needs) {
    const [first] = needs;
    const atMs = Math.max(...needs.map((one) => one.atMs));
    const fromMs = Math.min(...needs.map((one) => one.fromMs));
    const matchers = (first?.matchers ?? []).map((matcher, index): Matcher => {
      if (matcher.op !== '=') return matcher;
      const values = new Set(needs.map((one) => one.matchers[index]?.value ?? ''));
      if (values.size === 1) return matcher;
      const value = [...values].sort().map(escapeRegexp).join('|');
      return { label: matcher.label, op: '=~', value };
    });
    return { promql: rangeSelector(first?.names ?? [], matchers, atMs - fromMs), atMs };
  },
  divided,
  // The window of one that did not ask is not what was too much.
  unasked: (failure) => ({ ...failure, fault: 'server' }),
};

function keyOf({ names, matchers }: Need): string {
  return JSON.stringify([names, matchers]);
}

function minutesOf({ atMs, fromMs }: Need): number {
  return Math.max(1, Math.ceil((atMs - fromMs) / WINDOW_STEP_MS));
}

function momentOf({ atMs }: Need): number {
  return Math.floor(atMs / MOMENT_MS);
}

/** Each gets the series whose labels are those that it named. */
function divided(answer: Answered, needs: readonly Need[]): (need: Need) => QueryAnswer {
  const { result, warnings } = answer;
  if (result.type !== 'matrix' || new Set(needs.map(keyOf)).size <= 1) return () => answer;
  const labels = (needs[0]?.matchers ?? []).flatMap(({ label, op }) => (op === '=' ? [label] : []));
  const partOf = (read: (label: string, index: number) => string) =>
    JSON.stringify(labels.map(read));
  const parts = Map.groupBy(result.series, ({ labels: own }: MatrixSeries) =>
    partOf((label) => (Object.hasOwn(own, label) ? (own[label] ?? '') : '')),
  );
  return ({ matchers }) => {
    const equal = matchers.filter(({ op }) => op === '=');
    const series = parts.get(partOf((_, index) => equal[index]?.value ?? '')) ?? [];
    return { kind: 'answered', result: { type: 'matrix', series }, warnings };
  };
}
