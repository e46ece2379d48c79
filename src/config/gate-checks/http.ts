// A request of a gate and what its answer must be, field by field.
import { z } from 'zod';
import { compileSearch } from '../../core/pattern.ts';
import {
  duration,
  flag,
  HEADER_NAME,
  headers,
  mapping,
  oneOf,
  text,
  url,
  whole,
} from '../fields.ts';
import { timeoutField } from './common.ts';
import { comparisons } from './limit.ts';

export const EXPECTATIONS_MAX = 50;
const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

const patternError = 'a regular expression (RE2) such as version: v[0-9]+';

/** Somewhere in a text; `^` and `$` are the ends of a line. */
export function pattern() {
  return text(1_000, patternError).refine((source) => compileSearch(source) !== null, {
    error: `${patternError}; correct it`,
  });
}

function atLeastOne<Value extends object>(value: Value): boolean {
  return Object.keys(value).length > 0;
}

const headerExpectation = mapping({
  present: flag().optional().describe('true: the header is there; false: it is not.'),
  equals: text(1_000)
    .optional()
    .describe(
      'Its value, in any case of letters. Parameters after a semicolon count only when written.',
    ),
  contains: text(1_000).optional().describe('Stands somewhere in its value.'),
  matches: pattern().optional().describe('A regular expression (RE2) that its value matches.'),
  max_age: duration('0s', '3650d', '180d')
    .optional()
    .describe('Its max-age is at least this: 180d for HSTS of six months.'),
  csp: z
    .literal('nonce', { error: 'nonce' })
    .optional()
    .describe(
      'nonce: the policy lets scripts run by a nonce, and two answers have different nonces.',
    ),
})
  .refine(atLeastOne, { error: 'an expectation such as present: true; add one' })
  .describe('What a header of the answer must be.');

const jsonExpectation = mapping({
  present: flag().optional().describe('true: the field is there; false: it is not.'),
  equals: z
    .union([z.string(), z.number(), z.boolean()], { error: 'a text, a number, true or false' })
    .optional()
    .describe('The value of the field, compared as text; may contain ${version}.'),
  contains: text(1_000).optional().describe('Stands in the text, or is an item of the list.'),
  ...comparisons,
})
  .refine(atLeastOne, { error: 'an expectation such as equals: ok; add one' })
  .describe('What a field of the JSON answer must be.');

const statusError = 'an HTTP status from 100 to 599, or a list of them';
const status = z
  .int({ error: statusError })
  .min(100, { error: statusError })
  .max(599, { error: statusError });

export const httpSchema = mapping({
  url: url().describe('What is requested. Placeholders may stand in path and query.'),
  method: oneOf(METHODS).default('GET').describe('Default GET.'),
  headers: headers()
    .optional()
    .describe('Headers of the request. A secret value is written as $NAME, never literally.'),
  body: text(100_000).optional().describe('Body of the request; may contain placeholders.'),
  status: z
    .union([status, z.array(status).min(1, { error: statusError })], { error: statusError })
    .optional()
    .describe('Status that is wanted, or a list. Default: any 2xx. Redirects are not followed.'),
  within: duration('1ms', '10m', '2s')
    .optional()
    .describe('The whole answer must have come after this time; a slower one fails.'),
  response_headers: z
    .record(
      z.string().regex(HEADER_NAME, { error: 'the name of an HTTP header; rename it' }),
      headerExpectation,
      { error: 'a mapping of header names to what is wanted' },
    )
    .refine((entries) => Object.keys(entries).length <= EXPECTATIONS_MAX, {
      error: `at most ${EXPECTATIONS_MAX} entries; split the check`,
    })
    .optional()
    .describe('What headers of the answer must be, by name.'),
  json: z
    .record(text(500, 'a path such as checks.db'), jsonExpectation, {
      error: 'a mapping of paths such as checks.db to what is wanted',
    })
    .refine((entries) => Object.keys(entries).length <= EXPECTATIONS_MAX, {
      error: `at most ${EXPECTATIONS_MAX} entries; split the check`,
    })
    .optional()
    .describe(
      'What fields of a JSON answer must be: names joined by dots (items.0.name), or a JSON ' +
        'pointer that begins with a slash.',
    ),
  contains: text(1_000).optional().describe('Stands somewhere in the body.'),
  not_contains: text(1_000).optional().describe('Stands nowhere in the body.'),
  matches: pattern().optional().describe('A regular expression (RE2) that the body matches.'),
  passing: whole(1, 100).optional().describe('So many tries in a row must all be good. Default 1.'),
  failing: whole(1, 100)
    .optional()
    .describe('Only so many bad tries in a row fail the check: one good try passes it.'),
  every: duration('0s', '10m', '1s').default('1s').describe('Between two tries. Default 1s.'),
  timeout: timeoutField('10s', '10m').describe(
    'A try without an answer after this time is cut off, and unknown. Default 10s.',
  ),
})
  .refine(({ passing, failing }) => passing === undefined || failing === undefined, {
    error: 'passing or failing; keep one',
    path: ['failing'],
  })
  .describe('One HTTP request, and what the answer must be.');

export type HttpInput = z.output<typeof httpSchema>;
export type HeaderExpectation = z.output<typeof headerExpectation>;
export type JsonExpectation = z.output<typeof jsonExpectation>;
