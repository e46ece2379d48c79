// The SQLite journal as a whole: read through a connection that cannot write, beside a daemon that
// runs; written only into an empty file that nobody uses.
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import {
  type Archive,
  type Entry,
  INCOMPLETE,
  incomplete,
  NOT_EMPTY,
  notEmpty,
  TABLES,
  type Table,
  toEntry,
} from '../archive.ts';
import type { Journal } from '../journal.ts';
import { BUSY_TIMEOUT_MS, failure } from './file.ts';
import { openSqliteJournal } from './sqlite-journal.ts';

export function openSqliteArchive(path: string, purpose: 'dump' | 'restore'): Archive {
  // Examines the file, brings its schema up to date, keeps others out.
  const journal = openSqliteJournal({ path, readOnly: purpose === 'dump' });
  return new SqliteArchive(path, journal);
}

class SqliteArchive implements Archive {
  readonly #path: string;
  readonly #journal: Journal;

  constructor(path: string, journal: Journal) {
    this.#path = path;
    this.#journal = journal;
  }

  async dump(take: (entry: Entry) => Promise<void>): Promise<void> {
    const db = new DatabaseSync(this.#path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    try {
      // One state throughout, whatever is written meanwhile.
      db.exec('BEGIN');
      for (const table of TABLES) {
        for (const row of db.prepare(select(table)).iterate()) await take(toEntry(table, row));
      }
    } catch (error) {
      throw failure(this.#path, 'read from it', error);
    } finally {
      db.close();
    }
  }

  async restore(entries: AsyncIterable<Entry>): Promise<void> {
    const options = { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true };
    const db = new DatabaseSync(this.#path, options);
    try {
      db.exec('PRAGMA synchronous = FULL');
      db.exec('BEGIN IMMEDIATE');
      if (db.prepare(NOT_EMPTY).get() !== undefined) throw notEmpty(this.#path);
      const inserts = new Map(TABLES.map((table) => [table, db.prepare(insert(table))]));
      for await (const { table, values } of entries) {
        const row = Object.keys(table.columns).map((column) => toSql(values[column] ?? null));
        inserts.get(table)?.run(...row);
      }
      const watch = db.prepare(INCOMPLETE).get();
      if (watch !== undefined) throw incomplete(String(watch['id']));
      db.exec('COMMIT');
    } catch (error) {
      throw failure(this.#path, 'write to it', error);
    } finally {
      // Rolls back what was not committed.
      db.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#journal[Symbol.asyncDispose]();
  }
}

function select({ name, columns, order, where }: Table): string {
  const condition = where === undefined ? '' : `WHERE ${where}`;
  return `SELECT ${Object.keys(columns).join(', ')} FROM ${name} ${condition} ORDER BY ${order.join(', ')}`;
}

/** The hold-fire switch of an empty journal gives way to the imported one. */
function insert({ name, columns }: Table): string {
  const names = Object.keys(columns);
  return `INSERT OR ${name === 'settings' ? 'REPLACE' : 'ABORT'} INTO ${name}
    (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
}

function toSql(value: string | number | boolean | null): SQLInputValue {
  return typeof value === 'boolean' ? Number(value) : value;
}
