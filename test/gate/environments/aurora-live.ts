// What turns each line of Aurora's runbook before it goes live. It has no yellow: all are NO-GO.
import { Client } from 'pg';
import { AWS, BENCHMARKS, CONTACTS, smoke, world } from './aurora-live-world.ts';
import { file, gone, old } from './aurora-parts.ts';
import type { Places } from './environment.ts';
import type { Suite, Turn } from './gate-suite.ts';
import { benchmarkJson, junitXml } from './reports.ts';
import type { SiteAnswer } from './sites.ts';
import type { Series } from './telemetry.ts';
import type { Change } from './world.ts';

const turn = (
  name: string,
  change: Change,
  turns: Turn['turns'],
  more: Partial<Turn> = {},
): Turn => ({ ...{ name, change, turns, decision: 'no_go' }, ...more });
const UNKNOWN = { outcome: 'unknown' } as const;

const aws = (args: string, said: { out?: string; err?: string; exit?: number }): Change => ({
  programs: { aws: [{ args, ...said }] },
});
const api = (path: string, answer: SiteAnswer): Change => ({ sites: { api: { [path]: answer } } });
const metric = (series: Readonly<Record<string, Series | null>>): Change => ({
  telemetry: { aurora_testnet: { series } },
});
const EVENTS = 'GET /events/recent';

const IMAGE_TAG = '"imageTag=testnet-${version}"';

const safeMode: readonly Turn[] = [
  turn('the image is not in ECR', aws(AWS.image, { exit: 254, err: 'ImageNotFoundException' }), {
    image_pushed: 'exit code 254, 0 wanted: ImageNotFoundException',
  }),
  turn('the task has no safe mode', aws(AWS.task, { out: '2\n' }), {
    safe_mode: 'the output does not match ^3$',
  }),
  turn('the rollout goes on', aws(AWS.rollout, { out: 'IN_PROGRESS\n' }), {
    rollout: 'the output does not match ^COMPLETED$',
  }),
  turn(
    'aws hangs',
    {
      programs: { aws: [{ args: AWS.image, seconds: 60 }] },
      gate: [[IMAGE_TAG, `${IMAGE_TAG}\n            timeout: 500ms`]],
    },
    { image_pushed: 'not finished within 500ms, ended with all its children' },
    UNKNOWN,
  ),
  turn('the API is ill ten times in a row', api('GET /health', { status: 503 }), {
    api_health: '10 tries in a row',
    api_responds: 'status 503',
  }),
];

const validation: readonly Turn[] = [
  turn('a smoke test fails', file('artifacts/testnet_smoke_results.xml', junitXml(smoke(true))), {
    smoke_results: '1 of 2 tests failed, at most 0 wanted',
  }),
  turn(
    'nobody has run the smoke tests',
    gone('artifacts/testnet_smoke_results.xml'),
    {
      smoke_results: 'artifacts/testnet_smoke_results.xml is missing',
    },
    UNKNOWN,
  ),
  turn(
    'the smoke tests are two hours old',
    old('artifacts/testnet_smoke_results.xml', junitXml(smoke()), 2),
    { smoke_results: '2h old, at most 1h wanted' },
  ),
  turn('the test trade is refused', api('POST /pretrade/check', { status: 422 }), {
    trade_request: 'status 422',
  }),
  ...(['test_order_submit_latency', 'test_fill_processing', 'test_position_update'] as const).map(
    (name) =>
      turn(
        `${name} takes 600 ms`,
        file('artifacts/testnet_performance.json', benchmarkJson({ ...BENCHMARKS, [name]: 0.6 })),
        { performance: `${name} 600 ms` },
      ),
  ),
  turn('no metric of Aurora is there', api('GET /metrics', { body: 'go_goroutines 7\n' }), {
    metrics_exposed: 'does not match',
  }),
  turn(
    'Grafana is ill',
    { sites: { grafana: { 'GET /api/health': { status: 503 } } } },
    {
      grafana_up: 'status 503',
    },
  ),
  turn(
    'Prometheus has no rules of Aurora',
    {
      telemetry: {
        aurora_testnet: {
          rules: Object.fromEntries(
            [
              ...['critical/HighErrorRate', 'critical/XAIMissing', 'critical/HighLatency'],
              ...['warning/CoverageDrop', 'warning/MutationScoreDrop'],
            ].map((name) => [`aurora.${name}`, null]),
          ),
        },
      },
    },
    {
      alert_rules: '0 alerting rules, at least 1 wanted',
      alerts_configured: '0 alerting rules, at least 1 wanted',
    },
  ),
];

