// Events of a log, counted by their own time in buckets: memory depends on the range that is looked
// at, not on how much is written. One bucket begins at the deploy, so that none mixes old and new.
import type { Counts } from '../../core/sample.ts';

/** A range is seen as so many buckets. */
const BUCKETS_IN_RANGE = 300;
const BUCKET_MS_MIN = 100;

export type Counted = 'good' | 'bad' | 'unreadable';

type Bucket = { part: number; total: number; unreadable: number };

export class EventCounts {
  readonly #buckets = new Map<number, Bucket>();
  readonly #widthMs: number;
  readonly #originMs: number;

  constructor(overMs: number, originMs: number) {
    this.#widthMs = Math.max(BUCKET_MS_MIN, Math.ceil(overMs / BUCKETS_IN_RANGE));
    this.#originMs = originMs;
  }

  add(atMs: number, what: Counted): void {
    const index = Math.floor((atMs - this.#originMs) / this.#widthMs);
    const bucket = this.#buckets.get(index) ?? { part: 0, total: 0, unreadable: 0 };
    if (what === 'unreadable') bucket.unreadable += 1;
    else bucket.total += 1;
    if (what === 'bad') bucket.part += 1;
    this.#buckets.set(index, bucket);
  }

  /** What ends before then will not be asked for. */
  drop(beforeMs: number): void {
    for (const index of this.#buckets.keys()) {
      if (this.#startOf(index) + this.#widthMs <= beforeMs) this.#buckets.delete(index);
    }
  }

  /**
   * Whole buckets from then on: what is cut counts neither as before nor as after.
   *
   * @param isNewest nothing later than `untilMs` was added: its bucket is whole, too
   */
  between(fromMs: number, untilMs: number, isNewest: boolean): Counts & { unreadable: number } {
    const sum = { part: 0, total: 0, unreadable: 0 };
    for (const [index, bucket] of this.#buckets) {
      const startMs = this.#startOf(index);
      const isWhole = isNewest ? startMs <= untilMs : startMs + this.#widthMs <= untilMs;
      if (startMs < fromMs || !isWhole) continue;
      sum.part += bucket.part;
      sum.total += bucket.total;
      sum.unreadable += bucket.unreadable;
    }
    return sum;
  }

  get size(): number {
    return this.#buckets.size;
  }

  #startOf(index: number): number {
    return this.#originMs + index * this.#widthMs;
  }
}
