// What survives a crash. The engine knows only this interface; SQLite and PostgreSQL live in folders
// of their own and pass one contract suite (test/journal/contract.ts).
import type { Delivery, NewDelivery, Receipt } from '../core/delivery.ts';
import type { Deploy } from '../core/deploy.ts';
import type { DeliveryReason, EventBody, WatchEvent } from '../core/event.ts';
import type { Policy } from '../core/policy.ts';
import type { Tick } from '../core/sample.ts';
import type { Track } from '../core/track.ts';
import type { Phase } from '../core/watch.ts';
import type { CanarydError } from '../kit/errors.ts';
import type { GateStore } from './gate-store.ts';

/** One watch as stored: what lists and resumption need without folding its events. */
export type WatchRecord = {
  readonly id: string;
  readonly deploy: Deploy;
  /** The policy as it was when the watch started. */
  readonly policy: Policy;
  readonly policyHash: string;
  readonly idempotencyKey: string | null;
  readonly startedAtMs: number;
  readonly phase: Phase;
  /** Needs evaluation: open, or stopped with a verification under way. */
  readonly isActive: boolean;
  readonly closedAtMs: number | null;
  /** Number of events; the version that `append` checks. */
  readonly revision: number;
  /** Per-tick state, saved with each tick; null before the first. */
  readonly track: Track | null;
};

export type NewWatch = Pick<
  WatchRecord,
  'id' | 'deploy' | 'policy' | 'policyHash' | 'idempotencyKey' | 'startedAtMs'
>;

export type DeliveryUpdate = {
  readonly id: string;
  readonly state: Delivery['state'];
  /**
   * The attempt whose outcome this is (the last one begun, when none was made). Once a later one
   * has begun only `delivered` still counts.
   */
  readonly attempt: number;
  readonly notBeforeMs: number;
  readonly reason: DeliveryReason;
  readonly detail: string;
  /** Of a message that was delivered, or of a part of it; absent: what is written stays. */
  readonly receipt?: string;
};

export type AttemptStart = { readonly id: string; readonly attempt: number };

/** How many receipts of a watch a channel is shown: the newest. */
export const RECEIPTS_MAX = 500;

/** Everything one decision writes, in one transaction or not at all. */
export type Append = {
  readonly watchId: string;
  /** Present: the watch is created (`expectedRevision` must be 0). */
  readonly create?: NewWatch;
  readonly expectedRevision: number;
  readonly atMs: number;
  readonly events: readonly EventBody[];
  readonly deliveries: readonly NewDelivery[];
  /** Outcomes of attempts; one of a delivery that has ended or moved on is a conflict. */
  readonly updates?: readonly DeliveryUpdate[];
  /** Pending action deliveries are given up with this reason (superseded, hold fire). */
  readonly giveUpActions?: { readonly reason: DeliveryReason; readonly detail: string };
  readonly phase: Phase;
  readonly isActive: boolean;
  readonly tick?: DecidedTick;
};

export type DecidedTick = {
  readonly tick: Tick;
  readonly track: Track;
  /** Time of the track that this one goes on from, null for the first; another one is a conflict. */
  readonly previousAtMs: number | null;
};

/**
 * - `conflict`: the revision or the track moved, an update's delivery has ended or moved on, or a
 *   unique rule (one open watch per service and environment, one stop per watch) refused: read
 *   again, decide again.
 */
export type AppendResult = 'appended' | 'conflict';

export type Hold = { readonly by: string; readonly reason: string; readonly sinceMs: number };

/** A process that shares the journal's work with others. */
export type Replica = {
  readonly id: string;
  /** False while it shuts down: it finishes what it is sending, and others take the rest. */
  readonly takesWork: boolean;
};

export type WatchFilter = {
  readonly service?: string;
  readonly environment?: string;
  readonly phase?: Phase;
  readonly isActive?: boolean;
  /** Newest first; at most this many. */
  readonly limit: number;
  /** Only watches that started before this one (for paging). */
  readonly beforeId?: string;
};

