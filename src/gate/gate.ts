// A gate after validation: what must be true before a deploy, and how GO or NO-GO follows from it.
import type { Exemption, Level, SignOff } from '../core/gate-record.ts';
import type { Check } from './check.ts';

/** One line of a checklist. It passes when all its checks and sign-offs do. */
export type Criterion = {
  readonly id: string;
  readonly title: string;
  /** Heading in the checklist; where a gate counts sections, criteria of one section count as one. */
  readonly section: string | null;
  readonly level: Level;
  readonly checks: readonly Check[];
  readonly signOffs: readonly SignOffNeeded[];
};

/** A line that no machine can check: a person with this role says so, by name. */
export type SignOffNeeded = {
  readonly role: string;
  /** What is signed: "Code review complete, all gates passed". */
  readonly statement: string;
  /** It counts this long. */
  readonly validForMs: number;
};

/** Instead of the id of a criterion: the approval of a review, and of an override. */
export const APPROVAL_IDS = { review: 'review', override: 'override' } as const;

/** Where signatures are kept: a file beside the evidence, or the journal of the daemon. */
export interface SignOffStore {
  /** All of a gate, oldest first; at most `SIGN_OFFS_MAX`, else the store says what is wrong. */
  list(gate: string): Promise<SignOffsResult>;
  /** Appended for good: a signature is never changed nor taken away. */
  add(signOff: SignOff): Promise<SignOffAdded>;
}

export type SignOffsResult =
  | { readonly kind: 'sign_offs'; readonly signOffs: readonly SignOff[] }
  | SignOffsFailed;

export type SignOffsFailed = {
  readonly kind: 'failed';
  readonly reason: string;
  /** Nobody answers there: trying again may help. */
  readonly isUnreachable?: true;
};

export type SignOffAdded =
  /** `signOff`: as it was kept, when the store has its own clock. */
  { readonly kind: 'added'; readonly signOff?: SignOff } | SignOffsFailed;

export const SIGN_OFFS_MAX = 10_000;

export type DecisionRule =
  /** All green pass, no red holds; so many yellows may be left unmitigated (null: any number). */
  | { readonly kind: 'levels'; readonly unmitigatedYellowsMax: number | null }
  /** So many of all green sections (or criteria) must pass; with `review` so many, and approvals. */
  | {
      readonly kind: 'count';
      readonly of: 'sections' | 'criteria';
      readonly go: number;
      readonly review: (Approvals & { readonly from: number }) | null;
    };

/** So many different people with this role. */
export type Approval = { readonly role: string; readonly people: number };

/** All by different people; each counts this long. */
export type Approvals = { readonly approvals: readonly Approval[]; readonly validForMs: number };

/**
 * NO-GO all the same becomes GO: with these approvals and a written risk assessment. A red criterion
 * that holds is not overridden.
 */
export type Override = Approvals;

export type Gate = {
  readonly name: string;
  readonly title: string;
  /** Default of the deploy it is for. */
  readonly service: string | null;
  readonly environment: string | null;
  readonly criteria: readonly Criterion[];
  readonly rule: DecisionRule;
  readonly override: Override | null;
  readonly exemptions: readonly Exemption[];
  /** What the record names as the next step, placeholders filled. */
  readonly next: string | null;
  readonly timeoutMs: number;
  readonly checksAtOnce: number;
  /** sha256 of the file it was read from. */
  readonly hash: string;
};
