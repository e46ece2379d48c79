// What people sign on a watch, beside what is measured: a policy's `sign_offs`. Who is missing is
// asked for and told; it never changes the verdict.
import type { EventBody } from './event.ts';
import type { Policy } from './policy.ts';
import type { WatchState } from './watch.ts';

/** One role and what it says with its signature. */
export type SignOffNeed = { readonly role: string; readonly statement: string };

export type SignOffDemand = {
  /** Since the deploy: then people are asked. */
  readonly afterMs: number;
  readonly needed: readonly SignOffNeed[];
};

export type Signature = {
  readonly role: string;
  readonly name: string;
  /** Who gave it to canaryd: the token, or the same person. */
  readonly by: string;
  readonly note: string | null;
  readonly atMs: number;
};

type Signed = Pick<WatchState, 'rollbackOf' | 'signed'>;

/** Nobody signs the version that a rollback went back to. */
export function neededSignOffs(
  { signOffs }: Pick<Policy, 'signOffs'>,
  { rollbackOf }: Pick<WatchState, 'rollbackOf'>,
): readonly SignOffNeed[] {
  return rollbackOf === null ? (signOffs?.needed ?? []) : [];
}

export function missingSignOffs(
  policy: Pick<Policy, 'signOffs'>,
  state: Signed,
): readonly SignOffNeed[] {
  return neededSignOffs(policy, state).filter(({ role }) => signatureOf(state, role) === null);
}

export function signatureOf({ signed }: Pick<WatchState, 'signed'>, role: string) {
  return signed.find((one) => one.role === role) ?? null;
}

/** People are asked once, when it is time and somebody is missing; null: not now. */
export function signOffDue(
  policy: Pick<Policy, 'signOffs'>,
  state: Signed & Pick<WatchState, 'signOffAsked'>,
  sinceDeployMs: number,
): EventBody | null {
  const { signOffs } = policy;
  if (signOffs === undefined || state.signOffAsked || sinceDeployMs < signOffs.afterMs) return null;
  const missing = missingSignOffs(policy, state);
  return missing.length === 0 ? null : { type: 'watch.sign_off_due', missing };
}

/** The newest signature of each role counts. */
export function signedAfter(
  signed: readonly Signature[],
  signature: Signature,
): readonly Signature[] {
  return [...signed.filter(({ role }) => role !== signature.role), signature];
}
