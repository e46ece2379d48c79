// Days of a daemon in minutes: the whole engine on virtual time, with the real Prometheus source and
// the real SQLite journal, and many watches that come, pass or are stopped, and go. What it holds
// in memory is measured once per simulated hour: it must not grow.
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { checkParameters } from '../../src/config/parameters.ts';
import type { Outcome } from '../../src/core/delivery.ts';
import type { Indicator, Policy } from '../../src/core/policy.ts';
import { tidy } from '../../src/daemon/housekeeping.ts';
import { createEngine, type Engine } from '../../src/engine/engine.ts';
import { Subscribers } from '../../src/engine/subscribers.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.ts';
import type { Clock } from '../../src/kit/clock.ts';
import { sourceOn } from '../../src/source/prometheus.ts';
import type { QueryAnswer } from '../../src/source/prometheus-api.ts';
import { Dice } from '../sim/dice.ts';
import { T0, Time } from '../sim/time.ts';
import { memoryFolder } from '../sim/world.ts';
import { aCondition, aHealthCheck, anAction, aPolicy } from '../support/build.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SCRAPE_MS = 15_000;
/** Of the watches; each of them is stopped, rolled back and verified. */
const BAD_SHARE = 0.15;
const ORDERS_PER_SECOND = 20;
const BUCKETS = ['0.1', '0.5', '1', '2.5', '5', '+Inf'];
/** The share of orders that are at most so slow. */
const BELOW = [0.2, 0.9, 0.995, 0.999, 1, 1] as const;
const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: MINUTE,
  h: HOUR,
  d: 24 * HOUR,
};
const ERRORS_MAX = 20;
const DELIVERED: Outcome = { kind: 'delivered', detail: 'ok' };
const LATENCY: Indicator = {
  kind: 'quantile',
  id: 'latency',
  title: 'P99 latency',
  unit: 's',
  q: 0.99,
  histogram: { metric: 'order_seconds', matchers: [] },
  overMs: 5 * MINUTE,
  minTotal: 20,
  early: 'shorten',
};
setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

/** What the journal keeps, so that its own size is level too. */
const RETENTION = { samplesMs: HOUR, watchesMs: 6 * HOUR };

export type Hour = {
  readonly hour: number;
  readonly heapMb: number;
  readonly rssMb: number;
  readonly journalMb: number;
  /** Sleeping timers: a leak of loops shows here. */
  readonly timers: number;
  readonly watched: number;
};

export type Soaked = {
  readonly hours: readonly Hour[];
  readonly watches: number;
  readonly ticks: number;
  readonly ends: Readonly<Record<string, number>>;
  readonly errors: readonly string[];
};

export type SoakOptions = {
  readonly hours: number;
  readonly watches: number;
  readonly intervalMs: number;
  readonly seed: number;
  readonly onHour?: (hour: Hour) => void;
};

/**
 * How much more the heap held in the last quarter than in the second one (the first warms up), as a
 * share.
 */
export function growth(hours: readonly Hour[]): number {
  const quarter = Math.max(1, Math.floor(hours.length / 4));
  const mean = (some: readonly Hour[]) =>
    some.reduce((sum, { heapMb }) => sum + heapMb, 0) / some.length;
  return mean(hours.slice(-quarter)) / mean(hours.slice(quarter, 2 * quarter)) - 1;
}

