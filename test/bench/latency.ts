// `npm run bench:latency`: a service whose deploys turn bad at known instants, and everybody who
// watches it at once, on one machine and the same scrapes: alert rules with Alertmanager, canaryd on
// the same Prometheus, canaryd on the service itself. Prints the time from the fault to the request
// that rolls back, beside the floor: the time until the data shows the fault to anybody.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Dice } from '../sim/dice.ts';
import { type Canaryd, startCanaryd } from '../support/daemon.ts';
import { hasPrometheus, prometheusVersion, startPrometheus } from '../support/prometheus.ts';
import { alertmanagerVersion, startAlertmanager } from './alertmanager.ts';
import { type Arrivals, startArrivals } from './arrivals.ts';
import { faultsOf, KINDS, STEP_MS, shuffled } from './faults.ts';
import { floorOf, type ScrapeTimes } from './floor.ts';
import {
  LATENCY_LEGEND,
  latencyGoalTable,
  latencyTable,
  outcomeOf,
  stoppedEarly,
} from './latency-report.ts';
import { machine, type Run, run } from './run.ts';
import { type BenchDeploy, BenchService, serve } from './service.ts';
import {
  alertmanagerConfig,
  policyText,
  rulesOf,
  SCRAPES,
  type ScrapeInterval,
  SETTINGS,
} from './settings.ts';

const { values: flags } = parseArgs({
  options: {
    faults: { type: 'string', default: '24' },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '12' },
  },
});
/** Of each kind. */
const FAULTS = Number(flags.faults);
/** The longest window has only samples of this service then. */
const WARM_UP_MS = 80_000;
/** After the last fault: the slowest setting needs 135 s. */
const LAST_WAIT_MS = 150_000;
const LOOK_EVERY_MS = 5_000;
const SECRET = 'whsec_YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2g=';
const WATCHING = SETTINGS.filter((one) => one.who === 'canaryd');

type Urls = Readonly<Record<ScrapeInterval, string>>;

/** Times of the scrapes that Prometheus has kept. */
async function scrapeTimes(url: string): Promise<readonly number[]> {
  const query = encodeURIComponent('bench_orders_submitted_total{deploy="well1"}[30m]');
  const answer = await fetch(`${url}/api/v1/query?query=${query}`);
  const { data } = (await answer.json()) as {
    data: { result: { values: [number, string][] }[] };
  };
  return (data.result[0]?.values ?? []).map(([seconds]) => seconds * 1_000);
}

/** One for each scrape interval, all with the same Alertmanager. */
async function startRules(
  { stack }: Run,
  host: string,
  deploys: readonly string[],
  arrivals: Arrivals,
): Promise<Urls> {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-latency-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const alertmanager = await startAlertmanager(alertmanagerConfig(`${arrivals.url}/alerts`));
  stack.defer(() => alertmanager.stop());
  const urls = {} as Record<ScrapeInterval, string>;
  for (const scrape of SCRAPES) {
    const rules = join(folder, `rules-${scrape}.yml`);
    writeFileSync(rules, JSON.stringify(rulesOf(scrape, deploys)));
    const prometheus = await startPrometheus({
      targets: [host],
      scrapeInterval: scrape,
      config: {
        rule_files: [rules],
        alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager.host] }] }] },
      },
    });
    stack.defer(() => prometheus.stop());
    urls[scrape] = prometheus.url;
  }
  return urls;
}

function startBenchCanaryd(host: string, urls: Urls, arrivals: Arrivals): Promise<Canaryd> {
  const prometheus = SCRAPES.map((scrape) => [
    `prometheus_${scrape}`,
    { prometheus: { url: urls[scrape] } },
  ]);
  return startCanaryd({
    config: {
      sources: {
        service: { scrape: { targets: [`http://${host}/metrics`] } },
        ...Object.fromEntries(prometheus),
      },
    },
    policies: Object.fromEntries(
      WATCHING.map((one) => [one.id, policyText(one, `${arrivals.url}/rollback`)]),
    ),
    env: { BENCH_SECRET: SECRET },
  });
}

