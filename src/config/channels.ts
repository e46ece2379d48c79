// The channels of the config as plain data: every default filled in, secrets as handles.
import type { ChannelsInput, SlackInput } from './channel-schema.ts';
import {
  type ConfigContext,
  type Headers,
  headersAt,
  secretAt,
  type TlsConfig,
  toTls,
} from './config-context.ts';
import { ms, SECRET_NAME, urlProblem } from './fields.ts';
import { type Path, problem } from './problems.ts';
import type { Secret } from './secrets.ts';

/** What the buttons under a message need. */
export type SlackButtonsConfig = {
  readonly signingSecret: Secret;
  /** Member ids; null: everybody who can see the message. */
  readonly users: readonly string[] | null;
};

export type SlackConfig = {
  readonly kind: 'slack';
  readonly webhook: Secret;
  /** Where stops and failed rollbacks go; the same as `webhook` unless configured. */
  readonly criticalWebhook: Secret;
  readonly mention: string | null;
  readonly buttons: SlackButtonsConfig | null;
  readonly timeoutMs: number;
};

export type SlackBotConfig = {
  readonly kind: 'slack_bot';
  readonly token: Secret;
  readonly channel: string;
  readonly mention: string | null;
  readonly buttons: SlackButtonsConfig | null;
  readonly url: string;
  readonly timeoutMs: number;
};

export type PagerDutyConfig = {
  readonly kind: 'pagerduty';
  readonly routingKey: Secret;
  readonly url: string;
  readonly timeoutMs: number;
};

export type TelegramConfig = {
  readonly kind: 'telegram';
  readonly botToken: Secret;
  readonly chat: string;
  readonly thread: number | null;
  readonly url: string;
  readonly timeoutMs: number;
};

export type EmailConfig = {
  readonly kind: 'email';
  readonly host: string;
  readonly port: number;
  /** `implicit`: TLS from the first byte (smtps). */
  readonly security: 'implicit' | 'required' | 'if_offered' | 'never';
  readonly login: { readonly username: string; readonly password: Secret } | null;
  readonly from: string;
  readonly to: readonly string[];
  readonly tls: TlsConfig | null;
  readonly timeoutMs: number;
};

export type WebhookConfig = {
  readonly kind: 'webhook';
  readonly url: string | Secret;
  readonly secret: Secret | null;
  readonly headers: Headers;
  readonly timeoutMs: number;
};

export type AlertmanagerConfig = {
  readonly kind: 'alertmanager';
  readonly urls: readonly string[];
  readonly basicAuth: { readonly username: string; readonly password: Secret } | null;
  readonly bearerToken: Secret | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly expireMs: number;
  readonly timeoutMs: number;
};

export type GrafanaConfig = {
  readonly kind: 'grafana';
  readonly url: string;
  readonly token: Secret;
  readonly tags: readonly string[];
  readonly dashboardUid: string | null;
  readonly timeoutMs: number;
};

export type ChannelConfig =
  | SlackConfig
  | SlackBotConfig
  | PagerDutyConfig
  | TelegramConfig
  | EmailConfig
  | WebhookConfig
  | AlertmanagerConfig
  | GrafanaConfig;

type ChannelInput = ChannelsInput[string];

export function toChannels(
  input: {
    readonly slack?: SlackInput | undefined;
    readonly channels?: ChannelsInput | undefined;
    readonly public_url?: string | undefined;
  },
  context: ConfigContext,
): Readonly<Record<string, ChannelConfig>> {
  const channels = configured(input, context);
  const hasButtons = Object.values(channels).some((one) => 'buttons' in one && one.buttons);
  if (hasButtons && input.public_url === undefined) {
    const wanted = 'the URL at which Slack reaches this daemon, because a channel has buttons';
    context.problems.push(problem(['public_url'], 'nothing', wanted));
  }
  return channels;
}

