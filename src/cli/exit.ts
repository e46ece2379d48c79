// Exit codes: what a pipeline branches on. One meaning each, the same for every verb.
import type { Phase } from '../core/watch.ts';

export const EXIT = {
  passed: 0,
  stopped: 1,
  usage: 2,
  inconclusive: 3,
  unreachable: 4,
  /** `serve` only: the shutdown did not end in time. */
  cutShort: 5,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends the program with one clear text; carried up to `runCli`, the only place that catches it. */
export class CliExit extends Error {
  override readonly name = 'CliExit';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

export function usage(message: string): CliExit {
  return new CliExit(EXIT.usage, message);
}

/** A watch that is still open has no verdict: inconclusive. */
export function exitCodeOf(phase: Phase): ExitCode {
  if (phase === 'passed') return EXIT.passed;
  return phase === 'stopped' ? EXIT.stopped : EXIT.inconclusive;
}
