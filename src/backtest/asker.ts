// How a backtest asks a Prometheus that others need too: few questions at once, a pause between
// them, passing failures asked again with growing waits, and everything counted.
// May not go on when the source is lost: a backtest of blind minutes would say something untrue.
import type { Clock } from '../kit/clock.ts';
import { retry } from '../kit/retry.ts';
import type { Ask, QueryAnswer, Question } from '../source/prometheus-api.ts';
import type { Load } from './result.ts';

/** The source does not answer, or answers nobody: nothing that is asked now makes sense. */
export class SourceLost extends Error {
  override readonly name = 'SourceLost';
}

export type AskerOptions = {
  readonly ask: Ask;
  readonly clock: Clock;
  readonly atOnce: number;
  /** From the start of one question to the start of the next. */
  readonly paceMs: number;
  /** Ends everything; a question that is asked then rejects with its reason. */
  readonly signal: AbortSignal;
  /** Default: `FIRST_WAIT_MS`. */
  readonly firstWaitMs?: number;
};

/** Of a source that has answered before: half a minute, in which it may restart. */
const ATTEMPTS = 6;
const FIRST_WAIT_MS = 500;
/** Of one that has not: the URL may be wrong. */
const ATTEMPTS_AT_FIRST = 3;

export const NO_LOAD: Load = {
  requests: 0,
  samples: null,
  bytes: 0,
  seconds: 0,
  slowestSeconds: 0,
};

export class Asker {
  readonly #options: AskerOptions;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #nextStartAt = 0;
  #lost: SourceLost | null = null;
  #load = NO_LOAD;
  #hasAnswered = false;

  constructor(options: AskerOptions) {
    this.#options = options;
  }

  /** What was asked since this was called last. */
  takeLoad(): Load {
    const load = this.#load;
    this.#load = NO_LOAD;
    return load;
  }

  /** Rejects with SourceLost, or with the reason of the signal; everything else is an answer. */
  async ask(question: Question): Promise<QueryAnswer> {
    const { signal, firstWaitMs = FIRST_WAIT_MS } = this.#options;
    const answer = await retry(() => this.#askOnce(question), {
      isPassing: (one) =>
        one.kind === 'failed' && one.fault === 'server' && one.reason === 'unreachable',
      attempts: this.#hasAnswered ? ATTEMPTS : ATTEMPTS_AT_FIRST,
      firstWaitMs,
      signal,
    });
    signal.throwIfAborted();
    if (answer.kind === 'answered') this.#hasAnswered = true;
    if (answer.kind === 'failed' && answer.fault === 'server') throw this.#lose(answer.detail);
    return answer;
  }

  /** Nothing is asked any more. */
  lose(why: string): never {
    throw this.#lose(why);
  }

  #lose(why: string): SourceLost {
    this.#lost ??= new SourceLost(why);
    return this.#lost;
  }

  async #askOnce(question: Question): Promise<QueryAnswer> {
    const { ask, signal } = this.#options;
    await this.#enter();
    try {
      signal.throwIfAborted();
      if (this.#lost !== null) throw this.#lost;
      const asked = await ask({ ...question, withStats: true }, signal);
      this.#load = plus(this.#load, {
        requests: 1,
        samples: asked.samples,
        bytes: asked.bytes,
        seconds: asked.seconds,
        slowestSeconds: asked.seconds,
      });
      return asked.answer;
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    const { atOnce, clock, paceMs, signal } = this.#options;
    if (this.#running >= atOnce) {
      await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    }
    this.#running += 1;
    const now = clock.monotonic();
    const startAt = Math.max(now, this.#nextStartAt);
    this.#nextStartAt = startAt + paceMs;
    if (startAt > now) await clock.sleep(startAt - now, signal).catch(() => {});
  }

  #leave(): void {
    this.#running -= 1;
    this.#waiting.shift()?.();
  }
}

export function plus(a: Load, b: Load): Load {
  const samples = a.samples === null ? b.samples : a.samples + (b.samples ?? 0);
  return {
    requests: a.requests + b.requests,
    samples,
    bytes: a.bytes + b.bytes,
    seconds: a.seconds + b.seconds,
    slowestSeconds: Math.max(a.slowestSeconds, b.slowestSeconds),
  };
}
