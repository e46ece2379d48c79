// A policy on virtual time, judged by the very engine that runs in production: `canaryd test` and
// `canaryd backtest` play their stories through it. Everything outside is handed in; nothing here
// reads a clock, sends anything or writes a file.
import { checkParameters } from '../config/parameters.ts';
import type { Delivery, Message, Outcome } from '../core/delivery.ts';
import type { WatchEvent } from '../core/event.ts';
import type { Policy } from '../core/policy.ts';
import type { AuditLogs, ReadHealth, Source } from '../core/read.ts';
import type { Reading, Tick } from '../core/sample.ts';
import type { WatchState } from '../core/watch.ts';
import { fold, isActive } from '../core/watch.ts';
import type { SendAction } from '../engine/action-sender.ts';
import type { LoadedPolicy } from '../engine/commands.ts';
import type { Control, StartCommand } from '../engine/control.ts';
import { createEngine, type Engine } from '../engine/engine.ts';
import { Subscribers } from '../engine/subscribers.ts';
import type { Journal } from '../journal/journal.ts';
import { openMemoryJournal } from '../journal/sqlite/sqlite-journal.ts';
import { VirtualClock } from '../kit/virtual-clock.ts';

export type ReplayOptions = {
  /** Wall clock at which the story begins: not later than its first start. */
  readonly fromMs: number;
  readonly policies: readonly { readonly policy: Policy; readonly hash: string }[];
  /** By the names that the policies use. May do real I/O: virtual time stands still meanwhile. */
  readonly sources: Readonly<Record<string, Source>>;
  readonly readHealth: ReadHealth;
  /** Does no real I/O. Default: audit logs cannot be seen. */
  readonly auditLogs?: AuditLogs;
  /** What the health checks said before a deploy; default: nobody knows. */
  readonly healthBefore?: (healthKey: string, beforeMs: number) => Reading | undefined;
  /** Default: every action is accepted at once. */
  readonly sendAction?: SendAction;
  readonly onTick?: (watchId: string) => void;
  /** Nothing handed in does real I/O: it may sleep on the clock of the replay instead. */
  readonly isOffline?: boolean;
};

/** A watch as it stands: what `canaryd journal` and `show` would know of it. */
export type Replayed = {
  readonly events: readonly WatchEvent[];
  readonly state: WatchState;
  readonly deliveries: readonly Delivery[];
  /** What on-call would have read, in order; sent or not. */
  readonly messages: readonly Message[];
};

const CHANNEL = 'oncall';
const ACCEPTED: Outcome = { kind: 'delivered', detail: 'HTTP 202' };
const SHUTDOWN_MS = 2_000;
/** A replayed watch has at most this many ticks: a day of one a second. */
export const TICKS_MAX = 90_000;

