// Asks for many watches at once. Watches of one policy want much the same at the same moment: their
// questions of one turn of the event loop become one, and each gets its part of the answer. What can
// be one question, and how its answer is divided, is said by each kind of `Shareable`. It may not
// give a watch anything that its own question would not have brought.
import type { Clock } from '../kit/clock.ts';
import type { Query, QueryAnswer } from './prometheus-api.ts';
import { SharedLimits } from './shared-limits.ts';

/** What some watches want of a source, as one question. */
export interface Shareable<Need> {
  /** Needs of other shapes are never one question. */
  shapeOf(need: Need): string;
  /** Remembers across ticks which need spoils questions for others. */
  keyOf(need: Need): string;
  /** Equal ones of one moment are one part of a question, however many watches want it. */
  partOf(need: Need): string;
  /** How much of a question, or of its answer, it makes up; a question has at most `sizeMax`. */
  sizeOf(need: Need): number;
  readonly sizeMax: number;
  atMsOf(need: Need): number;
  /** Whether it may be asked with the one of these whose time is the oldest. */
  isOfMoment(need: Need, oldest: Need): boolean;
  questionOf(needs: readonly Need[]): { readonly promql: string; readonly atMs: number };
  divided(answer: Answered, needs: readonly Need[]): (need: Need) => QueryAnswer;
  /** For those that were not asked alone, because nobody gets an answer. */
  unasked(failure: Failure): Failure;
}

export type Answered = Extract<QueryAnswer, { kind: 'answered' }>;
export type Failure = Extract<QueryAnswer, { kind: 'failed' }>;

/** Watches in one question: its answer is one text, and one part of it may not blind too many. */
export const SHARED_MAX = 50;
/** After a shared question has failed: so many ask alone whether the server answers anybody. */
export const PROBES = 2;
/** Steps of so much of a round meet every part, however many questions fail at each tick. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;
/** Of the parts of a question: when more than these had no answer in time, they are not to blame. */
const SPOILERS_PART = 0.25;

const ENDED: QueryAnswer = {
  kind: 'failed',
  reason: 'unreachable',
  detail: 'the tick ended before the answer',
  fault: 'server',
};

type Waiting<Need> = {
  readonly need: Need;
  readonly signal: AbortSignal;
  readonly resolve: (answer: QueryAnswer) => void;
  readonly reject: (error: unknown) => void;
};

/** All who want the same: never empty. */
type Part<Need> = readonly [Waiting<Need>, ...Waiting<Need>[]];
type Found<Need> = { readonly part: Part<Need>; readonly isAnswered: boolean };

export class SharedQuery<Need> {
  readonly #query: Query;
  readonly #kind: Shareable<Need>;
  readonly #limits: SharedLimits;
  #waiting: Waiting<Need>[] = [];
  #failures = 0;

  constructor(query: Query, kind: Shareable<Need>, clock: Clock) {
    this.#query = query;
    this.#kind = kind;
    this.#limits = new SharedLimits(clock);
  }

  ask(need: Need, signal: AbortSignal): Promise<QueryAnswer> {
    if (signal.aborted) return Promise.resolve(ENDED);
    const { promise, resolve, reject } = Promise.withResolvers<QueryAnswer>();
    if (this.#waiting.length === 0) setImmediate(() => this.#flush());
    this.#waiting.push({ need, signal, resolve, reject });
    // The question goes on for the others; this one waits no longer.
    const ended = () => resolve(ENDED);
    signal.addEventListener('abort', ended, { once: true });
    return promise.finally(() => signal.removeEventListener('abort', ended));
  }

  #flush(): void {
    const all = this.#waiting.filter(({ signal }) => !signal.aborted);
    this.#waiting = [];
    const groups = [...Map.groupBy(all, ({ need }) => this.#groupOf(need)).values()];
    for (const parts of groups.flatMap((group) => this.#questions(group))) {
      this.#together(parts).catch((error: unknown) => {
        for (const { reject } of parts.flat()) reject(error);
      });
    }
  }

  /** One that has spoilt it for the others is not with them. */
  #groupOf(need: Need): string {
    const key = this.#kind.keyOf(need);
    return JSON.stringify([
      this.#kind.shapeOf(need),
      this.#limits.mostOf(key) === null ? null : key,
    ]);
  }

  #questions(group: readonly Waiting<Need>[]): readonly (readonly Part<Need>[])[] {
    const kind = this.#kind;
    const questions: Part<Need>[][] = [];
    let rest = group.toSorted((a, b) => kind.atMsOf(a.need) - kind.atMsOf(b.need));
    for (let [oldest] = rest; oldest !== undefined; [oldest] = rest) {
      const first = oldest;
      const isWith = (one: Waiting<Need>) => one === first || kind.isOfMoment(one.need, first.need);
      const parts = Map.groupBy(rest.filter(isWith), ({ need }) => kind.partOf(need));
      questions.push(...this.#fitting([...parts.values()].flatMap(partOf)));
      rest = rest.filter((one) => !isWith(one));
    }
    return questions;
  }

