// What turns each line of Aurora's checklist for the testnet.

import { events, FLOWS, file, flow, gone, LOG, old, SCORES, twoTests } from './aurora-parts.ts';
import {
  BENCHMARKS,
  BUILD,
  CHECK_CONFIG,
  latency,
  REQUIREMENTS,
  RESOLVE,
  unit,
  world,
  XAI,
} from './aurora-testnet-world.ts';
import type { Suite, Turn } from './gate-suite.ts';
import {
  banditJson,
  benchmarkJson,
  coverageXml,
  jsonLines,
  junitXml,
  mutationJson,
  mypyXml,
  pylintJson,
  safetyJson,
} from './reports.ts';
import type { Change, World } from './world.ts';

const python = (args: string, err: string): Change => ({
  programs: { python: [{ args, err, exit: 1 }] },
});
const metric = (series: NonNullable<World['telemetry'][string]['series']>): Change => ({
  telemetry: { aurora: { series } },
});
const SLOW = metric({ aurora_order_submit_latency_seconds: latency(0.9375) });
const NO_DEBT = gone('docs/technical_debt.md');
const NO_TROUBLE = file('docs/deployment_runbook.md', '# Deployment\n# Rollback\n');
const RUNTIME = { files: { 'artifacts/junit/e2e.xml': junitXml(twoTests('e2e'), 700) } };

/** Tests that fail at first, and pass when they are repeated. */
const flaky = (count: number): string => {
  const names = Array.from({ length: count }, (_, index) => `test_${index}`);
  const attempts = names.flatMap((name) => [
    { in: 'tests.integration.test_flaky', name, failed: true },
    { in: 'tests.integration.test_flaky', name },
  ]);
  return junitXml([...twoTests('integration'), ...attempts], 180);
};

type Turns = Turn['turns'];
const turn = (name: string, change: Change, turns: Turns, more: Partial<Turn> = {}): Turn => ({
  ...{ name, change, turns, decision: 'no_go' },
  ...more,
});
const GO = { decision: 'go' } as const;
const UNKNOWN = { outcome: 'unknown' } as const;

const quality: readonly Turn[] = [
  turn('89 % of the lines are covered', file('artifacts/coverage.xml', coverageXml(89, 91)), {
    test_coverage: 'lines 89 % (89 of 100), at least 90% wanted',
  }),
  turn('89 % of the branches are covered', file('artifacts/coverage.xml', coverageXml(93, 89)), {
    test_coverage: 'branches 89 %',
  }),
  turn(
    'nobody has measured the coverage',
    gone('artifacts/coverage.xml'),
    {
      test_coverage: 'artifacts/coverage.xml is missing',
    },
    UNKNOWN,
  ),
  turn(
    'the coverage report is cut off',
    file('artifacts/coverage.xml', coverageXml(93, 91).slice(0, 900)),
    {
      test_coverage: 'artifacts/coverage.xml',
    },
    UNKNOWN,
  ),
  turn('the coverage is of the day before', old('artifacts/coverage.xml', coverageXml(93, 91)), {
    test_coverage: '1d1h old, at most 1d wanted',
  }),
  turn(
    'the mutation score of oms falls by 6 points',
    file('artifacts/mutation.json', mutationJson({ ...SCORES, oms: 82 })),
    { mutation_score: 'oms 82 %, 88 % before', mutation_drop: 'oms 82 %, 88 % before' },
  ),
  turn(
    'there is no baseline of mutations',
    gone('artifacts/baselines/mutation_baseline.json'),
    {
      mutation_score: 'mutation_baseline.json is missing',
      mutation_drop: 'mutation_baseline.json is missing',
    },
    UNKNOWN,
  ),
  turn('pylint finds an error', file('artifacts/pylint.json', pylintJson(['error'])), {
    static_analysis: '1 high or worse, at most 0 wanted',
    blocking_analysis: '1 high or worse, at most 0 wanted',
  }),
  turn('mypy finds an error', file('artifacts/mypy.xml', mypyXml(1)), {
    static_analysis: 'junit: 1 of 1 tests failed',
    blocking_analysis: 'junit: 1 of 1 tests failed',
  }),
  turn(
    'mypy has written nothing',
    file('artifacts/mypy.xml', ''),
    { static_analysis: 'artifacts/mypy.xml', blocking_analysis: 'artifacts/mypy.xml' },
    UNKNOWN,
  ),
  turn('bandit finds something high', file('artifacts/bandit.json', banditJson(['HIGH'])), {
    security_scan: '1 high or worse, at most 0 wanted',
    vulnerability: '1 high or worse, at most 0 wanted',
  }),
  turn('safety finds something critical', file('artifacts/safety.json', safetyJson([9.8])), {
    security_scan: 'scan_2: 1 high or worse',
    vulnerability: 'scan_2: 1 high or worse',
    vulnerable_dependency: '1 in total, at most 0 wanted',
  }),
  turn('a dependency has a small hole', file('artifacts/safety.json', safetyJson([3.1])), {
    vulnerable_dependency: '1 in total, at most 0 wanted',
  }),
];

