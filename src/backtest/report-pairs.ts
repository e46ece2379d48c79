// The deploys of one or two backtests, joined: which are the same deploy, and where two policies
// come to different ends. Differences come first, then what is wrong.
import { roughDuration } from '../core/quantity.ts';
import { interest, scoreWords, verdictWords } from './report-words.ts';
import type { BacktestResult, DeployResult } from './result.ts';

export type Difference = {
  /** 0: another verdict; 1: another cause; 2: another time; 3: none. */
  readonly rank: 0 | 1 | 2 | 3;
  readonly text: string;
};

export type Pair = {
  /** With one backtest the second is null. */
  readonly sides: readonly [a: DeployResult | null, b: DeployResult | null];
  readonly difference: Difference;
};

/** Less is noise of the tick. */
const TIME_DIFFERENCE_MIN_MS = 1_000;
const NO_DIFFERENCE: Difference = { rank: 3, text: 'same' };

export const pairName = ({ deploy }: DeployResult) => `${deploy.service} ${deploy.version}`;

const keyOf = ({ deploy }: DeployResult) =>
  JSON.stringify([deploy.service, deploy.environment, deploy.version, deploy.deployedAtMs]);

export function pairsOf(results: readonly BacktestResult[]): readonly Pair[] {
  const [first, second] = results;
  const pairs: Pair[] = [];
  if (second === undefined) {
    for (const a of first?.deploys ?? [])
      pairs.push({ sides: [a, null], difference: NO_DIFFERENCE });
  } else {
    const others = new Map(second.deploys.map((b) => [keyOf(b), b]));
    for (const a of first?.deploys ?? []) {
      const b = others.get(keyOf(a)) ?? null;
      others.delete(keyOf(a));
      pairs.push({ sides: [a, b], difference: differenceOf(a, b) });
    }
    for (const b of others.values())
      pairs.push({ sides: [null, b], difference: differenceOf(null, b) });
  }
  return pairs.sort(
    (x, y) => x.difference.rank - y.difference.rank || rankOf(x) - rankOf(y) || atOf(y) - atOf(x),
  );
}

/** Of a pair: the more interesting of both. */
const rankOf = ({ sides }: Pair) =>
  Math.min(...sides.map((side) => (side === null ? Number.POSITIVE_INFINITY : interest(side))));

const atOf = ({ sides: [a, b] }: Pair) => (a ?? b)?.deploy.deployedAtMs ?? 0;

function differenceOf(a: DeployResult | null, b: DeployResult | null): Difference {
  if (a === null || b === null) return { rank: 0, text: `only in ${a === null ? 'B' : 'A'}` };
  if (a.verdict !== b.verdict) {
    const text = `${verdictWords(a.verdict).text} → ${verdictWords(b.verdict).text}`;
    return { rank: 0, text };
  }
  if (a.score !== b.score) {
    return { rank: 0, text: `${scoreWords(a.score).text} → ${scoreWords(b.score).text}` };
  }
  if (a.by.toSorted().join('\n') !== b.by.toSorted().join('\n')) {
    return { rank: 1, text: `${verdictWords(a.verdict).text} by other conditions` };
  }
  const laterMs = (b.afterMs ?? 0) - (a.afterMs ?? 0);
  if (Math.abs(laterMs) >= TIME_DIFFERENCE_MIN_MS) {
    const word = laterMs > 0 ? 'later' : 'earlier';
    return { rank: 2, text: `B ${roughDuration(Math.abs(laterMs))} ${word}` };
  }
  return NO_DIFFERENCE;
}
