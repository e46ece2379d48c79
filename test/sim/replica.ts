// One machine of a replica and its lives: each life is a whole engine on the simulated ports. A life
// that is killed has no effect any more: what it waits for never comes.
import { checkParameters } from '../../src/config/parameters.ts';
import type { Policy } from '../../src/core/policy.ts';
import type { ReadHealth, Readings } from '../../src/core/read.ts';
import type { Reading } from '../../src/core/sample.ts';
import { createEngine, type Engine } from '../../src/engine/engine.ts';
import type { Channel } from '../../src/engine/lanes.ts';
import { StandBy } from '../../src/engine/stand-by.ts';
import { Subscribers } from '../../src/engine/subscribers.ts';
import { CanarydError } from '../../src/kit/errors.ts';
import { sourceOn } from '../../src/source/prometheus.ts';
import type { Query, QueryAnswer } from '../../src/source/prometheus-api.ts';
import type { Dice } from './dice.ts';
import type { RoutingPlan } from './plan-routing.ts';
import type { Receivers } from './receivers.ts';
import type { Samples } from './samples.ts';
import type { Service } from './services.ts';
import type { Caller, Store } from './store.ts';
import { LifeClock, type MachineClock, type Time } from './time.ts';
import type { Trouble } from './trouble.ts';

const SHUTDOWN_MS = 8_000;
const QUERY_TIMEOUT_MS = 8_000;
const NEVER = new Promise<never>(() => {});
const STAND_BY_MS = 15_000;

export type Surroundings = {
  readonly time: Time;
  readonly dice: Dice;
  readonly trouble: Trouble;
  readonly store: Store;
  readonly samples: Samples;
  readonly services: readonly Service[];
  readonly receivers: Receivers;
  readonly policies: readonly Policy[];
  readonly routing: RoutingPlan | null;
  readonly newWatchId: () => string;
  /** Something was thrown that is no expected failure. */
  readonly onBug: (error: unknown) => void;
  readonly onDeath: (life: Life, why: string) => void;
};

export class Life implements Caller {
  readonly id: string;
  readonly machine: number;
  readonly engine: Engine;
  readonly clock: LifeClock;
  readonly #standBy: StandBy;
  readonly #around: Surroundings;
  #isAlive = true;
  isEnding = false;

