// The composition root: config → all parts, joined by hand, started in order and ended in the
// reverse order within a bound.
import { hostname } from 'node:os';
import { createAct } from '../act/act.ts';
import { loadConfig } from '../config/load.ts';
import { checkParameters } from '../config/parameters.ts';
import { healthWithSecrets, missingSecrets } from '../config/secrets.ts';
import type { Delivery, Outcome } from '../core/delivery.ts';
import type { DeliveryReason } from '../core/event.ts';
import { createEngine, type Engine } from '../engine/engine.ts';
import type { Channel } from '../engine/lanes.ts';
import { Observer } from '../engine/observe.ts';
import { OutageAlarm } from '../engine/outage.ts';
import { StandBy } from '../engine/stand-by.ts';
import { Subscribers } from '../engine/subscribers.ts';
import { TICK_SLOT_MS } from '../engine/watch-keeper.ts';
import { tokenMatcher } from '../http/auth.ts';
import { buildServer } from '../http/server.ts';
import type { Journal } from '../journal/journal.ts';
import { openJournal } from '../journal/open.ts';
import { systemClock } from '../kit/clock.ts';
import { CanarydError, messageOf } from '../kit/errors.ts';
import { type Logger, openLog } from '../kit/logger.ts';
import { newReplicaId, newWatchId, systemRandom } from '../kit/random.ts';
import { VERSION } from '../kit/version.ts';
import { within } from '../kit/within.ts';
import { createMetrics, type Metrics } from '../metrics/metrics.ts';
import { createLogChannel } from '../notify/log.ts';
import { createAuditLogs } from '../source/audit-log/reader.ts';
import { createHealthReader } from '../source/health.ts';
import { queryOf } from '../source/promql.ts';
import { createChannels } from './channels.ts';
import { DeadMan } from './dead-man.ts';
import { createGates } from './gates.ts';
import { Health } from './health.ts';
import { hookSetups } from './hooks.ts';
import { startHousekeeping } from './housekeeping.ts';
import { Scrape } from './scrape.ts';
import { slackSetup } from './slack.ts';
import { createSource, policyHash } from './sources.ts';
import { Systemd } from './systemd.ts';

/** What is being sent may finish this long after the signal; then it is cut off. */
const DRAIN_MS = 8_000;
/** For the whole shutdown: whatever hangs then is left, and the next start goes on from the journal. */
export const SHUTDOWN_WITHIN_MS = 15_000;
/** For each step of it that sends nothing: one that hangs must not take the time of the others. */
const STEP_WITHIN_MS = 2_000;

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
 * Runs until the signal, then ends in order: `ended`, or `cut_short` when something hung for longer
 * than the shutdown may take; then the caller ends the process.
 * Throws CanarydError: `config_invalid` with all problems, `journal_failed`, `usage` (port taken).
 */
