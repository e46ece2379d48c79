// Lunia as its checklist wants it, on the host of production: a real checkout with a real tag, a
// report that is signed with a real key, real servers, PostgreSQL and Prometheus.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cobertura, dayAgo, junit, timeAgo, trivy, zap } from '../../support/tool-reports.ts';
import type { Places, Setup } from './environment.ts';
import { systemctl } from './programs.ts';
import { banditJson } from './reports.ts';
import type { World } from './world.ts';

const VERSION = 'v3.2.0';

/** A checkout of the release. */
export type LuniaOwn = {
  readonly checkout: string;
  git(...argv: readonly string[]): void;
  /** Somebody changes a file of it by hand. */
  edit(): void;
  stop(): Promise<void>;
};

async function startOwn(): Promise<LuniaOwn> {
  const checkout = mkdtempSync(join(tmpdir(), 'canaryd-checkout-'));
  const git = (...argv: readonly string[]) => {
    const who = ['-c', 'user.name=ada', '-c', 'user.email=ada@example.com'];
    execFileSync('git', ['-C', checkout, ...who, ...argv], { stdio: 'ignore' });
  };
  git('init', '--quiet');
  writeFileSync(join(checkout, 'main.py'), 'print("lunia")\n');
  git('add', 'main.py');
  git('commit', '--quiet', '--message', 'release');
  git('tag', VERSION);
  return {
    checkout,
    git,
    edit: () => appendFileSync(join(checkout, 'main.py'), 'print("by hand")\n'),
    async stop() {
      rmSync(checkout, { recursive: true, force: true });
    },
  };
}

const KEYS = generateKeyPairSync('ed25519');
export const REPORT = 'docs/RELEASE_REPORT.md';

export function report({ days = 1, manager = `Ada King, ${dayAgo(1)}` } = {}): string {
  return `# Release\n\nRelease date: ${dayAgo(days)}\n\nApproval\nRelease Manager: ${manager}\n`;
}

/** The report and its signature. */
export function signedReport(text = report()): World['files'] {
  const signature = sign(null, Buffer.from(text), KEYS.privateKey).toString('base64');
  return { [REPORT]: text, [`${REPORT}.sig`]: `${signature}\n` };
}

export function perf(p99 = 140): string {
  return JSON.stringify({ timestamp: timeAgo(2), latency: { p99_ms: p99 } });
}

const suite = (name: string) => junit({ of: `tests.${name}.test_all` });

const FILES: World['files'] = {
  ...signedReport(),
  'keys/release.pub': KEYS.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  'scripts/verify_all.sh': { program: '#!/bin/sh\necho all verified\n' },
  'artifacts/verify/run-1.tar.gz': { body: 'archive', ageHours: 1 },
  'artifacts/junit/unit.xml': suite('unit'),
  'artifacts/junit/integration.xml': suite('integration'),
  'artifacts/junit/perf.xml': suite('perf'),
  'artifacts/junit/playwright.xml': suite('e2e'),
  'artifacts/perf.json': perf(),
  'artifacts/coverage.xml': cobertura(742),
  'artifacts/zap.json': zap([1, 0]),
  'artifacts/trivy.json': trivy(['HIGH', 'LOW']),
  'artifacts/bandit.json': banditJson(['LOW', 'MEDIUM']),
  'artifacts/audit/weekly-47.zip': { body: 'archive', ageHours: 72 },
  'artifacts/audit/quarterly-3.zip': { body: 'archive', ageHours: 24 * 52 },
  'artifacts/sbom.spdx.json': '{"spdxVersion":"SPDX-2.3","name":"lunia"}',
  'artifacts/backup/restore-test-7.json': { body: '{"complete":true}', ageHours: 24 * 9 },
  'docs/OPERATIONS_RUNBOOK.md': '# Operations\n',
};

export const SERVICES = ['core', 'api', 'sched', 'arb', 'bot'].map(
  (name) => `lunia_${name}.service`,
);
export const LOAD_TEST = 'tools/load_test.py --users 100 --orders 500';
export const COSIGN = `verify --key keys/cosign.pub registry.example.com/lunia:${VERSION}`;
export const DISKS = '--noheadings --output TYPE,MOUNTPOINT';
export const TAG = `rev-parse --verify --quiet refs/tags/${VERSION}^{commit}`;
export const DIFFERENCE = `diff --quiet refs/tags/${VERSION} --`;

function programs(checkout: string): World['programs'] {
  const git = ['/usr/bin/git', '-C', checkout];
  return {
    git: [TAG, DIFFERENCE].map((args) => ({ args, exec: git })),
    python: [{ args: LOAD_TEST, out: '500 orders, 0 errors\n' }],
    cosign: [{ args: COSIGN, out: 'The signatures were verified\n' }],
    lsblk: [{ args: DISKS, out: 'disk\npart  /\ncrypt [SWAP]\n' }],
    systemctl: [['crowdsec.service'], ['falco.service'], SERVICES].map((all) => systemctl(all)),
  };
}

export const METRICS = ['core_pnl 120', 'risk_exposure 0.4', 'request_duration_count 7'];

function worldAt({ host, postgres, own }: Places<LuniaOwn>): World {
  return {
    files: FILES,
    programs: programs(own.checkout),
    env: {
      DATABASE_URL: postgres.url,
      BINANCE_LIVE_TRADING: 'true',
      BINANCE_FORCE_MOCK: 'false',
      INFRA_PROD_ENABLED: 'true',
      FRONTEND_SIGNAL_HEALTH_ENABLED: 'true',
    },
    sites: {
      api: { 'GET /healthz': {}, 'GET /metrics': { body: `${METRICS.join('\n')}\n` } },
      firewall: {
        'GET /': { status: 403, body: 'Forbidden' },
        'GET /?q=hello': { body: '<html>' },
      },
      vault: { 'GET /v1/sys/health': { body: { initialized: true, sealed: false } } },
      redis: {},
      llm: { 'GET /v1/models': { body: { data: [] } } },
    },
    telemetry: {
      lunia: {
        series: {
          lunia_sharpe_ratio_90d: { value: 1.6 },
          lunia_hit_rate_ratio: { value: 0.58 },
          lunia_explainability_score: { value: 8.4 },
          'lunia_unexplained_drawdown_ratio{strategy="trend"}': { value: 0.03 },
          'lunia_unexplained_drawdown_ratio{strategy="arbitrage"}': { value: 0.01 },
        },
      },
    },
    gate: [
      ['127.0.0.1:8000', host('api')],
      ['http://127.0.0.1/?q=', `http://${host('firewall')}/?q=`],
      ['127.0.0.1:8200', host('vault')],
      ['127.0.0.1:6379', host('redis')],
      ['127.0.0.1:11434', host('llm')],
    ],
  };
}

export const LUNIA: Setup<LuniaOwn> = {
  gate: 'lunia',
  version: VERSION,
  sites: ['api', 'firewall', 'vault', 'redis', 'llm'],
  postgres: true,
  own: startOwn,
  world: worldAt,
};
