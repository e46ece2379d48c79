// The one connection to the journal's file: prepared statements, transactions, and what SQLite's
// errors mean. It knows no table.
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { Row } from '../row.ts';

/** Primary result codes of SQLite that mean something to an operator. */
export const SQLITE = {
  busy: 5,
  readOnly: 8,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
} as const;

/** Extended codes of a primary key and of a unique index. */
const UNIQUE_VIOLATIONS: readonly unknown[] = [1555, 2067];

function extendedCode(error: unknown): unknown {
  return error instanceof Error && 'errcode' in error ? error.errcode : undefined;
}

export function sqliteCode(error: unknown): number | undefined {
  const code = extendedCode(error);
  return typeof code === 'number' ? code & 0xff : undefined;
}

/** A primary key or unique index said no: somebody was faster. */
export function isUniqueViolation(error: unknown): boolean {
  return UNIQUE_VIOLATIONS.includes(extendedCode(error));
}

export class Connection {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  // Statements are a fixed set of constants, so the map is bounded.
  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  one(sql: string, ...values: SQLInputValue[]): Row | null {
    const columns = this.#prepare(sql).get(...values);
    return columns === undefined ? null : new Row(columns);
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepare(sql)
      .all(...values)
      .map((columns) => new Row(columns));
  }

  /** Returns the number of rows it changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes);
  }

  /**
   * `writing` takes the write lock at once, so that nothing read inside is stale at the commit;
   * `reading` sees one state throughout.
   * Anything thrown rolls back; on a full disk SQLite may have done so by itself.
   */
  transaction<Result>(work: () => Result, purpose: 'writing' | 'reading' = 'writing'): Result {
    this.#db.exec(purpose === 'writing' ? 'BEGIN IMMEDIATE' : 'BEGIN');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  get isInTransaction(): boolean {
    return this.#db.isTransaction;
  }

  /** A part of a transaction: anything thrown undoes this part only. */
  savepoint<Result>(work: () => Result): Result {
    this.#db.exec('SAVEPOINT part');
    try {
      const result = work();
      this.#db.exec('RELEASE part');
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#undoPart();
      throw error;
    }
  }

  /** What cannot be undone in part is undone as a whole: half of a write is never committed. */
  #undoPart(): void {
    try {
      this.#db.exec('ROLLBACK TO part; RELEASE part');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }
}
