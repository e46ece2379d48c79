// The world in which Aurora may go to the testnet.
import { FLOWS, LOG, SCHEMA, SCORES, twoTests } from './aurora-parts.ts';
import {
  banditJson,
  benchmarkJson,
  coverageXml,
  jsonLines,
  junitXml,
  mutationJson,
  mypyJson,
  pylintJson,
  safetyJson,
  type TestCase,
} from './reports.ts';
import type { World } from './world.ts';

export const unit = (failing = ''): readonly TestCase[] =>
  ['oms', 'positions', 'risk', 'reports'].flatMap((part) => [
    { in: `tests.unit.${part}.test_book`, name: 'test_total', failed: part === failing },
    { in: `tests.unit.${part}.test_book`, name: 'test_empty' },
  ]);

export const BENCHMARKS = { test_order_submit_latency: 0.12, test_fill_processing: 0.03 };
export const CHECK_CONFIG = 'tools/auroractl.py config-validate';
export const XAI = '-c import tests.fixtures.xai_validator as xai; xai.validate_schema()';
export const BUILD = 'build --no-cache -t aurora:v2.1.0 .';
export const RESOLVE = '-m pip install --dry-run --quiet -r requirements.txt';

export const latency = (share500ms: number) => ({
  perSecond: 20,
  buckets: { '0.1': 0.5, '0.2': 0.9, '0.5': share500ms, '1': 1 },
});

export const world = (host: string): World => ({
  files: {
    'artifacts/coverage.xml': coverageXml(93, 91),
    'artifacts/mutation.json': mutationJson(SCORES),
    'artifacts/baselines/mutation_baseline.json': mutationJson({ ...SCORES, oms: 88 }),
    'artifacts/pylint.json': pylintJson(['convention', 'warning']),
    'artifacts/mypy.json': mypyJson(),
    'artifacts/bandit.json': banditJson(['LOW']),
    'artifacts/safety.json': safetyJson(),
    'artifacts/junit/unit.xml': junitXml(unit(), 120),
    'artifacts/junit/integration.xml': junitXml(twoTests('integration'), 180),
    'artifacts/junit/e2e.xml': junitXml(twoTests('e2e'), 240),
    'artifacts/performance.json': benchmarkJson({ ...BENCHMARKS, test_fill_processing: 0.031 }),
    'artifacts/baselines/performance_baseline.json': benchmarkJson(BENCHMARKS),
    'requirements.txt': 'requests==2.32.3\npydantic==2.9.2\n',
    [LOG]: jsonLines(FLOWS),
    'observability/aurora_event.schema.json': JSON.stringify(SCHEMA),
    'docs/emergency_contacts.md': [
      ...['Engineering Lead: Ada, +49 30 1234', 'DevOps On-Call: Lin, +49 30 1235'],
      ...['Security On-Call: Sam, +49 30 1236', 'Business Owner: Max, +49 30 1237'],
    ].join('\n'),
    'docs/test_strategy.md': '# Test strategy\n',
    'docs/deployment_runbook.md': '# Deployment\n# Rollback\n# Troubleshooting\n',
    'docs/monitoring_dashboard.md': '# Dashboard\n',
    'docs/incident_response.md': '# Incidents\n',
    'docs/flaky_tests.md': '# Flaky tests\n- test_cancel: AUR-112\n',
    'docs/technical_debt.md': '# Coverage gaps\n- reports/export.py: AUR-98\n',
    'logs/production/api.log': '2026-11-22 10:00:01 INFO started\n',
  },
  programs: {
    python: [
      { args: CHECK_CONFIG, out: 'configs/testnet.yaml: OK\nconfigs/production.yaml: OK\n' },
      { args: 'tools/auroractl.py health', out: '{"status": "ok"}\n' },
      { args: '-m pip check', out: 'No broken requirements found.\n' },
      { args: RESOLVE },
      { args: XAI },
    ],
    docker: [
      { args: BUILD, err: '#12 naming to docker.io/library/aurora:v2.1.0 done\n' },
      { args: 'build --quiet .', out: 'sha256:6b1f0cb2a1d3\n' },
    ],
  },
  env: { AURORA_MODE: 'testnet', AURORA_SIMULATOR_MODE: 'true', DRY_RUN: 'true' },
  sites: {
    api: {
      'GET /health': { body: { status: 'healthy' } },
      'GET /version': { body: { version: 'v2.0.0' } },
      'GET /metrics': { body: 'aurora_orders_submitted_total 12\n' },
    },
  },
  telemetry: {
    aurora: {
      series: {
        aurora_order_submit_latency_seconds: latency(0.99),
        aurora_orders_submitted_total: { perSecond: 20 },
        aurora_orders_filled_total: { perSecond: 19.8 },
        process_resident_memory_bytes: { value: 240e6 },
        process_cpu_seconds_total: { perSecond: 0.3 },
      },
    },
  },
  gate: [
    ['127.0.0.1:8080', host],
    ['every: 5s', 'every: 5ms'],
  ],
});
