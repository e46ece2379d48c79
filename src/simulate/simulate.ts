// `canaryd simulate`: a policy on a live daemon, against a service that exists only for it. The
// author watches a deploy go bad in the way of his choice, the stop, the actions and the proof of
// the rollback, or a healthy one pass. Everything stays on this machine.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Condition } from '../core/policy.ts';
import { formatDuration } from '../core/quantity.ts';
import { conditionSentence } from '../core/wording.ts';
import { getWatch, request, startDaemon, untilTold } from '../demo/daemon-door.ts';
import { type Ops, startOps } from '../demo/ops.ts';
import { findPrometheus, startLocalPrometheus } from '../demo/prometheus.ts';
import { Screen, type WireWatch } from '../demo/screen.ts';
import type { Clock } from '../kit/clock.ts';
import { AURORA_PER_SECOND, auroraFault, startAuroraService } from './aurora.ts';
import { rehearsedPolicy, writeFiles } from './files.ts';
import { type Pace, type Rehearsal, rehearse } from './rehearsal.ts';
import { chooseFault, NEW, OLD, type Scene, valuesOf } from './scene.ts';
import { type SimulatedService, startService } from './service.ts';

/** From the fault to the end of the verification. */
const STOP_WITHIN_MS = 150_000;
/** The whole rehearsal; a pace that takes longer is refused. */
export const SIMULATE_MAX_MS = 30 * 60_000;
/** With `keep` the page can be looked at for so long. */
const KEEP_MAX_MS = 60 * 60_000;
const POLL_MS = 500;

export type SimulateOptions = {
  readonly scene: Scene;
  readonly file: string;
  /** A condition or an indicator; null: the first stop condition. */
  readonly fault: string | null;
  readonly healthy: boolean;
  readonly pace: Pace;
  /** Read through a real Prometheus found on this machine. */
  readonly prometheus: boolean;
  /** Stay after the end, until the signal. */
  readonly keep: boolean;
  readonly out: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly signal: AbortSignal;
  readonly clock: Clock;
};

export type SimulateResult =
  | { readonly kind: 'refused'; readonly text: string }
  | {
      readonly kind: 'ended';
      /** It ended as it should have. */
      readonly ok: boolean;
      readonly fault: string | null;
      readonly phase: string;
      readonly verification: string;
      readonly actions: readonly string[];
      readonly messages: number;
      readonly page: string;
    };

const refuse = (text: string) => ({ kind: 'refused', text }) as const;

export async function simulate(options: SimulateOptions): Promise<SimulateResult> {
  const { scene, pace } = options;
  const chosen = chooseFault(scene, options.fault, options.healthy);
  if (chosen.kind === 'refused') return chosen;
  const windows = scene.input.windows.length;
  if (pace.untilsMs !== null && pace.untilsMs.length !== windows) {
    return refuse(
      `--windows: found ${pace.untilsMs.length} ends, wanted ${windows}, one for each window`,
    );
  }
  const binary = options.prometheus ? await findPrometheus() : null;
  if (options.prometheus && binary === null) {
    return refuse("No 'prometheus' on PATH: install it, or simulate without --prometheus.");
  }
  // With addresses that mean nothing yet: what cannot be rehearsed is refused before anything starts.
  const nowhere = 'http://127.0.0.1:1/';
  const addresses = { healthUrl: () => nowhere, disarmUrl: nowhere, rollbackUrl: nowhere };
  const rehearsal = rehearsalOf(options, chosen.fault, addresses);
  const { name } = scene.policy;
  const tried = rehearsedPolicy(rehearsal.input, options.file, name, [new URL(nowhere).origin]);
  if (tried.kind === 'refused') return tried;
  const atMostMs = mostOf(rehearsal, chosen.fault);
  if (atMostMs > SIMULATE_MAX_MS) {
    const [found, wanted] = [atMostMs, SIMULATE_MAX_MS].map(formatDuration);
    return refuse(
      `It would take ${found}; wanted at most ${wanted}: choose a higher --speed, or shorter --windows`,
    );
  }
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'canaryd-simulate-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const stage = { stack, folder, binary, atMostMs, rehearsed: tried.policy };
  // Awaited here: what `stack` holds must outlive the play.
  return await play(options, chosen.fault, stage);
}

