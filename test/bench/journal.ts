// `npm run bench:journal`: decisions a second that the journal takes: a tick each, with its track and
// readings, and with every twentieth an event and a message. On SQLite, and on PostgreSQL with one
// replica and with three, each a process of its own.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { endChild } from '../support/child.ts';
import { hasPostgres, type PostgresServer, startPostgres } from '../support/postgres.ts';
import { spreadOf, table } from './figures.ts';
import type { WriterResult, WriterTask } from './journal-writer.ts';
import { machine, type Run, run } from './run.ts';

const { values: flags } = parseArgs({
  options: {
    /** Of each row. */
    seconds: { type: 'string', default: '10' },
    minutes: { type: 'string', default: '5' },
  },
});
const SECONDS = Number(flags.seconds);
/** So many decisions are under way at once, all replicas together. */
const AT_ONCE = [1, 16, 96] as const;
const WRITER = fileURLToPath(new URL('journal-writer.ts', import.meta.url));

async function write(
  signal: AbortSignal,
  journal: WriterTask['journal'],
  replicas: number,
  atOnce: number,
): Promise<readonly WriterResult[]> {
  await using stack = new AsyncDisposableStack();
  const results = Array.from({ length: replicas }, async (_, replica) => {
    const child = fork(WRITER);
    stack.defer(async () => void (await endChild(child)));
    const task: WriterTask = {
      journal,
      replica,
      atOnce: Math.ceil(atOnce / replicas),
      seconds: SECONDS,
    };
    child.send(task);
    const [result] = (await Promise.race([
      once(child, 'message', { signal }),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`a writer ended: ${code}`))),
    ])) as [WriterResult];
    return result;
  });
  return await Promise.all(results);
}

function rowOf(title: string, atOnce: number, results: readonly WriterResult[]): readonly string[] {
  const all = spreadOf(results.flatMap(({ tookMs }) => tookMs));
  const cpu = results.reduce((sum, result) => sum + result.cpuSeconds, 0);
  return [
    title,
    String(atOnce),
    (all.count / SECONDS).toFixed(0),
    `${all.median.toFixed(1)}, ${all.p99.toFixed(1)}`,
    ((1_000 * cpu) / all.count).toFixed(2),
    `${((100 * cpu) / SECONDS).toFixed(0)} %`,
  ];
}

async function onSqlite({ signal }: Run): Promise<readonly (readonly string[])[]> {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-bench-journal-'));
  try {
    const rows: (readonly string[])[] = [];
    for (const atOnce of AT_ONCE) {
      const path = join(folder, `${atOnce}.db`);
      rows.push(rowOf('SQLite', atOnce, await write(signal, { sqlite: path }, 1, atOnce)));
    }
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function onPostgres(
  { signal }: Run,
  { url: server, password, query }: PostgresServer,
): Promise<readonly (readonly string[])[]> {
  const rows: (readonly string[])[] = [];
  for (const replicas of [1, 3]) {
    for (const atOnce of AT_ONCE.filter((many) => many >= replicas)) {
      signal.throwIfAborted();
      const database = `bench_${replicas}_${atOnce}`;
      await query(`CREATE DATABASE ${database}`);
      const url = new URL(server);
      url.pathname = `/${database}`;
      const journal = { postgres: `${url}`, password };
      const results = await write(signal, journal, replicas, atOnce);
      const title = `PostgreSQL, ${replicas} replica${replicas === 1 ? '' : 's'}`;
      rows.push(rowOf(title, atOnce, results));
    }
  }
  return rows;
}

const LEGEND = [
  'Decisions: a tick of a watch with its track and readings; every twentieth has an event and a message, too. at once: so many',
  'watches have one under way, all replicas together. Each is on disk before it is answered. CPU: of the replicas, not of PostgreSQL.',
].join('\n');

async function journals(bench: Run): Promise<boolean> {
  const { say, note, stack } = bench;
  const rows = [...(await onSqlite(bench))];
  const versions: Record<string, string> = {};
  if (hasPostgres()) {
    const postgres = await startPostgres({ fsync: 'on', synchronous_commit: 'on' });
    stack.defer(() => postgres.stop());
    const [version] = await postgres.query('SHOW server_version');
    versions['PostgreSQL'] = String(version?.['server_version']);
    rows.push(...(await onPostgres(bench, postgres)));
  } else {
    note('PostgreSQL is left out: there are no binaries of it for this platform');
  }
  const head = ['journal', 'at once', 'decisions a second', 'p50, p99, ms', 'CPU ms each'];
  say(`${table([...head, 'CPU of a core'], rows)}\n`);
  say(`${LEGEND}\n`);
  say(machine(versions));
  return true;
}

await run(Number(flags.minutes), journals);
