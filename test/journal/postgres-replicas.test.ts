// Several replicas on one schema of a real PostgreSQL: who was first, who lives, who is told.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Journal } from '../../src/journal/journal.ts';
import { openPostgresJournal } from '../../src/journal/postgres/open.ts';
import { anActionDelivery, aTick, aTrack, stopped, T0 } from '../support/build.ts';
import { hasPostgres, type PostgresServer, startPostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';
import { create, next } from './contract.ts';

/** Rounds of a race: the order within one is the scheduler's choice. */
const ROUNDS = 25;

describe.runIf(hasPostgres())('replicas on one PostgreSQL', () => {
  let server: PostgresServer;
  let schemas = 0;
  let a: Journal;
  let b: Journal;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    schemas += 1;
    const options = { url: server.url, schema: `s${schemas}` };
    a = await openPostgresJournal(options);
    b = await openPostgresJournal(options);
  });
  afterEach(async () => {
    await a[Symbol.asyncDispose]();
    await b[Symbol.asyncDispose]();
  });

  describe('that decide the same', () => {
    const both = async <Result>(work: (journal: Journal) => Promise<Result>) =>
      (await Promise.all([a, b].map(work))).toSorted();

    test('write one start, one tick, one stop with its deliveries, one attempt', async () => {
      const one = ['appended', 'conflict'];
      for (let round = 0; round < ROUNDS; round += 1) {
        const id = `w_${round}`;
        const starts = await Promise.all([
          a.append([create(id, {}, `env${round}`)]),
          b.append([create(`${id}_b`, {}, `env${round}`)]),
        ]);
        expect(starts.toSorted()).toEqual(one);
        const watchId = (await a.watches({ environment: `env${round}`, limit: 2 }))[0]?.id ?? '';

        const tick = { tick: aTick(T0), track: aTrack(T0), previousAtMs: null };
        expect(await both((journal) => journal.append([next(watchId, 1, { tick })]))).toEqual(one);
        const stop = next(watchId, 1, {
          events: [stopped()],
          deliveries: [anActionDelivery('rollback', watchId)],
          phase: 'stopped',
          isActive: false,
        });
        expect(await both((journal) => journal.append([stop]))).toEqual(one);
        const rollback = `${watchId}.rollback`;
        const begun = await both((journal) => journal.startAttempt(rollback, 1, T0, 'r'));
        expect(begun).toEqual([false, true]);
      }
      expect(await a.pendingDeliveries(99)).toHaveLength(ROUNDS);
      expect(await a.counts()).toMatchObject({ stopped: ROUNDS, watching: 0 });
    });

    test('go on from a tick only once, while events are written by the other', async () => {
      await a.append([create('w_1')]);
      let previousAtMs: number | null = null;
      let revision = 1;
      for (let round = 1; round <= ROUNDS; round += 1) {
        const atMs = T0 + round;
        const tick = { tick: aTick(atMs), track: aTrack(atMs), previousAtMs };
        const event = { type: 'watch.resumed', awayMs: round } as const;
        const [first, second] = await Promise.all([
          a.append([next('w_1', revision, { tick })]),
          b.append([next('w_1', revision, { tick, events: [event] })]),
        ]);
        expect([first, second].toSorted()).toEqual(['appended', 'conflict']);
        revision = (await a.watch('w_1'))?.revision ?? 0;
        previousAtMs = atMs;
      }
      const ticks = await a.ticks('w_1', T0, T0 + ROUNDS, 99);
      expect(ticks).toHaveLength(ROUNDS);
      expect(await b.watch('w_1')).toMatchObject({ revision, track: { atMs: T0 + ROUNDS } });
    });

    test('do not wait for each other in a circle', async () => {
      await a.append([create('w_1'), create('w_2')]);
      for (let round = 1; round <= ROUNDS; round += 1) {
        const batches = ['w_1', 'w_2'].map((id) =>
          next(id, round, { events: [{ type: 'watch.resumed', awayMs: round }] }),
        );
        const results = await Promise.all([a.append(batches), b.append(batches.toReversed())]);
        expect(results.toSorted()).toEqual(['appended', 'conflict']);
      }
    });
  });

  test('do not remove a watch while a message of it is being planned', async () => {
    const closing = { events: [{ type: 'watch.passed', conditions: [], coverage: {} }] } as const;
    const closed = { ...closing, phase: 'passed', isActive: false } as const;
    await a.append([create('w_1'), next('w_1', 1, closed), create('w_2'), next('w_2', 1, closed)]);
    const schema = `s${schemas}`;
    // As an append does it: the watch is locked, then the message is written.
    const planning = server.query(
      `SET search_path TO ${schema}; BEGIN; SELECT 1 FROM watches WHERE id = 'w_1' FOR UPDATE;
       DO $$ BEGIN
         WHILE NOT EXISTS (SELECT 1 FROM settings WHERE name = 'go') LOOP
           PERFORM pg_sleep(0.01);
         END LOOP;
       END $$;
       INSERT INTO deliveries (id, watch_id, kind, content, is_critical, created_at_ms,
         not_before_ms, deadline_at_ms, attempts_max)
       VALUES ('m', 'w_1', 'message', '{}', true, 0, 0, 0, 1);
       COMMIT`,
    );
    const free = `SELECT id FROM ${schema}.watches ORDER BY id FOR UPDATE SKIP LOCKED`;
    await until(async () => expect(await server.query(free)).toEqual([{ id: 'w_2' }]));
    const pruning = b.prune(T0 + 99_000, T0 + 99_000);
    const waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    const isHeldUp = until(async () => {
      expect(await server.query(waiting)).toHaveLength(1);
    }, 5_000);
    await Promise.race([pruning, isHeldUp]);
    await server.query(`INSERT INTO ${schema}.settings VALUES ('go', '')`);
    await planning;

    expect(await pruning).toMatchObject({ samples: 0, watches: 1 });
    const left = `SELECT watch_id FROM ${schema}.deliveries WHERE id = 'm'`;
    expect(await server.query(left)).toEqual([{ watch_id: 'w_1' }]);
    expect(await b.prune(T0 + 99_000, T0 + 99_000)).toMatchObject({ samples: 0, watches: 0 });
  });

  describe('that announce themselves', () => {
    const me = (id: string, takesWork = true) => ({ id, takesWork });

    test('see each other in one order, also when one takes no more work, until it retires', async () => {
      expect(await b.announce(me('r_2'), 60_000)).toEqual([me('r_2')]);
      expect(await a.announce(me('r_1'), 60_000)).toEqual([me('r_1'), me('r_2')]);
      expect(await b.announce(me('r_2', false), 60_000)).toEqual([me('r_1'), me('r_2', false)]);
      expect(await a.announce(me('r_1'), 60_000)).toEqual([me('r_1'), me('r_2', false)]);
      await b.retire('r_2');
      await b.retire('r_2');
      expect(await a.announce(me('r_1'), 60_000)).toEqual([me('r_1')]);
    });

    test('are forgotten when they are not heard of for as long as they said', async () => {
      await b.announce(me('r_2'), 300);
      expect(await a.announce(me('r_1'), 60_000)).toHaveLength(2);
      await until(async () => {
        expect(await a.announce(me('r_1'), 60_000)).toEqual([me('r_1')]);
      });
      expect(await b.announce(me('r_2'), 60_000)).toHaveLength(2);
    });
  });

  describe('that listen', () => {
    /** What is heard, from the moment on that the connection listens. */
    async function heardBy(journal: Journal, other: Journal) {
      const heard: (string | null)[] = [];
      const end = journal.listen((watchId) => heard.push(watchId));
      let tries = 0;
      await until(async () => {
        tries += 1;
        await other.announce({ id: `try${tries}`, takesWork: true }, 60_000);
        expect(heard.length).toBeGreaterThan(0);
      });
      let settled = 0;
      const settle = async () => {
        settled += 1;
        const id = `end${settled}`;
        await other.append([create(id)]);
        await until(() => expect(heard.at(-1)).toBe(id));
      };
      await settle();
      heard.length = 0;
      return { heard, end, settle };
    }

    test('hear of events that others wrote, not of their own, nor of ticks', async () => {
      const { heard, end } = await heardBy(a, b);
      const tick = { tick: aTick(T0), track: aTrack(T0), previousAtMs: null };
      await a.append([create('mine')]);
      await b.append([create('w_1'), create('w_2')]);
      await b.append([next('w_1', 1, { tick })]);
      await b.append([next('w_2', 1, { events: [{ type: 'watch.resumed', awayMs: 1 }] })]);
      await until(() => expect(heard).toHaveLength(3));
      expect(heard).toEqual(['w_1', 'w_2', 'w_2']);
      end();
      await b.append([create('w_3')]);
      expect(heard).toHaveLength(3);
    });

    test('hear that others came, take no more work, came back or left, and nothing between', async () => {
      const { heard, settle } = await heardBy(a, b);
      await b.announce({ id: 'r_2', takesWork: true }, 60_000);
      await b.announce({ id: 'r_2', takesWork: true }, 60_000);
      await b.announce({ id: 'r_2', takesWork: false }, 1);
      await until(async () => {
        expect(await a.announce({ id: 'r_1', takesWork: true }, 1)).not.toContainEqual(
          expect.objectContaining({ id: 'r_2' }),
        );
      });
      await b.announce({ id: 'r_2', takesWork: false }, 60_000);
      await b.retire('r_2');
      await b.retire('r_2');
      await settle();
      expect(heard.slice(0, -1)).toEqual([null, null, null, null]);
    });

    test('come back when they are cut off, and look once because they may have missed some', async () => {
      const { heard, settle } = await heardBy(a, b);
      await server.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN "canaryd s${schemas}"'`,
      );
      await until(() => expect(heard).toEqual([null]));
      await settle();
    });
  });
});
