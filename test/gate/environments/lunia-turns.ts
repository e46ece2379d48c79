// For each line of Lunia's checklist, and each check of it: one change, what it turns and what is
// decided then. All is NO-GO but coverage, which only warns.
import { cobertura, dayAgo, junit, trivy, zap } from '../../support/tool-reports.ts';
import type { Turn } from './gate-suite.ts';
import {
  COSIGN,
  DISKS,
  LOAD_TEST,
  type LuniaOwn,
  METRICS,
  perf,
  REPORT,
  report,
  SERVICES,
  signedReport,
} from './lunia.ts';
import { systemctl } from './programs.ts';
import { banditJson } from './reports.ts';
import { turnWords } from './turn-words.ts';

type LuniaTurn = Turn<LuniaOwn>;
type Turns = LuniaTurn['turns'];

const { turn, unknown, file, program, variable, site } = turnWords<LuniaOwn>();
const aged = (name: string, path: string, hours: number, turns: Turns) =>
  file(name, path, { body: 'archive', ageHours: hours }, turns);
const figure = (name: string, series: string, value: number, turns: Turns) =>
  turn(name, { telemetry: { lunia: { series: { [series]: { value } } } } }, turns);
const unit = (name: string, units: readonly string[], state: string, turns: Turns) =>
  program(name, 'systemctl', systemctl(units, { [units.at(-1) ?? '']: state }), turns);

const RELEASE: readonly LuniaTurn[] = [
  {
    name: 'the version has no tag, and nothing can be compared with it',
    alter: async ({ own }) => {
      own.git('tag', '--delete', 'v3.2.0');
      return async () => own.git('tag', 'v3.2.0');
    },
    turns: { version_tag: 'exit code 1, 0 wanted', commit_sha: 'exit code 128, 0 wanted' },
    decision: 'no_go',
  },
  {
    name: 'a later commit is checked out',
    alter: async ({ own }) => {
      own.edit();
      own.git('commit', '--quiet', '--all', '--message', 'later');
      return async () => own.git('reset', '--quiet', '--hard', 'v3.2.0');
    },
    turns: { commit_sha: 'exit code 1, 0 wanted' },
    decision: 'no_go',
  },
  {
    name: 'a file of the checkout was changed by hand',
    alter: async ({ own }) => {
      own.edit();
      return async () => own.git('reset', '--quiet', '--hard');
    },
    turns: { commit_sha: 'exit code 1, 0 wanted' },
    decision: 'no_go',
  },
  turn(
    'the release date is 9 days ago',
    { files: signedReport(report({ days: 9 })) },
    {
      release_date: `is dated ${dayAgo(9)}`,
    },
  ),
  turn(
    'the Release Manager has not approved',
    { files: signedReport(report({ manager: '' })) },
    {
      release_report: 'the approval of Release Manager is open',
    },
  ),
  file('a word of the report was changed after it was signed', REPORT, `${report()}\n`, {
    release_report: 'is not what was signed, or not with this key',
  }),
];

const PLATFORM: readonly LuniaTurn[] = [
  site(
    '/healthz answers 500',
    'api',
    { 'GET /healthz': { status: 500 } },
    {
      healthz: 'status 500, status 200 wanted',
    },
  ),
  ...METRICS.map((one) => {
    const name = one.replace(/(_count)? .*/, '');
    const body = `${METRICS.filter((other) => other !== one).join('\n')}\n`;
    return site(
      `/metrics is without ${name}`,
      'api',
      { 'GET /metrics': { body } },
      {
        core_metrics: `${name} is missing`,
      },
    );
  }),
  file(
    'verify_all.sh fails',
    'scripts/verify_all.sh',
    { program: '#!/bin/sh\necho 2 of 9 failed\nexit 1\n' },
    { verify_all: 'command: exit code 1, 0 wanted: 2 of 9 failed' },
  ),
  aged('the artifacts of verify_all.sh are of yesterday', 'artifacts/verify/run-1.tar.gz', 25, {
    verify_all: 'file: artifacts/verify/run-1.tar.gz is 1d1h old, at most 1d wanted',
  }),
];

const LINE_OF: Readonly<Record<string, string>> = {
  ...{ unit: 'unit_tests', integration: 'integration_tests', perf: 'performance_tests' },
  playwright: 'playwright',
};

