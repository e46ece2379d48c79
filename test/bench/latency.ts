// `npm run bench:latency`: a service whose deploys turn bad at known instants, and everybody who
// watches it at once, on one machine and the same scrapes: alert rules with Alertmanager, canaryd on
// the same Prometheus, canaryd on the service itself. Prints the time from the fault to the request
// that rolls back, beside the floor: the time until the data shows the fault to anybody.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startCanaryd } from '../support/daemon.ts';
import { startPrometheus } from '../support/prometheus.ts';
import { startAlertmanager } from './alertmanager.ts';
import { type Arrivals, startArrivals } from './arrivals.ts';
import { spreadOf, table } from './figures.ts';
import { type BenchDeploy, BenchService, type FaultKind, serve } from './service.ts';
import {
  alertmanagerConfig,
  policyText,
  rulesOf,
  SCRAPES,
  type ScrapeInterval,
  SETTINGS,
  type Setting,
} from './settings.ts';

const { values: flags } = parseArgs({
  options: { faults: { type: 'string', default: '16' } },
});
/** Of each kind. */
const FAULTS = Number(flags.faults);
const KINDS: readonly FaultKind[] = ['ratio', 'quantile'];
/** The longest window has only samples of this service then. */
const WARM_UP_MS = 80_000;
/** Uneven, so that faults fall into every part of a scrape interval. */
const BETWEEN_FAULTS_MS = 4_236;
/** After the last fault: the slowest setting needs 135 s. */
const LAST_WAIT_MS = 150_000;
const FLOOR_STEP_MS = 10;
const SCRAPE_JITTER_MS = 50;
/** Whoever looks once a second sees it half a second late, on average. */
const READ_EVERY_MS = 1_000;

const say = (line: string) => void process.stdout.write(`${line}\n`);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function deploysOf(firstFaultMs: number): readonly BenchDeploy[] {
  const bad = Array.from({ length: FAULTS * KINDS.length }, (_, index): BenchDeploy => {
    const kind = KINDS[index % KINDS.length] ?? 'ratio';
    const name = `d${String(index + 1).padStart(2, '0')}`;
    return { name, kind, atMs: firstFaultMs + index * BETWEEN_FAULTS_MS };
  });
  const well = ['well1', 'well2'].map((name): BenchDeploy => ({ name, kind: 'ratio', atMs: null }));
  return [...bad, ...well];
}

/** Times of the scrapes that Prometheus has kept. */
async function scrapeTimes(url: string): Promise<readonly number[]> {
  const query = encodeURIComponent('bench_orders_submitted_total{deploy="well1"}[30m]');
  const answer = await fetch(`${url}/api/v1/query?query=${query}`);
  const { data } = (await answer.json()) as {
    data: { result: { values: [number, string][] }[] };
  };
  return (data.result[0]?.values ?? []).map(([seconds]) => seconds * 1_000);
}

/** From the fault until a look at this window could show it; null: it never did. */
function floorOf(
  service: BenchService,
  deploy: BenchDeploy,
  { who, reads, windowSeconds }: Setting,
  scrapes: Readonly<Record<ScrapeInterval, readonly number[]>>,
): number | null {
  const { atMs } = deploy;
  if (atMs === null) return null;
  const windowMs = windowSeconds * 1_000;
  if (reads === 'service') {
    for (let at = atMs; at < atMs + 2 * windowMs; at += FLOOR_STEP_MS) {
      if (service.isShown(deploy, at - windowMs, at)) return at - atMs + READ_EVERY_MS / 2;
    }
    return null;
  }
  const times = scrapes[reads];
  const shown = times.find((at) => {
    // A rule's range begins with its first sample; canaryd counts from the one before.
    const inside = times.find((time) => time > at - windowMs) ?? at;
    const before = times.findLast((time) => time <= at - windowMs + SCRAPE_JITTER_MS) ?? inside;
    return at >= atMs && service.isShown(deploy, who === 'rules' ? inside : before, at);
  });
  return shown === undefined ? null : shown - atMs;
}

const seconds = (ms: number) => (ms / 1_000).toFixed(ms < 10_000 ? 2 : 1);

function rowOf(
  setting: Setting,
  deploys: readonly BenchDeploy[],
  arrivals: Arrivals,
  floorFor: (deploy: BenchDeploy) => number | null,
): { readonly cells: readonly string[]; readonly medians: readonly number[] } {
  const medians: number[] = [];
  const cells = KINDS.flatMap((kind) => {
    const bad = deploys.filter((one) => one.kind === kind && one.atMs !== null);
    const took = bad.flatMap(({ name, atMs }) => {
      const first = arrivals.first(setting.id, name);
      return first === undefined || atMs === null || first < atMs ? [] : [first - atMs];
    });
    const floors = bad.flatMap((deploy) => floorFor(deploy) ?? []);
    const { median, p90, max, count } = spreadOf(took);
    medians.push(median);
    const missing = count === bad.length ? '' : ` (${bad.length - count} never)`;
    return [
      `${seconds(median)}, ${seconds(p90)}, ${seconds(max)}${missing}`,
      seconds(spreadOf(floors).median),
    ];
  });
  return { cells: [setting.title, ...cells], medians };
}

