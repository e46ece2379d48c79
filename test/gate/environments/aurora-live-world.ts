// The world in which Aurora goes live on the testnet, and its Prometheus with the runbook's alerts.
import type { Places } from './environment.ts';
import { benchmarkJson, junitXml, type TestCase } from './reports.ts';
import type { Telemetry } from './telemetry.ts';
import type { World } from './world.ts';

const ENVIRONMENT_OF_TASK = [
  'length(taskDefinition.containerDefinitions[0].environment[?',
  "(name=='AURORA_MODE' && value=='live') ||",
  "(name=='AURORA_SIMULATOR_MODE' && value=='true') ||",
  "(name=='AURORA_SAFE_MODE' && value=='true')])",
].join(' ');
export const AWS = {
  image: 'ecr describe-images --repository-name aurora --image-ids imageTag=testnet-v2.1.0',
  task: `ecs describe-task-definition --task-definition aurora-testnet --query ${ENVIRONMENT_OF_TASK}`,
  rollout: [
    'ecs describe-services --cluster aurora-testnet --services aurora-api',
    '--query services[0].deployments[0].rolloutState --output text',
  ].join(' '),
  logs: 'logs tail /ecs/aurora-testnet --since 10m',
};

export const smoke = (failed = false): readonly TestCase[] => [
  { in: 'tests.smoke.test_testnet', name: 'test_health', failed },
  { in: 'tests.smoke.test_testnet', name: 'test_order' },
];
export const BENCHMARKS = {
  test_order_submit_latency: 0.31,
  test_fill_processing: 0.06,
  test_position_update: 0.02,
};
export const CONTACTS = ['DevOps Lead', 'Security Team', 'Business Stakeholders', 'Grafana'];

/** Alerts as the runbook has them. */
export const TESTNET: Telemetry = {
  series: {
    'http_requests_total{status="200"}': { perSecond: 2_000 },
    'http_requests_total{status="500"}': { perSecond: 0 },
    http_request_duration_seconds: {
      perSecond: 2_000,
      buckets: { '0.1': 0.6, '0.25': 0.96, '0.5': 0.99, '1': 1 },
    },
    process_resident_memory_bytes: { value: 300e6 },
    process_cpu_seconds_total: { perSecond: 0.1 },
    aurora_xai_events_total: { perSecond: 2 },
    aurora_trades_total: { perSecond: 2 },
    aurora_test_coverage: { value: 93 },
    aurora_mutation_score: { value: 86 },
  },
  rules: {
    'aurora.critical/HighErrorRate': {
      expr: 'rate(http_requests_total{status=~"5.."}[5m]) / rate(http_requests_total[5m]) > 0.05',
      for: '5m',
    },
    'aurora.critical/XAIMissing': {
      expr: 'aurora_xai_events_total - aurora_trades_total > 0',
      for: '10m',
    },
    'aurora.critical/HighLatency': {
      expr: 'histogram_quantile(0.95, rate(http_request_duration_seconds_bucket[5m])) > 1.0',
      for: '5m',
    },
    'aurora.warning/CoverageDrop': { expr: 'aurora_test_coverage < 90', for: '15m' },
    'aurora.warning/MutationScoreDrop': { expr: 'aurora_mutation_score < 80', for: '15m' },
    'node/HostDown': { expr: 'up == 0' },
  },
};

export const world = (at: Places): World => ({
  files: {
    'artifacts/testnet_smoke_results.xml': junitXml(smoke(), 8),
    'artifacts/testnet_performance.json': benchmarkJson(BENCHMARKS),
    'docs/deployment_runbook.md': `# Contacts\n${[...CONTACTS, 'Prometheus'].join('\n')}\n`,
  },
  programs: {
    aws: [
      { args: AWS.image, out: '{\n    "imageDetails": [{"imageTags": ["testnet-v2.1.0"]}]\n}\n' },
      { args: AWS.task, out: '3\n' },
      { args: AWS.rollout, out: 'COMPLETED\n' },
      { args: AWS.logs, out: '2026-11-22T10:00:01 ecs/aurora/6b1f INFO started\n' },
    ],
  },
  env: { DATABASE_URL: at.postgres.url, AWS_REGION: 'eu-central-1', AWS_PROFILE: 'testnet' },
  sites: {
    api: {
      'GET /health': { body: { status: 'healthy', mode: 'live' } },
      'POST /pretrade/check': { body: { decision: 'allow', trace_id: 'trace-7' } },
      'GET /metrics': { body: '# TYPE aurora_orders_total counter\naurora_orders_total 12\n' },
      'GET /events/recent': { body: { events: [{ type: 'ORDER', trace_id: 'trace-7' }] } },
    },
    grafana: { 'GET /api/health': { body: { database: 'ok', version: '11.3.0' } } },
  },
  telemetry: { aurora_testnet: TESTNET },
  gate: [
    ['grafana.testnet.aurora.internal', at.host('grafana')],
    ['testnet.aurora.internal', at.host('api')],
    ['every: 10s', 'every: 5ms'],
    ['passing: 3 }', 'passing: 3, every: 5ms }'],
  ],
});
