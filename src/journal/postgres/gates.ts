// What the PostgreSQL journal keeps of gates: signatures, decisions, and who is still to be told.
// Which of two replicas was first is the server's word: unique constraints and numbers of attempts.
// It stores what it is told and decides nothing.
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
import { name, told } from './append.ts';
import type { Session } from './database.ts';
import { MAY_WRITE } from './migrations.ts';

/** How the journal reaches its server. */
export type Access = {
  /** What holds a NUL is nowhere, and PostgreSQL does not like to be asked. */
  rows(
    work: (session: Session) => Promise<Row[]>,
    ...asked: (string | undefined)[]
  ): Promise<Row[]>;
  write<Result>(
    kind: 'statement' | 'repeatable' | 'transaction',
    work: (session: Session) => Promise<Result>,
    settle?: (session: Session) => Promise<Result | null>,
  ): Promise<Result>;
};

// Columns by name: a newer canaryd may have added some.
const MESSAGE = `
  SELECT id, record_id, channel, message, state, attempts, attempted_at_ms, not_before_ms,
    deadline_at_ms, last_reason, last_detail FROM gate_messages`;

export class PostgresGates implements GateStore {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  async addSignOff(signOff: SignOff): Promise<void> {
    const { gate, environment, version, atMs } = signOff;
    const row = [
      ...[name(gate, 'the gate'), name(environment, 'the environment')],
      ...[name(version, 'the version'), wholeMs(atMs), encodeSignOff(signOff)],
    ];
    await this.#access.write(
      'transaction',
      (session) =>
        session.run(
          `INSERT INTO gate_sign_offs (gate, environment, version, at_ms, body)
           VALUES ($1, $2, $3, $4, $5)`,
          ...row,
        ),
      // Given twice with the same words at the same time, it says no more than once.
      async (session) => {
        const found = await session.all(
          `SELECT 1 FROM gate_sign_offs
           WHERE gate = $1 AND environment = $2 AND version = $3 AND at_ms = $4 AND body = $5
           LIMIT 1`,
          ...row,
        );
        return found.length === 0 ? null : found.length;
      },
    );
  }

  async signOffs(filter: SignOffFilter): Promise<readonly SignOff[]> {
    const { gate, environment, version, limit } = filter;
    const { where, values } = conditions({ gate, environment, version });
    const sql = `SELECT ordinal, body FROM gate_sign_offs ${where} ORDER BY ordinal DESC LIMIT $1`;
    const work = (session: Session) => session.all(sql, limit, ...values);
    return (await this.#access.rows(work, ...values)).map(toSignOff).reverse();
  }

  async addGateRecord(
    record: StoredGateRecord,
    messages: readonly NewGateMessage[],
  ): Promise<boolean> {
    const { id } = record;
    const body = encodeGateRecord(record);
    checkPlanned(id, messages);
    return this.#access.write(
      'transaction',
      async (session) => {
        const isNew = await insertRecord(session, record, body);
        if (isNew) await plan(session, id, messages);
        return isNew;
      },
      // Somebody else's has another time of receipt.
      async (session) => {
        const row = await session.one('SELECT body FROM gate_records WHERE id = $1', id);
        return row === null ? null : row.text('body') === body;
      },
    );
  }

  async gateRecord(id: string): Promise<StoredGateRecord | null> {
    const sql = 'SELECT id, body FROM gate_records WHERE id = $1';
    const [row] = await this.#access.rows((session) => session.all(sql, id), id);
    return row === undefined ? null : toGateRecord(row);
  }

  gateRecords(
    filter: GateFilter,
    onDamaged?: (error: CanarydError) => void,
  ): Promise<readonly StoredGateRecord[]> {
    return this.#listed('body', toGateRecord, filter, onDamaged);
  }

  gateHeads(
    filter: GateFilter,
    onDamaged?: (error: CanarydError) => void,
  ): Promise<readonly GateHead[]> {
    return this.#listed('head', toGateHead, filter, onDamaged);
  }

  async #listed<One>(
    column: 'head' | 'body',
    read: (row: Row) => One,
    filter: GateFilter,
    onDamaged?: (error: CanarydError) => void,
  ): Promise<readonly One[]> {
    const { beforeId, limit, gate, service, environment, version, decision } = filter;
    const wanted = { gate, service, environment, version, decision };
    const { where, values } = conditions(wanted, beforeId);
    const sql = `SELECT id, ${column} FROM gate_records ${where} ORDER BY ordinal DESC LIMIT $1`;
    const work = (session: Session) => session.all(sql, limit, ...values);
    return readable(await this.#access.rows(work, ...values), read, onDamaged);
  }

  async pendingGateMessages(
    limit: number,
    onDamaged?: (error: CanarydError) => void,
  ): Promise<readonly GateMessage[]> {
    const sql = `${MESSAGE} WHERE state = 'pending' ORDER BY planned LIMIT $1`;
    const rows = await this.#access.rows((session) => session.all(sql, limit));
    return readable(rows, toGateMessage, onDamaged);
  }

  async gateMessages(recordId: string): Promise<readonly GateMessage[]> {
    const sql = `${MESSAGE} WHERE record_id = $1 ORDER BY channel COLLATE "C"`;
    const rows = await this.#access.rows((session) => session.all(sql, recordId), recordId);
    return rows.map(toGateMessage);
  }

  /** When the answer is lost it counts as begun, and the next attempt has another number. */
  async startGateAttempt(id: string, attempt: number, atMs: number): Promise<boolean> {
    const changes = await this.#access.write('statement', (session) =>
      session.run(
        `UPDATE gate_messages SET attempts = attempts + 1, attempted_at_ms = $3
         WHERE id = $1 AND state = 'pending' AND attempts + 1 = $2 AND ${MAY_WRITE}`,
        ...[id, attempt, wholeMs(atMs)],
      ),
    );
    return changes === 1;
  }

  async endGateAttempt(update: GateMessageUpdate): Promise<void> {
    const { id, state, attempt, notBeforeMs, reason, detail } = update;
    await this.#access.write('repeatable', (session) =>
      session.run(
        `UPDATE gate_messages
         SET state = $3, not_before_ms = $4, last_reason = $5, last_detail = $6
         WHERE id = $1 AND state = 'pending' AND attempts = $2 AND ${MAY_WRITE}`,
        ...[id, attempt, state, wholeMs(notBeforeMs), reason, told(detail)],
      ),
    );
  }
}

