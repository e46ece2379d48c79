// Virtual time on which all who are due at one moment wake in one turn of the event loop, as timers
// of one millisecond do: what shares requests or writes of one turn can share them here.
import type { Journal } from '../../src/journal/journal.ts';
import { VirtualClock } from './virtual-clock.ts';

export class TogetherClock extends VirtualClock {
  readonly #moments = new Map<number, Promise<void>>();

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const dueAt = this.monotonic() + Math.max(ms, 0);
    const moment =
      this.#moments.get(dueAt) ?? super.sleep(ms).finally(() => this.#moments.delete(dueAt));
    this.#moments.set(dueAt, moment);
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal?.reason);
      if (signal?.aborted) return onAbort();
      signal?.addEventListener('abort', onAbort, { once: true });
      void moment.then(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }

  /** A journal that answers in the real world: virtual time stands still until it has. */
  real(journal: Journal): Journal {
    return new Proxy(journal, {
      get: (target, name: keyof Journal) => {
        const found = target[name];
        if (typeof found !== 'function') return found;
        return (...args: never[]) => {
          const result = (found as (...all: never[]) => unknown).apply(target, args);
          return result instanceof Promise ? this.standingStill(result) : result;
        };
      },
    });
  }
}
