// The channels of canaryd.yaml: where people are told, one kind for each name. Limits of the
// services are held by src/notify; here is what an operator writes.
import { z } from 'zod';
import {
  choice,
  duration,
  flag,
  headers,
  mapping,
  name,
  oneOf,
  secret,
  text,
  url,
  whole,
} from './fields.ts';

const CHANNELS_MAX = 50;
const RECIPIENTS_MAX = 50;
const URLS_MAX = 10;
const LABELS_MAX = 20;
const TAGS_MAX = 20;
const OWN_LABELS = ['alertname', 'environment', 'job', 'service', 'severity'];

const matching = (pattern: RegExp, error: string) => z.string({ error }).regex(pattern, { error });

const timeout = (preset = '5s') =>
  duration('100ms', '60s', '5s')
    .default(preset)
    .describe(`Limit of one attempt; it is repeated. Default ${preset}.`);

const mention = () =>
  text(100, 'a mention')
    .optional()
    .describe('Who is called when something stops, such as <!subteam^S0123456> or <!here>.');

const USERS_MAX = 200;

/** Of the buttons under a message in Slack. */
const buttons = {
  signing_secret: secret()
    .optional()
    .describe('Signing secret of the Slack app, as $NAME: messages get buttons. Needs public_url.'),
  users: z
    .array(matching(/^[UW][A-Z0-9]{2,20}$/, 'the member id of a Slack user such as U0123456789'), {
      error: 'a list of member ids such as U0123456789',
    })
    .min(1, { error: 'at least one member id; leave users out to allow everybody' })
    .max(USERS_MAX, { error: `at most ${USERS_MAX} member ids` })
    .optional()
    .describe('Who may press the buttons. Default: everybody who can see the message.'),
};

export const slackSchema = mapping({
  webhook: secret().describe('Incoming webhook URL, as $NAME: the URL itself is the secret.'),
  critical_webhook: secret()
    .optional()
    .describe('Another channel for stops and failed rollbacks, as $NAME. Default: webhook.'),
  mention: mention(),
  ...buttons,
  timeout: timeout(),
}).describe('Slack, by an incoming webhook.');

const slackBot = mapping({
  token: secret().describe('Bot token (xoxb-…) as $NAME; it needs the scope chat:write.'),
  channel: matching(
    /^[CDG][A-Z0-9]{2,30}$/,
    'the id of a Slack channel such as C0123456789, not its name; see its details in Slack',
  ).describe('Id of the channel, such as C0123456789. The bot must be a member of it.'),
  mention: mention(),
  ...buttons,
  url: url()
    .default('https://slack.com/api')
    .describe('Base URL of the Web API. Default https://slack.com/api.'),
  timeout: timeout(),
}).describe('Slack, by a bot: one message for each watch, and its story in the thread.');

const pagerduty = mapping({
  routing_key: secret().describe('Integration key of Events API v2, as $NAME.'),
  url: url()
    .default('https://events.pagerduty.com')
    .describe('Base URL of the Events API. Default https://events.pagerduty.com.'),
  timeout: timeout(),
}).describe('PagerDuty Events v2: one incident for each watch, and change events.');

const telegram = mapping({
  bot_token: secret().describe('Token of the bot, from BotFather, as $NAME.'),
  chat: matching(
    /^(?:-?\d{1,20}|@[A-Za-z][A-Za-z0-9_]{3,31})$/,
    'a chat as a quoted number such as "-1001234567890", or @channel',
  ).describe('Id of the chat as a quoted number, or @name of a public channel.'),
  thread: whole(1, 2_147_483_647).optional().describe('Id of the topic, in a group with topics.'),
  url: url()
    .default('https://api.telegram.org')
    .describe('Base URL of the Bot API. Default https://api.telegram.org.'),
  timeout: timeout(),
}).describe('Telegram, by a bot.');

const BARE = '[^\\s<>@,;"()]{1,64}@[^\\s<>@,;"()]{1,255}';
const ADDRESS = new RegExp(`^(?:${BARE}|[^<>@,;"()\\r\\n\\0]{1,100}<${BARE}>)$`);

const address = () =>
  matching(ADDRESS, 'one mail address such as oncall@example.com or On-call <oncall@example.com>');

const email = mapping({
  url: z
    .string({ error: 'the URL of a mail server such as smtp://mail.example.com:587' })
    .max(300, { error: 'a URL of at most 300 characters' })
    .superRefine((written, context) => {
      const message = smtpUrlProblem(written);
      if (message !== null) context.addIssue({ code: 'custom', message });
    })
    .meta({ pattern: '^smtps?://' })
    .describe('Mail server: smtp://host:587 begins plain, smtps://host:465 with TLS.'),
  username: text(300, 'a user name').optional().describe('Who logs in. Default: nobody does.'),
  password: secret().optional().describe('Password of username, as $NAME.'),
  from: address().describe('Sender, such as canaryd <canaryd@example.com>.'),
  to: z
    .array(address(), { error: 'a list of mail addresses' })
    .min(1, { error: 'at least one mail address' })
    .max(RECIPIENTS_MAX, { error: `at most ${RECIPIENTS_MAX} addresses; use a mailing list` })
    .describe('Recipients.'),
  starttls: oneOf(['required', 'if_offered', 'never'])
    .default('required')
    .describe('With smtp://: whether the connection must turn to TLS. Default required.'),
  tls: mapping({
    ca: text(1_000, 'a path')
      .optional()
      .describe('PEM file of the authority that signed the server. Default: the system.'),
    insecure_skip_verify: flag()
      .default(false)
      .describe('true gives the password to any server that answers. Default false.'),
  })
    .optional()
    .describe('TLS settings; the path is relative to this file.'),
  timeout: timeout('20s'),
}).describe('E-mail, by SMTP. The mails of a watch refer to each other: one thread.');

