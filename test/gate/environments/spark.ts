// Spark as its checklist wants it: ten sections, each of them met. Real servers stand for the web
// front, the API, Grafana, GitHub and PgBouncer; PostgreSQL and Prometheus are what they are.
import { randomBytes } from 'node:crypto';
import { type FakeDashboards, startFakeDashboards } from '../../support/fake-dashboards.ts';
import { type FakeGithub, type Run, startFakeGithub } from '../../support/fake-github.ts';
import { type FakePgBouncer, startFakePgBouncer } from '../../support/fake-pgbouncer.ts';
import type { PostgresServer } from '../../support/postgres.ts';
import { dayAgo, istanbulSummary, junit } from '../../support/tool-reports.ts';
import type { Places, Setup } from './environment.ts';
import type { Telemetry } from './telemetry.ts';
import type { World } from './world.ts';

const HOUR_MS = 3_600_000;
const REPOSITORY = 'example-org/spark';
const WORKFLOWS = [
  'contract-chaos-tests',
  'headers-smoke',
  'database-drift-check',
  'test-workflow',
];

export type SparkOwn = {
  readonly grafana: FakeDashboards;
  readonly github: FakeGithub;
  readonly pool: FakePgBouncer;
  stop(): Promise<void>;
};

async function startOwn(): Promise<SparkOwn> {
  const [grafana, github, pool] = await Promise.all([
    startFakeDashboards(),
    startFakeGithub('', REPOSITORY),
    startFakePgBouncer(),
  ]);
  grafana.setDashboard({ panels: panels(10) });
  for (let at = 0; at < 10; at += 1) grafana.values.set(`metric_${at}`, [1, 2, 3]);
  github.setRuns(goodRuns());
  pool.setPools([
    { name: 'pgbouncer', size: 2, connections: 2 },
    { name: 'spark_trading', size: 20, connections: 12 },
  ]);
  const stop = async () => {
    await Promise.all([grafana.close(), github.close(), pool.stop()]);
  };
  return { grafana, github, pool, stop };
}

export function panels(count: number) {
  return Array.from({ length: count }, (_, at) => ({
    ...{ id: at, type: 'timeseries', title: `Panel ${at + 1}` },
    datasource: { type: 'prometheus', uid: 'prom' },
    targets: [{ refId: 'A', expr: `metric_${at}` }],
  }));
}

export function goodRuns(): readonly Run[] {
  const createdMs = Date.now() - 3 * HOUR_MS;
  return WORKFLOWS.map((name) => ({ file: `${name}.yml`, createdMs }));
}

export const CHECKLIST = 'docs/VALIDATION_SIGNOFF_CHECKLIST.md';
export const SUMMARY = 'FINAL_VALIDATION_RESILIENCE_SUMMARY.txt';

export function checklist({ cto = 'Ada King', box = 'x' } = {}): string {
  return [
    '# Validation sign-off',
    `Date: ${dayAgo(1)}`,
    '',
    `- [${box}] Contract tests`,
    '- [x] Chaos tests',
    '',
    'Sign-off:',
    '',
    '| Role | Name | Date |',
    '|---|---|---|',
    `| CTO | ${cto} | ${cto === '' ? '' : dayAgo(1)} |`,
    `| DevOps Lead | Grace Moore | ${dayAgo(1)} |`,
    `| Product Owner | Joan Clarke | ${dayAgo(1)} |`,
    '',
  ].join('\n');
}

export function summary({ status = 'APPROVED FOR PRODUCTION', days = 1 } = {}): string {
  return `Validation and resilience\nDate: ${dayAgo(days)}\nStatus: ${status}\n`;
}

