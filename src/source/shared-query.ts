// Asks for the raw samples of many watches at once. Watches of one policy want the same metrics at the
// same moment and differ in the value of a label (the environment, the version): their questions of
// one turn of the event loop become one, `{deploy=~"a|b|c"}`, and each gets the series that it asked
// for. It may not give a watch a series that its own question would not have brought.
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
import { SharedLimits } from './shared-limits.ts';

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
/** Watches times minutes: the answer is read in one go, and nothing else happens meanwhile. */
const WATCH_MINUTES_MAX = 5 * SHARED_MAX;
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
  readonly reject: (error: unknown) => void;
};

type Found = { readonly one: Waiting; readonly isAnswered: boolean };
type Failure = Extract<QueryAnswer, { kind: 'failed' }>;

/** After a shared question has failed: so many ask alone whether the server answers anybody. */
const PROBES = 2;
/** Of the watches of a question: when more than these had no answer in time, they are not to blame. */
const SPOILERS_PART = 0.25;

/** Needs of one turn of the event loop that fit together as one question. */
export function sharedOn(query: Query, clock: Clock): RawQuery {
  const shared = new SharedQuery(query, clock);
  return (need, signal) => shared.ask(need, signal);
}

class SharedQuery {
  readonly #query: Query;
  readonly #alone: RawQuery;
  readonly #limits: SharedLimits;
  #waiting: Waiting[] = [];
  #failures = 0;

  constructor(query: Query, clock: Clock) {
    this.#query = query;
    this.#alone = aloneOn(query);
    this.#limits = new SharedLimits(clock);
  }

  ask(need: RawQuestion, signal: AbortSignal): Promise<QueryAnswer> {
    if (signal.aborted) return Promise.resolve(ENDED);
    const { promise, resolve, reject } = Promise.withResolvers<QueryAnswer>();
    if (this.#waiting.length === 0) setImmediate(() => this.#flush());
    const names = namesOf(need.metrics);
    const matchers = sharedMatchers(need.selectors);
    this.#waiting.push({ need, names, matchers, signal, resolve, reject });
    // The question goes on for the others; this one waits no longer.
    const ended = () => resolve(ENDED);
    signal.addEventListener('abort', ended, { once: true });
    return promise.finally(() => signal.removeEventListener('abort', ended));
  }

  #flush(): void {
    const all = this.#waiting.filter(({ signal }) => !signal.aborted);
    this.#waiting = [];
    for (const group of Map.groupBy(all, (one) => this.#groupOf(one)).values()) {
      const most = this.#mostOf(group);
      for (let from = 0; from < group.length; from += most) {
        const some = group.slice(from, from + most);
        this.#together(some).catch((error: unknown) => {
          for (const { reject } of some) reject(error);
        });
      }
    }
  }

  /** One that has spoilt it for the others is not with them. */
  #groupOf(one: Waiting): string {
    const moment = Math.floor(one.need.atMs / MOMENT_MS);
    const own = ownKeyOf(one);
    return JSON.stringify([shapeOf(one), moment, this.#limits.mostOf(own) === null ? null : own]);
  }

  #mostOf([first]: readonly Waiting[]): number {
    if (first === undefined) return SHARED_MAX;
    const known = [this.#limits.mostOf(ownKeyOf(first)), this.#limits.mostOf(shapeOf(first))];
    const readable = Math.max(1, Math.floor(WATCH_MINUTES_MAX / minutesOf(first)));
    return Math.min(readable, ...known.map((most) => most ?? SHARED_MAX));
  }

  async #together(group: readonly Waiting[]): Promise<void> {
    const [first, second] = group;
    if (first === undefined) return;
    if (second === undefined) return first.resolve(await this.#alone(first.need, first.signal));
    const answer = await asked(this.#query, group);
    if (answer.kind === 'failed') return this.#eachAlone(group, answer);
    const partOf = divided(answer, group);
    for (const one of group) one.resolve(partOf(one));
  }

  /** One deploy with too many series, or a gateway with a limit, is no reason to blind the others. */
  async #eachAlone(group: readonly Waiting[], failure: Failure): Promise<void> {
    const inTurn = this.#inTurn(group.filter(({ signal }) => !signal.aborted));
    const mayBeDown = failure.fault === 'server' || failure.fault === 'slow';
    const first = mayBeDown ? inTurn.slice(0, PROBES) : inTurn;
    const others = inTurn.slice(first.length);
    const found = await Promise.all(first.map((one) => this.#askedAlone(one)));
    if (found.every(({ isAnswered }) => !isAnswered)) {
      // Nobody gets an answer, also not for little: to ask for all of them would make it worse.
      for (const one of others) one.resolve({ ...failure, fault: 'server' });
      return;
    }
    found.push(...(await Promise.all(others.map((one) => this.#askedAlone(one)))));
    this.#learn(group, found, mayBeDown);
  }

  /** Another one begins at each failure: those that ask first may be the ones that spoil it. */
  #inTurn(group: readonly Waiting[]): readonly Waiting[] {
    const begin = (this.#failures * PROBES) % Math.max(1, group.length);
    this.#failures += 1;
    return [...group.slice(begin), ...group.slice(0, begin)];
  }

  async #askedAlone(one: Waiting): Promise<Found> {
    const answer = await this.#alone(one.need, one.signal);
    one.resolve(answer);
    return { one, isAnswered: answer.kind === 'answered' };
  }

  /** Not the same twice at each tick: a question that failed, and all of its watches alone. */
  #learn(group: readonly Waiting[], found: readonly Found[], mayBeDown: boolean): void {
    const [first] = group;
    const spoilers = found.filter(({ one, isAnswered }) => !isAnswered && !one.signal.aborted);
    // A server that can hardly keep up fails many: to ask for each of them would be still more.
    const areFew = !mayBeDown || spoilers.length <= SPOILERS_PART * group.length;
    if (spoilers.length > 0 && areFew) {
      for (const { one } of spoilers) this.#limits.limit(ownKeyOf(one), 1);
    } else if (first !== undefined) {
      this.#limits.limit(shapeOf(first), Math.floor(group.length / 2));
    }
  }
}

/** What has to be the same: metrics, labels, anything but the values of `=`, length; and the moment. */
function shapeOf({ need, names, matchers }: Waiting): string {
  const shape = matchers.map((one) => [one.label, one.op, one.op === '=' ? null : one.value]);
  return JSON.stringify([names, shape, minutesOf({ need })]);
}

function minutesOf({ need }: Pick<Waiting, 'need'>): number {
  return Math.max(1, Math.ceil((need.atMs - need.fromMs) / WINDOW_STEP_MS));
}

function ownKeyOf({ names, matchers }: Waiting): string {
  return JSON.stringify([names, matchers]);
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
