// The contract on a real PostgreSQL, and what is special to a database: who may open it, what is
// refused, what the schema itself forbids.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Journal } from '../../src/journal/journal.ts';
import { openJournal } from '../../src/journal/open.ts';
import { MIGRATIONS } from '../../src/journal/postgres/migrations.ts';
import {
  openDatabase,
  openPostgresJournal,
  type PostgresOptions,
} from '../../src/journal/postgres/open.ts';
import { aMessageDelivery, aTick, aTrack, T0 } from '../support/build.ts';
import { hasPostgres, type PostgresServer, startPostgres } from '../support/postgres.ts';
import { create, journalContract, next } from './contract.ts';

let server: PostgresServer;
let schemas = 0;
const opened: Journal[] = [];

/** A schema that no other test uses. */
function fresh(): PostgresOptions & { readonly schema: string } {
  schemas += 1;
  return { url: server.url, schema: `s${schemas}` };
}

async function open(options: PostgresOptions): Promise<Journal> {
  const journal = await openPostgresJournal(options);
  opened.push(journal);
  return journal;
}

const RESUMED = { type: 'watch.resumed', awayMs: 1 } as const;

/** A journal with one watch `w_1`: two events, a delivery and a tick. */
async function written() {
  const options = fresh();
  const journal = await open(options);
  const tick = { tick: aTick(T0), track: aTrack(T0), previousAtMs: null };
  await journal.append([
    create('w_1', { tick, deliveries: [aMessageDelivery('m', 'w_1')] }),
    next('w_1', 1, { events: [RESUMED] }),
  ]);
  const alter = (sql: string) => server.query(`SET search_path TO ${options.schema}; ${sql}`);
  return { options, journal, alter };
}

async function refusal(options: PostgresOptions): Promise<string> {
  const error: unknown = await open(options).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: 'CanarydError', code: 'journal_failed' });
  return (error as Error).message;
}

