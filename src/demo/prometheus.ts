// A real Prometheus for the demo, when one is installed on this machine: it scrapes the simulated
// service every second and ends with the demo.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { delimiter, join } from 'node:path';
import { systemClock } from '../kit/clock.ts';
import { send } from '../kit/http.ts';
import { listen } from './server.ts';

const READY_WITHIN_MS = 20_000;
const STOP_WITHIN_MS = 5_000;

export type LocalPrometheus = { readonly url: string; stop(): Promise<void> };

export async function findPrometheus(): Promise<string | null> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'prometheus');
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

export async function startLocalPrometheus(
  binary: string,
  targetUrl: string,
  folder: string,
  signal: AbortSignal,
): Promise<LocalPrometheus> {
  const data = join(folder, 'prometheus');
  await mkdir(data, { recursive: true });
  const configPath = join(data, 'prometheus.yml');
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: [
      {
        job_name: 'aurora',
        // Labels of the service such as `job` are those that a policy means.
        honor_labels: true,
        static_configs: [{ targets: [new URL(targetUrl).host] }],
      },
    ],
  };
  await writeFile(configPath, JSON.stringify(config));
  const port = await freePort();
  const child = spawn(
    binary,
    [
      `--config.file=${configPath}`,
      `--storage.tsdb.path=${join(data, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  const url = `http://127.0.0.1:${port}`;
  try {
    await untilReady(url, child, signal);
  } catch (error) {
    await stop(child);
    throw error;
  }
  return { url, stop: () => stop(child) };
}

async function freePort(): Promise<number> {
  const listening = await listen(createServer(), 0, '127.0.0.1');
  await listening.close();
  return listening.port;
}

async function untilReady(url: string, child: ChildProcess, signal: AbortSignal): Promise<void> {
  const until = systemClock.now() + READY_WITHIN_MS;
  while (systemClock.now() < until && isRunning(child)) {
    if (await hasScraped(url)) return;
    await systemClock.sleep(200, signal);
  }
  // Ctrl-C in a terminal reaches the child, too.
  signal.throwIfAborted();
  throw new Error('Prometheus did not become ready');
}

/** It answers seconds before it scrapes for the first time: a look at "before" would find nothing. */
async function hasScraped(url: string): Promise<boolean> {
  const request = { method: 'GET', url: `${url}/api/v1/query?query=up`, timeoutMs: 1_000 } as const;
  const answer = await send({ ...request, responseBytesMax: 10_000 });
  if (answer.kind !== 'answered' || answer.status !== 200) return false;
  const { data } = JSON.parse(answer.body) as {
    readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
  };
  return data.result.some(({ value }) => value[1] === '1');
}

const isRunning = ({ exitCode, signalCode }: ChildProcess) =>
  exitCode === null && signalCode === null;

async function stop(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  // Ended early, or it would keep the process for as long.
  const patience = new AbortController();
  systemClock.sleep(STOP_WITHIN_MS, patience.signal).then(
    () => child.kill('SIGKILL'),
    () => undefined,
  );
  await exited;
  patience.abort();
}
