// Mech-Exo after the deploy as its checklist wants it: at once, after 24 hours and after 7 days; and
// for each line of it one change, what it turns and what is decided then.
import type { Setup } from './environment.ts';
import type { Turn } from './gate-suite.ts';
import { VALIDATE, VERSION } from './mech-exo.ts';
import { systemctl } from './programs.ts';
import type { Series, Telemetry } from './telemetry.ts';
import { turnWords } from './turn-words.ts';
import type { World } from './world.ts';

const { turn, unknown } = turnWords();
const series = (name: string, all: Readonly<Record<string, Series>>, turns: Turn['turns']) =>
  turn(name, { telemetry: { mech_exo: { series: all } } }, turns);

const SERVICES = ['api', 'trader', 'pipeline'].map((name) => `mech-exo-${name}.service`);
const SMOKE = 'scripts/smoke_trade.py --mode paper';
const SAMPLE = `scripts/sample_trades.py --version ${VERSION}`;
const MIGRATED = 'current --check-heads';

const DEPLOY: Setup = {
  gate: 'mech-exo-deploy',
  version: VERSION,
  sites: ['api', 'dashboard'],
  world: ({ host }): World => ({
    files: {},
    programs: {
      python: [
        { args: VALIDATE, out: 'production: valid\n' },
        { args: SMOKE, out: 'bought 1, sold 1\n' },
        { args: SAMPLE, out: '3 of 3 trades\n' },
      ],
      alembic: [{ args: MIGRATED, out: '4f1c2d (head)\n' }],
      systemctl: [systemctl(SERVICES)],
    },
    env: { DATABASE_URL: 'postgres://trader@127.0.0.1:5432/mech_exo' },
    sites: {
      api: { 'GET /version': { body: { version: VERSION } }, 'GET /health': {} },
      dashboard: { 'GET /health': {} },
    },
    telemetry: {
      mech_exo: {
        series: { open_orders: { value: 3 } },
        rules: {
          'mech-exo/TooManyOrders': { expr: 'open_orders > 100' },
          'mech-exo/Watchdog': { expr: 'vector(1)' },
        },
      },
    },
    gate: [
      ['127.0.0.1:8000', host('api')],
      ['127.0.0.1:8050', host('dashboard')],
      ['passing: 3', 'passing: 3, every: 10ms'],
    ],
  }),
};

const python = (args: string, err: string) => ({ programs: { python: [{ args, err, exit: 1 }] } });

const DEPLOY_TURNS: readonly Turn[] = [
  turn(
    'the version before still runs',
    { sites: { api: { 'GET /version': { body: { version: 'v0.4.9' } } } } },
    { code_deployed: 'version is "v0.4.9", "v0.5.0" wanted' },
  ),
  turn(
    'a migration is not applied',
    { programs: { alembic: [{ args: MIGRATED, err: 'not on current head', exit: 1 }] } },
    { migrations: 'exit code 1, 0 wanted: not on current head' },
  ),
  turn('the configuration is that of before', python(VALIDATE, 'ml.weight: unknown field'), {
    config_updated: 'exit code 1, 0 wanted: ml.weight: unknown field',
  }),
  turn(
    'the pipeline was not started again',
    {
      programs: {
        systemctl: [systemctl(SERVICES, { 'mech-exo-pipeline.service': 'inactive enabled' })],
      },
    },
    { services: 'mech-exo-pipeline.service is inactive (dead)' },
  ),
  turn(
    'the API is not healthy',
    { sites: { api: { 'GET /health': { status: 503 } } } },
    {
      health: 'http: ',
    },
  ),
  turn(
    'the dashboard is not healthy',
    { sites: { dashboard: { 'GET /health': { status: 500 } } } },
    { health: 'http_2: ' },
  ),
  turn('a trade on paper fails', python(SMOKE, 'order rejected'), {
    paper_mode: 'exit code 1, 0 wanted: order rejected',
  }),
  series(
    'an alert is firing',
    { open_orders: { value: 101 } },
    {
      monitoring_green: 'TooManyOrders is firing (1 alert)',
    },
  ),
  turn('a sample trade fails', python(SAMPLE, '2 of 3 trades'), {
    sample_trades: 'exit code 1, 0 wanted: 2 of 3 trades',
  }),
  unknown(
    turn(
      'Prometheus cannot be reached',
      { telemetry: { mech_exo: 'down' } },
      {
        monitoring_green: '127.0.0.1:1: connection refused',
      },
    ),
  ),
  unknown(
    turn(
      'the trade on paper hangs',
      {
        programs: { python: [{ args: SMOKE, seconds: 60 }] },
        gate: [['paper], timeout: 2m', 'paper], timeout: 200ms']],
      },
      { paper_mode: 'python: not finished within 200ms, ended with all its children' },
    ),
  ),
];

