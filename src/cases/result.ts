// What came of a file of cases: plain data, the same for the terminal, `--json` and JUnit.
import type { WatchEvent } from '../core/event.ts';
import type { Tick } from '../core/sample.ts';
import type { WatchView } from '../engine/control.ts';

export type Failure = {
  /** When it should have been so: `45s`, `2m-10m`, `never`. */
  readonly at: string;
  /** When it was found not to be, since the deploy. */
  readonly foundMs: number;
  /** `fill_rate` */
  readonly field: string;
  readonly expected: string;
  readonly got: string;
  /** The indicator that is meant, to be drawn; null: none. */
  readonly indicator: string | null;
  /** Of the watch that is meant; null: it could not be started. */
  readonly watchId: string | null;
};

/** A watch as the case left it. */
export type PlayedWatch = {
  readonly id: string;
  readonly view: WatchView;
  readonly deployedAtMs: number;
  readonly events: readonly WatchEvent[];
  readonly ticks: readonly Tick[];
};

export type CaseResult = {
  readonly name: string;
  readonly failures: readonly Failure[];
  readonly tookMs: number;
  /** Kept only of a case that failed. */
  readonly watches: readonly PlayedWatch[];
  /** Ids of conditions that fired, and of those that were judged without firing. */
  readonly fired: Found;
  readonly held: Found;
};

/** What came to be, and how much of it the case would have missed if it had not. */
export type Found = {
  readonly seen: ReadonlySet<string>;
  readonly expected: ReadonlySet<string>;
};
