// From the config to the channels that the engine uses: one sender for each, which is made anew when
// the file of one of its secrets was replaced.
import type { ChannelConfig, SlackConfig } from '../config/channels.ts';
import type { Headers } from '../config/config-context.ts';
import { missingText, Secret } from '../config/secrets.ts';
import type { Message, Outcome } from '../core/delivery.ts';
import type { Channel } from '../engine/lanes.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import { VERSION } from '../kit/version.ts';
import { createAlertmanager } from '../notify/alertmanager.ts';
import { createEmail } from '../notify/email.ts';
import { createGrafana } from '../notify/grafana.ts';
import { createLogChannel } from '../notify/log.ts';
import { createPagerDuty } from '../notify/pagerduty.ts';
import { createSlack } from '../notify/slack.ts';
import { createSlackBot } from '../notify/slack-bot.ts';
import { createTelegram } from '../notify/telegram.ts';
import { createMessageWebhook } from '../notify/webhook.ts';

/** Each service's own pace, a little slower. Telegram: 1 a second in a chat, 20 a minute in a group. */
const SPACING_MS = {
  slack: 1_050,
  slack_bot: 1_250,
  pagerduty: 550,
  telegram: 1_050,
  telegram_group: 3_050,
  email: 1_000,
  webhook: 0,
  alertmanager: 0,
  grafana: 100,
} as const;
/** A channel that refuses a critical message is asked again this often: somebody may mend it. */
const REFUSED_CRITICAL_AGAIN_MS = 60_000;

type Tools = { readonly clock: Clock; readonly logger: Logger };
type Send = Channel['send'];

/** Where people are told: the configured channels, else the log. */
export function createChannels(
  channels: Readonly<Record<string, ChannelConfig>>,
  tools: Tools,
): Readonly<Record<string, Channel>> {
  const entries = Object.entries(channels);
  if (entries.length === 0) {
    const log = createLogChannel(tools.logger.child({ component: 'message' }));
    return { log: { send: log, spacingMs: 0 } };
  }
  return Object.fromEntries(
    entries.map(([name, config]) => {
      const channel = createChannel(name, config, tools);
      return [name, { ...channel, send: mended(channel.send) }];
    }),
  );
}

function createChannel(name: string, config: ChannelConfig, tools: Tools): Channel {
  const { clock } = tools;
  const { timeoutMs, kind } = config;
  switch (kind) {
    case 'slack':
      return slackChannel(name, config, tools);
    case 'slack_bot': {
      const { url, channel, mention, token } = config;
      const buttons = config.buttons === null ? null : name;
      const send = withSecrets({ token }, (secrets) =>
        createSlackBot({ ...secrets, url, channel, mention, buttons, timeoutMs, clock }),
      );
      return { send, spacingMs: SPACING_MS.slack_bot };
    }
    case 'pagerduty': {
      const { url, routingKey } = config;
      const send = withSecrets({ routingKey }, (secrets) =>
        createPagerDuty({ ...secrets, url, timeoutMs, clock }),
      );
      // Each watch has an incident of its own, and what closes it pages nobody.
      const merges = ({ incident }: Message) => incident !== 'closes';
      return { send, merges, keepsIncidents: true, spacingMs: SPACING_MS.pagerduty };
    }
    case 'telegram': {
      const { url, botToken, chat, thread } = config;
      const send = withSecrets({ botToken }, (secrets) =>
        createTelegram({ ...secrets, url, chat, thread, timeoutMs, clock }),
      );
      const isGroup = /^[-@]/.test(chat);
      return { send, spacingMs: isGroup ? SPACING_MS.telegram_group : SPACING_MS.telegram };
    }
    case 'email':
      return { send: emailSend(name, config), spacingMs: SPACING_MS.email };
    case 'webhook':
      return { send: webhookSend(name, config, clock), spacingMs: SPACING_MS.webhook };
    case 'alertmanager':
      return {
        send: alertmanagerSend(config, clock),
        keepsIncidents: true,
        spacingMs: SPACING_MS.alertmanager,
      };
    case 'grafana': {
      const { url, token, tags, dashboardUid } = config;
      const send = withSecrets({ token }, (secrets) =>
        createGrafana({ ...secrets, url, tags, dashboardUid, timeoutMs, clock }),
      );
      return { send, merges: () => false, isRead: false, spacingMs: SPACING_MS.grafana };
    }
    default:
      return kind satisfies never;
  }
}

