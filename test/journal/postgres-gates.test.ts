// What is kept of gates, on a real PostgreSQL: the contract, races of replicas, damaged rows, and
// what the schema itself refuses.
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Journal } from '../../src/journal/journal.ts';
import { MIGRATIONS } from '../../src/journal/postgres/migrations.ts';
import {
  openDatabase,
  openPostgresJournal,
  type PostgresOptions,
} from '../../src/journal/postgres/open.ts';
import { T0 } from '../support/build.ts';
import { hasPostgres, type PostgresServer, startPostgres } from '../support/postgres.ts';
import { startProxy } from '../support/silent-proxy.ts';
import { until } from '../support/until.ts';
import { aGateMessage, aGateRecord, aSignOff, gateContract } from './gate-contract.ts';
import { DAMAGE, FORBIDDEN, fillGates, hasDamage, hasDamagedDecision } from './gate-damage.ts';

/** Rounds of a race: the order within one is the scheduler's choice. */
const ROUNDS = 25;

describe.runIf(hasPostgres())('on PostgreSQL', () => {
  let server: PostgresServer;
  let schemas = 0;
  const opened: Journal[] = [];
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());
  afterEach(async () => {
    for (const journal of opened.splice(0)) await journal[Symbol.asyncDispose]();
  });

  function fresh(): PostgresOptions & { readonly schema: string } {
    schemas += 1;
    return { url: server.url, schema: `s${schemas}` };
  }

  async function open(options: PostgresOptions): Promise<Journal> {
    const journal = await openPostgresJournal(options);
    opened.push(journal);
    return journal;
  }

  async function filled() {
    const options = fresh();
    const journal = await open(options);
    await fillGates(journal);
    const alter = async (sql: string) => {
      await server.query(`SET search_path TO ${options.schema}; ${sql}`);
    };
    return { options, journal, alter };
  }

  gateContract('postgres journal', async () => {
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

  test('of two replicas that report one decision, one writes it, and its messages only', async () => {
    const options = fresh();
    const [a, b] = [await open(options), await open(options)];
    for (let round = 0; round < ROUNDS; round += 1) {
      const id = `g_${round}`;
      const reports = await Promise.all([
        a.addGateRecord(aGateRecord(id, { reportedBy: 'a' }), [aGateMessage(id, 'a')]),
        b.addGateRecord(aGateRecord(id, { reportedBy: 'b' }), [aGateMessage(id, 'b')]),
      ]);
      expect(reports.toSorted()).toEqual([false, true]);
      const [message] = await a.gateMessages(id);
      expect(await b.gateRecord(id)).toMatchObject({ reportedBy: message?.channel });
    }
    expect(await a.pendingGateMessages(99)).toHaveLength(ROUNDS);
  });

  test('two replicas cannot both begin an attempt', async () => {
    const options = fresh();
    const [a, b] = [await open(options), await open(options)];
    await a.addGateRecord(aGateRecord('g_1'), [aGateMessage('g_1', 'oncall')]);
    for (let attempt = 1; attempt <= ROUNDS; attempt += 1) {
      const begun = await Promise.all(
        [a, b].map((journal) => journal.startGateAttempt('g_1.oncall', attempt, T0)),
      );
      expect(begun.toSorted()).toEqual([false, true]);
    }
    expect(await a.gateMessages('g_1')).toMatchObject([{ attempts: ROUNDS }]);
  });

  describe('an answer to COMMIT that was lost', () => {
    /** A replica that waits at each COMMIT of a row until it may go on, behind a proxy. */
    async function waiting(table: string) {
      const options = fresh();
      const other = await open(options);
      const proxy = await startProxy(server.port);
      onTestFinished(() => proxy.stop());
      const url = options.url.replace(`:${server.port}/`, `:${proxy.port}/`);
      const behind = await open({ ...options, url });
      const run = (sql: string) => server.query(`SET search_path TO ${options.schema}; ${sql}`);
      await run(`
        CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          WHILE NOT EXISTS (SELECT 1 FROM settings WHERE name = 'go') LOOP
            PERFORM pg_sleep(0.01);
          END LOOP;
          RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON ${table} DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait()`);
      const committing = `SELECT pid FROM pg_stat_activity WHERE query = 'COMMIT'
        AND state = 'active'`;
      const isAtCommit = () =>
        until(async () => expect(await server.query(committing)).toHaveLength(1));
      const go = () => run("INSERT INTO settings VALUES ('go', '')");
      return { other, behind, proxy, isAtCommit, go, committing };
    }

    test('is looked up: the decision was written, and it was this one', async () => {
      const { other, behind, proxy, isAtCommit, go } = await waiting('gate_records');
      const adding = behind.addGateRecord(aGateRecord('g_1'), [aGateMessage('g_1', 'oncall')]);
      await isAtCommit();
      proxy.silence();
      await go();
      await until(async () => expect(await other.gateRecord('g_1')).not.toBeNull());
      proxy.recover();
      expect(await adding).toBe(true);
      expect(await behind.pendingGateMessages(9)).toHaveLength(1);
    });

    test('is looked up: another replica has written this decision', async () => {
      const { other, behind, proxy, isAtCommit, go, committing } = await waiting('gate_records');
      const adding = behind.addGateRecord(aGateRecord('g_1'), [aGateMessage('g_1', 'a')]);
      await isAtCommit();
      proxy.silence();
      await server.query(`SELECT pg_terminate_backend(pid) FROM (${committing}) AS its`);
      await go();
      const received = aGateRecord('g_1', { receivedAtMs: T0 + 7 });
      expect(await other.addGateRecord(received, [aGateMessage('g_1', 'b')])).toBe(true);
      proxy.recover();
      expect(await adding).toBe(false);
      expect(await other.pendingGateMessages(9)).toMatchObject([{ channel: 'b' }]);
    });

    test('is looked up: the signature is there once', async () => {
      const { other, behind, proxy, isAtCommit, go } = await waiting('gate_sign_offs');
      const signing = behind.addSignOff(aSignOff());
      await isAtCommit();
      proxy.silence();
      await go();
      const signed = () => other.signOffs({ gate: 'testnet', limit: 9 });
      await until(async () => expect(await signed()).toHaveLength(1));
      proxy.recover();
      await expect(signing).resolves.toBeUndefined();
      expect(await signed()).toEqual([aSignOff()]);
    });
  });

  test.each(DAMAGE)('a damaged row is named: %s', async (sql, read, words) => {
    const { journal, alter } = await filled();
    await alter('DROP TRIGGER gate_records_are_facts ON gate_records');
    await alter('DROP TRIGGER sign_offs_are_facts ON gate_sign_offs');
    await alter(sql);
    await expect(read(journal)).rejects.toThrow(words);
  });

  test('a damaged message hides no other', async () => {
    const { journal, alter } = await filled();
    await hasDamage(journal, alter);
  });

  test('a damaged decision hides no other', async () => {
    const { journal, alter } = await filled();
    await alter('DROP TRIGGER gate_records_are_facts ON gate_records');
    await hasDamagedDecision(journal, alter);
  });

  describe('the schema by itself', () => {
    test.each(FORBIDDEN)('refuses %s', async (_case, sql, words) => {
      const { alter } = await filled();
      await expect(alter(sql)).rejects.toThrow(words);
    });
  });

  test('a NUL in a name is refused by its name, and nothing is written', async () => {
    const journal = await open(fresh());
    await expect(journal.addSignOff(aSignOff({ version: '2\0' }))).rejects.toThrow(
      'the version holds a NUL character',
    );
    const messages = [aGateMessage('g_1', 'on\0call')];
    await expect(journal.addGateRecord(aGateRecord('g_1'), messages)).rejects.toThrow(
      'holds a NUL character',
    );
    expect(await journal.gateRecord('g_1')).toBeNull();
  });

  describe('a schema of the version before', () => {
    test('is brought up to date, and what was in it stays', async () => {
      const options = fresh();
      await (await openDatabase(options, MIGRATIONS.slice(0, 2))).close();
      const hold = `'{"by":"ann","reason":"kept","sinceMs":1}'`;
      await server.query(`INSERT INTO ${options.schema}.settings VALUES ('hold', ${hold})`);
      const journal = await open(options);
      expect(await journal.hold()).toMatchObject({ reason: 'kept' });
      expect(await journal.addGateRecord(aGateRecord('g_1'), [])).toBe(true);
    });

    test('ends the work of a canaryd that knows no gates, before it exports without them', async () => {
      const { options } = await filled();
      const older = openDatabase(options, MIGRATIONS.slice(0, 2));
      await expect(older).rejects.toThrow(
        'has schema 3, which needs a canaryd that knows schema 3',
      );
    });
  });

  test('a schema of a newer canaryd takes neither signatures nor decisions nor attempts', async () => {
    const { options, journal } = await filled();
    const newer = [...MIGRATIONS, { sql: 'SELECT 1', compatibleFrom: MIGRATIONS.length + 1 }];
    await (await openDatabase(options, newer)).close();
    const refused = 'Run the newer canaryd';
    await expect(journal.addSignOff(aSignOff())).rejects.toThrow(refused);
    await expect(journal.addGateRecord(aGateRecord('g_9'), [])).rejects.toThrow(refused);
    await expect(journal.prune(T0 + 9, T0 + 9)).rejects.toThrow(refused);
    expect(await journal.startGateAttempt('g_1.oncall', 1, T0)).toBe(false);
    const late = { id: 'g_1.oncall', attempt: 0, notBeforeMs: T0, reason: null, detail: '' };
    await journal.endGateAttempt({ ...late, state: 'delivered' });
    expect(await journal.gateMessages('g_1')).toMatchObject([
      { channel: 'devs', state: 'pending' },
      { channel: 'oncall', state: 'pending', attempts: 0 },
    ]);
  });
});
