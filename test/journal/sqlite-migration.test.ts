// A file that an older canaryd left behind, opened by this one.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Journal } from '../../src/journal/journal.ts';
import { APPLICATION_ID, MIGRATIONS } from '../../src/journal/sqlite/migrations.ts';
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.ts';
import { aMessageDelivery, aTick, aTrack, T0 } from '../support/build.ts';
import { create, next } from './contract.ts';
import { aGateMessage, aGateRecord, aSignOff } from './gate-contract.ts';

/** A tick at a fraction of a millisecond: such a time is rounded up when it is written. */
const AT_MS = T0 + 0.25;
const tick = (atMs: number, previousAtMs: number | null) => ({
  tick: { tick: aTick(Math.ceil(atMs)), track: aTrack(atMs), previousAtMs },
});

/** Two open watches, each with a tick, in the schema of an older version. */
async function written(version: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-migration-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const now = join(folder, 'now.db');
  await using journal = openSqliteJournal({ path: now });
  for (const id of ['w_1', 'w_2']) {
    const deliveries = [aMessageDelivery(`${id}.m`, id)];
    await journal.append([create(id, { ...tick(AT_MS, null), deliveries })]);
  }
  const path = join(folder, 'canaryd.db');
  using db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = WAL');
  for (const migration of MIGRATIONS.slice(0, version)) db.exec(migration);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  db.exec(`PRAGMA user_version = ${version}`);
  db.exec(`ATTACH '${now}' AS now`);
  for (const table of ['watches', 'events', 'deliveries', 'ticks', 'tracks']) {
    const known = db.prepare('SELECT name FROM pragma_table_info(?)').all(table);
    const columns = known.map(({ name }) => name).join(', ');
    db.exec(`INSERT INTO main.${table} (${columns}) SELECT ${columns} FROM now.${table}`);
  }
  return path;
}

function open(path: string): Journal {
  const journal = openSqliteJournal({ path });
  onTestFinished(() => journal[Symbol.asyncDispose]());
  return journal;
}

describe('a file of version 1', () => {
  test('is brought up to date: its watches go on where they were', async () => {
    const journal = open(await written(1));
    expect(await journal.activeIds(9)).toEqual(['w_1', 'w_2']);
    expect(await journal.watch('w_1')).toMatchObject({ revision: 1, track: aTrack(AT_MS) });
    expect(await journal.events('w_1')).toHaveLength(1);
    expect(await journal.delivery('w_1.m')).toMatchObject({ state: 'pending', holder: null });
    expect(await journal.append([next('w_1', 1, tick(T0 + 5_000, null))])).toBe('conflict');
    expect(await journal.append([next('w_1', 1, tick(T0 + 5_000, AT_MS))])).toBe('appended');
    expect(await journal.startAttempt('w_1.m', 1, T0, 'r_1')).toBe(true);
  });

  test.each([
    ['that are no JSON', '{', 'is not JSON'],
    ['without a time', '{"conditions":{}}', 'does not hold'],
    ['with a text for a time', '{"atMs":"noon"}', 'does not hold'],
  ])('loses only the watch with condition states %s', async (_case, track, why) => {
    const path = await written(1);
    using db = new DatabaseSync(path);
    db.prepare("UPDATE tracks SET track = ? WHERE watch_id = 'w_2'").run(track);
    db.close();
    const journal = open(path);
    await expect(journal.watch('w_2')).rejects.toThrow(`condition states of watch w_2 ${why}`);
    expect(await journal.append([next('w_1', 1, tick(T0 + 5_000, AT_MS))])).toBe('appended');
    expect(await journal.pendingDeliveries(9)).toHaveLength(2);
  });
});

describe('a file of version 3', () => {
  test('keeps its watches, and takes what is kept of gates', async () => {
    const path = await written(3);
    const journal = open(path);
    expect(await journal.watch('w_2')).toMatchObject({ revision: 1, track: aTrack(AT_MS) });
    expect(await journal.deliveries('w_2')).toHaveLength(1);
    expect(await journal.gateRecords({ limit: 9 })).toEqual([]);
    await journal.addSignOff(aSignOff());
    expect(await journal.addGateRecord(aGateRecord('g_1'), [aGateMessage('g_1', 'a')])).toBe(true);
    expect(await journal.startGateAttempt('g_1.a', 1, T0)).toBe(true);
    expect(await journal.append([next('w_2', 1, tick(T0 + 5_000, AT_MS))])).toBe('appended');
  });
});