/** False: it is there already. Who writes the same one at this moment is waited for. */
async function insertRecord(
  session: Session,
  record: StoredGateRecord,
  body: string,
): Promise<boolean> {
  const { id, gate, deploy, decision, receivedAtMs } = record;
  const written = await session.run(
    `INSERT INTO gate_records (id, gate, service, environment, version, decision,
       received_at_ms, head, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (id) DO NOTHING`,
    ...[name(id, 'the id of the decision'), name(gate, 'the gate')],
    ...[name(deploy.service, 'the service'), name(deploy.environment, 'the environment')],
    ...[name(deploy.version, 'the version'), decision, wholeMs(receivedAtMs)],
    ...[encodeGateHead(record), body],
  );
  return written === 1;
}

async function plan(session: Session, recordId: string, messages: readonly NewGateMessage[]) {
  for (const { id, channel, message, notBeforeMs, deadlineAtMs } of messages) {
    await session.run(
      `INSERT INTO gate_messages (id, record_id, channel, message, not_before_ms, deadline_at_ms)
       VALUES ($1, $2, $3, $4, $5, $6)`,
      ...[name(id, 'the id of a message'), recordId, name(channel, 'the channel')],
      ...[encodeMessage(message), wholeMs(notBeforeMs), wholeMs(deadlineAtMs)],
    );
  }
}

/** Which rows are asked for; the first value of the statement is the limit. */
function conditions(wanted: Readonly<Record<string, string | undefined>>, beforeId?: string) {
  const parts: string[] = [];
  const values: string[] = [];
  for (const [column, value] of Object.entries(wanted)) {
    if (value === undefined) continue;
    values.push(value);
    parts.push(`${column} = $${values.length + 1}`);
  }
  if (beforeId !== undefined) {
    values.push(beforeId);
    parts.push(`ordinal < (SELECT ordinal FROM gate_records WHERE id = $${values.length + 1})`);
  }
  return { where: parts.length === 0 ? '' : `WHERE ${parts.join(' AND ')}`, values };
}
