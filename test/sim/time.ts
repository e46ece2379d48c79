// The one time of a simulated world. Replicas see it through clocks of their own, which may be
// wrong. Whoever is due wakes in order, and does all it can before the next one.
import type { Clock } from '../../src/kit/clock.ts';
import type { Dice } from './dice.ts';

/** 2026-01-01T00:00:00Z: the true time at the start of every world without a night of its own. */
export const FIRST_EPOCH_MS = Date.UTC(2026, 0, 1);

/** True time at the start of the present world: one world is run at a time. */
export let T0 = FIRST_EPOCH_MS;

export function beginAt(epochMs: number): void {
  T0 = epochMs;
}

export type Timer = { readonly at: number; readonly order: number; run: (() => void) | null };

export class Time {
  #now = 0;
  #order = 0;
  readonly #heap: Timer[] = [];

  /** Milliseconds since the world began. */
  get now(): number {
    return this.#now;
  }

  /** True wall time. */
  get wall(): number {
    return T0 + this.#now;
  }

  in(ms: number, run: () => void): Timer {
    this.#order += 1;
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order, run };
    this.#push(timer);
    return timer;
  }

  /** Waits as the world does: nobody can be killed in it. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.in(ms, resolve));
  }

  /** Until nothing is left to do, `isOver` says so, or the time is up. */
  async run(untilMs: number, isOver: () => boolean): Promise<void> {
    await settled();
    for (let timer = this.#heap[0]; timer !== undefined; timer = this.#heap[0]) {
      if (timer.at > untilMs) break;
      this.#pop();
      if (timer.run === null) continue;
      this.#now = timer.at;
      timer.run();
      await settled();
      if (isOver()) return;
    }
    this.#now = Math.max(this.#now, Math.min(untilMs, this.#heap[0]?.at ?? untilMs));
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(timer, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      let least = left;
      if (right !== undefined && isBefore(right, left)) {
        least = right;
        child += 1;
      }
      if (!isBefore(least, last)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** So often the event loop turns as well: a parent that wants this process to end is heard. */
const TURN_EVERY = 500;
let steps = 0;

/** Every promise that needs no time has settled: a tick is run when all of them have. */
function settled(): Promise<void> {
  steps += 1;
  const isTurn = steps % TURN_EVERY === 0;
  return new Promise((resolve) => (isTurn ? setImmediate(resolve) : process.nextTick(resolve)));
}

/** A machine's clock: its wall clock may be off and be set; its monotonic one only goes on. */
export class MachineClock {
  readonly #time: Time;
  skewMs: number;

  constructor(time: Time, skewMs: number) {
    this.#time = time;
    this.skewMs = skewMs;
  }

  now(): number {
    return Math.floor(this.#time.wall + this.skewMs);
  }
}

/** What one life of a replica sees; who sleeps in it when it is killed never wakes. */
export class LifeClock implements Clock {
  readonly #time: Time;
  readonly #machine: MachineClock;
  readonly #isAlive: () => boolean;
  readonly #dice: Dice;
  readonly #bornAt: number;

  constructor(time: Time, machine: MachineClock, isAlive: () => boolean, dice: Dice) {
    this.#time = time;
    this.#machine = machine;
    this.#isAlive = isAlive;
    this.#dice = dice;
    this.#bornAt = time.now;
  }

  now(): number {
    return this.#machine.now();
  }

  monotonic(): number {
    return this.#time.now - this.#bornAt;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        timer.run = null;
        if (this.#isAlive()) reject(signal?.reason);
      };
      // No machine wakes to the microsecond, and no two replicas keep step.
      const timer = this.#time.in(ms + this.#dice.next() * 2, () => {
        if (!this.#isAlive()) return;
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}
