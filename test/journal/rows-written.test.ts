// What a decision costs in the journal: each row that is written, counted by triggers in the store
// itself, with the engine of production on virtual time. The same numbers for both stores.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Policy } from '../../src/core/policy.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { openPostgresJournal } from '../../src/journal/postgres/open.ts';
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.ts';
import { aPolicy } from '../support/build.ts';
import { anEngine, share, unreachable, World } from '../support/engine.ts';
import { hasPostgres, type PostgresServer, startPostgres } from '../support/postgres.ts';
import { TogetherClock } from '../support/together-clock.ts';

/** `insert ticks` → how often. */
type Written = Readonly<Record<string, number>>;

type Store = {
  readonly journal: Journal;
  /** What was written since the last call. */
  written(): Promise<Written>;
  drop(): Promise<void>;
};

const KINDS = ['insert', 'update', 'delete'] as const;
/** Who lives is said every second, whatever is decided. */
const NOT_DECIDED = 'replicas';

function counted(rows: readonly Readonly<Record<string, unknown>>[]): Written {
  return Object.fromEntries(rows.map(({ what, times }) => [String(what), Number(times)]));
}

const COUNT = 'SELECT what, count(*) AS times FROM written GROUP BY what ORDER BY what';

async function onSqlite() {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-rows-'));
  const path = join(folder, 'canaryd.db');
  const journal = openSqliteJournal({ path, groupsWrites: true });
  const db = new DatabaseSync(path);
  const tables = db.prepare(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  );
  const names = tables.all().map(({ name }) => String(name));
  db.exec('CREATE TABLE written (what TEXT NOT NULL)');
  for (const name of names) {
    for (const kind of KINDS) {
      db.exec(`CREATE TRIGGER count_${name}_${kind} AFTER ${kind} ON ${name}
        BEGIN INSERT INTO written VALUES ('${kind} ${name}'); END`);
    }
  }
  return {
    path,
    journal,
    emptyLog: () => db.exec('PRAGMA wal_checkpoint(TRUNCATE)'),
    async written() {
      const rows = db.prepare(COUNT).all();
      db.exec('DELETE FROM written');
      return counted(rows);
    },
    async drop() {
      db.close();
      await journal[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function onPostgres({ url, query }: PostgresServer, schema: string): Promise<Store> {
  const journal = await openPostgresJournal({ url, schema });
  const tables = await query(`SELECT tablename FROM pg_tables
    WHERE schemaname = '${schema}' AND tablename <> '${NOT_DECIDED}'`);
  await query(`
    CREATE TABLE ${schema}.written (what text NOT NULL);
    CREATE FUNCTION ${schema}.count_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO ${schema}.written VALUES (lower(TG_OP) || ' ' || TG_TABLE_NAME);
      RETURN NULL;
    END $$`);
  for (const { tablename: name } of tables) {
    await query(`CREATE TRIGGER count_row AFTER INSERT OR UPDATE OR DELETE
      ON ${schema}.${name} FOR EACH ROW EXECUTE FUNCTION ${schema}.count_row()`);
  }
  return {
    journal,
    async written() {
      const rows = await query(COUNT.replace('written', `${schema}.written`));
      await query(`DELETE FROM ${schema}.written`);
      return counted(rows);
    },
    drop: () => journal[Symbol.asyncDispose](),
  };
}

const INTERVAL_MS = 5_000;
const HOUR = 3_600_000;

function aSteadyPolicy(): Policy {
  const windows = [
    { name: 'immediate', fromMs: 0, untilMs: HOUR, passForMs: 0 },
    { name: 'success', fromMs: HOUR, untilMs: 24 * HOUR, passForMs: 300_000 },
  ];
  return aPolicy({ windows, intervalMs: INTERVAL_MS, blindAfterMs: 2 * INTERVAL_MS });
}

/** An engine on the store; nothing runs before it is started. */
function engineOn(store: Store) {
  // Before the engine is made: the journal closes when the engine has ended.
  onTestFinished(() => store.drop());
  const clock = new TogetherClock();
  const world = new World();
  world.readings = { fill_rate: share(0.9) };
  const journal = clock.real(store.journal);
  return anEngine({ clock, journal, world, policies: [aSteadyPolicy()], slotMs: INTERVAL_MS });
}

/** So many watches that are armed, tick in the same slot and have nothing to tell. */
async function steady(store: Store, count = 1) {
  const engine = engineOn(store);
  const { clock } = engine;
  engine.start();
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    ids.push(await clock.standingStill(engine.watch({ environment: `e${index}` })));
  }
  // A count ends between two ticks: what the last one decided has been sent.
  await clock.advance(12 * INTERVAL_MS + INTERVAL_MS / 2);
  expect(await engine.types(ids.at(-1) ?? '')).toContain('watch.armed');
  await store.written();
  return { ...engine, id: ids[0] ?? '' };
}

function suite(open: () => Promise<Store>): void {
  it('of a start are the watch, its event and its message', async () => {
    const store = await open();
    await engineOn(store).watch();
    expect(await store.written()).toEqual({
      'insert watches': 1,
      'insert events': 1,
      'update watches': 1,
      'insert deliveries': 1,
    });
  });

  it('of 200 ticks that decide nothing are 200 ticks, and one track that is rewritten', async () => {
    const store = await open();
    const { clock, ticks } = await steady(store);
    const before = ticks.length;
    await clock.advance(200 * INTERVAL_MS);
    expect(ticks.length - before).toBe(200);
    expect(await store.written()).toEqual({ 'insert ticks': 200, 'update tracks': 200 });
  });

  it('of an event that is told are the event and a message, which is begun and then delivered', async () => {
    const store = await open();
    const { clock, world, types, id } = await steady(store);
    world.readings = { fill_rate: unreachable() };
    await clock.advance(4 * INTERVAL_MS);
    expect((await types(id)).at(-1)).toBe('conditions.blinded');
    expect(await store.written()).toEqual({
      'insert ticks': 4,
      'update tracks': 4,
      'insert events': 1,
      'update watches': 1,
      'insert deliveries': 1,
      'update deliveries': 2,
    });
  });

  it('of a stop are an event for each thing that happened, and a delivery for each to be sent', async () => {
    const store = await open();
    const { clock, world, types, id } = await steady(store);
    world.readings = { fill_rate: share(0.5) };
    await clock.advance(2 * INTERVAL_MS);
    const happened = (await types(id)).slice(-3);
    expect(happened).toEqual(['watch.stopped', 'action.accepted', 'action.accepted']);
    expect(await store.written()).toEqual({
      'insert ticks': 1,
      'update tracks': 1,
      'insert events': 3,
      'update watches': 3,
      'insert deliveries': 5,
      'update deliveries': 10,
    });
  });
}

describe('rows written to SQLite', () => suite(onSqlite));

describe.runIf(hasPostgres())('rows written to PostgreSQL', () => {
  let server: PostgresServer;
  let schemas = 0;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());
  suite(() => {
    schemas += 1;
    return onPostgres(server, `rows_${schemas}`);
  });
});

/** Transactions in a write-ahead log: frames that end one, as SQLite documents them. */
function commitsIn(path: string): number {
  const log = readFileSync(`${path}-wal`);
  const [header, frameHeader] = [32, 24];
  const frame = frameHeader + log.readUInt32BE(8);
  const salts = log.subarray(16, 24);
  let commits = 0;
  for (let at = header; at + frame <= log.length; at += frame) {
    const isOfThisLog = log.subarray(at + 8, at + 16).equals(salts);
    if (isOfThisLog && log.readUInt32BE(at + 4) > 0) commits += 1;
  }
  return commits;
}

describe('watches that tick together on SQLite', () => {
  it.each([1, 50])('%i of them, wait for the disk once', async (count) => {
    const store = await onSqlite();
    const { clock, ticks } = await steady(store, count);
    const before = ticks.length;
    store.emptyLog();
    await clock.advance(INTERVAL_MS);
    expect(ticks.length - before).toBe(count);
    expect(commitsIn(store.path)).toBe(1);
    expect(await store.written()).toEqual({ 'insert ticks': count, 'update tracks': count });
  });
});
