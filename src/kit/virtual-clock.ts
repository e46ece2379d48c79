// Time that passes only when somebody says so: for replays and tests. The wall clock can be set
// apart from the monotonic one, as NTP or an administrator does.
import type { Clock } from './clock.ts';

type Sleeper = { readonly dueAt: number; readonly wake: () => void };

export class VirtualClock implements Clock {
  #monotonic = 0;
  #wall: number;
  readonly #sleepers = new Set<Sleeper>();
  /** Work in the real world that is under way: virtual time stands still meanwhile. */
  readonly #working = new Set<Promise<unknown>>();

  constructor(wallMs: number) {
    this.#wall = wallMs;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      const wake = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const sleeper = { dueAt: this.#monotonic + Math.max(ms, 0), wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** How many are asleep: what is left after a stop is a leak. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** The wall clock is set forward or back; nobody wakes. */
  setWall(byMs: number): void {
    this.#wall += byMs;
  }

  /** Work that takes real time (a request) and no virtual time. */
  async standingStill<Result>(work: Promise<Result>): Promise<Result> {
    this.#working.add(work);
    try {
      return await work;
    } finally {
      this.#working.delete(work);
    }
  }

  /** Time passes: who is due wakes in order, and does all it can before the next one. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await this.#quiet();
    for (let next = this.#next(end); next !== null; next = this.#next(end)) {
      this.#move(Math.max(next.dueAt, this.#monotonic));
      this.#sleepers.delete(next);
      next.wake();
      await this.#quiet();
    }
    this.#move(end);
  }

  async #quiet(): Promise<void> {
    await settled();
    while (this.#working.size > 0) {
      await Promise.allSettled([...this.#working]);
      await settled();
    }
  }

  #move(to: number): void {
    this.#wall += to - this.#monotonic;
    this.#monotonic = to;
  }

  /** Who is due first, in the order of falling asleep. */
  #next(end: number): Sleeper | null {
    let first: Sleeper | null = null;
    for (const sleeper of this.#sleepers) {
      if (sleeper.dueAt <= end && (first === null || sleeper.dueAt < first.dueAt)) first = sleeper;
    }
    return first;
  }
}

/** Every promise that needs no time has settled: the event loop has turned once. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
