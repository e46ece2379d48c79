// The one place that knows which stores there are. Another store is one more branch here and one
// more folder that passes the contract suite.
import type { Archive } from './archive.ts';
import type { Journal } from './journal.ts';
import { PostgresArchive } from './postgres/archive.ts';
import { openDatabase, openPostgresJournal, type PostgresOptions } from './postgres/open.ts';
import { openSqliteArchive } from './sqlite/archive.ts';
import { openSqliteJournal } from './sqlite/sqlite-journal.ts';

/** A text, or a secret that is read when it is needed. */
type Revealed = string | { reveal(): string };

export type JournalConfig =
  | { readonly sqlite: { readonly path: string } }
  | {
      readonly postgres: {
        readonly url: Revealed;
        readonly password: Revealed | null;
        readonly schema: string;
      };
    };

const reveal = (text: Revealed) => (typeof text === 'string' ? text : text.reveal());

export function postgresOptions({
  url,
  password,
  schema,
}: Extract<JournalConfig, { postgres: unknown }>['postgres']): PostgresOptions {
  const given = password === null ? {} : { password: () => reveal(password) };
  return { url: reveal(url), schema, ...given };
}

/** `readOnly` looks at the journal of a running daemon and cannot write. */
export async function openJournal(
  config: JournalConfig,
  options: { readonly readOnly?: boolean } = {},
): Promise<Journal> {
  if ('sqlite' in config)
    return openSqliteJournal({ path: config.sqlite.path, groupsWrites: true, ...options });
  return openPostgresJournal({ ...postgresOptions(config.postgres), ...options });
}

/** The whole journal, to be read beside running daemons or written while there is none. */
export async function openArchive(
  config: JournalConfig,
  purpose: 'dump' | 'restore',
): Promise<Archive> {
  if ('sqlite' in config) return openSqliteArchive(config.sqlite.path, purpose);
  const options = { ...postgresOptions(config.postgres), readOnly: purpose === 'dump' };
  return new PostgresArchive(await openDatabase(options));
}
