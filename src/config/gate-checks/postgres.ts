// A database in a gate and what a query of it must give, field by field.
import { z } from 'zod';
import { EXAMPLE_URL, parsePostgresUrl } from '../../kit/postgres-url.ts';
import { flag, mapping, SECRET_NAME, secret, text } from '../fields.ts';
import { timeoutField } from './common.ts';
import { figureSchema } from './limit.ts';

const columnError = 'the name of a column of the answer';

const databaseUrl = () =>
  z
    .string({ error: `the URL of a PostgreSQL database such as ${EXAMPLE_URL}, or $NAME` })
    .max(2_000, { error: 'a URL of at most 2000 characters' })
    .superRefine((written, context) => {
      const message = urlMistake(written);
      if (message !== null) context.addIssue({ code: 'custom', message });
    });

function urlMistake(written: string): string | null {
  if (SECRET_NAME.test(written)) return null;
  const parsed = parsePostgresUrl(written);
  if (parsed.kind === 'problem') return `found ${parsed.found}; wanted ${parsed.wanted}`;
  if (parsed.address.password === null) return null;
  return (
    'found a URL with a password, which is not shown here; wanted one without it; put the ' +
    'password into the field password as $NAME, or write the whole URL as $NAME'
  );
}

export const postgresSchema = mapping({
  url: databaseUrl().describe(
    `URL such as ${EXAMPLE_URL}, or $NAME. sslmode is verify-full, require or disable.`,
  ),
  password: secret().optional().describe('Password as $NAME. Default: the one in url.'),
  query: text(10_000, 'one SQL statement')
    .optional()
    .describe(
      'One statement that reads: SELECT, WITH, VALUES, TABLE, or SHOW (also of PgBouncer). It ' +
        'runs in a read-only transaction. Without it a connection is enough.',
    ),
  value: figureSchema
    .optional()
    .describe('The one value that the query gives, against a limit. Intervals are seconds.'),
  column: text(63, columnError)
    .optional()
    .describe('Which column holds the value. Default: the only one.'),
  share_of: text(63, columnError)
    .optional()
    .describe('The value is the share of this column: current_connections of pool_size.'),
  where: z
    .record(text(63, columnError), text(200), { error: 'a mapping of columns to texts' })
    .optional()
    .describe('Only rows with these texts, for statements without a WHERE: { name: spark }.'),
  rows: figureSchema.optional().describe('How many rows come, against a limit.'),
  none: flag()
    .optional()
    .describe('true: no row may come; each that comes is something that is wrong.'),
  timeout: timeoutField('10s', '10m'),
})
  .superRefine((written, context) => {
    const { query, value, rows, none } = written;
    const wants = [value, rows, none === true ? true : undefined].filter(
      (one) => one !== undefined,
    );
    if (query !== undefined && wants.length !== 1) {
      const message = 'exactly one of value, rows and none: true beside query; add or remove one';
      context.addIssue({ code: 'custom', message, path: ['query'] });
    }
    for (const field of ['value', 'column', 'share_of', 'where', 'rows', 'none'] as const) {
      if (written[field] === undefined) continue;
      if (query === undefined) {
        const message = 'it only with a query; add one, or remove it';
        context.addIssue({ code: 'custom', message, path: [field] });
      } else if (value === undefined && (field === 'column' || field === 'share_of')) {
        const message = 'it only with value; remove it';
        context.addIssue({ code: 'custom', message, path: [field] });
      }
    }
  })
  .describe('A PostgreSQL database that can be reached, and what a query of it gives.');

export type PostgresInput = z.output<typeof postgresSchema>;
