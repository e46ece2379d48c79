// One spoilt policy: the finding it shows, and a near one that does not show it.
import type { FindingName } from '../../src/config/finding-names.ts';
import type { Change } from './sample.ts';

export type Spoilt = {
  readonly name: FindingName;
  readonly title: string;
  readonly shows: readonly Change[];
  /** What the finding is about: a condition, an indicator, or something else. */
  readonly at: string;
  readonly says: string;
  readonly near: readonly Change[];
};

export const STOP = 'windows.0.stop';
export const WARN = 'windows.1.warn';
export const PASS = 'windows.1.pass';

export function one(
  name: FindingName,
  title: string,
  shows: readonly Change[],
  at: string,
  says: string,
  near: readonly Change[],
): Spoilt {
  return { name, title, shows, at, says, near };
}
