// The demo's config and policy: the shipped files with the addresses of the simulated world put in,
// and with ranges and waits that fit a minute.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';
import type { Ops } from './ops.ts';

const POLICY_PATH = fileURLToPath(new URL('../../config/policies/aurora.yaml', import.meta.url));

export type DemoFiles = {
  readonly configPath: string;
  readonly logPath: string;
  readonly env: Readonly<Record<string, string>>;
};

export async function writeDemoFiles(options: {
  readonly folder: string;
  readonly auroraUrl: string;
  readonly ops: Ops;
  /** null: canaryd reads the service's /metrics itself. */
  readonly prometheusUrl: string | null;
  readonly isHealthy: boolean;
}): Promise<DemoFiles> {
  const { folder, auroraUrl, ops, prometheusUrl } = options;
  const policies = join(folder, 'policies');
  await mkdir(policies, { recursive: true });
  await writeFile(join(policies, 'aurora.yaml'), await demoPolicy(options));
  const configPath = join(folder, 'canaryd.yaml');
  const source =
    prometheusUrl === null
      ? { scrape: { targets: [`${auroraUrl}/metrics`] } }
      : { prometheus: { url: prometheusUrl } };
  // JSON is YAML, too.
  const config = {
    listen: { host: '127.0.0.1', port: 0 },
    journal: { sqlite: { path: join(folder, 'canaryd.db') } },
    policies: ['policies/*.yaml'],
    sources: { aurora: source },
    stand_by: { every: '1s' },
    slack: { webhook: '$DEMO_SLACK_WEBHOOK' },
  };
  await writeFile(configPath, JSON.stringify(config, null, 2));
  return {
    configPath,
    logPath: join(folder, 'canaryd.log'),
    env: {
      DEMO_SLACK_WEBHOOK: ops.slackUrl,
      AURORA_DISARM_SECRET: ops.secret,
      AURORA_ROLLBACK_SECRET: ops.secret,
    },
  };
}

async function demoPolicy(options: {
  readonly auroraUrl: string;
  readonly ops: Ops;
  readonly isHealthy: boolean;
}): Promise<string> {
  const document = parseDocument(await readFile(POLICY_PATH, 'utf8'));
  const set = (path: readonly (string | number)[], value: unknown) => {
    document.setIn(path, value);
  };
  set(['interval'], '1s');
  // A minute is over before anybody is asked to sign.
  document.delete('sign_offs');
  // A minute of demo at 20 orders a second: ranges, minimums and waits that fit it.
  set(['indicators', 'fill_rate', 'over'], '10s');
  set(['windows', 0, 'stop', 'fill_rate', 'for'], '5s');
  set(['indicators', 'submit_latency_p99', 'over'], '15s');
  set(['indicators', 'submit_latency_p99', 'min_total'], 100);
  set(['indicators', 'submit_latency_p95', 'over'], '15s');
  set(['on_stop', 2, 'verify', 'within'], '1m');
  set(['indicators', 'health', 'http', 'url'], `${options.auroraUrl}/health`);
  set(['indicators', 'running_version', 'http', 'url'], `${options.auroraUrl}/health`);
  set(['on_stop', 0, 'disarm', 'webhook', 'url'], options.ops.disarmUrl);
  set(['on_stop', 1, 'rollback', 'webhook', 'url'], options.ops.rollbackUrl);
  if (options.isHealthy) {
    set(['windows', 0, 'until'], '15s');
    set(['windows', 1, 'until'], '25s');
    set(['windows', 2, 'until'], '5m');
    set(['windows', 2, 'for'], '5s');
  }
  return document.toString();
}
