// For each line of Spark's checklist, and each check of it: one change, what it turns and what is
// decided then. One section that is not met is a review, two are NO-GO.
import { dayAgo, istanbulSummary, junit } from '../../support/tool-reports.ts';
import type { Places } from './environment.ts';
import {
  CHECKLIST,
  checklist,
  features,
  goodRuns,
  panels,
  type SparkOwn,
  SUMMARY,
  summary,
  type WebHeaders,
  webHeaders,
} from './spark.ts';
import { DATABASE, ROLLBACK } from './spark-database.ts';
import { files, type SparkTurn, turn } from './spark-parts.ts';
import type { Series, TelemetryChange } from './telemetry.ts';
import type { Change } from './world.ts';

const HOUR_MS = 3_600_000;

const DOCUMENTS: readonly SparkTurn[] = [
  turn(
    '1. the summary does not say that it is approved for production',
    files({ [SUMMARY]: summary({ status: 'pending' }) }),
    { artifacts_exist: 'lacks "APPROVED FOR PRODUCTION"' },
  ),
  turn(
    '1. the package of validation is missing',
    files({ 'VALIDATION_AND_RESILIENCE_PACKAGE.md': null }),
    { artifacts_exist: 'VALIDATION_AND_RESILIENCE_PACKAGE.md is missing' },
  ),
  turn(
    '1. the sign-off checklist is missing, of which four lines speak',
    files({ [CHECKLIST]: null }),
    {
      artifacts_exist: `${CHECKLIST} is missing`,
      signoff_completed: `${CHECKLIST} is missing`,
      artifacts_date: `${CHECKLIST} is missing`,
      artifacts_approved: `${CHECKLIST} is missing`,
    },
  ),
  turn('1. a box of the sign-off is open', files({ [CHECKLIST]: checklist({ box: ' ' }) }), {
    signoff_completed: 'contains "[ ]"',
  }),
  turn('1. the summary is 9 days old', files({ [SUMMARY]: summary({ days: 9 }) }), {
    artifacts_date: `is dated ${dayAgo(9)}`,
  }),
  turn('1. the CTO has not approved', files({ [CHECKLIST]: checklist({ cto: '' }) }), {
    artifacts_approved: 'the approval of CTO is open',
  }),
];

const runs = (name: string, change: (at: Places<SparkOwn>) => void, turns: SparkTurn['turns']) => ({
  name,
  alter: async (at: Places<SparkOwn>) => {
    change(at);
    return async () => at.own.github.setRuns(goodRuns());
  },
  turns,
  decision: 'review' as const,
});

const WORKFLOWS: readonly (readonly [string, string])[] = [
  ['ci_contract_chaos', 'contract-chaos-tests.yml'],
  ['ci_headers', 'headers-smoke.yml'],
  ['ci_database_drift', 'database-drift-check.yml'],
  ['ci_tests', 'test-workflow.yml'],
];

const PIPELINE: readonly SparkTurn[] = [
  ...WORKFLOWS.flatMap(([id, file]): readonly SparkTurn[] => [
    runs(
      `2. the last run of ${file} failed, which is a failed run, too`,
      ({ own }) => {
        const createdMs = Date.now() - HOUR_MS;
        own.github.setRuns([...goodRuns(), { file, createdMs, conclusion: 'failure' }]);
      },
      { [id]: `${file} #5 ended with failure`, ci_all_done: `${file} #5 ended with failure` },
    ),
    runs(
      `2. the last success of ${file} is 25 hours old`,
      ({ own }) => {
        const createdMs = Date.now() - 25 * HOUR_MS;
        own.github.setRuns(
          goodRuns().map((one) => (one.file === file ? { file, createdMs } : one)),
        );
      },
      { [id]: `1d1h ago, within 24h wanted` },
    ),
  ]),
  runs(
    '2. another workflow is still running',
    ({ own }) => {
      const createdMs = Date.now() - HOUR_MS;
      own.github.setRuns([
        ...goodRuns(),
        { file: 'nightly.yml', createdMs, status: 'in_progress' },
      ]);
    },
    { ci_all_done: 'nightly.yml #5 is in progress' },
  ),
];

