// Live listeners of the API's event streams. They see what was appended; they decide nothing.
import type { Change } from './control.ts';

/** More listeners than this are refused by the HTTP layer long before; a leak shows here. */
const LISTENERS_MAX = 1_000;

export class Subscribers {
  readonly #listeners = new Set<{
    readonly watchId: string | null;
    readonly listener: (change: Change) => void;
  }>();

  add(watchId: string | null, listener: (change: Change) => void): () => void {
    if (this.#listeners.size >= LISTENERS_MAX) {
      throw new Error(`Cannot subscribe: ${LISTENERS_MAX} listeners are there already`);
    }
    const entry = { watchId, listener };
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  publish(change: Change): void {
    for (const { watchId, listener } of this.#listeners) {
      if (watchId !== null && watchId !== change.watchId) continue;
      try {
        listener(change);
      } catch {
        // What was appended stands: a listener that fails may harm neither it nor the others.
      }
    }
  }
}
