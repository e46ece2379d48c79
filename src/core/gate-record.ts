// A decision of a gate and the signatures for it, as they are kept: the same data for people, machines,
// the journal, the API and the page. How it is decided is in src/gate/.

/** `unknown`: it could not be carried out. Unknown is not GO. */
export type Outcome = 'pass' | 'fail' | 'unknown';

/**
 * - `green`: must pass
 * - `yellow`: a warning; may be mitigated in writing
 * - `red`: a stop condition; its checks pass while it does not hold, and nothing waives it
 */
export const LEVELS = ['green', 'yellow', 'red'] as const;
export type Level = (typeof LEVELS)[number];

/** In writing: who, why, until when. A waiver of a green criterion, a mitigation of a yellow one. */
export type Exemption = {
  readonly kind: 'waiver' | 'mitigation';
  readonly criterion: string;
  readonly by: string;
  readonly reason: string;
  readonly untilMs: number;
};

export type SignOff = {
  readonly gate: string;
  readonly criterion: string;
  readonly role: string;
  readonly name: string;
  /** absent: written without one; it counts for any service of this gate. */
  readonly service?: string;
  /** Where that version is to go: a signature for a testnet does not count for production. */
  readonly environment: string;
  readonly version: string;
  readonly atMs: number;
  readonly note: string | null;
  /** The words that were signed; absent: whatever the gate says. */
  readonly statement?: string;
  /** Approval of a review: criteria that may be open; absent: whichever are. */
  readonly covers?: readonly string[];
  /** The token by which it came over the API; absent: written by hand, or without tokens. */
  readonly via?: string;
  /** It takes back what the same person has signed before in this role; absent: it signs. */
  readonly isWithdrawn?: true;
};

export type GateDeploy = {
  readonly service: string;
  readonly environment: string;
  readonly version: string;
  readonly parameters: Readonly<Record<string, number | string>>;
};

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

/** A decision as it was reported by whoever carried the gate out. */
export type StoredGateRecord = GateRecord & {
  /** sha256 of the evidence's manifest: `canaryd gate verify --hash`. */
  readonly evidenceHash: string | null;
  /** The token by which it came; null without tokens. */
  readonly reportedBy: string | null;
  /** By our clock; `endedAt` is by that of the machine that carried it out. */
  readonly receivedAtMs: number;
  /** Signatures that it counts and that nobody had given here when it came; absent: none. */
  readonly notSignedHere?: readonly SignOff[];
};

/** What a list shows of a decision: its criteria are counted, not read. */
export type HeadOf<Record extends GateRecord> = Omit<Record, 'criteria'> & {
  /** That pass, or are waived or mitigated. */
  readonly criteriaMet: number;
  readonly criteriaTotal: number;
};

export function headOf<Record extends GateRecord>(record: Record): HeadOf<Record> {
  const { criteria, ...rest } = record;
  const met = criteria.filter(({ outcome, exemption }) => outcome === 'pass' || exemption !== null);
  return { ...rest, criteriaMet: met.length, criteriaTotal: criteria.length };
}