/** How many were removed. */
export type Pruned = {
  readonly samples: number;
  readonly watches: number;
  /** Decisions of gates, with their messages. */
  readonly decisions: number;
  readonly signatures: number;
};

export interface Journal extends GateStore {
  /** All batches in one transaction. Throws only when the store itself fails. */
  append(batches: readonly Append[]): Promise<AppendResult>;
  watch(id: string): Promise<WatchRecord | null>;
  watchByIdempotencyKey(key: string): Promise<WatchRecord | null>;
  watches(filter: WatchFilter): Promise<readonly WatchRecord[]>;
  /** Ids of the watches that need evaluation, oldest first, at most `limit`. */
  activeIds(limit: number): Promise<readonly string[]>;
  /** Events after `afterSeq`, oldest first, at most `limit`. */
  events(watchId: string, afterSeq?: number, limit?: number): Promise<readonly WatchEvent[]>;
  /** Ticks with `fromMs <= atMs <= toMs`, oldest first, at most `limit`. */
  ticks(watchId: string, fromMs: number, toMs: number, limit: number): Promise<readonly Tick[]>;
  deliveries(watchId: string): Promise<readonly Delivery[]>;
  /** By itself, whatever became of the other rows of its watch. */
  delivery(id: string): Promise<Delivery | null>;
  /**
   * What a channel gave out for the messages of a watch, the oldest first; looks at the newest
   * `RECEIPTS_MAX` of the watch.
   */
  receipts(watchId: string, channel: string): Promise<readonly Receipt[]>;
  /**
   * Pending deliveries of all watches, in planned order, at most `limit`. Of one kind, when asked:
   * then thousands of waiting messages hide no action, and critical messages come first.
   * A row that is damaged is left out and told, so that it hides no other; with nobody to tell, the
   * call throws.
   * @param dueAtMs what was planned for later than this, and never tried, comes last
   */
  pendingDeliveries(
    limit: number,
    kind?: 'action' | 'message',
    onDamaged?: (error: CanarydError) => void,
    dueAtMs?: number,
  ): Promise<readonly Delivery[]>;
  /**
   * Marks an attempt as begun by a replica, before anything is sent; false when the delivery has
   * ended or somebody else has begun this attempt.
   */
  startAttempt(deliveryId: string, attempt: number, atMs: number, holder: string): Promise<boolean>;
  /**
   * The same for deliveries that go out as one, in one transaction. Returns the ids of those that
   * were begun; the others are left as they are.
   */
  startAttempts(
    starts: readonly AttemptStart[],
    atMs: number,
    holder: string,
  ): Promise<readonly string[]>;
  /**
   * Says that this replica lives, for `ttlMs` by the store's own clock, so that skewed clocks of
   * replicas do no harm. Returns all that live, itself among them, in one order for everybody.
   * It only divides the work: what is written is judged by revisions, not by who writes.
   */
  announce(replica: Replica, ttlMs: number): Promise<readonly Replica[]>;
  /** The replica has ended: its work is free at once. */
  retire(replicaId: string): Promise<void>;
  /**
   * Calls back soon after another replica wrote events of a watch, or (null) came or left. A hint
   * that may be lost: nothing may depend on it. Returns the unsubscribe.
   */
  listen(listener: (watchId: string | null) => void): () => void;
  hold(): Promise<Hold | null>;
  setHold(hold: Hold | null): Promise<void>;
  counts(): Promise<Readonly<Record<Phase, number>>>;
  /**
   * Drops samples of watches closed before the first time; whole watches closed, decisions of gates
   * received and signatures given before the second. What has a pending message stays.
   */
  prune(samplesBeforeMs: number, watchesBeforeMs: number): Promise<Pruned>;
  /** Fails (throws) when the store cannot be written. */
  check(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
