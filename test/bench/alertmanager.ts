// A real Alertmanager for benches: on a free port of loopback, with its data in a temporary folder.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endChild } from '../support/child.ts';
import { freePort } from '../support/free-port.ts';

const READY_TRIES = 400;
const NAMES = ['prometheus-alertmanager', 'alertmanager'];

/** Debian's name, or the project's own; null: it is not installed. */
export function alertmanagerBinary(): string | null {
  return NAMES.find((name) => spawnSync(name, ['--version']).status === 0) ?? null;
}

export function alertmanagerVersion(): string | null {
  const binary = alertmanagerBinary();
  if (binary === null) return null;
  const { stdout, stderr } = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  return /version (\S+)/.exec(`${stdout}${stderr}`)?.[1] ?? null;
}

/** @param config as in alertmanager.yml */
export async function startAlertmanager(config: object) {
  const binary = alertmanagerBinary();
  if (binary === null) throw new Error(`needs one of ${NAMES.join(', ')}`);
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-alertmanager-'));
  writeFileSync(join(folder, 'alertmanager.yml'), JSON.stringify(config));
  const port = await freePort();
  const child = spawn(
    binary,
    [
      `--config.file=${join(folder, 'alertmanager.yml')}`,
      `--storage.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ],
    { stdio: 'ignore' },
  );
  const stop = async () => {
    await endChild(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await untilReady(child, `http://127.0.0.1:${port}/-/ready`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { host: `127.0.0.1:${port}`, pid: child.pid ?? 0, stop };
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  for (let tries = 0; tries < READY_TRIES && child.exitCode === null; tries += 1) {
    const answer = await fetch(url).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('alertmanager ended, or was not ready within 20 s');
}
