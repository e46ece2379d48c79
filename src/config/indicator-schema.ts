// The indicators of the policy language: what can be measured, field by field. The descriptions
// are the reference that an editor shows.
import { z } from 'zod';
import {
  choice,
  duration,
  flag,
  headers,
  mapping,
  number,
  oneOf,
  selector,
  text,
  url,
  whole,
} from './fields.ts';

export const INDICATOR_KINDS = [
  'ratio',
  'quantile',
  'rate',
  'increase',
  'gauge',
  'promql',
  'http',
  'audit_log',
] as const;
export type IndicatorKind = (typeof INDICATOR_KINDS)[number];
const aggregate = oneOf(['sum', 'min', 'max', 'avg', 'one']);

const ratio = choice(
  {
    good: selector()
      .optional()
      .describe('Counter of the good events; the value is good / total. Either this or bad.'),
    bad: selector()
      .optional()
      .describe('Counter of the bad events; the value is bad / total. Either this or good.'),
    total: selector().describe('Counter of all events, good and bad.'),
  },
  ['good', 'bad'],
).describe(
  'Share of good or bad events, from the raw increments of two counters. A counter of ' +
    'good or bad events that does not exist while the total does counts as 0.',
);

const quantile = mapping({
  q: number('a quantile above 0 and below 1, such as 0.99')
    .gt(0, { error: 'a quantile above 0 and below 1, such as 0.99' })
    .lt(1, { error: 'a quantile above 0 and below 1, such as 0.99' })
    .describe('Which quantile: 0.99 is the P99. Above 0 and below 1.'),
  histogram: selector().describe(
    'Classic histogram, by its base name without _bucket. Its values must be in the base ' +
      'unit (seconds).',
  ),
}).describe('Quantile of a classic histogram, interpolated inside its bucket as Prometheus does.');

const rate = mapping({
  counter: selector().describe('The counter. A reset (restart) is added up, not taken as a drop.'),
  aggregate: aggregate
    .default('sum')
    .describe('How several series become one number. Default sum; one refuses several series.'),
}).describe('Increments of a counter per second, over "over".');

const increase = mapping({
  counter: selector().describe('The counter; several series are added up.'),
}).describe('Increments of a counter: over "over", or since the deploy when "over" is absent.');

const gauge = mapping({
  metric: selector().describe('The gauge.'),
  aggregate: aggregate
    .default('one')
    .describe(
      'How several series become one number. Default one: several series blind the ' +
        'conditions (many_series), because none of them is known to be meant.',
    ),
  negate: flag()
    .default(false)
    .describe('Turns the sign around: a profit becomes a loss. Default false.'),
}).describe('Present value of a gauge.');

const jsonField = choice(
  {
    pointer: z
      .string({ error: 'a JSON pointer such as /version' })
      .regex(/^(\/[^/]*)+$/, { error: 'a JSON pointer such as /version; begin with a slash' })
      .optional()
      .describe('JSON pointer of the field, such as /build/version. Either this or path.'),
    path: z
      .string({ error: 'a path of names such as build.version' })
      .regex(/^[^./]+(\.[^./]+)*$/, { error: 'a path of names such as build.version' })
      .optional()
      .describe('Names joined by dots, such as build.version. Either this or pointer.'),
    equals: z
      .union([z.string(), z.number(), z.boolean()], { error: 'a text, a number, true or false' })
      .describe('The value the field must have, compared as text; may contain ${version}.'),
  },
  ['pointer', 'path'],
).describe('A field of the JSON answer that must have a value; otherwise the check has failed.');

const statusError = 'an HTTP status from 100 to 599, or a list of them';
const status = z.int({ error: statusError }).min(100, { error: statusError });
const http = mapping({
  url: url().describe('What is requested (GET). Placeholders may stand in path and query.'),
  timeout: duration('50ms', '60s', '2s')
    .default('2s')
    .describe('No answer within this time is a failed check. Default 2s.'),
  status: z
    .union(
      [
        status.max(599, { error: statusError }),
        z.array(status.max(599, { error: statusError })).min(1, { error: statusError }),
      ],
      { error: statusError },
    )
    .optional()
    .describe('Status that counts as healthy, or a list. Default: any 2xx.'),
  json: jsonField.optional(),
  headers: headers()
    .optional()
    .describe('Headers of the request. A secret value is written as $NAME, never literally.'),
  recorded: selector()
    .optional()
    .describe(
      'Where a prober records the same check in Prometheus, 1 for healthy and 0 for not: ' +
        'probe_success{job="aurora-health"}. Only canaryd backtest reads it, because the past ' +
        'of an endpoint cannot be asked; match does not apply. Without it a backtest leaves ' +
        'the conditions on this indicator out.',
    ),
}).describe(
  'Health endpoint. Its limits are failing and passing: so many checks in a row. An ' +
    'endpoint that does not answer is failing, not blind.',
);