  /** As many in one question as it can hold; one that is too large alone is one. */
  #fitting(parts: readonly Part<Need>[]): readonly Part<Need>[][] {
    const questions: Part<Need>[][] = [];
    let size = 0;
    for (const part of parts) {
      const [{ need }] = part;
      const last = questions.at(-1);
      const own = this.#kind.sizeOf(need);
      size += own;
      if (last && last.length < this.#mostOf(need) && size <= this.#kind.sizeMax) last.push(part);
      else {
        questions.push([part]);
        size = own;
      }
    }
    return questions;
  }

  #mostOf(need: Need): number {
    const known = [this.#kind.keyOf(need), this.#kind.shapeOf(need)];
    return Math.min(...known.map((key) => this.#limits.mostOf(key) ?? SHARED_MAX));
  }

  async #together(parts: readonly Part<Need>[]): Promise<void> {
    const answer = await this.#asked(parts);
    const [first, ...more] = parts;
    if (answer.kind === 'failed' && more.length > 0) return this.#eachAlone(parts, answer);
    this.#give(parts, answer);
    if (answer.kind === 'answered' || first === undefined || isEnded(first)) return;
    // It still spoils what it is in.
    const key = this.#kind.keyOf(first[0].need);
    if (this.#limits.mostOf(key) !== null) this.#limits.limit(key, 1);
  }

  #give(parts: readonly Part<Need>[], answer: QueryAnswer): void {
    const all = parts.flat();
    const needs = all.map(({ need }) => need);
    const own = answer.kind === 'answered' ? this.#kind.divided(answer, needs) : () => answer;
    for (const { need, resolve } of all) resolve(own(need));
  }

  /** One deploy with too many series, or a gateway with a limit, is no reason to blind the others. */
  async #eachAlone(parts: readonly Part<Need>[], failure: Failure): Promise<void> {
    const inTurn = this.#inTurn(parts.filter((part) => !isEnded(part)));
    const mayBeDown = failure.fault === 'server' || failure.fault === 'slow';
    const first = mayBeDown ? inTurn.slice(0, PROBES) : inTurn;
    const others = inTurn.slice(first.length);
    const found = await Promise.all(first.map((part) => this.#askedAlone(part)));
    if (found.every(({ isAnswered }) => !isAnswered)) {
      // Nobody gets an answer, also not for little: to ask for all of them would make it worse.
      this.#give(others, this.#kind.unasked(failure));
      return;
    }
    found.push(...(await Promise.all(others.map((part) => this.#askedAlone(part)))));
    this.#learn(parts, found, mayBeDown);
  }

  /** Another one begins at each failure: those that ask first may be the ones that spoil it. */
  #inTurn(parts: readonly Part<Need>[]): readonly Part<Need>[] {
    const begin = Math.floor(((this.#failures * GOLDEN) % 1) * parts.length);
    this.#failures += 1;
    return [...parts.slice(begin), ...parts.slice(0, begin)];
  }

  async #askedAlone(part: Part<Need>): Promise<Found<Need>> {
    const answer = await this.#asked([part]);
    this.#give([part], answer);
    return { part, isAnswered: answer.kind === 'answered' };
  }

  /** Not the same twice at each tick: a question that failed, and all of its parts alone. */
  #learn(parts: readonly Part<Need>[], found: readonly Found<Need>[], mayBeDown: boolean): void {
    const [first] = parts;
    const spoilers = found.filter(({ part, isAnswered }) => !isAnswered && !isEnded(part));
    // A server that can hardly keep up fails many: to ask for each of them would be still more.
    const areFew = !mayBeDown || spoilers.length <= SPOILERS_PART * parts.length;
    if (spoilers.length > 0 && areFew) {
      for (const { part } of spoilers) this.#limits.limit(this.#kind.keyOf(part[0].need), 1);
    } else if (first !== undefined) {
      this.#limits.limit(this.#kind.shapeOf(first[0].need), Math.floor(parts.length / 2));
    }
  }

  async #asked(parts: readonly Part<Need>[]): Promise<QueryAnswer> {
    const signals = parts.flat().map(({ signal }) => signal);
    const { promql, atMs } = this.#kind.questionOf(parts.flat().map(({ need }) => need));
    const cut = new AbortController();
    const follow = () => {
      // The others still wait for it.
      if (signals.every(({ aborted }) => aborted)) cut.abort();
    };
    for (const signal of signals) signal.addEventListener('abort', follow, { once: true });
    follow();
    try {
      return await this.#query(promql, atMs, cut.signal);
    } finally {
      for (const signal of signals) signal.removeEventListener('abort', follow);
    }
  }
}

function partOf<Need>([first, ...others]: readonly Waiting<Need>[]): readonly Part<Need>[] {
  return first === undefined ? [] : [[first, ...others]];
}

function isEnded<Need>(part: Part<Need>): boolean {
  return part.every(({ signal }) => signal.aborted);
}
