// A share against "at least 90 %" or "above 90 %": at exactly the figure only the first one holds.

import { shareValue } from '../config/fields.ts';
import type { ShareLimitInput } from '../config/gate-checks/limit.ts';

/** Errors in the last places of a division. */
const EXACT = 1e-12;

export type ShareLimit = {
  /** `above 90%` */
  readonly words: string;
  readonly holds: (share: number) => boolean;
};

export function shareLimitOf(input: ShareLimitInput): ShareLimit {
  const { above, at_least: least } =
    typeof input === 'object' ? input : { above: undefined, at_least: input };
  const written = above ?? least;
  const limit = written === undefined ? null : shareValue(written);
  if (limit === null) throw new Error('a share without a limit passed the schema');
  return above === undefined
    ? { words: `at least ${written}`, holds: (share) => share >= limit - EXACT }
    : { words: `above ${written}`, holds: (share) => share > limit + EXACT };
}
