// `npm run demo`: the main job on one machine. A simulated trading service is deployed, goes bad
// (or stays healthy), and a real daemon, started from the shipped policy, watches it over real
// HTTP. What is shown is what the API answers and what Slack would have received.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../kit/clock.ts';
import { type Aurora, startAurora } from './aurora.ts';
import { getWatch, request, startDaemon, untilTold } from './daemon-door.ts';
import { writeDemoFiles } from './demo-files.ts';
import { type Fault, isFault, STOPPING_FAULTS } from './faults.ts';
import { type Ops, startOps } from './ops.ts';
import { findPrometheus, type LocalPrometheus, startLocalPrometheus } from './prometheus.ts';
import { Screen, type WireWatch } from './screen.ts';

export type DemoOptions = {
  /** The deploy stays good and passes, with shortened windows. */
  readonly healthy: boolean;
  /** Read through a real Prometheus found on this machine. */
  readonly prometheus: boolean;
  /** What goes wrong; default fill_rate. */
  readonly fault?: string;
  readonly out: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly signal: AbortSignal;
  readonly clock?: Clock;
};

const OLD = '2.0.0';
const NEW = '2.1.0';
/** The old version is seen for this long first: that is the state before the deploy. */
const BEFORE_DEPLOY_MS = 6_000;
const GOOD_AFTER_DEPLOY_MS = 12_000;
/** The whole demo, should something hang. */
const DEMO_MAX_MS = 150_000;
const POLL_MS = 500;

/** @returns 0 when the story ended as it should */
export async function runDemo(options: DemoOptions): Promise<number> {
  const fault = options.fault ?? 'fill_rate';
  if (!isFault(fault) || !STOPPING_FAULTS.includes(fault)) {
    const known = STOPPING_FAULTS.join(', ');
    options.out.write(`No deploy is stopped for the fault '${fault}'; wanted one of: ${known}\n`);
    return 2;
  }
  const binary = options.prometheus ? await findPrometheus() : null;
  if (options.prometheus && binary === null) {
    options.out.write(
      "No 'prometheus' on PATH: install it, or run the demo without --prometheus.\n",
    );
    return 2;
  }
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'canaryd-demo-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const screen = new Screen(options.out);
  const aurora = await startAurora({ version: OLD });
  stack.defer(() => aurora.close());
  const ops = await startOps({
    aurora,
    onCall: ({ body }) => screen.slack(body),
    onAction: ({ action, isRepeat }) => screen.received(action, isRepeat),
  });
  stack.defer(() => ops.close());
  const prometheus =
    binary === null ? null : await startLocalPrometheus(binary, aurora.url, folder, options.signal);
  if (prometheus) stack.defer(() => prometheus.stop());
  // Awaited here: what `stack` holds must outlive the play.
  return await play({ ...options, fault }, { stack, folder, screen, aurora, ops, prometheus });
}

type Stage = {
  readonly stack: AsyncDisposableStack;
  readonly folder: string;
  readonly screen: Screen;
  readonly aurora: Aurora;
  readonly ops: Ops;
  readonly prometheus: LocalPrometheus | null;
};

async function play(options: DemoOptions & { fault: Fault }, stage: Stage): Promise<number> {
  const { screen, aurora, ops, stack, prometheus, folder } = stage;
  const clock = options.clock ?? systemClock;
  const files = await writeDemoFiles({
    folder,
    auroraUrl: aurora.url,
    ops,
    prometheusUrl: prometheus?.url ?? null,
    isHealthy: options.healthy,
  });
  const daemon = await startDaemon(files, stack);
  screen.title(
    options.healthy ? 'A good deploy passes' : 'A deploy goes bad',
    `canaryd ${daemon.url}, policy config/policies/aurora.yaml with shortened ${options.healthy ? 'windows, ' : ''}ranges, waits and min_total, read ${prometheus ? `through Prometheus ${prometheus.url}` : `directly from ${aurora.url}/metrics`}`,
  );
  screen.say(`aurora ${OLD} trades. canaryd looks at it before the deploy.`);
  await clock.sleep(BEFORE_DEPLOY_MS, options.signal);
  aurora.deploy(NEW);
  screen.say(
    `The pipeline deploys aurora ${NEW} and runs: canaryd start aurora --version ${NEW} …`,
  );
  const id = await startWatch(daemon.url, ops);
  const goesBadAt = options.healthy ? Number.POSITIVE_INFINITY : clock.now() + GOOD_AFTER_DEPLOY_MS;
  const endsAt = clock.now() + DEMO_MAX_MS;
  let isBad = false;
  let watch = await getWatch(daemon.url, id);
  while (watch.active && clock.now() < endsAt) {
    if (!isBad && clock.now() >= goesBadAt) {
      isBad = true;
      aurora.fault(options.fault);
      screen.say(`From now on aurora ${NEW} is bad: ${options.fault}.`);
    }
    await screen.watch(daemon.url, watch);
    await clock.sleep(POLL_MS, options.signal);
    watch = await getWatch(daemon.url, id);
  }
  await screen.watch(daemon.url, watch);
  await untilTold(daemon.url, id, clock, options.signal);
  return conclude(options, screen, watch, ops);
}

async function startWatch(url: string, ops: Ops): Promise<string> {
  const answer = await request(`${url}/v1/watches`, {
    service: 'aurora',
    environment: 'testnet',
    version: NEW,
    previous_version: OLD,
    parameters: { deploy_capital: 100_000, expected_positions: 10 },
    by: 'demo pipeline',
    url: `${ops.url}/pipeline/1`,
  });
  return (answer as { id: string }).id;
}

function conclude(options: DemoOptions, screen: Screen, watch: WireWatch, ops: Ops): number {
  const count = (action: string) => ops.actions.filter((a) => a.action === action && !a.isRepeat);
  const disarms = count('disarm').length;
  const rollbacks = count('rollback').length;
  const isAsTold = options.healthy
    ? watch.phase === 'passed' && disarms + rollbacks === 0
    : watch.phase === 'stopped' &&
      watch.verification === 'confirmed' &&
      disarms === 1 &&
      rollbacks === 1 &&
      ops.refused === 0;
  screen.end(
    `${watch.phase}${watch.phase === 'stopped' ? `, rollback ${watch.verification}` : ''}; ${disarms} disarm and ${rollbacks} rollback requests received, ${ops.messages.length} Slack messages.`,
    isAsTold,
  );
  return isAsTold ? 0 : 1;
}
