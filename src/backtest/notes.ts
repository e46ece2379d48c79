// What a reader of a backtest must know before the verdicts: conditions that saw nothing. A backtest
// in which a condition never saw its series says nothing of this condition.
import type { BlindReason } from '../core/sample.ts';
import type { ConditionResult, DeployResult } from './result.ts';

/** "success.pass.log_errors was blind all the time in 3 of 11 deploys (no_series)". */
export function blindNotes(deploys: readonly DeployResult[]): readonly string[] {
  const all = deploys.flatMap(({ conditions }) => conditions).filter(isDue);
  return [...Map.groupBy(all, ({ condition }) => condition)].flatMap(([name, due]) => {
    const blind = due.filter(({ judgedMs }) => judgedMs === 0);
    if (blind.length === 0) return [];
    const reasons = [...new Set(blind.map(({ blindReason }) => blindReason ?? ''))].join(', ');
    const where = `${blind.length} of ${due.length} ${due.length === 1 ? 'deploy' : 'deploys'}`;
    const what = `${name} was blind all the time in ${where} (${reasons})`;
    return [
      blind.length < due.length ? what : `${what}, so nothing is known of it: ${adviceOf(blind)}`,
    ];
  });
}

const isDue = ({ blindMs, judgedMs }: ConditionResult) => blindMs + judgedMs > 0;

const ADVICE: Partial<Record<BlindReason, string>> = {
  no_series: 'is there such a metric, with these labels?',
  rejected: 'the source refuses what it asks',
  too_few: 'is min_total too high?',
  stale: 'is stale_after shorter than the scrape interval?',
  no_baseline: 'nothing was measured before the deploy',
};

function adviceOf([first]: readonly ConditionResult[]): string {
  return ADVICE[(first?.blindReason ?? '') as BlindReason] ?? 'check --live shows why';
}
