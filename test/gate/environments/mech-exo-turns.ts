// For each line of Mech-Exo's go-live checklist, and each check of it: one change, what it turns and
// what is decided then. What is blocking is NO-GO; what is not is told, and stays GO.
import { cobertura, gitleaks, junit, pipAudit, trivy } from '../../support/tool-reports.ts';
import type { Turn } from './gate-suite.ts';
import {
  ALERTS,
  AUDIT,
  audited,
  CONNECTIONS,
  contacts,
  DISKS,
  DRILL,
  drill,
  LOAD,
  load,
  type MechExoOwn,
  notify,
  PERF,
  perf,
  REPLICATION,
  shipped,
  TRADER,
  VALIDATE,
} from './mech-exo.ts';
import { systemctl } from './programs.ts';
import { jsonLines } from './reports.ts';
import type { Series } from './telemetry.ts';
import { turnWords } from './turn-words.ts';

type MechExoTurn = Turn<MechExoOwn>;
type Turns = MechExoTurn['turns'];

const { turn, unknown, file, program, variable, site } = turnWords<MechExoOwn>();

const series = (name: string, all: Readonly<Record<string, Series>>, turns: Turns) =>
  turn(name, { telemetry: { mech_exo: { series: all } } }, turns);

const ACCESS: readonly MechExoTurn[] = [
  program(
    'an API refuses the new credentials',
    'python',
    { args: CONNECTIONS, err: 'Alpha Vantage: 403', exit: 1 },
    { api_connections: 'command: exit code 1, 0 wanted: Alpha Vantage: 403' },
  ),
  turn(
    'nothing listens where the IB gateway should be',
    // The only address there: the second check looks at it.
    { gate: [['tcp: { addresses: [', 'tcp: { addresses: ["127.0.0.1:1", ']] },
    { api_connections: 'tcp: 127.0.0.1:1: connection refused' },
  ),
  {
    name: 'an account of tests is left',
    alter: async ({ postgres }) => {
      await postgres.query("INSERT INTO users VALUES ('test_admin')");
      return async () => void (await postgres.query("DELETE FROM users WHERE name ~ '^test'"));
    },
    turns: { test_accounts: '1 row, none wanted: name test_admin' },
    decision: 'no_go',
  },
  site(
    'the dashboard asks nobody who it is',
    'dashboard',
    { 'GET /': { body: '<html>' } },
    {
      dashboard_auth: 'status 200, status 401 or 403 wanted',
    },
  ),
  program(
    'the configuration is not valid',
    'python',
    { args: VALIDATE, err: 'risk.max_loss is missing', exit: 2 },
    { environment_config: 'exit code 2, 0 wanted: risk.max_loss is missing' },
  ),
  file('a key stands in the repository', 'artifacts/gitleaks.sarif', gitleaks(['src/broker.py']), {
    no_hardcoded: '1 in total, at most 0 wanted',
  }),
  variable(
    'a variable of production is not set',
    { IB_GATEWAY_HOST: null },
    {
      environment_variables: 'IB_GATEWAY_HOST is not set',
    },
  ),
];

