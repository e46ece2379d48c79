// The only file that rolls dice.
import { randomBytes } from 'node:crypto';

/** A number in [0, 1). */
export type Random = () => number;

export const systemRandom: Random = () => Math.random();

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

function word(length: number): string {
  return [...randomBytes(length)].map((byte) => ALPHABET[byte & 31]).join('');
}

/** `w_` and 16 characters: 80 random bits, safe in URLs, file names and webhook ids. */
export function newWatchId(): string {
  return `w_${word(16)}`;
}

/** A new one for each process: what a crashed one left begun is seen to be nobody's. */
export function newReplicaId(): string {
  return `r_${word(10)}`;
}

/** Of one run of a gate. */
export function newGateRunId(): string {
  return `g_${word(16)}`;
}
