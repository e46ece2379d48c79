// Text from outside (answers of receivers, output of commands) before it may be kept: secrets out,
// control characters out.
import { stripVTControlCharacters } from 'node:util';

const REDACTED = '[redacted]';

/**
 * Replaces every secret in the text. The longest goes first, so that a secret that contains
 * another one does not leave its ends behind.
 */
export function redact(text: string, secrets: readonly string[]): string {
  const known = [...new Set(secrets.flatMap(formsOf))].sort((a, b) => b.length - a.length);
  return known.reduce((result, secret) => result.replaceAll(secret, REDACTED), text);
}

/** A tool may print a secret trimmed, by line (a PEM key), or as a URL holds it. */
function formsOf(secret: string): readonly string[] {
  const lines = secret.split('\n').filter((line) => line.trim().length >= 8);
  return [secret, secret.trim(), ...lines, encodeURIComponent(secret.toWellFormed())].filter(
    (form) => form.trim() !== '',
  );
}

/** A shorter header value is a word, such as `true`. */
const HEADER_SECRET_MIN = 8;

/** Header values that may be secrets, with and without a scheme such as `Bearer`. */
export function headerSecrets(headers: Readonly<Record<string, string>>): readonly string[] {
  return Object.values(headers)
    .flatMap((value) => [value, value.replace(/^\S+\s+/, '')])
    .filter((value) => value.length >= HEADER_SECRET_MIN);
}

/** Begins a command to a terminal, such as one that sets its title. */
const TERMINAL_COMMAND = '\u001b]';

/** Without control and format characters; white space (`keepLines`: except line ends) is one blank. */
export function printable(text: string, options: { readonly keepLines?: boolean } = {}): string {
  const blanks = options.keepLines ? /[^\S\n]+/g : /\s+/g;
  return withoutCodes(text)
    .replace(/\r\n?/g, '\n')
    .replace(blanks, ' ')
    .replace(/(?!\n)[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, '')
    .trim();
}

/**
 * Piece by piece, one command in each: Node's pattern reads from every command that has no end to
 * the end of the text.
 */
function withoutCodes(text: string): string {
  const [first = '', ...rest] = text.split(TERMINAL_COMMAND);
  const pieces = rest.map((piece) => stripVTControlCharacters(`${TERMINAL_COMMAND}${piece}`));
  return [stripVTControlCharacters(first), ...pieces].join('');
}

/** At most `max` code points; what is cut off is marked. */
export function cutEnd(text: string, max: number): string {
  const points = [...text];
  return points.length <= max ? text : `${points.slice(0, max - 1).join('')}…`;
}

/** The last `max` code points; what is cut off is marked. */
export function cutStart(text: string, max: number): string {
  const points = [...text];
  return points.length <= max ? text : `…${points.slice(points.length - max + 1).join('')}`;
}