function configured(
  input: Parameters<typeof toChannels>[0],
  context: ConfigContext,
): ReturnType<typeof toChannels> {
  const { slack, channels } = input;
  if (slack !== undefined && channels !== undefined) {
    const wanted = 'one of them; move it to channels: { slack: { slack: … } }, and remove slack';
    context.problems.push(problem(['slack'], 'it next to channels', wanted));
  }
  if (slack !== undefined) return { slack: toSlack(slack, ['slack'], context) };
  return Object.fromEntries(
    Object.entries(channels ?? {}).map(([name, channel]) => [
      name,
      toChannel(channel, ['channels', name], context),
    ]),
  );
}

function toChannel(input: ChannelInput, path: Path, context: ConfigContext): ChannelConfig {
  const { slack, slack_bot, pagerduty, telegram, email, webhook, alertmanager, grafana } = input;
  if (slack) return toSlack(slack, [...path, 'slack'], context);
  if (slack_bot) return toSlackBot(slack_bot, [...path, 'slack_bot'], context);
  if (pagerduty) {
    return {
      kind: 'pagerduty',
      routingKey: secretAt(
        pagerduty.routing_key,
        [...path, 'pagerduty', 'routing_key'],
        context,
        routingKeyProblem,
      ),
      url: base(pagerduty.url),
      timeoutMs: ms(pagerduty.timeout),
    };
  }
  if (telegram) {
    return {
      kind: 'telegram',
      botToken: secretAt(
        telegram.bot_token,
        [...path, 'telegram', 'bot_token'],
        context,
        botTokenProblem,
      ),
      chat: telegram.chat,
      thread: telegram.thread ?? null,
      url: base(telegram.url),
      timeoutMs: ms(telegram.timeout),
    };
  }
  if (email) return toEmail(email, [...path, 'email'], context);
  if (webhook) return toWebhook(webhook, [...path, 'webhook'], context);
  if (alertmanager) return toAlertmanager(alertmanager, [...path, 'alertmanager'], context);
  if (grafana) {
    return {
      kind: 'grafana',
      url: base(grafana.url),
      token: secretAt(grafana.token, [...path, 'grafana', 'token'], context, headerProblem),
      tags: grafana.tags ?? [],
      dashboardUid: grafana.dashboard_uid ?? null,
      timeoutMs: ms(grafana.timeout),
    };
  }
  throw new Error('a channel without a kind passed the schema');
}

type Input<Kind extends keyof ChannelInput> = Exclude<ChannelInput[Kind], undefined>;

function toSlack(slack: SlackInput, path: Path, context: ConfigContext): SlackConfig {
  const webhook = secretAt(slack.webhook, [...path, 'webhook'], context, urlProblem);
  const { critical_webhook: critical } = slack;
  return {
    kind: 'slack',
    webhook,
    criticalWebhook:
      critical === undefined
        ? webhook
        : secretAt(critical, [...path, 'critical_webhook'], context, urlProblem),
    mention: slack.mention ?? null,
    buttons: toButtons(slack, path, context),
    timeoutMs: ms(slack.timeout),
  };
}

function toSlackBot(bot: Input<'slack_bot'>, path: Path, context: ConfigContext): SlackBotConfig {
  return {
    kind: 'slack_bot',
    token: secretAt(bot.token, [...path, 'token'], context, headerProblem),
    channel: bot.channel,
    mention: bot.mention ?? null,
    buttons: toButtons(bot, path, context),
    url: base(bot.url),
    timeoutMs: ms(bot.timeout),
  };
}

function toButtons(
  { signing_secret: signing, users }: SlackInput | Input<'slack_bot'>,
  path: Path,
  context: ConfigContext,
): SlackButtonsConfig | null {
  if (signing !== undefined) {
    const signingSecret = secretAt(signing, [...path, 'signing_secret'], context, signingProblem);
    return { signingSecret, users: users ?? null };
  }
  if (users !== undefined) {
    const wanted = 'signing_secret next to it, because without it there are no buttons';
    context.problems.push(problem([...path, 'users'], 'it alone', wanted));
  }
  return null;
}

