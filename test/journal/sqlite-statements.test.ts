import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, vi } from 'vitest';
import { openMemoryJournal } from '../../src/journal/sqlite/sqlite-journal.ts';

describe('the SQLite journal', () => {
  it('prepares a question once, whatever the time in it: statements are kept', async () => {
    await using journal = openMemoryJournal();
    await journal.pendingDeliveries(10, 'message', undefined, 1_000);
    const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare');
    await journal.pendingDeliveries(10, 'message', undefined, 1_500);
    await journal.pendingDeliveries(10, 'message', undefined, 2_000);
    expect(prepare).not.toHaveBeenCalled();
    prepare.mockRestore();
  });
});
