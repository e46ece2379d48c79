// What every check of a gate is and gives. A check looks at one thing, says in one sentence what it
// found and what is wanted, and keeps what it looked at as evidence. It never decides about the gate.
import type { Outcome } from '../core/gate-record.ts';
import type { Clock } from '../kit/clock.ts';

/** What was looked at, for a file of the evidence. Without secrets. */
export type Exhibit = {
  /** A file name: `coverage.xml`, `response.json`. */
  readonly name: string;
  readonly body: Uint8Array | string;
  /** The whole was larger than `EXHIBIT_BYTES_MAX`. */
  readonly isCut: boolean;
};

export const EXHIBIT_BYTES_MAX = 2_000_000;

export type CheckResult = {
  readonly outcome: Outcome;
  /** "lines 93.2 %, at least 90 % wanted"; at most 500 characters, one line. */
  readonly text: string;
  /** Several things that are wrong, one line each; at most 50. */
  readonly details: readonly string[];
  readonly exhibits: readonly Exhibit[];
  /** Tools that took part, by name: `{ prometheus: '2.42.0' }`. */
  readonly tools: Readonly<Record<string, string>>;
};

export type CheckTools = {
  readonly clock: Clock;
  /** Relative paths of reports are relative to this folder. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted when the check's time is over or the gate was interrupted. */
  readonly signal: AbortSignal;
  /** Of the check, from its beginning to its result. */
  readonly timeoutMs: number;
};

/** Never rejects for what it looks at: what cannot be looked at is `unknown`, with the reason. */
export type RunCheck = (tools: CheckTools) => Promise<CheckResult>;

/** A check of a gate, ready to be carried out: its config has been read, its secrets are known. */
export type Check = {
  /** Unique in its criterion: `coverage`, or `coverage_2`. */
  readonly id: string;
  /** One of the kinds of docs/gate.md: `coverage`. */
  readonly kind: string;
  /** What is wanted, as a sentence: "coverage of coverage.xml: lines at least 90 %". */
  readonly wants: string;
  readonly timeoutMs: number;
  readonly run: RunCheck;
};
