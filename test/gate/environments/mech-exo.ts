// Mech-Exo as its go-live checklist wants it. The dashboards, the API and the IB gateway are real
// servers; PostgreSQL and Prometheus are what they are; so is canaryd's own config for it.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type FakeDashboards, startFakeDashboards } from '../../support/fake-dashboards.ts';
import type { PostgresServer } from '../../support/postgres.ts';
import {
  cobertura,
  gitleaks,
  junit,
  pipAudit,
  timeAgo,
  trivy,
} from '../../support/tool-reports.ts';
import type { Places, Setup } from './environment.ts';
import { systemctl } from './programs.ts';
import { jsonLines } from './reports.ts';
import type { Telemetry } from './telemetry.ts';
import type { World } from './world.ts';

export const VERSION = 'v0.5.0';
const CONFIG = fileURLToPath(new URL('../../../config/', import.meta.url));

/** A file of `config/`, as it is shipped. */
export const shipped = (path: string): string => readFileSync(`${CONFIG}${path}`, 'utf8');

export type MechExoOwn = { readonly grafana: FakeDashboards; stop(): Promise<void> };

async function startOwn(): Promise<MechExoOwn> {
  const grafana = await startFakeDashboards('mech-exo-production');
  grafana.setDashboard({
    panels: ['fills', 'pnl'].map((expr, id) => ({
      ...{ id, type: 'timeseries', title: expr, targets: [{ refId: 'A', expr }] },
      datasource: { type: 'prometheus', uid: 'prom' },
    })),
  });
  grafana.values.set('fills', [1, 2]).set('pnl', [10, 12]);
  return { grafana, stop: () => grafana.close() };
}

export const DRILL = 'artifacts/dr_drill.json';
export const LOAD = 'artifacts/load_test.json';
export const PERF = 'artifacts/perf.json';

export function drill(change: Readonly<Record<string, number>> = {}): string {
  const figures = { rto_seconds: 5_400, rpo_seconds: 600, pipeline_recovery_seconds: 900 };
  return JSON.stringify({ timestamp: timeAgo(48), ...figures, ...change });
}

export function load({ growth = 0.03, factor = 10, errors = 0.002 } = {}): string {
  const memory = { growth_ratio: growth };
  return JSON.stringify({
    ...{ timestamp: timeAgo(20), memory, volume_factor: factor, error_ratio: errors },
  });
}

export function perf(p95 = 320, ageHours = 20): string {
  return JSON.stringify({ timestamp: timeAgo(ageHours), order_latency: { p95_ms: p95 } });
}

export const AUDIT = 'logs/audit.jsonl';
export const audited = [1, 2, 3].map((id) => ({
  ...{ timestamp: timeAgo(0), event: 'order', id, price: 101.5 },
}));

const CONTACTS = ['Release Manager', 'Technical Lead', 'Infrastructure', 'Compliance'];

export function contacts(filled: readonly string[] = CONTACTS): string {
  const rows = CONTACTS.map((role) => {
    const who = filled.includes(role) ? 'Ada King, +1 212 555 0100' : '[Name, Phone]';
    return `| **${role}** | ${who} | Grace Moore, +1 212 555 0101 |\n`;
  });
  return `| Role | Primary Contact | Secondary Contact |\n|---|---|---|\n${rows.join('')}`;
}

const suite = (name: string) => junit({ of: `tests.${name}.test_all` });

const FILES: World['files'] = {
  'artifacts/gitleaks.sarif': gitleaks(),
  'artifacts/restore/restore-test-1.json': { body: '{"complete":true}', ageHours: 240 },
  [DRILL]: drill(),
  [LOAD]: load(),
  [PERF]: perf(),
  'artifacts/junit/stress.xml': suite('stress'),
  'artifacts/junit/circuit_breakers.xml': suite('circuit_breakers'),
  'artifacts/junit/unit.xml': suite('unit'),
  'artifacts/junit/integration.xml': suite('integration'),
  'artifacts/junit/simulation.xml': suite('simulation'),
  'artifacts/junit/rollback.xml': suite('rollback'),
  'artifacts/coverage.xml': cobertura(963),
  'artifacts/pip-audit.json': pipAudit(),
  'artifacts/trivy-config.json': trivy(['MEDIUM'], 'Misconfigurations'),
  'backups/mech-exo/1.dump': { body: 'PGDMP', ageHours: 5 },
  'backups/mech-exo/0.dump': { body: 'PGDMP', ageHours: 29 },
  'etc/mech-exo/backup.yaml': 'schedule: daily\nretention_days: 30\n',
  'docs/DR_RUNBOOK.md': '# Disaster recovery\n',
  'docs/CONTACTS.md': contacts(),
  'docs/ROLLBACK.md': '# Roll back\n\n1. Stop trading.\n',
  'CHANGELOG.md': `# ${VERSION}\n\n- Going live\n`,
  'config/production.yaml': 'broker: { rate_limit: 50/s }\n',
  'config/mech-exo.yaml': shipped('mech-exo.yaml'),
  'config/policies/examples/mech-exo.yaml': shipped('policies/examples/mech-exo.yaml'),
  [AUDIT]: jsonLines(audited),
};

