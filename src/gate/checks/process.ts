// What programs of checks have in common: the environment they are given, and how one that did not
// end by itself is told.
import type { RunResult } from '../../act/process-group.ts';
import { formatDuration } from '../../core/quantity.ts';

/** What a program needs to run at all. Secrets of canaryd's own environment are not passed on. */
const INHERITED = ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'CI'];

export function inherited(
  env: Readonly<Record<string, string | undefined>>,
  more: readonly string[],
): Record<string, string> {
  const pairs = [...INHERITED, ...more].flatMap((name) => {
    const value = env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(pairs);
}

const START_ERRORS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'no such program, or its folder or interpreter is missing (ENOENT)'],
  ['EACCES', 'not executable for the user that canaryd runs as (EACCES)'],
  ['ERR_INVALID_ARG_VALUE', 'an argument or a variable has a NUL character'],
]);

export function processText(result: RunResult, timeoutMs?: number): string {
  switch (result.kind) {
    case 'exited':
      return `exit code ${result.code}`;
    case 'killed':
      return `ended by ${result.by}`;
    case 'timeout': {
      const limit = timeoutMs === undefined ? 'in time' : `within ${formatDuration(timeoutMs)}`;
      return `not finished ${limit}, ended with all its children`;
    }
    case 'aborted':
      return 'cut off with the check, ended with all its children';
    case 'not_started':
      return `cannot start: ${START_ERRORS.get(result.code) ?? result.code}`;
    default:
      return result satisfies never;
  }
}
