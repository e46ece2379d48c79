// The service of `npm run bench:capacity` as a process of its own, and the shipped policy on it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';
import { endChild } from '../support/child.ts';

const SERVICE = fileURLToPath(new URL('many-deploys.ts', import.meta.url));
const AURORA = fileURLToPath(new URL('../../config/policies/aurora.yaml', import.meta.url));

export type ManyDeploys = Awaited<ReturnType<typeof startManyDeploys>>;

export async function startManyDeploys(deploys: number) {
  const child = spawn(process.execPath, [SERVICE, String(deploys)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [port] = (await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the service ended: ${code}`))),
  ])) as [string];
  const host = `127.0.0.1:${port}`;
  return {
    host,
    async turnBad(deploy: string): Promise<void> {
      const answer = await fetch(`http://${host}/fault/${deploy}`, { method: 'POST' });
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

/** The shipped policy, on this Prometheus; a deploy is an environment, so that all are watched at once. */
export function auroraText(host: string, receiver: string): string {
  const document = parseDocument(readFileSync(AURORA, 'utf8'));
  document.deleteIn(['environment']);
  const changes: readonly (readonly [readonly (string | number)[], unknown])[] = [
    [['source'], 'prometheus'],
    [['match'], { deploy: '${environment}' }],
    [['indicators', 'health', 'http', 'url'], `http://${host}/health`],
    [['indicators', 'running_version', 'http', 'url'], `http://${host}/version`],
    [['on_stop', 0, 'disarm', 'webhook', 'url'], `${receiver}/disarm`],
    [['on_stop', 1, 'rollback', 'webhook', 'url'], `${receiver}/rollback`],
  ];
  for (const [path, value] of changes) document.setIn(path, value);
  return document.toString();
}
