// The composition root: config → all parts, joined by hand, started in order and ended in the
// reverse order within a bound.
import { createAct } from '../act/act.ts';
import { loadConfig } from '../config/load.ts';
import { checkParameters } from '../config/parameters.ts';
import { healthWithSecrets, missingSecrets } from '../config/secrets.ts';
import type { Delivery, Outcome } from '../core/delivery.ts';
import type { DeliveryReason } from '../core/event.ts';
import { createEngine, type Engine } from '../engine/engine.ts';
import { Observer } from '../engine/observe.ts';
import { StandBy } from '../engine/stand-by.ts';
import { Subscribers } from '../engine/subscribers.ts';
import type { WatchKeeper } from '../engine/watch-keeper.ts';
import { tokenMatcher } from '../http/auth.ts';
import { buildServer } from '../http/server.ts';
import type { Journal } from '../journal/journal.ts';
import { openJournal } from '../journal/open.ts';
import { systemClock } from '../kit/clock.ts';
import { CanarydError, messageOf } from '../kit/errors.ts';
import { type Logger, openLog } from '../kit/logger.ts';
import { newReplicaId, newWatchId, systemRandom } from '../kit/random.ts';
import { VERSION } from '../kit/version.ts';
import { createMetrics, type Metrics } from '../metrics/metrics.ts';
import { createHealthReader } from '../source/health.ts';
import { queryOf } from '../source/promql.ts';
import { createChannels } from './channels.ts';
import { hookSetups } from './hooks.ts';
import { startHousekeeping } from './housekeeping.ts';
import { createSource, policyHash } from './sources.ts';

/** What is being sent may finish this long after the signal; then it is repeated by the next start. */
const DRAIN_MS = 8_000;
/** The journal was not looked at for this long: evaluation hangs, and a restart may mend it. */
const LIVE_WITHIN_MS = 20_000;

export type DaemonOptions = {
  readonly configPath: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted: shut down in order. */
  readonly signal: AbortSignal;
  /** Log to this file instead of standard output. */
  readonly logPath?: string;
  /** The API answers at this URL. */
  readonly onListening?: (url: string) => void;
};

/**
 * Runs until the signal, then ends in order.
 * Throws CanarydError: `config_invalid` with all problems, `journal_failed`, `usage` (port taken).
 */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const loaded = loadConfig(options.configPath, { env: options.env });
  await using stack = new AsyncDisposableStack();
  const { logger, close } = openLog(loaded.config.log.level, options.logPath);
  stack.defer(close);
  const journal = stack.use(await openJournal(loaded.config.journal));
  const parts = assemble(loaded, journal, logger);
  const { server, engine, standBy, drain } = parts;
  stack.defer(startHousekeeping(journal, loaded.config.retention, systemClock, logger));
  standBy.start();
  stack.defer(() => standBy.stop());
  engine.start();
  stack.defer(() => engine.stop(DRAIN_MS));
  const url = await listen(server, loaded.config.listen);
  stack.defer(() => server.close());
  for (const { policy, secrets } of loaded.missingSecrets) {
    logger.warn({ policy, missing: secrets }, 'policy cannot act until its secrets are set');
  }
  const policies = loaded.policies.map(({ name }) => name);
  logger.info({ listening: url, policies, version: VERSION }, 'ready');
  options.onListening?.(url);
  await aborted(options.signal);
  // First no new work, then what is under way, then the stores: the stack's order.
  drain();
  logger.info('shutting down');
}

async function listen(
  server: ReturnType<typeof buildServer>,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (error) {
    const text = `Cannot listen on ${host}:${port}: ${messageOf(error)}; choose another listen.port, or end what uses it`;
    throw new CanarydError('usage', text, { cause: error });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener('abort', () => resolve(), { once: true }),
  );
}

