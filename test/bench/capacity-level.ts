// One number of watches of `npm run bench:capacity`: everything is started for it, measured while all
// is well, then some deploys turn bad, then canaryd is killed and started again.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Canaryd, startCanaryd } from '../support/daemon.ts';
import {
  deployName,
  type ManyDeploys,
  manyDeploysPolicy,
  metricsOf,
  startManyDeploys,
  startWatches,
  sumOf,
} from '../support/many-deploys.ts';
import { type PrometheusServer, startPrometheus } from '../support/prometheus.ts';
import { type Arrivals, startArrivals } from './arrivals.ts';
import { type BeforeWatches, measureBeforeWatches, SCRAPE_SECONDS } from './capacity-rules.ts';
import { histogramBetween } from './exposition.ts';
import { cpuSeconds, megabytes, type Spread, spreadOf } from './figures.ts';
import type { Run } from './run.ts';

export type LevelSetup = {
  readonly count: number;
  readonly withRules: boolean;
  /** Deploys that turn bad; 0: none does. */
  readonly victims: number;
  readonly measureMs: number;
  /** Until the first watch; what a rule or a window looks back over fills in that time. */
  readonly warmUpMs: number;
  /** From the last start of a watch until the measurement. */
  readonly settleMs: number;
  /** Folder for CPU profiles. */
  readonly cpuProfile: string | null;
};

export type Steady = {
  /** Of the ticks that were due. */
  readonly done: number;
  /** Upper edges of the buckets, in seconds. */
  readonly lagP50: number;
  readonly lagP99: number;
  /** Share of the ticks that began later than that. */
  readonly late: number;
  /** Of one core. */
  readonly cpu: number;
  readonly prometheusCpu: number;
  readonly megabytes: { readonly now: number; readonly peak: number; readonly heap: number };
  /** Each tick of one watch. */
  readonly perTick: {
    readonly cpuMs: number;
    readonly requests: number;
    readonly kilobytes: number;
    readonly healthRequests: number;
    readonly journalKilobytes: number;
  };
};

export type Breaches = {
  /** Seconds from the fault to the request to roll back. */
  readonly took: Spread;
  readonly never: number;
};

export type LevelFigures = {
  readonly count: number;
  readonly before: BeforeWatches;
  readonly startedSeconds: number;
  readonly steady: Steady;
  readonly breaches: Breaches | null;
  /** Seconds from the start after a kill -9; null: not in time. */
  readonly resume: { readonly ready: number; readonly allJudged: number | null };
};

type World = {
  readonly service: ManyDeploys;
  readonly prometheus: PrometheusServer;
  readonly arrivals: Arrivals;
  readonly canaryd: Canaryd;
};

export const LATE_SECONDS = 0.25;
const INTERVAL_SECONDS = 5;
/** Of the warm-up: rules are measured longer than a Prometheus which only scrapes. */
const RULES_MEASURE_SHARE = 1.5;
/** The policy judges the fill rate a minute after the start, and a fault takes 16 s of it to be one. */
const AGE_MS = 50_000;
const VICTIM_EVERY_MS = 1_000;
/** From one victim to the next, in slots of canaryd's ticks beyond the even spread. */
const VICTIM_SLOTS = 4;
const SLOTS = 20;
const TOLD_WITHIN_MS = 75_000;
const RESUMED_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 50;
const SECRET = 'whsec_YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2g=';

export async function measureLevel(bench: Run, setup: LevelSetup): Promise<LevelFigures> {
  const { count, measureMs, warmUpMs, settleMs, victims, withRules } = setup;
  await using stack = new AsyncDisposableStack();
  const service = await startManyDeploys(Math.max(count, victims));
  stack.defer(() => service.stop());
  const prometheus = await startPrometheus({
    targets: [service.host],
    scrapeInterval: `${SCRAPE_SECONDS}s`,
  });
  stack.defer(() => prometheus.stop());
  const arrivals = await startArrivals();
  stack.defer(() => arrivals.stop());
  const before = await measureBeforeWatches(bench, {
    ...{ host: service.host, deploys: count, scraping: prometheus, withRules },
    settleMs: warmUpMs / 2,
    measureMs: withRules ? RULES_MEASURE_SHARE * warmUpMs : warmUpMs / 2,
  });
  const canaryd = await startDaemon(service, prometheus, arrivals, setup.cpuProfile);
  stack.defer(() => canaryd.dispose());
  const world: World = { service, prometheus, arrivals, canaryd };
  const startedSeconds = await startWatches(canaryd, count, { signal: bench.signal });
  bench.note(`${count} watches: started in ${startedSeconds.toFixed(1)} s`);
  await bench.pause(settleMs);
  const steady = await measureSteady(bench, world, count, measureMs);
  const breaches = victims === 0 ? null : await measureBreaches(bench, world, count, setup);
  const resume = await measureResume(bench, canaryd, setup.cpuProfile !== null);
  return { count, before, startedSeconds, steady, breaches, resume };
}

