// The journal in one SQLite file, for one daemon. Reads and writes are synchronous inside: a write
// is on the disk (WAL, synchronous=FULL) when its promise resolves, and nothing runs in between.
// It stores what it is told and refuses what the invariants forbid; it decides nothing.
import { existsSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { Delivery, Receipt } from '../../core/delivery.ts';
import type { WatchEvent } from '../../core/event.ts';
import type { Tick } from '../../core/sample.ts';
import type { Phase } from '../../core/watch.ts';
import type { CanarydError } from '../../kit/errors.ts';
import { decodeHold, encodeHold } from '../codec.ts';
import type { GateStore } from '../gate-store.ts';
import {
  type Append,
  type AppendResult,
  type AttemptStart,
  type Hold,
  type Journal,
  type Pruned,
  RECEIPTS_MAX,
  type Replica,
  type WatchFilter,
  type WatchRecord,
} from '../journal.ts';
import { Refused } from '../refusal.ts';
import {
  pendingOrder,
  toCounts,
  toDeliveries,
  toDelivery,
  toEvent,
  toReceipts,
  toTicks,
  toWatch,
  unbroken,
  wholeMs,
} from '../rows.ts';
import { write } from './append.ts';
import { begin } from './attempts.ts';
import {
  BUSY_TIMEOUT_MS,
  createFile,
  examine,
  failure,
  type Lock,
  lockFile,
  refuse,
} from './file.ts';
import { SqliteGates } from './gates.ts';
import { GroupedWrites } from './group.ts';
import { migrate, SCHEMA_VERSION } from './migrations.ts';
import { prune } from './prune.ts';
import { Connection, isUniqueViolation } from './sql.ts';

const WATCH = `
  SELECT watches.*, tracks.track FROM watches LEFT JOIN tracks ON tracks.watch_id = watches.id`;
const EVENTS = 'SELECT * FROM events WHERE watch_id = ? AND seq > ? ORDER BY seq LIMIT ?';
/** SQLite's default for new files. */
const PAGE_BYTES = 4_096;
/** The write-ahead log is cut back to this after a checkpoint. */
const WAL_BYTES_MAX = 64_000_000;
/** 0 for critical messages: few rows are pending, so that no index is needed. */
const IS_NOT_CRITICAL = `CASE WHEN json_valid(content)
  THEN json_extract(content, '$.message.severity') IS NOT 'critical' ELSE 1 END`;
/** Another value each time: SQLite writes no page that stays as it was, and a full disk would pass. */
const CHECK = `
  INSERT INTO settings (name, value) VALUES ('checked', '0')
  ON CONFLICT (name) DO UPDATE SET value = CASE value WHEN '0' THEN '1' ELSE '0' END`;
const MEMORY = ':memory:';

export type SqliteOptions = {
  readonly path: string;
  /** For looking at the journal of a running daemon: takes no lock, every write is refused. */
  readonly readOnly?: boolean;
  /** The file never grows beyond this; without it, until the disk is full. */
  readonly bytesMax?: number;
  /** Writes of one turn of the event loop wait for the disk together; default: each by itself. */
  readonly groupsWrites?: boolean;
};

export function openSqliteJournal(options: SqliteOptions): Journal {
  return options.readOnly ? openReadOnly(options.path) : openForDaemon(options);
}

function openForDaemon({ path: givenPath, bytesMax, groupsWrites }: SqliteOptions): Journal {
  const path = createFile(givenPath);
  const lock = lockFile(path);
  let db: DatabaseSync | undefined;
  try {
    const version = examine(path);
    db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
    db.exec('PRAGMA journal_mode = WAL');
    db.exec('PRAGMA synchronous = FULL');
    db.exec(`PRAGMA journal_size_limit = ${WAL_BYTES_MAX}`);
    migrate(db, version);
    if (bytesMax !== undefined) {
      db.exec(`PRAGMA max_page_count = ${Math.floor(bytesMax / PAGE_BYTES)}`);
    }
    return new SqliteJournal(path, db, lock, groupsWrites);
  } catch (error) {
    db?.close();
    lock.release();
    throw failure(path, 'open it', error);
  }
}

/** A journal that is gone with the process: for replays. */
export function openMemoryJournal(): Journal {
  const db = new DatabaseSync(MEMORY, { enableForeignKeyConstraints: true });
  migrate(db, 0);
  return new SqliteJournal(MEMORY, db, null);
}

function openReadOnly(path: string): Journal {
  if (!existsSync(path)) {
    throw refuse(path, 'there is no such file. Start the daemon once, or correct the path.');
  }
  const version = examine(path);
  if (version < SCHEMA_VERSION) {
    const advice = 'Start the daemon of this version once: it brings the file up to date.';
    throw refuse(path, `has schema ${version}, and ${SCHEMA_VERSION} is needed. ${advice}`);
  }
  try {
    const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    return new SqliteJournal(path, db, null);
  } catch (error) {
    throw failure(path, 'open it', error);
  }
}

class SqliteJournal implements Journal {
  readonly #path: string;
  readonly #sql: Connection;
  readonly #lock: Lock | null;
  readonly #grouped: GroupedWrites | null;
  readonly #gates: SqliteGates;

  readonly addSignOff: GateStore['addSignOff'] = (...args) => this.#gates.addSignOff(...args);
  readonly signOffs: GateStore['signOffs'] = (...args) => this.#gates.signOffs(...args);
  readonly addGateRecord: GateStore['addGateRecord'] = (...args) =>
    this.#gates.addGateRecord(...args);
  readonly gateRecord: GateStore['gateRecord'] = (...args) => this.#gates.gateRecord(...args);
  readonly gateRecords: GateStore['gateRecords'] = (...args) => this.#gates.gateRecords(...args);
  readonly gateHeads: GateStore['gateHeads'] = (...args) => this.#gates.gateHeads(...args);
  readonly pendingGateMessages: GateStore['pendingGateMessages'] = (...args) =>
    this.#gates.pendingGateMessages(...args);
  readonly gateMessages: GateStore['gateMessages'] = (...args) => this.#gates.gateMessages(...args);
  readonly startGateAttempt: GateStore['startGateAttempt'] = (...args) =>
    this.#gates.startGateAttempt(...args);
  readonly endGateAttempt: GateStore['endGateAttempt'] = (...args) =>
    this.#gates.endGateAttempt(...args);

  constructor(path: string, db: DatabaseSync, lock: Lock | null, groupsWrites = false) {
    this.#path = path;
    this.#sql = new Connection(db);
    this.#lock = lock;
    this.#grouped = groupsWrites ? new GroupedWrites(this.#sql) : null;
    this.#gates = new SqliteGates(path, this.#sql);
  }

  async #write<Result>(work: () => Result): Promise<Result> {
    return this.#grouped === null ? this.#sql.transaction(work) : this.#grouped.write(work);
  }

  #try<Result>(doing: string, work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      throw failure(this.#path, doing, error);
    }
  }

  async append(batches: readonly Append[]): Promise<AppendResult> {
    try {
      await this.#write(() => {
        for (const batch of batches) write(this.#sql, batch);
      });
      return 'appended';
    } catch (error) {
      if (error instanceof Refused || isUniqueViolation(error)) return 'conflict';
      throw failure(this.#path, 'write to it', error);
    }
  }

  async watch(id: string): Promise<WatchRecord | null> {
    return this.#watch('watches.id = ?', id);
  }

  async watchByIdempotencyKey(key: string): Promise<WatchRecord | null> {
    return this.#watch('watches.idempotency_key = ?', key);
  }

  #watch(where: string, value: string): WatchRecord | null {
    return this.#try('read from it', () => {
      const row = this.#sql.one(`${WATCH} WHERE ${where}`, value);
      return row === null ? null : toWatch(row);
    });
  }

  async watches(filter: WatchFilter): Promise<readonly WatchRecord[]> {
    const { service, environment, phase, isActive, beforeId, limit } = filter;
    const where: string[] = [];
    const values: SQLInputValue[] = [];
    const and = (condition: string, value: SQLInputValue | undefined) => {
      if (value === undefined) return;
      where.push(condition);
      values.push(value);
    };
    and('service = ?', service);
    and('environment = ?', environment);
    and('phase = ?', phase);
    // As constants, so that the partial indexes serve them.
    if (isActive !== undefined) where.push(isActive ? 'is_active = 1' : 'is_active = 0');
    and(
      '(started_at_ms, ordinal) < (SELECT started_at_ms, ordinal FROM watches WHERE id = ?)',
      beforeId,
    );
    const conditions = where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`;
    const order = 'ORDER BY started_at_ms DESC, ordinal DESC LIMIT ?';
    return this.#try('read from it', () =>
      this.#sql.all(`${WATCH} ${conditions} ${order}`, ...values, limit).map(toWatch),
    );
  }

  /** Without a limit all of them: a fold over a part of the events is a wrong state (J7). */
  async events(watchId: string, afterSeq = 0, limit?: number): Promise<readonly WatchEvent[]> {
    return this.#try('read from it', () =>
      this.#sql.transaction(() => {
        const events = this.#sql.all(EVENTS, watchId, afterSeq, limit ?? -1).map(toEvent);
        const watch = this.#sql.one('SELECT revision FROM watches WHERE id = ?', watchId);
        const end = limit === undefined ? (watch?.integer('revision') ?? 0) - afterSeq : 0;
        return unbroken(events, watchId, afterSeq, end);
      }, 'reading'),
    );
  }

  async ticks(
    watchId: string,
    fromMs: number,
    toMs: number,
    limit: number,
  ): Promise<readonly Tick[]> {
    return this.#try('read from it', () =>
      toTicks(
        this.#sql.all(
          `SELECT at_ms, readings FROM ticks
           WHERE watch_id = ? AND at_ms BETWEEN ? AND ? ORDER BY at_ms LIMIT ?`,
          watchId,
          fromMs,
          toMs,
          limit,
        ),
        watchId,
      ),
    );
  }

  async deliveries(watchId: string): Promise<readonly Delivery[]> {
    return this.#try('read from it', () =>
      this.#sql
        .all('SELECT * FROM deliveries WHERE watch_id = ? ORDER BY planned', watchId)
        .map(toDelivery),
    );
  }

  async delivery(id: string): Promise<Delivery | null> {
    return this.#try('read from it', () => {
      const row = this.#sql.one('SELECT * FROM deliveries WHERE id = ?', id);
      return row === null ? null : toDelivery(row);
    });
  }

  async receipts(watchId: string, channel: string): Promise<readonly Receipt[]> {
    const rows = this.#try('read from it', () =>
      this.#sql.all(
        `SELECT id, content, receipt FROM deliveries
         WHERE watch_id = ? AND receipt IS NOT NULL ORDER BY planned DESC LIMIT ?`,
        watchId,
        RECEIPTS_MAX,
      ),
    );
    return toReceipts(rows, channel);
  }

  async pendingDeliveries(
    limit: number,
    kind?: 'action' | 'message',
    onDamaged?: (error: CanarydError) => void,
    dueAtMs?: number,
  ): Promise<readonly Delivery[]> {
    const isKind = kind === undefined ? '' : `AND kind = '${kind}'`;
    const order = pendingOrder(IS_NOT_CRITICAL, kind, dueAtMs === undefined ? null : '?');
    const sql = `SELECT * FROM deliveries WHERE state = 'pending' ${isKind} ${order} LIMIT ?`;
    const values = dueAtMs === undefined ? [limit] : [wholeMs(dueAtMs), limit];
    return this.#try('read from it', () => toDeliveries(this.#sql.all(sql, ...values), onDamaged));
  }

  async activeIds(limit: number): Promise<readonly string[]> {
    return this.#try('read from it', () =>
      this.#sql
        .all(
          'SELECT id FROM watches WHERE is_active = 1 ORDER BY started_at_ms, ordinal LIMIT ?',
          limit,
        )
        .map((row) => row.text('id')),
    );
  }

  /** One file serves one process: its lock says who lives. */
  async announce(replica: Replica): Promise<readonly Replica[]> {
    return [replica];
  }

  async retire(): Promise<void> {}

  listen(): () => void {
    return () => {};
  }

  async startAttempt(
    deliveryId: string,
    attempt: number,
    atMs: number,
    holder: string,
  ): Promise<boolean> {
    const begun = await this.startAttempts([{ id: deliveryId, attempt }], atMs, holder);
    return begun.length === 1;
  }

  async startAttempts(
    starts: readonly AttemptStart[],
    atMs: number,
    holder: string,
  ): Promise<readonly string[]> {
    try {
      return await this.#write(() => begin(this.#sql, starts, atMs, holder));
    } catch (error) {
      throw failure(this.#path, 'write to it', error);
    }
  }

  async hold(): Promise<Hold | null> {
    return this.#try('read from it', () => {
      const row = this.#sql.one("SELECT value FROM settings WHERE name = 'hold'");
      return row === null ? null : decodeHold(row.text('value'));
    });
  }

  async setHold(hold: Hold | null): Promise<void> {
    this.#try('write to it', () =>
      this.#sql.transaction(() => {
        if (hold === null) this.#sql.run("DELETE FROM settings WHERE name = 'hold'");
        else this.#set('hold', encodeHold(hold));
      }),
    );
  }

  #set(name: string, value: string): void {
    this.#sql.run(
      `INSERT INTO settings (name, value) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
      name,
      value,
    );
  }

  async counts(): Promise<Readonly<Record<Phase, number>>> {
    return this.#try('read from it', () => {
      const rows = this.#sql.all('SELECT phase, count(*) AS watches FROM watches GROUP BY phase');
      return toCounts(rows);
    });
  }

  async prune(samplesBeforeMs: number, watchesBeforeMs: number): Promise<Pruned> {
    const step = (sql: string, beforeMs: number, rows: number) =>
      this.#try('write to it', () =>
        this.#sql.transaction(() => this.#sql.run(sql, beforeMs, rows)),
      );
    return prune(step, samplesBeforeMs, watchesBeforeMs);
  }

  async check(): Promise<void> {
    // SQLite goes on writing to a file that was deleted; all of it would be gone at the restart.
    if (!existsSync(this.#path)) {
      throw refuse(this.#path, 'the file is gone. Put it back, or restart with an empty journal.');
    }
    this.#try('write to it', () => this.#sql.transaction(() => this.#sql.run(CHECK)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#grouped?.flush();
    this.#sql.close();
    this.#lock?.release();
  }
}
