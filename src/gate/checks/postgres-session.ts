// One question to a PostgreSQL, that cannot change anything: a read-only transaction around a
// cursor, with the server's own time limit. Rows and bytes are bounded. SHOW goes without a
// transaction, because the console of PgBouncer knows none.
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { Client, type ClientConfig, DatabaseError, type QueryConfig } from 'pg';
import type { Clock } from '../../kit/clock.ts';
import { startLoop } from '../../kit/loop.ts';
import type { PostgresAddress, PostgresTls } from '../../kit/postgres-url.ts';
import { cutEnd, printable } from '../../kit/redact.ts';

export const ROWS_MAX = 10_000;
const ANSWER_BYTES_MAX = 32_000_000;
const BYTES_LOOKED_AT_MS = 50;
/** The server ends a statement itself; the client gives up a little later, on a silent one. */
const BEYOND_STATEMENT_MS = 500;
const REASON_MAX = 300;
/** One name and nothing after it: without a transaction around it, more could change something. */
const SHOW = /^\s*show\s+[\w.\s]+;?\s*$/i;

export type PostgresRow = Readonly<Record<string, string | null>>;

export type PostgresAnswer =
  | {
      readonly kind: 'rows';
      readonly columns: readonly string[];
      readonly rows: readonly PostgresRow[];
      /** There are more than `ROWS_MAX`. */
      readonly isCut: boolean;
      readonly version: string;
    }
  | { readonly kind: 'failed'; readonly reason: string };

export type Question = {
  readonly address: PostgresAddress;
  readonly password: string | null;
  /** null: only whether it can be reached. */
  readonly query: string | null;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

export async function askPostgres(question: Question): Promise<PostgresAnswer> {
  const { address, timeoutMs, signal } = question;
  const place = `${address.host}:${address.port}/${address.database}`;
  const failed = (reason: string): PostgresAnswer => {
    return { kind: 'failed', reason: `${place}: ${cutEnd(printable(reason), REASON_MAX)}` };
  };
  if (signal.aborted) return failed('the check was cut off');
  const held: { socket?: Socket } = {};
  let why: string | null = null;
  const end = (reason: string) => {
    why ??= reason;
    held.socket?.destroy();
  };
  const onAbort = () => end('the check was cut off');
  signal.addEventListener('abort', onAbort, { once: true });
  const limit = setTimeout(() => end(`no answer within ${timeoutMs} ms`), timeoutMs);
  const watch = startLoop({
    clock: question.clock,
    everyMs: BYTES_LOOKED_AT_MS,
    work: async () => {
      if ((held.socket?.bytesRead ?? 0) > ANSWER_BYTES_MAX) {
        end(`an answer larger than ${ANSWER_BYTES_MAX} bytes; select less`);
      }
      return undefined;
    },
    onError: () => {},
  });
  try {
    const config = clientConfig(question, (made) => {
      held.socket = made;
    });
    const client = new Client(config);
    client.on('error', () => {});
    try {
      await client.connect();
      return await answered(client, question);
    } finally {
      // Politely, but not for long: the socket is closed below.
      client.end().catch(() => {});
    }
  } catch (error) {
    return failed(why ?? reasonOf(error));
  } finally {
    clearTimeout(limit);
    await watch.stop();
    signal.removeEventListener('abort', onAbort);
    held.socket?.destroySoon();
  }
}

function clientConfig(
  { address, password, timeoutMs }: Question,
  onSocket: (socket: Socket) => void,
): ClientConfig {
  const { host, port, user, database, tls } = address;
  return {
    ...{ host, port, user, database },
    password: password ?? '',
    ssl: tlsOptions(tls),
    application_name: 'canaryd gate',
    connectionTimeoutMillis: timeoutMs,
    // Made here, so that it can be cut off at any time.
    stream: () => {
      const socket = new Socket();
      onSocket(socket);
      return socket;
    },
    types: { getTypeParser: () => (text: string) => text },
  };
}

function tlsOptions(tls: PostgresTls | null): ClientConfig['ssl'] {
  if (tls === null) return false;
  const { isVerified, ca, cert, key } = tls;
  return {
    rejectUnauthorized: isVerified,
    ...(ca === null ? {} : { ca: readFileSync(ca, 'utf8') }),
    ...(cert === null ? {} : { cert: readFileSync(cert, 'utf8') }),
    ...(key === null ? {} : { key: readFileSync(key, 'utf8') }),
  };
}

type Ask = QueryConfig & { readonly queryMode?: 'extended'; readonly query_timeout: number };

async function answered(client: Client, question: Question): Promise<PostgresAnswer> {
  const { query, timeoutMs } = question;
  const ask = (text: string, queryMode?: 'extended') => {
    const config: Ask = {
      text,
      query_timeout: timeoutMs + BEYOND_STATEMENT_MS,
      ...(queryMode === undefined ? {} : { queryMode }),
    };
    return client.query<Record<string, string | null>>(config);
  };
  if (query === null) {
    const { rows } = await ask('SHOW server_version');
    const version = Object.values(rows[0] ?? {})[0] ?? '';
    return { kind: 'rows', columns: [], rows: [], isCut: false, version };
  }
  if (SHOW.test(query)) {
    const { rows, fields } = await ask(query.trim().replace(/;$/, ''));
    const columns = fields.map(({ name }) => name);
    const isCut = rows.length > ROWS_MAX;
    return { kind: 'rows', columns, rows: rows.slice(0, ROWS_MAX), isCut, version: '' };
  }
  await ask('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await ask(`SET LOCAL statement_timeout = ${Math.max(1, Math.floor(timeoutMs))}`);
  await ask('SET LOCAL intervalstyle = postgres');
  const shown = await ask('SHOW server_version');
  const version = shown.rows[0]?.['server_version'] ?? '';
  // The extended protocol takes one statement only: nothing can follow that ends the transaction.
  const bare = query.trim().replace(/;\s*$/, '');
  await ask(`DECLARE canaryd_gate NO SCROLL CURSOR FOR ${bare}`, 'extended');
  const { rows, fields } = await ask(`FETCH FORWARD ${ROWS_MAX + 1} FROM canaryd_gate`);
  await ask('ROLLBACK');
  const columns = fields.map(({ name }) => name);
  const isCut = rows.length > ROWS_MAX;
  return { kind: 'rows', columns, rows: rows.slice(0, ROWS_MAX), isCut, version };
}

/** The server's words, without the statement; never the password, which it does not know. */
function reasonOf(error: unknown): string {
  if (error instanceof DatabaseError) return `${error.message} (${error.code ?? 'no code'})`;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ENOTFOUND') return 'host name not found';
  if (error instanceof AggregateError) return 'no connection';
  return error instanceof Error ? error.message : 'connection failed';
}
