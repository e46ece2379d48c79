import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type CheckSetup, carriedOut, made, problemsOf } from '../../support/gate-check.ts';
import { hasPostgres, type PostgresServer, startPostgres } from '../../support/postgres.ts';
import { startProxy } from '../../support/silent-proxy.ts';

describe.skipIf(!hasPostgres())('the check postgres, on a real server', () => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = await startPostgres();
    await server.query(`
      CREATE TABLE backup_status (name text, finished timestamptz, bytes bigint);
      INSERT INTO backup_status VALUES ('full', now() - interval '2 hours', 5000000000);
      CREATE SEQUENCE calls;
      CREATE TABLE pools (name text, pool_size int, current_connections int);
      INSERT INTO pools VALUES ('spark', 20, 15), ('other', 20, 20), ('none', 0, 0);`);
  });
  afterAll(() => server?.stop());

  const check = (more: object, setup: CheckSetup = {}) =>
    carriedOut(
      { postgres: { url: '$DATABASE_URL', ...more } },
      { env: { DATABASE_URL: server.url }, ...setup },
    );
  const backup = 'SELECT now() - max(finished) AS age FROM backup_status';

  it('passes when it can be reached, and says which version it is', async () => {
    const result = await check({});
    expect(result).toMatchObject({
      outcome: 'pass',
      tools: { postgres: expect.stringMatching(/^\d+/) },
    });
    expect(result.text).toMatch(/answered in \d+ ms$/);
  });

  it.each([
    [{ query: backup, value: { below: '24h' } }, 'pass', '7,200'],
    [{ query: backup, value: { below: '1h' } }, 'fail', 'below 1h wanted'],
    [{ query: 'SELECT count(*) FROM pools;', value: { equals: 3 } }, 'pass', '3, equals 3'],
    [{ query: 'SELECT 15.0 / 20', value: { below: '80%' } }, 'pass', '75 %, below 80% wanted'],
    [{ query: 'SELECT pg_is_in_recovery()', value: { equals: 0 } }, 'pass', '0, equals 0'],
    [{ query: 'SHOW max_connections', value: { at_least: 50 } }, 'pass', '100, at least 50'],
    [{ query: "SELECT interval '-4 min'", value: { below: '24h' } }, 'pass', 'below 24h wanted'],
    [{ query: "SELECT interval '-30 d'", value: { below: '24h' } }, 'unknown', 'in the future'],
    [{ query: "SELECT interval '-6 min'", value: { at_most: '1m' } }, 'unknown', 'in the future'],
    [{ query: "SELECT interval '-1 s'", value: { within: '2s' } }, 'pass', 'within 2s wanted'],
    [{ query: 'SELECT 1', rows: { at_least: 2 } }, 'fail', '1 row, at least 2 wanted'],
    [{ query: 'SELECT 1 AS a, NULL AS b', none: true }, 'fail', '1 row, none wanted: a 1'],
    [{ query: 'TABLE pools', rows: { at_least: 4 } }, 'fail', '3 rows, at least 4 wanted'],
    [{ query: 'VALUES (1), (2)', rows: { equals: 2 } }, 'pass', '2 rows, equals 2 wanted'],
    [{ query: 'SELECT 1 WHERE false', none: true }, 'pass', 'no row'],
    [{ query: 'SELECT name, 1 AS n FROM pools', none: true }, 'fail', 'name spark, n 1'],
    [
      {
        query: 'TABLE pools',
        ...{ column: 'current_connections', share_of: 'pool_size' },
        ...{ where: { name: 'spark' }, value: { below: '80%' } },
      },
      'pass',
      '75 %, below 80% wanted',
    ],
    [
      {
        query: 'TABLE pools',
        ...{ column: 'current_connections', share_of: 'pool_size' },
        ...{ where: { name: 'other' }, value: { below: '80%' } },
      },
      'fail',
      '100 %, below 80% wanted',
    ],
  ])('judges %o: %s', async (more, outcome, text) => {
    const result = await check(more);
    expect([result.outcome, result.text]).toEqual([outcome, expect.stringContaining(text)]);
  });

  it('keeps the rows as evidence', async () => {
    const result = await check({ query: "SELECT 'a' AS name, NULL AS x", none: true });
    expect(JSON.parse(String(result.exhibits[0]?.body))).toEqual({
      columns: ['name', 'x'],
      rows: [{ name: 'a', x: null }],
      isCut: false,
    });
  });

  it.each([
    [{ query: 'SELECT 1 WHERE false', value: { above: 0 } }, 'no row where one value is meant'],
    [{ query: 'SELECT max(bytes) FROM backup_status WHERE false', value: { above: 0 } }, 'NULL'],
    [{ query: 'SELECT pool_size FROM pools', value: { above: 0 } }, '3 rows where one value'],
    [{ query: 'SELECT 1 AS a, 2 AS b', value: { above: 0 } }, '2 columns where one value'],
    [{ query: "SELECT 'x' AS a", value: { above: 0 } }, 'a is "x", no number'],
    [{ query: 'SELECT 1 AS a', column: 'b', value: { above: 0 } }, 'no column b, only a'],
    [{ query: 'TABLE pools', where: { db: 'a' }, none: true }, 'no column db'],
    [{ query: 'SELECT 3 AS a, 0 AS b', column: 'a', share_of: 'b', value: { above: 0 } }, 'b is 0'],
    [{ query: 'SELECT generate_series(1, 10001)', rows: { above: 1 } }, 'more than 10000 rows'],
    [{ query: 'SELECT nobody FROM pools', value: { above: 0 } }, 'does not exist (42703)'],
    [{ query: 'SELEC 1', value: { above: 0 } }, 'syntax error'],
  ])('is unknown for %o', async (more, reason) => {
    const result = await check(more);
    expect([result.outcome, result.text]).toEqual(['unknown', expect.stringContaining(reason)]);
  });

  const state = () => server.query('SELECT count(*), (SELECT last_value FROM calls) FROM pools');

  it.each([
    "INSERT INTO pools VALUES ('x', 1, 1) RETURNING 1",
    "WITH x AS (INSERT INTO pools VALUES ('x', 1, 1) RETURNING 1) SELECT * FROM x",
    "SELECT 1; COMMIT; INSERT INTO pools VALUES ('x', 1, 1)",
    'DROP TABLE pools',
    "SELECT setval('calls', 7)",
    "SELECT set_config('transaction_read_only', 'off', false), setval('calls', 7)",
    'SHOW max_connections; DROP TABLE pools',
  ])('does not let a query change anything: %s', async (query) => {
    const before = await state();
    expect(await check({ query, none: true })).not.toMatchObject({ outcome: 'pass' });
    expect(await state()).toEqual(before);
  });

  it('ends a query on the server when its time is over', async () => {
    const result = await check({ query: 'SELECT pg_sleep(60)', none: true, timeout: '300ms' });
    expect(result.outcome).toBe('unknown');
    expect(result.text).toMatch(/no answer within 300 ms|statement timeout/);
    await expect
      .poll(() =>
        server.query("SELECT 1 FROM pg_stat_activity WHERE application_name = 'canaryd gate'"),
      )
      .toEqual([]);
  });

  it('is unknown when the answer is larger than is taken', async () => {
    const query = "SELECT repeat('x', 1000000) FROM generate_series(1, 200)";
    const result = await check({ query, none: true });
    expect(result).toMatchObject({ outcome: expect.stringMatching(/unknown/) });
    expect(result.text).toContain('an answer larger than 32000000 bytes');
  });

  it('is unknown when the server falls silent, or the gate is interrupted', async () => {
    const proxy = await startProxy(server.port);
    onTestFinished(() => proxy.stop());
    const url = server.url.replace(String(server.port), String(proxy.port));
    proxy.silence();
    const silent = await check({ timeout: '200ms' }, { env: { DATABASE_URL: url } });
    expect(silent).toMatchObject({ outcome: 'unknown' });
    expect(silent.text).toMatch(/no answer within 200 ms|timeout/i);
    const aborted = await check(
      {},
      { env: { DATABASE_URL: server.url }, signal: AbortSignal.abort() },
    );
    expect(aborted.text).toContain('the check was cut off');
  });

  it('is unknown for a wrong password, which it does not show', async () => {
    const wrong = ['not', 'the', 'password', '123'].join('-');
    const setup = { env: { DATABASE_URL: server.url, DB_PASSWORD: wrong } };
    const result = await check({ password: '$DB_PASSWORD' }, setup);
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain('password authentication failed');
    expect(JSON.stringify(result)).not.toContain(wrong);
    const right = { env: { ...setup.env, DB_PASSWORD: server.password } };
    expect(await check({ password: '$DB_PASSWORD' }, right)).toMatchObject({ outcome: 'pass' });
  });
});

