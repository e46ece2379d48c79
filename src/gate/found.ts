// Several things that one check looks at, as its one result.
import type { CheckResult } from './check.ts';
import { fail, pass, type ResultParts, unknown } from './result.ts';

export type Found = { readonly kind: 'good' | 'bad' | 'unknown'; readonly text: string };

/** What is bad goes before what is unknown: that much is known. */
export function summedUp(all: readonly Found[], parts: ResultParts = {}): CheckResult {
  const wrong = all.filter(({ kind }) => kind === 'bad');
  const unseen = all.filter(({ kind }) => kind === 'unknown');
  const [first, ...rest] = [...wrong, ...unseen].map(({ text }) => text);
  if (first === undefined) {
    const [only] = all;
    return pass(all.length === 1 && only ? only.text : `${all.length} of ${all.length} as wanted`, {
      ...parts,
      details: all.length === 1 ? [] : all.map(({ text }) => text),
    });
  }
  const text = rest.length === 0 ? first : `${first} (and ${rest.length} more)`;
  const details = rest.length === 0 ? [] : [first, ...rest];
  return (wrong.length > 0 ? fail : unknown)(text, { ...parts, details });
}
