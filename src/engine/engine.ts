// The engine of one process: its parts joined by hand, started and ended in order. Everything that
// touches the world comes in from outside, so that the daemon, the tests and the fault simulation
// run the same engine.
import type { AuditLogs, Readings, Source } from '../core/read.ts';
import { NO_ROUTING, type Routing } from '../core/route.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kit/clock.ts';
import type { Random } from '../kit/random.ts';
import { within } from '../kit/within.ts';
import { Commands, type CommandsOptions } from './commands.ts';
import { Dispatcher, type DispatcherOptions } from './dispatcher.ts';
import { JournalGuard } from './journal-guard.ts';
import { type Appended, Ledger } from './ledger.ts';
import { Share } from './share.ts';
import { readVitals } from './vitals.ts';
import { type KeeperOptions, WatchKeeper } from './watch-keeper.ts';

export type EngineOptions = {
  readonly clock: Clock;
  readonly random: Random;
  /** Names this process among those that share the journal; a new one for each life. */
  readonly replica: string;
  readonly journal: Journal;
  readonly sources: Readonly<Record<string, Source>>;
  readonly channels: DispatcherOptions['channels'];
  /** Default: every channel is told everything, at once. */
  readonly routing?: Routing;
  readonly sendAction: DispatcherOptions['sendAction'];
  readonly readHealth: KeeperOptions['readHealth'];
  /** Default: audit logs cannot be seen. */
  readonly auditLogs?: AuditLogs;
  readonly healthBefore: (healthKey: string, beforeMs: number) => Readings[string] | undefined;
  readonly publicUrl: string | null;
  /** See `KeeperOptions`. */
  readonly slotMs?: KeeperOptions['slotMs'];
  readonly commands: Pick<
    CommandsOptions,
    | 'policies'
    | 'newWatchId'
    | 'checkParameters'
    | 'missingSecrets'
    | 'queryOf'
    | 'subscribers'
    | 'health'
  >;
  /** After the transaction. Must not throw. */
  readonly onAppended: (appended: Appended) => void;
  readonly onAttempt: DispatcherOptions['onAttempt'];
  readonly onTick: KeeperOptions['onTick'];
  readonly onDrop: KeeperOptions['onDrop'];
  readonly onError: (error: unknown, watchId: string | null) => void;
};

/** While stopping, each step that finishes something but deliveries; what hangs then is left. */
const STEP_WITHIN_MS = 2_000;

const NO_LOGS: AuditLogs = {
  read: async ({ indicators }) =>
    Object.fromEntries(
      indicators.map(({ id }) => {
        const detail = 'audit logs are not read here';
        return [id, { kind: 'blind', reason: 'rejected', detail } as const];
      }),
    ),
  forget: () => {},
};

export type Engine = ReturnType<typeof createEngine>;

/** Nothing runs until `start`. */
export function createEngine(options: EngineOptions) {
  const { clock } = options;
  const guard = new JournalGuard(options.journal, clock);
  const { journal } = guard;
  const parts = join({ ...options, journal });
  const { share, dispatcher, keeper, commands, lookAround } = parts;
  const { subscribers } = options.commands;
  let unlisten = () => {};

  function start(): void {
    unlisten = journal.listen((watchId) => {
      if (watchId === null) return share.poke();
      subscribers.publish({ kind: 'elsewhere', watchId });
      lookAround();
    });
    share.start();
    dispatcher.start();
    keeper.start();
  }

  /**
   * First no new work, then what is under way, for `withinMs` at most; the rest is for another
   * replica or the next start.
   */
  async function stop(withinMs: number): Promise<void> {
    unlisten();
    const step = (ms: number, work: () => Promise<void>) => within(clock, ms, work, () => {});
    await step(STEP_WITHIN_MS, () => share.leave());
    await step(STEP_WITHIN_MS, () => keeper.stop());
    // A moment more: what was cut off may still be written down.
    await step(withinMs + STEP_WITHIN_MS / 4, () => dispatcher.stop(withinMs));
    await step(STEP_WITHIN_MS, () => share.stop());
  }

  const vitals = () => readVitals({ clock, keeper, dispatcher, guard });
  return { ledger: parts.ledger, share, dispatcher, keeper, commands, guard, vitals, start, stop };
}

function join(options: EngineOptions) {
  const { clock, journal, replica, channels, publicUrl, onError } = options;
  const hold = () => journal.hold();
  const { routing = NO_ROUTING } = options;
  const incidentChannels = Object.keys(channels).filter(
    (name) => channels[name]?.keepsIncidents === true,
  );
  const ledger = new Ledger({
    journal,
    channels: Object.keys(channels),
    routing: { ...routing, incidentChannels },
    publicUrl,
    onAppended: (appended) => {
      options.onAppended(appended);
      // Latency only: both loops look at the journal on their own, too.
      if (appended.events.length > 0) dispatcher.poke();
    },
  });
  const lookAround = () => {
    keeper.poke();
    dispatcher.poke();
  };
  const onShareError = (error: unknown) => onError(error, null);
  const share = new Share({ replica, clock, journal, onChange: lookAround, onError: onShareError });
  const { random, sendAction, onAttempt } = options;
  const dispatcher: Dispatcher = new Dispatcher({
    ...{ clock, random, journal, ledger, replica, share },
    ...{ sendAction, channels, hold, onAttempt, onError },
  });
  const { sources, readHealth, auditLogs = NO_LOGS, healthBefore, onTick, onDrop } = options;
  const keeper: WatchKeeper = new WatchKeeper({
    ...{ clock, journal, ledger, share, sources },
    ...{ readHealth, auditLogs, healthBefore, hold, onTick, onDrop, onError },
    ...(options.slotMs === undefined ? {} : { slotMs: options.slotMs }),
  });
  const onWork = lookAround;
  const commands = new Commands({
    ...options.commands,
    ...{ clock, journal, ledger, publicUrl, onWork },
    acknowledgedForMs: routing.escalation?.acknowledgedForMs ?? null,
  });
  return { ledger, share, dispatcher, keeper, commands, lookAround };
}