function startDaemon(
  service: ManyDeploys,
  prometheus: PrometheusServer,
  arrivals: Arrivals,
  cpuProfile: string | null,
): Promise<Canaryd> {
  const profile = { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${cpuProfile}` };
  return startCanaryd({
    config: {
      sources: { prometheus: { prometheus: { url: prometheus.url } } },
      // As it is by default, not as tests have it.
      stand_by: undefined,
    },
    policies: { aurora: manyDeploysPolicy(service.host, arrivals.url) },
    env: {
      AURORA_DISARM_SECRET: SECRET,
      AURORA_ROLLBACK_SECRET: SECRET,
      ...(cpuProfile === null ? {} : profile),
    },
  });
}

/** Pages in use: the write-ahead log beside them is written again and again. */
function journalBytes(folder: string): number {
  const db = new DatabaseSync(join(folder, 'canaryd.db'), { readOnly: true });
  const pragma = (name: string) => Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
  const bytes = (pragma('page_count') - pragma('freelist_count')) * pragma('page_size');
  db.close();
  return bytes;
}

async function lookAt({ canaryd, prometheus, service }: World) {
  return {
    atMs: performance.now(),
    cpu: cpuSeconds(canaryd.pid),
    prometheusCpu: cpuSeconds(prometheus.pid),
    own: await metricsOf(canaryd.url),
    prometheus: await metricsOf(prometheus.url),
    health: await service.healthRequests(),
    journal: journalBytes(canaryd.folder),
  };
}

async function measureSteady(
  bench: Run,
  world: World,
  count: number,
  measureMs: number,
): Promise<Steady> {
  const before = await lookAt(world);
  await bench.pause(measureMs);
  const after = await lookAt(world);
  const seconds = (after.atMs - before.atMs) / 1_000;
  const lag = histogramBetween(before.own, after.own, 'canaryd_tick_lag_seconds');
  const asked = (metric: string) => {
    const query = 'handler="/api/v1/query"';
    return sumOf(after.prometheus, metric, query) - sumOf(before.prometheus, metric, query);
  };
  const counter = 'canaryd_tick_lag_seconds_count';
  const ticks = sumOf(after.own, counter) - sumOf(before.own, counter);
  const cpu = after.cpu - before.cpu;
  return {
    done: (ticks * INTERVAL_SECONDS) / (count * seconds),
    lagP50: lag.edgeOf(0.5),
    lagP99: lag.edgeOf(0.99),
    late: lag.above(LATE_SECONDS),
    cpu: cpu / seconds,
    prometheusCpu: (after.prometheusCpu - before.prometheusCpu) / seconds,
    megabytes: {
      ...megabytes(world.canaryd.pid),
      heap: sumOf(after.own, 'nodejs_heap_size_used_bytes') / 1_048_576,
    },
    perTick: {
      cpuMs: (1_000 * cpu) / ticks,
      requests: asked('prometheus_http_request_duration_seconds_count') / ticks,
      kilobytes: asked('prometheus_http_response_size_bytes_sum') / ticks / 1_000,
      healthRequests: (after.health - before.health) / ticks,
      journalKilobytes: (after.journal - before.journal) / ticks / 1_000,
    },
  };
}

/**
 * Which watches turn bad, one a second. Spread over all, over the slots of canaryd's ticks, and over the
 * scrape interval, each in another order: so many of them together are as lucky as the average.
 */
export function victimsOf(count: number, victims: number): readonly number[] {
  const all = Array.from({ length: victims }, (_, index) => {
    if (count < victims) return index;
    const spread = Math.floor((index * count) / victims);
    return count < SLOTS * victims ? spread : (spread + VICTIM_SLOTS * index) % count;
  });
  const isFirst = (index: number) => index % 2 === 0;
  return [
    ...all.filter((_, index) => isFirst(index)),
    ...all.filter((_, index) => !isFirst(index)),
  ];
}

async function measureBreaches(
  bench: Run,
  { service, arrivals, canaryd }: World,
  count: number,
  { victims, settleMs, measureMs }: LevelSetup,
): Promise<Breaches> {
  // One alone could be lucky. A few more do not make it busy, and were not there when it was measured.
  const more = victims - count;
  if (more > 0) await startWatches(canaryd, more, { first: count, signal: bench.signal });
  const ageMs = more > 0 ? 0 : settleMs + measureMs;
  await bench.pause(Math.max(0, AGE_MS - ageMs));
  const faults: { readonly deploy: string; readonly atMs: number }[] = [];
  for (const index of victimsOf(count, victims)) {
    const deploy = deployName(index);
    const atMs = Date.now();
    await service.post(`fault/${deploy}`);
    faults.push({ deploy, atMs });
    await bench.pause(VICTIM_EVERY_MS);
  }
  const took = () =>
    faults.flatMap(({ deploy, atMs }) => {
      const first = arrivals.first('aurora', deploy);
      return first === undefined ? [] : [(first - atMs) / 1_000];
    });
  const deadline = performance.now() + TOLD_WITHIN_MS;
  while (performance.now() < deadline && took().length < victims) await bench.pause(LOOK_EVERY_MS);
  return { took: spreadOf(took()), never: victims - took().length };
}

async function measureResume(
  bench: Run,
  canaryd: Canaryd,
  isProfiled: boolean,
): Promise<LevelFigures['resume']> {
  const active = sumOf(await metricsOf(canaryd.url), 'canaryd_watches_active');
  // A profile is written by a process that may end.
  await (isProfiled ? canaryd.end() : canaryd.kill9());
  const began = performance.now();
  await canaryd.start();
  const ready = (performance.now() - began) / 1_000;
  while (performance.now() - began < RESUMED_WITHIN_MS) {
    const judged = sumOf(await metricsOf(canaryd.url), 'canaryd_tick_lag_seconds_count');
    if (judged >= active) return { ready, allJudged: (performance.now() - began) / 1_000 };
    await bench.pause(LOOK_EVERY_MS);
  }
  return { ready, allJudged: null };
}
