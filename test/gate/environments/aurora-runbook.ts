// What turns each line of Aurora's runbook before the deploy. It has no yellow: all are NO-GO.
import { Client } from 'pg';
import { events, FLOWS, file, gone, LOG, old, twoTests } from './aurora-parts.ts';
import {
  API_KEY,
  AWS,
  BENCHMARKS,
  clusterJson,
  type Github,
  MUTATION,
  PYTHON,
  runs,
  startGithub,
  world,
} from './aurora-runbook-world.ts';
import type { Places } from './environment.ts';
import type { Suite, Turn } from './gate-suite.ts';
import {
  banditJson,
  benchmarkJson,
  coverageXml,
  jsonLines,
  junitXml,
  mutationJson,
  safetyJson,
} from './reports.ts';
import type { Change } from './world.ts';

type RunbookTurn = Turn<Github>;
const turn = (
  name: string,
  change: Change,
  turns: RunbookTurn['turns'],
  more: Partial<RunbookTurn> = {},
): RunbookTurn => ({ ...{ name, change, turns, decision: 'no_go' }, ...more });
const UNKNOWN = { outcome: 'unknown' } as const;

const says = (program: string, args: string, err: string, exit = 1): Change => ({
  programs: { [program]: [{ args, err, exit }] },
});
const CREDENTIALS =
  'Unable to locate credentials. You can configure credentials by "aws configure".';
const NO_CREDENTIALS = Object.values(AWS).map((args) => ({ args, exit: 253, err: CREDENTIALS }));
const DEAD_DATABASE = 'postgres://aurora:secret@127.0.0.1:1/aurora?sslmode=disable';

/** The one in the URL is no longer right. */
async function otherPassword({ postgres }: Places<Github>): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: postgres.url, ssl: false });
  await client.connect();
  await client.query("ALTER ROLE postgres PASSWORD 'another'");
  return async () => {
    await client.query(`ALTER ROLE postgres PASSWORD '${postgres.password}'`);
    await client.end();
  };
}

const prerequisites: readonly RunbookTurn[] = [
  turn(
    'AWS has no credentials',
    { programs: { aws: NO_CREDENTIALS } },
    {
      aws_credentials: 'exit code 253, 0 wanted: Unable to locate credentials',
      infrastructure_access: 'exit code 253, 0 wanted: Unable to locate credentials',
      ecr_push: 'exit code 253, 0 wanted: Unable to locate credentials',
    },
  ),
  turn('Docker does not run', says('docker', 'info', 'Cannot connect to the Docker daemon'), {
    docker_running: 'exit code 1, 0 wanted: Cannot connect to the Docker daemon',
  }),
  turn(
    'docker info hangs',
    {
      programs: { docker: [{ args: 'info', seconds: 60 }] },
      gate: [['[docker, info], timeout: 30s', '[docker, info], timeout: 500ms']],
    },
    { docker_running: 'not finished within 500ms, ended with all its children' },
    UNKNOWN,
  ),
  turn('Python is 3.9', says('python', PYTHON.version, ''), {
    python_version: 'command: exit code 1, 0 wanted',
  }),
  turn('packages are in conflict', says('python', PYTHON.packages, 'a requires b<2'), {
    python_version: 'command_2: exit code 1, 0 wanted: a requires b<2',
  }),
  turn(
    'the cluster is not active',
    {
      programs: { aws: [{ args: AWS.cluster, out: clusterJson('INACTIVE') }] },
    },
    { infrastructure_access: 'the output does not match "status": "ACTIVE"' },
  ),
  turn('there is no repository', says('aws', AWS.repository, 'RepositoryNotFoundException', 254), {
    ecr_push: 'exit code 254, 0 wanted: RepositoryNotFoundException',
  }),
  turn(
    'the database is down',
    { env: { DATABASE_URL: DEAD_DATABASE } },
    {
      database_access: 'connection refused',
    },
    UNKNOWN,
  ),
  turn(
    'the database refuses the password',
    {},
    { database_access: 'password authentication failed' },
    {
      ...UNKNOWN,
      alter: otherPassword,
    },
  ),
  turn(
    'Prometheus is not ready',
    {
      sites: { prometheus: { 'GET /-/ready': { status: 503 } } },
    },
    { monitoring_access: 'status 503' },
  ),
  turn(
    'Grafana is ill',
    { sites: { grafana: { 'GET /api/health': { status: 500 } } } },
    {
      monitoring_access: 'status 500',
    },
  ),
];

const withRuns = (now: () => ReturnType<typeof runs>): Partial<RunbookTurn> => ({
  alter: async ({ own }) => {
    own.github.setRuns(now());
    return async () => own.github.setRuns(runs());
  },
});
const ci: readonly RunbookTurn[] = [
  turn(
    'a workflow has failed',
    {},
    { ci_passed: 'tests.yml #1 ended with failure' },
    withRuns(() => runs({ conclusion: 'failure' })),
  ),
  turn(
    'a workflow is still running',
    {},
    { ci_passed: 'tests.yml #1 is in progress' },
    withRuns(() => runs({ status: 'in_progress' })),
  ),
  turn(
    'GitHub is down',
    {},
    { ci_passed: '127.0.0.1:' },
    {
      ...UNKNOWN,
      alter: async ({ own }) => {
        own.github.down();
        return async () => own.github.up();
      },
    },
  ),
  turn(
    'no workflow has run since yesterday',
    {},
    { ci_passed: 'no workflow has run on main' },
    {
      ...UNKNOWN,
      ...withRuns(() => runs().map((run) => ({ ...run, createdMs: run.createdMs - 86_400_000 }))),
    },
  ),
  turn(
    'the token of GitHub is refused',
    { env: { GITHUB_TOKEN: 'ghp_wrong' } },
    {
      ci_passed: 'HTTP 401: the token was refused',
    },
    UNKNOWN,
  ),
];

