// Asks again and again while somebody looks, and less often when the answers take long: a page must
// not be what slows canaryd down.

/** Asking takes at most a tenth of the time. */
const REST_PER_WORK = 9;

export class Poller {
  #everyMs;
  #ask;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #round = 0;

  /**
   * @param {number} everyMs
   * @param {(isCurrent: () => boolean) => Promise<boolean>} ask false: asking again is of no use;
   *   a round that a newer one has overtaken is not current, and shows nothing
   */
  constructor(everyMs, ask) {
    this.#everyMs = everyMs;
    this.#ask = ask;
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) void this.now();
    });
  }

  async now() {
    clearTimeout(this.#timer);
    this.#round += 1;
    const round = this.#round;
    const began = performance.now();
    const goesOn = await this.#ask(() => round === this.#round);
    if (!goesOn || document.hidden || round !== this.#round) return;
    const rest = Math.max(this.#everyMs, REST_PER_WORK * (performance.now() - began));
    this.#timer = setTimeout(() => void this.now(), rest);
  }
}
