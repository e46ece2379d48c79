// `npm run bench:capacity`: so many watches of the Aurora policy every 5 s on one real Prometheus.
// For each number: how late ticks begin, CPU and memory of canaryd, what it asks of Prometheus and
// what that costs there, how the journal grows, how fast one breach among them reaches the receiver,
// and how soon all are judged again after a restart. Beside it the same conditions as alert rules.
import { statSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startCanaryd } from '../support/daemon.ts';
import {
  deployName,
  manyDeploysPolicy,
  metricsOf,
  startManyDeploys,
  startWatches,
  sumOf,
} from '../support/many-deploys.ts';
import { startPrometheus } from '../support/prometheus.ts';
import { startArrivals } from './arrivals.ts';
import { cpuSeconds, residentMegabytes, table } from './figures.ts';

const { values: flags } = parseArgs({
  options: {
    watches: { type: 'string', default: '1,10,100,1000,3000' },
    seconds: { type: 'string', default: '60' },
    'cpu-profile': { type: 'string' },
  },
});
const LEVELS = flags.watches.split(',').map(Number);
const MEASURE_MS = Number(flags.seconds) * 1_000;
/** Ranges of a minute hold enough orders then, and the time before the deploy is known. */
const WARM_UP_MS = 20_000;
const SETTLE_MS = 15_000;
const SCRAPE = '5s';
const RESUMED_WITHIN_MS = 120_000;
const TOLD_WITHIN_MS = 60_000;

const say = (line: string) => void process.stdout.write(`${line}\n`);
const note = (line: string) => void process.stderr.write(`${line}\n`);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Upper edge of the bucket in which so many observations lie, of what was observed in between. */
function bucketQuantile(before: string, after: string, metric: string, q: number): string {
  const edges = [...after.matchAll(new RegExp(`^${metric}_bucket\\{.*?le="([^"]+)".*?\\} `, 'gm'))];
  const all = sumOf(after, `${metric}_count`) - sumOf(before, `${metric}_count`);
  for (const [, edge = ''] of edges) {
    const label = `le="${edge}"`;
    const count =
      sumOf(after, `${metric}_bucket`, label) - sumOf(before, `${metric}_bucket`, label);
    if (count >= q * all) return edge === '+Inf' ? 'more' : `≤ ${Number(edge) * 1_000}`;
  }
  return '?';
}

function journalBytes(folder: string): number {
  return ['canaryd.db', 'canaryd.db-wal'].reduce((sum, name) => {
    const stat = statSync(join(folder, name), { throwIfNoEntry: false });
    return sum + (stat?.size ?? 0);
  }, 0);
}

async function untilArrived(first: () => number | undefined): Promise<number | null> {
  const deadline = Date.now() + TOLD_WITHIN_MS;
  while (Date.now() < deadline) {
    const at = first();
    if (at !== undefined) return at;
    await sleep(20);
  }
  return null;
}

async function level(count: number): Promise<readonly string[]> {
  await using stack = new AsyncDisposableStack();
  const service = await startManyDeploys(count);
  stack.defer(() => service.stop());
  const prometheus = await startPrometheus({ targets: [service.host], scrapeInterval: SCRAPE });
  stack.defer(() => prometheus.stop());
  const arrivals = await startArrivals();
  stack.defer(() => arrivals.stop());
  const policy = manyDeploysPolicy(service.host, arrivals.url);
  const secret = 'whsec_YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2g=';
  const canaryd = await startCanaryd({
    config: { sources: { prometheus: { prometheus: { url: prometheus.url } } } },
    policies: { aurora: policy },
    env: {
      AURORA_DISARM_SECRET: secret,
      AURORA_ROLLBACK_SECRET: secret,
      ...(flags['cpu-profile'] === undefined
        ? {}
        : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${flags['cpu-profile']}` }),
    },
  });
  stack.defer(() => canaryd.dispose());
  await sleep(WARM_UP_MS);
  const startedIn = await startWatches(canaryd, count);
  note(`${count} watches: started in ${startedIn.toFixed(1)} s`);
  await sleep(SETTLE_MS);

  const seen = async () => ({
    atMs: performance.now(),
    own: cpuSeconds(canaryd.pid),
    theirs: cpuSeconds(prometheus.pid),
    metrics: await metricsOf(canaryd.url),
    prometheus: await metricsOf(prometheus.url),
    bytes: journalBytes(canaryd.folder),
  });
  const before = await seen();
  await sleep(MEASURE_MS);
  const after = await seen();
  const seconds = (after.atMs - before.atMs) / 1_000;
  const grown = (name: string, labels = '') =>
    sumOf(after.metrics, name, labels) - sumOf(before.metrics, name, labels);
  const asked = (name: string) => {
    const labels = 'handler="/api/v1/query"';
    return sumOf(after.prometheus, name, labels) - sumOf(before.prometheus, name, labels);
  };
  const ticks = grown('canaryd_tick_lag_seconds_count');
  const lag = (q: number) =>
    bucketQuantile(before.metrics, after.metrics, 'canaryd_tick_lag_seconds', q);
  const ownCpu = after.own - before.own;
  const theirCpu = after.theirs - before.theirs;
  const memory = residentMegabytes(canaryd.pid);

  const victim = deployName(Math.floor(count / 2));
  await service.post(`fault/${victim}`);
  const faultMs = Date.now();
  const told = await untilArrived(() => arrivals.first('aurora', victim));

  await canaryd.kill9();
  const resumeFrom = performance.now();
  await canaryd.start();
  const readyMs = performance.now() - resumeFrom;
  let resumedMs: number | null = null;
  while (performance.now() - resumeFrom < RESUMED_WITHIN_MS) {
    const judged = sumOf(await metricsOf(canaryd.url), 'canaryd_tick_lag_seconds_count');
    if (judged >= count - 1) {
      resumedMs = performance.now() - resumeFrom;
      break;
    }
    await sleep(50);
  }
  return [
    String(count),
    `${((100 * ticks * 5) / (count * seconds)).toFixed(0)} %`,
    `${lag(0.5)} / ${lag(0.99)}`,
    `${((100 * ownCpu) / seconds).toFixed(1)} %`,
    ((1_000 * ownCpu) / ticks).toFixed(2),
    memory.toFixed(0),
    (asked('prometheus_http_request_duration_seconds_count') / ticks).toFixed(2),
    (asked('prometheus_http_response_size_bytes_sum') / ticks / 1_000).toFixed(1),
    `${((100 * theirCpu) / seconds).toFixed(1)} %`,
    ((after.bytes - before.bytes) / ticks / 1_000).toFixed(2),
    told === null ? 'never' : ((told - faultMs) / 1_000).toFixed(1),
    `${(readyMs / 1_000).toFixed(2)} / ${resumedMs === null ? 'never' : (resumedMs / 1_000).toFixed(1)}`,
  ];
}

const rows: (readonly string[])[] = [];
for (const count of LEVELS) {
  rows.push(await level(count));
  note(rows.at(-1)?.join(' | ') ?? '');
}
say(
  table(
    [
      'watches',
      'ticks done',
      'tick lag p50 / p99, ms',
      'CPU of a core',
      'CPU ms per tick',
      'memory, MB',
      'requests per tick',
      'kB from Prometheus per tick',
      'CPU of Prometheus',
      'journal kB per tick',
      'breach to request, s',
      'ready / all judged after kill -9, s',
    ],
    rows,
  ),
);
say(`machine: ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, node ${process.version}`);
