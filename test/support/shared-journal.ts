// One journal for several replicas on virtual time: the real store, and beside it what a store of
// its own clock does for them (who lives, hints of what others wrote).
import { onTestFinished } from 'vitest';
import type { Journal, Replica } from '../../src/journal/journal.ts';
import type { VirtualClock } from './virtual-clock.ts';

export type JournalView = {
  readonly journal: Journal;
  /** The replica's process is gone: nothing it still asks is answered before the test has ended. */
  cut(): void;
  /** Its announcements fail, as those of a process that is stopped for a while. */
  silence(): void;
  /** It no longer hears of the others, nor they of it; it can read and write. */
  split(): void;
};

export class SharedJournal {
  readonly #store: Journal;
  readonly #clock: VirtualClock;
  readonly #replicas = new Map<string, { readonly replica: Replica; readonly untilMs: number }>();
  readonly #listeners = new Set<(watchId: string | null) => void>();

  constructor(store: Journal, clock: VirtualClock) {
    this.#store = store;
    this.#clock = clock;
  }

  view(): JournalView {
    const state = { isCut: false, isSplit: false, isSilent: false };
    const gone = Promise.withResolvers<never>();
    gone.promise.catch(() => undefined);
    const own: Partial<Journal> = {
      announce: async (replica, ttlMs) => {
        if (state.isSilent) throw new Error('silent');
        return state.isSplit ? [replica] : this.#announce(replica, ttlMs);
      },
      retire: async (id) => void this.#replicas.delete(id),
      listen: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
    const journal = new Proxy(this.#store, {
      get: (target, name: keyof Journal) => {
        const found = own[name] ?? target[name];
        if (typeof found !== 'function') return found;
        return (...args: never[]) =>
          state.isCut ? gone.promise : (found as (...all: never[]) => unknown).apply(target, args);
      },
    });
    return {
      journal,
      cut: () => {
        state.isCut = true;
        onTestFinished(() => gone.reject(new Error('gone')));
      },
      silence: () => {
        state.isSilent = true;
      },
      split: () => {
        state.isSplit = true;
      },
    };
  }

  #announce(replica: Replica, ttlMs: number): readonly Replica[] {
    const nowMs = this.#clock.monotonic();
    this.#replicas.set(replica.id, { replica, untilMs: nowMs + ttlMs });
    return [...this.#replicas.values()]
      .filter(({ untilMs }) => untilMs > nowMs)
      .map((entry) => entry.replica)
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Somebody else wrote, came or left. */
  hint(watchId: string | null): void {
    for (const listener of this.#listeners) listener(watchId);
  }
}
