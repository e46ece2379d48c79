// Remembers when something was last opened or closed, because a message may be late: it failed for
// minutes, and newer ones were let pass. One that opens must not outlive what has closed it since, and
// one that closes must not end what has been opened since.
export type Latest = {
  readonly note: (key: string, atMs: number) => void;
  /** The last time, when it is later than this; else null. */
  readonly after: (key: string, atMs: number) => number | null;
};

/** Remembered; the oldest is forgotten. */
const KEYS_MAX = 1_000;

export function createLatest(): Latest {
  const latest = new Map<string, number>();
  return {
    note(key, atMs) {
      const last = latest.get(key) ?? atMs;
      latest.delete(key);
      latest.set(key, Math.max(last, atMs));
      const [oldest] = latest.keys();
      if (latest.size > KEYS_MAX && oldest !== undefined) latest.delete(oldest);
    },
    after(key, atMs) {
      const at = latest.get(key);
      // At the same time: closed and opened by one turn of events, in this order.
      return at !== undefined && at > atMs ? at : null;
    },
  };
}
