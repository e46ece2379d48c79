// The shared store: the real SQLite journal in a file of memory, and for each life of a replica a
// way to it that is slow, fails before or after the effect, or is cut off. It also does what a
// store for several replicas does: leases by its own clock, and hints.
import type { Append, AppendResult, Hold, Journal, Replica } from '../../src/journal/journal.ts';
import { CanarydError } from '../../src/kit/errors.ts';
import type { Dice } from './dice.ts';
import type { Time } from './time.ts';
import type { Trouble } from './trouble.ts';

/** A call that takes longer is given up by its caller. */
const CALL_MAX_MS = 6_000;
/** There and back again, with an effect that comes late. */
export const STORE_SLACK_MS = 20_000;

/** What the checker hears of, at the instant of the effect. */
export type StoreWatch = {
  appended(by: string, batches: readonly Append[], result: AppendResult): void;
  attemptBegan(by: string, id: string, attempt: number, began: boolean): void;
  holdSet(hold: Hold | null): void;
};

/** Whose way to the store it is. */
export type Caller = {
  readonly id: string;
  readonly machine: number;
  isAlive(): boolean;
  kill(why: string): void;
};

/** What may read differently after an attempt began, and after a tick without anything else. */
const SENT = ['pending', 'deliveries'];
const JUDGED = ['watch'];
const NEVER = new Promise<never>(() => {});

type Listener = { readonly caller: Caller; readonly call: (watchId: string | null) => void };

type Member = {
  readonly replica: Replica;
  readonly machine: number;
  readonly untilMs: number;
  /** Seen by all others from then on. */
  seenSinceMs: number;
};

export class Store {
  readonly journal: Journal;
  readonly #time: Time;
  readonly #trouble: Trouble;
  readonly #dice: Dice;
  readonly #watch: StoreWatch;
  readonly #members = new Map<string, Member>();
  readonly #listeners = new Set<Listener>();
  /** What was read and not written to since: replicas ask the same every half second. */
  readonly #known = new Map<string, Map<string, Promise<unknown>>>();

  constructor(parts: {
    journal: Journal;
    time: Time;
    trouble: Trouble;
    dice: Dice;
    watch: StoreWatch;
  }) {
    this.journal = parts.journal;
    this.#time = parts.time;
    this.#trouble = parts.trouble;
    this.#dice = parts.dice;
    this.#watch = parts.watch;
  }

