// The PostgreSQL journal as a whole: read in one snapshot beside daemons that run; written only
// into an empty schema that no replica uses.
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
import { decodeContent } from '../codec.ts';
import { isCritical } from './append.ts';
import { type Database, placeName, type Session } from './database.ts';
import { failure, refuse } from './failure.ts';

/** Rows that are in memory at a time. */
const ROWS_AT_ONCE = 200;
const BULKY_AT_ONCE = 10;
/** A sort of many samples, or a file that comes slowly, may take its time. */
const WITHIN_MS = 600_000;

const ARRAYS = { text: 'text[]', json: 'text[]', integer: 'bigint[]', flag: 'boolean[]' } as const;

export class PostgresArchive implements Archive {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async #once(doing: string, work: (session: Session) => Promise<void>): Promise<void> {
    try {
      await this.#database.transactionOnce(work);
    } catch (error) {
      throw failure(placeName(this.#database.place), doing, error);
    }
  }

  dump(take: (entry: Entry) => Promise<void>): Promise<void> {
    return this.#once('read from it', async (session) => {
      await session.script('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
      await patient(session);
      for (const table of TABLES) {
        await session.script(`DECLARE rows NO SCROLL CURSOR FOR ${select(table)}`);
        for (;;) {
          const rows = await session.records(`FETCH ${atOnce(table)} FROM rows`);
          for (const row of rows) await take(toEntry(table, row));
          if (rows.length < atOnce(table)) break;
        }
        await session.script('CLOSE rows');
      }
    });
  }

  restore(entries: AsyncIterable<Entry>): Promise<void> {
    return this.#once('write to it', async (session) => {
      await patient(session);
      await session.script(
        'LOCK TABLE watches, gate_sign_offs, gate_records, replicas IN EXCLUSIVE MODE',
      );
      await this.#expectUnused(session);
      let batch: Entry[] = [];
      for await (const entry of entries) {
        if (batch.length >= atOnce(entry.table) || batch[0]?.table !== entry.table) {
          await insert(session, batch);
          batch = [];
        }
        batch.push(entry);
      }
      await insert(session, batch);
      const watch = await session.one(INCOMPLETE);
      if (watch !== null) throw incomplete(watch.text('id'));
      for (const [table, column] of [
        ['watches', 'ordinal'],
        ['deliveries', 'planned'],
        ['gate_sign_offs', 'ordinal'],
        ['gate_records', 'ordinal'],
        ['gate_messages', 'planned'],
      ]) {
        // The next one comes after all that were imported.
        await session.run(
          `SELECT setval(pg_get_serial_sequence('${table}', '${column}'),
             coalesce(max(${column}), 0) + 1, false) FROM ${table}`,
        );
      }
    });
  }

  async #expectUnused(session: Session): Promise<void> {
    const place = placeName(this.#database.place);
    if ((await session.one(NOT_EMPTY)) !== null) throw notEmpty(place);
    const living = await session.one(
      'SELECT id FROM replicas WHERE lives_until > clock_timestamp() LIMIT 1',
    );
    if (living === null) return;
    throw refuse(place, 'a canaryd is running on it. Stop it first; nothing was changed.');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database.close();
  }
}

function atOnce({ isBulky }: Table): number {
  return isBulky ? BULKY_AT_ONCE : ROWS_AT_ONCE;
}

async function patient(session: Session): Promise<void> {
  session.patient(WITHIN_MS);
  await session.run(
    `SELECT set_config('statement_timeout', $1, true),
       set_config('idle_in_transaction_session_timeout', $1, true)`,
    String(WITHIN_MS),
  );
}

/** Byte order whatever the database's locale, so that exports of both stores are equal. */
function select({ name, columns, order, where }: Table): string {
  const condition = where === undefined ? '' : `WHERE ${where}`;
  const by = order.map((column) => (columns[column] === 'text' ? `${column} COLLATE "C"` : column));
  return `SELECT ${Object.keys(columns).join(', ')} FROM ${name} ${condition} ORDER BY ${by.join(', ')}`;
}

async function insert(session: Session, batch: readonly Entry[]): Promise<void> {
  const table = batch[0]?.table;
  if (table === undefined) return;
  const kinds = new Map<string, string>(Object.entries(table.columns));
  const values = [...kinds.keys()].map((column) => batch.map((entry) => kept(entry, column)));
  if (table.name === 'deliveries') {
    kinds.set('is_critical', 'flag');
    values.push(batch.map(isUrgent));
  }
  const names = [...kinds.keys()].join(', ');
  const arrays = [...kinds.values()].map((kind, index) => {
    return `$${index + 1}::${ARRAYS[kind.replace('?', '') as keyof typeof ARRAYS]}`;
  });
  // The hold-fire switch of an empty journal gives way to the imported one.
  const conflict =
    table.name === 'settings' ? 'ON CONFLICT (name) DO UPDATE SET value = excluded.value' : '';
  await session.run(
    `INSERT INTO ${table.name} (${names})
     SELECT ${names} FROM unnest(${arrays.join(', ')}) AS new (${names}) ${conflict}`,
    ...values,
  );
}

/** PostgreSQL keeps no NUL; JSON writes it as an escape, so that only texts can hold it. */
function kept({ table, values }: Entry, column: string) {
  const value = values[column] ?? null;
  if (typeof value !== 'string' || !value.includes('\0')) return value;
  if (column === 'last_detail' || column === 'receipt') return value.replaceAll('\0', '\ufffd');
  throw new Error(`${table.name}.${column} holds a NUL character, which PostgreSQL cannot keep`);
}

function isUrgent({ values }: Entry): boolean {
  return isCritical({ content: decodeContent(String(values['content']), String(values['id'])) });
}
