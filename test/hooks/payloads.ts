// Events as the CI systems send them: short, with the fields that matter in their real places.
import type { HookSettings, Json } from '../../src/hooks/hook.ts';

export const ANY: HookSettings = { services: {}, environments: null };
export const SHA = '4f1c9e0a7b2d3c5e6f708192a3b4c5d6e7f80911';

/** A copy with other values at dotted paths; undefined removes. */
export function changed(payload: Json, changes: Readonly<Record<string, unknown>>): Json {
  const copy = structuredClone(payload) as Record<string, unknown>;
  for (const [path, value] of Object.entries(changes)) {
    const names = path.split('.');
    const last = names.pop() ?? '';
    const holder = names.reduce((at, name) => at[name] as Record<string, unknown>, copy);
    if (value === undefined) delete holder[last];
    else holder[last] = value;
  }
  return copy;
}

export const GITHUB_HEADERS = {
  'content-type': 'application/json',
  'user-agent': 'GitHub-Hookshot/0a1b2c3',
  'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
  'x-github-event': 'deployment_status',
} as const;

export const GITHUB: Json = {
  action: 'created',
  deployment_status: {
    id: 1115122403,
    state: 'success',
    creator: { login: 'github-actions[bot]', id: 41898282, type: 'Bot' },
    description: '',
    environment: 'production',
    environment_url: 'https://aurora.example',
    log_url: 'https://github.com/example-org/aurora/actions/runs/42/job/1',
    target_url: 'https://github.com/example-org/aurora/actions/runs/42/job/1',
    created_at: '2026-03-01T12:00:00Z',
    updated_at: '2026-03-01T12:00:00Z',
  },
  deployment: {
    id: 145988746,
    sha: SHA,
    ref: 'main',
    task: 'deploy',
    payload: {},
    environment: 'production',
    transient_environment: false,
    production_environment: true,
    creator: { login: 'octocat', id: 583231, type: 'User' },
    created_at: '2026-03-01T11:58:21Z',
  },
  repository: { id: 17273051, name: 'aurora', full_name: 'example-org/aurora', private: true },
  organization: { login: 'example-org' },
  sender: { login: 'github-actions[bot]' },
};

export const GITLAB_HEADERS = {
  'content-type': 'application/json',
  'idempotency-key': 'f5e5f430-f57b-4e6e-9fac-d9128cd7232f',
  'x-gitlab-event': 'Deployment Hook',
  'x-gitlab-instance': 'https://gitlab.example',
} as const;

export const GITLAB: Json = {
  object_kind: 'deployment',
  status: 'success',
  status_changed_at: '2026-03-01 13:00:00 +0100',
  deployment_id: 15,
  deployable_id: 796,
  deployable_url: 'https://gitlab.example/trading/core/aurora/-/jobs/796',
  environment: 'production',
  environment_tier: 'production',
  environment_external_url: 'https://aurora.example',
  project: { id: 30, name: 'aurora', path_with_namespace: 'trading/core/aurora' },
  ref: 'main',
  short_sha: SHA.slice(0, 8),
  user: { id: 1, name: 'Alice Example', username: 'alice', email: '[REDACTED]' },
  commit_url: `https://gitlab.example/trading/core/aurora/-/commit/${SHA}`,
  commit_title: 'Route orders by venue',
};

export const CDEVENT: Json = {
  context: {
    specversion: '0.5.1',
    id: '271069a8-fc18-44f1-b38f-9d70a1695819',
    source: '/event/source/deployer',
    type: 'dev.cdevents.service.deployed.0.3.0',
    timestamp: '2026-03-01T12:00:00Z',
  },
  subject: {
    id: 'aurora',
    source: '/event/source/deployer',
    content: {
      environment: { id: 'production' },
      artifactId: 'pkg:oci/aurora@sha256%3A4f1c9e0a?repository_url=registry.example/trading',
    },
  },
  customData: { previous_version: 'sha256:3333', parameters: { deploy_capital: 100_000 } },
  customDataContentType: 'application/json',
};

export const CDEVENT_HEADERS = {
  'content-type': 'application/json',
  'ce-specversion': '1.0',
  'ce-id': '271069a8-fc18-44f1-b38f-9d70a1695819',
  'ce-source': '/event/source/deployer',
  'ce-type': 'dev.cdevents.service.deployed.0.3.0',
  'ce-subject': 'aurora',
  'ce-time': '2026-03-01T12:00:00Z',
} as const;