function rehearsalOf(
  { scene, pace }: SimulateOptions,
  fault: Condition | null,
  addresses: Parameters<typeof rehearse>[0]['addresses'],
): Rehearsal {
  const { input, policy, isAurora } = scene;
  return rehearse({
    ...{ input, policy, fault, pace, addresses },
    perSecondMax: isAurora ? AURORA_PER_SECOND : null,
  });
}

function mostOf({ beforeMs, goesWrongAtMs, endsAtMs }: Rehearsal, fault: Condition | null): number {
  const after = fault === null ? endsAtMs + 30_000 : goesWrongAtMs + STOP_WITHIN_MS;
  return beforeMs + after + (fault?.forMs ?? 0);
}

type Stage = {
  readonly stack: AsyncDisposableStack;
  readonly folder: string;
  readonly binary: string | null;
  readonly atMostMs: number;
  readonly rehearsed: Scene['policy'];
};

async function play(
  options: SimulateOptions,
  fault: Condition | null,
  { stack, folder, binary, atMostMs, rehearsed }: Stage,
): Promise<SimulateResult> {
  const { scene, clock, signal } = options;
  const screen = new Screen(options.out);
  const service = await serviceOf(scene, rehearsed, fault, clock);
  stack.defer(() => service.close());
  const ops = await startOps({
    aurora: service,
    onCall: ({ body }) => screen.slack(body),
    onAction: ({ action, isRepeat }) => screen.received(action, isRepeat),
  });
  stack.defer(() => ops.close());
  const prometheus =
    binary === null ? null : await startLocalPrometheus(binary, service.metricsUrl, folder, signal);
  if (prometheus) stack.defer(() => prometheus.stop());
  const { disarmUrl, rollbackUrl } = ops;
  const { healthUrl } = service;
  const rehearsal = rehearsalOf(options, fault, { healthUrl, disarmUrl, rollbackUrl });
  const { name } = scene.policy;
  const { metricsUrl } = service;
  const own = [ops.url, new URL(metricsUrl).origin];
  const checked = rehearsedPolicy(rehearsal.input, options.file, name, own);
  if (checked.kind === 'refused') return checked;
  const prometheusUrl = prometheus?.url ?? null;
  const parts = { folder, input: rehearsal.input, name, metricsUrl, prometheusUrl, ops };
  const daemon = await startDaemon(await writeFiles(parts), stack);
  introduce(options, fault, screen, prometheusUrl ?? metricsUrl);
  const { beforeMs } = rehearsal;
  const version = `${scene.policy.service} ${OLD}`;
  screen.say(
    `${version} runs. canaryd looks at it for ${formatDuration(beforeMs)} before the deploy.`,
  );
  await clock.sleep(beforeMs, signal);
  service.deploy(NEW);
  const id = await startWatch(daemon.url, scene, ops);
  const page = `${daemon.url}/watches/${id}`;
  screen.say(`${scene.policy.service} ${NEW} is deployed. Look at it: ${page}`);
  const watch = await follow(
    { ...options, fault, service, screen, rehearsal, atMostMs },
    daemon.url,
    id,
  );
  await untilTold(daemon.url, id, clock, signal);
  const result = conclude(fault, screen, watch, ops, page);
  if (options.keep) {
    screen.say(`${page} stays until you press Ctrl-C, at most ${formatDuration(KEEP_MAX_MS)}.`);
    await clock.sleep(KEEP_MAX_MS, signal).catch(() => undefined);
  }
  return result;
}

function serviceOf(
  scene: Scene,
  rehearsed: Scene['policy'],
  fault: Condition | null,
  clock: Clock,
): Promise<SimulatedService> {
  const { parameters } = scene;
  if (scene.isAurora) {
    const own = fault === null ? null : auroraFault(fault);
    return startAuroraService({ version: OLD, fault: own, parameters, clock });
  }
  const valuesFor = (version: string) => valuesOf(scene, version);
  const policy = rehearsed;
  return startService({ policy, parameters, fault, valuesFor, version: OLD, clock });
}

