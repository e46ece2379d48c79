// The fields of the check `audit_log`: what an event is, and what a flow of events needs.
import { z } from 'zod';
import { duration, flag, mapping, share, text, whole } from '../fields.ts';
import { maxAgeField, pathField, reportField, timeoutField } from './common.ts';

const fieldError = 'a field of the events, such as trace_id or context.order_id';
const place = () => text(200, fieldError);
const listOf = (what: string, max: number) => {
  const error = `a list of 1 to ${max} ${what}`;
  return z.array(text(200, error), { error }).min(1, { error }).max(max, { error });
};

const traceSchema = mapping({
  id: place().describe('The field with the trace, such as trace_id. Empty is none.'),
  flow: place()
    .optional()
    .describe(
      'Events with the same value here are one flow, such as order_id: it is traced when all its ' +
        'events carry one and the same trace. Without it, each event counts by itself.',
    ),
  type: place().default('event_type').describe('The field with the type. Default event_type.'),
  of: listOf('types of events', 100)
    .optional()
    .describe('Only events of these types count. Without it, all.'),
  complete: listOf('types of events', 30)
    .optional()
    .describe('With flow: a flow is complete when it has an event of each of these types.'),
  at_least: share('100%').default('100%').describe('At least this share is traced. Default 100%.'),
  flows_min: whole(1, 1_000_000)
    .default(1)
    .describe('At least so many flows (or events) must be there to judge. Default 1.'),
  settle: duration('1s', '1d', '5m')
    .optional()
    .describe('With time: flows whose newest event is younger are still going on: not judged.'),
}).describe('How many flows of the log have a complete trace.');

export const auditLogSchema = mapping({
  report: reportField('logs/aurora_events.jsonl').describe(
    'The log: JSON in each line. A path, a pattern such as logs/session_*/events.jsonl or a list.',
  ),
  schema: pathField('a path such as observability/aurora_event.schema.json')
    .optional()
    .describe(
      'Each event matches this JSON Schema (draft-07, 2019-09 or 2020-12). `uniqueItems` only of ' +
        'texts or numbers, or with `maxItems` of at most 1000.',
    ),
  numbers: listOf('fields, such as price or fill.qty', 100)
    .optional()
    .describe(
      'Fields that are JSON numbers wherever they are there: "1.50" in quotes is a Decimal that ' +
        'was serialized as text.',
    ),
  trace: traceSchema.optional(),
  time: place()
    .optional()
    .describe('The field with the time of an event: ISO 8601, or s, ms, µs or ns since 1970.'),
  last: duration('1s', '3650d', '24h')
    .optional()
    .describe('With time: only events of this last span are judged.'),
  tail: text(20, 'a size such as 200MB')
    .regex(/^\d+(\.\d+)?\s*([kKMGT]?i?B)$/, { error: 'a size such as 200MB' })
    .default('200MB')
    .describe('Of each file, so much of its end is read. Default 200MB.'),
  live: flag()
    .default(false)
    .describe('Somebody writes to it right now: a last line without its end does not count.'),
  events_min: whole(1, 1_000_000_000)
    .default(1)
    .describe('At least so many events must be there to judge. Default 1.'),
  invalid_max: whole(0, 1_000_000)
    .default(0)
    .describe('At most so many lines that are broken or do not match. Default 0.'),
  max_age: maxAgeField().describe('The newest event (without time: the file) is at most so old.'),
  timeout: timeoutField('5m'),
})
  .refine(({ time, last, trace }) => time !== undefined || (last ?? trace?.settle) === undefined, {
    error: 'the field time, as last and settle need it; add it',
  })
  .refine(({ trace }) => trace?.complete === undefined || trace.flow !== undefined, {
    error: 'flow, as complete needs it; add it',
    path: ['trace'],
  })
  .describe('An audit log in JSON lines: it parses, matches a schema, and its flows are traced.');

export type AuditLogInput = z.output<typeof auditLogSchema>;
