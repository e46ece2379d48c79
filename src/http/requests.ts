// What callers may send. Strict: an unknown field is a mistake, and every mistake is told at once.
import { z } from 'zod';
import { parseDuration } from '../core/quantity.ts';
import { PHASES } from '../core/watch.ts';
import { printable } from '../kit/redact.ts';
import { oneLine, person } from './texts.ts';

/** Half a surrogate pair is no character either: no URL can hold it. */
const ONE_LINE = /^[^\p{Cc}\p{Cs}\u2028\u2029]*$/u;

function text(max: number) {
  return z.string().max(max).regex(ONE_LINE, 'wanted one line without control characters');
}

/** One line of text from outside: bounded, without control characters. */
function line(max: number, what: string) {
  return text(max).min(1).describe(what);
}

/** What a gate decides on, too: nothing in it that nobody sees, or a command would lose it. */
function named(what: string) {
  return z
    .string()
    .min(1)
    .max(200)
    .regex(ONE_LINE, { error: 'wanted one line without control characters', abort: true })
    .refine(
      (given) => printable(given) === given,
      'wanted printable text, without blanks at its ends or two in a row',
    )
    .describe(what);
}

const time = z.iso.datetime({
  offset: true,
  error: 'wanted a time with offset, such as 2026-03-01T12:00:00Z',
});

export const EXTENSION_MAX_MS = 7 * 86_400_000;

export const startBody = z
  .strictObject({
    service: line(200, 'Service that was deployed'),
    version: named('Version that was deployed'),
    environment: named("Default: the policy's environment, else production").optional(),
    previous_version: named('Version before, to roll back to').optional(),
    deployed_at: time.describe("The deploy's own time; default: now").optional(),
    parameters: z
      .record(line(100, 'Name'), z.union([z.number(), text(500)]))
      .refine((record) => Object.keys(record).length <= 50, 'at most 50 parameters')
      .describe('What the policy asks the deploy to bring')
      .default({}),
    policy: line(200, 'Needed when several policies serve the service').optional(),
    mode: z.enum(['act', 'observe']).describe('observe: do everything but act').optional(),
    by: line(100, "Who deployed; default: the token's name").optional(),
    url: z
      .url({ protocol: /^https?$/, error: 'wanted an http or https URL' })
      .max(2_000)
      .describe('Link to the pipeline run')
      .optional(),
  })
  .describe('A deploy to watch');

export const humanBody = z
  .strictObject({
    reason: line(500, 'Why; it is recorded and told'),
    by: line(100, "Who; default: the token's name").optional(),
  })
  .describe('A command of a person');

export const extendBody = humanBody
  .extend({
    by_duration: z
      .string()
      .max(40)
      .refine((text) => {
        const ms = parseDuration(text);
        return ms !== null && ms > 0 && ms <= EXTENSION_MAX_MS;
      }, 'wanted a duration above 0 and at most 7d, such as 2h')
      .describe('How much longer the last window lasts'),
  })
  .describe('More time for a watch');

export const signBody = z
  .strictObject({
    role: line(64, 'One of the roles that the policy names under sign_offs'),
    name: text(100).pipe(person(100, 'Who signs')).describe('Who signs'),
    note: text(500).transform(oneLine).describe('What else there is to say').optional(),
    by: line(100, "Who gives it to canaryd; default: the token's name, else the name").optional(),
  })
  .describe('A signature on a watch');

export const watchParams = z.strictObject({ id: line(60, 'Watch id').describe('Watch id') });

export const hookParams = z.strictObject({
  kind: line(60, 'github, gitlab, cdevents or generic; configured under hooks'),
});

const limit = (max: number, standard: number) =>
  z.coerce.number().int().min(1).max(max).default(standard).describe('At most this many');

export const listQuery = z.strictObject({
  service: line(200, 'Only this service').optional(),
  environment: line(200, 'Only this environment').optional(),
  phase: z.enum(PHASES).describe('Only this phase').optional(),
  active: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .describe('true: open, or verifying a rollback')
    .optional(),
  limit: limit(200, 50),
  before: line(60, 'Only watches that started before this one').optional(),
});

export const journalQuery = z.strictObject({
  after: z.coerce.number().int().min(0).default(0).describe('Only events with a greater seq'),
  limit: limit(1_000, 1_000),
  format: z.enum(['json', 'jsonl']).describe('jsonl: one event per line, all of them').optional(),
});

export const samplesQuery = z.strictObject({
  from: time.describe('Default: the start of the watch').optional(),
  to: time.describe('Default: now').optional(),
  limit: limit(5_000, 1_000),
});

export const seriesQuery = z.strictObject({
  from: time.describe('Default: the deploy').optional(),
  to: time.describe('Default: the last tick').optional(),
  points: limit(2_000, 400).describe('At most about this many values of each indicator'),
});

export const releaseQuery = z.strictObject({
  reason: line(500, 'Why; it is logged'),
  by: line(100, "Who; default: the token's name").optional(),
});

export const probeQuery = z.strictObject({
  verbose: z.string().max(10).describe('List the checks').optional(),
});

export const startHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .max(202)
    .describe('The same key: the same watch. Quotes optional, at most 200 characters')
    .optional(),
});

export const eventsHeaders = z.looseObject({
  'last-event-id': z
    .string()
    .regex(/^\d{1,9}$/, 'wanted the seq of an event')
    .describe('Only events with a greater seq')
    .optional(),
});
