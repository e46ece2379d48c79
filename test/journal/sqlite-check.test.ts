// That a check of the SQLite journal tries the disk, each time.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.ts';

describe('a check of the journal', () => {
  it('is written to the disk each time, not found to be there already', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'canaryd-check-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'canaryd.db');
    await using journal = openSqliteJournal({ path });
    const sizes: number[] = [];
    for (const _ of [1, 2, 3, 4]) {
      await journal.check();
      sizes.push(statSync(`${path}-wal`).size);
    }
    expect(sizes).toEqual([...new Set(sizes)]);
  });
});
