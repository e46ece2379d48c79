import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.ts';
import { journalContract } from './contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'canaryd-journal-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

journalContract('sqlite journal', async () => {
  files += 1;
  const path = join(folder, String(files), 'canaryd.db');
  const journal = openSqliteJournal({ path });
  return {
    journal,
    reopen: async () => {
      await journal[Symbol.asyncDispose]();
      return openSqliteJournal({ path });
    },
  };
});
