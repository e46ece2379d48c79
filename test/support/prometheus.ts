// A real Prometheus for tests: on a free port of loopback, with its data in a temporary folder.
// Also history made at once: samples with times of their own, so that nothing waits for scrapes.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { SeriesSet } from '../../src/core/series.ts';
import { endChild } from './child.ts';

const READY_WITHIN_MS = 20_000;

/** How Prometheus calls its release; null: it is not installed. */
export function prometheusVersion(): string | null {
  const { stdout } = spawnSync('prometheus', ['--version'], { encoding: 'utf8' });
  return /version (\S+)/.exec(stdout ?? '')?.[1] ?? null;
}

/** Both binaries; packages name them `prometheus` and `promtool`. */
export function hasPrometheus(): boolean {
  return ['prometheus', 'promtool'].every(
    (binary) => spawnSync(binary, ['--version']).status === 0,
  );
}

export type PrometheusServer = {
  readonly url: string;
  readonly pid: number;
  /** Ends the process and drops its data. */
  stop(): Promise<void>;
  /** Ends the process and starts it again: same port, same data. */
  restart(): Promise<void>;
  /** Ends the process only; `restart` brings it back. */
  halt(): Promise<void>;
};

export type PrometheusSetup = {
  /** `host:port` of what is scraped, as job `app`. */
  readonly targets?: readonly string[];
  /** Instead of `targets`: scrape configs as in prometheus.yml. */
  readonly scrapeConfigs?: readonly object[];
  /** Default 1s; rules are evaluated at the same pace. */
  readonly scrapeInterval?: string;
  /** More of prometheus.yml: `rule_files`, `alerting`. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Path under which everything is served, such as `/prometheus`. */
  readonly pathPrefix?: string;
  /** More on its command line: `--query.max-samples=1000`. */
  readonly flags?: readonly string[];
  /** The whole history, instead of scraping. */
  readonly history?: SeriesSet['series'];
};

export async function startPrometheus(setup: PrometheusSetup = {}): Promise<PrometheusServer> {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-prometheus-'));
  const configPath = join(folder, 'prometheus.yml');
  // JSON is YAML.
  writeFileSync(configPath, JSON.stringify(configOf(setup)));
  if (setup.history) createBlocks(folder, openMetricsOf(setup.history));
  const prefix = setup.pathPrefix ?? '';

  async function start(port: number) {
    const child = spawn('prometheus', [
      `--config.file=${configPath}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      '--storage.tsdb.retention.time=10y',
      `--web.listen-address=127.0.0.1:${port}`,
      ...(prefix === '' ? [] : [`--web.route-prefix=${prefix}`]),
      ...(setup.flags ?? []),
    ]);
    try {
      const listeningPort = await portOf(child);
      await untilReady(`http://127.0.0.1:${listeningPort}${prefix}/-/ready`);
      return { child, port: listeningPort };
    } catch (error) {
      await endChild(child);
      throw error;
    }
  }

  let running: Awaited<ReturnType<typeof start>>;
  try {
    running = await start(0);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    url: `http://127.0.0.1:${running.port}${prefix}`,
    get pid() {
      return running.child.pid ?? 0;
    },
    async stop() {
      await endChild(running.child);
      rmSync(folder, { recursive: true, force: true });
    },
    async restart() {
      await endChild(running.child);
      running = await start(running.port);
    },
    async halt() {
      await endChild(running.child);
    },
  };
}

function configOf({ targets, scrapeConfigs, scrapeInterval = '1s', config }: PrometheusSetup) {
  const app = { job_name: 'app', static_configs: [{ targets: targets ?? [] }] };
  return {
    global: {
      scrape_interval: scrapeInterval,
      scrape_timeout: scrapeInterval,
      evaluation_interval: scrapeInterval,
    },
    scrape_configs: scrapeConfigs ?? (targets ? [app] : []),
    ...config,
  };
}

/** The port is chosen by the system; Prometheus says it in its log. */
async function portOf(child: ChildProcess): Promise<number> {
  const lines: string[] = [];
  if (child.stderr === null) throw new Error('prometheus has no log');
  const log = createInterface({ input: child.stderr });
  const found = new Promise<number>((resolve, reject) => {
    log.on('line', (line) => {
      lines.push(line);
      const port = /msg="Listening on" address=\S+:(\d+)/.exec(line)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`prometheus ended:\n${lines.slice(-5).join('\n')}`)));
  });
  return found;
}

async function untilReady(url: string): Promise<void> {
  const deadlineMs = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadlineMs) {
    const answer = await fetch(url).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`prometheus was not ready within ${READY_WITHIN_MS} ms`);
}

function createBlocks(folder: string, openMetrics: string): void {
  const path = join(folder, 'history.om');
  writeFileSync(path, openMetrics);
  const made = spawnSync(
    'promtool',
    ['tsdb', 'create-blocks-from', 'openmetrics', path, join(folder, 'data')],
    { encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`promtool: ${made.stderr}`);
}

/** Series as OpenMetrics text with a time on each sample; all of them untyped. */
export function openMetricsOf(series: SeriesSet['series']): string {
  const lines: string[] = [];
  const byMetric = Map.groupBy(series, ({ metric }) => metric);
  for (const [metric, all] of byMetric) {
    lines.push(`# TYPE ${metric} unknown`);
    for (const { labels, points } of all) {
      const pairs = Object.entries(labels).map(
        ([name, value]) => `${name}=${JSON.stringify(value)}`,
      );
      for (const [atMs, value] of points) {
        lines.push(
          `${metric}{${pairs.join(',')}} ${numberText(value)} ${(atMs / 1_000).toFixed(3)}`,
        );
      }
    }
  }
  return `${lines.join('\n')}\n# EOF\n`;
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}
