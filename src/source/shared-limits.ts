// What failed shared questions have taught, for a while: how many watches fit into one question, and
// which watches ask for themselves because they spoil it for the others.
import type { Clock } from '../kit/clock.ts';

/** Then it is tried again: a deploy with too many series ends, a server gets more memory. */
const HOLDS_FOR_MS = 5 * 60_000;
/** Beyond it the oldest one is forgotten, and learned again. */
const KEPT_MAX = 5_000;

type Limit = { readonly most: number; readonly until: number };

export class SharedLimits {
  readonly #clock: Clock;
  readonly #limits = new Map<string, Limit>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns null when nothing was learned of it */
  mostOf(key: string): number | null {
    const known = this.#limits.get(key);
    if (known === undefined) return null;
    if (this.#clock.monotonic() < known.until) return known.most;
    this.#limits.delete(key);
    return null;
  }

  /** At most so many from now on; what was learned before and is stricter stays. */
  limit(key: string, most: number): void {
    const strictest = Math.max(1, Math.min(most, this.mostOf(key) ?? most));
    this.#limits.delete(key);
    this.#limits.set(key, { most: strictest, until: this.#clock.monotonic() + HOLDS_FOR_MS });
    const [oldest] = this.#limits.keys();
    if (this.#limits.size > KEPT_MAX && oldest !== undefined) this.#limits.delete(oldest);
  }
}