const TESTS: readonly SparkTurn[] = [
  turn(
    '3. 94.9 % of the lines are covered',
    files({ 'coverage/coverage-summary.json': istanbulSummary(949) }),
    { unit_coverage: 'lines 94.9 % (949 of 1000), at least 95% wanted' },
  ),
  turn(
    '3. the contract (Pact) is 25 hours old',
    files({ 'pacts/web-api.json': { body: '{}', ageHours: 25 } }),
    { contract_tests: 'pacts/web-api.json is 1d1h old' },
  ),
  turn(
    '3. the contract tests are 25 hours old',
    files({ 'artifacts/junit/contract.xml': junit({ ageHours: 25 }) }),
    {
      contract_tests: 'artifacts/junit/contract.xml is 1d1h old',
      tests_pass: 'artifacts/junit/contract.xml is 1d1h old',
    },
  ),
  turn(
    '3. the chaos tests are 25 hours old',
    files({ 'artifacts/junit/chaos.xml': junit({ ageHours: 25 }) }),
    {
      chaos_tests: 'artifacts/junit/chaos.xml is 1d1h old',
      tests_pass: 'artifacts/junit/chaos.xml is 1d1h old',
    },
  ),
  turn(
    '3. a test failed',
    files({ 'artifacts/junit/execution.xml': junit({ failed: 1, of: 'tests.execution.test_a' }) }),
    { tests_pass: '1 of 73 tests failed' },
  ),
  {
    ...turn(
      '3. nobody has run the unit tests, and other reports are there',
      files({ 'artifacts/junit/unit.xml': null }),
      { tests_pass: 'artifacts/junit/unit.xml is missing' },
    ),
    outcome: 'unknown',
  },
  turn(
    '3. the unit tests are 25 hours old',
    files({ 'artifacts/junit/unit.xml': junit({ ageHours: 25 }) }),
    { tests_pass: 'artifacts/junit/unit.xml is 1d1h old' },
  ),
  turn(
    '3. a test of risk was skipped',
    files({ 'artifacts/junit/risk.xml': junit({ skipped: 1, of: 'tests.risk.test_limits' }) }),
    { critical_not_skipped: '1 skipped test, at most 0 wanted' },
  ),
];

const page = (name: string, headers: WebHeaders, turns: SparkTurn['turns']): SparkTurn =>
  turn(name, { sites: { web: { 'GET /': { headers: webHeaders(headers) } } } }, turns);

const FIXED = "script-src 'nonce-AAAAAAAAAAAAAAAAAAAAAA=='";

const HEADERS: readonly SparkTurn[] = [
  page(
    '5. the page has no CSP',
    { 'content-security-policy': null },
    {
      csp: 'Content-Security-Policy is missing',
    },
  ),
  page(
    '5. the nonce of the CSP is always the same',
    { 'content-security-policy': FIXED },
    {
      csp: 'has the same nonce in two answers',
    },
  ),
  page(
    '5. COEP is unsafe-none',
    { 'cross-origin-embedder-policy': 'unsafe-none' },
    {
      coep: 'is "unsafe-none", "require-corp" wanted',
    },
  ),
  page(
    '5. COOP lets popups in',
    { 'cross-origin-opener-policy': 'same-origin-allow-popups' },
    {
      coop: 'is "same-origin-allow-popups", "same-origin" wanted',
    },
  ),
  page(
    '5. HSTS lasts a second too short',
    { 'strict-transport-security': 'max-age=15551999' },
    {
      hsts: 'max-age of 15551999 s, at least 15552000 s',
    },
  ),
  turn(
    '5. reports of violations are answered 200',
    { sites: { web: { 'POST /api/csp-report': { status: 200 } } } },
    { csp_report: 'status 200, status 204 wanted' },
  ),
];