const final: readonly Turn[] = [
  turn('events come without a trace', api(EVENTS, { body: { events: [{ trace_id: '' }] } }), {
    xai_events: 'does not match',
  }),
  turn('no event comes', api(EVENTS, { status: 404 }), { xai_events: 'status 404' }),
  turn(
    'P95 of the API is 700 ms',
    metric({
      http_request_duration_seconds: {
        perSecond: 2_000,
        buckets: { '0.1': 0.4, '0.5': 0.9, '1': 1 },
      },
    }),
    { latency: 'API latency P95 750 ms (of ' },
  ),
  turn(
    '2 % of the requests fail',
    metric({
      'http_requests_total{status="200"}': { perSecond: 9_800 },
      'http_requests_total{status="500"}': { perSecond: 200 },
    }),
    { error_rate: 'Error rate 2 % (of ' },
  ),
  turn(
    'CoverageDrop is firing',
    {
      telemetry: {
        aurora_testnet: {
          series: { aurora_test_coverage: { value: 89 } },
          rules: { 'aurora.warning/CoverageDrop': { expr: 'aurora_test_coverage < 90' } },
        },
      },
    },
    { alerts_configured: 'CoverageDrop is firing (1 alert)' },
  ),
  turn(
    'an alert that is not of Aurora is firing',
    {
      telemetry: { aurora_testnet: { rules: { 'node/HostDown': { expr: 'vector(1)' } } } },
    },
    {},
    { decision: 'go' },
  ),
  turn(
    'XAIMissing is not configured',
    {
      telemetry: { aurora_testnet: { rules: { 'aurora.critical/XAIMissing': null } } },
    },
    { alerts_configured: 'the alert XAIMissing is missing' },
  ),
  turn('no log arrives', aws(AWS.logs, { out: '' }), {
    logs_collected: 'the output does not match',
  }),
  turn('a contact is not known', file('docs/deployment_runbook.md', CONTACTS.join('\n')), {
    contacts: 'docs/deployment_runbook.md lacks "Prometheus"',
  }),
  turn(
    'Prometheus is dead',
    { telemetry: { aurora_testnet: 'down' } },
    {
      alert_rules: 'connection refused',
      latency: 'unreachable',
      error_rate: 'unreachable',
      alerts_configured: 'connection refused',
      resource_exhaustion: 'unreachable',
    },
    UNKNOWN,
  ),
];

/** Connections that do nothing, until they are ended. */
const crowd =
  (length: number) =>
  async ({ postgres }: Places) => {
    const clients = Array.from(
      { length },
      () => new Client({ connectionString: postgres.url, ssl: false }),
    );
    await Promise.all(clients.map((client) => client.connect()));
    return async () => {
      await Promise.all(clients.map((client) => client.end()));
    };
  };

const resources: readonly Turn[] = [
  turn('18 more connections of 25 are in use', {}, {}, { alter: crowd(18), decision: 'go' }),
  turn(
    '20 more connections of 25 are in use',
    {},
    { database_connections: 'below 80% wanted' },
    {
      alter: crowd(20),
    },
  ),
  turn(
    'nobody uses the API',
    metric({
      'http_requests_total{status="200"}': { perSecond: 0.05 },
      http_request_duration_seconds: { perSecond: 0.05, buckets: { '0.1': 1 } },
    }),
    { latency: 'too_few', error_rate: 'too_few' },
    UNKNOWN,
  ),
  turn(
    'the memory is not measured',
    metric({ process_resident_memory_bytes: null }),
    {
      resource_exhaustion: 'no_series',
    },
    UNKNOWN,
  ),
  turn(
    'the database is down',
    {
      env: { DATABASE_URL: 'postgres://aurora:secret@127.0.0.1:1/aurora?sslmode=disable' },
    },
    { database_connections: 'connection refused' },
    UNKNOWN,
  ),
  turn('470 MB of 512 are used', metric({ process_resident_memory_bytes: { value: 470e6 } }), {
    resource_exhaustion: 'indicator: Memory 470 MB, below 460MB wanted',
  }),
  turn('95 % of its CPU are used', metric({ process_cpu_seconds_total: { perSecond: 0.2375 } }), {
    resource_exhaustion: 'CPU 0.24 cores, below 0.225 wanted',
  }),
];

export const auroraLive: Suite = {
  setup: {
    gate: 'aurora-runbook-live',
    version: 'v2.1.0',
    sites: ['api', 'grafana'],
    postgres: { max_connections: '25' },
    world,
  },
  turns: [...safeMode, ...validation, ...final, ...resources],
};
