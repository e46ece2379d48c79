// What time it is at the server. A phone's clock may be minutes off, and "3 min ago" must be true:
// every answer's Date header bounds the difference, and the bounds narrow with each answer.

/** A Date header names a whole second: the true time is up to this much later. */
const HEADER_STEP_MS = 1_000;

export class ServerClock {
  /** @type {() => number} */
  #monotonic;
  #low = Number.NEGATIVE_INFINITY;
  #high = Number.POSITIVE_INFINITY;

  /** @param {() => number} monotonic never goes back, whatever happens to the clock on the wall */
  constructor(monotonic) {
    this.#monotonic = monotonic;
  }

  /** Before the request is sent; hand it to `observe`. */
  mark() {
    return this.#monotonic();
  }

  /**
   * @param {string | null} date the answer's Date header
   * @param {number} sentAt what `mark` gave
   */
  observe(date, sentAt) {
    const server = Date.parse(date ?? '');
    if (Number.isNaN(server)) return;
    const low = server - this.#monotonic();
    const high = server + HEADER_STEP_MS - sentAt;
    const newLow = Math.max(low, this.#low);
    const newHigh = Math.min(high, this.#high);
    // No time fits all answers: a clock was set, or the phone slept. What counts is the present.
    [this.#low, this.#high] = newLow <= newHigh ? [newLow, newHigh] : [low, high];
  }

  /** Whether any answer told the time. */
  get isSet() {
    return Number.isFinite(this.#low);
  }

  /** Server's time, ms since 1970; 0 before the first answer. */
  now() {
    if (!this.isSet) return 0;
    return this.#monotonic() + (this.#low + this.#high) / 2;
  }
}
