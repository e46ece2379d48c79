// The leaf types of the YAML files. Every message says what is wanted and what to do; what was
// found is added by `problems.ts`. No transforms: the same definitions give the JSON Schemas.
import { z } from 'zod';
import { parseDuration, parseQuantity } from '../core/quantity.ts';
import { parseSelector } from './selector.ts';

export const SECRET_NAME = /^\$[A-Z_][A-Z0-9_]*$/;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A mapping that refuses unknown fields and says which exist. */
export function mapping<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const known = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? known : `a mapping with ${known}`),
  });
}

/** A mapping in which exactly one of these fields is written. */
export function choice<Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
  fields: readonly (keyof Shape & string)[],
) {
  const present = (value: unknown) =>
    isRecord(value) ? fields.filter((field) => Object.hasOwn(value, field)) : [];
  return mapping(shape)
    .refine((value) => present(value).length === 1, {
      // Also when other fields are wrong: all mistakes are told at once.
      when: ({ value }) => isRecord(value),
      error: ({ input }) => {
        const names = present(input);
        const what = names.length === 0 ? 'none of them' : names.join(' and ');
        return `found ${what}; wanted exactly one of ${fields.join(', ')}; ${
          names.length === 0 ? 'add one' : 'keep one'
        }`;
      },
    })
    .meta({ oneOf: fields.map((field) => ({ required: [field] })) });
}

export function duration(min: string, max: string, example = '5m') {
  const error = `a duration from ${min} to ${max}; write a number and a unit, such as ${example}`;
  const [least, most] = [parseDuration(min) ?? 0, parseDuration(max) ?? 0];
  return z
    .string({ error })
    .regex(/^(\d+(\.\d+)?(ms|[smhdw]))+$/, { error, abort: true })
    .refine((text) => inRange(parseDuration(text), least, most), { error });
}

function inRange(value: number | null, least: number, most: number): boolean {
  return value !== null && value >= least && value <= most;
}

/** Milliseconds of a duration that the schema has accepted. */
export function ms(text: string): number {
  const value = parseDuration(text);
  if (value === null) throw new Error(`not a duration: ${text}`);
  return value;
}