const unitTests = (failing: string) =>
  file('artifacts/junit/unit.xml', junitXml(unit(failing), 120));
const tests: readonly Turn[] = [
  turn('a unit test of the reports fails', unitTests('reports'), {
    unit_tests: '1 of 8 tests failed, at most 0 wanted',
  }),
  turn('a unit test of oms fails', unitTests('oms'), {
    unit_tests: '1 of 8 tests failed, at most 0 wanted',
    critical_unit_failure: '1 of 6 tests failed, at most 0 wanted',
  }),
  turn(
    'an integration test fails',
    file('artifacts/junit/integration.xml', junitXml(twoTests('integration', true), 180)),
    { integration_tests: '1 of 2 tests failed', integration_failure: '1 of 2 tests failed' },
  ),
  turn('an E2E test fails', file('artifacts/junit/e2e.xml', junitXml(twoTests('e2e', true), 240)), {
    e2e_tests: '1 of 2 tests failed',
    e2e_failure: '1 of 2 tests failed',
  }),
  turn(
    'E2E tests were not run',
    gone('artifacts/junit/e2e.xml'),
    {
      e2e_tests: 'artifacts/junit/e2e.xml is missing',
      e2e_failure: 'artifacts/junit/e2e.xml is missing',
    },
    UNKNOWN,
  ),
  turn(
    'a benchmark is 12 % slower',
    file(
      'artifacts/performance.json',
      benchmarkJson({ ...BENCHMARKS, test_fill_processing: 0.0336 }),
    ),
    { performance_tests: '12 % worse, at most 10% wanted' },
  ),
];

const infrastructure: readonly Turn[] = [
  turn('a config does not load', python(CHECK_CONFIG, 'configs/testnet.yaml: no key "risk"'), {
    config_validation: 'exit code 1, 0 wanted: configs/testnet.yaml: no key "risk"',
    config_failure: 'exit code 1, 0 wanted: configs/testnet.yaml: no key "risk"',
  }),
  turn(
    'the validation of configs hangs',
    {
      programs: { python: [{ args: CHECK_CONFIG, seconds: 60 }] },
      gate: [['config-validate], timeout: 1m', 'config-validate], timeout: 500ms']],
    },
    {
      config_validation: 'not finished within 500ms, ended with all its children',
      config_failure: 'not finished within 500ms, ended with all its children',
    },
    UNKNOWN,
  ),
  turn('two packages are in conflict', python('-m pip check', 'a 1 requires b<2, you have b 3'), {
    dependencies: 'exit code 1, 0 wanted: a 1 requires b<2',
  }),
  turn('a package is pinned to no version', file('requirements.txt', `${REQUIREMENTS}a>=2.0\n`), {
    dependencies: 'command_2: exit code 0, 1 wanted: 8:a>=2.0',
  }),
  turn(
    'a package has a marker and no version',
    file('requirements.txt', `${REQUIREMENTS}a ; python_version == "3.11"\n`),
    { dependencies: 'command_2: exit code 0, 1 wanted: 8:a ;' },
  ),
  turn('a package has no version', file('requirements.txt', `${REQUIREMENTS}requests\n`), {
    dependencies: 'command_2: exit code 0, 1 wanted: 8:requests',
  }),
  turn('there are no requirements', gone('requirements.txt'), {
    dependencies: 'command_2: exit code 2, 1 wanted: ',
  }),
  turn(
    'Docker is not installed',
    { programs: { docker: null } },
    {
      docker_build: 'cannot start: no such program',
      docker_failure: 'cannot start: no such program',
    },
    UNKNOWN,
  ),
  turn(
    '/health is silent',
    {
      sites: { api: { 'GET /health': { hangs: true } } },
      gate: [
        ['/health", within: 2s', '/health", timeout: 300ms, within: 300ms'],
        ['failing: 3,', 'failing: 3, timeout: 300ms,'],
      ],
    },
    {
      health_endpoints: 'no answer within 300 ms',
      health_failure: '3 tries in a row: ',
    },
    UNKNOWN,
  ),
  turn(
    'the image cannot be built',
    {
      programs: {
        docker: [
          { args: BUILD, exit: 1, err: 'ERROR: failed to solve: COPY src' },
          { args: 'build --quiet .', exit: 1, err: 'ERROR: failed to solve: COPY src' },
        ],
      },
    },
    {
      docker_build: 'exit code 1, 0 wanted: ERROR: failed to solve: COPY src',
      docker_failure: 'exit code 1, 0 wanted: ERROR: failed to solve: COPY src',
    },
  ),
  turn(
    'the image takes longer than it may',
    {
      programs: { docker: [{ args: BUILD, seconds: 1.2 }] },
      gate: [['within: 5m', 'within: 1s']],
    },
    { docker_build: 'within 1s wanted' },
  ),
  turn('dependencies cannot be resolved', python(RESOLVE, 'ERROR: ResolutionImpossible'), {
    dependency_failure: 'exit code 1, 0 wanted: ERROR: ResolutionImpossible',
  }),
  turn(
    '/version takes 2.1 s',
    {
      sites: { api: { 'GET /version': { body: {}, afterMs: 2_100 } } },
    },
    { health_endpoints: 'within 2s wanted' },
  ),
  turn(
    '/metrics is not there',
    { sites: { api: { 'GET /metrics': { status: 404 } } } },
    {
      health_endpoints: 'status 404',
    },
  ),
  turn(
    '/health says 503',
    { sites: { api: { 'GET /health': { status: 503 } } } },
    {
      health_endpoints: '503',
      health_failure: '3 tries in a row',
    },
  ),
  turn('auroractl finds it ill', python('tools/auroractl.py health', 'exchange: unreachable'), {
    health_endpoints: 'exit code 1, 0 wanted: exchange: unreachable',
  }),
  turn('DRY_RUN is not set', { env: { DRY_RUN: null } }, { safe_mode: 'DRY_RUN is not set' }),
  turn(
    'AURORA_MODE is live',
    { env: { AURORA_MODE: 'live' } },
    {
      safe_mode: 'AURORA_MODE has another value, "testnet" wanted',
    },
  ),
];