const flags = (body: unknown, afterMs = 0): Change => ({
  sites: { api: { 'GET /api/features/status': { body, afterMs } } },
});

const FLAGS: readonly (readonly [string, string])[] = [
  ['feature_outbox', 'FEATURE_OUTBOX'],
  ['feature_bist', 'FEATURE_BIST'],
  ['feature_paper_trading', 'FEATURE_PAPER_TRADING'],
  ['feature_execution', 'FEATURE_EXECUTION'],
];

const FEATURES: readonly SparkTurn[] = [
  ...FLAGS.map(([id, flag]) =>
    turn(`6. ${flag} cannot be switched`, flags(features(flag)), {
      [id]: `${flag}.toggleable is "false", "true" wanted`,
    }),
  ),
  turn(
    '6. the flags answer after 150 ms',
    {
      ...flags(features(), 150),
      gate: [['api/features/status", within: 2s', 'api/features/status", within: 100ms']],
    },
    { feature_latency: 'within 100ms wanted' },
  ),
];

const measured = (
  name: string,
  spark: TelemetryChange | 'down',
  turns: SparkTurn['turns'],
): SparkTurn => turn(name, { telemetry: { spark } }, turns);

const series = (name: string, all: Readonly<Record<string, Series>>, turns: SparkTurn['turns']) =>
  measured(name, { series: all }, turns);

const MONITORING: readonly SparkTurn[] = [
  {
    name: '8. the dashboard is not there, and shows no panels then',
    alter: async ({ own }) => {
      own.grafana.removeDashboard();
      return async () => own.grafana.setDashboard({ panels: panels(10) });
    },
    turns: {
      dashboard: 'there is no dashboard risk-idempotency-pitr',
      panels: 'there is no dashboard risk-idempotency-pitr',
    },
    decision: 'review',
  },
  {
    name: '8. the dashboard has 9 panels',
    alter: async ({ own }) => {
      own.grafana.setDashboard({ panels: panels(9) });
      return async () => own.grafana.setDashboard({ panels: panels(10) });
    },
    turns: { panels: '9 panels, at least 10 wanted' },
    decision: 'review',
  },
  {
    name: '8. the tenth panel is a text, which shows no data',
    alter: async ({ own }) => {
      const text = { id: 10, type: 'text', title: 'Panel 10', options: { content: '# Read me' } };
      own.grafana.setDashboard({ panels: [...panels(9), text] });
      return async () => own.grafana.setDashboard({ panels: panels(10) });
    },
    turns: { panels: '9 panels, at least 10 wanted' },
    decision: 'review',
  },
  {
    name: '8. a panel shows no data',
    alter: async ({ own }) => {
      own.grafana.values.set('metric_6', []);
      return async () => void own.grafana.values.set('metric_6', [1, 2, 3]);
    },
    turns: { panels: 'panel "Panel 7" has no data in the last 1h' },
    decision: 'review',
  },
  measured(
    '8. there are 4 alert rules',
    { rules: { 'spark/PoolFull': null, 'spark/StaleSocket': null } },
    { alert_rules: '4 alerting rules, at least 5 wanted' },
  ),
  measured(
    '8. an alert is firing',
    { rules: { 'spark/PoolFull': { expr: 'database_connections > 30' } } },
    { no_firing_alerts: 'PoolFull is firing (1 alert)' },
  ),
];

const SLOW = { '0.05': 0.5, '0.1': 0.8, '0.2': 0.93, '0.4': 1 };