export class Replay {
  readonly clock: VirtualClock;
  readonly #options: ReplayOptions;
  readonly #journal: Journal = openMemoryJournal();
  #engine: Engine | null = null;
  #lives = 0;
  #watches = 0;
  readonly #errors: unknown[] = [];

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.clock = new VirtualClock(options.fromMs);
  }

  /** What the commands of people and pipelines go to; canaryd must be running. */
  get control(): Control {
    return this.#running().commands;
  }

  get isRunning(): boolean {
    return this.#engine !== null;
  }

  /** canaryd starts, at first or again. */
  begin(): void {
    if (this.#engine !== null) return;
    this.#engine = this.#create();
    this.#engine.start();
  }

  /** canaryd ends in good order; the journal stays. */
  async end(): Promise<void> {
    const engine = this.#running();
    this.#engine = null;
    let isStopped = false;
    const stopped = engine.stop(SHUTDOWN_MS).finally(() => {
      isStopped = true;
    });
    await this.clock.advance(0);
    // What is still being sent is waited for, as in production.
    if (!isStopped) await this.clock.advance(SHUTDOWN_MS);
    await stopped;
  }

  /** Starts a watch now. Throws CanarydError for what the command has wrong. */
  async start(command: StartCommand): Promise<string> {
    const started = await this.control.start(command);
    return started.watch.id;
  }

  /** Time passes up to then. Throws the first error of the engine: it is a bug, not a finding. */
  async until(wallMs: number): Promise<void> {
    await this.clock.advance(Math.max(0, wallMs - this.clock.now()));
    const [error] = this.#errors;
    if (error !== undefined) throw error;
  }

  /** Time passes until no watch needs another tick, at most until then. */
  async untilDone(stepMs: number, wallMs: number): Promise<void> {
    while (this.clock.now() < wallMs) {
      await this.until(Math.min(wallMs, this.clock.now() + stepMs));
      const active = await this.#journal.activeIds(1);
      if (active.length === 0) return;
    }
  }

  async watch(id: string): Promise<Replayed> {
    const [events, deliveries] = await Promise.all([
      this.#journal.events(id),
      this.#journal.deliveries(id),
    ]);
    const messages = deliveries.flatMap(({ content }) =>
      content.kind === 'message' ? [content.message] : [],
    );
    return { events, deliveries, messages, state: fold(events) };
  }

  async isActive(id: string): Promise<boolean> {
    return isActive(fold(await this.#journal.events(id)));
  }

  /** Every reading that was judged, the earliest first. */
  async ticks(id: string): Promise<readonly Tick[]> {
    return this.#journal.ticks(id, 0, Number.MAX_SAFE_INTEGER, TICKS_MAX);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#engine !== null) await this.end();
    await this.#journal[Symbol.asyncDispose]();
  }

  #running(): Engine {
    if (this.#engine === null) throw new Error('canaryd is not running in this replay');
    return this.#engine;
  }

  #create(): Engine {
    const { policies, sources, readHealth, auditLogs, healthBefore } = this.#options;
    const { sendAction, onTick } = this.#options;
    const { clock } = this;
    const isOffline = this.#options.isOffline === true;
    this.#lives += 1;
    return createEngine({
      clock,
      random: () => 0,
      replica: `replay_${this.#lives}`,
      journal: this.#journal,
      sources: isOffline ? sources : stillWhileReading(sources, clock),
      channels: { [CHANNEL]: { spacingMs: 0, send: async () => ACCEPTED } },
      sendAction: sendAction ?? (async () => ACCEPTED),
      readHealth: isOffline
        ? readHealth
        : (indicator, signal) => clock.standingStill(readHealth(indicator, signal)),
      ...(auditLogs === undefined ? {} : { auditLogs }),
      healthBefore: healthBefore ?? (() => undefined),
      publicUrl: null,
      commands: {
        policies: policies.map(withoutGate),
        newWatchId: () => {
          this.#watches += 1;
          return `w_${this.#watches}`;
        },
        checkParameters,
        missingSecrets: () => [],
        subscribers: new Subscribers(),
        health: async () => ({ live: true, ready: true, checks: {} }),
      },
      onAppended: () => {},
      onAttempt: () => {},
      onTick: (watchId) => onTick?.(watchId),
      onDrop: () => {},
      onError: (error) => void this.#errors.push(error),
    });
  }
}

/** No gate has decided on a deploy of the past, or of a story. */
function withoutGate({ policy, ...loaded }: LoadedPolicy): LoadedPolicy {
  const { requires: _, ...rest } = policy;
  return { ...loaded, policy: rest };
}

function stillWhileReading(
  sources: Readonly<Record<string, Source>>,
  clock: VirtualClock,
): Readonly<Record<string, Source>> {
  const wrapped = Object.entries(sources).map(([name, source]): [string, Source] => [
    name,
    {
      ...(source.readWithinMs === undefined ? {} : { readWithinMs: source.readWithinMs }),
      read: (request) => clock.standingStill(source.read(request)),
      forget: (watchId) => source.forget(watchId),
    },
  ]);
  return Object.fromEntries(wrapped);
}
