// From the config to the sources and channels that the engine uses.
import { createHash } from 'node:crypto';
import { type DaemonConfig, revealHeaders, type SourceConfig } from '../config/daemon-config.ts';
import type { Secret } from '../config/secrets.ts';
import type { Policy } from '../core/policy.ts';
import type { Source } from '../core/read.ts';
import type { Channel } from '../engine/dispatcher.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import type { Metrics, SourceOutcome } from '../metrics/metrics.ts';
import { createLogChannel } from '../notify/log.ts';
import { createSlack } from '../notify/slack.ts';
import { createPrometheusSource } from '../source/prometheus.ts';
import { createScrapeSource } from '../source/scrape.ts';

/** Slack takes one message a second for a webhook; a little more keeps clear of the edge. */
const SLACK_SPACING_MS = 1_050;

export function createSource(
  name: string,
  config: SourceConfig,
  tools: { readonly clock: Clock; readonly metrics: Metrics; readonly logger: Logger },
): Source {
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
  const { timeoutMs, mention } = slack;
  const normal = rotating(slack.webhook, (webhookUrl) =>
    createSlack({ webhookUrl, timeoutMs, mention, clock }),
  );
  const critical = rotating(slack.criticalWebhook, (webhookUrl) =>
    createSlack({ webhookUrl, timeoutMs, mention, clock }),
  );
  return {
    slack: {
      spacingMs: SLACK_SPACING_MS,
      send: (message, signal) =>
        (message.severity === 'critical' ? critical() : normal())(message, signal),
    },
  };
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
