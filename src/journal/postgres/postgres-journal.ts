// The journal in PostgreSQL, for any number of replicas. What is written is on the server's disk
// when its promise resolves. Which of two replicas was first is the server's word: locks on
// watches, unique constraints, revisions. It stores what it is told and decides nothing.
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
import { write, writeTick } from './append.ts';
import { begin, begunBefore } from './attempts.ts';
import { type Database, placeName, type Session } from './database.ts';
import { Failed, failure, isUniqueViolation } from './failure.ts';
import { PostgresGates } from './gates.ts';
import { type Hint, Listener } from './listener.ts';
import { demandSchema, SCHEMA_VERSION, tooNew } from './migrations.ts';
import { pruneGateRecords, pruneSignOffs, pruneTicks, pruneWatches, type Step } from './prune.ts';
import { announce, forget, living, type News, retire } from './replicas.ts';

// Columns by name: a newer canaryd may have added some.
const WATCH = `
  SELECT id, deploy, policy, policy_hash, idempotency_key, started_at_ms, phase, is_active,
    closed_at_ms, revision, track FROM watches LEFT JOIN tracks ON tracks.watch_id = watches.id`;
const DELIVERY = `
  SELECT planned, id, watch_id, content, state, attempts, attempted_at_ms, in_flight, holder,
    created_at_ms, not_before_ms, after_delivery, deadline_at_ms, attempts_max, last_reason,
    last_detail, receipt FROM deliveries`;
const NEWEST_FIRST = 'ORDER BY started_at_ms DESC, ordinal DESC';
type Work<Result> = (session: Session) => Promise<Result>;