const FILES: World['files'] = {
  [SUMMARY]: summary(),
  'VALIDATION_AND_RESILIENCE_PACKAGE.md': '# Validation and resilience\n',
  [CHECKLIST]: checklist(),
  'coverage/coverage-summary.json': istanbulSummary(962),
  'pacts/web-api.json': '{"consumer":{"name":"web"},"provider":{"name":"api"}}',
  'artifacts/junit/unit.xml': junit({ of: 'tests.unit.test_orders' }),
  'artifacts/junit/contract.xml': junit({ of: 'tests.contract.test_api' }),
  'artifacts/junit/chaos.xml': junit({ of: 'tests.chaos.test_toxiproxy' }),
  'artifacts/junit/execution.xml': junit({ of: 'tests.execution.test_orders' }),
  'artifacts/junit/risk.xml': junit({ of: 'tests.risk.test_limits' }),
  'artifacts/junit/idempotency.xml': junit({ of: 'tests.idempotency.test_keys' }),
  'scripts/runbook-db-restore.md': '# Restore the database\n\n1. Stop the writers.\n',
  'scripts/rollback.sh': '#!/bin/sh\nkubectl rollout undo deployment/api\n',
  '.github/ONCALL_SCHEDULE.md': '# On call\n\n- first: Ada King\n- second: Grace Moore\n',
};

export type WebHeaders = Readonly<Record<string, string | null>>;

/** The headers of the page, with a nonce that is another one each time. */
export function webHeaders(change: WebHeaders = {}) {
  return (): Readonly<Record<string, string>> => {
    const nonce = randomBytes(16).toString('base64');
    const all: WebHeaders = {
      'content-security-policy': `default-src 'self'; script-src 'nonce-${nonce}'`,
      'cross-origin-embedder-policy': 'require-corp',
      'cross-origin-opener-policy': 'same-origin',
      'strict-transport-security': 'max-age=15552000; includeSubDomains',
      ...change,
    };
    const there = Object.entries(all).flatMap(([name, text]) =>
      text === null ? [] : [[name, text] as const],
    );
    return Object.fromEntries(there);
  };
}

const FLAGS = ['FEATURE_OUTBOX', 'FEATURE_BIST', 'FEATURE_PAPER_TRADING', 'FEATURE_EXECUTION'];

export function features(fixed?: string) {
  return Object.fromEntries(
    FLAGS.map((flag) => [flag, { enabled: true, toggleable: flag !== fixed }]),
  );
}

const ALERTS = ['HighErrorRate', 'SlowRequests', 'PoolFull', 'StaleSocket', 'BackupFailed'];

const TELEMETRY: Telemetry = {
  hours: 25,
  series: {
    http_request_duration_seconds: {
      perSecond: 50,
      buckets: { '0.05': 0.7, '0.1': 0.9, '0.15': 0.98, '0.3': 1 },
    },
    'http_requests_total{status="200"}': { perSecond: 50 },
    'http_requests_total{status="500"}': { perSecond: 0.1 },
    database_connections: { value: 40 },
    database_connections_max: { value: 100 },
    websocket_staleness_seconds: { value: 2 },
    // One core at 85 %, the machine at 50 %.
    'node_cpu_seconds_total{cpu="0",mode="idle"}': { perSecond: 0.15 },
    'node_cpu_seconds_total{cpu="1",mode="idle"}': { perSecond: 0.85 },
    node_memory_MemAvailable_bytes: { value: 8e9 },
    node_memory_MemTotal_bytes: { value: 16e9 },
    'pg_database_size_bytes{datname="spark_trading"}': { value: 1.02e9, before: 1e9 },
  },
  rules: Object.fromEntries([
    ...ALERTS.map((name) => [`spark/${name}`, { expr: 'websocket_staleness_seconds > 60' }]),
    // Always fires: that something arrives is its message.
    ['spark/Watchdog', { expr: 'vector(1)' }],
  ]),
};

