// Many deploys of one service, watched by one canaryd: the service is a process of its own, and each
// deploy an environment of the shipped Aurora policy, so that all are watched at once.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';
import { endChild } from './child.ts';
import type { Canaryd } from './daemon.ts';

const SERVICE = fileURLToPath(new URL('../bench/many-deploys.ts', import.meta.url));
const AURORA = fileURLToPath(new URL('../../config/policies/aurora.yaml', import.meta.url));
/** Of every deploy. */
export const PARAMETERS = { deploy_capital: 100_000, expected_positions: 10 } as const;
const STARTS_AT_ONCE = 16;

export const deployName = (index: number) => `d${String(index).padStart(4, '0')}`;

export async function startManyDeploys(deploys: number) {
  const child = spawn(process.execPath, [SERVICE, String(deploys)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the service ended: ${code}`))),
  ])) as [string];
  const host = `127.0.0.1:${line}`;
  return {
    host,
    pid: child.pid ?? 0,
    post: async (path_: string) => {
      const answer = await fetch(`http://${host}/${path_}`, { method: 'POST' });
      await answer.body?.cancel();
    },
    /** How often its health was asked for. */
    async healthRequests(): Promise<number> {
      const answer = await fetch(`http://${host}/counts`);
      return ((await answer.json()) as { health: number }).health;
    },
    async stop() {
      await endChild(child, 'SIGKILL');
    },
  };
}

export type ManyDeploys = Awaited<ReturnType<typeof startManyDeploys>>;

/** Value of a metric without labels, or the sum over all of them. */
export function sumOf(text: string, metric: string, labels = ''): number {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${metric}{`) || line.startsWith(`${metric} `))
    .filter((line) => line.includes(labels))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** The shipped policy, on this Prometheus; a deploy is an environment, so that all are watched at once. */
export function manyDeploysPolicy(
  host: string,
  receiver: string,
  set: readonly (readonly [readonly (string | number)[], unknown])[] = [],
): string {
  const document = parseDocument(readFileSync(AURORA, 'utf8'));
  document.deleteIn(['environment']);
  const changes: readonly (readonly [readonly (string | number)[], unknown])[] = [
    [['source'], 'prometheus'],
    [['match'], { deploy: '${environment}' }],
    [['indicators', 'health', 'http', 'url'], `http://${host}/health`],
    [['indicators', 'running_version', 'http', 'url'], `http://${host}/version`],
    [['on_stop', 0, 'disarm', 'webhook', 'url'], `${receiver}/disarm`],
    [['on_stop', 1, 'rollback', 'webhook', 'url'], `${receiver}/rollback`],
    ...set,
  ];
  for (const [path, value] of changes) document.setIn(path, value);
  return document.toString();
}

export async function metricsOf(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

/** From `first` on; resolves with the seconds that it took. */
export async function startWatches(
  canaryd: Canaryd,
  count: number,
  { first = 0, signal }: { readonly first?: number; readonly signal?: AbortSignal } = {},
): Promise<number> {
  const began = performance.now();
  let next = first;
  const work = async () => {
    for (let index = next; index < first + count; index = next) {
      signal?.throwIfAborted();
      next += 1;
      const { status, body } = await canaryd.post('/v1/watches', {
        service: 'aurora',
        environment: deployName(index),
        version: '2.0.0',
        previous_version: '1.0.0',
        parameters: PARAMETERS,
      });
      if (status !== 201) throw new Error(`start: ${status} ${JSON.stringify(body)}`);
    }
  };
  await Promise.all(Array.from({ length: STARTS_AT_ONCE }, work));
  return (performance.now() - began) / 1_000;
}
