// The policy language: every field, its limits, its default and what it is for. The descriptions
// are the reference that an editor shows (config/policy.schema.json is written from here).
// What needs more than one field to judge is in `policy-checks.ts`.
import { z } from 'zod';
import {
  choice,
  duration,
  environment,
  headers,
  mapping,
  name,
  number,
  oneOf,
  quantity,
  secret,
  share,
  text,
  url,
  whole,
  word,
} from './fields.ts';
import { WAIVABLE_FINDINGS } from './finding-names.ts';
import { indicatorSchema } from './indicator-schema.ts';
import { didYouMean } from './problems.ts';

export const INDICATORS_MAX = 100;
export const CONDITIONS_MAX = 500;
export const WAIVERS_MAX = 100;
export const SIGN_OFFS_MAX = 20;
export const UNTIL_MAX = '31d';

export const COMPARATORS = ['above', 'below', 'at_least', 'at_most', 'within'] as const;
export const STREAKS = ['failing', 'passing'] as const;

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
        'The limit is this share of a number parameter of the deploy, or of the ' +
          'baseline: the same indicator just before the deploy.',
      ),
    for: duration('0s', '31d')
      .optional()
      .describe(
        'Must hold this long without a gap. Default 0s: the first sample decides. Not ' +
          'with failing and passing.',
      ),
    blind: z
      .literal('stop', { error: 'stop; leave it out to hold, which is the default' })
      .optional()
      .describe(
        'stop: staying blind beyond blind.after fires this stop condition. Default: ' +
          'blindness never stops a deploy.',
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
        'Attempts in all. Default 50 for a webhook, so that the deadline decides, 3 for a ' +
          'command; 1 is never repeated, not even after a crash.',
      ),
    deadline: duration('1s', '1h', '3m')
      .optional()
      .describe('No attempt starts later than this after the stop. Default 3m.'),
  },
  ['webhook', 'command'],
);

const verifySchema = mapping({
  within: duration('1s', '24h', '10m').describe(
    'Counted from the acceptance of the rollback. Not proven by then is the loudest ' +
      'alert there is.',
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

const waiverSchema = mapping({
  finding: z
    .enum(WAIVABLE_FINDINGS, {
      error: ({ input }) =>
        input === 'source-unreachable'
          ? 'another finding; a source that cannot be asked cannot be waived'
          : 'the name of a finding; canaryd check --list-findings shows all' +
            didYouMean(String(input), WAIVABLE_FINDINGS),
    })
    .describe('The name of the finding, as `canaryd check` shows it.'),
  of: text(200, 'an indicator, a condition, or what else the finding is about')
    .optional()
    .describe(
      'Only what is about this: an indicator, the id of a condition, a parameter, a window. ' +
        'Default: everywhere in this policy.',
    ),
  reason: text(500, 'a reason').describe('Why it is right here. Shown by every check.'),
}).describe('A finding of `canaryd check` that is right as it is.');

const requiresSchema = mapping({
  gate: word('the name of a gate').describe(
    'The gate whose decision counts: `canaryd gate <gate> --daemon` reports it.',
  ),
  fresh: duration('1m', '31d', '24h')
    .default('24h')
    .describe('A GO that is older does not count. From 1m to 31d, default 24h.'),
  otherwise: oneOf(['refuse', 'alert'])
    .default('refuse')
    .describe(
      'What a start without such a GO does. refuse: no watch starts, the pipeline fails. alert: ' +
        'the watch starts and everybody is told. Default refuse. A deploy that has happened ' +
        'already is watched by nobody when its start is refused: alert suits hooks.',
    ),
}).describe(
  'The GO that a start needs: the newest decision of this gate for the same service, ' +
    'environment and version. The watch of a rollback needs none.',
);

const signOffsSchema = mapping({
  after: duration('1s', UNTIL_MAX, '15m').describe(
    'Since the deploy: then those who have not signed are asked, once. Before the last window ends.',
  ),
  needed: z
    .record(
      name('a role such as engineering_lead'),
      text(500, 'what is signed').describe('What the role says with its signature.'),
      { error: 'a mapping of roles to what they sign' },
    )
    .refine((roles) => inRange(Object.keys(roles).length), {
      error: `1 to ${SIGN_OFFS_MAX} roles, each with what it signs`,
    })
    .describe('Who signs what: `canaryd sign <watch> --role …`, the page, or the API. At most 20.'),
}).describe(
  'What only people can say of a deploy. Asked for and told; it never changes the verdict.',
);

function inRange(roles: number): boolean {
  return roles >= 1 && roles <= SIGN_OFFS_MAX;
}

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
      'Labels added to every structured indicator, such as version: "${version}". ' +
        "Without it the old version's instances are counted too while both run.",
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
  waive: z
    .array(waiverSchema, { error: 'a list of waivers with finding and reason' })
    .max(WAIVERS_MAX, { error: `at most ${WAIVERS_MAX} waivers` })
    .optional()
    .describe('Findings of `canaryd check` that are right as they are, each with a reason.'),
  requires: requiresSchema.optional(),
  sign_offs: signOffsSchema.optional(),
  runbook: url().optional().describe('Link for on-call, shown in every alert.'),
  dashboard: url().optional().describe('Link for on-call, shown in every alert.'),
}).describe('canaryd policy: what to measure after a deploy, what to conclude, what to do.');

export type PolicyInput = z.infer<typeof policySchema>;
export type LimitInput = z.infer<typeof limitSchema>;
export type ActionInput = z.infer<typeof actionSchema>;
export type WaiverInput = z.infer<typeof waiverSchema>;
export type ParameterInput = z.infer<typeof parameterSchema>;