const BACKUPS: readonly MechExoTurn[] = [
  program(
    'the timer of the backups is disabled',
    'systemctl',
    systemctl(['mech-exo-backup.timer'], { 'mech-exo-backup.timer': 'active disabled' }),
    { daily_backups: 'systemd: mech-exo-backup.timer is disabled' },
  ),
  file(
    'the newest backup is 25 hours old',
    'backups/mech-exo/1.dump',
    { body: 'PGDMP', ageHours: 25 },
    { daily_backups: 'file: backups/mech-exo/1.dump is 1d1h old, at most 1d wanted' },
  ),
  file('the newest backup is empty', 'backups/mech-exo/1.dump', '', {
    daily_backups: 'file: backups/mech-exo/1.dump is empty',
  }),
  file('backups are kept for 14 days', 'etc/mech-exo/backup.yaml', 'retention_days: 14\n', {
    retention: 'does not match ^[ \\t]*retention_days:',
  }),
  file('only a comment speaks of 30 days', 'etc/mech-exo/backup.yaml', '# retention_days: 30\n', {
    retention: 'does not match ^[ \\t]*retention_days:',
  }),
  program(
    'replication is switched off',
    'aws',
    { args: REPLICATION, out: '{ "Rules": [ { "Status": "Disabled" } ] }' },
    { cross_region: 'the output does not match "Status": "Enabled"' },
  ),
  file(
    'the last restore was tested 31 days ago',
    'artifacts/restore/restore-test-1.json',
    { body: '{}', ageHours: 31 * 24 },
    { restore_tested: 'is 31d old, at most 30d wanted' },
  ),
  program(
    'the disk of the database is not encrypted',
    'lsblk',
    { args: DISKS, out: 'disk\npart  /\npart  /var/lib/postgresql\n' },
    { encryption_at_rest: 'the output does not match crypt' },
  ),
];

const RECOVERY: readonly MechExoTurn[] = [
  file('the drill took 2 hours', DRILL, drill({ rto_seconds: 7_200 }), {
    rto: 'rto 7,200 s, below 2h wanted',
  }),
  file('15 minutes of data were lost in the drill', DRILL, drill({ rpo_seconds: 900 }), {
    rpo: 'rpo 900 s, below 15m wanted',
  }),
  file(
    'the pipeline was back after 31 minutes',
    DRILL,
    drill({ pipeline_recovery_seconds: 1_860 }),
    { pipeline_recovery: 'pipeline 1,860 s, below 30m wanted' },
  ),
  unknown(
    file('there was no drill, of which three lines speak', DRILL, null, {
      rto: `${DRILL} is missing`,
      rpo: `${DRILL} is missing`,
      pipeline_recovery: `${DRILL} is missing`,
    }),
  ),
  file('there is no DR runbook', 'docs/DR_RUNBOOK.md', null, {
    dr_runbook: 'docs/DR_RUNBOOK.md is missing',
  }),
];

const MONITORING: readonly MechExoTurn[] = [
  ...Object.entries(ALERTS).map(([name, id]) =>
    turn(
      `the alert ${name} is missing`,
      { telemetry: { mech_exo: { rules: { [`mech-exo/${name}`]: null } } } },
      { [id]: `the alert ${name} is missing` },
    ),
  ),
  site(
    'order_latency_seconds is not measured',
    'api',
    { 'GET /metrics': { body: 'http_request_duration_seconds_count 5\n' } },
    { apm: 'order_latency_seconds is missing' },
  ),
  series(
    'a way of the network is down',
    { 'probe_success{job="network",target="data"}': { value: 0 } },
    { network_monitoring: '0 %, at least 100% wanted' },
  ),
  program(
    'Telegram refuses the message',
    'canaryd',
    { args: notify('phone'), out: '✗ phone: misconfigured', exit: 1 },
    { telegram_tested: 'exit code 1, 0 wanted' },
  ),
  program(
    'the mail server refuses the mail',
    'canaryd',
    { args: notify('mail'), out: '✗ mail: misconfigured', exit: 1 },
    { email_tested: 'exit code 1, 0 wanted' },
  ),
  file(
    'the quiet hours begin at 21:00',
    'config/mech-exo.yaml',
    shipped('mech-exo.yaml').replace('from: "22:00"', 'from: "21:00"'),
    { quiet_hours: 'config/mech-exo.yaml does not match ^[^#\\n]*quiet_hours' },
  ),
  site(
    'Prometheus is not ready',
    'prometheus',
    { 'GET /-/ready': { status: 503 } },
    {
      monitoring_ready: 'http: ',
    },
  ),
];

