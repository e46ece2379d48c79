// One past deploy under one policy: the engine of production on virtual time, its source answered
// out of the past. It ends with the decision: the past was not rolled back, so what an action would
// have changed cannot be seen.
import { type Policy, policyEndMs } from '../core/policy.ts';
import type { Tick } from '../core/sample.ts';
import { DEADLINE_GRACE_MS } from '../core/tick-end.ts';
import { CanarydError } from '../kit/errors.ts';
import { Replay, type Replayed, TICKS_MAX } from '../replay/replay.ts';
import { sourceOn } from '../source/prometheus.ts';
import type { Query } from '../source/prometheus-api.ts';
import { deployResult, failedResult, isNothingSeen } from './deploy-result.ts';
import { healthBefore, recordedHealth } from './recorded-health.ts';
import type { ReplayedPolicy } from './replayed-policy.ts';
import type { DeployResult, PastDeploy } from './result.ts';

/** The story begins so much before the deploy. */
const LEAD_MS = 1_000;
/** After the last window: two more ticks, in which the end is decided. */
const AFTER_TICKS = 2;
const STEP_MS = 60_000;
/** Between two looks at whether somebody wants to end it. */
const STRETCH_MS = 10 * STEP_MS;

export type ReplayDeploy = {
  readonly deploy: PastDeploy;
  readonly replayed: ReplayedPolicy;
  readonly hash: string;
  readonly query: Query;
  readonly nowMs: number;
  readonly signal: AbortSignal;
  /** Virtual time since the deploy. */
  readonly onTime?: (sinceMs: number) => void;
};

/** Until when a deploy is looked at. */
export function replayEndMs({ deployedAtMs, replaced }: PastDeploy, policy: Policy): number {
  const lastMs = deployedAtMs + policyEndMs(policy) + AFTER_TICKS * policy.intervalMs;
  return Math.min(lastMs, replaced?.atMs ?? lastMs);
}

/** Throws what the source's end throws, and the reason of the signal; else the result. */
export async function replayDeploy(options: ReplayDeploy): Promise<DeployResult> {
  const { deploy, replayed } = options;
  const refused = refusal(deploy, replayed.policy, options.nowMs);
  if (refused !== null) return failedResult(deploy, [refused]);
  try {
    return deployResult({ deploy, replayed, ...(await replayWatch(options)) });
  } catch (error) {
    if (error instanceof CanarydError) return failedResult(deploy, [error.message]);
    throw error;
  }
}

function refusal({ deployedAtMs }: PastDeploy, policy: Policy, nowMs: number): string | null {
  if (deployedAtMs >= nowMs) return 'it is still to come';
  const ticks = Math.ceil(policyEndMs(policy) / policy.intervalMs);
  if (ticks <= TICKS_MAX - DEADLINE_GRACE_MS / policy.intervalMs) return null;
  return `its windows have ${ticks} ticks, at most ${TICKS_MAX} are replayed; raise the interval`;
}

/** The watch as its journal has it, with every reading that was judged. */
export async function replayWatch(
  options: ReplayDeploy,
): Promise<{ readonly watch: Replayed; readonly ticks: readonly Tick[] }> {
  const { deploy, replayed, hash, nowMs, query, signal, onTime } = options;
  const { policy } = replayed;
  const { deployedAtMs } = deploy;
  const before = await healthBefore(policy, deploy, query, signal);
  const clock = () => replay.clock;
  const source = sourceOn(query);
  await using replay: Replay = new Replay({
    fromMs: deployedAtMs - LEAD_MS,
    policies: [{ policy, hash }],
    sources: {
      [policy.source]: {
        read: (request) => clock().standingStill(source.read(request)),
        forget: (watchId) => source.forget(watchId),
      },
    },
    // It waits for the next recorded check, in the time of the replay.
    readHealth: recordedHealth({ query, clock, deployedAtMs }),
    isOffline: true,
    healthBefore: (key) => before.get(key),
  });
  replay.begin();
  const startAtMs = Math.max(deployedAtMs, deploy.startedAtMs ?? deployedAtMs);
  await replay.until(startAtMs);
  const start = startOf(deploy, policy);
  const isLate = startAtMs > deployedAtMs;
  const id = await replay.start({ ...start, ...(isLate ? { deployedAtMs } : {}) });
  const endMs = Math.min(replayEndMs(deploy, policy), nowMs);
  let isFirst = true;
  while (replay.clock.now() < endMs && (await replay.isActive(id))) {
    signal.throwIfAborted();
    await replay.untilDone(STEP_MS, Math.min(endMs, replay.clock.now() + STRETCH_MS));
    onTime?.(replay.clock.now() - deploy.deployedAtMs);
    // A day of nothing would take as long as a day of samples.
    if (isFirst && isNothingSeen(await replay.ticks(id), (await replay.watch(id)).state)) break;
    isFirst = false;
  }
  const { replaced } = deploy;
  if (replaced && replaced.atMs <= endMs && (await replay.isActive(id))) {
    // The same version deployed again is another deploy, too.
    const version =
      replaced.version === deploy.version ? `${deploy.version} again` : replaced.version;
    await replay.start({ ...start, version, mode: 'observe' });
  }
  const [watch, ticks] = await Promise.all([replay.watch(id), replay.ticks(id)]);
  return { watch, ticks };
}

function startOf(deploy: PastDeploy, policy: Policy) {
  const { service, version, environment, previousVersion, parameters } = deploy;
  return {
    ...{ service, version, parameters, policy: policy.name },
    ...(environment === null ? {} : { environment }),
    // Nothing is rolled back: a missing name of the version before is no obstacle.
    ...(previousVersion === null ? { mode: 'observe' as const } : { previousVersion }),
  };
}
