// The whole engine on virtual time: a real journal in a file of its own, everything outside
// scripted. A second life on the same journal is what follows a crash.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { checkParameters } from '../../src/config/parameters.ts';
import type { Delivery, Message, Outcome } from '../../src/core/delivery.ts';
import type { DeliveryReason, EventBody, WatchEvent } from '../../src/core/event.ts';
import type { Policy } from '../../src/core/policy.ts';
import type { AuditLogs, ReadHealth, Readings, ReadRequest, Source } from '../../src/core/read.ts';
import type { Routing } from '../../src/core/route.ts';
import type { Reading } from '../../src/core/sample.ts';
import type { SendAction } from '../../src/engine/action-sender.ts';
import type { StartCommand } from '../../src/engine/control.ts';
import { type EngineOptions as CreatedOptions, createEngine } from '../../src/engine/engine.ts';
import type { Channel } from '../../src/engine/lanes.ts';
import type { Appended } from '../../src/engine/ledger.ts';
import { Subscribers } from '../../src/engine/subscribers.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.ts';
import { aPolicy, T0 } from './build.ts';
import { VirtualClock } from './virtual-clock.ts';

export const DELIVERED: Outcome = { kind: 'delivered', detail: 'HTTP 202' };
export const GOOD: Reading = { kind: 'value', value: 1 };
export const BAD: Reading = { kind: 'value', value: 0 };
const SHUTDOWN_MS = 8_000;

export function retryable(over: Partial<Extract<Outcome, { kind: 'retryable' }>> = {}): Outcome {
  return {
    kind: 'retryable',
    reason: 'server_error',
    detail: 'HTTP 503',
    retryAfterMs: null,
    maybeDelivered: false,
    ...over,
  };
}

export function share(value: number): Reading {
  return { kind: 'value', value, counts: { part: value * 1_000, total: 1_000 } };
}

export function unreachable(detail = 'no answer'): Reading {
  return { kind: 'blind', reason: 'unreachable', detail };
}