const TESTS: readonly LuniaTurn[] = [
  ...Object.entries(LINE_OF).flatMap(([name, id]) => [
    file(`a test of ${name} failed`, `artifacts/junit/${name}.xml`, junit({ failed: 1 }), {
      [id]: '1 of 13 tests failed, at most 0 wanted',
    }),
    file(
      `the tests of ${name} are of yesterday`,
      `artifacts/junit/${name}.xml`,
      junit({ ageHours: 25 }),
      {
        [id]: `artifacts/junit/${name}.xml is 1d1h old, at most 1d wanted`,
      },
    ),
  ]),
  file('P99 is 200 ms', 'artifacts/perf.json', perf(200), {
    performance_tests: 'benchmark: p99 200 ms, below 200ms wanted',
  }),
  program(
    'the load test loses orders',
    'python',
    { args: LOAD_TEST, err: '3 orders lost', exit: 1 },
    { load_test: 'exit code 1, 0 wanted: 3 orders lost' },
  ),
  {
    ...file('coverage is 69 %, which only warns', 'artifacts/coverage.xml', cobertura(690), {
      coverage: 'lines 69 % (690 of 1000), at least 70% wanted',
    }),
    decision: 'go',
  },
];

const DRAWDOWN = 'lunia_unexplained_drawdown_ratio{strategy="trend"}';

const TRADING: readonly LuniaTurn[] = [
  figure('the Sharpe ratio is 1.3', 'lunia_sharpe_ratio_90d', 1.3, {
    sharpe_ratio: '1.3, above 1.3 wanted',
  }),
  figure('55 % of the trades hit', 'lunia_hit_rate_ratio', 0.55, {
    hit_rate: '55 %, above 55% wanted',
  }),
  figure('explainability is 7.9', 'lunia_explainability_score', 7.9, {
    explainability: '7.9, at least 8 wanted',
  }),
  figure('a drawdown of 6 % is not explained', DRAWDOWN, 0.06, {
    drawdowns: '6 %, at most 5% wanted',
  }),
];

const SECURITY: readonly LuniaTurn[] = [
  file('ZAP has an alert of medium risk', 'artifacts/zap.json', zap([2]), {
    zap: '1 medium or worse, at most 0 wanted',
  }),
  file('Trivy has a critical CVE', 'artifacts/trivy.json', trivy(['CRITICAL']), {
    scan_review: 'scan: 1 critical, at most 0 wanted',
  }),
  file('Bandit has a finding of its worst kind', 'artifacts/bandit.json', banditJson(['HIGH']), {
    scan_review: 'scan_2: 1 high or worse, at most 0 wanted',
  }),
  unit('CrowdSec does not run', ['crowdsec.service'], 'inactive enabled', {
    waf: 'systemd: crowdsec.service is inactive (dead)',
  }),
  site(
    'the firewall refuses everything, attack or not',
    'firewall',
    { 'GET /?q=hello': { status: 403, body: 'Forbidden' } },
    {
      waf: 'status 403, status 200 wanted',
    },
  ),
  site(
    'the firewall lets an attack through',
    'firewall',
    { 'GET /': { body: '<html>' } },
    {
      waf: 'status 200, status 403 wanted',
    },
  ),
  site(
    'Vault is sealed',
    'vault',
    { 'GET /v1/sys/health': { status: 503 } },
    {
      vault: 'status 503, status 200 wanted',
    },
  ),
  variable(
    'INFRA_PROD_ENABLED is false, of which two lines speak',
    { INFRA_PROD_ENABLED: 'false' },
    {
      vault: 'env: INFRA_PROD_ENABLED has another value, "true" wanted',
      infra_prod: 'INFRA_PROD_ENABLED has another value, "true" wanted',
    },
  ),
  aged('the weekly audit evidence is 8 days old', 'artifacts/audit/weekly-47.zip', 8 * 24, {
    audit_evidence: 'file: artifacts/audit/weekly-47.zip is 8d old',
  }),
  aged('the quarterly audit evidence is 93 days old', 'artifacts/audit/quarterly-3.zip', 93 * 24, {
    audit_evidence: 'file_2: artifacts/audit/quarterly-3.zip is 93d old',
  }),
];

