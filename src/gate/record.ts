// What one run of a gate found and decided: the same data for people, machines, the API and the page.
import type { Outcome } from './check.ts';
import type { Exemption, GateDeploy, Level, SignOff } from './gate.ts';

/** `review`: somebody named has to approve before it is GO. */
export type Decision = 'go' | 'no_go' | 'review';

export type CheckRecord = {
  readonly id: string;
  readonly kind: string;
  readonly wants: string;
  readonly outcome: Outcome;
  readonly text: string;
  readonly details: readonly string[];
  readonly tookMs: number;
  /** Files of the evidence, relative to its folder, with their sha256. */
  readonly exhibits: readonly {
    readonly file: string;
    readonly sha256: string;
    readonly isCut: boolean;
  }[];
};

export type CriterionRecord = {
  readonly id: string;
  readonly title: string;
  readonly section: string | null;
  readonly level: Level;
  /** Of its checks and sign-offs together: the worst. */
  readonly outcome: Outcome;
  /** A waiver or mitigation that holds now; null: none. */
  readonly exemption: Exemption | null;
  readonly checks: readonly CheckRecord[];
  readonly signOffs: readonly {
    readonly role: string;
    readonly statement: string;
    /** null: nobody has signed, or it has expired. */
    readonly signed: SignOff | null;
    readonly text: string;
  }[];
};

export type Overridden = { readonly approvals: readonly SignOff[]; readonly risk: string };

export type GateRecord = {
  readonly id: string;
  readonly gate: string;
  readonly title: string;
  readonly deploy: GateDeploy;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly decision: Decision;
  /** Why, most important first: "green coverage: lines 88 %, at least 90 % wanted". */
  readonly reasons: readonly string[];
  /** Set when an override made it GO. */
  readonly override: Overridden | null;
  /** Approvals that made a review GO. */
  readonly approvals: readonly SignOff[];
  readonly criteria: readonly CriterionRecord[];
  readonly next: string | null;
  readonly gateHash: string;
  readonly tools: Readonly<Record<string, string>>;
  /** Version of canaryd. */
  readonly version: string;
};
