// The contract on a real PostgreSQL.
import { afterAll, beforeAll, describe, test } from 'vitest';
import { openPostgresJournal } from '../../src/journal/postgres/open.ts';
import { hasPostgres, type PostgresServer, startPostgres } from '../support/postgres.ts';
import { journalContract } from './contract.ts';

let server: PostgresServer;

describe.runIf(hasPostgres())('on PostgreSQL', () => {
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  let schemas = 0;
  journalContract('postgres journal', async () => {
    schemas += 1;
    const options = { url: server.url, schema: `s${schemas}` };
    const journal = await openPostgresJournal(options);
    return {
      journal,
      reopen: async () => {
        await journal[Symbol.asyncDispose]();
        return openPostgresJournal(options);
      },
    };
  });
});

test
  .runIf(!hasPostgres())
  .skip('postgres journal: skipped, no PostgreSQL for this platform', () => {});
