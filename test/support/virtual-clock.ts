// Time that passes only when a test says so. The wall clock can be set apart from the monotonic
// one, as NTP or an administrator does.
import type { Clock } from '../../src/kit/clock.ts';
import { T0 } from './build.ts';

type Sleeper = { readonly dueAt: number; readonly wake: () => void };

export class VirtualClock implements Clock {
  #monotonic = 0;
  #wall: number;
  readonly #sleepers = new Set<Sleeper>();

  constructor(wallMs = T0) {
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

  /** Time passes: who is due wakes in order, and does all it can before the next one. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await settled();
    for (let next = this.#next(end); next !== null; next = this.#next(end)) {
      this.#move(Math.max(next.dueAt, this.#monotonic));
      this.#sleepers.delete(next);
      next.wake();
      await settled();
    }
    this.#move(end);
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
