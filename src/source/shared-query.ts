// Asks for the raw samples of many watches at once. Watches of one policy want the same metrics at the
// same moment and differ in the value of a label (the environment, the version): their questions of
// one turn of the event loop become one, `{deploy=~"a|b|c"}`, and each gets the series that it asked
// for. It may not give a watch a series that its own question would not have brought.
import type { Matcher } from '../core/policy.ts';
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

/** @param fromMs, atMs the window of the samples; `atMs` is the query time */
export type RawQuestion = RawNeed & { readonly fromMs: number; readonly atMs: number };

/** How raw samples are asked for. */
export type RawQuery = (need: RawQuestion, signal: AbortSignal) => Promise<QueryAnswer>;

/** Each need as a question of its own. */
export function aloneOn(query: Query): RawQuery {
  return (need, signal) => query(rawSelector(need, need.atMs - need.fromMs), need.atMs, signal);
}

/** Watches in one question: its answer is one text, and one part of it may not blind too many. */
export const SHARED_MAX = 50;
/** A watch that has to catch up on minutes shares with others that have to, not with all. */
const WINDOW_STEP_MS = 60_000;
/** Query times this close together are of one moment. */
const MOMENT_MS = 1_000;

const ENDED: QueryAnswer = {
  kind: 'failed',
  reason: 'unreachable',
  detail: 'the tick ended before the answer',
  fault: 'server',
};

type Waiting = {
  readonly need: RawQuestion;
  readonly names: readonly string[];
  readonly matchers: readonly Matcher[];
  readonly signal: AbortSignal;
  readonly resolve: (answer: QueryAnswer) => void;
};

/** Needs of one turn of the event loop that fit together as one question. */
export function sharedOn(query: Query): RawQuery {
  const alone = aloneOn(query);
  let waiting: Waiting[] = [];

  function flush(): void {
    const all = waiting;
    waiting = [];
    for (const group of Map.groupBy(all, kindOf).values()) {
      for (let from = 0; from < group.length; from += SHARED_MAX) {
        void together(group.slice(from, from + SHARED_MAX));
      }
    }
  }

  async function together(group: readonly Waiting[]): Promise<void> {
    const [first] = group;
    if (first === undefined) return;
    if (group.length === 1) return first.resolve(await alone(first.need, first.signal));
    const answer = await asked(query, group);
    if (answer.kind === 'failed' && answer.fault !== 'server') {
      // One deploy with too many series is no reason to blind the others.
      for (const one of group) void alone(one.need, one.signal).then(one.resolve);
      return;
    }
    const partOf = divided(answer, group);
    for (const one of group) one.resolve(partOf(one));
  }

  return (need, signal) =>
    new Promise((resolve) => {
      if (waiting.length === 0) setImmediate(flush);
      const names = namesOf(need.metrics);
      waiting.push({ need, names, matchers: sharedMatchers(need.selectors), signal, resolve });
      // The question goes on for the others; this one waits no longer.
      signal.addEventListener('abort', () => resolve(ENDED), { once: true });
    });
}

/** What has to be the same: metrics, labels, anything but the values of `=`, moment, length. */
function kindOf({ need, names, matchers }: Waiting): string {
  const shape = matchers.map((one) => [one.label, one.op, one.op === '=' ? null : one.value]);
  const moment = Math.floor(need.atMs / MOMENT_MS);
  const length = Math.ceil((need.atMs - need.fromMs) / WINDOW_STEP_MS);
  return JSON.stringify([names, shape, moment, length]);
}

async function asked(query: Query, group: readonly Waiting[]): Promise<QueryAnswer> {
  const [first] = group;
  const atMs = Math.max(...group.map(({ need }) => need.atMs));
  const fromMs = Math.min(...group.map(({ need }) => need.fromMs));
  const matchers = (first?.matchers ?? []).map((matcher, index): Matcher => {
    if (matcher.op !== '=') return matcher;
    const values = new Set(group.map((one) => one.matchers[index]?.value ?? ''));
    if (values.size === 1) return matcher;
    const value = [...values].sort().map(escapeRegexp).join('|');
    return { label: matcher.label, op: '=~', value };
  });
  const promql = rangeSelector(first?.names ?? [], matchers, atMs - fromMs);
  const cut = new AbortController();
  const follow = () => {
    // The others still wait for it.
    if (group.every(({ signal }) => signal.aborted)) cut.abort();
  };
  for (const { signal } of group) signal.addEventListener('abort', follow, { once: true });
  follow();
  try {
    return await query(promql, atMs, cut.signal);
  } finally {
    for (const { signal } of group) signal.removeEventListener('abort', follow);
  }
}

/** Each gets the series whose labels are those that it named. */
function divided(answer: QueryAnswer, group: readonly Waiting[]): (one: Waiting) => QueryAnswer {
  if (answer.kind === 'failed' || answer.result.type !== 'matrix') return () => answer;
  const [first] = group;
  const labels = (first?.matchers ?? []).flatMap(({ label, op }) => (op === '=' ? [label] : []));
  const keyOf = (read: (label: string, index: number) => string) =>
    JSON.stringify(labels.map(read));
  const parts = Map.groupBy(answer.result.series, ({ labels: own }: MatrixSeries) =>
    keyOf((label) => (Object.hasOwn(own, label) ? (own[label] ?? '') : '')),
  );
  const { warnings } = answer;
  return ({ matchers }) => {
    const equal = matchers.filter(({ op }) => op === '=');
    const series = parts.get(keyOf((_, index) => equal[index]?.value ?? '')) ?? [];
    return { kind: 'answered', result: { type: 'matrix', series }, warnings };
  };
}
