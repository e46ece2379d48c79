// Names that were probably meant.
import { closest } from '../../config/problems.ts';
import { signOf, wordsOf } from '../words.ts';

const NAMED_MAX = 3;
const ALIKE_MAX = 4;
/** So few are named all, when none is similar. */
const LISTED_MAX = 10;
/** So much of their words must two names share. */
const SHARED_MIN = 0.5;

/** The names nearest to one that does not exist: by letters, then by words. */
export function nearest(name: string, candidates: readonly string[]): readonly string[] {
  const found: string[] = [];
  const left = new Set(candidates);
  left.delete(name);
  // Names of another length are not one slip away: of tens of thousands few are compared.
  const alike = new Set([...left].filter((one) => Math.abs(one.length - name.length) <= ALIKE_MAX));
  for (let best = closest(name, alike); best !== null; best = closest(name, alike)) {
    found.push(best);
    left.delete(best);
    alike.delete(best);
    if (found.length >= NAMED_MAX) return found;
  }
  const words = new Set(wordsOf(name));
  const byWords = [...left]
    .map((candidate) => {
      const own = new Set(wordsOf(candidate));
      const shared = [...own].filter((word) => words.has(word)).length;
      return [candidate, shared / (words.size + own.size - shared)] as const;
    })
    .filter(([, share]) => share >= SHARED_MIN)
    .sort(([, a], [, b]) => b - a);
  return [...found, ...byWords.map(([candidate]) => candidate)].slice(0, NAMED_MAX);
}

/** Names that differ by slips of letters only, or by what stands before or after. */
export function alike(name: string, candidates: readonly string[]): readonly string[] {
  const words = wordsOf(name);
  const sign = signOf(words);
  return candidates.filter((candidate) => {
    const own = wordsOf(candidate);
    const ownSign = signOf(own);
    if (candidate === name || (sign !== null && ownSign !== null && sign !== ownSign)) return false;
    const isLonger = words.every((word) => own.includes(word));
    const isEnd = own.length > 1 && own.join() === words.slice(-own.length).join();
    return isLonger || isEnd || isSpelling(words, own);
  });
}

function isSpelling(words: readonly string[], others: readonly string[]): boolean {
  return (
    words.length === others.length &&
    words.every((word, index) => isSlip(word, others[index] ?? ''))
  );
}

/** Numbers are not misspelt: 4xx is no slip of 5xx. */
function isSlip(word: string, other: string): boolean {
  if (word === other) return true;
  if (/\d/.test(word + other) || Math.min(word.length, other.length) < 3) return false;
  return word.startsWith(other) || other.startsWith(word) || closest(word, [other]) !== null;
}

/** What is wanted in place of a name that does not exist. */
export function nearestText(name: string, candidates: readonly string[] | null): string {
  if (candidates === null)
    return 'one that exists; the names of the source are not known, or too many';
  const names = nearest(name, candidates);
  if (names.length === 1) return `${names[0]}?`;
  if (names.length > 1) return `one that exists; the nearest are ${names.join(', ')}`;
  const others = candidates.filter((one) => !one.startsWith('__'));
  const areFew = others.length > 0 && others.length <= LISTED_MAX;
  return areFew ? `one of ${others.join(', ')}` : 'one that exists; nothing there is similar';
}
