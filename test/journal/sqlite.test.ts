// The contract on SQLite, and what is special to a file: who may open it, what is refused, what a
// full disk or a damaged row does.
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import type { Journal } from '../../src/journal/journal.ts';
import { openJournal } from '../../src/journal/open.ts';
import { SCHEMA_VERSION } from '../../src/journal/sqlite/migrations.ts';
import { openSqliteJournal, type SqliteOptions } from '../../src/journal/sqlite/sqlite-journal.ts';
import { aMessageDelivery, anActionDelivery, aTick, aTrack, T0 } from '../support/build.ts';
import { create, journalContract, next } from './contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'canaryd-journal-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const WRITER = fileURLToPath(new URL('../support/crash-writer.ts', import.meta.url));

let files = 0;
function newPath(): string {
  files += 1;
  return join(folder, String(files), 'data', 'canaryd.db');
}

for (const groupsWrites of [false, true]) {
  const name = `sqlite journal${groupsWrites ? ' that groups its writes' : ''}`;
  journalContract(name, async () => {
    const options = { path: newPath(), groupsWrites };
    const journal = openSqliteJournal(options);
    return {
      journal,
      reopen: async () => {
        await journal[Symbol.asyncDispose]();
        return openSqliteJournal(options);
      },
    };
  });
}

const opened: Journal[] = [];
afterEach(async () => {
  for (const journal of opened.splice(0)) await journal[Symbol.asyncDispose]();
});

function open(options: SqliteOptions): Journal {
  const journal = openSqliteJournal(options);
  opened.push(journal);
  return journal;
}

test('looking for what is to be sent, twice a second for months, prepares nothing anew', async () => {
  const journal = open({ path: newPath() });
  const look = (nowMs: number) => journal.pendingDeliveries(10, 'message', undefined, nowMs);
  await look(T0);
  const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare');
  await look(T0 + 500);
  await look(T0 + 1_000);
  expect(prepare).not.toHaveBeenCalled();
  prepare.mockRestore();
});

/** A closed journal with one watch `w_1`: two events' worth of rows, a delivery and a tick. */
async function written(): Promise<string> {
  const path = newPath();
  await using journal = openSqliteJournal({ path });
  const tick = { tick: aTick(T0), track: aTrack(T0), previousAtMs: null };
  await journal.append([
    create('w_1', { tick, deliveries: [aMessageDelivery('m', 'w_1')] }),
    next('w_1', 1, { events: [{ type: 'watch.resumed', awayMs: 1 }] }),
  ]);
  return path;
}

function alter(path: string, sql: string): void {
  using db = new DatabaseSync(path, { enableForeignKeyConstraints: false });
  db.exec('DROP TRIGGER IF EXISTS events_are_facts');
  db.exec(sql);
}

function refusal(path: string, options: Partial<SqliteOptions> = {}): string {
  try {
    open({ path, ...options });
  } catch (error) {
    expect(error).toMatchObject({ name: 'CanarydError', code: 'journal_failed' });
    return (error as Error).message;
  }
  throw new Error('it was opened');
}

