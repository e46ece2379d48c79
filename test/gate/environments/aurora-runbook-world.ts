// The world in which Aurora's runbook lets a deploy begin.
import { type FakeGithub, startFakeGithub } from '../../support/fake-github.ts';
import { FLOWS, LOG, SCHEMA, twoTests } from './aurora-parts.ts';
import type { Places, Service } from './environment.ts';
import {
  banditJson,
  benchmarkJson,
  coverageXml,
  jsonLines,
  junitXml,
  mutationJson,
  safetyJson,
} from './reports.ts';
import type { World } from './world.ts';

const HOUR_MS = 3_600_000;

/** GitHub's API, with the runs of two workflows. */
export type Github = Service & { readonly github: FakeGithub };

export async function startGithub(): Promise<Github> {
  const github = await startFakeGithub();
  github.setRuns(runs());
  return { github, stop: () => github.close() };
}

export const runs = ({ conclusion = 'success', status = 'completed' } = {}) => [
  { file: 'tests.yml', conclusion, status, createdMs: Date.now() - 2 * HOUR_MS },
  { file: 'quality.yml', conclusion: 'success', createdMs: Date.now() - 2 * HOUR_MS },
];

export const API_KEY = 'key-of-aurora-4711';

export const AWS = {
  identity: 'sts get-caller-identity',
  cluster: 'ecs describe-clusters --clusters aurora-testnet',
  repository: 'ecr describe-repositories --repository-names aurora',
};
export const PYTHON = {
  version: '-c import sys; sys.exit(sys.version_info < (3, 11))',
  packages: '-m pip check',
  xai: 'tools/check_xai.py --validate-events',
  smoke: '-m pytest tests/smoke/ -v',
  config: 'tools/validate_config.py --env testnet',
  load: "-c from common.config import load_config; load_config('configs/testnet.yaml')",
  coverage: '-m pytest --cov=src --cov-report=term-missing --cov-fail-under=90',
  mutation:
    'scripts/run_mutation_tests.py --compare --baseline artifacts/baselines/mutation_baseline.json',
};
export const BENCHMARKS = {
  test_order_submit_latency: 0.21,
  test_fill_processing: 0.04,
  test_position_update: 0.011,
};
export const MUTATION = { oms: 86, positions: 84, risk: 90 };

export const clusterJson = (status: string): string =>
  `{\n    "clusters": [\n        {\n            "clusterName": "aurora-testnet",\n` +
  `            "status": "${status}"\n        }\n    ],\n    "failures": []\n}\n`;

export const world = (at: Places<Github>): World => ({
  files: {
    'artifacts/coverage.xml': coverageXml(93, 88),
    'artifacts/mutation.json': mutationJson(MUTATION),
    'artifacts/bandit.json': banditJson(['LOW', 'MEDIUM']),
    'artifacts/safety.json': safetyJson([3.1]),
    'artifacts/performance.json': benchmarkJson(BENCHMARKS),
    'artifacts/junit/integration.xml': junitXml(twoTests('integration'), 180),
    [LOG]: jsonLines(FLOWS),
    'observability/aurora_event.schema.json': JSON.stringify(SCHEMA),
  },
  programs: {
    aws: [
      { args: AWS.identity, out: '{\n    "Account": "123456789012"\n}\n' },
      { args: AWS.cluster, out: clusterJson('ACTIVE') },
      { args: AWS.repository, out: '{\n    "repositories": [{"repositoryName": "aurora"}]\n}\n' },
    ],
    docker: [{ args: 'info', out: 'Server:\n Containers: 2\n Server Version: 27.3.1\n' }],
    python: [
      { args: PYTHON.version },
      { args: PYTHON.packages, out: 'No broken requirements found.\n' },
      { args: PYTHON.xai, out: '40 events, all valid\n' },
      { args: PYTHON.smoke, out: '===== 6 passed in 1.20s =====\n' },
      { args: PYTHON.config, out: 'configs/testnet.yaml: OK\n' },
      { args: PYTHON.load },
      { args: PYTHON.coverage, out: 'Required test coverage of 90% reached.\n' },
      { args: PYTHON.mutation, out: 'oms: 86.0 (+0.4)\n' },
    ],
  },
  env: {
    ...{ AWS_REGION: 'eu-central-1', ECR_REPO: 'aurora', AWS_PROFILE: 'testnet' },
    ...{ AURORA_ENV: 'testnet', AURORA_MODE: 'live', AURORA_API_KEY: API_KEY },
    ...{ DATABASE_URL: at.postgres.url, REDIS_URL: 'redis://127.0.0.1:6379/0' },
    GITHUB_TOKEN: at.own.github.token,
  },
  sites: {
    prometheus: { 'GET /-/ready': { body: 'Prometheus Server is Ready.\n' } },
    grafana: { 'GET /api/health': { body: { database: 'ok', version: '11.3.0' } } },
  },
  telemetry: {},
  gate: [
    ['prometheus.testnet.aurora.internal', at.host('prometheus')],
    ['grafana.testnet.aurora.internal', at.host('grafana')],
    // The host of GitHub's API, which the gate takes as it is.
    [
      'repository: example-org/aurora',
      `repository: ${at.own.github.repository}\n            api: "${at.own.github.url}"`,
    ],
  ],
});
