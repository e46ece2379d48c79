// Signatures for a gate beside each other: which are of one person for one thing, and which of them
// has been taken back. Pure. What a signature counts for is decided in src/gate/signed.ts.
import type { SignOff } from './gate-record.ts';

/** Blanks, punctuation, and what nobody sees, such as the pattern of an empty braille cell. */
const UNSEEN = /[\s\p{P}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/gu;

/** Names are compared as people do: without regard to case, blanks, punctuation and what nobody sees. */
export function personOf(name: string): string {
  return name.normalize('NFKC').replaceAll(UNSEEN, '').toLowerCase();
}

/** Scripts with letters that look alike; a word that mixes them looks like another one. */
const ALIKE = ['Latin', 'Cyrillic', 'Greek', 'Armenian', 'Cherokee', 'Coptic'].map((script) => ({
  script,
  pattern: new RegExp(`\\p{Script=${script}}`, 'u'),
}));

const HIDDEN = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
/** Only what everybody sees as a gap parts words: "Иван Петров (CTO)". */
const GAPS = /[\s\p{Ps}\p{Pe},;/]+/u;

/** Why nobody can sign with this name; null: it is fine. */
export function nameFlaw(name: string): string | null {
  if (!/[\p{L}\p{N}]/u.test(personOf(name))) return 'has no letters';
  for (const word of name.normalize('NFKC').replaceAll(HIDDEN, '').split(GAPS)) {
    const scripts = ALIKE.filter(({ pattern }) => pattern.test(word)).map(({ script }) => script);
    if (scripts.length > 1) return `has letters of ${scripts.join(' and ')} in one word`;
  }
  return null;
}

/** One person, in one role, for one criterion of one deploy. */
export function isSamePlace(one: SignOff, other: SignOff): boolean {
  return (
    one.gate === other.gate &&
    one.criterion === other.criterion &&
    one.role === other.role &&
    one.environment === other.environment &&
    one.version === other.version &&
    (one.service === undefined || other.service === undefined || one.service === other.service) &&
    personOf(one.name) === personOf(other.name)
  );
}

/**
 * The entry that takes a signature back; null: it stands. Whoever signs again after that has signed.
 * @param all oldest first; of two at one time the later one is the newer
 */
export function takenBackBy(signature: SignOff, all: readonly SignOff[]): SignOff | null {
  const at = all.indexOf(signature);
  const isLater = (other: SignOff, index: number) =>
    other.atMs > signature.atMs || (other.atMs === signature.atMs && index > at);
  const taking = all.find(
    (other, index) =>
      other.isWithdrawn === true && isLater(other, index) && isSamePlace(signature, other),
  );
  return taking ?? null;
}

/** Those that nobody has taken back, in their order. */
export function standing(all: readonly SignOff[]): readonly SignOff[] {
  return all.filter((one) => one.isWithdrawn !== true && takenBackBy(one, all) === null);
}