const reports: readonly RunbookTurn[] = [
  turn('90 % of the lines are covered', file('artifacts/coverage.xml', coverageXml(90, 88)), {
    coverage: 'lines 90 % (90 of 100), above 90% wanted',
  }),
  turn('85 % of the branches are covered', file('artifacts/coverage.xml', coverageXml(93, 85)), {
    coverage: 'branches 85 % (85 of 100), above 85% wanted',
  }),
  turn(
    'there is no coverage report',
    gone('artifacts/coverage.xml'),
    {
      coverage: 'artifacts/coverage.xml is missing',
    },
    UNKNOWN,
  ),
  turn(
    'the mutation score of risk is 80 %',
    file('artifacts/mutation.json', mutationJson({ ...MUTATION, risk: 80 })),
    { mutation_score: 'risk 80 %, above 80% wanted' },
  ),
  turn(
    'the mutation score is of the day before',
    old('artifacts/mutation.json', mutationJson(MUTATION)),
    {
      mutation_score: '1d1h old, at most 1d wanted',
    },
  ),
  turn('the XAI validator finds a fault', says('python', PYTHON.xai, 'line 12: no trace_id'), {
    xai_validation: 'command: exit code 1, 0 wanted: line 12: no trace_id',
  }),
  turn('the log of the session is of the day before', old(LOG, jsonLines(FLOWS)), {
    xai_validation: 'the newest event is 1d1h old, at most 1d wanted',
  }),
  turn('an event is not as in the schema', events({ ...FLOWS[0], price: 'high' }), {
    xai_validation: 'audit_log: 1 line is not valid (1 not as in the schema)',
  }),
  turn('bandit finds something high', file('artifacts/bandit.json', banditJson(['HIGH'])), {
    security_scan: 'scan: 1 high or worse, at most 0 wanted',
  }),
  turn('safety finds something high', file('artifacts/safety.json', safetyJson([7.5])), {
    security_scan: 'scan_2: 1 high or worse, at most 0 wanted',
  }),
  ...(['test_order_submit_latency', 'test_fill_processing', 'test_position_update'] as const).map(
    (name) =>
      turn(
        `${name} takes 600 ms`,
        file('artifacts/performance.json', benchmarkJson({ ...BENCHMARKS, [name]: 0.6 })),
        { benchmarks: `${name} 600 ms` },
      ),
  ),
  turn(
    'a benchmark was not run',
    file('artifacts/performance.json', benchmarkJson({})),
    {
      benchmarks: 'test_order_submit_latency is not in the report',
    },
    UNKNOWN,
  ),
  turn(
    'an integration test fails',
    file('artifacts/junit/integration.xml', junitXml(twoTests('integration', true))),
    { integration_tests: '1 of 2 tests failed, at most 0 wanted' },
  ),
];

const validation: readonly RunbookTurn[] = [
  turn(
    'AURORA_MODE is testnet',
    { env: { AURORA_MODE: 'testnet' } },
    {
      deploy_environment: 'AURORA_MODE has another value, "live" wanted',
    },
  ),
  turn(
    'ECR_REPO is not set',
    { env: { ECR_REPO: null } },
    {
      deploy_environment: 'ECR_REPO is not set',
    },
  ),
  turn('a smoke test fails', says('python', PYTHON.smoke, '1 failed, 5 passed'), {
    smoke_tests: 'exit code 1, 0 wanted: 1 failed, 5 passed',
  }),
  turn('the config is not valid', says('python', PYTHON.config, 'risk.limit: missing'), {
    config_valid: 'command: exit code 1, 0 wanted: risk.limit: missing',
  }),
  turn('the config does not load', says('python', PYTHON.load, 'KeyError: risk'), {
    config_valid: 'command_2: exit code 1, 0 wanted: KeyError: risk',
  }),
  turn('the tests here cover 88 %', says('python', PYTHON.coverage, 'Total coverage: 88.00%'), {
    coverage_run: 'exit code 1, 0 wanted: Total coverage: 88.00%',
  }),
  turn('mutants survive more than before', says('python', PYTHON.mutation, 'oms: -4.0'), {
    mutation_baseline: 'exit code 1, 0 wanted: oms: -4.0',
  }),
  turn(
    'REDIS_URL is not set',
    { env: { REDIS_URL: null } },
    {
      required_variables: 'REDIS_URL is not set',
    },
  ),
  turn(
    'DATABASE_URL is not set',
    { env: { DATABASE_URL: null } },
    {
      required_variables: 'DATABASE_URL is not set',
    },
    { also: { database_access: ['unknown', 'the secret $DATABASE_URL has no value'] } },
  ),
];

export const auroraRunbook: Suite<Github> = {
  setup: {
    gate: 'aurora-runbook',
    version: 'v2.1.0',
    sites: ['prometheus', 'grafana'],
    postgres: true,
    own: startGithub,
    world,
  },
  secrets: ({ own, postgres }) => [own.github.token, postgres.password, API_KEY],
  turns: [...prerequisites, ...ci, ...reports, ...validation],
};
