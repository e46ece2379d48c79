// The deploys of a backtest, whatever they come from: which of them the policy is for, with which
// parameters, and when each was replaced by the next one.
import type { Policy } from '../core/policy.ts';
import type { PastDeploy } from './result.ts';

/** As it is given: what is null is taken from the policy. */
export type GivenDeploy = Omit<PastDeploy, 'service'> & {
  readonly service: string | null;
  /** It ends the time of the deploy before it; nobody wants it judged. */
  readonly isRollback?: boolean;
};

export type ChosenDeploys = {
  /** The oldest first. */
  readonly deploys: readonly PastDeploy[];
  /** Of other services or environments. */
  readonly others: number;
  /** Older ones, beyond the limit. */
  readonly older: number;
};

export function chooseDeploys(
  given: readonly GivenDeploy[],
  policy: Policy,
  options: {
    readonly limit: number;
    readonly parameters: PastDeploy['parameters'];
  },
): ChosenDeploys {
  const own = given
    .map((one) => ({ ...one, service: one.service ?? policy.service }))
    .filter((one) => isFor(policy, one))
    .toSorted((a, b) => a.deployedAtMs - b.deployedAtMs);
  const deploys = own.flatMap(({ isRollback, ...one }, index): PastDeploy[] => {
    if (isRollback === true) return [];
    const parameters = { ...options.parameters, ...one.parameters };
    return [{ ...one, parameters, replaced: replacedBy(one, own.slice(index + 1)) }];
  });
  const chosen = deploys.slice(-options.limit);
  return {
    deploys: chosen,
    others: given.length - own.length,
    older: deploys.length - chosen.length,
  };
}

function isFor(policy: Policy, { service, environment }: PastDeploy): boolean {
  const isElsewhere =
    policy.environment !== null && environment !== null && policy.environment !== environment;
  return service === policy.service && !isElsewhere;
}

/** What came first: the next deploy, or what is known to have ended its time. */
function replacedBy(
  one: PastDeploy,
  later: readonly PastDeploy[],
): NonNullable<PastDeploy['replaced']> | null {
  const next = later.find(({ environment }) => environment === one.environment);
  const known = one.replaced ?? null;
  if (next === undefined || (known !== null && known.atMs <= next.deployedAtMs)) return known;
  return { atMs: next.deployedAtMs, version: next.version };
}