describe('the check postgres is unknown', () => {
  const url = 'postgres://u@127.0.0.1:1/db';

  it('when nobody listens', async () => {
    expect(await carriedOut({ postgres: { url } })).toMatchObject({
      outcome: 'unknown',
      text: '127.0.0.1:1/db: connection refused',
    });
  });

  it('for a secret without a value, or with something that is no URL', async () => {
    const missing = await carriedOut({ postgres: { url: '$DATABASE_URL' } });
    expect(missing.text).toContain('the secret $DATABASE_URL has no value');
    const env = { DATABASE_URL: 'mysql://u:geheim1234@db/x' };
    const wrong = await carriedOut({ postgres: { url: '$DATABASE_URL' } }, { env });
    expect(wrong.text).toContain('url: found no URL of a PostgreSQL database');
    expect(wrong.text).not.toContain('geheim1234');
  });
});

describe('the check postgres as it is written', () => {
  const url = 'postgres://u@127.0.0.1:1/db';

  it('says in a sentence what is wanted', () => {
    expect(made({ postgres: { url, query: 'SELECT\n 1', value: { below: '5m' } } }).wants).toBe(
      'PostgreSQL 127.0.0.1:1: SELECT 1: below 5m',
    );
    expect(made({ postgres: { url: '$DB_URL' } }).wants).toBe('PostgreSQL $DB_URL: reachable');
  });

  it.each([
    [{ url: 'postgres://u:p@127.0.0.1:1/db' }, 'found a URL with a password, which is not shown'],
    [{ url: 'postgres://u@db/db' }, 'found a URL without sslmode'],
    [{ url, query: 'SELECT 1' }, 'exactly one of value, rows and none'],
    [{ url, query: 'a', none: true, rows: { above: 1 } }, 'exactly one of value, rows and none'],
    [{ url, none: true }, 'postgres.none: found true; wanted it only with a query'],
    [{ url, query: 'a', none: true, column: 'b' }, 'wanted it only with value; remove it'],
  ])('refuses %o', (postgres, problem) => {
    expect(problemsOf({ postgres }).join('\n')).toContain(problem);
  });
});
