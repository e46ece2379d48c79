// What is kept of gates, on SQLite: the contract, damaged rows, and what the schema itself refuses.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.ts';
import { gateContract } from './gate-contract.ts';
import { DAMAGE, FORBIDDEN, fillGates, hasDamage, hasDamagedDecision } from './gate-damage.ts';

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-gates-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'canaryd.db');
}

gateContract('sqlite journal', async () => {
  const path = newPath();
  const journal = openSqliteJournal({ path });
  return {
    journal,
    reopen: async () => {
      await journal[Symbol.asyncDispose]();
      return openSqliteJournal({ path });
    },
  };
});

async function filled(): Promise<{ readonly path: string; readonly alter: (sql: string) => void }> {
  const path = newPath();
  await using journal = openSqliteJournal({ path });
  await fillGates(journal);
  const alter = (sql: string) => {
    using db = new DatabaseSync(path);
    db.exec(sql);
  };
  return { path, alter };
}

test.each(DAMAGE)('a damaged row is named: %s', async (sql, read, words) => {
  const { path, alter } = await filled();
  alter('DROP TRIGGER gate_records_are_facts; DROP TRIGGER sign_offs_are_facts');
  alter(sql);
  await using journal = openSqliteJournal({ path });
  await expect(read(journal)).rejects.toThrow(words);
});

test('a damaged message hides no other', async () => {
  const { path, alter } = await filled();
  await using journal = openSqliteJournal({ path });
  await hasDamage(journal, async (sql) => alter(sql));
});

test('a damaged decision hides no other', async () => {
  const { path, alter } = await filled();
  alter('DROP TRIGGER gate_records_are_facts');
  await using journal = openSqliteJournal({ path });
  await hasDamagedDecision(journal, async (sql) => alter(sql));
});

describe('the schema by itself', () => {
  test.each(FORBIDDEN)('refuses %s', async (_case, sql, words) => {
    const { alter } = await filled();
    expect(() => alter(sql)).toThrow(words);
  });
});
