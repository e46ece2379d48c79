// Which conditions of a policy no case makes fire, and which no case makes hold: a condition that
// was never seen both ways may be upside down.
import type { Policy } from '../core/policy.ts';
import { conditionSentence } from '../core/wording.ts';
import type { CaseResult } from './result.ts';

export type ConditionCoverage = {
  readonly condition: string;
  readonly sentence: string;
  readonly fired: boolean;
  /** Judged without firing. */
  readonly held: boolean;
};

export function coverageOf(
  policy: Policy,
  results: readonly CaseResult[],
): readonly ConditionCoverage[] {
  const all = [...policy.conditions, ...(policy.verify?.conditions ?? [])];
  return all.map((condition) => ({
    condition: condition.id,
    sentence: conditionSentence(condition, policy),
    fired: results.some(({ fired }) => fired.has(condition.id)),
    held: results.some(({ held }) => held.has(condition.id)),
  }));
}

export function isComplete(coverage: readonly ConditionCoverage[]): boolean {
  return coverage.every(({ fired, held }) => fired && held);
}
