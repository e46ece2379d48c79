// From a URL to an open journal: the address, the connections, the schema.
import { CanarydError } from '../../kit/errors.ts';
import { DEFAULT_SCHEMA, parsePostgresUrl } from '../../kit/postgres-url.ts';
import { Database, type Place, placeName } from './database.ts';
import { failure } from './failure.ts';
import { expectSchema, type Migration, migrate } from './migrations.ts';
import { PostgresJournal } from './postgres-journal.ts';

export type PostgresOptions = {
  readonly url: string;
  /** Instead of one in the URL; asked for at each connection. */
  readonly password?: () => string;
  readonly schema?: string;
  /** For looking at the journal of running daemons: every write is refused. */
  readonly readOnly?: boolean;
};

export function placeOf(options: PostgresOptions): Place {
  const { schema = DEFAULT_SCHEMA } = options;
  const parsed = parsePostgresUrl(options.url);
  if (parsed.kind === 'problem') {
    const { found, wanted } = parsed;
    throw new CanarydError('journal_failed', `journal postgres: found ${found}; wanted ${wanted}`);
  }
  if (!/^[a-z_][a-z0-9_]{0,39}$/.test(schema)) {
    const wanted = 'at most 40 lower-case letters, digits and _';
    throw new CanarydError('journal_failed', `journal postgres: schema: wanted ${wanted}`);
  }
  const { address } = parsed;
  const password = options.password ?? (() => address.password);
  return { address, password, schema, isReadOnly: options.readOnly === true };
}

export async function openPostgresJournal(options: PostgresOptions): Promise<PostgresJournal> {
  const database = await openDatabase(options);
  return new PostgresJournal(database);
}

/** The database with its schema brought up to date, or (for reading) examined. */
export async function openDatabase(
  options: PostgresOptions,
  migrations?: readonly Migration[],
): Promise<Database> {
  const place = placeOf(options);
  let database: Database | undefined;
  try {
    database = new Database(place);
    if (place.isReadOnly) await expectSchema(database);
    else await migrate(database, migrations);
    return database;
  } catch (error) {
    await database?.close();
    throw failure(placeName(place), 'open it', error);
  }
}
