// Stands before the journal. No call hangs for ever: one that has no answer in time has failed, and
// what it wrote is unknown, as after a crash. Remembers how the journal does, for those who watch
// the watcher. Decides nothing and repeats nothing.
import type { GateStore } from '../journal/gate-store.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kit/clock.ts';
import { CanarydError, messageOf } from '../kit/errors.ts';
import { within } from '../kit/within.ts';

/** A call that takes longer has failed. Longer than any limit of a store's own. */
export const JOURNAL_ANSWERS_WITHIN_MS = 15_000;

export type JournalState = {
  /** How long writes have failed, from the beginning of the first; null: the last one went well. */
  readonly failingForMs: number | null;
  /** What the last failed write said; null while writes go well. */
  readonly failure: string | null;
  /** Since the last write that went well; null before the first. */
  readonly writtenAgoMs: number | null;
  /** It is asked, and has answered nothing for so long, not even with an error; null: it answers. */
  readonly silentForMs: number | null;
};

type Kind = 'read' | 'write';

export class JournalGuard {
  /** The same journal, bounded. */
  readonly journal: Journal;
  readonly #clock: Clock;
  /** Begin of the first call that was made since the last answer. */
  readonly #unanswered: Record<Kind, number | null> = { read: null, write: null };
  #writtenAt: number | null = null;
  #failing: { readonly since: number; readonly text: string } | null = null;

  constructor(journal: Journal, clock: Clock) {
    this.#clock = clock;
    this.journal = this.#guarded(journal);
  }

  state(): JournalState {
    const now = this.#clock.monotonic();
    const asked = Object.values(this.#unanswered).filter((at) => at !== null);
    return {
      failingForMs: this.#failing === null ? null : now - this.#failing.since,
      failure: this.#failing?.text ?? null,
      writtenAgoMs: this.#writtenAt === null ? null : now - this.#writtenAt,
      silentForMs: asked.length === 0 ? null : now - Math.min(...asked),
    };
  }

  #guarded(journal: Journal): Journal {
    const read = <T>(work: () => Promise<T>) => this.#bounded('read', work);
    return {
      append: (batches) =>
        this.#write(
          () => journal.append(batches),
          (result) => result === 'conflict',
        ),
      startAttempt: (...args) =>
        this.#write(
          () => journal.startAttempt(...args),
          (isBegun) => !isBegun,
        ),
      startAttempts: (...args) =>
        this.#write(
          () => journal.startAttempts(...args),
          (begun) => begun.length === 0,
        ),
      setHold: (hold) => this.#write(() => journal.setHold(hold)),
      check: () => this.#write(() => journal.check()),
      watch: (id) => read(() => journal.watch(id)),
      watchByIdempotencyKey: (key) => read(() => journal.watchByIdempotencyKey(key)),
      watches: (filter) => read(() => journal.watches(filter)),
      activeIds: (limit) => read(() => journal.activeIds(limit)),
      events: (...args) => read(() => journal.events(...args)),
      ticks: (...args) => read(() => journal.ticks(...args)),
      deliveries: (watchId) => read(() => journal.deliveries(watchId)),
      delivery: (id) => read(() => journal.delivery(id)),
      receipts: (...args) => read(() => journal.receipts(...args)),
      pendingDeliveries: (...args) => read(() => journal.pendingDeliveries(...args)),
      hold: () => read(() => journal.hold()),
      counts: () => read(() => journal.counts()),
      ...this.#gates(journal),
      // Not every store writes to say so: no proof that it takes writes.
      announce: (replica, ttlMs) => read(() => journal.announce(replica, ttlMs)),
      retire: (replicaId) => read(() => journal.retire(replicaId)),
      listen: (listener) => journal.listen(listener),
      // May rightly take minutes; nothing waits for it.
      prune: (...args) => journal.prune(...args),
      [Symbol.asyncDispose]: () => journal[Symbol.asyncDispose](),
    };
  }

  #gates(journal: GateStore): GateStore {
    const read = <T>(work: () => Promise<T>) => this.#bounded('read', work);
    return {
      addSignOff: (signOff) => this.#write(() => journal.addSignOff(signOff)),
      addGateRecord: (...args) =>
        this.#write(
          () => journal.addGateRecord(...args),
          (isNew) => !isNew,
        ),
      startGateAttempt: (...args) =>
        this.#write(
          () => journal.startGateAttempt(...args),
          (isBegun) => !isBegun,
        ),
      // It may rightly change nothing, and says nothing of it.
      endGateAttempt: (update) =>
        this.#write(
          () => journal.endGateAttempt(update),
          () => true,
        ),
      signOffs: (filter) => read(() => journal.signOffs(filter)),
      gateRecord: (id) => read(() => journal.gateRecord(id)),
      gateRecords: (...args) => read(() => journal.gateRecords(...args)),
      gateHeads: (...args) => read(() => journal.gateHeads(...args)),
      pendingGateMessages: (...args) => read(() => journal.pendingGateMessages(...args)),
      gateMessages: (recordId) => read(() => journal.gateMessages(recordId)),
    };
  }

  /** @param isUnwritten whether the store says with its result that it wrote nothing */
  async #write<T>(
    work: () => Promise<T>,
    isUnwritten: (result: T) => boolean = () => false,
  ): Promise<T> {
    const startedAt = this.#clock.monotonic();
    try {
      const result = await this.#bounded('write', work);
      if (!isUnwritten(result)) {
        this.#writtenAt = this.#clock.monotonic();
        this.#failing = null;
      }
      return result;
    } catch (error) {
      const text = messageOf(error);
      this.#failing = { since: this.#failing?.since ?? startedAt, text };
      throw error;
    }
  }

  async #bounded<T>(kind: Kind, work: () => Promise<T>): Promise<T> {
    this.#unanswered[kind] ??= this.#clock.monotonic();
    let isLate = false;
    try {
      return await within(this.#clock, JOURNAL_ANSWERS_WITHIN_MS, work, (): never => {
        isLate = true;
        const seconds = JOURNAL_ANSWERS_WITHIN_MS / 1_000;
        const text = `The journal has not answered for ${seconds} s; is its disk or database hanging?`;
        throw new CanarydError('journal_failed', text);
      });
    } finally {
      if (!isLate) this.#unanswered[kind] = null;
    }
  }
}