const BASELINE: readonly SparkTurn[] = [
  series(
    '7. the database grows by 10.5 % a day',
    { 'pg_database_size_bytes{datname="spark_trading"}': { value: 1.105e9, before: 1e9 } },
    { database_growth: 'below 10% wanted' },
  ),
  series(
    '9. 5 % of the requests take more than 200 ms',
    { http_request_duration_seconds: { perSecond: 50, buckets: SLOW } },
    { api_latency: 'below 200ms wanted' },
  ),
  series(
    '9. 2 % of the requests fail',
    { 'http_requests_total{status="500"}': { perSecond: 1 } },
    {
      error_rate: 'below 1% wanted',
    },
  ),
  series(
    '9. 80 of 100 database connections are taken',
    { database_connections: { value: 80 } },
    {
      database_connections: '80 %, below 80% wanted',
    },
  ),
  series(
    '9. WebSocket data is 12 s old',
    { websocket_staleness_seconds: { value: 12 } },
    {
      websocket_staleness: '12 s, below 10s wanted',
    },
  ),
  series(
    '9. the CPU is at 75 %',
    { 'node_cpu_seconds_total{cpu="1",mode="idle"}': { perSecond: 0.35 } },
    { cpu_memory: 'indicator: ' },
  ),
  series(
    '9. memory is at 75 %',
    { node_memory_MemAvailable_bytes: { value: 4e9 } },
    {
      cpu_memory: 'indicator_2: ',
    },
  ),
];

const ROSTER: readonly SparkTurn[] = [
  turn('10. there is no on-call schedule', files({ '.github/ONCALL_SCHEDULE.md': null }), {
    oncall: '.github/ONCALL_SCHEDULE.md is missing',
  }),
];

const NOBODY = 'postgres://postgres:secret@127.0.0.1:1/postgres?sslmode=disable';

/** What cannot be looked at is not met, and says why. */
const UNKNOWN: readonly SparkTurn[] = [
  {
    ...measured('Prometheus cannot be reached, of which sections 7, 8 and 9 speak', 'down', {
      database_growth: 'unreachable',
      alert_rules: 'connection refused',
      no_firing_alerts: 'connection refused',
      api_latency: 'unreachable',
      error_rate: 'unreachable',
      database_connections: 'unreachable',
      websocket_staleness: 'unreachable',
      cpu_memory: 'unreachable',
    }),
    outcome: 'unknown',
    decision: 'no_go',
  },
  {
    ...turn(
      'PostgreSQL cannot be reached: sections 4 and 7',
      { env: { DATABASE_URL: NOBODY } },
      {
        pitr_tested: '127.0.0.1:1/postgres: connection refused',
        backup_age: 'connection refused',
        backup_alerts: 'connection refused',
        wal_archiving: 'connection refused',
        long_queries: 'connection refused',
      },
    ),
    outcome: 'unknown',
    decision: 'no_go',
  },
  {
    ...turn(
      'PgBouncer refuses the password',
      { env: { PGBOUNCER_PASSWORD: 'another' } },
      {
        pool_use: 'password authentication failed',
      },
    ),
    outcome: 'unknown',
  },
  {
    ...turn(
      'there is no token for GitHub',
      { env: { GITHUB_TOKEN: null } },
      {
        ci_contract_chaos: 'the secret $GITHUB_TOKEN has no value',
        ci_headers: 'the secret $GITHUB_TOKEN has no value',
        ci_database_drift: 'the secret $GITHUB_TOKEN has no value',
        ci_tests: 'the secret $GITHUB_TOKEN has no value',
        ci_all_done: 'the secret $GITHUB_TOKEN has no value',
      },
    ),
    outcome: 'unknown',
  },
  {
    ...turn(
      'Grafana refuses the token',
      { env: { GRAFANA_TOKEN: 'another' } },
      {
        dashboard: 'HTTP 401: the token was refused',
        panels: 'HTTP 401: the token was refused',
      },
    ),
    outcome: 'unknown',
  },
  {
    ...turn(
      'the report of coverage is missing',
      files({ 'coverage/coverage-summary.json': null }),
      {
        unit_coverage: 'coverage/coverage-summary.json',
      },
    ),
    outcome: 'unknown',
  },
];

export const SPARK_TURNS: readonly SparkTurn[] = [
  ...[DOCUMENTS, PIPELINE, TESTS, ROLLBACK, HEADERS, FEATURES, DATABASE].flat(),
  ...[MONITORING, BASELINE, ROSTER, UNKNOWN].flat(),
];