function emailSend(name: string, config: Extract<ChannelConfig, { kind: 'email' }>): Send {
  const { host, port, security, login, from, to, tls, timeoutMs } = config;
  const { ca = null, insecureSkipVerify = false } = tls ?? {};
  const common = { name, host, port, security, from, to, ca, insecureSkipVerify, timeoutMs };
  if (login === null) return createEmail({ ...common, login });
  const { username } = login;
  return withSecrets({ password: login.password }, ({ password }) =>
    createEmail({ ...common, login: { username, password } }),
  );
}

function webhookSend(
  name: string,
  config: Extract<ChannelConfig, { kind: 'webhook' }>,
  clock: Clock,
): Send {
  const { url, secret, headers, timeoutMs } = config;
  const secrets = {
    ...(url instanceof Secret ? { url } : {}),
    ...(secret === null ? {} : { secret }),
    ...headerSecrets(headers),
  };
  return withSecrets<string>(secrets, (values) => {
    const own = Object.entries(headers).map(([header, value]) => [
      header,
      typeof value === 'string' ? value : (values[HEADER + header] ?? ''),
    ]);
    return createMessageWebhook({
      name,
      url: values['url'] ?? `${url}`,
      secret: values['secret'] ?? null,
      headers: Object.fromEntries(own),
      timeoutMs,
      version: VERSION,
      clock,
    });
  });
}

const HEADER = 'header ';

function headerSecrets(headers: Headers): Record<string, Secret> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([header, value]) =>
      value instanceof Secret ? [[HEADER + header, value]] : [],
    ),
  );
}

function alertmanagerSend(
  config: Extract<ChannelConfig, { kind: 'alertmanager' }>,
  clock: Clock,
): Send {
  const { urls, basicAuth, bearerToken, labels, expireMs, timeoutMs } = config;
  const secret = bearerToken ?? basicAuth?.password ?? null;
  const create = (authorization: string | null) =>
    createAlertmanager({ urls, authorization, labels, expireMs, timeoutMs, clock });
  if (secret === null) return create(null);
  return withSecrets({ secret }, (values) => {
    if (basicAuth === null) return create(`Bearer ${values.secret}`);
    const pair = Buffer.from(`${basicAuth.username}:${values.secret}`).toString('base64');
    return create(`Basic ${pair}`);
  });
}

/** A message that is refused goes no further, unless it is critical: then it is tried again, slowly. */
function mended(send: Send): Send {
  return async (message, signal, context) => {
    const outcome = await send(message, signal, context);
    if (outcome.kind !== 'refused' || message.severity !== 'critical') return outcome;
    const again = { retryAfterMs: REFUSED_CRITICAL_AGAIN_MS, maybeDelivered: false };
    return { kind: 'retryable', reason: outcome.reason, detail: outcome.detail, ...again };
  };
}

/**
 * Sends by what was made of the secrets, made anew when one of them has changed. When one is gone
 * the message waits: the file may come back.
 */
function withSecrets<Name extends string>(
  secrets: Readonly<Record<Name, Secret>>,
  create: (values: Readonly<Record<Name, string>>) => Send,
): Send {
  let current: { readonly key: string; readonly send: Send } | null = null;
  return async (message, signal, context) => {
    const entries = Object.entries<Secret>(secrets).map(([field, secret]) => {
      return { field, name: secret.name, value: currentOf(secret) };
    });
    const gone = entries.find(({ value }) => value === null);
    if (gone !== undefined) return secretGone(gone.name);
    const values = Object.fromEntries(entries.map(({ field, value }) => [field, value]));
    const key = JSON.stringify(values);
    if (current?.key !== key) {
      current = { key, send: create(values as Readonly<Record<Name, string>>) };
    }
    return current.send(message, signal, context);
  };
}

