// The way to the server: connections with limits, transactions, and what is tried again. It knows
// no table. Reads are repeated within a bound; writes only when the server certainly did not keep
// them, because one that is made twice would be two decisions.
import { readFileSync } from 'node:fs';
import { type ClientConfig, DatabaseError, Pool, type PoolClient, type QueryConfig } from 'pg';
import { systemClock } from '../../kit/clock.ts';
import type { PostgresAddress } from '../../kit/postgres-url.ts';
import { Refused } from '../refusal.ts';
import { Row } from '../row.ts';
import { Failed, isGone, isTransient, WrongServer } from './failure.ts';

const CONNECTIONS_MAX = 10;
const CONNECTION_IDLE_MS = 30_000;
/** Also how long is waited for a free connection. */
export const CONNECT_WITHIN_MS = 3_000;
/** The server ends a statement itself; the client gives up a little later, on a silent one. */
const STATEMENT_WITHIN_MS = 4_000;
export const ANSWER_WITHIN_MS = 5_000;
const LOCK_WITHIN_MS = 3_000;
/** A process that hangs in the middle of a transaction holds up others for this long. */
const IDLE_IN_TRANSACTION_MS = 5_000;
const KEEP_ALIVE_AFTER_MS = 10_000;

const ATTEMPTS_MAX = 4;
const PAUSE_MS = 40;
/** After this no further attempt is begun: the engine's own loops come again. */
const REPEAT_WITHIN_MS = 2_000;

const INT8 = 20;
const INT4 = 23;
const BOOL = 16;

export type Place = {
  readonly address: PostgresAddress;
  readonly password: () => string | null;
  readonly schema: string;
  readonly isReadOnly: boolean;
};

/** For error messages and logs: never the password. */
export function placeName({ address, schema }: Place): string {
  const { user, host, port, database } = address;
  return `postgres ${user}@${host}:${port}/${database} (schema ${schema})`;
}

function tlsOptions({ tls }: PostgresAddress): ClientConfig['ssl'] {
  if (tls === null) return false;
  const { isVerified, ca, cert, key } = tls;
  return {
    rejectUnauthorized: isVerified,
    ...(ca === null ? {} : { ca: readFileSync(ca, 'utf8') }),
    ...(cert === null ? {} : { cert: readFileSync(cert, 'utf8') }),
    ...(key === null ? {} : { key: readFileSync(key, 'utf8') }),
  };
}

export function clientConfig({ address, password }: Place): ClientConfig {
  const { host, port, user, database } = address;
  return {
    ...{ host, port, user, database },
    // Asked for at each connection: a rotated password counts without a restart.
    password: () => password() ?? '',
    ssl: tlsOptions(address),
    application_name: 'canaryd',
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
    query_timeout: ANSWER_WITHIN_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    types: { getTypeParser: parserOf },
  };
}

const asText = (text: string) => text;

/** Times in ms and counts are far below 2^53. */
const parserOf: NonNullable<ClientConfig['types']>['getTypeParser'] = (oid: number) => {
  if (oid === INT8 || oid === INT4) return Number;
  return oid === BOOL ? (text: string) => text === 't' : asText;
};

/** One connection in one piece of work. */
export class Session {
  readonly #client: PoolClient;
  #answerWithinMs = ANSWER_WITHIN_MS;

  constructor(client: PoolClient) {
    this.#client = client;
  }

  /** For migrations, which may take their time. */
  patient(answerWithinMs: number): void {
    this.#answerWithinMs = answerWithinMs;
  }