describe('opening a file', () => {
  test('creates folder and file, and nobody else may read it', async () => {
    const path = newPath();
    await open({ path }).append([create('w_1')]);
    for (const file of [path, `${path}-wal`, `${path}.lock`]) {
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
  });

  test('through the seam gives the same journal', async () => {
    const path = await written();
    await using journal = await openJournal({ sqlite: { path } }, { readOnly: true });
    expect(await journal.watch('w_1')).toMatchObject({ revision: 2 });
  });

  test('is refused to a second daemon, also by another name, until the first is gone', async () => {
    const path = await written();
    const link = join(dirname(path), 'link.db');
    symlinkSync(path, link);
    const first = open({ path });
    expect(refusal(path)).toContain(`${path}: another canaryd is using it`);
    expect(refusal(link)).toContain('another canaryd is using it');
    await first.append([next('w_1', 2, { events: [{ type: 'watch.resumed', awayMs: 2 }] })]);

    await first[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    expect(await open({ path: link }).events('w_1')).toHaveLength(3);
  });

  test('is refused to another process, also after a refusal in this one', async () => {
    const path = await written();
    const journal = open({ path });
    refusal(path);
    const limits = { encoding: 'utf8', timeout: 10_000 } as const;
    const other = spawnSync(process.execPath, [WRITER, path, 'other'], limits);
    expect(other).toMatchObject({ status: 1, stdout: '' });
    expect(other.stderr).toContain('another canaryd is using it');
    expect(await journal.watches({ limit: 9 })).toHaveLength(1);
  }, 20_000);

  test('for reading needs no lock, sees new writes, and cannot write', async () => {
    const path = await written();
    const daemon = open({ path });
    const reader = open({ path, readOnly: true });
    await daemon.append([next('w_1', 2, { events: [{ type: 'watch.resumed', awayMs: 2 }] })]);
    expect(await reader.events('w_1')).toHaveLength(3);
    await expect(reader.append([create('w_2')])).rejects.toThrow('open for reading only');
  });

  test('for reading is refused when there is none, and creates none', () => {
    const path = newPath();
    expect(refusal(path, { readOnly: true })).toContain('there is no such file');
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('whose folder cannot be made names the path', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(refusal(join(file, 'canaryd.db'))).toContain(`${file}/canaryd.db: cannot create`);
  });

  test('goes on after a first start that was cut short', async () => {
    const path = newPath();
    mkdirSync(dirname(path), { recursive: true });
    using half = new DatabaseSync(path);
    half.exec('PRAGMA journal_mode = WAL');
    half.close();
    await expect(open({ path }).append([create('w_1')])).resolves.toBe('appended');
  });
});

describe('a file that is refused', () => {
  const CASES: readonly (readonly [string, (path: string) => void, string])[] = [
    ['no database', (path) => writeFileSync(path, 'hello '.repeat(999)), 'damaged'],
    ['truncated', (path) => truncateSync(path, 40_000), 'damaged'],
    [
      'emptied beside its log',
      (path) => {
        truncateSync(path, 0);
        writeFileSync(`${path}-wal`, 'x');
      },
      'damaged',
    ],
    ['overwritten inside', (path) => overwrite(path, 8_192), 'damaged'],
    ['from a newer canaryd', (path) => alter(path, 'PRAGMA user_version = 99'), 'newer canaryd'],
    [
      'of another program',
      (path) => alter(path, 'PRAGMA application_id = 7'),
      'database of another program',
    ],
  ];

  function overwrite(path: string, at: number): void {
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0xab, at, at + 4_096));
  }

  test.each(CASES)('because it is %s is named and left untouched', async (_case, spoil, why) => {
    const path = await written();
    spoil(path);
    const before = readFileSync(path);
    const message = refusal(path);
    expect(message).toContain(`journal ${path}: `);
    expect(message).toContain(why);
    expect(message).toContain('left untouched');
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(refusal(path, { readOnly: true })).toContain(why);
  });

  test('leaves no lock behind', async () => {
    const path = await written();
    alter(path, 'PRAGMA user_version = 99');
    refusal(path);
    alter(path, `PRAGMA user_version = ${SCHEMA_VERSION}`);
    expect(await open({ path }).events('w_1')).toHaveLength(2);
  });
});

describe('a damaged row', () => {
  test.each([
    ["UPDATE events SET body = '{' WHERE seq = 2", 'event 2 of watch w_1 is not JSON'],
    ["UPDATE events SET body = '{}' WHERE seq = 2", 'event 2 of watch w_1 (watch.resumed) lacks'],
    ["UPDATE events SET body = '7' WHERE seq = 2", 'event 2 of watch w_1 is no object'],
    ["UPDATE events SET type = 'watch.exploded' WHERE seq = 2", '"watch.exploded"'],
    ['DELETE FROM events WHERE seq = 1', 'event 1 of watch w_1 is missing'],
    ['DELETE FROM events WHERE seq = 2', 'event 2 of watch w_1 is missing'],
  ])('among the events is named: %s', async (sql, message) => {
    const path = await written();
    alter(path, sql);
    await expect(open({ path }).events('w_1')).rejects.toThrow(message);
  });

  test.each([
    ["UPDATE watches SET deploy = '{}'", 'the deploy of watch w_1'],
    ["UPDATE watches SET policy = '[]'", 'the policy of watch w_1'],
    [
      `UPDATE tracks SET track = replace(track, 'inactive', 'odd')`,
      'condition states of watch w_1',
    ],
  ])('of the watch is named: %s', async (sql, message) => {
    const path = await written();
    alter(path, sql);
    await expect(open({ path }).watch('w_1')).rejects.toThrow(message);
  });

  test.each([
    "UPDATE ticks SET readings = '{}'",
    `UPDATE ticks SET readings = '[["health"]]'`,
    `UPDATE ticks SET readings = '[["health","sleepy","x"]]'`,
    `UPDATE ticks SET readings = '[["health",1,[1]]]'`,
  ])('among the ticks is named: %s', async (sql) => {
    const path = await written();
    alter(path, sql);
    const ticks = open({ path }).ticks('w_1', T0, T0, 9);
    await expect(ticks).rejects.toThrow(`the tick at ${T0} of watch w_1`);
  });

  test('among the deliveries is named', async () => {
    const path = await written();
    alter(path, `UPDATE deliveries SET content = '{"kind":"pigeon"}'`);
    await expect(open({ path }).pendingDeliveries(9)).rejects.toThrow('delivery m does not hold');
  });

  test.each([
    ['{', 'is not JSON'],
    ['null', 'does not hold'],
    ['{"kind":"pigeon"}', 'does not hold'],
  ])('among the deliveries hides no other: %s', async (content, why) => {
    const path = await written();
    await using journal = openSqliteJournal({ path });
    const deliveries = [anActionDelivery('disarm', 'w_2'), aMessageDelivery('n', 'w_2')];
    await journal.append([create('w_2', { deliveries })]);
    const rows = await journal.deliveries('w_2');
    alter(path, `UPDATE deliveries SET content = '${content}' WHERE id = 'm'`);

    const problem = `delivery m ${why}`;
    const told: string[] = [];
    const tell = ({ message }: Error) => void told.push(message);
    expect(await journal.pendingDeliveries(9, undefined, tell)).toEqual(rows);
    expect(await journal.pendingDeliveries(9, 'message', tell)).toEqual([rows[1]]);
    expect(told).toEqual([expect.stringContaining(problem), expect.stringContaining(problem)]);
    await expect(journal.pendingDeliveries(9, 'message')).rejects.toThrow(problem);
    expect(await journal.delivery('n')).toEqual(rows[1]);
    await expect(journal.delivery('m')).rejects.toThrow(problem);
  });
});

describe('the schema by itself', () => {
  test.each([
    ['a second stop', "INSERT INTO events VALUES ('w_1', 9, 0, 'watch.stopped', '{}')", 'UNIQUE'],
    ['a changed event', "UPDATE events SET type = 'watch.passed'", 'never changed'],
    ['a delivery that comes back', "UPDATE deliveries SET state = 'pending'", 'J5'],
    ['a watch that opens again', "UPDATE watches SET phase = 'passed'", 'J4'],
    ['a watch half active', 'UPDATE watches SET is_active = 2', 'CHECK'],
    ['an end without a time', 'UPDATE watches SET closed_at_ms = NULL', 'CHECK'],
    ['events of no watch', "INSERT INTO events VALUES ('x', 1, 0, 'watch.armed', '{}')", 'FOREIGN'],
  ])('refuses %s', async (_case, sql, message) => {
    const path = await written();
    using db = new DatabaseSync(path);
    db.exec("INSERT INTO events VALUES ('w_1', 3, 0, 'watch.stopped', '{}')");
    db.exec("UPDATE watches SET phase = 'stopped', closed_at_ms = 1");
    db.exec("UPDATE deliveries SET state = 'delivered'");
    expect(() => db.exec(sql)).toThrow(message);
  });
});

describe('a store that cannot be written', () => {
  test('says that the disk is full, keeps all that was written, and goes on with room', async () => {
    const path = newPath();
    const journal = open({ path, bytesMax: 400_000 });
    const events = [{ type: 'watch.cancelled', by: 'ann', reason: 'room' }] as const;
    const end = { events, phase: 'cancelled', isActive: false } as const;
    await journal.append([create('w_1'), create('w_2')]);
    await journal.append([next('w_1', 1, { ...end, tick: bigTick(T0) })]);
    await journal.append([next('w_2', 1, { tick: bigTick(T0) })]);

    const tooMuch = next('w_2', 1, { ...end, tick: bigTick(T0 + 1) });
    await expect(journal.append([tooMuch])).rejects.toMatchObject({
      code: 'journal_failed',
      message: expect.stringMatching(/canaryd\.db: cannot write to it: the disk is full/),
    });
    expect(await journal.watch('w_2')).toMatchObject({ phase: 'watching', revision: 1 });
    expect(await journal.ticks('w_2', 0, T0 + 9, 9)).toHaveLength(1);

    expect(await journal.prune(T0 + 99_000, 0)).toMatchObject({ samples: 1, watches: 0 });
    expect(await journal.append([tooMuch])).toBe('appended');
  });

  function bigTick(atMs: number) {
    const tick = aTick(atMs, { big: { kind: 'value', value: 1, detail: 'x'.repeat(120_000) } });
    return { tick, track: aTrack(atMs), previousAtMs: atMs === T0 ? null : T0 };
  }

  test('is noticed by check when the file was deleted under it', async () => {
    const path = newPath();
    const journal = open({ path });
    await expect(journal.check()).resolves.toBeUndefined();
    rmSync(path);
    await expect(journal.check()).rejects.toThrow(`journal ${path}: the file is gone`);
  });

  test('is noticed by check when another program holds it', async () => {
    const path = await written();
    const journal = open({ path });
    using other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    await expect(journal.check()).rejects.toThrow('another program holds the file');
    other.exec('ROLLBACK');
    await expect(journal.check()).resolves.toBeUndefined();
  });
});

describe('a damaged file that is noticed only later', () => {
  test('is named at the read', async () => {
    const path = await written();
    const journal = open({ path, readOnly: true });
    const { size } = statSync(path);
    truncateSync(path, 4_096);
    appendFileSync(path, Buffer.alloc(size - 4_096, 0xab));
    await expect(journal.events('w_1')).rejects.toThrow('the file is damaged');
  });
});