const invalid = (count: string) => `1 line is not valid (${count}), at most 0 wanted`;
const audit: readonly Turn[] = [
  turn('an event is of an unknown type', events(...flow(30, { event_type: 'ORDER_LOST' })), {
    xai_event_schema: '2 lines are not valid (2 not as in the schema)',
    xai_schema_failure: '2 lines are not valid (2 not as in the schema)',
  }),
  turn(
    'the schema is not there',
    gone('observability/aurora_event.schema.json'),
    {
      xai_event_schema: 'aurora_event.schema.json is missing',
      xai_schema_failure: 'aurora_event.schema.json is missing',
    },
    UNKNOWN,
  ),
  turn('the validator refuses the schema', python(XAI, 'jsonschema.SchemaError: type'), {
    xai_event_schema: 'exit code 1, 0 wanted: jsonschema.SchemaError',
  }),
  turn('a Decimal was written as text', events({ ...FLOWS[0], pnl: '-0.20' }), {
    xai_serialization: invalid('1 serialized wrong'),
  }),
  turn('an order has no trace', events(...flow(30, { trace_id: null })), {
    xai_trace_coverage: '95.23 % of 21 flows traced, at least 100% wanted',
  }),
  turn('the audit log is of the day before', old(LOG, jsonLines(FLOWS)), {
    xai_log_integrity: '1d1h old, at most 1d wanted',
  }),
  turn('a line of the audit log is cut off', file(LOG, `${jsonLines(FLOWS)}{"event_ty\n`), {
    xai_event_schema: invalid('1 no JSON'),
    xai_serialization: invalid('1 no JSON'),
    xai_trace_coverage: invalid('1 no JSON'),
    xai_log_integrity: invalid('1 no JSON'),
    xai_corruption: invalid('1 no JSON'),
    xai_schema_failure: invalid('1 no JSON'),
  }),
  turn(
    'production could not serialize something',
    {
      files: { 'logs/production/api.log': 'TypeError: Decimal is not JSON serializable\n' },
    },
    { serialization_errors: 'contains "is not JSON serializable"' },
  ),
  turn('the log of production is 400 days old', old('logs/production/api.log', 'INFO\n', 9_600), {
    serialization_errors: 'logs/production/api.log is 400d old',
  }),
];

const papers: readonly Turn[] = [
  turn(
    'a contact is still open',
    file('docs/emergency_contacts.md', 'Engineering Lead: [contact]'),
    {
      contacts: 'docs/emergency_contacts.md contains "[contact]"',
    },
  ),
  turn('there is no incident plan', gone('docs/incident_response.md'), {
    related_documents: 'docs/incident_response.md is missing',
  }),
];

