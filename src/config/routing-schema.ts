// The routing of canaryd.yaml: who is told what, in the quiet hours and when nobody answers.
import { z } from 'zod';
import { QUIET_CHOICES } from '../core/route.ts';
import { duration, mapping, oneOf, text, whole, word } from './fields.ts';

const ROUTES_MAX = 50;
const NAMES_MAX = 50;
const STEPS_MAX = 5;
export const ROUNDS_MAX = 5;

const list = <T extends z.ZodType>(of: T, what: string) =>
  z
    .array(of, { error: `a list of ${what}` })
    .min(1, { error: `at least one of the ${what}, or leave the field out` })
    .max(NAMES_MAX, { error: `at most ${NAMES_MAX} ${what}` });

const channelNames = list(word('the name of a channel'), 'names of channels');

const route = mapping({
  severity: list(oneOf(['critical', 'warning', 'info']), 'severities critical, warning and info')
    .optional()
    .describe('Messages of these severities. Default: all.'),
  kind: list(text(64, 'a kind of message'), 'kinds of messages')
    .optional()
    .describe('Messages of these kinds, such as watch.passed. Default: all.'),
  service: list(word('the name of a service'), 'services')
    .optional()
    .describe('Messages of these services. Default: all.'),
  environment: list(word('the name of an environment'), 'environments')
    .optional()
    .describe('Messages of these environments. Default: all.'),
  channels: channelNames.describe('Names of the channels that get them.'),
  quiet_hours: oneOf(QUIET_CHOICES)
    .default('hold')
    .describe(
      'In the quiet hours: hold until they end, send without a sound (silent), or as always (ignore). Critical messages never wait. Default hold.',
    ),
}).describe('A message takes the first route that fits; one that fits none goes to every channel.');

const timeOfDay = () => {
  const error = 'a time of day from 00:00 to 23:59 in quotes, such as "22:00"';
  return z.string({ error }).regex(/^([01]\d|2[0-3]):[0-5]\d$/, { error });
};

const quietHours = mapping({
  from: timeOfDay().describe('When they begin, by the clock of the zone: "22:00" is quiet.'),
  until: timeOfDay().describe('When they end: "06:00" is not quiet any more. May be the next day.'),
  zone: text(64, 'an IANA time zone').describe('IANA name of the zone, such as Europe/Berlin.'),
  except: channelNames
    .optional()
    .describe(
      'Names of channels that get everything at once: their service keeps quiet by itself.',
    ),
}).describe('What is not critical is held, and sent as one digest when they end.');

const escalation = mapping({
  steps: z
    .array(
      mapping({
        after: duration('1m', '24h', '5m').describe('Since the beginning of the round.'),
        channels: channelNames.describe('Names of the channels that are called.'),
      }),
      { error: 'a list of steps with after and channels' },
    )
    .min(1, { error: 'at least one step with after and channels' })
    .max(STEPS_MAX, { error: `at most ${STEPS_MAX} steps` })
    .describe('Who is called when, the soonest first.'),
  rounds: whole(1, ROUNDS_MAX)
    .default(1)
    .describe(
      'How often the steps are gone through, the next round after the last step. Default 1.',
    ),
  acknowledged_for: duration('1m', '24h', '30m')
    .default('30m')
    .describe('Not confirmed this long after somebody acknowledged: the calls begin again.'),
}).describe('Calls after a stop until somebody acknowledges, or the rollback is confirmed.');

export const routingSchema = mapping({
  routes: z
    .array(route, { error: 'a list of routes with channels' })
    .max(ROUTES_MAX, { error: `at most ${ROUTES_MAX} routes` })
    .default([])
    .describe('Who is told what. Default: every channel is told everything.'),
  severity: z
    .record(z.string(), oneOf(['critical', 'warning', 'info']))
    .optional()
    .describe(
      'Kinds of messages, such as condition.warned, that are louder or less loud than by themselves. Only stops are called again.',
    ),
  quiet_hours: quietHours.optional(),
  escalation: escalation.optional(),
}).describe('Who is told what, when and how loud.');

export type RoutingInput = z.infer<typeof routingSchema>;
