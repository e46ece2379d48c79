// What the conditions cost a Prometheus that evaluates them as alert rules. Measured before any watch
// starts, and at once: the Prometheus that only scrapes, one with a rule for each deploy and
// condition, one with a rule for each condition.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deployName, metricsOf, sumOf } from '../support/many-deploys.ts';
import { type PrometheusServer, startPrometheus } from '../support/prometheus.ts';
import { CONDITIONS, rulesByDeploy, rulesPerDeploy } from './aurora-rules.ts';
import { cpuSeconds, megabytes } from './figures.ts';
import type { Run } from './run.ts';

export const SCRAPE_SECONDS = 5;
const SCRAPE = `${SCRAPE_SECONDS}s`;

export type PrometheusFigures = {
  /** Of one core. */
  readonly cpu: number;
  readonly megabytes: number;
  /** Rules that were evaluated, of those that were due; NaN without rules. */
  readonly done: number;
};

export type RuleFigures = {
  readonly perDeploy: PrometheusFigures;
  readonly byDeploy: PrometheusFigures;
};

export type BeforeWatches = {
  readonly scraping: PrometheusFigures;
  readonly rules: RuleFigures | null;
};

export type BeforeWatchesSetup = {
  readonly host: string;
  readonly deploys: number;
  /** The one that canaryd will ask; it scrapes already. */
  readonly scraping: PrometheusServer;
  readonly withRules: boolean;
  readonly settleMs: number;
  readonly measureMs: number;
};

export async function measureBeforeWatches(
  bench: Run,
  setup: BeforeWatchesSetup,
): Promise<BeforeWatches> {
  const { host, deploys, scraping, withRules, settleMs, measureMs } = setup;
  // Ended before the watches start: they must not take from canaryd's time.
  await using stack = new AsyncDisposableStack();
  const measured: { readonly server: PrometheusServer; readonly rules: number }[] = [
    { server: scraping, rules: 0 },
  ];
  if (withRules) {
    const names = Array.from({ length: deploys }, (_, index) => deployName(index));
    for (const [file, rules] of [
      [rulesPerDeploy(names), deploys * CONDITIONS.length],
      [rulesByDeploy(), CONDITIONS.length],
    ] as const) {
      measured.push({ server: await startRules(stack, host, file), rules });
    }
  }
  await bench.pause(settleMs);
  const before = await Promise.all(measured.map(({ server }) => lookAt(server)));
  await bench.pause(measureMs);
  const after = await Promise.all(measured.map(({ server }) => lookAt(server)));
  const [idle, perDeploy, byDeploy] = measured.map(({ server, rules }, index) =>
    figuresOf(server, rules, before[index], after[index]),
  );
  if (idle === undefined) throw new Error('nothing was measured');
  const rules = perDeploy && byDeploy ? { perDeploy, byDeploy } : null;
  return { scraping: idle, rules };
}

type Look = { readonly atMs: number; readonly cpu: number; readonly evaluations: number };

async function lookAt({ pid, url }: PrometheusServer): Promise<Look> {
  const cpu = cpuSeconds(pid);
  const atMs = performance.now();
  const text = await metricsOf(url);
  return { atMs, cpu, evaluations: sumOf(text, 'prometheus_rule_evaluations_total') };
}

function figuresOf(
  { pid }: PrometheusServer,
  rules: number,
  before: Look | undefined,
  after: Look | undefined,
): PrometheusFigures {
  if (before === undefined || after === undefined) throw new Error('nothing was measured');
  const seconds = (after.atMs - before.atMs) / 1_000;
  const due = (rules * seconds) / SCRAPE_SECONDS;
  return {
    cpu: (after.cpu - before.cpu) / seconds,
    megabytes: megabytes(pid).now,
    done: rules === 0 ? Number.NaN : (after.evaluations - before.evaluations) / due,
  };
}

/** Scrapes like the other one, and evaluates at each scrape; nobody is told. */
async function startRules(
  stack: AsyncDisposableStack,
  host: string,
  file: object,
): Promise<PrometheusServer> {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-capacity-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'rules.yml');
  writeFileSync(path, JSON.stringify(file));
  const server = await startPrometheus({
    targets: [host],
    scrapeInterval: SCRAPE,
    config: { rule_files: [path] },
  });
  stack.defer(() => server.stop());
  return server;
}
