// The part of canaryd.yaml that says where the journal is: a file for one daemon, or a database
// for several replicas. No password is written in the file, also not inside a URL.
import { resolve } from 'node:path';
import { z } from 'zod';
import { DEFAULT_SCHEMA, EXAMPLE_URL, parsePostgresUrl } from '../kit/postgres-url.ts';
import { choice, mapping, SECRET_NAME, secret, text } from './fields.ts';
import type { Path } from './problems.ts';
import type { Secret } from './secrets.ts';

const LITERAL_PASSWORD =
  'found a URL with a password, which is not shown here; wanted one without it; put the ' +
  'password into the field password as $NAME, or write the whole URL as $NAME';

const databaseUrl = () =>
  z
    .string({ error: `the URL of a PostgreSQL database such as ${EXAMPLE_URL}, or $NAME` })
    .superRefine((written, context) => {
      const message = urlMistake(written);
      if (message !== null) context.addIssue({ code: 'custom', message });
    });

function urlMistake(written: string): string | null {
  if (SECRET_NAME.test(written)) return null;
  const parsed = parsePostgresUrl(written);
  if (parsed.kind === 'problem') return `found ${parsed.found}; wanted ${parsed.wanted}`;
  return parsed.address.password === null ? null : LITERAL_PASSWORD;
}

/** What is unfit about a URL that a secret holds; nothing of it is shown. */
function secretUrlMistake(value: string): string | null {
  const parsed = parsePostgresUrl(value);
  return parsed.kind === 'problem' ? `${parsed.wanted} (it is ${parsed.found})` : null;
}

const SCHEMA_ERROR =
  'the name of a schema: lower-case letters, digits and underscores, at most 40; rename it';

export const journalSchema = choice(
  {
    sqlite: mapping({
      path: text(1_000, 'a path').describe(
        'File of the journal, relative to this file. Its folder must be writable.',
      ),
    })
      .optional()
      .describe('One file, on a local disk, for one daemon.'),
    postgres: mapping({
      url: databaseUrl().describe(
        `URL such as ${EXAMPLE_URL}, or $NAME. sslmode is verify-full, require or disable.`,
      ),
      password: secret()
        .optional()
        .describe('Password as $NAME, asked for at each connection. Default: the one in url.'),
      schema: z
        .string({ error: SCHEMA_ERROR })
        .regex(/^[a-z_][a-z0-9_]{0,39}$/, { error: SCHEMA_ERROR })
        .default(DEFAULT_SCHEMA)
        .describe('Schema of its own in the database, created when absent. Default canaryd.'),
    })
      .optional()
      .describe('A PostgreSQL database (14 or later), for one daemon or several replicas.'),
  },
  ['sqlite', 'postgres'],
).describe('What survives a crash: exactly one of sqlite and postgres.');

type JournalInput = z.infer<typeof journalSchema>;

export type JournalSettings =
  | { readonly sqlite: { readonly path: string } }
  | {
      readonly postgres: {
        readonly url: string | Secret;
        readonly password: Secret | null;
        readonly schema: string;
      };
    };

export type SecretAt = (
  written: string,
  path: Path,
  wrong?: (value: string) => string | null,
) => Secret;

export function toJournal(
  { sqlite, postgres }: JournalInput,
  directory: string,
  secretAt: SecretAt,
): JournalSettings {
  if (sqlite !== undefined) return { sqlite: { path: resolve(directory, sqlite.path) } };
  if (postgres === undefined) throw new Error('a journal without a kind passed the schema');
  const { url, password, schema } = postgres;
  const at = ['journal', 'postgres'];
  return {
    postgres: {
      url: SECRET_NAME.test(url) ? secretAt(url, [...at, 'url'], secretUrlMistake) : url,
      password: password === undefined ? null : secretAt(password, [...at, 'password']),
      schema,
    },
  };
}