export const TRADER = ['mech-exo-api.service', 'mech-exo-trader.service'];
export const CONNECTIONS = 'scripts/check_connections.py --all';
export const VALIDATE = 'scripts/validate_config.py --env production';
export const REPLICATION = 's3api get-bucket-replication --bucket mech-exo-backups';
export const DISKS = '--noheadings --output TYPE,MOUNTPOINT';
export const notify = (channel: string) =>
  `notify test --channel ${channel} --config config/mech-exo.yaml`;

const PROGRAMS: World['programs'] = {
  python: [
    { args: CONNECTIONS, out: 'IB gateway: connected\nAlpha Vantage: connected\n' },
    { args: VALIDATE, out: 'production: valid\n' },
  ],
  aws: [{ args: REPLICATION, out: '{ "Rules": [ { "Status": "Enabled" } ] }' }],
  lsblk: [{ args: DISKS, out: 'disk\npart  /\ncrypt /var/lib/postgresql\n' }],
  alembic: [{ args: 'check', out: 'No new upgrade operations detected.\n' }],
  canaryd: ['phone', 'mail'].map((one) => ({ args: notify(one), out: `✓ ${one}: delivered` })),
  systemctl: [systemctl(['mech-exo-backup.timer']), systemctl(TRADER)],
};

export const ALERTS = {
  HighCpuUsage: 'resource_alerts',
  HighMemoryUsage: 'resource_alerts',
  HighDiskUsage: 'resource_alerts',
  FillLatencyHigh: 'fill_latency_alert',
  OrderRejectionHigh: 'rejection_alert',
  RiskLimitBreached: 'risk_alert',
  PnlVarianceHigh: 'pnl_alert',
  ModelPerformanceLow: 'model_alert',
};

const TELEMETRY: Telemetry = {
  series: {
    mech_exo_max_consecutive_failed_trades: { value: 2 },
    'probe_success{job="network",target="broker"}': { value: 1 },
    'probe_success{job="network",target="data"}': { value: 1 },
    'probe_success{job="website",target="www"}': { value: 0 },
  },
  rules: Object.fromEntries(
    Object.keys(ALERTS).map((name) => [
      `mech-exo/${name}`,
      { expr: 'mech_exo_max_consecutive_failed_trades > 50' },
    ]),
  ),
};

const METRICS = 'order_latency_seconds_count 3\nhttp_request_duration_seconds_count 5\n';

function worldAt({ host, postgres, own }: Places<MechExoOwn>): World {
  return {
    files: FILES,
    programs: PROGRAMS,
    env: {
      DATABASE_URL: postgres.url,
      GRAFANA_TOKEN: own.grafana.token,
      IB_GATEWAY_HOST: '127.0.0.1',
      TELEGRAM_BOT_TOKEN: '123456:AAsecretsecretsecretsecretsecretsec',
      SLACK_WEBHOOK_URL: 'https://hooks.slack.example/services/T0/B0/secret',
      SMTP_PASSWORD: 'smtp-secret',
      ALPHA_VANTAGE_KEY: 'demo-key',
      TRADING_MODE: 'production',
      CANARY_ENABLED: 'true',
      CANARY_ALLOCATION: '0.05',
      ML_WEIGHT: '0.15',
    },
    sites: {
      broker: {},
      api: { 'GET /metrics': { body: METRICS } },
      dashboard: { 'GET /': { status: 401 }, 'GET /login': { body: '<form>' } },
      prometheus: { 'GET /-/ready': { body: 'Prometheus Server is Ready.' } },
    },
    telemetry: { mech_exo: TELEMETRY },
    gate: [
      ['127.0.0.1:4001', host('broker')],
      ['127.0.0.1:8000', host('api')],
      ['127.0.0.1:8050', host('dashboard')],
      ['127.0.0.1:9090', host('prometheus')],
      ['http://127.0.0.1:3000', own.grafana.url],
      ['/var/backups/mech-exo/', 'backups/mech-exo/'],
      ['/etc/mech-exo/', 'etc/mech-exo/'],
    ],
  };
}

export const MECH_EXO: Setup<MechExoOwn> = {
  gate: 'mech-exo',
  version: VERSION,
  sites: ['broker', 'api', 'dashboard', 'prometheus'],
  postgres: true,
  own: startOwn,
  world: worldAt,
};

export async function fillDatabase(postgres: PostgresServer): Promise<void> {
  await postgres.query(`
    CREATE TABLE users (name text);
    INSERT INTO users VALUES ('ada'), ('grace'), ('latest');
    -- As the extension shows it; to fill it by waiting would take minutes.
    CREATE TABLE pg_stat_statements (query text, calls bigint, mean_exec_time float8);
    INSERT INTO pg_stat_statements VALUES
      ('SELECT * FROM orders WHERE id = $1', 5000, 1.2), ('VACUUM', 2, 5000);`);
}
