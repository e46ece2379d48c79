// Keeps one watcher running for each active watch of this replica's share. The look at the journal
// is the truth, also after a restart; a poke after a start or a human command only saves waiting.
import type { Policy } from '../core/policy.ts';
import type { AuditLogs, ReadHealth, Readings, Source } from '../core/read.ts';
import type { Hold, Journal } from '../journal/journal.ts';
import type { Clock } from '../kit/clock.ts';
import { type Loop, startLoop } from '../kit/loop.ts';
import { HealthProbes } from './health-probes.ts';
import type { Ledger } from './ledger.ts';
import type { Share } from './share.ts';
import { Watcher } from './watcher.ts';

/** A start pokes; this finds what a lost poke or a dead replica left behind. */
const LOOK_EVERY_MS = 1_000;
/** More active watches than this are not evaluated by one process; it says so. */
export const WATCHES_MAX = 5_000;
/** So many slots of ticks in an interval of 5 s that one of a thousand watches takes a tenth of a second. */
export const TICK_SLOT_MS = 250;
/** Of all replicas together: what a look reads. */
const ACTIVE_MAX = 50_000;

/** The config lost a source that an open watch reads: blind, told, and inconclusive in the end. */
function missingSource(name: string): Source {
  const detail = `the config no longer defines the source '${name}'`;
  return {
    read: async ({ indicators }) =>
      Object.fromEntries(
        indicators.map(({ id }) => [id, { kind: 'blind', reason: 'rejected', detail } as const]),
      ),
    forget: () => {},
  };
}

export type KeeperOptions = {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly ledger: Ledger;
  readonly share: Share;
  readonly sources: Readonly<Record<string, Source>>;
  readonly readHealth: ReadHealth;
  readonly auditLogs: AuditLogs;
  readonly healthBefore: (url: string, beforeMs: number) => Readings[string] | undefined;
  readonly hold: () => Promise<Hold | null>;
  /**
   * An interval is divided into slots of this length, and watches over the slots: those of one slot
   * tick together, so that they can share requests and writes. Absent: each ticks as it started.
   */
  readonly slotMs?: number;
  readonly onTick: (
    watchId: string,
    policy: Policy,
    tick: { readonly lagMs: number; readonly tookMs: number; readonly readings: Readings },
  ) => void;
  /** This replica no longer looks after a watch of this policy: it ended, or another one does. */
  readonly onDrop: (policy: Policy) => void;
  readonly onError: (error: unknown, watchId: string | null) => void;
};

export type Hanging = { readonly watchId: string; readonly forMs: number };

export class WatchKeeper {
  readonly #options: KeeperOptions;
  readonly #watchers = new Map<string, Watcher>();
  /** Dropped, and in the middle of a run. */
  readonly #ending = new Map<string, Watcher>();
  #loop: Loop | null = null;
  #isStopping = false;
  #lookedAt: number;
  #mayBeActive = true;
  /** Counts watchers: one after the other gets the next slot. */
  #nth = 0;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#lookedAt = options.clock.monotonic();
  }

  start(): void {
    const { clock, onError } = this.#options;
    this.#loop = startLoop({
      clock,
      everyMs: LOOK_EVERY_MS,
      work: () => this.look(),
      onError: (error) => onError(error, null),
    });
  }

  /** Look at the journal now. Watchers keep their own pace: an extra tick would count double. */
  poke(): void {
    this.#loop?.poke();
  }

  /** Watches that this replica evaluates. */
  get size(): number {
    return this.#watchers.size;
  }

  /** Milliseconds since a look ended, well or with an error: large when evaluation hangs. */
  idleMs(): number {
    return this.#options.clock.monotonic() - this.#lookedAt;
  }

  /** Watches of this replica whose ticks do not end. */
  hanging(): readonly Hanging[] {
    return [...this.#watchers].flatMap(([watchId, watcher]) => {
      const forMs = watcher.hangingForMs();
      return forMs === null ? [] : [{ watchId, forMs }];
    });
  }

  /** Whether there are active watches, here or elsewhere, as far as the last look could tell. */
  get mayBeActive(): boolean {
    return this.#mayBeActive || this.#watchers.size > 0;
  }

  async look(): Promise<undefined> {
    try {
      await this.#look();
    } finally {
      // Also with an error: a restart mends no database. What hangs never comes here.
      this.#lookedAt = this.#options.clock.monotonic();
    }
  }

  async #look(): Promise<void> {
    const { journal, share, onError } = this.#options;
    this.#mayBeActive = true;
    const active = await journal.activeIds(ACTIVE_MAX);
    this.#mayBeActive = active.length > 0;
    for (const [id, watcher] of this.#watchers) {
      if (!share.owns(id)) this.#drop(id, watcher);
    }
    const ours = active.filter((id) => share.owns(id));
    if (ours.length > WATCHES_MAX || active.length >= ACTIVE_MAX) {
      const text = `${ours.length} watches are this replica's, and it evaluates ${WATCHES_MAX} at most; close some, or start more replicas`;
      onError(new Error(text), null);
    }
    for (const id of ours.slice(0, WATCHES_MAX)) {
      if (this.#isStopping) return;
      // One that is still ending shares what the source keeps with the next one: at the next look.
      if (this.#watchers.has(id) || this.#ending.has(id)) continue;
      // One damaged row must not keep the others from being watched.
      await this.#keep(id).catch((error: unknown) => onError(error, id));
    }
  }

  async #keep(id: string): Promise<void> {
    const record = await this.#options.journal.watch(id);
    if (record === null || this.#isStopping) return;
    const { policy } = record;
    const source = this.#options.sources[policy.source] ?? missingSource(policy.source);
    this.#watchers.set(id, this.#watcher(id, policy, source));
  }

  /** Not awaited: the watcher may be in the middle of its own run. */
  #drop(id: string, watcher: Watcher): void {
    const { onDrop, onError } = this.#options;
    this.#watchers.delete(id);
    this.#ending.set(id, watcher);
    const { policy } = watcher;
    const rest = [...this.#watchers.values()];
    // The next deploy of the service is shown under the same names.
    if (!rest.some((other) => other.policy.service === policy.service)) onDrop(policy);
    const ended = () => void this.#ending.delete(id);
    watcher
      .stop()
      .catch((error: unknown) => onError(error, id))
      .then(ended, ended);
  }

  #watcher(watchId: string, policy: Policy, source: Source): Watcher {
    const { clock, ledger, readHealth, auditLogs, healthBefore } = this.#options;
    const { hold, onTick, onError } = this.#options;
    return new Watcher({
      watchId,
      policy,
      clock,
      ledger,
      source,
      auditLogs,
      probes: new HealthProbes(readHealth, clock),
      healthBefore,
      hold,
      ...this.#offset(policy),
      onTick: (tick) => onTick(watchId, policy, tick),
      onEnd: () => {
        const watcher = this.#watchers.get(watchId);
        if (watcher !== undefined) this.#drop(watchId, watcher);
      },
      onError: (error) => onError(error, watchId),
    });
  }

  #offset({ intervalMs }: Policy): { readonly offsetMs?: number } {
    const { slotMs } = this.#options;
    if (slotMs === undefined) return {};
    const slots = Math.max(1, Math.floor(intervalMs / slotMs));
    this.#nth += 1;
    return { offsetMs: (this.#nth % slots) * slotMs };
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#loop?.stop();
    const all = [...this.#watchers.values(), ...this.#ending.values()];
    await Promise.all(all.map((watcher) => watcher.stop()));
    this.#watchers.clear();
  }
}