function introduce(
  { scene, file }: SimulateOptions,
  fault: Condition | null,
  screen: Screen,
  readFrom: string,
): void {
  const { invented, promql, logs, isAurora } = scene;
  screen.title(
    fault === null ? 'A good deploy passes' : 'A deploy goes bad',
    [
      `Policy ${file}, with ranges, waits and windows that fit minutes, read from ${readFrom}.`,
      `Service: ${isAurora ? "the demo's trading service" : 'made from the policy'}. Actions go to receivers on this machine.`,
      ...(invented.length === 0 ? [] : [`Parameters invented here: ${invented.join(', ')}.`]),
    ].join('\n'),
  );
  if (logs.length > 0) {
    screen.say(`A gauge stands for each audit log, which is not read: ${logs.join(', ')}.`);
  }
  if (promql.length > 0) {
    screen.say(`A gauge stands for what is PromQL, whose query is not run: ${promql.join(', ')}.`);
  }
}

async function startWatch(url: string, scene: Scene, ops: Ops): Promise<string> {
  const answer = await request(`${url}/v1/watches`, {
    service: scene.policy.service,
    environment: scene.environment,
    version: NEW,
    previous_version: OLD,
    parameters: scene.parameters,
    by: 'canaryd simulate',
    url: `${ops.url}/pipeline/1`,
  });
  return (answer as { id: string }).id;
}

type Following = Pick<SimulateOptions, 'scene' | 'clock' | 'signal'> & {
  readonly fault: Condition | null;
  readonly service: SimulatedService;
  readonly screen: Screen;
  readonly rehearsal: Rehearsal;
  readonly atMostMs: number;
};

async function follow(story: Following, url: string, id: string): Promise<WireWatch> {
  const { fault, service, screen, clock, signal, scene, rehearsal } = story;
  const deployedAt = clock.now();
  const endsAt = deployedAt + story.atMostMs;
  let isWrong = fault === null;
  let watch = await getWatch(url, id);
  while (watch.active && clock.now() < endsAt && !isWarned(watch, fault)) {
    if (!isWrong && clock.now() >= deployedAt + rehearsal.goesWrongAtMs) {
      isWrong = true;
      service.goWrong();
      screen.say(`From now on it is bad: ${fault?.indicator}.`);
      if (fault !== null) screen.say(conditionSentence(fault, scene.policy));
    }
    await screen.watch(url, watch);
    await clock.sleep(POLL_MS, signal);
    watch = await getWatch(url, id);
  }
  await screen.watch(url, watch);
  return watch;
}

/** A warning stops nothing: the story is told when it fires. */
function isWarned(watch: WireWatch, fault: Condition | null): boolean {
  if (fault?.role !== 'warn') return false;
  return watch.conditions.some(
    ({ condition, state }) => condition === fault.id && state === 'firing',
  );
}

function conclude(
  fault: Condition | null,
  screen: Screen,
  watch: WireWatch,
  ops: Ops,
  page: string,
): SimulateResult {
  const actions = ops.actions.filter(({ isRepeat }) => !isRepeat).map(({ action }) => action);
  const { phase, verification } = watch;
  const isProven = verification === 'none' || verification === 'confirmed';
  const isStopped = phase === 'stopped' && isProven && ops.refused === 0;
  const ok =
    fault === null
      ? phase === 'passed' && actions.length === 0
      : fault.role === 'warn'
        ? isWarned(watch, fault) && actions.length === 0
        : isStopped;
  const proof = verification === 'none' ? '' : `, rollback ${verification}`;
  const received = actions.length === 0 ? 'no action' : actions.join(' and ');
  const warned = fault?.role === 'warn' && ok ? `warned of ${fault.indicator}, ` : '';
  screen.end(
    `${warned}${phase}${proof}; ${received} received, ${ops.messages.length} messages.`,
    ok,
  );
  const fired = fault?.id ?? null;
  return {
    kind: 'ended',
    ok,
    fault: fired,
    phase,
    verification,
    actions,
    messages: ops.messages.length,
    page,
  };
}