function worldAt({ host, postgres, own }: Places<SparkOwn>): World {
  const { grafana, github, pool } = own;
  return {
    files: FILES,
    programs: {},
    env: {
      GITHUB_TOKEN: github.token,
      GRAFANA_TOKEN: grafana.token,
      PGBOUNCER_PASSWORD: pool.password,
      DATABASE_URL: gateUrl(postgres),
    },
    sites: {
      web: {
        'GET /': { body: '<!doctype html>', headers: webHeaders() },
        'POST /api/csp-report': { status: 204 },
      },
      api: { 'GET /api/features/status': { body: features() } },
    },
    telemetry: { spark: TELEMETRY },
    gate: [
      // A busy machine may take longer; the turn of this line puts it back.
      ['within: 100ms', 'within: 2s'],
      ['localhost:3003', host('web')],
      ['localhost:4001', host('api')],
      ['http://localhost:3001', grafana.url],
      ['localhost:6432', `127.0.0.1:${pool.port}`],
      [`repository: ${REPOSITORY}`, `repository: ${REPOSITORY}\n            api: ${github.url}`],
    ],
  };
}

export const SPARK: Setup<SparkOwn> = {
  gate: 'spark',
  version: 'v1.4.0',
  sites: ['web', 'api'],
  // What archives is set later: what stands on the command line could not be changed.
  postgres: { archive_mode: 'on' },
  own: startOwn,
  world: worldAt,
};

/** A role that may read the tables and what others run, and nothing else. */
const GATE_ROLE = 'canary_gate';
const GATE_PASSWORD = 'gate-1815';

function gateUrl(postgres: PostgresServer): string {
  const url = new URL(postgres.url);
  url.username = GATE_ROLE;
  url.password = GATE_PASSWORD;
  return url.href;
}

/** What the tables and views of Spark's database hold. */
export async function fillDatabase(postgres: PostgresServer): Promise<void> {
  await postgres.query(`
    CREATE ROLE ${GATE_ROLE} LOGIN PASSWORD '${GATE_PASSWORD}';
    GRANT pg_read_all_stats TO ${GATE_ROLE};
    CREATE TABLE backup_status (name text, last_backup timestamptz, last_pitr_test timestamptz);
    INSERT INTO backup_status
      VALUES ('spark_trading', now() - interval '3 hours', now() - interval '2 days');
    CREATE TABLE backup_alerts (severity text, message text);
    INSERT INTO backup_alerts VALUES ('INFO', 'the backup has finished');
    CREATE FUNCTION check_backup_alerts() RETURNS SETOF backup_alerts
      LANGUAGE sql AS 'SELECT * FROM backup_alerts';
    -- Nobody waits for a query to run for minutes: one that began then is written down.
    CREATE TABLE old_queries
      (pid int, state text, backend_type text, query_start timestamptz);
    INSERT INTO old_queries
      VALUES (4711, 'active', 'client backend', now() - interval '1 minute');
    CREATE VIEW public.pg_stat_activity AS
      SELECT pid, state, backend_type, query_start FROM pg_catalog.pg_stat_activity
      UNION ALL SELECT * FROM old_queries;
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${GATE_ROLE};
    ALTER DATABASE postgres SET search_path = public, pg_catalog;`);
  await archiveBy(postgres, 'true');
}

/** By a program that works (`true`) or not (`false`): until it has shown. */
export async function archiveBy(postgres: PostgresServer, program: 'true' | 'false') {
  await postgres.query(`ALTER SYSTEM SET archive_command = '${program}'`);
  await postgres.query('SELECT pg_reload_conf()');
  await postgres.query('CREATE TABLE IF NOT EXISTS written (at timestamptz)');
  await postgres.query('INSERT INTO written VALUES (now())');
  await postgres.query('SELECT pg_switch_wal()');
  const isFine = program === 'true';
  const late = isFine ? 'last_archived_time' : 'last_failed_time';
  const early = isFine ? 'last_failed_time' : 'last_archived_time';
  const holds = `${late} > coalesce(${early}, '-infinity')`;
  for (let tries = 0; tries < 400; tries += 1) {
    const [row] = await postgres.query(`SELECT ${holds} AS shown FROM pg_stat_archiver`);
    if (row?.['shown'] === true) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the archiver did not show ${program}`);
}
