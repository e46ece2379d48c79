// What people said of a deploy against what the policy did, and the sums over all deploys.
import type { DeployResult, Label, Score, Totals } from './result.ts';

/** null: nobody said anything, or it could not be replayed. */
export function scoreOf(verdict: DeployResult['verdict'], label: Label | null): Score | null {
  if (label === null || verdict === 'failed') return null;
  if (verdict === 'stopped') return label === 'bad' ? 'right' : 'false_stop';
  if (verdict === 'passed') return label === 'good' ? 'right' : 'missed';
  return 'undecided';
}

/** Every labelled deploy was judged, and as it was labelled. */
export function isAllRight(deploys: readonly DeployResult[]): boolean {
  return deploys.every(({ deploy, score }) => deploy.label === null || score === 'right');
}

/** @param isTimed whether its time to the stop counts; of two policies: both stopped it */
export function totalsOf(
  deploys: readonly DeployResult[],
  isTimed: (one: DeployResult, index: number) => boolean = () => true,
): Totals {
  const verdicts: Record<DeployResult['verdict'], number> = {
    stopped: 0,
    passed: 0,
    inconclusive: 0,
    cancelled: 0,
    superseded: 0,
    failed: 0,
  };
  const scores: Record<Score, number> = { right: 0, false_stop: 0, missed: 0, undecided: 0 };
  let watchedMs = 0;
  let blindMs = 0;
  for (const one of deploys) {
    verdicts[one.verdict] += 1;
    if (one.score !== null) scores[one.score] += 1;
    watchedMs += one.afterMs ?? 0;
    blindMs += one.blindMs;
  }
  const stops = deploys
    .filter(isTimed)
    .filter(({ deploy, verdict }) => deploy.label === 'bad' && verdict === 'stopped')
    .map(({ afterMs }) => afterMs ?? 0)
    .toSorted((a, b) => a - b);
  return {
    deploys: deploys.length,
    verdicts,
    labelled: deploys.filter(({ deploy }) => deploy.label !== null).length,
    scores,
    stopsTimed: stops.length,
    stopAfterMedianMs: median(stops),
    stopAfterMaxMs: stops.at(-1) ?? null,
    blindShare: watchedMs === 0 ? 0 : Math.min(1, blindMs / watchedMs),
  };
}

function median(sorted: readonly number[]): number | null {
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)];
  if (upper === undefined) return null;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? upper) + upper) / 2 : upper;
}