const urlOrSecret = () => {
  const error = 'an absolute URL, or the name of a secret as $NAME when the URL itself is one';
  return z
    .string({ error })
    .superRefine((written, context) => {
      const parsed = (written.startsWith('$') ? secret() : url()).safeParse(written);
      for (const { message } of parsed.error?.issues ?? []) {
        context.addIssue({ code: 'custom', message });
      }
    })
    .meta({ pattern: '^(https?://|\\$[A-Z_][A-Z0-9_]*$)' })
    .describe('Where it is sent; $NAME when the URL itself is a secret.');
};

const webhook = mapping({
  url: urlOrSecret(),
  secret: secret().optional().describe('Signs each request (Standard Webhooks), as $NAME.'),
  headers: headers().optional().describe('More headers. A secret value is written as $NAME.'),
  timeout: timeout(),
}).describe('Each message as JSON to a URL of yours, signed.');

const alertmanager = mapping({
  urls: z
    .array(url(), { error: 'a list of URLs such as http://alertmanager:9093' })
    .min(1, { error: 'at least one URL such as http://alertmanager:9093' })
    .max(URLS_MAX, { error: `at most ${URLS_MAX} URLs` })
    .describe('Every Alertmanager of the cluster, without /api/v2. All are told.'),
  basic_auth: mapping({
    username: text(200, 'a user name').describe('User name.'),
    password: secret().describe('Password as $NAME.'),
  })
    .optional()
    .describe('HTTP basic authentication. Not together with bearer_token.'),
  bearer_token: secret().optional().describe('Bearer token as $NAME.'),
  labels: z
    .record(
      z.string().regex(/^(?!__)[a-zA-Z_][a-zA-Z0-9_]{0,63}$/, {
        error: 'the name of a label: letters, digits and underscores; rename it',
      }),
      text(200, 'the value of a label'),
      { error: 'a mapping of names to texts' },
    )
    .refine((entries) => Object.keys(entries).length <= LABELS_MAX, {
      error: `at most ${LABELS_MAX} labels`,
    })
    .refine((entries) => OWN_LABELS.every((own) => !Object.hasOwn(entries, own)), {
      error: `labels besides those that canaryd sets itself (${OWN_LABELS.join(', ')}); rename it`,
    })
    .optional()
    .describe('More labels of each alert, such as team: trading.'),
  expire: duration('5m', '30d', '24h')
    .default('24h')
    .describe('An alert that nobody resolves is over after this time. Default 24h.'),
  timeout: timeout(),
}).describe('Alertmanager v2: an alert for each deploy that is in trouble.');

const grafana = mapping({
  url: url().describe('Base URL of Grafana, without /api.'),
  token: secret().describe('Token of a service account as $NAME; it needs the role Editor.'),
  tags: z
    .array(text(100, 'a tag'), { error: 'a list of tags' })
    .max(TAGS_MAX, { error: `at most ${TAGS_MAX} tags` })
    .optional()
    .describe('More tags of each annotation, besides canaryd, deploy and service:<name>.'),
  dashboard_uid: matching(/^[A-Za-z0-9_-]{1,40}$/, 'the uid of a dashboard, from its URL')
    .optional()
    .describe('Only on this dashboard. Default: every dashboard that asks for the tags.'),
  timeout: timeout(),
}).describe('Grafana: deploys, stops and rollbacks as annotations.');

export const CHANNEL_KINDS = [
  'slack',
  'slack_bot',
  'pagerduty',
  'telegram',
  'email',
  'webhook',
  'alertmanager',
  'grafana',
] as const;

const channel = choice(
  {
    slack: slackSchema.optional(),
    slack_bot: slackBot.optional(),
    pagerduty: pagerduty.optional(),
    telegram: telegram.optional(),
    email: email.optional(),
    webhook: webhook.optional(),
    alertmanager: alertmanager.optional(),
    grafana: grafana.optional(),
  },
  CHANNEL_KINDS,
).describe(`One kind: ${CHANNEL_KINDS.join(', ')}.`);

export const channelsSchema = z
  .record(name('the name of a channel'), channel, { error: 'a mapping of names to channels' })
  .refine((entries) => Object.keys(entries).length > 0, {
    error: 'at least one channel; leave channels out to write messages to the log only',
  })
  .refine((entries) => Object.keys(entries).length <= CHANNELS_MAX, {
    error: `at most ${CHANNELS_MAX} channels`,
  })
  .describe('Where people are told, by name. Without channels messages go to the log only.');

export type ChannelsInput = z.infer<typeof channelsSchema>;
export type SlackInput = z.infer<typeof slackSchema>;

/** Never shows the URL. */
function smtpUrlProblem(written: string): string | null {
  const parsed = URL.parse(written);
  if (parsed === null || !/^smtps?:$/.test(parsed.protocol) || parsed.hostname === '') {
    return 'the URL of a mail server such as smtp://mail.example.com:587 or smtps://…:465';
  }
  if (parsed.username !== '' || parsed.password !== '') {
    return 'a URL without user and password; write username, and password as $NAME';
  }
  const rest = parsed.pathname.replace(/^\/$/, '') + parsed.search + parsed.hash;
  return rest === '' ? null : 'a URL that ends after host and port';
}