const FAST = { '0.1': 0.6, '0.25': 0.9, '0.4': 0.98, '1': 1 };
const SLOW = { '0.1': 0.5, '0.25': 0.8, '0.5': 0.92, '1': 1 };
/** A counter that counted once, so many hours ago. */
const once = (atHoursAgo: number) => (hoursAgo: number) => (hoursAgo > atHoursAgo ? 0 : 1);
/** It is only there since it counted, so many times at once. */
const born = (atHoursAgo: number, value: number) => (hoursAgo: number) =>
  hoursAgo > atHoursAgo ? null : value;
const startedAt = (hours: number) => ({ value: Date.now() / 1_000 - hours * 3_600 });

const ERRORS = 'mech_exo_log_messages_total{level="critical"}';
const WARNINGS = 'mech_exo_log_messages_total{level="warning"}';
const PROCESSES = [...SERVICES, 'mech-exo-backup.timer'];
const DATA = 'scripts/check_data.py --since 24h';
const RULES: Telemetry['rules'] = {
  'mech-exo/RiskLimitBreached': { expr: 'risk_use > 1' },
  // Whatever else fires is not a matter of risk.
  'mech-exo/SlowReports': { expr: 'vector(1)' },
};

const DAY: Setup = {
  gate: 'mech-exo-24h',
  version: VERSION,
  world: (): World => ({
    files: { 'reports/daily/2026-11-21.html': { body: '<html>', ageHours: 12 } },
    programs: {
      python: [{ args: DATA, out: '1,204 of 1,204 orders are complete\n' }],
      systemctl: [systemctl(PROCESSES)],
    },
    env: {},
    sites: {},
    telemetry: {
      mech_exo: {
        hours: 25,
        series: {
          'process_start_time_seconds{job="mech-exo-api"}': startedAt(25),
          'process_start_time_seconds{job="mech-exo-trader"}': startedAt(25),
          'process_start_time_seconds{job="node"}': startedAt(1),
          order_latency_seconds: { perSecond: 2, buckets: FAST },
          [ERRORS]: { value: 0 },
          [WARNINGS]: { perSecond: 0.01 },
          risk_use: { value: 0.6 },
        },
        rules: RULES ?? {},
      },
    },
    gate: [],
  }),
};

const DAY_TURNS: readonly Turn[] = [
  series(
    'the trader was restarted 23 hours ago',
    { 'process_start_time_seconds{job="mech-exo-trader"}': startedAt(23) },
    { stability: 'at least 24h wanted' },
  ),
  series(
    '8 % of the orders take more than 500 ms',
    { order_latency_seconds: { perSecond: 2, buckets: SLOW } },
    {
      performance: 'below 500ms wanted',
    },
  ),
  series(
    'there was a critical error 23 hours ago',
    { [ERRORS]: once(23) },
    {
      critical_errors: '1, at most 0 wanted',
    },
  ),
  series(
    'the counter of critical errors is born with two of them',
    { [ERRORS]: born(2, 2) },
    {
      critical_errors: '2, at most 0 wanted',
    },
  ),
  unknown(
    series(
      'errors were only counted for the last 2 hours',
      { [ERRORS]: born(2, 2), [WARNINGS]: born(2, 20) },
      {
        critical_errors: 'the source knows 2h',
      },
    ),
  ),
  turn(
    'the pipeline has failed',
    {
      programs: {
        systemctl: [systemctl(PROCESSES, { 'mech-exo-pipeline.service': 'failed enabled' })],
      },
    },
    { processes: 'mech-exo-pipeline.service is failed (dead)' },
  ),
  series(
    'a risk limit is breached',
    { risk_use: { value: 1.1 } },
    {
      risk_management: 'RiskLimitBreached is firing (1 alert)',
    },
  ),
  turn(
    'nobody would be told of a breach',
    { telemetry: { mech_exo: { rules: { 'mech-exo/RiskLimitBreached': null } } } },
    { risk_management: '0 alerting rules, at least 1 wanted' },
  ),
  turn(
    'the last report is 25 hours old',
    { files: { 'reports/daily/2026-11-21.html': { body: '<html>', ageHours: 25 } } },
    { reporting: 'is 1d1h old, at most 1d wanted' },
  ),
  turn('data are lost, which nothing waives', python(DATA, '3 orders have no fill'), {
    data_loss: 'holds: exit code 1, 0 wanted: 3 orders have no fill',
  }),
  unknown(
    turn(
      'Prometheus cannot be reached',
      { telemetry: { mech_exo: 'down' } },
      {
        stability: 'unreachable',
        performance: 'unreachable',
        critical_errors: 'unreachable',
        risk_management: '127.0.0.1:1: connection refused',
      },
    ),
  ),
  unknown(
    turn(
      'looking at the data hangs',
      {
        programs: { python: [{ args: DATA, seconds: 60 }] },
        gate: [['timeout: 10m', 'timeout: 200ms']],
      },
      { data_loss: 'python: not finished within 200ms, ended with all its children' },
    ),
  ),
];