  /** The journal as one life of a replica has it. */
  for(caller: Caller): Journal {
    const { journal } = this;
    const call = <T>(name: string, weight: number, effect: () => Promise<T>) =>
      this.#call(caller, name, weight, effect);
    const read = <T>(name: string, args: readonly unknown[], effect: () => Promise<T>) =>
      this.#call(caller, name, 1, () => this.#read(name, JSON.stringify(args), effect));
    return {
      append: (batches) => this.#append(caller, batches),
      watch: (id) => read('watch', [id], () => journal.watch(id)),
      watchByIdempotencyKey: (key) => call('key', 1, () => journal.watchByIdempotencyKey(key)),
      watches: (filter) => call('watches', 1, () => journal.watches(filter)),
      activeIds: (limit) => read('activeIds', [limit], () => journal.activeIds(limit)),
      events: (...args) => read('events', args, () => journal.events(...args)),
      ticks: (...args) => call('ticks', 1, () => journal.ticks(...args)),
      deliveries: (id) => read('deliveries', [id], () => journal.deliveries(id)),
      delivery: (id) => call('delivery', 1, () => journal.delivery(id)),
      pendingDeliveries: (...args) =>
        read('pending', args, () => journal.pendingDeliveries(...args)),
      receipts: (...args) => call('receipts', 1, () => journal.receipts(...args)),
      startAttempt: (id, attempt, atMs, holder) =>
        call('startAttempt', 10, async () => {
          const began = await this.#written(journal.startAttempt(id, attempt, atMs, holder), SENT);
          this.#watch.attemptBegan(caller.id, id, attempt, began);
          return began;
        }),
      startAttempts: (starts, atMs, holder) =>
        call('startAttempts', 10, async () => {
          const begun = await this.#written(journal.startAttempts(starts, atMs, holder), SENT);
          for (const { id, attempt } of starts) {
            this.#watch.attemptBegan(caller.id, id, attempt, begun.includes(id));
          }
          return begun;
        }),
      announce: (replica, ttlMs) =>
        call('announce', 1, async () => this.#announce(caller, replica, ttlMs)),
      retire: (id) =>
        call('retire', 1, async () => {
          this.#members.delete(id);
          this.#tell(caller, null);
        }),
      listen: (listener) => this.#listen({ caller, call: listener }),
      hold: () => read('hold', [], () => journal.hold()),
      setHold: (hold) =>
        call('setHold', 10, async () => {
          await this.#written(journal.setHold(hold));
          this.#watch.holdSet(hold);
        }),
      counts: () => call('counts', 1, () => journal.counts()),
      prune: (...args) => call('prune', 1, () => this.#written(journal.prune(...args))),
      check: () => call('check', 1, async () => {}),
      addSignOff: (signOff) => call('addSignOff', 10, () => journal.addSignOff(signOff)),
      signOffs: (filter) => call('signOffs', 1, () => journal.signOffs(filter)),
      addGateRecord: (...args) => call('addGateRecord', 10, () => journal.addGateRecord(...args)),
      gateRecord: (id) => call('gateRecord', 1, () => journal.gateRecord(id)),
      gateRecords: (...args) => call('gateRecords', 1, () => journal.gateRecords(...args)),
      gateHeads: (...args) => call('gateHeads', 1, () => journal.gateHeads(...args)),
      pendingGateMessages: (...args) =>
        call('pendingGate', 1, () => journal.pendingGateMessages(...args)),
      gateMessages: (id) => call('gateMessages', 1, () => journal.gateMessages(id)),
      startGateAttempt: (...args) =>
        call('startGateAttempt', 10, () => journal.startGateAttempt(...args)),
      endGateAttempt: (update) => call('endGateAttempt', 10, () => journal.endGateAttempt(update)),
      [Symbol.asyncDispose]: async () => {},
    };
  }

  #read<T>(name: string, key: string, effect: () => Promise<T>): Promise<T> {
    const answers = this.#known.get(name) ?? new Map<string, Promise<unknown>>();
    this.#known.set(name, answers);
    const known = answers.get(key) as Promise<T> | undefined;
    if (known !== undefined) return known;
    const result = effect();
    answers.set(key, result);
    return result;
  }

  /** SQLite has written when the call returns, before anybody could read again. */
  #written<T>(result: Promise<T>, changed: readonly string[] | null = null): Promise<T> {
    if (changed === null) this.#known.clear();
    for (const name of changed ?? []) this.#known.delete(name);
    return result;
  }