/** Null when it is gone. */
function currentOf(secret: Secret): string | null {
  try {
    return secret.reveal();
  } catch {
    return null;
  }
}

function secretGone(name: string): Outcome {
  const again = { retryAfterMs: null, maybeDelivered: false };
  return { kind: 'retryable', reason: 'misconfigured', detail: missingText(name), ...again };
}

function slackChannel(name: string, config: SlackConfig, tools: Tools): Channel {
  const { logger } = tools;
  const { normal, critical, hasTwo } = slackWebhooks(name, config, tools);
  const send = laddered(normal, critical, logger.child({ component: 'slack', channel: name }));
  const lane = ({ severity }: Message) =>
    hasTwo && severity === 'critical' ? 'critical' : 'normal';
  return { spacingMs: SPACING_MS.slack, lane, send };
}

function slackWebhooks(name: string, config: SlackConfig, { clock }: Tools) {
  const { webhook, criticalWebhook, timeoutMs, mention } = config;
  const buttons = config.buttons === null ? null : name;
  const by = (field: string, secret: Secret): Webhook => ({
    name: `${name}.${field}`,
    secret,
    send: withSecrets({ webhookUrl: secret }, (values) =>
      createSlack({ ...values, timeoutMs, mention, buttons, clock }),
    ),
  });
  const normal = by('webhook', webhook);
  const critical = by('critical_webhook', criticalWebhook);
  // Once: a secret file is not to be read for each message at each look.
  return { normal, critical, hasTwo: currentOf(webhook) !== currentOf(criticalWebhook) };
}

/** All ways that a message may go, each by itself: none stands in for another one. */
export function createRoads(
  channels: Readonly<Record<string, ChannelConfig>>,
  tools: Tools,
): readonly Road[] {
  return Object.entries(channels).flatMap(([channel, config]): readonly Road[] => {
    if (config.kind === 'slack') {
      const { normal, critical, hasTwo } = slackWebhooks(channel, config, tools);
      if (hasTwo) return [normal, critical].map(({ name, send }) => ({ channel, name, send }));
    }
    const { send } = createChannel(channel, config, tools);
    return [{ channel, name: channel, send }];
  });
}

export type Road = {
  readonly channel: string;
  /** That of the channel, or of one of its webhooks. */
  readonly name: string;
  readonly send: Send;
};

type Webhook = { readonly name: string; readonly secret: Secret; readonly send: Send };

/**
 * A webhook that takes nothing any more (revoked, channel archived, secret gone) is no reason to be
 * silent: the message goes by the other one.
 */
function laddered(normal: Webhook, critical: Webhook, logger: Logger): Send {
  return async (message, signal) => {
    const isCritical = message.severity === 'critical';
    const [own, other] = isCritical ? [critical, normal] : [normal, critical];
    const first = await own.send(message, signal);
    if (!isDead(first)) return first;
    if (currentOf(own.secret) === currentOf(other.secret)) return first;
    const second = await other.send(message, signal);
    const fields = { watchId: message.watchId, refusedBy: own.name, detail: first.detail };
    logger.warn({ ...fields, sentBy: other.name, outcome: second.kind }, 'webhook refused');
    const detail = `${other.name}: ${second.detail}; ${own.name}: ${first.detail}`;
    return { ...(isDead(second) ? first : second), detail };
  };
}

/** Refused, or its secret is gone. */
function isDead({ kind, ...rest }: Outcome): boolean {
  return kind === 'refused' || ('reason' in rest && rest.reason === 'misconfigured');
}