const BREACHES = 'mech_exo_risk_limit_breaches_total{job="mech-exo-api"}';
/** Down for so many hours, three days ago. */
const upBut = (hours: number) => (hoursAgo: number) =>
  hoursAgo < 72 && hoursAgo >= 72 - hours ? 0 : 1;
const report = (day: number) => `reports/daily/day-${day}.html`;

const WEEK: Setup = {
  gate: 'mech-exo-7d',
  version: VERSION,
  world: (): World => ({
    files: Object.fromEntries(
      [1, 2, 3, 4, 5].map((day) => [report(day), { body: '<html>', ageHours: 24 * day }]),
    ),
    programs: {},
    env: {},
    sites: {},
    telemetry: {
      mech_exo: {
        hours: 169,
        series: {
          'up{job="mech-exo-api"}': { value: 1 },
          'up{job="mech-exo-trader"}': upBut(0.5),
          'up{job="node"}': { value: 0 },
          order_latency_seconds: { perSecond: 2, buckets: FAST },
          [BREACHES]: { value: 0 },
        },
      },
    },
    gate: [],
  }),
};

const WEEK_TURNS: readonly Turn[] = [
  unknown(
    series(
      'the services are only scraped since 20 hours',
      {
        'up{job="mech-exo-api"}': born(20, 1),
        'up{job="mech-exo-trader"}': born(20, 1),
      },
      { uptime: 'of the 7d, at least 80 % wanted' },
    ),
  ),
  series(
    'the trader was down for an hour, which is 99.4 %',
    { 'up{job="mech-exo-trader"}': upBut(1) },
    { uptime: '%, above 99.5% wanted' },
  ),
  series(
    '8 % of the orders take more than 500 ms',
    { order_latency_seconds: { perSecond: 2, buckets: SLOW } },
    {
      order_latency: 'below 500ms wanted',
    },
  ),
  series(
    'a risk limit was breached 160 hours ago',
    { [BREACHES]: once(160) },
    {
      risk_limits: '1, at most 0 wanted',
    },
  ),
  series(
    'the counter of breaches is born with three of them',
    { [BREACHES]: born(50, 3) },
    {
      risk_limits: '3, at most 0 wanted',
    },
  ),
  turn(
    'the last daily report is 5 days old',
    {
      files: Object.fromEntries(
        [1, 2, 3, 4, 5].map((day) => [report(day), { body: '<html>', ageHours: 24 * (4 + day) }]),
      ),
    },
    { daily_reporting: 'reports/daily/day-1.html is 5d old, at most 4d wanted' },
  ),
  turn(
    'five reports are there, and four of them are of last year',
    {
      files: Object.fromEntries(
        [2, 3, 4, 5].map((day) => [report(day), { body: '<html>', ageHours: 24 * (395 + day) }]),
      ),
    },
    { daily_reporting: 'is 400d old, at most 9d wanted' },
  ),
  turn(
    'there are 4 daily reports',
    { files: { [report(3)]: null } },
    {
      daily_reporting: '4 files, at least 5 wanted',
    },
  ),
  unknown(
    turn(
      'Prometheus cannot be reached',
      { telemetry: { mech_exo: 'down' } },
      {
        uptime: 'unreachable',
        order_latency: 'unreachable',
        risk_limits: 'unreachable',
      },
    ),
  ),
];

export const AFTER_DEPLOY = { setup: DEPLOY, turns: DEPLOY_TURNS };
export const AFTER_A_DAY = { setup: DAY, turns: DAY_TURNS };
export const AFTER_A_WEEK = { setup: WEEK, turns: WEEK_TURNS };
