// Remembers which incidents were closed, because a message that opens one may be late: it failed for
// minutes, and the one that closes was let pass. Without this the incident would stay open.
import type { Message } from '../core/delivery.ts';

/** Watches remembered; the oldest is forgotten. */
const CLOSINGS_MAX = 1_000;

export type Closings = {
  readonly closed: (message: Message) => void;
  /** When the incident was closed that this older message would open; null when it was not. */
  readonly closedAfter: (message: Message) => number | null;
};

export function createClosings(): Closings {
  const closedAt = new Map<string, number>();
  return {
    closed({ watchId, atMs }) {
      const last = closedAt.get(watchId) ?? atMs;
      closedAt.delete(watchId);
      closedAt.set(watchId, Math.max(last, atMs));
      const [oldest] = closedAt.keys();
      if (closedAt.size > CLOSINGS_MAX && oldest !== undefined) closedAt.delete(oldest);
    },
    closedAfter({ watchId, atMs }) {
      const at = closedAt.get(watchId);
      // At the same time: closed and opened by one turn of events, in this order.
      return at !== undefined && at > atMs ? at : null;
    },
  };
}
