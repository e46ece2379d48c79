// A real PostgreSQL that dies, hangs, is cut off or takes no writes: every failure is an error in
// bounded time, what was acknowledged stays, and work goes on by itself.
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from 'vitest';
import type { Journal } from '../../src/journal/journal.ts';
import { openPostgresJournal } from '../../src/journal/postgres/open.ts';
import { aMessageDelivery, aTick, aTrack, T0 } from '../support/build.ts';
import { hasPostgres, type PostgresServer, startPostgres } from '../support/postgres.ts';
import { type SilentProxy, startProxy } from '../support/silent-proxy.ts';
import { until } from '../support/until.ts';
import { create, next } from './contract.ts';

const resumed = (awayMs: number) => ({ type: 'watch.resumed', awayMs }) as const;

describe.runIf(hasPostgres())('the journal on a PostgreSQL', () => {
  let server: PostgresServer;
  let schema = '';
  let schemas = 0;
  let journal: Journal;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    schemas += 1;
    schema = `s${schemas}`;
    journal = await openPostgresJournal({ url: server.url, schema });
    await journal.append([create('w_1')]);
  });
  afterEach(() => journal[Symbol.asyncDispose]());

  /** Holds the row of the watch against everybody, until the end of `work`. */
  async function whileLocked(work: () => Promise<void>): Promise<void> {
    const holder = server.query(
      `BEGIN; SELECT 1 FROM ${schema}.watches FOR UPDATE; SELECT pg_sleep(60)`,
    );
    const ended = holder.catch(() => {});
    await until(async () => expect(await backends('%pg_sleep(60)%')).toHaveLength(1));
    await work();
    await terminate('%pg_sleep(60)%');
    await ended;
  }

  const backends = (query: string) =>
    server.query(
      `SELECT pid FROM pg_stat_activity WHERE query LIKE '${query}' AND pid <> pg_backend_pid()`,
    );
  const terminate = (query: string) =>
    server.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE query LIKE '${query}' AND pid <> pg_backend_pid()`,
    );
  const waiting = () =>
    server.query("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'");

  describe('that crashes', () => {
    test('says so, loses nothing that was acknowledged, and goes on when it is back', async () => {
      const acknowledged: number[] = [];
      const errors: unknown[] = [];
      const isOver = () => errors.length > 0;
      const writing = (async () => {
        let revision = 1;
        while (!isOver()) {
          const append = journal.append([next('w_1', revision, { events: [resumed(revision)] })]);
          await append.then(
            () => acknowledged.push(revision),
            (error: unknown) => errors.push(error),
          );
          revision += 1;
        }
      })();
      await until(() => expect(acknowledged.length).toBeGreaterThan(20));
      await server.crash();
      await writing;
      expect(errors).toMatchObject([
        {
          code: 'journal_failed',
          message: expect.stringMatching(/the connection (failed|was lost)/),
        },
      ]);
      await expect(journal.watch('w_1')).rejects.toThrow('See whether the server runs');
      await expect(journal.check()).rejects.toThrow(`127.0.0.1:${server.port}/postgres`);

      await server.start();
      const events = await journal.events('w_1');
      const kept = events.flatMap((event) =>
        event.type === 'watch.resumed' ? [event.awayMs] : [],
      );
      expect(kept.slice(0, acknowledged.length)).toEqual(acknowledged);
      // The one whose answer was lost may be there.
      expect(kept.length - acknowledged.length).toBeLessThanOrEqual(1);
      const { revision = 0 } = (await journal.watch('w_1')) ?? {};
      expect(await journal.append([next('w_1', revision, { events: [resumed(0)] })])).toBe(
        'appended',
      );
    });

    test('and is back before the next call is not noticed at all', async () => {
      await Promise.all([1, 2, 3].map(() => journal.counts()));
      await server.crash();
      await server.start();
      expect(await journal.append([next('w_1', 1, { events: [resumed(1)] })])).toBe('appended');
      expect(await journal.events('w_1')).toHaveLength(2);
    });
  });

  describe('that cuts a connection', () => {
    test('in the middle of a transaction: it is made again, once', async () => {
      await whileLocked(async () => {
        const append = journal.append([next('w_1', 1, { events: [resumed(1)] })]);
        await until(async () => expect(await waiting()).toHaveLength(1));
        await server.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
        );
        await until(async () => expect(await waiting()).toHaveLength(1));
        await terminate('%pg_sleep(60)%');
        expect(await append).toBe('appended');
      });
      expect(await journal.events('w_1')).toHaveLength(2);
    });

    test('during a write that commits by itself: nobody knows, and nothing is repeated', async () => {
      await whileLocked(async () => {
        const tick = { tick: aTick(T0), track: aTrack(T0), previousAtMs: null };
        const append = journal.append([next('w_1', 1, { tick })]);
        const refused = expect(append).rejects.toThrow('nobody knows whether it was written');
        await until(async () => expect(await waiting()).toHaveLength(1));
        await server.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
        );
        await refused;
      });
      expect(await journal.watch('w_1')).toMatchObject({ track: null });
    });
  });

  describe('whose rows are locked by somebody', () => {
    test('fails within seconds, and writes nothing', async () => {
      await whileLocked(async () => {
        const append = journal.append([next('w_1', 1, { events: [resumed(1)] })]);
        await expect(append).rejects.toThrow(
          /took too long \(.*lock timeout\); nothing was written/,
        );
        expect(await journal.watch('w_1')).toMatchObject({ revision: 1 });
      });
      expect(await journal.append([next('w_1', 1, { events: [resumed(1)] })])).toBe('appended');
    });
  });

  describe('that takes no writes, as after a failover to a standby', () => {
    const set = async (change: string) => {
      await server.query(`ALTER SYSTEM ${change}`);
      await server.query('SELECT pg_reload_conf()');
    };
    const RESET = 'RESET default_transaction_read_only';
    afterEach(() => set(RESET));

    test('says what to do, still reads, and writes again when it may', async () => {
      await set('SET default_transaction_read_only = on');
      await until(async () => {
        await expect(journal.check()).rejects.toThrow('Lead the URL to the primary');
      });
      expect(await journal.watch('w_1')).toMatchObject({ revision: 1 });
      const append = () => journal.append([next('w_1', 1, { events: [resumed(1)] })]);
      await expect(append()).rejects.toThrow('the server takes no writes');
      await set(RESET);
      await until(() => expect(journal.check()).resolves.toBeUndefined());
      expect(await append()).toBe('appended');
    });
  });

  describe('that falls silent', () => {
    let proxy: SilentProxy;
    let behind: Journal;
    beforeEach(async () => {
      proxy = await startProxy(server.port);
      const url = server.url.replace(`:${server.port}/`, `:${proxy.port}/`);
      behind = await openPostgresJournal({ url, schema });
    });
    afterEach(async () => {
      await proxy.stop();
      await behind[Symbol.asyncDispose]();
    });

    test('is an error and no hang, for what was begun and for what comes', async () => {
      proxy.silence();
      const tick = { tick: aTick(T0), track: aTrack(T0), previousAtMs: null };
      const failed = await Promise.allSettled([
        behind.append([next('w_1', 1, { tick })]),
        behind.watch('w_1'),
        behind.announce({ id: 'r_1', takesWork: true }, 1_000),
      ]);
      expect(failed).toMatchObject(
        failed.map(() => ({ status: 'rejected', reason: { code: 'journal_failed' } })),
      );
      // One that only reads says nothing of writing.
      expect(String((failed[1] as PromiseRejectedResult).reason)).toContain(
        'did not answer in time. See whether',
      );
      proxy.recover();
      // The answer was lost, not the tick.
      expect(await behind.watch('w_1')).toMatchObject({ revision: 1, track: { atMs: T0 } });
      expect(await behind.append([next('w_1', 1, { events: [resumed(1)] })])).toBe('appended');
    }, 30_000);

    test('has begun an attempt whose answer was lost, when the journal says so', async () => {
      await journal.append([next('w_1', 1, { deliveries: [aMessageDelivery('m', 'w_1')] })]);
      proxy.silence();
      const begun = behind.startAttempt('m', 1, T0, 'r_1');
      await until(async () => {
        expect((await journal.deliveries('w_1'))[0]).toMatchObject({ attempts: 1 });
      });
      proxy.recover();
      expect(await begun).toBe(true);
      expect((await journal.deliveries('w_1'))[0]).toMatchObject({ attempts: 1, holder: 'r_1' });
    });

    test('can be left while its listener connects, before any limit has passed', async () => {
      proxy.silence();
      vi.useFakeTimers({ toFake: ['setTimeout'] });
      onTestFinished(() => void vi.useRealTimers());
      behind.listen(() => {});
      await expect(behind[Symbol.asyncDispose]()).resolves.toBeUndefined();
    });

    test('can be left: closing does not wait for it', async () => {
      behind.listen(() => {});
      await until(async () => expect(await backends('LISTEN%')).toHaveLength(1));
      proxy.silence();
      await behind[Symbol.asyncDispose]();
      await expect(behind.check()).rejects.toThrow('it is closed');
    });
  });
});
