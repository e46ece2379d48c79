// What of a policy can be judged on the past. Audit logs are not in a Prometheus, and health endpoints
// have no past that anybody could ask: unless a prober recorded them and the policy says where, their
// conditions are left out, by name, and never count as good.
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
  const whyNot = ({ indicator: id }: Condition) => {
    const indicator = policy.indicators[id];
    if (indicator?.kind === 'audit_log') return 'an audit log is not in a Prometheus';
    const isAsked = indicator?.kind === 'http' && indicator.recorded === undefined;
    return isAsked
      ? 'a health endpoint cannot be asked about the past (http.recorded says where it was recorded)'
      : null;
  };
  const conditions = policy.conditions.filter((condition) => whyNot(condition) === null);
  const leftOut = policy.conditions.flatMap((condition) => {
    const why = whyNot(condition);
    return why === null ? [] : [{ condition, why }];
  });
  return {
    policy: { ...policy, conditions, verify: null },
    leftOut,
    mayPass: leftOut.every(({ condition }) => condition.role !== 'pass'),
  };
}

/** "immediate.stop.health was not replayed: a health endpoint cannot be asked about …". */
export function leftOutText({ condition, why }: LeftOut): string {
  return `${condition.id} was not replayed: ${why}`;
}