export function whole(min: number, max: number) {
  const error = `a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

export function number(error: string) {
  return z.number({ error });
}

export function text(maxChars: number, what = 'a text') {
  const error = `${what} of 1 to ${maxChars} characters; quote it if YAML reads something else`;
  return z.string({ error }).min(1, { error }).max(maxChars, { error });
}

/** Names of indicators, windows and parameters: they become part of ids and placeholders. */
export function name(what: string, pattern = /^[a-z][a-z0-9_]{0,63}$/) {
  const error =
    `${what}: lower-case letters, digits and underscores, a letter first, at most 64; ` +
    'rename it';
  return z.string({ error }).regex(pattern, { error });
}

export function word(what: string) {
  const error = `${what}: letters, digits, dots, dashes and underscores, at most 64; rename it`;
  return z.string({ error }).regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, { error });
}

export function oneOf<const Words extends readonly string[]>(words: Words) {
  return z.enum(words, { error: `one of ${words.join(', ')}` });
}

export function flag() {
  return z.boolean({ error: 'true or false' });
}

/** A share from 0 to 1, as a percentage or a fraction. */
export function share(example: string) {
  const error = `a share from 0% to 100%, such as ${example}; write it with a percent sign`;
  return z
    .union([z.string({ error }), z.number({ error })], { error })
    .refine((written) => inRange(shareValue(written), 0, 1), { error });
}

/** The fraction of a written share; null when it is none. */
export function shareValue(written: string | number): number | null {
  const quantity = parseQuantity(written);
  if (quantity === null) return null;
  return quantity.unit === 'ratio' || quantity.unit === 'number' ? quantity.value : null;
}

export function quantity() {
  const error =
    'a limit such as 80%, 2s, 500ms, 1GB or 0.01; write one number, and its unit without words';
  return z
    .union([z.string({ error }), z.number({ error })], { error })
    .refine((written) => parseQuantity(written) !== null, { error });
}

export function selector() {
  const error = 'a selector such as http_requests_total or http_requests_total{status=~"5.."}';
  return z
    .string({ error })
    .max(1_000, { error: `${error} of at most 1000 characters` })
    .superRefine((written, context) => {
      const result = parseSelector(written);
      if (result.kind === 'problem') {
        context.addIssue({ code: 'custom', message: result.message });
      }
    })
    .meta({ pattern: '^\\s*[a-zA-Z_:][a-zA-Z0-9_:]*\\s*(\\{.*\\})?\\s*$' });
}

export function secret() {
  const error =
    'the name of a secret as $NAME; put its value into the environment variable NAME, or ' +
    'into a file named by NAME_FILE';
  return z.string({ error }).regex(SECRET_NAME, { error });
}

/** `null` when the text is a URL that may be requested. Never shows the URL. */
export function urlProblem(written: string): string | null {
  const bare = written.replace(/\$\{[a-z_]+\}/g, 'x');
  if (!URL.canParse(bare)) return 'an absolute URL such as http://127.0.0.1:8080/health';
  const url = new URL(bare);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return 'a URL that begins with http:// or https://';
  }
  if (url.username !== '' || url.password !== '') {
    return 'a URL without user and password; put them into a header as $NAME';
  }
  if (/^[a-z]+:\/\/[^/?#]*\$\{/i.test(written)) {
    return 'a fixed host; placeholders may stand in the path and the query only';
  }
  return null;
}

const SECRET_QUERY =
  /token|secret|passw|credential|signature|(api|access|private|auth)-?key|^(sig|auth|jwt|pwd|pat)$/i;

/** A query is shown in logs and pages on its way. A value that is one placeholder is no secret. */
function urlSecretProblem(written: string): string | null {
  const { searchParams } = new URL(written);
  const isLiteral = ([name, value]: readonly [string, string]) =>
    SECRET_QUERY.test(name.replaceAll('_', '-')) && !/^\$\{[a-z_]+\}$/.test(value);
  const [named] = [...searchParams].find(isLiteral) ?? [];
  if (named === undefined) return null;
  const name = [...named].slice(0, 40).join('');
  return `a URL without the secret in its query (${name}); put it into a header as $NAME`;
}

export function url() {
  return z
    .string({ error: 'an absolute URL such as http://127.0.0.1:8080/health' })
    .max(2_000, { error: 'a URL of at most 2000 characters' })
    .superRefine((written, context) => {
      const message = urlProblem(written) ?? urlSecretProblem(written);
      if (message !== null) context.addIssue({ code: 'custom', message });
    })
    .meta({ pattern: '^https?://' });
}

const SECRET_HEADER = /^(authorization|proxy-authorization|cookie)$|token|secret|passw|api-?key/i;
const HEADERS_MAX = 30;

/** Names whose value must be a `$NAME`. */
export function isSecretName(written: string): boolean {
  return SECRET_HEADER.test(written.replaceAll('_', '-'));
}

/** Names to texts or `$NAME`; a name that speaks of a secret takes only `$NAME`. */
export function texts(pattern: RegExp, what: string) {
  const nameError = `${what}; rename it`;
  const valueError = 'a text on one line, or the name of a secret as $NAME';
  return z
    .record(
      z.string().regex(pattern, { error: nameError }),
      z
        .string({ error: valueError })
        .max(4_000, { error: valueError })
        .regex(/^[^\r\n\0]*$/, { error: valueError }),
      { error: 'a mapping of names to texts' },
    )
    .superRefine((entries, context) => {
      if (Object.keys(entries).length > HEADERS_MAX) {
        context.addIssue({ code: 'custom', message: `at most ${HEADERS_MAX} entries` });
      }
      for (const [key, value] of Object.entries(entries)) {
        if (!isSecretName(key) || SECRET_NAME.test(value)) continue;
        const message =
          'found a literal value that is not shown here; wanted the name of a secret as ' +
          '$NAME; put its value into the environment variable NAME, or into a file named ' +
          'by NAME_FILE';
        context.addIssue({ code: 'custom', message, path: [key] });
      }
    });
}

export const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
export function headers() {
  return texts(HEADER_NAME, 'the name of an HTTP header');
}
export function environment() {
  return texts(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, 'the name of an environment variable');
}