const HOSTS: readonly LuniaTurn[] = [
  program(
    'the image is not signed',
    'cosign',
    { args: COSIGN, err: 'no matching signatures', exit: 10 },
    { images_signed: 'command: exit code 10, 0 wanted: no matching signatures' },
  ),
  file('there is no SBOM', 'artifacts/sbom.spdx.json', null, {
    images_signed: 'file: artifacts/sbom.spdx.json is missing',
  }),
  unit('Falco is masked away', ['falco.service'], 'missing', {
    falco: 'falco.service does not exist',
  }),
  program(
    'there is no encrypted swap',
    'lsblk',
    { args: DISKS, out: 'disk\npart  /\n' },
    { encrypted_swap: 'the output does not match crypt' },
  ),
  program(
    'a second swap is not encrypted',
    'lsblk',
    { args: DISKS, out: 'disk\nlvm   [SWAP]\ncrypt [SWAP]\n' },
    { encrypted_swap: 'the output matches ^[^c' },
  ),
  unit('the bot does not start with the machine', SERVICES, 'active disabled', {
    services: 'lunia_bot.service is disabled',
  }),
  aged('the last restore was tested 31 days ago', 'artifacts/backup/restore-test-7.json', 31 * 24, {
    backups: 'artifacts/backup/restore-test-7.json is 31d old',
  }),
];

const FLAGS: readonly LuniaTurn[] = [
  variable(
    'trading is not live',
    { BINANCE_LIVE_TRADING: 'false' },
    {
      live_trading: 'BINANCE_LIVE_TRADING has another value, "true" wanted',
    },
  ),
  variable(
    'the exchange is a mock',
    { BINANCE_FORCE_MOCK: 'true' },
    {
      no_mock: 'BINANCE_FORCE_MOCK has another value, "false" wanted',
    },
  ),
  variable(
    'signal health is not set',
    { FRONTEND_SIGNAL_HEALTH_ENABLED: null },
    {
      signal_health: 'FRONTEND_SIGNAL_HEALTH_ENABLED is not set, "true" wanted',
    },
  ),
  turn(
    'Redis refuses',
    { gate: [['tcp: { addresses: [', 'tcp: { addresses: ["127.0.0.1:1", ']] },
    { endpoints: 'tcp: 127.0.0.1:1: connection refused' },
  ),
  site(
    'the LLM has an error',
    'llm',
    { 'GET /v1/models': { status: 500 } },
    {
      endpoints: 'status 500, status 2xx wanted',
    },
  ),
  file('there is no operations runbook', 'docs/OPERATIONS_RUNBOOK.md', null, {
    operations_runbook: 'docs/OPERATIONS_RUNBOOK.md is missing',
  }),
];

const NOBODY = 'postgres://postgres:secret@127.0.0.1:1/postgres?sslmode=disable';

/** What cannot be looked at is not met, and says why. */
const UNKNOWN: readonly LuniaTurn[] = [
  unknown(
    variable(
      'PostgreSQL cannot be reached',
      { DATABASE_URL: NOBODY },
      {
        endpoints: 'postgres: 127.0.0.1:1/postgres: connection refused',
      },
    ),
  ),
  unknown(
    turn(
      'Prometheus cannot be reached',
      { telemetry: { lunia: 'down' } },
      {
        sharpe_ratio: 'unreachable',
        hit_rate: 'unreachable',
        explainability: 'unreachable',
        drawdowns: 'unreachable',
      },
    ),
  ),
  unknown(
    turn(
      'the load test hangs',
      {
        programs: { python: [{ args: LOAD_TEST, seconds: 60 }] },
        gate: [['timeout: 20m', 'timeout: 200ms']],
      },
      { load_test: 'python: not finished within 200ms, ended with all its children' },
    ),
  ),
  unknown(
    turn(
      'the tool cosign is not there',
      { gate: [['run: [cosign, ', 'run: [no-such-cosign, ']] },
      { images_signed: 'no-such-cosign: cannot start: no such program' },
    ),
  ),
  unknown(
    file('the report of the unit tests is missing', 'artifacts/junit/unit.xml', null, {
      unit_tests: 'artifacts/junit/unit.xml is missing',
    }),
  ),
];

export const LUNIA_TURNS: readonly LuniaTurn[] = [
  ...[RELEASE, PLATFORM, TESTS, TRADING, SECURITY, HOSTS, FLAGS, UNKNOWN].flat(),
];
