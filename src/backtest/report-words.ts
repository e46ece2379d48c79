// The words of a report: verdicts, scores, times, and what the whole comes to in one sentence.
import { formatNumber, formatValue, roughDuration } from '../core/quantity.ts';
import type { BacktestResult, DeployResult, Score, Totals } from './result.ts';

export type Tone = 'good' | 'bad' | 'warn' | 'blind' | 'calm';

type Worded = { readonly text: string; readonly tone: Tone; readonly rank: number };

/** Ranks put first what somebody should look at first. */
const VERDICTS: Readonly<Record<DeployResult['verdict'], Worded>> = {
  failed: { text: 'not replayed', tone: 'blind', rank: 0 },
  stopped: { text: 'stopped', tone: 'bad', rank: 1 },
  inconclusive: { text: 'inconclusive', tone: 'warn', rank: 2 },
  cancelled: { text: 'cancelled', tone: 'calm', rank: 3 },
  superseded: { text: 'superseded', tone: 'calm', rank: 4 },
  passed: { text: 'passed', tone: 'good', rank: 5 },
};

const SCORES: Readonly<Record<Score, Worded>> = {
  missed: { text: 'missed', tone: 'bad', rank: 0 },
  false_stop: { text: 'false stop', tone: 'bad', rank: 1 },
  undecided: { text: 'undecided', tone: 'warn', rank: 2 },
  right: { text: 'right', tone: 'good', rank: 4 },
};
const UNSCORED: Worded = { text: '–', tone: 'calm', rank: 3 };

export const verdictWords = (verdict: DeployResult['verdict']) => VERDICTS[verdict];

export const scoreWords = (score: Score | null) => (score === null ? UNSCORED : SCORES[score]);

/** Sorting by it puts first what is wrong, then what was stopped. */
export const interest = ({ score, verdict }: DeployResult) =>
  scoreWords(score).rank * 10 + VERDICTS[verdict].rank;

export const afterText = (ms: number | null) => (ms === null ? '–' : roughDuration(ms));

/** "2026-11-20 14:03 UTC". */
export function timeText(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime())
    ? 'unknown time'
    : `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

export const counted = (count: number, one: string, many = `${one}s`) =>
  `${formatNumber(count, 0)} ${count === 1 ? one : many}`;

/** What the whole comes to. */
export function headline({ totals }: BacktestResult): {
  readonly tone: Tone;
  readonly title: string;
  readonly text: string;
} {
  const { deploys, labelled, scores } = totals;
  if (deploys === 0) {
    return { tone: 'warn', title: 'No deploys', text: 'There was nothing to replay.' };
  }
  const verdicts = verdictsText(totals);
  if (labelled === 0) {
    const title = `${counted(deploys, 'deploy')}: ${verdicts}`;
    const text = 'None is labelled good or bad, so nothing is said about right and wrong.';
    return { tone: 'calm', title, text };
  }
  // Those that could not be replayed, or were ended by people, say nothing of the policy.
  const unscored = labelled - Object.values(scores).reduce((sum, count) => sum + count, 0);
  const wrong = [
    scores.missed > 0 ? counted(scores.missed, 'missed', 'missed') : '',
    scores.false_stop > 0 ? counted(scores.false_stop, 'false stop') : '',
    scores.undecided > 0 ? counted(scores.undecided, 'undecided', 'undecided') : '',
    unscored > 0 ? counted(unscored, 'without a score', 'without a score') : '',
  ].filter((part) => part !== '');
  const tone = scores.missed + scores.false_stop > 0 ? 'bad' : wrong.length > 0 ? 'warn' : 'good';
  const title = `${formatNumber(scores.right, 0)} of ${formatNumber(labelled, 0)} right`;
  const but = wrong.length === 0 ? 'No false stop, none missed.' : `${wrong.join(', ')}.`;
  return { tone, title, text: `${but} ${counted(deploys, 'deploy')}: ${verdicts}.` };
}

export function verdictsText({ verdicts }: Totals): string {
  const words = Object.entries(VERDICTS)
    .map(([verdict, { text }]) => ({ text, count: verdicts[verdict as DeployResult['verdict']] }))
    .filter(({ count }) => count > 0)
    .map(({ text, count }) => `${formatNumber(count, 0)} ${text}`);
  return words.length === 0 ? 'no verdict' : words.join(', ');
}

type Rows = readonly (readonly [name: string, value: string])[];

/** Rows of the summary, the same for both of a pair: it is about the same deploys. */
export function summaryRows(result: BacktestResult, isPair: boolean): Rows {
  const { totals, load } = result;
  const samples = load.samples === null ? 'unknown' : formatNumber(load.samples, 0);
  const { blindShare } = totals;
  return [
    ...scoreRows(totals),
    ['Verdicts', verdictsText(totals)],
    ...stopRows(totals, isPair),
    ['Blind share', `${formatValue(blindShare, 'ratio')} of the watched time`],
    [
      'Load on the source',
      `${counted(load.requests, 'request')}, ${samples} samples, ` +
        `${formatValue(load.bytes, 'bytes')}, ${formatValue(load.seconds, 'seconds')} of waiting, ` +
        `slowest ${formatValue(load.slowestSeconds, 'seconds')}`,
    ],
  ];
}

function scoreRows({ labelled, scores }: Totals): Rows {
  if (labelled === 0) return [];
  const of = (count: number) => `${formatNumber(count, 0)} of ${formatNumber(labelled, 0)}`;
  return [
    ['Judged right', of(scores.right)],
    ['False stops', of(scores.false_stop)],
    ['Missed', of(scores.missed)],
    ['Undecided', of(scores.undecided)],
  ];
}

function stopRows(totals: Totals, isPair: boolean): Rows {
  const { labelled, stopAfterMaxMs, stopAfterMedianMs, stopsTimed } = totals;
  if (labelled === 0) return [];
  const name = 'Time to stop a bad one';
  if (stopAfterMedianMs === null || stopAfterMaxMs === null) {
    return [[name, isPair ? 'no bad deploy was stopped by both' : 'no bad deploy was stopped']];
  }
  const of = isPair ? ` (${counted(stopsTimed, 'deploy')} that both stopped)` : '';
  const median = roughDuration(stopAfterMedianMs);
  return [[name, `median ${median}, longest ${roughDuration(stopAfterMaxMs)}${of}`]];
}