const PERFORMANCE: readonly MechExoTurn[] = [
  file('orders take 500 ms', PERF, perf(500), { order_latency: 'p95 500 ms, below 500ms wanted' }),
  file('the benchmark is 8 days old', PERF, perf(320, 8 * 24), {
    order_latency: `${PERF} is 8d old, at most 7d wanted`,
  }),
  site(
    'the dashboard answers after 2.1 s',
    'dashboard',
    { 'GET /login': { afterMs: 2_050 } },
    {
      dashboard_time: 'within 2s wanted',
    },
  ),
  {
    name: 'a query takes 180 ms each time',
    alter: async ({ postgres }) => {
      const slow = "('SELECT sum(pnl) FROM fills', 900, 180)";
      await postgres.query(`INSERT INTO pg_stat_statements VALUES ${slow}`);
      return async () => {
        await postgres.query('DELETE FROM pg_stat_statements WHERE calls = 900');
      };
    },
    turns: { query_performance: '1 row, none wanted: query SELECT sum(pnl) FROM fills' },
    decision: 'no_go',
  },
  file('memory grows by 12 % under load', LOAD, load({ growth: 0.12 }), {
    memory_stable: 'memory_growth 12 %, below 10% wanted',
  }),
  series(
    '6 trades in a row failed',
    { mech_exo_max_consecutive_failed_trades: { value: 6 } },
    { failed_trades: '6, at most 5 wanted' },
  ),
];

const CONFIGURATION: readonly MechExoTurn[] = [
  variable(
    'it would trade on paper',
    { TRADING_MODE: 'paper' },
    {
      trading_mode: 'TRADING_MODE has another value, "production" wanted',
    },
  ),
  file('there are no rate limits', 'config/production.yaml', 'broker: {}\n', {
    rate_limits: 'does not match ^[^#\\n]*\\brate_limit',
  }),
  variable(
    '10 % go to the canary',
    { CANARY_ALLOCATION: '0.10' },
    {
      canary_allocation: 'CANARY_ALLOCATION has another value, "0.05" wanted',
    },
  ),
  variable(
    'the ML weight begins at 0.30',
    { ML_WEIGHT: '0.30' },
    {
      ml_weight: 'ML_WEIGHT has another value, "0.15" wanted',
    },
  ),
  file('a line of the audit trail is torn', AUDIT, `${jsonLines(audited)}{"id": 4, "pri\n`, {
    audit_trail: '1 line is not valid (1 no JSON)',
  }),
];

const SUITES = ['stress', 'circuit_breakers', 'unit', 'integration', 'simulation', 'rollback'];
const LINE_OF: Readonly<Record<string, string>> = {
  ...{ stress: 'stress_test', circuit_breakers: 'circuit_breakers', unit: 'unit_tests' },
  ...{ integration: 'integration_tests', simulation: 'simulation', rollback: 'rollback_tests' },
};

const TESTS: readonly MechExoTurn[] = [
  ...SUITES.map((name) =>
    file(
      `a test of ${name} failed`,
      `artifacts/junit/${name}.xml`,
      junit({ failed: 1, of: `tests.${name}.test_all` }),
      { [LINE_OF[name] ?? '']: '1 of 13 tests failed, at most 0 wanted' },
    ),
  ),
  file('coverage is 95 %', 'artifacts/coverage.xml', cobertura(950), {
    unit_tests: 'coverage: lines 95 % (950 of 1000), above 95% wanted',
  }),
  file('a dependency is vulnerable', 'artifacts/pip-audit.json', pipAudit(['PYSEC-2026-7']), {
    dependency_scan: '1 in total, at most 0 wanted',
  }),
  file(
    'the infrastructure has a finding that is high',
    'artifacts/trivy-config.json',
    trivy(['HIGH'], 'Misconfigurations'),
    { infrastructure_scan: '1 high or worse' },
  ),
];