function assemble(loaded: ReturnType<typeof loadConfig>, journal: Journal, logger: Logger) {
  const { config, policies, secrets } = loaded;
  const clock = systemClock;
  const metrics = createMetrics(VERSION);
  const subscribers = new Subscribers();
  const observer = new Observer(metrics, subscribers);
  const onError = (error: unknown, watchId: string | null) => {
    if (error instanceof CanarydError && error.code === 'journal_failed')
      metrics.journalErrors.inc();
    logger.error({ err: error, watchId }, 'evaluation or delivery failed; it is tried again');
  };
  const channels = createChannels(config.channels, { clock, logger });
  const sources = Object.fromEntries(
    Object.entries(config.sources).map(([name, source]) => [
      name,
      createSource(name, source, { clock, metrics, logger }),
    ]),
  );
  const readHealth = healthWithSecrets(createHealthReader({ clock }), secrets);
  const standBy = new StandBy({
    clock,
    everyMs: config.standBy.everyMs,
    sources,
    policies,
    readHealth,
    onError: (error) => onError(error, null),
  });
  let isDraining = false;
  const engine = createEngine({
    clock,
    random: systemRandom,
    replica: newReplicaId(),
    journal,
    sources,
    channels,
    sendAction: createAct({ resolveSecret: secrets.resolve, clock, version: VERSION }),
    readHealth,
    healthBefore: (key, beforeMs) => standBy.healthBefore(key, beforeMs),
    publicUrl: config.publicUrl,
    commands: {
      policies: policies.map((policy) => ({ policy, hash: policyHash(policy) })),
      queryOf,
      newWatchId,
      checkParameters,
      missingSecrets: (policy) => missingSecrets(policy, secrets),
      subscribers,
      health: () => health(journal, engine.keeper, isDraining),
    },
    onAppended: (appended) => {
      observer.appended(appended);
      for (const { type } of appended.events) {
        logger.info({ watchId: appended.watchId, service: appended.record.deploy.service }, type);
      }
    },
    onAttempt: (delivery, outcome, gaveUp) => {
      observer.attempted(delivery, outcome, gaveUp);
      logAttempt(logger, delivery, outcome, gaveUp);
    },
    onTick: (_watchId, _policy, { lagMs, tookMs, readings }) =>
      observer.ticked(clock.now(), lagMs, tookMs, readings),
    onDrop: (policy) => observer.hide(policy),
    onError: (error, watchId) => {
      if (watchId !== null) metrics.tickErrors.inc();
      onError(error, watchId);
    },
  });
  const server = buildServer({
    control: engine.commands,
    metricsText: () => metricsText(metrics, observer, journal, engine),
    tokens: config.tokens.map(({ name, scopes, token }) => ({
      name,
      scopes,
      matches: (given) => tokenMatcher(token.reveal())(given),
    })),
    hooks: hookSetups(config.hooks, policies),
    logger,
    version: VERSION,
    clock,
  });
  const drain = () => {
    isDraining = true;
  };
  return { server, engine, standBy, drain };
}

/** The log is the last channel: what could not be told is written there in full. */
function logAttempt(
  logger: Logger,
  { id, watchId, attempts, content }: Delivery,
  { kind, detail }: Outcome,
  gaveUp: DeliveryReason | null,
): void {
  const fields = { watchId, delivery: id, attempts, detail };
  if (kind === 'delivered') {
    logger.debug(fields, 'delivered');
  } else if (gaveUp === null) {
    logger.warn(fields, 'attempt failed; it is repeated');
  } else {
    const untold = content.kind === 'message' ? content.message : null;
    const words = { headline: untold?.headline, lines: untold?.lines };
    logger.error({ ...fields, reason: gaveUp, ...words }, 'delivery given up');
  }
}

async function metricsText(
  metrics: Metrics,
  observer: Observer,
  journal: Journal,
  { keeper, share }: Engine,
) {
  const here = { watches: keeper.size, replicas: share.size };
  await observer.refresh(journal, await journal.hold(), here);
  const { registry } = metrics;
  return { contentType: registry.contentType, body: await registry.metrics() };
}

/** Alive: evaluation makes progress. Ready: the journal takes writes, and we are not ending. */
async function health(journal: Journal, keeper: WatchKeeper, isDraining: boolean) {
  const idleMs = keeper.idleMs();
  const isLive = idleMs < LIVE_WITHIN_MS;
  const written = await journal.check().then(
    () => 'ok',
    (error: unknown) => messageOf(error),
  );
  return {
    live: isLive,
    ready: isLive && written === 'ok' && !isDraining,
    checks: {
      evaluation: isLive ? 'ok' : `no look at the journal for ${Math.round(idleMs / 1_000)} s`,
      journal: written,
      shutdown: isDraining ? 'shutting down' : 'ok',
    },
  };
}
