// A case after reading: plain data with every default filled in.
import type { ActionName, Mode, Policy } from '../core/policy.ts';
import type { HealthCourse, ReceiverWord } from './answers.ts';
import type { Course } from './course.ts';
import type { Expectation } from './expectation.ts';
import type { Happening } from './happening.ts';
import type { CaseSeries } from './series.ts';

export type Case = {
  readonly name: string;
  readonly deploy: {
    readonly version: string;
    readonly previousVersion: string;
    readonly parameters: Readonly<Record<string, number | string>>;
    /** Wall clock of the deploy. */
    readonly atMs: number;
    /** Start of the watch since the deploy. */
    readonly startedMs: number;
    readonly mode: Mode | null;
  };
  readonly series: readonly CaseSeries[];
  /** Of promql and audit_log indicators. */
  readonly values: ReadonlyMap<string, Course>;
  /** Of http indicators; none: ok. */
  readonly health: ReadonlyMap<string, HealthCourse>;
  readonly receivers: Readonly<Partial<Record<ActionName, readonly ReceiverWord[]>>>;
  readonly happens: readonly Happening[];
  readonly expects: readonly Expectation[];
  /** What may be so at no time; its span is the whole case. */
  readonly never: readonly Expectation[];
  readonly untilMs: number;
};

export type CaseFile = {
  readonly file: string;
  readonly policyFile: string;
  readonly policy: Policy;
  readonly source: 'prometheus' | 'scrape';
  /** How often series are scraped. */
  readonly everyMs: number;
  readonly cases: readonly Case[];
};
