// A backtest from a list of deploys to its results: one deploy after the other, each under every
// policy that is compared, on one history. What is finished is kept at once, so that a run that was
// killed goes on where it was.
import type { Policy } from '../core/policy.ts';
import type { Clock } from '../kit/clock.ts';
import { VERSION } from '../kit/version.ts';
import type { Ask } from '../source/prometheus-api.ts';
import { Asker, NO_LOAD, plus, SourceLost } from './asker.ts';
import { History } from './history.ts';
import { blindNotes } from './notes.ts';
import type { Edge } from './raw-chunks.ts';
import { replayDeploy, replayEndMs } from './replay-deploy.ts';
import { leftOutText, type ReplayedPolicy, replayedPolicy } from './replayed-policy.ts';
import type { BacktestResult, DeployResult, Load, PastDeploy } from './result.ts';
import { scoreOf, totalsOf } from './score.ts';

export type PolicyUnderTest = {
  readonly policy: Policy;
  readonly file: string;
  readonly hash: string;
};

/** What was finished earlier, and is not done again. */
export interface Finished {
  find(hash: string, deploy: PastDeploy): { result: DeployResult; load: Load } | null;
  keep(hash: string, deploy: PastDeploy, result: DeployResult, load: Load): void;
}

export type BacktestOptions = {
  readonly policies: readonly PolicyUnderTest[];
  readonly deploys: readonly PastDeploy[];
  /** Its name, for people. */
  readonly source: string;
  readonly ask: Ask;
  readonly clock: Clock;
  readonly atOnce: number;
  readonly paceMs: number;
  readonly chunkMs: number;
  readonly signal: AbortSignal;
  readonly finished: Finished | null;
  readonly onProgress: (progress: Progress) => void;
  /** Waits of the asker, for tests. */
  readonly firstWaitMs?: number;
};

export type Progress =
  | ({ readonly kind: 'at'; readonly deploy: PastDeploy; readonly sinceMs: number } & Place)
  | ({ readonly kind: 'done'; readonly result: DeployResult; readonly policy: string } & Place);

/** How many replays are done, of how many; a deploy under two policies is two. */
type Place = { readonly done: number; readonly total: number };

export type BacktestEnd =
  | { readonly kind: 'done'; readonly results: readonly BacktestResult[] }
  | ({ readonly kind: 'lost'; readonly detail: string } & Place)
  | ({ readonly kind: 'interrupted' } & Place);

type Row = { readonly result: DeployResult; readonly load: Load };

type UnderTest = PolicyUnderTest & { readonly replayed: ReplayedPolicy; readonly rows: Row[] };

export async function runBacktest(options: BacktestOptions): Promise<BacktestEnd> {
  const { clock, signal, deploys } = options;
  const ranAt = new Date(clock.now()).toISOString();
  const policies = options.policies.map(
    (one): UnderTest => ({ ...one, replayed: replayedPolicy(one.policy), rows: [] }),
  );
  const total = deploys.length * policies.length;
  const asker = new Asker(options);
  const edge: Edge = { isClosed: null };
  let done = 0;
  try {
    for (const deploy of deploys) {
      await runDeploy({ ...options, asker, edge }, deploy, policies, (progress) => {
        if (progress.kind === 'done') done += 1;
        options.onProgress({ ...progress, done, total });
      });
    }
  } catch (error) {
    if (error instanceof SourceLost) return { kind: 'lost', detail: error.message, done, total };
    if (signal.aborted) return { kind: 'interrupted', done, total };
    throw error;
  }
  return { kind: 'done', results: resultsOf(policies, options, ranAt) };
}

type Said =
  | { readonly kind: 'at'; readonly deploy: PastDeploy; readonly sinceMs: number }
  | { readonly kind: 'done'; readonly result: DeployResult; readonly policy: string };

async function runDeploy(
  options: BacktestOptions & { readonly asker: Asker; readonly edge: Edge },
  deploy: PastDeploy,
  policies: readonly UnderTest[],
  say: (said: Said) => void,
): Promise<void> {
  const { asker, clock, finished, signal } = options;
  const ends = policies.map(({ policy }) => replayEndMs(deploy, policy));
  const history = new History({ ...options, untilMs: Math.max(...ends) });
  for (const { hash, replayed, rows } of policies) {
    const { name, intervalMs } = replayed.policy;
    const known = finished?.find(hash, deploy) ?? null;
    if (known !== null) {
      // The label may have been given, or corrected, since then.
      const score = scoreOf(known.result.verdict, deploy.label);
      rows.push({ ...known, result: { ...known.result, deploy, score } });
      say({ kind: 'done', result: known.result, policy: name });
      continue;
    }
    signal.throwIfAborted();
    const result = await replayDeploy({
      ...{ deploy, replayed, hash, signal },
      query: history.query(intervalMs),
      nowMs: clock.now(),
      onTime: (sinceMs) => say({ kind: 'at', deploy, sinceMs }),
    });
    const load = asker.takeLoad();
    // What failed today may be decided, or answered, tomorrow.
    if (result.verdict !== 'failed') finished?.keep(hash, deploy, result, load);
    rows.push({ result, load });
    say({ kind: 'done', result, policy: name });
  }
}

function resultsOf(
  policies: readonly UnderTest[],
  { source }: BacktestOptions,
  ranAt: string,
): readonly BacktestResult[] {
  // Times are compared over the same deploys: else the policy that misses the slow ones looks fast.
  const isStoppedByAll = (_: DeployResult, index: number) =>
    policies.every(({ rows }) => rows[index]?.result.verdict === 'stopped');
  return policies.map(({ policy, file, hash, replayed, rows }) => {
    const deploys = rows.map(({ result }) => result);
    return {
      policy: { name: policy.name, file, hash },
      ...{ source, ranAt, version: VERSION, deploys },
      leftOut: replayed.leftOut.map(leftOutText),
      blind: blindNotes(deploys),
      totals: totalsOf(deploys, isStoppedByAll),
      load: rows.reduce((sum, { load }) => plus(sum, load), NO_LOAD),
    };
  });
}