  #append(caller: Caller, batches: readonly Append[]): Promise<AppendResult> {
    const isNews = batches.some(({ events }) => events.length > 0);
    const isTick = !isNews && batches.every(isTickOnly);
    const name = isNews ? `append ${batches.flatMap(typesOf).join('+')}` : 'append tick';
    return this.#call(caller, name, isNews ? 12 : 1, async () => {
      if (this.#trouble.strikes('store conflict', `${caller.id} ${name}`)) return 'conflict';
      const result = await this.#written(this.journal.append(batches), isTick ? JUDGED : null);
      this.#watch.appended(caller.id, batches, result);
      if (result === 'appended' && isNews) {
        for (const { watchId } of batches) this.#tell(caller, watchId);
      }
      return result;
    });
  }

  async #call<T>(
    caller: Caller,
    name: string,
    weight: number,
    effect: () => Promise<T>,
  ): Promise<T> {
    const trouble = this.#trouble;
    const where = `${caller.id} ${name}`;
    if (!caller.isAlive()) return NEVER;
    if (trouble.isHealed) return this.#quick(caller, effect);
    if (trouble.strikes('crash before a call', where, weight)) {
      caller.kill(`before ${name}`);
      return NEVER;
    }
    await this.#pause(caller, this.#waitMs(where));
    const isCutOff =
      trouble.during('store outage', where) ||
      trouble.during('store partition', where, caller.machine) ||
      trouble.strikes('store error before the effect', where);
    if (isCutOff) throw failed(`${name} did not reach the store`);
    const isWrite = weight > 1 || name === 'append tick';
    if (isWrite && name !== 'setHold' && trouble.strikes('store late effect', where)) {
      this.#time.in(this.#dice.between(100, CALL_MAX_MS), () => void effect().catch(() => {}));
      throw failed(`${name} got no answer`);
    }
    const result = await effect();
    if (trouble.strikes('crash after a call', where, weight)) {
      caller.kill(`after ${name}`);
      return NEVER;
    }
    if (isWrite && trouble.strikes('store error after the effect', where)) {
      throw failed(`the answer to ${name} was lost`);
    }
    await this.#pause(caller, this.#waitMs(where));
    return result;
  }

  async #quick<T>(caller: Caller, effect: () => Promise<T>): Promise<T> {
    if (this.#dice.chance(0.05)) await this.#pause(caller, this.#dice.between(0, 2));
    return effect();
  }

  #waitMs(where: string): number {
    if (this.#trouble.strikes('store slow', where)) return this.#dice.between(100, 3_000);
    if (this.#trouble.during('store slow span', where)) return this.#dice.between(50, 1_500);
    return this.#dice.chance(0.15) ? this.#dice.between(0, 3) : 0;
  }

  async #pause(caller: Caller, ms: number): Promise<void> {
    if (ms > 0) await this.#time.wait(ms);
    if (!caller.isAlive()) await NEVER;
  }

  #announce({ machine }: Caller, replica: Replica, ttlMs: number): readonly Replica[] {
    const { now } = this.#time;
    const known = this.#members.get(replica.id);
    for (const [id, { untilMs }] of this.#members) if (untilMs < now) this.#members.delete(id);
    const seenSinceMs = this.#members.get(replica.id)?.seenSinceMs ?? now;
    this.#members.set(replica.id, { replica, machine, untilMs: now + ttlMs, seenSinceMs });
    if (known?.replica.takesWork !== replica.takesWork) this.#tell(null, null);
    const seen = [...this.#members.values()].filter((member) => {
      const { id } = member.replica;
      if (id === replica.id) return true;
      const isUnseen = this.#trouble.during('replica unseen', id, member.machine);
      if (isUnseen) member.seenSinceMs = now;
      return !isUnseen;
    });
    const all = seen.map((member) => member.replica);
    return all.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  livesSince(replica: string): number | null {
    const member = this.#members.get(replica);
    return member === undefined || member.untilMs < this.#time.now ? null : member.seenSinceMs;
  }

  #listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(from: Caller | null, watchId: string | null): void {
    for (const listener of this.#listeners) {
      if (!listener.caller.isAlive()) {
        this.#listeners.delete(listener);
        continue;
      }
      if (listener.caller === from) continue;
      if (this.#trouble.strikes('hint lost', listener.caller.id)) continue;
      const isLate = this.#trouble.strikes('hint late', listener.caller.id);
      this.#time.in(isLate ? this.#dice.between(500, 10_000) : this.#dice.between(1, 20), () => {
        if (listener.caller.isAlive() && this.#listeners.has(listener)) listener.call(watchId);
      });
    }
  }
}

/** Nothing but samples and the track that goes on from them. */
export function isTickOnly(batch: Append): boolean {
  const { events, deliveries, updates = [], giveUpActions, create } = batch;
  const more = [...events, ...deliveries, ...updates];
  return more.length === 0 && giveUpActions === undefined && create === undefined;
}

function typesOf({ events }: Append): readonly string[] {
  return events.map(({ type }) => type);
}

function failed(problem: string): CanarydError {
  return new CanarydError('journal_failed', `simulated: ${problem}`);
}
