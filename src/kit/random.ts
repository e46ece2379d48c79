// The only file that rolls dice.
import { randomBytes } from 'node:crypto';

/** A number in [0, 1). */
export type Random = () => number;

export const systemRandom: Random = () => Math.random();

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** `w_` and 16 characters: 80 random bits, safe in URLs, file names and webhook ids. */
export function newWatchId(): string {
  return `w_${[...randomBytes(16)].map((byte) => ALPHABET[byte & 31]).join('')}`;
}