/** In another order for each setting: canaryd spreads ticks in the order in which watches start. */
async function startWatches(
  { signal }: Run,
  canaryd: Canaryd,
  deploys: readonly BenchDeploy[],
  dice: Dice,
): Promise<void> {
  for (const { id } of WATCHING) {
    for (const { name } of shuffled(deploys, dice)) {
      signal.throwIfAborted();
      const { status, body } = await canaryd.post('/v1/watches', {
        service: id,
        environment: name,
        version: '2.0.0',
        previous_version: '1.0.0',
      });
      if (status !== 201) throw new Error(`start ${id} ${name}: ${status} ${JSON.stringify(body)}`);
    }
  }
}

async function untilAllArrived(
  { note, pause }: Run,
  deploys: readonly BenchDeploy[],
  arrivals: Arrivals,
): Promise<void> {
  const bad = deploys.filter(({ atMs }) => atMs !== null);
  const wanted = SETTINGS.length * bad.length;
  const arrived = () =>
    SETTINGS.flatMap(({ id }) => bad.filter(({ name }) => arrivals.first(id, name))).length;
  const endMs = Math.max(...bad.map(({ atMs }) => atMs ?? 0)) + LAST_WAIT_MS;
  for (let round = 0; Date.now() < endMs && arrived() < wanted; round += 1) {
    await pause(LOOK_EVERY_MS);
    const waits = Math.max(0, Math.round((endMs - Date.now()) / 1_000));
    if (round % 6 === 5) note(`${arrived()} of ${wanted} requests, at most ${waits} s more`);
  }
}

async function latency(bench: Run): Promise<boolean> {
  const { stack, say, note } = bench;
  if (!Number.isInteger(FAULTS) || FAULTS < 1) throw new Error('--faults: wanted 1 or more');
  if (!hasPrometheus()) throw new Error('needs prometheus and promtool');
  const dice = new Dice(Number(flags.seed));
  const startMs = Date.now();
  const deploys = faultsOf(startMs + WARM_UP_MS, FAULTS, dice);
  const service = new BenchService(startMs, deploys);
  const { host, close } = await serve(service);
  stack.defer(close);
  const arrivals = await startArrivals();
  stack.defer(() => arrivals.stop());
  const urls = await startRules(
    bench,
    host,
    deploys.map(({ name }) => name),
    arrivals,
  );
  const canaryd = await startBenchCanaryd(host, urls, arrivals);
  stack.defer(() => canaryd.dispose());
  await startWatches(bench, canaryd, deploys, dice);
  const warmUp = Math.round((startMs + WARM_UP_MS - Date.now()) / 1_000);
  note(
    `${SETTINGS.length} settings, ${FAULTS} faults of each kind; in ${warmUp} s the first, then one each ${STEP_MS / 1_000} s`,
  );
  await untilAllArrived(bench, deploys, arrivals);

  const times = {} as Record<ScrapeInterval, readonly number[]>;
  for (const scrape of SCRAPES) times[scrape] = await scrapeTimes(urls[scrape]);
  const scrapes: ScrapeTimes = times;
  const outcomes = SETTINGS.map((setting) =>
    outcomeOf(setting, deploys, arrivals, (deploy) => floorOf(service, deploy, setting, scrapes)),
  );
  const early = stoppedEarly(SETTINGS, deploys, arrivals);
  const never = outcomes.some(({ of }) => KINDS.some((kind) => of[kind].never > 0));
  say(`${FAULTS} faults of each kind, seed ${flags.seed}\n`);
  say(`${latencyTable(outcomes)}\n`);
  say(`${LATENCY_LEGEND}\n`);
  say(`${latencyGoalTable(outcomes)}\n`);
  say(`stopped before its fault: ${early.length === 0 ? 'nothing' : early.join(', ')}`);
  say(machine({ prometheus: prometheusVersion(), alertmanager: alertmanagerVersion() }));
  return early.length === 0 && !never;
}

await run(Number(flags.minutes), latency);
