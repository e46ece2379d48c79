// The journal's file before the first write: made private, examined, and locked for one daemon.
// Whatever is refused here is left as it was found.
import { closeSync, existsSync, mkdirSync, openSync, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CanarydError, messageOf } from '../../kit/errors.ts';
import { APPLICATION_ID, SCHEMA_VERSION } from './migrations.ts';
import { SQLITE, sqliteCode } from './sql.ts';

/** Only a checkpoint or a backup holds the file against readers, and for milliseconds. */
export const BUSY_TIMEOUT_MS = 1_000;
/** A full check reads the whole file; above this size a start would take too long for it. */
const CHECKED_BYTES_MAX = 64_000_000;

export function refuse(path: string, problem: string, cause?: unknown): CanarydError {
  return new CanarydError('journal_failed', `journal ${path}: ${problem}`, { cause });
}

/** Makes folder and file when absent, readable by nobody else; returns the path without links. */
export function createFile(path: string): string {
  try {
    mkdirSync(dirname(resolve(path)), { recursive: true });
    createPrivate(path);
    return realpathSync(path);
  } catch (error) {
    throw refuse(
      path,
      `cannot create the file: ${messageOf(error)}. Check the folder and its owner.`,
      error,
    );
  }
}

// Never opens a file that exists: closing it would drop the locks this process holds on it.
function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

export type Lock = { release(): void };

/**
 * Keeps a second daemon out for as long as this process lives: the lock is the kernel's, so that
 * kill -9 leaves none behind. It is a file of its own because readers share the journal itself.
 */
export function lockFile(path: string): Lock {
  const lockPath = `${path}.lock`;
  let db: DatabaseSync | undefined;
  try {
    createPrivate(lockPath);
    db = new DatabaseSync(lockPath, { timeout: 0 });
    db.exec('PRAGMA journal_mode = MEMORY');
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db?.close();
    if (sqliteCode(error) === SQLITE.busy) {
      const advice = 'Stop that one first, or give this one a path of its own.';
      throw refuse(path, `another canaryd is using it. ${advice}`);
    }
    throw refuse(path, `cannot lock ${lockPath}: ${messageOf(error)}.`, error);
  }
  const held = db;
  return {
    release: () => {
      if (held.isOpen) held.close();
    },
  };
}

/**
 * Looks at the file through a connection that cannot write; returns its schema version, 0 for a
 * new file.
 */
export function examine(path: string): number {
  let db: DatabaseSync | undefined;
  try {
    const { size } = statSync(path);
    if (size === 0) return examineEmpty(path);
    demandLog(path);
    db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    const version = pragma(db, 'user_version');
    // A first start that was cut short leaves a database without any table.
    if (version === 0 && isBlank(db)) return 0;
    if (pragma(db, 'application_id') !== APPLICATION_ID) {
      throw refuse(
        path,
        'is a database of another program. Give canaryd a path of its own; it was left untouched.',
      );
    }
    if (version > SCHEMA_VERSION) {
      throw refuse(
        path,
        `has schema ${version}, and this canaryd knows schemas up to ${SCHEMA_VERSION}. ` +
          'It was written by a newer canaryd: run that one. It was left untouched.',
      );
    }
    if (size <= CHECKED_BYTES_MAX) check(db, path);
    return version;
  } catch (error) {
    throw error instanceof CanarydError ? error : unreadable(path, error);
  } finally {
    db?.close();
  }
}

/**
 * SQLite removes the log last, when the journal is closed in order: its index without it is what a
 * crash and somebody's tidying leave behind. Without the log, what was written last would be gone.
 */
function demandLog(path: string): void {
  if (!existsSync(`${path}-shm`) || existsSync(`${path}-wal`)) return;
  throw refuse(
    path,
    `canaryd was not ended in order, and ${path}-wal is gone: what it wrote last was in there. ` +
      'Put it back. If the journal itself was restored from a backup, remove ' +
      `${path}-shm. Nothing was touched.`,
  );
}

// An emptied file beside a full log is no new journal: opening it would throw the log away.
function examineEmpty(path: string): number {
  if ((statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) === 0) return 0;
  throw damagedFile(path, `it is empty, but ${path}-wal is not`);
}

function isBlank(db: DatabaseSync): boolean {
  return db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
}

function check(db: DatabaseSync, path: string): void {
  const found = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
  if (found !== 'ok') throw damagedFile(path, String(found));
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function unreadable(path: string, error: unknown): CanarydError {
  const code = sqliteCode(error);
  if (code === SQLITE.corrupt || code === SQLITE.notADatabase) {
    return damagedFile(path, messageOf(error), error);
  }
  return refuse(path, `cannot be read: ${messageOf(error)}.`, error);
}

export function damagedFile(path: string, found: string, cause?: unknown): CanarydError {
  return refuse(
    path,
    `the file is damaged (${found}) and was left untouched. Restore it from a backup, without ` +
      `the old ${path}-wal and ${path}-shm; or move all three away and start again with an ` +
      'empty journal: watches that were open are lost then.',
    cause,
  );
}

/** What went wrong with the store, for an operator. */
export function failure(path: string, doing: string, error: unknown): CanarydError {
  if (error instanceof CanarydError) return error;
  switch (sqliteCode(error)) {
    case SQLITE.full:
      return refuse(
        path,
        `cannot ${doing}: the disk is full. Make room; what was written before is safe.`,
        error,
      );
    case SQLITE.busy:
      return refuse(path, `cannot ${doing}: another program holds the file. Close it.`, error);
    case SQLITE.readOnly:
      return refuse(path, `cannot ${doing}: it is open for reading only.`, error);
    case SQLITE.corrupt:
    case SQLITE.notADatabase:
      return damagedFile(path, messageOf(error), error);
    default:
      return refuse(path, `cannot ${doing}: ${messageOf(error)}.`, error);
  }
}
