// The points of one series that is kept for long, in one piece of memory that grows and is cut in
// place: a list of pairs takes five times as much, and there are millions of them.
import type { Point, Points } from '../core/series.ts';

/** Room for more when there is none: an eighth, so that few ticks copy, and at least so many. */
const SPARE_MIN = 8;

export class PackedPoints implements Points {
  /** Times and values in turn. */
  #room = new Float64Array(0);
  /** First point, and the one after the last. */
  #from = 0;
  #to = 0;

  get length(): number {
    return this.#to - this.#from;
  }

  /** Points for which there is memory. */
  get room(): number {
    return this.#room.length / 2;
  }

  at(index: number): Point | undefined {
    const at = index < 0 ? this.#to + index : this.#from + index;
    if (at < this.#from || at >= this.#to) return undefined;
    return [this.#timeAt(at), this.#room[2 * at + 1] ?? Number.NaN];
  }

  *[Symbol.iterator](): Generator<Point> {
    for (let index = 0; index < this.length; index += 1) {
      const point = this.at(index);
      if (point !== undefined) yield point;
    }
  }

  /** @param points in order of time; at the same time they count, and not what was known */
  merge(points: readonly Point[]): void {
    for (const [atMs, value] of points) {
      let at = this.#from + this.firstFrom(atMs);
      const isKnown = at < this.#to && this.#timeAt(at) === atMs;
      if (!isKnown) at = this.#openAt(at);
      this.#room[2 * at] = atMs;
      this.#room[2 * at + 1] = value;
    }
  }

  /** Index of the first point that is not before; their number when all are. */
  firstFrom(atMs: number): number {
    let at = this.#to;
    while (at > this.#from && this.#timeAt(at - 1) >= atMs) at -= 1;
    return at - this.#from;
  }

  /** @param count below 1: nothing */
  dropFirst(count: number): void {
    this.#from += Math.min(Math.max(0, count), this.length);
  }

  /**
   * Of the points before that time only the last one stays, and those at which the counter fell, each
   * with the one before it: they tell of restarts.
   */
  keepFallsBefore(atMs: number): void {
    const end = this.#from + this.firstFrom(atMs) - 1;
    let to = end;
    for (let at = end - 1; at >= this.#from; at -= 1) {
      if (this.#isFall(at) || this.#isFall(at + 1)) {
        to -= 1;
        this.#room.copyWithin(2 * to, 2 * at, 2 * at + 2);
      }
    }
    this.#from = Math.max(this.#from, to);
  }

  /** A number that is none may hide one. */
  #isFall(at: number): boolean {
    if (at <= this.#from) return false;
    return !((this.#room[2 * at + 1] ?? 0) >= (this.#room[2 * at - 1] ?? 0));
  }

  #timeAt(at: number): number {
    return this.#room[2 * at] ?? Number.NaN;
  }

  /** Room for one more point there; its place, which may be another after a move. */
  #openAt(at: number): number {
    let place = at;
    if (2 * this.#to === this.#room.length) {
      const spare = Math.max(SPARE_MIN, this.length >> 3);
      const room = new Float64Array(2 * (this.length + spare));
      room.set(this.#room.subarray(2 * this.#from, 2 * this.#to));
      place -= this.#from;
      this.#to -= this.#from;
      this.#from = 0;
      this.#room = room;
    }
    this.#room.copyWithin(2 * place + 2, 2 * place, 2 * this.#to);
    this.#to += 1;
    return place;
  }
}
