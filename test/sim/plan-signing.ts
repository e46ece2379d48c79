// In a few worlds people sign: who, from when on they are asked, and when they do. Drawn by dice of
// its own, so that all other worlds stay as they were.
import { Dice } from './dice.ts';
import type { ServicePlan, Step } from './plan.ts';

export type SigningPlan = {
  readonly afterMs: number;
  readonly roles: readonly string[];
  /** When somebody signs on which service's watch, and in which role. */
  readonly signings: readonly {
    readonly atMs: number;
    readonly service: number;
    readonly role: number;
  }[];
};

const ROLES = ['ops_lead', 'qa_lead', 'constructor'];

export function signingPlanOf(seed: number, services: number): SigningPlan | null {
  const dice = new Dice(seed ^ 0x5160).of('signing');
  if (!dice.chance(0.15)) return null;
  const roles = ROLES.slice(0, dice.whole(1, ROLES.length));
  return {
    afterMs: Math.round(dice.between(15_000, 120_000)),
    roles,
    signings: Array.from({ length: dice.whole(0, 2 * roles.length) }, () => ({
      atMs: dice.between(10_000, 260_000),
      service: dice.whole(0, services - 1),
      // One more than there are: a role that nobody has.
      role: dice.whole(0, roles.length),
    })),
  };
}

export function signedBy(service: ServicePlan, { afterMs, roles }: SigningPlan): ServicePlan {
  const needed = roles.map((role) => ({ role, statement: `${role} says so` }));
  return { ...service, policy: { ...service.policy, signOffs: { afterMs, needed } } };
}

export function signingSteps(signing: SigningPlan | null): readonly Step[] {
  const { roles = [], signings = [] } = signing ?? {};
  return signings.map(({ atMs, service, role }) => {
    return { what: 'human sign', atMs, service, ms: 0, machine: 0, role: roles[role] ?? 'cto' };
  });
}