const place = () => text(200, 'a field of the events, such as trace_id or /context/order_id');
const listOf = (what: string) => {
  const error = `a list of 1 to 100 ${what}`;
  return z.array(text(200, error), { error }).min(1, { error }).max(100, { error });
};
const path = (example: string) => text(500, `a path such as ${example}`);

const auditLog = mapping({
  report: path('/srv/aurora/logs/aurora_events.jsonl').describe(
    'The log, JSON in each line, on the machine of canaryd: a path, or a pattern such as ' +
      '/srv/aurora/logs/session_*/events.jsonl, of which each match that is written is read. ' +
      'Relative to where canaryd runs; may contain ${version}. Followed through rotation and truncation.',
  ),
  bad: oneOf(['untraced', 'invalid']).describe(
    'Which events are bad; the value is bad / all. untraced: those without a trace (lines that ' +
      'are no events do not count at all). invalid: lines that are no JSON, hold what a ' +
      'serializer left behind, have no time, or do not match the schema.',
  ),
  trace: mapping({
    id: place().describe('The field with the trace, such as trace_id. Empty is none.'),
    type: place().default('event_type').describe('The field with the type. Default event_type.'),
    of: listOf('types of events')
      .optional()
      .describe('Only events of these types count. Without it, all.'),
  })
    .optional()
    .describe('Where an event has its trace. Only with bad: untraced, which needs it.'),
  time: place().describe(
    "The field with the event's own time: ISO 8601, or s, ms, µs or ns since 1970. An event from " +
      'before the deploy is never counted; one without a time is as old as the reading before it.',
  ),
  schema: path('/srv/aurora/aurora_event.schema.json')
    .optional()
    .describe(
      'Each event matches this JSON Schema (draft-07, 2019-09 or 2020-12). `uniqueItems` only of ' +
        'texts or numbers, or with `maxItems` of at most 1000.',
    ),
  numbers: listOf('fields, such as price or fill.qty')
    .optional()
    .describe('Fields that are JSON numbers wherever they are there, never numbers as text.'),
  max_age: duration('1s', '7d', '1m')
    .optional()
    .describe(
      'The newest event is at most so old (blind: stale). Default: as old as the range, so that ' +
        'a quiet service is not blind.',
    ),
}).describe(
  'Share of bad events in an audit log. The file is local: with several replicas each must see ' +
    'the same one. What is not there or cannot be read is blind, never good.',
);

export const indicatorSchema = choice(
  {
    title: text(100, 'a title')
      .optional()
      .describe('Name for people, in messages and on the page. Default: the id in words.'),
    unit: text(20, 'a unit')
      .optional()
      .describe(
        'ratio (a fraction, shown in percent), seconds, bytes, number, or a name of your ' +
          'own such as USD. Default: ratio for ratios, else from the metric name ' +
          '(_seconds, _bytes, _ratio, _usd), else number. Limits must fit it.',
      ),
    over: duration('1s', '7d', '1m')
      .optional()
      .describe(
        'Range that is looked at. Default 1m; for increase: since the deploy. Never ' +
          'reaches back before the deploy, see early. Not for gauge and http.',
      ),
    min_total: whole(0, 1_000_000_000)
      .optional()
      .describe(
        'Fewer events than this in the range are too few to judge (blind: too_few). ' +
          'Default 20; for a quantile 5 / (1 - q): 100 for q 0.95, 500 for q 0.99. Without ' +
          'it three orders would decide about a rollback. Only for ratio, quantile and ' +
          'audit_log.',
      ),
    early: oneOf(['shorten', 'wait'])
      .optional()
      .describe(
        'While the range would reach back before the deploy: shorten it to the time ' +
          'since the deploy, or wait (blind: too_early). Default shorten. A promql ' +
          'indicator always waits for its fixed ranges.',
      ),
    ratio: ratio.optional(),
    quantile: quantile.optional(),
    rate: rate.optional(),
    increase: increase.optional(),
    gauge: gauge.optional(),
    promql: text(5_000, 'a PromQL expression')
      .optional()
      .describe(
        'PromQL that gives one number; only on a prometheus source. ${range} is the time ' +
          'since the deploy, at most "over". With fixed ranges such as [5m] it waits until ' +
          'they no longer reach back before the deploy.',
      ),
    http: http.optional(),
    audit_log: auditLog.optional(),
  },
  INDICATOR_KINDS,
).describe('One measured figure, of exactly one kind.');

export type IndicatorInput = z.infer<typeof indicatorSchema>;
