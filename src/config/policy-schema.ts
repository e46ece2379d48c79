// The policy language: every field, its limits, its default and what it is for. The descriptions
// are the reference that an editor shows (config/policy.schema.json is written from here).
// What needs more than one field to judge is in `policy-checks.ts`.
import { z } from 'zod';
import {
  choice,
  duration,
  environment,
  flag,
  headers,
  mapping,
  name,
  number,
  oneOf,
  quantity,
  secret,
  selector,
  share,
  text,
  url,
  whole,
  word,
} from './fields.ts';

export const INDICATORS_MAX = 100;
export const CONDITIONS_MAX = 500;
export const UNTIL_MAX = '31d';

export const INDICATOR_KINDS = [
  'ratio',
  'quantile',
  'rate',
  'increase',
  'gauge',
  'promql',
  'http',
] as const;
export type IndicatorKind = (typeof INDICATOR_KINDS)[number];
export const COMPARATORS = ['above', 'below', 'at_least', 'at_most', 'within'] as const;
export const STREAKS = ['failing', 'passing'] as const;

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
  'Share of good or bad events, from the raw increments of two counters. A counter of good or bad events that does not exist while the total does counts as 0.',
);

const quantile = mapping({
  q: number('a quantile above 0 and below 1, such as 0.99')
    .gt(0, { error: 'a quantile above 0 and below 1, such as 0.99' })
    .lt(1, { error: 'a quantile above 0 and below 1, such as 0.99' })
    .describe('Which quantile: 0.99 is the P99. Above 0 and below 1.'),
  histogram: selector().describe(
    'Classic histogram, by its base name without _bucket. Its values must be in the base unit (seconds).',
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
      'How several series become one number. Default one: several series blind the conditions (many_series), because none of them is known to be meant.',
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
}).describe(
  'Health endpoint. Its limits are failing and passing: so many checks in a row. An endpoint that does not answer is failing, not blind.',
);

export const indicatorSchema = choice(
  {
    title: text(100, 'a title')
      .optional()
      .describe('Name for people, in messages and on the page. Default: the id in words.'),
    unit: text(20, 'a unit')
      .optional()
      .describe(
        'ratio (a fraction, shown in percent), seconds, bytes, number, or a name of your own such as USD. Default: ratio for ratios, else from the metric name (_seconds, _bytes, _ratio, _usd), else number. Limits must fit it.',
      ),
    over: duration('1s', '7d', '1m')
      .optional()
      .describe(
        'Range that is looked at. Default 1m; for increase: since the deploy. Never reaches back before the deploy, see early. Not for gauge and http.',
      ),
    min_total: whole(0, 1_000_000_000)
      .optional()
      .describe(
        'Fewer events than this in the range are too few to judge (blind: too_few). Default 20. Without it three orders would decide about a rollback. Only for ratio and quantile.',
      ),
    early: oneOf(['shorten', 'wait'])
      .optional()
      .describe(
        'While the range would reach back before the deploy: shorten it to the time since the deploy, or wait (blind: too_early). Default shorten. A promql indicator always waits for its fixed ranges.',
      ),
    ratio: ratio.optional(),
    quantile: quantile.optional(),
    rate: rate.optional(),
    increase: increase.optional(),
    gauge: gauge.optional(),
    promql: text(5_000, 'a PromQL expression')
      .optional()
      .describe(
        'PromQL that gives one number; only on a prometheus source. ${range} is the time since the deploy, at most "over". With fixed ranges such as [5m] it waits until they no longer reach back before the deploy.',
      ),
    http: http.optional(),
  },
  INDICATOR_KINDS,
).describe('One measured figure, of exactly one kind.');

const times = whole(1, 1_000);

export const limitSchema = choice(
  {
    above: quantity().optional().describe('Holds when the value is greater.'),
    below: quantity().optional().describe('Holds when the value is smaller.'),
    at_least: quantity().optional().describe('Holds when the value is greater or equal.'),
    at_most: quantity().optional().describe('Holds when the value is smaller or equal.'),
    within: quantity()
      .optional()
      .describe('Holds when the value is this close to 0, or with "of: baseline" to the baseline.'),
    failing: times.optional().describe('Holds after so many failed checks in a row. Only http.'),
    passing: times.optional().describe('Holds after so many good checks in a row. Only http.'),
    of: text(64, 'the name of a number parameter, or baseline')
      .optional()
      .describe(
        'The limit is this share of a number parameter of the deploy, or of the baseline: the same indicator just before the deploy.',
      ),
    for: duration('0s', '31d')
      .optional()
      .describe(
        'Must hold this long without a gap. Default 0s: the first sample decides. Not with failing and passing.',
      ),
    blind: z
      .literal('stop', { error: 'stop; leave it out to hold, which is the default' })
      .optional()
      .describe(
        'stop: staying blind beyond blind.after fires this stop condition. Default: blindness never stops a deploy.',
      ),
  },
  [...COMPARATORS, ...STREAKS],
).describe('A limit: exactly one comparison.');

const indicatorName = name('the name of an indicator');
const conditionMap = (what: string) =>
  z
    .record(indicatorName, limitSchema, { error: 'a mapping of indicators to limits' })
    .optional()
    .describe(what);

const STOP = 'Conditions that stop the deploy: any one that fires disarms and rolls back.';
const WARN = 'Conditions that tell on-call; they never act.';

const windowSchema = mapping({
  name: name('the name of a window').describe(
    'Unique; part of the condition ids <window>.<role>.<indicator>. Not always, not verify.',
  ),
  until: duration('1s', UNTIL_MAX).describe(
    'End, counted from the deploy itself. A window starts where the one before ended. At most 31d.',
  ),
  stop: conditionMap(STOP),
  warn: conditionMap(WARN),
  pass: conditionMap('Conditions that must all hold together, for the time in "for", to pass.'),
  for: duration('0s', '31d')
    .optional()
    .describe('How long all pass conditions must hold without a gap. Default 0s.'),
}).describe('A span of time since the deploy, with what is judged in it.');

const webhook = mapping({
  url: url().describe('Receives a POST with the watch, the version and the figures.'),
  secret: secret()
    .optional()
    .describe(
      'Signing key as $NAME (Standard Webhooks). Without it the receiver can prove nothing.',
    ),
  headers: headers()
    .optional()
    .describe('More headers. A secret value is written as $NAME, never literally.'),
}).describe('Signed HTTP request, repeated under one id until it is accepted.');

export const actionSchema = choice(
  {
    webhook: webhook.optional(),
    command: z
      .array(text(4_000, 'an argument'), { error: 'a list of arguments; the program comes first' })
      .min(1, { error: 'a list of arguments; the program comes first' })
      .max(100, { error: 'at most 100 arguments' })
      .optional()
      .describe('Program and arguments, run without a shell. May contain ${version}.'),
    env: environment()
      .optional()
      .describe('Environment of the command. A secret value is written as $NAME. Only command.'),
    timeout: duration('100ms', '10m', '5s')
      .optional()
      .describe('Limit of one attempt. Default 5s for a webhook, 30s for a command.'),
    attempts: whole(1, 50)
      .optional()
      .describe(
        'Attempts in all. Default 10 for a webhook, 3 for a command; 1 is never repeated, not even after a crash.',
      ),
    deadline: duration('1s', '1h', '3m')
      .optional()
      .describe('No attempt starts later than this after the stop. Default 3m.'),
  },
  ['webhook', 'command'],
);

const verifySchema = mapping({
  within: duration('1s', '24h', '10m').describe(
    'Counted from the acceptance of the rollback. Not proven by then is the loudest alert there is.',
  ),
  pass: z
    .record(indicatorName, limitSchema, { error: 'a mapping of indicators to limits' })
    .describe('All must hold together: only then is the rollback confirmed.'),
}).describe('Proof that the rollback worked.');

export const stepSchema = choice(
  {
    disarm: actionSchema.optional().describe('Cheap and first: stop the harm (stop trading).'),
    rollback: actionSchema.optional().describe('Back to the previous version.'),
    verify: verifySchema.optional(),
  },
  ['disarm', 'rollback', 'verify'],
);

export const parameterSchema = mapping({
  type: oneOf(['number', 'string']).describe('number or string.'),
  above: number('a number').optional().describe('Smallest value, not included. Only number.'),
  at_least: number('a number').optional().describe('Smallest value. Only number.'),
  unit: text(20, 'a unit').optional().describe('For people, such as USD. Default number.'),
  default: z
    .union([z.number(), z.string().max(200)], { error: 'a number or a text, as type says' })
    .optional()
    .describe('Used when the deploy brings none. Without it a start without it is refused.'),
}).describe('A figure that the deploy must bring.');

export const policySchema = mapping({
  name: word('the name of a policy').optional().describe('Default: the file name without ending.'),
  service: word('the name of a service').describe('Which service this policy watches.'),
  environment: word('the name of an environment')
    .optional()
    .describe('Only deploys to this environment. Default: any.'),
  source: word('the name of a source').describe(
    'Where indicators are read: a source of canaryd.yaml.',
  ),
  interval: duration('1s', '5m', '5s')
    .default('5s')
    .describe('How often everything is read and judged. From 1s to 5m, default 5s.'),
  mode: oneOf(['act', 'observe'])
    .default('act')
    .describe('observe does everything but act, and says what it would have done. Default act.'),
  parameters: z
    .record(
      name('the name of a parameter in letters and underscores', /^[a-z][a-z_]{0,63}$/),
      parameterSchema,
      { error: 'a mapping of names to parameters' },
    )
    .default({})
    .describe('What a deploy must bring; limits refer to them with "of", texts with ${name}.'),
  match: z
    .record(
      z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, { error: 'the name of a label' }),
      text(200, 'a label value'),
      { error: 'a mapping of labels to values' },
    )
    .default({})
    .describe(
      'Labels added to every structured indicator, such as version: "${version}". Without it the old version\'s instances are counted too while both run.',
    ),
  indicators: z
    .record(indicatorName, indicatorSchema, { error: 'a mapping of names to indicators' })
    .refine((entries) => Object.keys(entries).length <= INDICATORS_MAX, {
      error: `at most ${INDICATORS_MAX} indicators; split the policy`,
    })
    .describe('What is measured, by name. At most 100; each must be used by a condition.'),
  windows: z
    .array(windowSchema, { error: 'a list of windows with name and until' })
    .min(1, { error: 'at least one window with name and until' })
    .max(50, { error: 'at most 50 windows' })
    .describe('Spans of time since the deploy, in order.'),
  always: mapping({ stop: conditionMap(STOP), warn: conditionMap(WARN) })
    .optional()
    .describe('Conditions that hold from the deploy to the end of the last window.'),
  on_stop: z
    .array(stepSchema, { error: 'a list with disarm, rollback and verify' })
    .max(3, { error: 'at most disarm, rollback and verify, once each' })
    .default([])
    .describe(
      'What a stop does, in order: disarm, rollback, verify. Without it a stop only tells on-call.',
    ),
  blind: mapping({
    after: duration('1s', '24h', '2m')
      .default('2m')
      .describe('On-call is told when a condition cannot be seen for this long. Default 2m.'),
  })
    .optional()
    .describe('What happens when a condition cannot be seen.'),
  arm: mapping({
    within: duration('1s', '24h', '2m')
      .default('2m')
      .describe('Stop conditions without a first sample by then are told by name. Default 2m.'),
  })
    .optional()
    .describe('When each stop condition must have been seen once.'),
  stale_after: duration('5s', '1h', '60s')
    .default('60s')
    .describe('A sample older than this is no longer believed (blind: stale). Default 60s.'),
  coverage: share('50%')
    .default('50%')
    .describe(
      'Share of the ticks in which each condition must have been judged, to pass. Default 50%.',
    ),
  pre_existing: mapping({
    worse_by: share('20%')
      .default('20%')
      .describe(
        'A breach from before the deploy fires only when worse by this share. Default 20%.',
      ),
  })
    .optional()
    .describe('Conditions that were breached before the deploy.'),
  runbook: url().optional().describe('Link for on-call, shown in every alert.'),
  dashboard: url().optional().describe('Link for on-call, shown in every alert.'),
}).describe('canaryd policy: what to measure after a deploy, what to conclude, what to do.');

export type PolicyInput = z.infer<typeof policySchema>;
export type IndicatorInput = z.infer<typeof indicatorSchema>;
export type LimitInput = z.infer<typeof limitSchema>;
export type ActionInput = z.infer<typeof actionSchema>;
export type ParameterInput = z.infer<typeof parameterSchema>;
