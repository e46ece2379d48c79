// From the config to the sources that the engine uses.
import { createHash } from 'node:crypto';
import { revealHeaders } from '../config/config-context.ts';
import type { PrometheusConfig, ScrapeConfig, SourceConfig } from '../config/daemon-config.ts';
import type { Policy } from '../core/policy.ts';
import type { Source } from '../core/read.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import type { Metrics, SourceOutcome } from '../metrics/metrics.ts';
import { createPrometheusSource } from '../source/prometheus.ts';
import { type PrometheusOptions, SOCKET_IDLE_MS } from '../source/prometheus-api.ts';
import { createScrapeSource, type ScrapeOptions } from '../source/scrape.ts';

/** One read asks so many times in a row at most. */
const ASKS_IN_A_ROW_MAX = 4;
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
      ...scrapeOptions(config, clock),
      idleMs: SOCKET_IDLE_MS,
      logger: logger.child({ component: 'scrape', source: name }),
      onRequest: (outcome, seconds) => count(scrapeOutcome(outcome), seconds),
    });
  }
  return createPrometheusSource({
    ...prometheusOptions(config, clock),
    ...{ idleMs: SOCKET_IDLE_MS, onRequest: count },
  });
}

/** How a service of the config is asked for its metrics. */
export function scrapeOptions(config: ScrapeConfig, clock: Clock): ScrapeOptions {
  const { targets, headers, timeoutMs } = config;
  return { targets, headers: revealHeaders(headers), timeoutMs, clock };
}

/** How a Prometheus of the config is asked. */
export function prometheusOptions(config: PrometheusConfig, clock: Clock): PrometheusOptions {
  const { basicAuth, bearerToken, tls } = config;
  return {
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
  };
}

function scrapeOutcome(outcome: string): SourceOutcome {
  if (outcome === 'ok') return 'ok';
  return outcome === 'http_status' || outcome === 'bad_text' ? 'rejected' : 'unreachable';
}

/** Names the exact policy that a watch was started with. */
export function policyHash(policy: Policy): string {
  return createHash('sha256').update(JSON.stringify(policy)).digest('hex').slice(0, 16);
}
