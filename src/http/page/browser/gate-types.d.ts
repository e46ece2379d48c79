// A decision of a gate as the API tells it: the core's record, with times as text.
import type {
  CheckRecord as CoreCheck,
  CriterionRecord as CoreCriterion,
  Exemption as CoreExemption,
  GateRecord as CoreRecord,
  SignOff as CoreSignOff,
} from '../../../core/gate-record.ts';
import type { Tone } from './types.d.ts';

export type Signature = Omit<CoreSignOff, 'atMs' | 'isWithdrawn'> & {
  readonly at: string;
  readonly withdrawn?: true;
};

export type Exemption = Omit<CoreExemption, 'untilMs'> & { readonly until: string };

export type CheckView = Omit<CoreCheck, 'exhibits'> & {
  readonly exhibits: readonly {
    readonly file: string;
    readonly sha256: string;
    readonly cut: boolean;
  }[];
};

export type CriterionView = Omit<CoreCriterion, 'exemption' | 'checks' | 'signOffs'> & {
  readonly exemption: Exemption | null;
  readonly checks: readonly CheckView[];
  readonly signOffs: readonly {
    readonly role: string;
    readonly statement: string;
    readonly signed: Signature | null;
    readonly text: string;
  }[];
};

/** What a list of decisions shows of each. */
export type DecisionRow = Pick<
  CoreRecord,
  'id' | 'gate' | 'title' | 'decision' | 'deploy' | 'startedAt' | 'endedAt' | 'reasons'
> & { readonly isNewest: boolean };

export type RecordView = Omit<
  CoreRecord,
  'criteria' | 'approvals' | 'override' | 'gateHash' | 'version'
> & {
  readonly criteria: readonly CriterionView[];
  readonly approvals: readonly Signature[];
  readonly override: { readonly approvals: readonly Signature[]; readonly risk: string } | null;
  readonly gateSha256: string;
  readonly canaryd: string;
  readonly evidenceSha256: string | null;
  readonly reportedBy: string | null;
  readonly receivedAt: string;
  readonly isNewest: boolean;
  /** Given for this gate, environment and version after the decision: they do not change it. */
  readonly signedSince: readonly Signature[];
};

/** A signature that the gate wants, or that was given in one of its roles. */
export type Place = {
  /** One for each place: what a button is found again by. */
  readonly key: string;
  readonly criterion: string;
  readonly title: string;
  readonly role: string;
  readonly statement: string;
  /** As the decision found it. */
  readonly signed: Signature | null;
  /** Why the decision found none. */
  readonly text: string;
  /** Given since, and not taken back. */
  readonly since: readonly Signature[];
  /** The signature that was found has been taken back since. */
  readonly isWithdrawn: boolean;
};

export type Reason = {
  readonly level: string | null;
  readonly criterion: string | null;
  readonly title: string | null;
  readonly text: string;
};

export type Status = { readonly tone: Tone; readonly word: string };
