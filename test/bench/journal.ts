// `npm run bench:journal`: decisions a second that the journal takes: a tick each, with its track and
// readings, and with every twentieth an event and a message. On SQLite, and on PostgreSQL with one
// replica and with three, each a process of its own.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startPostgres } from '../support/postgres.ts';
import { spreadOf, table } from './figures.ts';
import type { WriterResult, WriterTask } from './journal-writer.ts';

const { values: flags } = parseArgs({ options: { seconds: { type: 'string', default: '10' } } });
const SECONDS = Number(flags.seconds);
/** So many decisions are under way at once, all replicas together. */
const AT_ONCE = [1, 16, 96] as const;
const WRITER = fileURLToPath(new URL('journal-writer.ts', import.meta.url));

async function write(
  journal: WriterTask['journal'],
  replicas: number,
  atOnce: number,
): Promise<readonly WriterResult[]> {
  const children: ChildProcess[] = [];
  try {
    const results = Array.from({ length: replicas }, async (_, replica) => {
      const child = fork(WRITER);
      children.push(child);
      const task: WriterTask = {
        journal,
        replica,
        atOnce: Math.ceil(atOnce / replicas),
        seconds: SECONDS,
      };
      child.send(task);
      const [result] = (await once(child, 'message')) as [WriterResult];
      return result;
    });
    return await Promise.all(results);
  } finally {
    for (const child of children) child.kill();
  }
}

function rowOf(title: string, atOnce: number, results: readonly WriterResult[]): readonly string[] {
  const all = spreadOf(results.flatMap(({ tookMs }) => tookMs));
  const cpu = results.reduce((sum, result) => sum + result.cpuSeconds, 0);
  return [
    title,
    String(atOnce),
    (all.count / SECONDS).toFixed(0),
    `${all.median.toFixed(1)} / ${all.p99.toFixed(1)}`,
    ((1_000 * cpu) / all.count).toFixed(2),
  ];
}

const rows: (readonly string[])[] = [];
const folder = mkdtempSync(join(tmpdir(), 'canaryd-bench-journal-'));
try {
  for (const atOnce of AT_ONCE) {
    const path = join(folder, `${atOnce}.db`);
    rows.push(rowOf('SQLite', atOnce, await write({ sqlite: path }, 1, atOnce)));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const postgres = await startPostgres({ fsync: 'on', synchronous_commit: 'on' });
try {
  for (const replicas of [1, 3]) {
    for (const atOnce of AT_ONCE.filter((many) => many >= replicas)) {
      const database = `bench_${replicas}_${atOnce}`;
      await postgres.query(`CREATE DATABASE ${database}`);
      const url = URL.parse(postgres.url);
      if (url === null) throw new Error('no URL');
      url.pathname = `/${database}`;
      const results = await write(
        { postgres: `${url}`, password: postgres.password },
        replicas,
        atOnce,
      );
      const title = `PostgreSQL, ${replicas} replica${replicas === 1 ? '' : 's'}`;
      rows.push(rowOf(title, atOnce, results));
    }
  }
} finally {
  await postgres.stop();
}
const head = ['journal', 'at once', 'decisions a second', 'p50 / p99, ms', 'CPU ms each'];
process.stdout.write(`${table(head, rows)}\n`);
process.stdout.write(`machine: ${cpus().length} × ${cpus()[0]?.model ?? ''}, ${process.version}\n`);