const folder = mkdtempSync(join(tmpdir(), 'canaryd-latency-'));
await using stack = new AsyncDisposableStack();
stack.defer(() => rmSync(folder, { recursive: true, force: true }));
const startMs = Date.now();
const deploys = deploysOf(startMs + WARM_UP_MS);
const service = new BenchService(startMs, deploys);
const { host, server } = await serve(service);
stack.defer(() => {
  server.closeAllConnections();
  server.close();
});
const arrivals = await startArrivals();
stack.defer(() => arrivals.stop());
const alertmanager = await startAlertmanager(alertmanagerConfig(`${arrivals.url}/alerts`));
stack.defer(() => alertmanager.stop());

const urls = {} as Record<ScrapeInterval, string>;
for (const scrape of SCRAPES) {
  const rules = join(folder, `rules-${scrape}.yml`);
  writeFileSync(rules, JSON.stringify(rulesOf(scrape)));
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

const watching = SETTINGS.filter((one) => one.who === 'canaryd');
const canaryd = await startCanaryd({
  config: {
    sources: {
      service: { scrape: { targets: [`http://${host}/metrics`] } },
      ...Object.fromEntries(
        SCRAPES.map((scrape) => [`prometheus_${scrape}`, { prometheus: { url: urls[scrape] } }]),
      ),
    },
  },
  policies: Object.fromEntries(
    watching.map((one) => [one.id, policyText(one, `${arrivals.url}/rollback`)]),
  ),
  env: { BENCH_SECRET: 'whsec_YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2g=' },
});
stack.defer(() => canaryd.dispose());
for (const { id } of watching) {
  for (const { name } of deploys) {
    const { status, body } = await canaryd.post('/v1/watches', {
      service: id,
      environment: name,
      version: '2.0.0',
      previous_version: '1.0.0',
    });
    if (status !== 201) throw new Error(`start ${id} ${name}: ${status} ${JSON.stringify(body)}`);
  }
}
const wanted = SETTINGS.length * FAULTS * KINDS.length;
say(`${SETTINGS.length} settings, ${FAULTS} faults of each kind; one turns bad every 4.2 s`);
const arrived = () =>
  SETTINGS.flatMap(({ id }) => bad.filter(({ name }) => arrivals.first(id, name))).length;
const bad = deploys.filter(({ atMs }) => atMs !== null);
const endMs = (deploys.findLast(({ atMs }) => atMs !== null)?.atMs ?? startMs) + LAST_WAIT_MS;
while (Date.now() < endMs && arrived() < wanted) {
  await sleep(5_000);
  const waits = Math.max(0, Math.round((endMs - Date.now()) / 1_000));
  process.stderr.write(`\r${arrived()} of ${wanted} requests, at most ${waits} s more  `);
}
process.stderr.write('\n');

const scrapes = {} as Record<ScrapeInterval, readonly number[]>;
for (const scrape of SCRAPES) scrapes[scrape] = await scrapeTimes(urls[scrape]);
const early = deploys.flatMap(({ name, atMs }) =>
  SETTINGS.filter(({ id }) => (arrivals.first(id, name) ?? Infinity) < (atMs ?? Infinity)).map(
    ({ id }) => `${id} ${name}`,
  ),
);
const rows = SETTINGS.map((setting) => ({
  setting,
  ...rowOf(setting, deploys, arrivals, (deploy) => floorOf(service, deploy, setting, scrapes)),
}));
say(
  table(
    [
      'seconds from the fault to the request',
      'fill rate < 80 %: median, p90, max',
      'its floor',
      'P99 > 2 s: median, p90, max',
      'its floor',
    ],
    rows.map(({ cells }) => cells),
  ),
);
const medianOf = (id: string, kind: number) =>
  rows.find(({ setting }) => setting.id === id)?.medians[kind] ?? Number.NaN;
const ratio = (mine: string, theirs: string) =>
  KINDS.map((_, kind) => (medianOf(mine, kind) / medianOf(theirs, kind)).toFixed(2)).join(' and ');
say(`\nfill rate and P99, canaryd against rules with Alertmanager:`);
say(`- 5 s scrape, the same samples, tight: ${ratio('canaryd_5s_15', 'rules_5s')}`);
say(`- the same, as few samples as possible: ${ratio('canaryd_5s_5', 'rules_5s_short')}`);
say(`- 5 s scrape against the settings people run: ${ratio('canaryd_5s_15', 'rules_15s')}`);
say(`- on the service against tight rules at 5 s: ${ratio('canaryd_service_2', 'rules_5s')}`);
say(`stopped before its fault: ${early.length === 0 ? 'nothing' : early.join(', ')}`);
say(`machine: ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, node ${process.version}`);
process.exitCode = early.length === 0 ? 0 : 1;