/** A journal in a file that is gone after the test. */
export function tempJournal(): Journal & { readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-engine-'));
  const path = join(folder, 'canaryd.db');
  const journal = openSqliteJournal({ path });
  onTestFinished(async () => {
    await journal[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  return Object.assign(journal, { path });
}

/** A journal that does as `real` does, but for these methods. */
export function changed(real: Journal, over: Partial<Journal>): Journal {
  return new Proxy(real, {
    get(target, name: keyof Journal) {
      const found = over[name] ?? target[name];
      return typeof found === 'function' ? found.bind(target) : found;
    },
  });
}

/** What the world answers; a test changes it while time passes. */
export class World {
  readings: Readings = {};
  before: Readings = {};
  /** What every read throws, against its contract; null: it reads. */
  failing: Error | null = null;
  health: ReadHealth = async () => GOOD;
  action: SendAction = async () => DELIVERED;
  message: Channel['send'] = async () => DELIVERED;
  spacingMs = 0;
  readonly asked: ReadRequest[] = [];
  readonly forgotten: string[] = [];
  readonly checks: number[] = [];
  /** `[ms since T0, delivery id, attempt]`. */
  readonly acted: (readonly [number, string, number])[] = [];
  /** `[ms since T0, headline]`. */
  readonly told: (readonly [number, string])[] = [];
  readonly messages: Message[] = [];
}

export type EngineOptions = {
  readonly policies?: readonly Policy[];
  readonly clock?: VirtualClock;
  readonly journal?: Journal;
  readonly world?: World;
  readonly sources?: Readonly<Record<string, Source>>;
  readonly auditLogs?: AuditLogs;
  readonly channels?: Readonly<Record<string, Channel>>;
  readonly routing?: Routing;
  readonly random?: () => number;
  /** Default `r_1`. */
  readonly replica?: string;
  readonly publicUrl?: string;
  /** Default: each watch ticks as it started. */
  readonly slotMs?: number;
  readonly commands?: Partial<CreatedOptions['commands']>;
};

export type Engine = ReturnType<typeof anEngine>;

/** Nothing runs until `start`; ends with the test. */
export function anEngine(options: EngineOptions = {}) {
  const clock = options.clock ?? new VirtualClock();
  const journal = options.journal ?? tempJournal();
  const world = options.world ?? new World();
  const policies = options.policies ?? [aPolicy()];
  const errors: unknown[] = [];
  const appended: Appended[] = [];
  const dropped: string[] = [];
  const attempts: (readonly [string, Outcome['kind'], DeliveryReason | null])[] = [];
  const ticks: { readonly watchId: string; readonly lagMs: number; readonly tookMs: number }[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const channels = options.channels ?? { oncall: oncallOf(world, clock) };
  let ids = 0;
  const engine = createEngine({
    clock,
    random: options.random ?? (() => 0),
    replica: options.replica ?? 'r_1',
    journal,
    sources: options.sources ?? { prometheus: sourceOf(world) },
    channels,
    ...(options.routing === undefined ? {} : { routing: options.routing }),
    sendAction: (delivery, ...rest) => {
      world.acted.push([clock.now() - T0, delivery.id, delivery.attempts]);
      return world.action(delivery, ...rest);
    },
    readHealth: (indicator, signal) => {
      world.checks.push(clock.now() - T0);
      return world.health(indicator, signal);
    },
    ...(options.auditLogs === undefined ? {} : { auditLogs: options.auditLogs }),
    healthBefore: () => undefined,
    publicUrl: options.publicUrl ?? null,
    ...(options.slotMs === undefined ? {} : { slotMs: options.slotMs }),
    commands: {
      policies: policies.map((policy) => ({ policy, hash: `hash of ${policy.name}` })),
      newWatchId: () => {
        ids += 1;
        return `w_${ids}`;
      },
      checkParameters,
      missingSecrets: () => [],
      subscribers: new Subscribers(),
      health: async () => ({ live: true, ready: true, checks: {} }),
      ...options.commands,
    },
    onAppended: (one) => void appended.push(one),
    onAttempt: ({ id }, { kind }, gaveUp) => void attempts.push([id, kind, gaveUp]),
    onTick: (watchId, _, { lagMs, tookMs }) => void ticks.push({ watchId, lagMs, tookMs }),
    onDrop: (policy) => void dropped.push(policy.name),
    onError,
  });
  const { ledger, dispatcher, keeper, commands, guard, vitals } = engine;
  const stop = async () => {
    let isStopped = false;
    const stopped = engine.stop(SHUTDOWN_MS).then(() => {
      isStopped = true;
    });
    await clock.advance(SHUTDOWN_MS);
    // What hangs may take longer, but not for ever.
    if (!isStopped) await clock.advance(SHUTDOWN_MS);
    await stopped;
  };
  return {
    clock,
    journal,
    world,
    ledger,
    dispatcher,
    keeper,
    commands,
    guard,
    vitals,
    errors,
    appended,
    attempts,
    ticks,
    dropped,
    start() {
      engine.start();
      onTestFinished(stop);
    },
    stop,
    /** Starts a watch of the shop's next version. */
    async watch(over: Partial<StartCommand> = {}): Promise<string> {
      const started = await commands.start({
        service: 'shop',
        version: '2.0.0',
        parameters: {},
        ...over,
      });
      return started.watch.id;
    },
    events: (id: string): Promise<readonly WatchEvent[]> => journal.events(id),
    async types(id: string): Promise<readonly EventBody['type'][]> {
      return (await journal.events(id)).map(({ type }) => type);
    },
    async delivery(id: string): Promise<Delivery> {
      const [watchId = ''] = id.split('-');
      const found = (await journal.deliveries(watchId)).find((one) => one.id === id);
      if (found === undefined) throw new Error(`there is no delivery ${id}`);
      return found;
    },
  };
}

function sourceOf(world: World): Source {
  return {
    read: async (request) => {
      world.asked.push(request);
      if (world.failing !== null) throw world.failing;
      return request.deployedAtMs === null ? world.before : world.readings;
    },
    forget: (watchId) => void world.forgotten.push(watchId),
  };
}

function oncallOf(world: World, clock: VirtualClock): Channel {
  return {
    get spacingMs() {
      return world.spacingMs;
    },
    send: (message, signal) => {
      world.told.push([clock.now() - T0, message.headline]);
      world.messages.push(message);
      return world.message(message, signal);
    },
  };
}