  constructor(id: string, machine: number, wall: MachineClock, around: Surroundings) {
    this.id = id;
    this.machine = machine;
    this.#around = around;
    const { time, dice } = around;
    this.clock = new LifeClock(time, wall, () => this.#isAlive, dice.of(id));
    const readHealth: ReadHealth = (indicator, signal) =>
      this.#health(indicator.url, indicator.timeoutMs, signal);
    this.#standBy = new StandBy({
      clock: this.clock,
      everyMs: STAND_BY_MS,
      sources: {},
      policies: around.policies,
      readHealth,
      onError: around.onBug,
    });
    this.engine = this.#created(readHealth);
  }

  #created(readHealth: ReadHealth): Engine {
    const { dice, store, receivers, policies, routing, newWatchId, onBug } = this.#around;
    const jitter = dice.of(`${this.id} jitter`);
    const onError = (error: unknown) => {
      if (error instanceof CanarydError && /journal_failed|conflict/.test(error.code)) return;
      // Told to the operator: a clock that was set back that far is not judged by.
      if (error instanceof Error && /^the clock says .* before the deploy/.test(error.message))
        return;
      onBug(error);
    };
    return createEngine({
      clock: this.clock,
      random: () => jitter.next(),
      replica: this.id,
      journal: store.for(this),
      sources: { prometheus: sourceOn(this.#query) },
      channels: Object.fromEntries(
        (routing?.channels ?? ['chat']).map((name): [string, Channel] => [
          name,
          {
            spacingMs: 1_050,
            // A pager keeps an incident for each watch.
            ...(name === 'pager' ? { merges: () => false } : {}),
            send: (message, signal) => receivers.post(this, name, message, signal),
          },
        ]),
      ),
      ...(routing === null ? {} : { routing: routing.routing }),
      sendAction: (delivery, action, _values, signal) =>
        receivers.send(this, delivery, signal, action.timeoutMs),
      readHealth,
      healthBefore: (key, beforeMs): Readings[string] | undefined =>
        this.#standBy.healthBefore(key, beforeMs),
      publicUrl: null,
      commands: {
        policies: policies.map((policy) => ({ policy, hash: policy.name })),
        newWatchId,
        checkParameters,
        missingSecrets: () => [],
        subscribers: new Subscribers(),
        health: async () => ({ live: true, ready: true, checks: {} }),
      },
      onAppended: () => {},
      onAttempt: () => {},
      onTick: () => {},
      onDrop: () => {},
      onError,
    });
  }

  isAlive(): boolean {
    return this.#isAlive;
  }

  start(): void {
    this.#standBy.start();
    this.engine.start();
  }

  kill(why: string): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#around.onDeath(this, why);
  }

  /** Ends in order; the process exits when all has ended. */
  async end(): Promise<void> {
    if (!this.#isAlive || this.isEnding) return;
    this.isEnding = true;
    await this.engine.stop(SHUTDOWN_MS);
    this.kill('ended in order');
  }

  readonly #query: Query = async (promql, atMs, signal) => {
    const { time, trouble, dice, samples } = this.#around;
    const where = this.id;
    if (!this.#isAlive) return NEVER;
    await time.wait(trouble.isHealed ? 1 : dice.between(1, 10));
    if (!trouble.isHealed) {
      const refused = await this.#refused(where, signal);
      if (refused !== null) return refused;
    }
    if (!this.#isAlive) return NEVER;
    const answer = samples.answer(promql, atMs, time.wall);
    if (answer.kind === 'answered' && trouble.strikes('source empty', where)) {
      const { result } = answer;
      if (result.type === 'matrix') return { ...answer, result: { type: 'matrix', series: [] } };
      return { ...answer, result: { type: 'vector', elements: [] } };
    }
    return answer;
  };

  async #refused(where: string, signal: AbortSignal): Promise<QueryAnswer | null> {
    const { time, trouble, dice } = this.#around;
    const failed = (reason: 'unreachable' | 'rejected', fault: 'query' | 'slow' | 'server') =>
      ({ kind: 'failed', reason, detail: `simulated: ${fault}`, fault }) as const;
    if (trouble.during('source down', where)) return failed('unreachable', 'server');
    if (trouble.strikes('source error', where)) {
      return dice.chance(0.5) ? failed('rejected', 'query') : failed('rejected', 'server');
    }
    const hangs = trouble.during('source hangs', where);
    if (!hangs && !trouble.strikes('source slow', where)) return null;
    const waitMs = hangs ? QUERY_TIMEOUT_MS : dice.between(200, QUERY_TIMEOUT_MS * 1.2);
    await Promise.race([time.wait(Math.min(waitMs, QUERY_TIMEOUT_MS)), abortOf(signal)]);
    if (!this.#isAlive) return NEVER;
    if (signal.aborted) return failed('unreachable', 'server');
    return waitMs >= QUERY_TIMEOUT_MS ? failed('unreachable', 'slow') : null;
  }

  async #health(url: string, timeoutMs: number, signal: AbortSignal): Promise<Reading> {
    const { time, trouble, dice, services } = this.#around;
    if (!this.#isAlive) return NEVER;
    const service = services.find(({ name }) => url.includes(`/${name}/`)) ?? services[0];
    await time.wait(dice.between(1, 30));
    if (trouble.during('health hanging', url)) {
      await Promise.race([time.wait(timeoutMs), abortOf(signal)]);
      if (!this.#isAlive) return NEVER;
      if (signal.aborted) return { kind: 'blind', reason: 'unreachable', detail: 'cut short' };
      return { kind: 'value', value: 0, detail: 'simulated: no answer in time' };
    }
    const isBad =
      service?.ails('health') ||
      trouble.during('health failing', url) ||
      (trouble.during('health flapping', url) && dice.chance(0.5));
    if (!this.#isAlive) return NEVER;
    return { kind: 'value', value: isBad ? 0 : 1 };
  }
}

function abortOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
