// canaryd as its operator runs it: a process of its own, started from files, spoken to over HTTP,
// and killed without warning when a test wants it so.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';
import { endChild } from './child.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const AURORA = fileURLToPath(new URL('../../config/policies/aurora.yaml', import.meta.url));
const PACKAGE = fileURLToPath(new URL('../../package.json', import.meta.url));
const READY_WITHIN_MS = 15_000;
const ENDED_WITHIN_MS = 15_000;

/** What stands between `node` and `src/main.ts` in the script that users start. */
export function nodeFlagsOf(startScript: string): readonly string[] {
  const between = /\bnode\s+(.*?)\s*src\/main\.ts\b/.exec(startScript)?.[1];
  if (between === undefined) throw new Error(`no "node … src/main.ts" in: ${startScript}`);
  return between.split(/\s+/).filter((flag) => flag !== '');
}

/** Node flags of `npm start`: tests and benches run what users run. */
export const NODE_FLAGS = nodeFlagsOf(
  (JSON.parse(readFileSync(PACKAGE, 'utf8')) as { scripts: { start: string } }).scripts.start,
);

export type Setup = {
  /** Fields of canaryd.yaml; listen, journal and policies have defaults. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Policy files by name, without `.yaml`. */
  readonly policies: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
};

export type Answer = { readonly status: number; readonly body: Record<string, unknown> };

export type WireWatch = {
  readonly id: string;
  readonly phase: string;
  readonly active: boolean;
  readonly verification: string;
  readonly reason: string | null;
  readonly mode: string;
  readonly armed: { readonly seen: number; readonly total: number };
  readonly conditions: readonly {
    readonly condition: string;
    readonly state: string;
    readonly text: string;
    readonly blind_reason: string | null;
    readonly pre_existing: boolean;
  }[];
};

export type Canaryd = {
  readonly url: string;
  readonly folder: string;
  readonly pid: number;
  /** Everything the process wrote, all lives together. */
  readonly log: () => string;
  get(path: string): Promise<Answer>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  watch(id: string): Promise<WireWatch>;
  /** Types of the watch's journal events, in order. */
  journal(id: string): Promise<readonly string[]>;
  /** SIGKILL, and wait until the process is gone. */
  kill9(): Promise<void>;
  /** The same files and journal, a new process. */
  start(): Promise<void>;
  /** SIGTERM; the exit code. */
  end(): Promise<number | null>;
  /** Ends the process and drops its files. */
  dispose(): Promise<void>;
};