export async function runDaemon(options: DaemonOptions): Promise<'ended' | 'cut_short'> {
  const loaded = loadConfig(options.configPath, { env: options.env });
  await using stack = new AsyncDisposableStack();
  let ending = '';
  const left: string[] = [];
  const onEnd = (name: string, end: () => unknown, withinMs = STEP_WITHIN_MS) =>
    stack.defer(() => {
      ending = name;
      const work = async () => void (await end());
      return within(systemClock, withinMs, work, () => void left.push(name));
    });
  const { logger, close } = openLog(loaded.config.log.level, options.logPath);
  const closeLog = () => {
    const text = 'shutdown cut short; the next start goes on from the journal';
    if (left.length > 0) logger.error({ hangs: left }, text);
    return close();
  };
  onEnd('log', closeLog);
  const journal = await openJournal(loaded.config.journal);
  onEnd('journal', () => journal[Symbol.asyncDispose]());
  const { server, engine, teller, standBy, drain, watchdogs } = assemble(
    loaded,
    journal,
    logger,
    options,
  );
  onEnd('retention', startHousekeeping(journal, loaded.config.retention, systemClock, logger));
  standBy.start();
  onEnd('stand-by', () => standBy.stop());
  engine.start();
  teller.start();
  // At once: one after the other they would take twice the time.
  const stopSending = () => Promise.all([engine.stop(DRAIN_MS), teller.stop(DRAIN_MS)]);
  onEnd('engine', stopSending, SHUTDOWN_WITHIN_MS);
  watchdogs.start();
  onEnd('watchdogs', watchdogs.stop);
  const url = await listen(server, loaded.config.listen);
  onEnd('server', () => server.close());
  for (const { policy, secrets } of loaded.missingSecrets) {
    logger.warn({ policy, missing: secrets }, 'policy cannot act until its secrets are set');
  }
  const policies = loaded.policies.map(({ name }) => name);
  logger.info({ listening: url, policies, version: VERSION }, 'ready');
  options.onListening?.(url);
  await watchdogs.systemd.ready();
  await aborted(options.signal);
  // First no new work, then what is under way, then the stores: the stack's order.
  drain();
  logger.info('shutting down');
  const inOrder = async () => {
    await Promise.all([watchdogs.systemd.stopping(), stack.disposeAsync()]);
    return 'ended' as const;
  };
  const end = await within(systemClock, SHUTDOWN_WITHIN_MS, inOrder, () => 'cut_short' as const);
  if (end === 'ended') return left.length === 0 ? end : 'cut_short';
  left.push(ending);
  await closeLog();
  return end;
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

function assemble(
  loaded: ReturnType<typeof loadConfig>,
  journal: Journal,
  logger: Logger,
  { env }: Pick<DaemonOptions, 'env'>,
) {
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
  const replica = newReplicaId();
  const engine = createEngine({
    clock,
    random: systemRandom,
    replica,
    journal,
    sources,
    channels,
    routing: config.routing,
    sendAction: createAct({ resolveSecret: secrets.resolve, clock, version: VERSION }),
    readHealth,
    auditLogs: createAuditLogs({ clock, folder: process.cwd() }),
    healthBefore: (key, beforeMs) => standBy.healthBefore(key, beforeMs),
    publicUrl: config.publicUrl,
    slotMs: TICK_SLOT_MS,
    commands: {
      policies: policies.map((policy) => ({ policy, hash: policyHash(policy) })),
      queryOf,
      newWatchId,
      checkParameters,
      missingSecrets: (policy) => missingSecrets(policy, secrets),
      subscribers,
      health: (probe) => health.of(probe),
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
  const { vitals, guard, share } = engine;
  const living = () => share.living;
  const health = new Health({
    ...{ clock, journal: guard.journal, vitals, replica, living },
    isDraining: () => isDraining,
  });
  const here = () => ({ watches: engine.keeper.size, replicas: living().length });
  const gates = createGates({
    ...{ clock, random: systemRandom, store: guard.journal, channels, observer, logger },
    ...{ routing: config.routing, publicUrl: config.publicUrl },
    onError: (error) => onError(error, null),
  });
  const scrape = new Scrape({ clock, metrics, journal: guard.journal, here, logger });
  const server = buildServer({
    control: engine.commands,
    gates: gates.desk,
    metricsText: () => scrape.text(),
    tokens: config.tokens.map(({ name, scopes, token }) => ({
      name,
      scopes,
      matches: (given) => tokenMatcher(token.reveal())(given),
    })),
    hooks: hookSetups(config.hooks, policies),
    slack: slackSetup(config.channels),
    logger,
    version: VERSION,
    clock,
  });
  const drain = () => {
    isDraining = true;
  };
  const watchdogs = watchdogsOf({ config, engine, channels, metrics, logger, env });
  return { server, engine, teller: gates.teller, standBy, drain, watchdogs };
}

/** Who watches the watcher: on-call, an outside monitor, systemd. */
function watchdogsOf(parts: {
  readonly config: ReturnType<typeof loadConfig>['config'];
  readonly engine: Engine;
  readonly channels: ReturnType<typeof createChannels>;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly env: DaemonOptions['env'];
}) {
  const { config, engine, channels, metrics, logger, env } = parts;
  const clock = systemClock;
  const { vitals, guard, keeper } = engine;
  const outage = new OutageAlarm({
    clock,
    host: hostname(),
    journal: guard.journal,
    state: () => guard.state(),
    mayBeActive: () => keeper.mayBeActive,
    // Also to the log: the channel may need the same disk or network as the journal.
    channels: { ...channels, log: logChannel(logger) },
    onError: (error) => logger.error({ err: error }, 'journal or its alarm failed'),
  });
  const { deadMan: wanted } = config;
  const onSuccess = (atMs: number) => metrics.deadManSuccess.set(atMs / 1_000);
  const deadMan = wanted && new DeadMan({ ...wanted, clock, vitals, onSuccess, logger });
  const watches = () => keeper.size;
  const systemd = new Systemd({ env, pid: process.pid, clock, vitals, watches, logger });
  const start = () => {
    outage.start();
    deadMan?.start();
  };
  const stop = async () => {
    await Promise.all([outage.stop(), deadMan?.stop()]);
  };
  return { systemd, start, stop };
}

function logChannel(logger: Logger): Channel {
  return { send: createLogChannel(logger.child({ component: 'message' })), spacingMs: 0 };
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