const DAY_BEFORE: readonly MechExoTurn[] = [
  program(
    'a server of production does not run',
    'systemctl',
    systemctl(TRADER, { 'mech-exo-trader.service': 'failed enabled' }),
    { servers: 'mech-exo-trader.service is failed (dead)' },
  ),
  program(
    'the schema of the database is behind',
    'alembic',
    { args: 'check', err: 'New upgrade operations detected', exit: 255 },
    { schemas: 'exit code 255, 0 wanted: New upgrade operations detected' },
  ),
  file('a contact is not filled in', 'docs/CONTACTS.md', contacts(['Compliance']), {
    contacts: 'docs/CONTACTS.md contains "[Name, Phone]"',
  }),
  file('the release notes are those of before', 'CHANGELOG.md', '# v0.4.9\n', {
    release_notes: 'CHANGELOG.md does not match ',
  }),
  file('the release notes are those of a candidate', 'CHANGELOG.md', '# v0.5.0-rc1\n', {
    release_notes: 'v0\\.5\\.0',
  }),
  file('the rollback plan has a gap', 'docs/ROLLBACK.md', '# Roll back\n\nTBD\n', {
    rollback_documented: 'docs/ROLLBACK.md contains "TBD"',
  }),
];

/** Told, and GO all the same. */
const NON_BLOCKING: readonly MechExoTurn[] = [
  {
    name: 'a panel of the dashboard shows nothing, which does not block',
    alter: async ({ own }) => {
      own.grafana.values.set('pnl', []);
      return async () => void own.grafana.values.set('pnl', [10, 12]);
    },
    turns: { dashboards: 'panel "pnl" has no data' },
    decision: 'go',
  },
  {
    ...file(
      'the load test had 8 times the volume, which does not block',
      LOAD,
      load({ factor: 8 }),
      {
        load_test: 'volume 8, at least 10 wanted',
      },
    ),
    decision: 'go',
  },
];

const NOBODY = 'postgres://postgres:secret@127.0.0.1:1/postgres?sslmode=disable';

/** What cannot be looked at is not met, and says why. */
const UNKNOWN: readonly MechExoTurn[] = [
  unknown(
    turn(
      'Prometheus cannot be reached',
      { telemetry: { mech_exo: 'down' } },
      {
        ...Object.fromEntries(Object.values(ALERTS).map((id) => [id, '127.0.0.1:1: '])),
        network_monitoring: 'unreachable',
        failed_trades: 'unreachable',
      },
    ),
  ),
  unknown(
    variable(
      'PostgreSQL cannot be reached',
      { DATABASE_URL: NOBODY },
      {
        test_accounts: '127.0.0.1:1/postgres: connection refused',
        query_performance: '127.0.0.1:1/postgres: connection refused',
      },
    ),
  ),
  unknown({
    name: 'Grafana cannot be reached, of which a blocking line speaks, too',
    alter: async ({ own }) => {
      own.grafana.down();
      return async () => own.grafana.up();
    },
    turns: { monitoring_ready: 'http_2: ', dashboards: 'ECONNRESET' },
    decision: 'no_go',
  }),
  unknown(
    turn(
      'the check of the connections hangs',
      {
        programs: { python: [{ args: CONNECTIONS, seconds: 60 }] },
        gate: [['--all], timeout: 2m }', '--all], timeout: 200ms }']],
      },
      { api_connections: 'python: not finished within 200ms, ended with all its children' },
    ),
  ),
  unknown(
    turn(
      'there is no systemd',
      { programs: { systemctl: [{ ...systemctl(TRADER), out: '', exit: 1 }] } },
      { servers: 'systemctl: exit code 1' },
    ),
  ),
  unknown(
    file('the report of pip-audit is missing', 'artifacts/pip-audit.json', null, {
      dependency_scan: 'artifacts/pip-audit.json is missing',
    }),
  ),
];

export const MECH_EXO_TURNS: readonly MechExoTurn[] = [
  ...[ACCESS, BACKUPS, RECOVERY, MONITORING, PERFORMANCE, CONFIGURATION, TESTS].flat(),
  ...[DAY_BEFORE, NON_BLOCKING, UNKNOWN].flat(),
];