/** Not the verification token, and no blanks from copying. */
function signingProblem(value: string): string | null {
  return /^[\x21-\x7e]{16,200}$/.test(value)
    ? null
    : 'the signing secret of the Slack app, from its basic information';
}

const SMTP_PORT = 587;
const SMTPS_PORT = 465;

function toEmail(email: Input<'email'>, path: Path, context: ConfigContext): EmailConfig {
  const { protocol, hostname, port } = new URL(email.url);
  const isImplicit = protocol === 'smtps:';
  const { username, password } = email;
  if ((username === undefined) !== (password === undefined)) {
    const wanted = 'username and password together; add the other one';
    context.problems.push(problem(path, 'only one of username and password', wanted));
  }
  const isOpen = !isImplicit && email.starttls !== 'required';
  if (password !== undefined && isOpen) {
    const wanted = 'required, because a password must not go through the net in the open';
    context.problems.push(problem([...path, 'starttls'], email.starttls, wanted));
  }
  const secret = password === undefined ? null : secretAt(password, [...path, 'password'], context);
  return {
    kind: 'email',
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (isImplicit ? SMTPS_PORT : SMTP_PORT) : Number(port),
    security: isImplicit ? 'implicit' : email.starttls,
    login: username !== undefined && secret !== null ? { username, password: secret } : null,
    from: email.from,
    to: email.to,
    tls: email.tls ? toTls(email.tls, [...path, 'tls'], context) : null,
    timeoutMs: ms(email.timeout),
  };
}

function toWebhook(webhook: Input<'webhook'>, path: Path, context: ConfigContext): WebhookConfig {
  const { url, secret } = webhook;
  return {
    kind: 'webhook',
    url: SECRET_NAME.test(url) ? secretAt(url, [...path, 'url'], context, urlProblem) : url,
    secret: secret === undefined ? null : secretAt(secret, [...path, 'secret'], context),
    headers: headersAt(webhook.headers, path, context),
    timeoutMs: ms(webhook.timeout),
  };
}

function toAlertmanager(
  input: Input<'alertmanager'>,
  path: Path,
  context: ConfigContext,
): AlertmanagerConfig {
  const { basic_auth: basic, bearer_token: bearer } = input;
  if (basic !== undefined && bearer !== undefined) {
    const wanted = 'one way to log in; remove basic_auth or bearer_token';
    context.problems.push(problem([...path, 'bearer_token'], 'it next to basic_auth', wanted));
  }
  const password = basic && secretAt(basic.password, [...path, 'basic_auth', 'password'], context);
  return {
    kind: 'alertmanager',
    urls: input.urls.map(base),
    basicAuth: basic && password ? { username: basic.username, password } : null,
    bearerToken:
      bearer === undefined
        ? null
        : secretAt(bearer, [...path, 'bearer_token'], context, headerProblem),
    labels: input.labels ?? {},
    expireMs: ms(input.expire),
    timeoutMs: ms(input.timeout),
  };
}

function base(url: string): string {
  return url.replace(/\/+$/, '');
}

/** Becomes a part of a header. */
function headerProblem(value: string): string | null {
  return /^[\x21-\x7e]{1,4000}$/.test(value) ? null : 'a token without blanks, on one line';
}

function routingKeyProblem(value: string): string | null {
  return /^[A-Za-z0-9]{32}$/.test(value)
    ? null
    : 'the 32 characters of an integration key of Events API v2';
}

/** Becomes a part of the URL. */
function botTokenProblem(value: string): string | null {
  return /^\d{1,20}:[A-Za-z0-9_-]{10,100}$/.test(value)
    ? null
    : 'the token of a bot as BotFather gives it, such as 123456:ABC…';
}
