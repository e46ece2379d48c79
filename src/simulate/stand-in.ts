// What PromQL or an audit log yields cannot be made by a service that only has metrics: a gauge of
// its own stands for each such indicator, and has the values that the limits ask for. Id, title,
// unit and conditions stay.
import { type PolicyInput, policySchema } from '../config/policy-schema.ts';
import { toPolicy } from '../config/to-policy.ts';
import type { Policy } from '../core/policy.ts';

export type WithStandIns = {
  readonly input: PolicyInput;
  readonly policy: Policy;
  /** Indicators that a gauge stands for. */
  readonly promql: readonly string[];
  readonly logs: readonly string[];
};

/** @param policy what the input means */
export function withStandIns(input: PolicyInput, policy: Policy): WithStandIns {
  const indicators = Object.entries(input.indicators).map(([id, given]) => {
    const known = policy.indicators[id];
    if (known?.kind !== 'promql' && known?.kind !== 'audit_log') return [id, given] as const;
    const { title, unit } = known;
    return [id, { title, unit, gauge: { metric: `canaryd_simulated_${id}` } }] as const;
  });
  const idsOf = (wanted: 'promql' | 'audit_log') =>
    Object.values(policy.indicators).flatMap(({ kind, id }) => (kind === wanted ? [id] : []));
  const made = policySchema.parse({ ...input, indicators: Object.fromEntries(indicators) });
  return {
    input: made,
    policy: toPolicy(made, policy.name),
    promql: idsOf('promql'),
    logs: idsOf('audit_log'),
  };
}