export class PostgresJournal implements Journal {
  readonly #database: Database;
  readonly #listener: Listener;
  /** A newer canaryd has changed the schema so that this one must not write any more. */
  #outdated: CanarydError | null = null;
  readonly #gates = new PostgresGates({
    rows: (...args) => this.#rows(...args),
    write: (...args) => this.#write(...args),
  });

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

  constructor(database: Database) {
    this.#database = database;
    this.#listener = new Listener(database.place);
  }

  #failed(doing: string, error: unknown): CanarydError {
    return failure(placeName(this.#database.place), doing, error);
  }

  async #read<Result>(work: Work<Result>): Promise<Result> {
    try {
      return await this.#database.read(work);
    } catch (error) {
      throw this.#failed('read from it', error);
    }
  }

  async #write<Result>(
    kind: 'statement' | 'repeatable' | 'transaction',
    work: Work<Result>,
    /** Looks whether a write whose answer was lost stands in the journal; null: not known. */
    settle: Work<Result | null> = async () => null,
  ): Promise<Result> {
    if (this.#outdated !== null) throw this.#outdated;
    try {
      if (kind !== 'transaction') return await this.#database[kind](work);
      return await this.#database.transaction(async (session) => {
        await demandSchema(session, this.#database.place);
        return work(session);
      });
    } catch (error) {
      if (error instanceof Refused || isUniqueViolation(error)) throw new Refused();
      if (error instanceof Failed && !error.isUndone) {
        const settled = await this.#database.read(settle).catch(() => null);
        if (settled !== null) return settled;
      }
      throw this.#failed('write to it', error);
    }
  }

  async append(batches: readonly Append[]): Promise<AppendResult> {
    if (batches.length === 0) return 'appended';
    try {
      if (await this.#tickOnly(batches)) return 'appended';
      await this.#write('transaction', (session) =>
        write(session, batches, {
          channel: this.#listener.channel,
          payload: (watchId) => this.#listener.payload(watchId),
        }),
      );
      return 'appended';
    } catch (error) {
      if (error instanceof Refused) return 'conflict';
      throw error;
    }
  }

  /** Nearly every append: one statement. When it writes nothing, the long way says why. */
  async #tickOnly(batches: readonly Append[]): Promise<boolean> {
    const [batch, ...others] = batches;
    if (batch?.tick === undefined || others.length > 0) return false;
    const { tick, watchId, create, events, deliveries, updates = [], giveUpActions } = batch;
    const hasMore = create !== undefined || giveUpActions !== undefined;
    if (hasMore || events.length + deliveries.length + updates.length > 0) return false;
    const { expectedRevision: revision, phase, isActive } = batch;
    return this.#write('statement', (session) =>
      writeTick(session, watchId, tick, { revision, phase, isActive }),
    );
  }

  async watch(id: string): Promise<WatchRecord | null> {
    return this.#watch('id = $1', id);
  }

  async watchByIdempotencyKey(key: string): Promise<WatchRecord | null> {
    return this.#watch('idempotency_key = $1', key);
  }

  async #watch(where: string, value: string): Promise<WatchRecord | null> {
    const row = await this.#rows((session) => session.all(`${WATCH} WHERE ${where}`, value), value);
    return row[0] === undefined ? null : toWatch(row[0]);
  }

  /** What holds a NUL is nowhere, and PostgreSQL does not like to be asked. */
  async #rows(work: Work<Awaited<ReturnType<Session['all']>>>, ...asked: (string | undefined)[]) {
    if (asked.some((value) => value?.includes('\0'))) return [];
    return this.#read(work);
  }

  async watches(filter: WatchFilter): Promise<readonly WatchRecord[]> {
    const { service, environment, phase, isActive, beforeId, limit } = filter;
    const where: string[] = [];
    const values: (string | number)[] = [limit];
    const and = (condition: (parameter: string) => string, value: string | undefined) => {
      if (value === undefined) return;
      values.push(value);
      where.push(condition(`$${values.length}`));
    };
    and((parameter) => `service = ${parameter}`, service);
    and((parameter) => `environment = ${parameter}`, environment);
    and((parameter) => `phase = ${parameter}`, phase);
    if (isActive !== undefined) where.push(isActive ? 'is_active' : 'NOT is_active');
    and(
      (parameter) => `(started_at_ms, ordinal) <
        (SELECT started_at_ms, ordinal FROM watches WHERE id = ${parameter})`,
      beforeId,
    );
    const conditions = where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`;
    const sql = `${WATCH} ${conditions} ${NEWEST_FIRST} LIMIT $1`;
    const rows = await this.#rows(
      (session) => session.all(sql, ...values),
      ...[service, environment, beforeId],
    );
    return rows.map(toWatch);
  }

  async activeIds(limit: number): Promise<readonly string[]> {
    const rows = await this.#read((session) =>
      session.all(
        'SELECT id FROM watches WHERE is_active ORDER BY started_at_ms, ordinal LIMIT $1',
        limit,
      ),
    );
    return rows.map((row) => row.text('id'));
  }

  /** Without a limit all of them: a fold over a part of the events is a wrong state (J7). */
  async events(watchId: string, afterSeq = 0, limit?: number): Promise<readonly WatchEvent[]> {
    const rows = await this.#rows(
      (session) =>
        session.all(
          `SELECT revision, watch_id, seq, at_ms, type, body
           FROM watches LEFT JOIN events ON watch_id = id AND seq > $2
           WHERE id = $1 ORDER BY seq LIMIT $3`,
          ...[watchId, afterSeq, limit ?? null],
        ),
      watchId,
    );
    const revision = rows[0]?.integer('revision') ?? 0;
    const events = rows.filter((row) => row.integerOrNull('seq') !== null).map(toEvent);
    const end = limit === undefined ? revision - afterSeq : 0;
    return unbroken(events, watchId, afterSeq, end);
  }

  async ticks(
    watchId: string,
    fromMs: number,
    toMs: number,
    limit: number,
  ): Promise<readonly Tick[]> {
    const rows = await this.#rows(
      (session) =>
        session.all(
          `SELECT at_ms, readings FROM ticks
           WHERE watch_id = $1 AND at_ms BETWEEN $2::float8 AND $3::float8
           ORDER BY at_ms LIMIT $4`,
          ...[watchId, fromMs, toMs, limit],
        ),
      watchId,
    );
    return toTicks(rows, watchId);
  }

  async deliveries(watchId: string): Promise<readonly Delivery[]> {
    const sql = `${DELIVERY} WHERE watch_id = $1 ORDER BY planned`;
    return (await this.#rows((session) => session.all(sql, watchId), watchId)).map(toDelivery);
  }

  async delivery(id: string): Promise<Delivery | null> {
    const sql = `${DELIVERY} WHERE id = $1`;
    const [row] = await this.#rows((session) => session.all(sql, id), id);
    return row === undefined ? null : toDelivery(row);
  }

  async receipts(watchId: string, channel: string): Promise<readonly Receipt[]> {
    const sql = `SELECT id, content, receipt FROM deliveries
      WHERE watch_id = $1 AND receipt IS NOT NULL ORDER BY planned DESC LIMIT $2`;
    const rows = await this.#rows((session) => session.all(sql, watchId, RECEIPTS_MAX), watchId);
    return toReceipts(rows, channel);
  }

  async pendingDeliveries(
    limit: number,
    kind?: 'action' | 'message',
    onDamaged?: (error: CanarydError) => void,
    dueAtMs?: number,
  ): Promise<readonly Delivery[]> {
    const isKind = kind === undefined ? '' : `AND kind = '${kind}'`;
    const order = pendingOrder('NOT is_critical', kind, dueAtMs === undefined ? null : '$2');
    const sql = `${DELIVERY} WHERE state = 'pending' ${isKind} ${order} LIMIT $1`;
    const values = dueAtMs === undefined ? [limit] : [limit, wholeMs(dueAtMs)];
    return toDeliveries(await this.#read((session) => session.all(sql, ...values)), onDamaged);
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
    const what = { starts, atMs, holder };
    return this.#write(
      'statement',
      (session) => begin(session, what),
      (session) => begunBefore(session, what),
    );
  }

  #news(): News {
    return [this.#listener.channel, this.#listener.payload(null)];
  }

  async announce(replica: Replica, ttlMs: number): Promise<readonly Replica[]> {
    const rows = await this.#write('repeatable', (session) =>
      announce(session, replica, ttlMs, this.#news()),
    );
    const [mine] = rows;
    if (mine === undefined) throw this.#failed('write to it', new Error('its schema is gone'));
    const found = {
      version: mine.integer('version'),
      compatibleFrom: mine.integer('compatible_from'),
    };
    this.#outdated = tooNew(placeName(this.#database.place), found, SCHEMA_VERSION);
    if (this.#outdated !== null) throw this.#outdated;
    return living(rows);
  }

  /** Also of a replica that may write nothing else any more. */
  async retire(replicaId: string): Promise<void> {
    try {
      await this.#database.repeatable((session) => retire(session, replicaId, this.#news()));
    } catch (error) {
      throw this.#failed('write to it', error);
    }
  }

  listen(listener: Hint): () => void {
    return this.#listener.add(listener);
  }

  async hold(): Promise<Hold | null> {
    const sql = "SELECT value FROM settings WHERE name = 'hold'";
    const row = await this.#read((session) => session.one(sql));
    return row === null ? null : decodeHold(row.text('value'));
  }

  async setHold(hold: Hold | null): Promise<void> {
    await this.#write('transaction', (session) =>
      hold === null
        ? session.run("DELETE FROM settings WHERE name = 'hold'")
        : set(session, 'hold', encodeHold(hold)),
    );
  }

  async counts(): Promise<Readonly<Record<Phase, number>>> {
    const rows = await this.#read((session) =>
      session.all('SELECT phase, count(*) AS watches FROM watches GROUP BY phase'),
    );
    return toCounts(rows);
  }

  async prune(samplesBeforeMs: number, watchesBeforeMs: number): Promise<Pruned> {
    const samples = await this.#inSteps(pruneTicks, samplesBeforeMs);
    const watches = await this.#inSteps(pruneWatches, watchesBeforeMs);
    const decisions = await this.#inSteps(pruneGateRecords, watchesBeforeMs);
    const signatures = await this.#inSteps(pruneSignOffs, watchesBeforeMs);
    await this.#write('repeatable', forget);
    return { samples, watches, decisions, signatures };
  }

  async #inSteps(
    prune: (session: Session, beforeMs: number) => Promise<Step>,
    beforeMs: number,
  ): Promise<number> {
    let removed = 0;
    for (;;) {
      const step = await this.#write('transaction', (session) => prune(session, beforeMs));
      removed += step.removed;
      if (step.isLast) return removed;
    }
  }

  async check(): Promise<void> {
    await this.#write('repeatable', (session) => set(session, 'checked', ''));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener.close();
    await this.#database.close();
  }
}

function set(session: Session, name: string, value: string): Promise<number> {
  return session.run(
    `INSERT INTO settings (name, value) VALUES ($1, $2)
     ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
    name,
    value,
  );
}
