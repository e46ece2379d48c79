// What of a policy can be judged on the past. Health endpoints have no past that anybody could ask:
// their conditions are left out, by name, and never count as good.
import type { Condition, Policy } from '../core/policy.ts';

export type LeftOut = { readonly condition: Condition; readonly why: string };

export type ReplayedPolicy = {
  /** As it is replayed: nothing is verified, because the past was not rolled back. */
  readonly policy: Policy;
  readonly leftOut: readonly LeftOut[];
  /** Every pass condition can be judged; without one of them nothing is known to have passed. */
  readonly mayPass: boolean;
};

export function replayedPolicy(policy: Policy): ReplayedPolicy {
  const isLeftOut = ({ indicator }: Condition) => policy.indicators[indicator]?.kind === 'http';
  const conditions = policy.conditions.filter((condition) => !isLeftOut(condition));
  const leftOut = policy.conditions.filter(isLeftOut).map((condition) => ({
    condition,
    why: 'a health endpoint cannot be asked about the past',
  }));
  return {
    policy: { ...policy, conditions, verify: null },
    leftOut,
    mayPass: leftOut.every(({ condition }) => condition.role !== 'pass'),
  };
}

/** "immediate.stop.health was not replayed: a health endpoint cannot be asked about the past". */
export function leftOutText({ condition, why }: LeftOut): string {
  return `${condition.id} was not replayed: ${why}`;
}