/** Ends by itself. */
export async function soak(options: SoakOptions): Promise<Soaked> {
  const folder = memoryFolder();
  try {
    return await new Soak(options, join(folder, 'canaryd.db')).run();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function soakPolicy(service: string, intervalMs: number): Policy {
  const base = aPolicy();
  return aPolicy({
    name: service,
    service,
    intervalMs,
    match: { service },
    indicators: { ...base.indicators, latency: LATENCY, health: aHealthCheck() },
    windows: [
      { name: 'immediate', fromMs: 0, untilMs: 15 * MINUTE, passForMs: 0 },
      { name: 'success', fromMs: 15 * MINUTE, untilMs: 2 * HOUR, passForMs: 5 * MINUTE },
    ],
    conditions: [
      ...base.conditions,
      aCondition({
        id: 'immediate.stop.latency',
        indicator: 'latency',
        limit: { kind: 'compare', comparator: 'above', value: 2, of: null },
      }),
    ],
    actions: [anAction({ name: 'disarm' }), anAction()],
    verify: {
      withinMs: 10 * MINUTE,
      conditions: [
        aCondition({
          id: 'verify.health',
          indicator: 'health',
          window: 'verify',
          role: 'verify',
          limit: { kind: 'passing', times: 2 },
        }),
      ],
    },
    staleAfterMs: 2 * intervalMs,
    blindAfterMs: 3 * intervalMs,
    armWithinMs: 5 * intervalMs,
  });
}

class Soak {
  readonly #options: SoakOptions;
  readonly #path: string;
  readonly #time = new Time();
  readonly #dice: Dice;
  /** Services whose present version is bad since a time (ms of the world). */
  readonly #badSince = new Map<string, number>();
  readonly #busy = new Set<string>();
  #versions = 0;
  readonly #errors: string[] = [];
  readonly #ends: Record<string, number> = {};
  readonly #hours: Hour[] = [];
  #timers = 0;
  #ticks = 0;
  #watches = 0;

  constructor(options: SoakOptions, path: string) {
    this.#options = options;
    this.#path = path;
    this.#dice = new Dice(options.seed);
  }

  async run(): Promise<Soaked> {
    const journal = openSqliteJournal({ path: this.#path });
    const engine = this.#engine(journal);
    engine.start();
    for (let index = 0; index < this.#options.watches; index += 1) {
      const service = `service-${index}`;
      this.#time.in(
        this.#dice.between(1_000, 30 * MINUTE),
        () => void this.#deploy(engine, service),
      );
    }
    let tidied: Promise<unknown> = Promise.resolve();
    for (let hour = 1; hour <= this.#options.hours; hour += 1) {
      this.#time.in(hour * HOUR, () => {
        tidied = tidy(journal, RETENTION, T0 + this.#time.now);
        this.#measure(hour, engine);
      });
    }
    await this.#time.run(this.#options.hours * HOUR + 1_000, () => false);
    const ended = engine.stop(1_000);
    await this.#time.run(this.#time.now + MINUTE, () => false);
    await Promise.all([ended, tidied]);
    await journal[Symbol.asyncDispose]();
    return {
      hours: this.#hours,
      watches: this.#watches,
      ticks: this.#ticks,
      ends: this.#ends,
      errors: this.#errors,
    };
  }

  #engine(journal: Journal): Engine {
    const { watches, intervalMs } = this.#options;
    const policies = Array.from({ length: watches }, (_, index) =>
      soakPolicy(`service-${index}`, intervalMs),
    );
    const engine: Engine = createEngine({
      clock: this.#clock(),
      random: () => this.#dice.next(),
      replica: 'r_soak',
      journal,
      sources: { prometheus: sourceOn(async (promql, atMs) => this.#answer(promql, atMs)) },
      channels: { chat: { spacingMs: 100, send: async () => DELIVERED } },
      sendAction: async ({ watchId }) => {
        this.#badSince.delete((await journal.watch(watchId))?.deploy.service ?? '');
        return DELIVERED;
      },
      readHealth: async () => ({ kind: 'value', value: 1 }),
      healthBefore: () => undefined,
      publicUrl: null,
      commands: {
        policies: policies.map((policy) => ({ policy, hash: policy.name })),
        newWatchId: () => {
          this.#watches += 1;
          return `w_${this.#watches}`;
        },
        checkParameters,
        missingSecrets: () => [],
        subscribers: new Subscribers(),
        health: async () => ({ live: true, ready: true, checks: {} }),
      },
      onAppended: ({ after, record }) => {
        if (!record.isActive) this.#ended(engine, record.deploy.service, after.phase);
      },
      onAttempt: () => undefined,
      onTick: () => {
        this.#ticks += 1;
      },
      onDrop: () => undefined,
      onError: (error) => this.#failed(error),
    });
    return engine;
  }

  async #deploy(engine: Engine, service: string): Promise<void> {
    this.#versions += 1;
    const version = `1.${this.#versions}.0`;
    if (this.#dice.chance(BAD_SHARE)) {
      this.#badSince.set(service, this.#time.now + this.#dice.between(MINUTE, 10 * MINUTE));
    }
    this.#busy.add(service);
    const command = { service, version, previousVersion: '1.0.0', parameters: {} };
    await engine.commands.start(command).catch((error: unknown) => this.#failed(error));
  }

  #ended(engine: Engine, service: string, phase: string): void {
    // A message that is sent later ends nothing.
    if (!this.#busy.delete(service)) return;
    this.#ends[phase] = (this.#ends[phase] ?? 0) + 1;
    const pauseMs = this.#dice.between(MINUTE, 20 * MINUTE);
    this.#time.in(pauseMs, () => void this.#deploy(engine, service));
  }

  #failed(error: unknown): void {
    if (this.#errors.length < ERRORS_MAX) this.#errors.push(String(error));
  }

  #clock(): Clock {
    const time = this.#time;
    return {
      now: () => Math.floor(time.wall),
      monotonic: () => time.now,
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted) return reject(signal.reason);
          this.#timers += 1;
          const onAbort = () => {
            timer.run = null;
            this.#timers -= 1;
            reject(signal?.reason);
          };
          const timer = time.in(ms, () => {
            this.#timers -= 1;
            signal?.removeEventListener('abort', onAbort);
            resolve();
          });
          signal?.addEventListener('abort', onAbort, { once: true });
        }),
    };
  }

  /** What a Prometheus would hold of one service: nothing is stored, all is worked out. */
  #answer(promql: string, atMs: number): QueryAnswer {
    const service = /service="([^"]+)"/.exec(promql)?.[1] ?? '';
    const rangeMs = durationMs(/\[([0-9a-z]+)\]$/.exec(promql)?.[1] ?? '');
    const first = Math.floor((atMs - rangeMs) / SCRAPE_MS) + 1;
    const last = Math.floor(atMs / SCRAPE_MS);
    const times = Array.from(
      { length: last - first + 1 },
      (_, index) => (first + index) * SCRAPE_MS,
    );
    const badFromMs = T0 + (this.#badSince.get(service) ?? Number.POSITIVE_INFINITY);
    const orders = (t: number) => Math.floor(((t - T0) / 1_000) * ORDERS_PER_SECOND);
    const filled = (t: number) => {
      const badOrders = t > badFromMs ? orders(t) - orders(badFromMs) : 0;
      return Math.floor((orders(t) - badOrders) * 0.99 + badOrders * 0.4);
    };
    const series = (name: string, value: (t: number) => number, labels = {}) => ({
      labels: { __name__: name, service, ...labels },
      points: times.map((t) => [t, value(t)] as const),
      isNativeHistogram: false,
    });
    const buckets = BUCKETS.map((le, index) =>
      series('order_seconds_bucket', (t) => Math.floor(orders(t) * (BELOW[index] ?? 1)), { le }),
    );
    return {
      kind: 'answered',
      warnings: [],
      result: {
        type: 'matrix',
        series: [
          series('orders_submitted_total', orders),
          series('orders_filled_total', filled),
          ...buckets,
        ],
      },
    };
  }

  #measure(hour: number, engine: Engine): void {
    collect();
    const { heapUsed, rss } = process.memoryUsage();
    const mb = (bytes: number) => Math.round(bytes / 100_000) / 10;
    const measured: Hour = {
      hour,
      heapMb: mb(heapUsed),
      rssMb: mb(rss),
      journalMb: mb(statSync(this.#path).size),
      timers: this.#timers,
      watched: engine.keeper.size,
    };
    this.#hours.push(measured);
    this.#options.onHour?.(measured);
  }
}

function durationMs(text: string): number {
  let sum = 0;
  for (const [, amount, unit = ''] of text.matchAll(/(\d+)(ms|s|m|h|d)/g)) {
    sum += Number(amount) * (UNITS[unit] ?? 0);
  }
  return sum;
}