describe.runIf(hasPostgres())('on PostgreSQL', () => {
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());
  afterEach(async () => {
    for (const journal of opened.splice(0)) await journal[Symbol.asyncDispose]();
  });

  journalContract('postgres journal', async () => {
    const options = fresh();
    const journal = await openPostgresJournal(options);
    return {
      journal,
      reopen: async () => {
        await journal[Symbol.asyncDispose]();
        return openPostgresJournal(options);
      },
    };
  });

  describe('opening a database', () => {
    test('makes the schema once, also when several replicas come at the same time', async () => {
      const options = fresh();
      const journals = await Promise.all([1, 2, 3, 4].map(() => open(options)));
      const starts = journals.map((journal, index) => journal.append([create(`w_${index}`)]));
      expect(await Promise.all(starts)).toEqual(Array(4).fill('appended'));
      expect(await journals[0]?.watches({ limit: 9 })).toHaveLength(4);
    });

    test('through the seam gives the same journal, with a password of its own', async () => {
      const { options } = await written();
      const url = server.url.replace(server.password, 'no-longer-valid');
      const password = { reveal: () => server.password };
      const postgres = { url, password, schema: options.schema };
      await using journal = await openJournal({ postgres }, { readOnly: true });
      expect(await journal.watch('w_1')).toMatchObject({ revision: 2 });
      await expect(journal.append([create('w_2')])).rejects.toThrow('read-only transaction');
    });

    test('for reading is refused when there is no journal, and makes none', async () => {
      const options = fresh();
      expect(await refusal({ ...options, readOnly: true })).toContain('there is no journal yet');
      const sql = `SELECT FROM pg_namespace WHERE nspname = '${options.schema}'`;
      expect(await server.query(sql)).toEqual([]);
    });

    test('as a role that may create nothing says what to grant; then it works', async () => {
      const { schema } = fresh();
      await server.query("CREATE ROLE modest LOGIN PASSWORD 'modest-pw'");
      const url = server.url.replace(`postgres:${server.password}`, 'modest:modest-pw');
      const message = await refusal({ url, schema });
      expect(message).toContain('the role modest may not create its tables');
      const grant = `CREATE SCHEMA IF NOT EXISTS "${schema}"; GRANT USAGE, CREATE ON SCHEMA "${schema}" TO "modest";`;
      expect(message).toContain(grant);
      await server.query(grant);
      const journal = await open({ url, schema });
      expect(await journal.append([create('w_1')])).toBe('appended');
    });

    test.each([
      ['password', (url: string) => url.replace(server.password, 'wrong-pw'), 'authentication'],
      ['database', (url: string) => url.replace('/postgres?', '/nowhere?'), '"nowhere" does not'],
      ['port', (url: string) => url.replace(`:${server.port}/`, ':1/'), 'the connection failed'],
      ['host', (url: string) => url.replace('127.0.0.1', 'db.invalid'), 'host name is not known'],
    ])('with a wrong %s says so, and what to do', async (_case, spoil, words) => {
      const message = await refusal({ url: spoil(server.url) });
      expect(message).toMatch(/^journal postgres postgres@\S+:\d+\/\w+ \(schema canaryd\): /);
      expect(message).toContain(words);
      expect(message).not.toContain('wrong-pw');
      expect(message).not.toContain(server.password);
    });

    test('waits for the disk, also where the server is told not to', async () => {
      const { schema } = fresh();
      await server.query(
        `CREATE ROLE hasty SUPERUSER LOGIN PASSWORD 'hasty-pw';
         ALTER ROLE hasty SET synchronous_commit = off`,
      );
      const url = server.url.replace(`postgres:${server.password}`, 'hasty:hasty-pw');
      const database = await openDatabase({ url, schema });
      const row = await database.read((session) => session.one('SHOW synchronous_commit'));
      await database.close();
      expect(row?.text('synchronous_commit')).toBe('on');
    });
  });

  describe('a schema of a newer canaryd', () => {
    const newer = (compatibleFrom: number) => [
      ...MIGRATIONS,
      { sql: 'ALTER TABLE watches ADD COLUMN colour text', compatibleFrom },
    ];
    const upgrade = async (options: PostgresOptions, compatibleFrom: number) =>
      (await openDatabase(options, newer(compatibleFrom))).close();

    test('that allows it is worked with, by a replica that runs and by one that comes', async () => {
      const { options, journal } = await written();
      await upgrade(options, MIGRATIONS.length);
      expect(await journal.announce({ id: 'r_1', takesWork: true }, 9_000)).toHaveLength(1);
      expect(await journal.append([next('w_1', 2, { events: [RESUMED] })])).toBe('appended');
      const late = await open(options);
      expect(await late.append([next('w_1', 3, { events: [RESUMED] })])).toBe('appended');
    });

    test('that does not is refused at the start, and ends the work of one that runs', async () => {
      const { options, journal } = await written();
      const replica = { id: 'r_1', takesWork: true };
      await journal.announce(replica, 9_000);
      await upgrade(options, MIGRATIONS.length + 1);

      const later = { tick: aTick(T0 + 1), track: aTrack(T0 + 1), previousAtMs: T0 };
      const writes = await Promise.allSettled([
        journal.append([next('w_1', 2, { events: [RESUMED] })]),
        journal.append([next('w_1', 2, { tick: later })]),
        journal.append([create('w_2')]),
        journal.setHold({ by: 'ann', reason: 'test', sinceMs: T0 }),
        journal.prune(T0, T0),
      ]);
      const message = expect.stringContaining('Run the newer canaryd');
      expect(writes).toMatchObject(writes.map(() => ({ status: 'rejected', reason: { message } })));
      expect(await journal.startAttempt('m', 1, T0, 'r_1')).toBe(false);
      expect(await journal.delivery('m')).toMatchObject({ attempts: 0 });
      expect(await journal.watch('w_1')).toMatchObject({ revision: 2, track: { atMs: T0 } });
      expect(await journal.hold()).toBeNull();

      expect(await refusal(options)).toContain('Run the newer canaryd; nothing was changed');
      expect(await refusal({ ...options, readOnly: true })).toContain('which needs a canaryd');
      await expect(journal.announce(replica, 9_000)).rejects.toThrow(
        `has schema ${MIGRATIONS.length + 1}, which needs`,
      );
      await journal.retire('r_1');
      expect(await server.query(`SELECT FROM ${options.schema}.replicas`)).toEqual([]);
      const late = journal.append([next('w_1', 2, { events: [RESUMED] })]);
      await expect(late).rejects.toThrow('Run the newer canaryd');
      expect(await journal.watch('w_1')).toMatchObject({ revision: 2 });
    });

    test('whose migration fails is left as it was', async () => {
      const { options, journal } = await written();
      const broken = [
        ...MIGRATIONS,
        { sql: 'CREATE TABLE x (); SELECT nonsense', compatibleFrom: 1 },
      ];
      await expect(openDatabase(options, broken)).rejects.toMatchObject({ code: 'journal_failed' });
      await expect(journal.append([create('w_2')])).resolves.toBe('appended');
      expect(await (await open(options)).events('w_1')).toHaveLength(2);
    });
  });

  describe('a damaged row', () => {
    const MAY_UPDATE = 'ALTER TABLE events DISABLE TRIGGER ALL;';

    test.each([
      ["UPDATE events SET body = '{' WHERE seq = 2", 'event 2 of watch w_1 is not JSON'],
      ["UPDATE events SET body = '{}' WHERE seq = 2", 'event 2 of watch w_1 (watch.resumed) lacks'],
      ["UPDATE events SET type = 'watch.exploded' WHERE seq = 2", '"watch.exploded"'],
      ['DELETE FROM events WHERE seq = 1', 'event 1 of watch w_1 is missing'],
      ['DELETE FROM events WHERE seq = 2', 'event 2 of watch w_1 is missing'],
      ['DELETE FROM events', 'event 1 of watch w_1 is missing'],
    ])('among the events is named: %s', async (sql, message) => {
      const { journal, alter } = await written();
      await alter(`${MAY_UPDATE} ${sql}`);
      await expect(journal.events('w_1')).rejects.toThrow(message);
    });

    test.each([
      ["UPDATE watches SET deploy = '{}'", 'the deploy of watch w_1'],
      ["UPDATE watches SET policy = '[]'", 'the policy of watch w_1'],
      [
        "UPDATE tracks SET track = replace(track, 'inactive', 'odd')",
        'condition states of watch w_1',
      ],
    ])('of the watch is named: %s', async (sql, message) => {
      const { journal, alter } = await written();
      await alter(sql);
      await expect(journal.watch('w_1')).rejects.toThrow(message);
    });

    test('among ticks and deliveries is named', async () => {
      const { journal, alter } = await written();
      await alter("UPDATE ticks SET readings = '{}'");
      await alter(`UPDATE deliveries SET content = '{"kind":"pigeon"}'`);
      await expect(journal.ticks('w_1', T0, T0, 9)).rejects.toThrow(
        `the tick at ${T0} of watch w_1`,
      );
      await expect(journal.pendingDeliveries(9)).rejects.toThrow('delivery m does not hold');
      await journal.append([create('w_2', { deliveries: [aMessageDelivery('n', 'w_2')] })]);
      const told: string[] = [];
      const tell = ({ message }: Error) => void told.push(message);
      const others = await journal.deliveries('w_2');
      expect(await journal.pendingDeliveries(9, 'message', tell)).toEqual(others);
      expect(told).toEqual([expect.stringContaining('delivery m does not hold')]);
      expect(await journal.delivery('n')).toEqual(others[0]);
    });
  });

  describe('the schema by itself', () => {
    test.each([
      [
        'a second stop',
        "INSERT INTO events VALUES ('w_1', 9, 0, 'watch.stopped', '{}')",
        'one_stop',
      ],
      ['a changed event', "UPDATE events SET type = 'watch.passed'", 'never changed'],
      ['a delivery that comes back', "UPDATE deliveries SET state = 'pending'", 'J5'],
      ['a watch that opens again', "UPDATE watches SET phase = 'passed'", 'J4'],
      ['an end without a time', 'UPDATE watches SET closed_at_ms = NULL', 'J4'],
      ['an open watch with an end', "UPDATE watches SET phase = 'watching'", 'J4'],
      ['events of no watch', "INSERT INTO events VALUES ('x', 1, 0, 'a', '{}')", 'foreign key'],
      ['too many attempts', 'UPDATE deliveries SET attempts = 99, attempted_at_ms = 1', 'J5'],
    ])('refuses %s', async (_case, sql, message) => {
      const { alter } = await written();
      await alter("INSERT INTO events VALUES ('w_1', 3, 0, 'watch.stopped', '{}')");
      await alter("UPDATE watches SET phase = 'stopped', closed_at_ms = 1");
      await alter("UPDATE deliveries SET state = 'delivered'");
      await expect(alter(sql)).rejects.toThrow(message);
    });
  });

  describe('a NUL character, which PostgreSQL cannot keep', () => {
    test('is found nowhere', async () => {
      const { journal } = await written();
      expect(await journal.watch('w\0')).toBeNull();
      expect(await journal.watchByIdempotencyKey('\0')).toBeNull();
      expect(await journal.watches({ service: '\0', limit: 9 })).toEqual([]);
    });

    test('is refused in a name, kept in what people and services said', async () => {
      const { journal } = await written();
      await expect(journal.append([create('w_2', {}, 'a\0b')])).rejects.toThrow(
        'the environment holds a NUL character, which PostgreSQL cannot keep; leave it out',
      );
      const said = { type: 'watch.acknowledged', by: 'a\0b', reason: '\ud800' } as const;
      const outcome = { reason: 'ok', detail: 'a\0b', attempt: 0, notBeforeMs: T0 } as const;
      const updates = [{ id: 'm', state: 'delivered', ...outcome }] as const;
      expect(await journal.append([next('w_1', 2, { events: [said], updates })])).toBe('appended');
      expect(await journal.events('w_1', 2)).toMatchObject([said]);
      expect((await journal.deliveries('w_1'))[0]).toMatchObject({ lastDetail: 'a\ufffdb' });
    });
  });
});