const yellow: readonly Turn[] = [
  turn(
    'P95 of an order is 400 ms, above its target',
    metric({
      aurora_order_submit_latency_seconds: latency(0.975),
    }),
    {},
    GO,
  ),
  turn('P95 of an order is 600 ms', SLOW, { order_latency: 'Order latency P95 600 ms' }, GO),
  turn(
    '94 % of the orders are filled',
    metric({ aurora_orders_filled_total: { perSecond: 1_880 } }),
    {
      fill_rate: 'Fill rate 94 % (of ',
    },
    GO,
  ),
  turn(
    '600 MB of memory are used',
    metric({ process_resident_memory_bytes: { value: 600e6 } }),
    {
      memory: 'Memory 600 MB, below 512MB wanted',
    },
    GO,
  ),
  turn(
    '80 % of a core are used',
    metric({ process_cpu_seconds_total: { perSecond: 0.8 } }),
    {
      cpu: 'CPU 80 %, below 70% wanted',
    },
    GO,
  ),
  turn('2 tests are flaky', file('artifacts/junit/integration.xml', flaky(2)), {}, GO),
  turn(
    '3 tests are flaky',
    file('artifacts/junit/integration.xml', flaky(3)),
    {
      flaky_tests: '3 flaky tests, at most 2 wanted',
    },
    GO,
  ),
  turn(
    'flaky tests are not written down',
    gone('docs/flaky_tests.md'),
    {
      flaky_tests: 'docs/flaky_tests.md is missing',
    },
    GO,
  ),
  turn('tests take 16 minutes', RUNTIME, { test_runtime: 'took 16m40s, at most 15m wanted' }, GO),
  turn(
    'no debt is written down',
    NO_DEBT,
    {
      coverage_gaps: 'docs/technical_debt.md is missing',
    },
    GO,
  ),
  turn(
    'the runbook has no rollback',
    {
      files: { 'docs/deployment_runbook.md': '# Deployment\n# Troubleshooting\n' },
    },
    { runbook: 'docs/deployment_runbook.md lacks "Rollback"' },
    GO,
  ),
  turn(
    'common issues are not in the runbook',
    NO_TROUBLE,
    {
      troubleshooting: 'docs/deployment_runbook.md lacks "Troubleshooting"',
    },
    GO,
  ),
];

const MITIGATION = `mitigations:
  - criterion: coverage_gaps
    by: Ada Lovelace
    reason: The list is being written, AUR-120
    until: 2099-12-31

decision:`;
const THREE = { files: { ...NO_DEBT.files, ...NO_TROUBLE.files, ...RUNTIME.files } };
const OPEN = { coverage_gaps: 'missing', troubleshooting: 'lacks', test_runtime: '16m40s' };
const several: readonly Turn[] = [
  turn(
    'two yellows are open',
    { files: { ...NO_DEBT.files, ...RUNTIME.files } },
    {
      coverage_gaps: 'missing',
      test_runtime: '16m40s',
    },
    GO,
  ),
  turn('three yellows are open', THREE, OPEN),
  turn(
    'three yellows are open, of which one is mitigated in writing',
    {
      ...THREE,
      gate: [['decision:', MITIGATION]],
    },
    { ...OPEN, coverage_gaps: 'mitigated by Ada Lovelace until 2100-01-01' },
    GO,
  ),
  turn(
    'of three open yellows, one was mitigated until last year',
    {
      ...THREE,
      gate: [['decision:', MITIGATION.replace('2099', '2025')]],
    },
    { ...OPEN, coverage_gaps: 'the mitigation by Ada Lovelace has expired on 2026-01-01' },
  ),
  turn(
    'nobody trades, which two lines cannot judge',
    metric({
      aurora_order_submit_latency_seconds: { perSecond: 0, buckets: { '0.1': 1 } },
      aurora_orders_submitted_total: { perSecond: 0 },
      aurora_orders_filled_total: { perSecond: 0 },
    }),
    { order_latency: 'too_few', fill_rate: 'too_few' },
    { ...UNKNOWN, ...GO },
  ),
  turn(
    'Prometheus is dead',
    { telemetry: { aurora: 'down' } },
    {
      order_latency: 'unreachable',
      fill_rate: 'unreachable',
      memory: 'unreachable',
      cpu: 'unreachable',
    },
    UNKNOWN,
  ),
];

export const auroraTestnet: Suite = {
  setup: {
    gate: 'aurora-testnet',
    version: 'v2.1.0',
    parameters: { deploy_capital: 100_000, expected_positions: 10 },
    sites: ['api'],
    world: (at) => world(at.host('api')),
  },
  turns: [...quality, ...tests, ...infrastructure, ...audit, ...papers, ...yellow, ...several],
};
