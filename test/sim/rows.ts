// The raw rows of the journal's file, read beside the daemons on a connection of its own and
// without their code: what the checker believes.
import { DatabaseSync, type StatementSync } from 'node:sqlite';

export type WatchRow = {
  readonly id: string;
  readonly phase: string;
  readonly is_active: number;
  readonly closed_at_ms: number | null;
  readonly revision: number;
  readonly track_at_ms: number | null;
};

export type EventRow = {
  readonly seq: number;
  readonly at_ms: number;
  readonly type: string;
  readonly body: string;
};

export type DeliveryRow = {
  readonly id: string;
  readonly kind: string;
  readonly action: string | null;
  readonly state: string;
  readonly attempts: number;
  readonly attempts_max: number;
  readonly attempted_at_ms: number | null;
  readonly in_flight: number;
  /** Who began the attempt that is under way. */
  readonly holder: string | null;
  readonly deadline_at_ms: number;
  readonly created_at_ms: number;
  readonly last_reason: string | null;
  readonly message_kind: string | null;
  readonly headline: string | null;
  readonly not_before_ms: number;
  readonly channel: string | null;
  readonly severity: string | null;
  /** Of the message: the event's, or when a call is to be made. */
  readonly told_at_ms: number | null;
  readonly is_silent: number | null;
  readonly incident: string | null;
  readonly held_until_ms: number | null;
  /** The event with which the chain of a call begins. */
  readonly call_seq: number | null;
};

const DELIVERY = `SELECT id, kind, action, state, attempts, attempts_max, attempted_at_ms, in_flight, holder,
  deadline_at_ms, created_at_ms, last_reason,
  json_extract(content, '$.message.kind') AS message_kind,
  json_extract(content, '$.message.headline') AS headline,
  not_before_ms, json_extract(content, '$.channel') AS channel,
  json_extract(content, '$.message.severity') AS severity,
  json_extract(content, '$.message.atMs') AS told_at_ms,
  json_extract(content, '$.message.isSilent') AS is_silent,
  json_extract(content, '$.message.incident') AS incident,
  json_extract(content, '$.heldUntilMs') AS held_until_ms,
  json_extract(content, '$.call.seq') AS call_seq FROM deliveries`;

export class Rows {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string) {
    this.#db = new DatabaseSync(path, { readOnly: true });
  }

  #all<T>(sql: string, ...values: (string | number)[]): T[] {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement.all(...values) as T[];
  }

  watch(id: string): WatchRow | undefined {
    return this.#all<WatchRow>(
      `SELECT id, phase, is_active, closed_at_ms, revision, tracks.at_ms AS track_at_ms
       FROM watches LEFT JOIN tracks ON tracks.watch_id = watches.id WHERE id = ?`,
      id,
    )[0];
  }

  texts(id: string): { readonly deploy: string; readonly policy: string } | undefined {
    const sql = 'SELECT deploy, policy FROM watches WHERE id = ?';
    return this.#all<{ deploy: string; policy: string }>(sql, id)[0];
  }

  watches(): readonly WatchRow[] {
    return this.#all<WatchRow>(
      `SELECT id, phase, is_active, closed_at_ms, revision, tracks.at_ms AS track_at_ms
       FROM watches LEFT JOIN tracks ON tracks.watch_id = watches.id ORDER BY ordinal`,
    );
  }

  /** Open watches by service: more than one is too many. */
  doublyOpen(): readonly string[] {
    return this.#all<{ service: string }>(
      `SELECT service FROM watches WHERE phase = 'watching' GROUP BY service HAVING count(*) > 1`,
    ).map(({ service }) => service);
  }

  events(watchId: string, afterSeq: number): readonly EventRow[] {
    const sql =
      'SELECT seq, at_ms, type, body FROM events WHERE watch_id = ? AND seq > ? ORDER BY seq';
    return this.#all<EventRow>(sql, watchId, afterSeq);
  }

  deliveries(watchId: string): readonly DeliveryRow[] {
    return this.#all<DeliveryRow>(`${DELIVERY} WHERE watch_id = ? ORDER BY planned`, watchId);
  }

  delivery(id: string): DeliveryRow | undefined {
    return this.#all<DeliveryRow>(`${DELIVERY} WHERE id = ?`, id)[0];
  }

  pendingMessages(): readonly (DeliveryRow & { readonly watch_id: string })[] {
    const where = `WHERE state = 'pending' AND kind = 'message' ORDER BY planned`;
    return this.#all(`${DELIVERY.replace('SELECT', 'SELECT watch_id,')} ${where}`);
  }

  tickThere(watchId: string, atMs: number): boolean {
    const sql = 'SELECT 1 FROM ticks WHERE watch_id = ? AND at_ms = ?';
    return this.#all(sql, watchId, Math.ceil(atMs)).length === 1;
  }

  /** Work that is left: active watches and pending deliveries. */
  left(): { readonly active: number; readonly pending: number } {
    const sql = `SELECT (SELECT count(*) FROM watches WHERE is_active = 1) AS active,
      (SELECT count(*) FROM deliveries WHERE state = 'pending') AS pending`;
    return this.#all<{ active: number; pending: number }>(sql)[0] ?? { active: 0, pending: 0 };
  }

  /** Everything that was written, as text: equal for equal worlds. */
  dump(): string {
    const tables = ['watches', 'events', 'deliveries', 'ticks', 'tracks', 'settings'];
    return tables
      .map((table) => JSON.stringify(this.#all(`SELECT * FROM ${table} ORDER BY 1, 2`)))
      .join('\n');
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }
}
