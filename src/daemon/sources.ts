// From the config to the sources and channels that the engine uses.
import { createHash } from 'node:crypto';
import { type DaemonConfig, revealHeaders, type SourceConfig } from '../config/daemon-config.ts';
import { missingText, type Secret } from '../config/secrets.ts';
import type { Message, Outcome } from '../core/delivery.ts';
import type { Policy } from '../core/policy.ts';
import type { Source } from '../core/read.ts';
import type { Channel } from '../engine/lanes.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import type { Metrics, SourceOutcome } from '../metrics/metrics.ts';
import { createLogChannel } from '../notify/log.ts';
import { createSlack } from '../notify/slack.ts';
import { createPrometheusSource } from '../source/prometheus.ts';
import { createScrapeSource } from '../source/scrape.ts';

/** Slack takes one message a second for a webhook; a little more keeps clear of the edge. */
const SLACK_SPACING_MS = 1_050;
/** One read asks so many times in a row at most. */
const ASKS_IN_A_ROW_MAX = 4;
/** A webhook that refuses a critical message is asked again this often. */
const REFUSED_CRITICAL_AGAIN_MS = 60_000;

type SourceTools = {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
};

export function createSource(name: string, config: SourceConfig, tools: SourceTools): Source {
  const readWithinMs = ASKS_IN_A_ROW_MAX * config.timeoutMs;
  return Object.assign(createReader(name, config, tools), { readWithinMs });
}

function createReader(name: string, config: SourceConfig, tools: SourceTools): Source {
  const { clock, metrics, logger } = tools;
  const count = (outcome: SourceOutcome, seconds: number) => {
    metrics.sourceRequests.inc({ source: name, outcome });
    metrics.sourceRequestDuration.observe({ source: name }, seconds);
  };
  if (config.kind === 'scrape') {
    return createScrapeSource({
      targets: config.targets,
      headers: revealHeaders(config.headers),
      timeoutMs: config.timeoutMs,
      clock,
      logger: logger.child({ component: 'scrape', source: name }),
      onRequest: (outcome, seconds) => count(scrapeOutcome(outcome), seconds),
    });
  }
  const { basicAuth, bearerToken, tls } = config;
  return createPrometheusSource({
    url: config.url,
    headers: revealHeaders(config.headers),
    basicAuth: basicAuth && {
      username: basicAuth.username,
      password: () => basicAuth.password.reveal(),
    },
    bearerToken: bearerToken && (() => bearerToken.reveal()),
    tenant: config.tenant,
    tls: tls && { ...tls, key: tls.key?.reveal() ?? null },
    timeoutMs: config.timeoutMs,
    clock,
    onRequest: count,
  });
}

function scrapeOutcome(outcome: string): SourceOutcome {
  if (outcome === 'ok') return 'ok';
  return outcome === 'http_status' || outcome === 'bad_text' ? 'rejected' : 'unreachable';
}

/** Where people are told: Slack when configured, else the log. */
export function createChannels(
  config: DaemonConfig,
  clock: Clock,
  logger: Logger,
): Readonly<Record<string, Channel>> {
  const { slack } = config;
  if (slack === null) {
    const log = createLogChannel(logger.child({ component: 'message' }));
    return { log: { send: log, spacingMs: 0 } };
  }
  const { webhook, criticalWebhook } = slack;
  const { timeoutMs, mention } = slack;
  const create = (webhookUrl: string) => createSlack({ webhookUrl, timeoutMs, mention, clock });
  const normal = { name: 'slack.webhook', secret: webhook, made: rotating(webhook, create) };
  const critical = {
    name: 'slack.critical_webhook',
    secret: criticalWebhook,
    made: rotating(criticalWebhook, create),
  };
  const send = laddered(normal, critical, logger.child({ component: 'slack' }));
  // Once: a secret file is not to be read for each message at each look.
  const hasTwo = currentOf(webhook) !== currentOf(criticalWebhook);
  const lane = ({ severity }: Message) =>
    hasTwo && severity === 'critical' ? 'critical' : 'normal';
  return { slack: { spacingMs: SLACK_SPACING_MS, lane, send } };
}

type Send = Channel['send'];
type Webhook = { readonly name: string; readonly secret: Secret; readonly made: () => Send };

/**
 * A webhook that takes nothing any more (revoked, channel archived, secret gone) is no reason to be
 * silent: the message goes by the other one. A critical message that both refuse is tried again,
 * slowly, since somebody may mend it.
 */
function laddered(normal: Webhook, critical: Webhook, logger: Logger): Send {
  return async (message, signal) => {
    const isCritical = message.severity === 'critical';
    const [own, other] = isCritical ? [critical, normal] : [normal, critical];
    const first = await sendBy(own, message, signal);
    if (!isDead(first)) return first;
    if (currentOf(own.secret) === currentOf(other.secret)) return mended(first, isCritical);
    const second = await sendBy(other, message, signal);
    const fields = { watchId: message.watchId, refusedBy: own.name, detail: first.detail };
    logger.warn({ ...fields, sentBy: other.name, outcome: second.kind }, 'webhook refused');
    const detail = `${other.name}: ${second.detail}; ${own.name}: ${first.detail}`;
    return mended({ ...(isDead(second) ? first : second), detail }, isCritical);
  };
}

async function sendBy(by: Webhook, message: Message, signal: AbortSignal): Promise<Outcome> {
  if (currentOf(by.secret) !== null) return by.made()(message, signal);
  const again = { retryAfterMs: null, maybeDelivered: false };
  return {
    kind: 'retryable',
    reason: 'misconfigured',
    detail: missingText(by.secret.name),
    ...again,
  };
}

/** Refused, or its secret is gone. */
function isDead({ kind, ...rest }: Outcome): boolean {
  return kind === 'refused' || ('reason' in rest && rest.reason === 'misconfigured');
}

function mended(outcome: Outcome, isCritical: boolean): Outcome {
  if (outcome.kind !== 'refused' || !isCritical) return outcome;
  const again = { retryAfterMs: REFUSED_CRITICAL_AGAIN_MS, maybeDelivered: false };
  return { kind: 'retryable', reason: outcome.reason, detail: outcome.detail, ...again };
}

/** Null when it is gone. */
function currentOf(secret: Secret): string | null {
  try {
    return secret.reveal();
  } catch {
    return null;
  }
}

/** What was created with a secret; created anew when the secret's file was replaced. */
function rotating<T>(secret: Secret, create: (value: string) => T): () => T {
  let current: { readonly value: string; readonly made: T } | null = null;
  return () => {
    const value = secret.reveal();
    if (current?.value !== value) current = { value, made: create(value) };
    return current.made;
  };
}

/** Names the exact policy that a watch was started with. */
export function policyHash(policy: Policy): string {
  return createHash('sha256').update(JSON.stringify(policy)).digest('hex').slice(0, 16);
}
