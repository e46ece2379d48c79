// What the SQLite journal keeps of gates: signatures, decisions, and who is still to be told. It
// stores what it is told and refuses what the constraints forbid; it decides nothing.

import type { SQLInputValue } from 'node:sqlite';
import type { NewGateMessage } from '../../core/gate-message.ts';
import type { SignOff, StoredGateRecord } from '../../core/gate-record.ts';
import type { CanarydError } from '../../kit/errors.ts';
import {
  checkPlanned,
  encodeGateHead,
  encodeGateRecord,
  encodeMessage,
  encodeSignOff,
  readable,
  toGateHead,
  toGateMessage,
  toGateRecord,
  toSignOff,
} from '../gate-rows.ts';
import type {
  GateFilter,
  GateHead,
  GateMessage,
  GateMessageUpdate,
  GateStore,
  SignOffFilter,
} from '../gate-store.ts';
import type { Row } from '../row.ts';
import { wholeMs } from '../rows.ts';
import { failure } from './file.ts';
import type { Connection } from './sql.ts';

export class SqliteGates implements GateStore {
  readonly #path: string;
  readonly #sql: Connection;

  constructor(path: string, sql: Connection) {
    this.#path = path;
    this.#sql = sql;
  }

  #read<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      throw failure(this.#path, 'read from it', error);
    }
  }

  #write<Result>(work: () => Result): Result {
    try {
      return this.#sql.transaction(work);
    } catch (error) {
      throw failure(this.#path, 'write to it', error);
    }
  }

  async addSignOff(signOff: SignOff): Promise<void> {
    const { gate, environment, version, atMs } = signOff;
    this.#write(() =>
      this.#sql.run(
        `INSERT INTO gate_sign_offs (gate, environment, version, at_ms, body)
         VALUES (?, ?, ?, ?, ?)`,
        ...[gate, environment, version, wholeMs(atMs), encodeSignOff(signOff)],
      ),
    );
  }

  async signOffs(filter: SignOffFilter): Promise<readonly SignOff[]> {
    const { gate, environment, version, limit } = filter;
    const { where, values } = conditions({ gate, environment, version });
    const sql = `SELECT ordinal, body FROM gate_sign_offs ${where} ORDER BY ordinal DESC LIMIT ?`;
    return this.#read(() =>
      this.#sql
        .all(sql, ...values, limit)
        .map(toSignOff)
        .reverse(),
    );
  }

  async addGateRecord(
    record: StoredGateRecord,
    messages: readonly NewGateMessage[],
  ): Promise<boolean> {
    checkPlanned(record.id, messages);
    return this.#write(() => {
      const { id, gate, deploy, decision, receivedAtMs } = record;
      const { service, environment, version } = deploy;
      const written = this.#sql.run(
        `INSERT INTO gate_records (id, gate, service, environment, version, decision,
           received_at_ms, head, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
        ...[id, gate, service, environment, version, decision],
        ...[wholeMs(receivedAtMs), encodeGateHead(record), encodeGateRecord(record)],
      );
      if (written === 0) return false;
      for (const message of messages) this.#plan(id, message);
      return true;
    });
  }

  #plan(recordId: string, planned: NewGateMessage): void {
    const { id, channel, message, notBeforeMs, deadlineAtMs } = planned;
    this.#sql.run(
      `INSERT INTO gate_messages (id, record_id, channel, message, not_before_ms, deadline_at_ms)
       VALUES (?, ?, ?, ?, ?, ?)`,
      ...[id, recordId, channel, encodeMessage(message)],
      ...[wholeMs(notBeforeMs), wholeMs(deadlineAtMs)],
    );
  }

  async gateRecord(id: string): Promise<StoredGateRecord | null> {
    return this.#read(() => {
      const row = this.#sql.one('SELECT id, body FROM gate_records WHERE id = ?', id);
      return row === null ? null : toGateRecord(row);
    });
  }

  async gateRecords(
    filter: GateFilter,
    onDamaged?: (error: CanarydError) => void,
  ): Promise<readonly StoredGateRecord[]> {
    return this.#listed('body', toGateRecord, filter, onDamaged);
  }

  async gateHeads(
    filter: GateFilter,
    onDamaged?: (error: CanarydError) => void,
  ): Promise<readonly GateHead[]> {
    return this.#listed('head', toGateHead, filter, onDamaged);
  }

  #listed<One>(
    column: 'head' | 'body',
    read: (row: Row) => One,
    filter: GateFilter,
    onDamaged?: (error: CanarydError) => void,
  ): readonly One[] {
    const { beforeId, limit, gate, service, environment, version, decision } = filter;
    const wanted = { gate, service, environment, version, decision };
    const { where, values } = conditions(wanted, beforeId);
    const sql = `SELECT id, ${column} FROM gate_records ${where} ORDER BY ordinal DESC LIMIT ?`;
    return this.#read(() => readable(this.#sql.all(sql, ...values, limit), read, onDamaged));
  }

  async pendingGateMessages(
    limit: number,
    onDamaged?: (error: CanarydError) => void,
  ): Promise<readonly GateMessage[]> {
    const sql = "SELECT * FROM gate_messages WHERE state = 'pending' ORDER BY planned LIMIT ?";
    return this.#read(() => readable(this.#sql.all(sql, limit), toGateMessage, onDamaged));
  }

  async gateMessages(recordId: string): Promise<readonly GateMessage[]> {
    const sql = 'SELECT * FROM gate_messages WHERE record_id = ? ORDER BY channel';
    return this.#read(() => this.#sql.all(sql, recordId).map(toGateMessage));
  }

  async startGateAttempt(id: string, attempt: number, atMs: number): Promise<boolean> {
    const changes = this.#write(() =>
      this.#sql.run(
        `UPDATE gate_messages SET attempts = attempts + 1, attempted_at_ms = ?
         WHERE id = ? AND state = 'pending' AND attempts + 1 = ?`,
        ...[wholeMs(atMs), id, attempt],
      ),
    );
    return changes === 1;
  }

  async endGateAttempt(update: GateMessageUpdate): Promise<void> {
    const { id, state, attempt, notBeforeMs, reason, detail } = update;
    this.#write(() =>
      this.#sql.run(
        `UPDATE gate_messages
         SET state = ?, not_before_ms = ?, last_reason = ?, last_detail = ?
         WHERE id = ? AND state = 'pending' AND attempts = ?`,
        ...[state, wholeMs(notBeforeMs), reason, detail, id, attempt],
      ),
    );
  }
}

/** Which rows are asked for; few texts, so that few statements are prepared. */
function conditions(
  wanted: Readonly<Record<string, string | undefined>>,
  beforeId?: string,
): { readonly where: string; readonly values: readonly SQLInputValue[] } {
  const given = Object.entries(wanted).filter(([, value]) => value !== undefined);
  const parts = given.map(([column]) => `${column} = ?`);
  const values = given.map(([, value]) => value ?? null);
  if (beforeId !== undefined) {
    parts.push('ordinal < (SELECT ordinal FROM gate_records WHERE id = ?)');
    values.push(beforeId);
  }
  return { where: parts.length === 0 ? '' : `WHERE ${parts.join(' AND ')}`, values };
}
