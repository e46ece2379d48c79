// Writes that come in one turn of the event loop share a transaction, and with it the one wait for
// the disk. Each stands or falls by itself: what one of them throws undoes only its own rows. What the
// commit refuses has failed for all of them.
import type { Connection } from './sql.ts';

type Job = {
  readonly work: () => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
};

type Ended = { readonly result: unknown } | { readonly error: unknown };

/** In one transaction, and in one turn: a look at the journal waits as long as the whole of it. */
const GROUP_MAX = 200;

export class GroupedWrites {
  readonly #sql: Connection;
  #waiting: Job[] = [];
  #next: NodeJS.Immediate | null = null;

  constructor(sql: Connection) {
    this.#sql = sql;
  }

  /** @param work is carried out inside a transaction; durable when the promise resolves */
  write<Result>(work: () => Result): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ work, resolve, reject });
      this.#next ??= setImmediate(() => this.#turn());
    });
  }

  /** What is more than a group waits for the next turn, so that others come in between. */
  #turn(): void {
    this.#commit(this.#waiting.splice(0, GROUP_MAX));
    this.#next = this.#waiting.length === 0 ? null : setImmediate(() => this.#turn());
  }

  /** What waits is written now: before the connection closes. */
  flush(): void {
    if (this.#next !== null) clearImmediate(this.#next);
    this.#next = null;
    while (this.#waiting.length > 0) this.#commit(this.#waiting.splice(0, GROUP_MAX));
  }

  #commit(jobs: readonly Job[]): void {
    let ended: readonly Ended[];
    try {
      ended = this.#sql.transaction(() => jobs.map(({ work }) => this.#one(work)));
    } catch (error) {
      for (const { reject } of jobs) reject(error);
      return;
    }
    jobs.forEach(({ resolve, reject }, index) => {
      const end = ended[index];
      if (end === undefined) return;
      if ('error' in end) reject(end.error);
      else resolve(end.result as never);
    });
  }

  #one(work: () => unknown): Ended {
    try {
      return { result: this.#sql.savepoint(work) };
    } catch (error) {
      // A full disk may have undone everything: then nobody's rows are there.
      if (!this.#sql.isInTransaction) throw error;
      return { error };
    }
  }
}
