// Which conditions of a policy no case expects to fire, and which no case expects to hold: a
// condition that was never tried both ways may be upside down.
import type { Policy } from '../core/policy.ts';
import { conditionSentence } from '../core/wording.ts';
import type { CaseResult, Found } from './result.ts';

/** `seen`: it came to be, but no case would have failed without it. */
export type Covered = 'expected' | 'seen' | 'never';

export type ConditionCoverage = {
  readonly condition: string;
  readonly sentence: string;
  readonly fired: Covered;
  /** Judged without firing. */
  readonly held: Covered;
};

export function coverageOf(
  policy: Policy,
  results: readonly CaseResult[],
): readonly ConditionCoverage[] {
  const all = [...policy.conditions, ...(policy.verify?.conditions ?? [])];
  return all.map((condition) => ({
    condition: condition.id,
    sentence: conditionSentence(condition, policy),
    fired: coveredBy(
      results.map(({ fired }) => fired),
      condition.id,
    ),
    held: coveredBy(
      results.map(({ held }) => held),
      condition.id,
    ),
  }));
}

function coveredBy(cases: readonly Found[], id: string): Covered {
  if (cases.some(({ expected }) => expected.has(id))) return 'expected';
  return cases.some(({ seen }) => seen.has(id)) ? 'seen' : 'never';
}

export function isBothWays({ fired, held }: ConditionCoverage): boolean {
  return fired === 'expected' && held === 'expected';
}

export function isComplete(coverage: readonly ConditionCoverage[]): boolean {
  return coverage.every(isBothWays);
}