  async #query(text: string, values: unknown[]) {
    const config: QueryConfig & { query_timeout: number } = {
      text,
      values,
      query_timeout: this.#answerWithinMs,
    };
    return this.#client.query<Record<string, unknown>>(config);
  }

  async all(text: string, ...values: unknown[]): Promise<Row[]> {
    return (await this.#query(text, values)).rows.map((columns) => new Row(columns));
  }

  async one(text: string, ...values: unknown[]): Promise<Row | null> {
    return (await this.all(text, ...values))[0] ?? null;
  }

  /** Rows as they are. */
  async records(text: string): Promise<readonly Record<string, unknown>[]> {
    return (await this.#query(text, [])).rows;
  }

  /** Returns the number of rows it changed. */
  async run(text: string, ...values: unknown[]): Promise<number> {
    return (await this.#query(text, values)).rowCount ?? 0;
  }

  /** Several statements without values. */
  async script(text: string): Promise<void> {
    await this.#query(text, []);
  }
}

/**
 * - `reading`: changes nothing, may be repeated.
 * - `statement`: one statement that commits by itself.
 * - `repeatable`: likewise, and twice is as good as once.
 * - `transaction`: all or nothing.
 */
type Kind = 'reading' | 'statement' | 'repeatable' | 'transaction';

const SET_UP = `
  SELECT set_config('search_path', $1, false),
    set_config('statement_timeout', $2, false), set_config('lock_timeout', $3, false),
    set_config('idle_in_transaction_session_timeout', $4, false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
      WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false),
    pg_is_in_recovery() AS is_standby`;

export class Database {
  readonly place: Place;
  readonly #pool: Pool;
  #isClosed = false;

  constructor(place: Place) {
    this.place = place;
    this.#pool = new Pool({
      ...clientConfig(place),
      max: CONNECTIONS_MAX,
      idleTimeoutMillis: CONNECTION_IDLE_MS,
      verify: (client, done) => {
        this.#setUp(client).then(() => done(), done);
      },
    });
    // A connection that dies while nobody uses it is replaced by the next one.
    this.#pool.on('error', () => {});
    this.#pool.on('connect', (client) => client.on('error', () => {}));
  }

  async #setUp(client: PoolClient): Promise<void> {
    const { schema, isReadOnly } = this.place;
    const limits = [STATEMENT_WITHIN_MS, LOCK_WITHIN_MS, IDLE_IN_TRANSACTION_MS].map(String);
    const row = await new Session(client).one(SET_UP, `"${schema}"`, ...limits);
    if (isReadOnly) await client.query('SET default_transaction_read_only = on');
    else if (row?.flag('is_standby')) throw new WrongServer();
  }

  read<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    return this.#try('reading', work);
  }

  statement<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    return this.#try('statement', work);
  }

  repeatable<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    return this.#try('repeatable', work);
  }

  transaction<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    return this.#try('transaction', work);
  }

  /** For work that cannot be begun again, such as reading a file. */
  transactionOnce<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    return this.#once('transaction', work);
  }

  async #try<Result>(kind: Kind, work: (session: Session) => Promise<Result>): Promise<Result> {
    const begunAt = systemClock.monotonic();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#once(kind, work);
      } catch (error) {
        const isLate = systemClock.monotonic() - begunAt > REPEAT_WITHIN_MS;
        if (!(error instanceof Failed) || attempt >= ATTEMPTS_MAX || isLate) throw error;
        const isSafe = error.isUndone || kind === 'reading' || kind === 'repeatable';
        if (this.#isClosed || !isSafe || !isTransient(error.cause)) throw error;
        await systemClock.sleep(PAUSE_MS * attempt ** 2);
      }
    }
  }

  async #once<Result>(kind: Kind, work: (session: Session) => Promise<Result>): Promise<Result> {
    // Nothing was sent yet.
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw new Failed(error, true);
    });
    const isTransaction = kind === 'transaction';
    let mayBeKept = !isTransaction;
    try {
      if (isTransaction) await client.query('BEGIN');
      const result = await work(new Session(client));
      mayBeKept = true;
      if (isTransaction) await client.query('COMMIT');
      client.release();
      return result;
    } catch (error) {
      const isUndone = !mayBeKept || isRefusedByServer(error);
      await this.#putBack(client, isTransaction, error);
      if (error instanceof DatabaseError || isGone(error)) throw new Failed(error, isUndone);
      throw error;
    }
  }

  /** What is in an unknown state, or leads to the wrong server, is not used again. */
  async #putBack(client: PoolClient, isTransaction: boolean, error: unknown): Promise<void> {
    const isHealthy =
      !isGone(error) && (!(error instanceof DatabaseError) || isRefusedByServer(error));
    if (!isHealthy) return client.release(true);
    if (!isTransaction) return client.release(isTransient(error));
    try {
      await client.query('ROLLBACK');
      client.release(isTransient(error) && !(error instanceof Refused));
    } catch {
      client.release(true);
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#pool.end();
  }
}

/** An error of this severity undoes the statement; after a fatal one nobody knows. */
function isRefusedByServer(error: unknown): boolean {
  return error instanceof DatabaseError && error.severity === 'ERROR';
}