/** Writes the files and starts the daemon; resolves when its API answers. */
export async function startCanaryd(setup: Setup): Promise<Canaryd> {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-e2e-'));
  mkdirSync(join(folder, 'policies'));
  for (const [name, text] of Object.entries(setup.policies)) {
    writeFileSync(join(folder, 'policies', `${name}.yaml`), text);
  }
  const config = {
    listen: { port: 0 },
    journal: { sqlite: { path: 'canaryd.db' } },
    policies: ['policies/*.yaml'],
    stand_by: { every: '1s' },
    ...setup.config,
  };
  writeFileSync(join(folder, 'canaryd.yaml'), JSON.stringify(config));
  const life = { child: null as ChildProcess | null, url: '', log: '' };

  async function start(): Promise<void> {
    const args = [...NODE_FLAGS, MAIN, 'serve', '--config', join(folder, 'canaryd.yaml')];
    const env = { PATH: process.env['PATH'] ?? '', ...setup.env };
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    life.child = child;
    child.stderr.on('data', (chunk: Buffer) => {
      life.log += chunk.toString();
    });
    const listening = Promise.withResolvers<string>();
    createInterface({ input: child.stdout }).on('line', (line) => {
      life.log += `${line}\n`;
      const url = /"listening":"([^"]+)"/.exec(line)?.[1];
      if (url !== undefined) listening.resolve(url);
    });
    child.once('exit', (code) => {
      listening.reject(new Error(`canaryd ended with ${code}:\n${life.log.slice(-3_000)}`));
    });
    const tired = setTimeout(
      () => listening.reject(new Error(`canaryd is not ready:\n${life.log.slice(-3_000)}`)),
      READY_WITHIN_MS,
    );
    life.url = await listening.promise.finally(() => clearTimeout(tired));
  }

  async function kill(signal: NodeJS.Signals): Promise<number | null> {
    return life.child === null ? null : endChild(life.child, signal, ENDED_WITHIN_MS);
  }

  async function request(path: string, init?: RequestInit): Promise<Answer> {
    const answer = await fetch(`${life.url}${path}`, init);
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  }

  try {
    await start();
  } catch (error) {
    await kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    folder,
    get url() {
      return life.url;
    },
    get pid() {
      return life.child?.pid ?? 0;
    },
    log: () => life.log,
    get: (path) => request(path),
    post: (path, body, headers = {}) =>
      request(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
    watch: async (id) => (await request(`/v1/watches/${id}`)).body as unknown as WireWatch,
    journal: async (id) => {
      const { body } = await request(`/v1/watches/${id}/journal`);
      return (body['events'] as readonly { type: string }[]).map(({ type }) => type);
    },
    kill9: async () => {
      await kill('SIGKILL');
    },
    start,
    end: () => kill('SIGTERM'),
    dispose: async () => {
      await kill('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export type AuroraPolicy = {
  readonly service: string;
  readonly auroraUrl: string;
  readonly disarmUrl: string;
  readonly rollbackUrl: string;
  /** More changes to the shipped file: path and value; undefined removes. */
  readonly set?: readonly (readonly [path: readonly (string | number)[], value: unknown])[];
};

/**
 * The shipped Aurora policy, at a test's pace: ticks of a second, ranges of ten, and minimums that
 * twenty orders a second reach within one. Orders are filled after a second or two: the first range of
 * ten may show less than 80 %, and the fill rate is armed only then.
 */
export function auroraPolicy(options: AuroraPolicy): string {
  const document = parseDocument(readFileSync(AURORA, 'utf8'));
  const { service, auroraUrl, disarmUrl, rollbackUrl } = options;
  const ranges = document.getIn(['indicators']) as { items: { key: { value: string } }[] };
  const indicators = ranges.items.map(({ key }) => key.value);
  const changes: (readonly [readonly (string | number)[], unknown])[] = [
    [['service'], service],
    [['interval'], '1s'],
    // Tests that shorten the windows end before anybody is asked.
    [['sign_offs'], undefined],
    [['blind'], { after: '3s' }],
    [['arm'], { within: '13s' }],
    [['indicators', 'health', 'http', 'url'], `${auroraUrl}/health`],
    [['indicators', 'running_version', 'http', 'url'], `${auroraUrl}/version`],
    [['on_stop', 0, 'disarm', 'webhook', 'url'], disarmUrl],
    [['on_stop', 1, 'rollback', 'webhook', 'url'], rollbackUrl],
    ...indicators
      .filter((name) => document.hasIn(['indicators', name, 'over']))
      .map((name) => [['indicators', name, 'over'], '10s'] as const),
    [['windows', 0, 'stop', 'fill_rate', 'for'], '4s'],
    [['indicators', 'submit_latency_p99', 'min_total'], 20],
    [['indicators', 'submit_latency_p95', 'min_total'], 20],
    ...(options.set ?? []),
  ];
  for (const [path, value] of changes) {
    if (value === undefined) document.deleteIn(path);
    else document.setIn(path, value);
  }
  return document.toString();
}

/** The body that starts a watch of the simulated service. */
export function aStart(service: string, over: Readonly<Record<string, unknown>> = {}) {
  return {
    service,
    version: '2.1.0',
    previous_version: '2.0.0',
    parameters: { deploy_capital: 100_000, expected_positions: 10 },
    ...over,
  };
}
