// Sends what the journal says is to be sent, and writes down what came of it.
// - An attempt is written as begun before anything leaves (J1); ids never change, so that a repeat
//   after a crash is recognised by the receiver (J2).
// - Actions have their own road: they never wait behind a message.
// - Messages of a lane go out one at a time, critical first, else in planned order; one that fails
//   for its own sake, or very often, lets the others pass.
import { type Delivery, isDue, MESSAGE_ASKED_MAX_MS, type Outcome } from '../core/delivery.ts';
import { callEnded } from '../core/escalation.ts';
import type { DeliveryReason } from '../core/event.ts';
import { stepEnded } from '../core/incident.ts';
import { CALM_MS } from '../core/merge.ts';
import type { Hold, Journal } from '../journal/journal.ts';
import type { Clock } from '../kit/clock.ts';
import type { CanarydError } from '../kit/errors.ts';
import { type Loop, startLoop } from '../kit/loop.ts';
import type { Random } from '../kit/random.ts';
import { ActionSender, type Barred, type SendAction } from './action-sender.ts';
import {
  type Channel,
  calmedBy,
  companyOf,
  isCalm,
  isWorthRepeating,
  type LaneState,
  type MessageContent,
  mayBePassed,
  messagesByLane,
  soFar,
  turnOf,
} from './lanes.ts';
import type { Ledger } from './ledger.ts';
import { type BegunMessage, MessageSender } from './message-sender.ts';
import { OutcomeWriter } from './outcome-writer.ts';
import type { Share } from './share.ts';

/** The sweep finds what a lost poke left behind. */
const SWEEP_EVERY_MS = 500;
/** Of each kind: what is beyond waits for the next look. */
const PENDING_MAX = 2_000;
/** While shutting down: how soon a rollback is seen to be due although its disarm still hangs. */
const DRAIN_LOOK_MS = 200;
const ACTIONS_AT_ONCE_MAX = 64;
const DAMAGED_TOLD_MAX = 1_000;
/** Only with these the receiver itself has asked all of us to wait. */
const ASKED_REASONS: readonly DeliveryReason[] = ['rate_limited', 'server_error'];

const OUT_OF_DATE: readonly DeliveryReason[] = ['deadline', 'interrupted'];

export type DispatcherOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly journal: Journal;
  readonly ledger: Ledger;
  /** Marks attempts as begun by this process. */
  readonly replica: string;
  readonly share: Pick<Share, 'owns' | 'isOthers' | 'isCurrent'>;
  readonly sendAction: SendAction;
  readonly channels: Readonly<Record<string, Channel>>;
  readonly hold: () => Promise<Hold | null>;
  readonly onAttempt: (delivery: Delivery, outcome: Outcome, gaveUp: DeliveryReason | null) => void;
  readonly onError: (error: unknown, watchId: string) => void;
};

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #outcomes: OutcomeWriter;
  readonly #actions: ActionSender;
  readonly #messages: MessageSender;
  readonly #flying = new Map<string, Promise<void>>();
  /** Ended while the sweep was reading: what it read of them is no longer true. */
  readonly #landed = new Set<string>();
  #actionsFlying = 0;
  readonly #damaged = new Set<string>();
  readonly #lanes = new Map<string, LaneState>();
  readonly #aborting = new AbortController();
  #loop: Loop | null = null;
  /** When a sweep last ended (monotonic). */
  #sweptAt: number;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#outcomes = new OutcomeWriter(options);
    this.#actions = new ActionSender(options, (delivery) => this.#barred(delivery));
    this.#messages = new MessageSender(options, (delivery) => this.#barred(delivery));
    this.#sweptAt = options.clock.monotonic();
  }

  start(): void {
    const { clock, onError } = this.#options;
    this.#loop = startLoop({
      clock,
      everyMs: SWEEP_EVERY_MS,
      work: () => this.sweep(),
      onError: (error) => onError(error, ''),
    });
  }

  poke(): void {
    this.#loop?.poke();
  }

  /** Milliseconds since a sweep ended, well or with an error: large when it hangs. */
  idleMs(): number {
    return this.#options.clock.monotonic() - this.#sweptAt;
  }

  /** Starts everything that is due; returns when it has been started, not when it has ended. */
  async sweep(): Promise<undefined> {
    try {
      await this.#sweep();
    } finally {
      this.#sweptAt = this.#options.clock.monotonic();
    }
  }

  async #sweep(): Promise<void> {
    const { journal, clock } = this.#options;
    this.#landed.clear();
    // Actions first, and whatever becomes of the messages.
    await this.#sweepActions({ onlyFirst: false });
    const nowMs = clock.now();
    const told = this.#onDamaged;
    const pending = await journal.pendingDeliveries(PENDING_MAX, 'message', told, nowMs);
    const messages = this.#messagesOfOurs(pending);
    const queues = messagesByLane(messages, this.#options.channels);
    for (const [lane, queue] of queues) this.#sweepLane(lane, queue, nowMs);
  }

  /** @param only `onlyFirst`: no repetition is begun any more */
  async #sweepActions(only: { readonly onlyFirst: boolean }): Promise<void> {
    const { journal, clock } = this.#options;
    const actions = await journal.pendingDeliveries(PENDING_MAX, 'action', this.#onDamaged);
    const nowMs = clock.now();
    const waiting = new Set(actions.map(({ id }) => id));
    for (const delivery of actions) {
      if (!this.#isOurs(delivery)) continue;
      if (this.#flying.has(delivery.id) || this.#landed.has(delivery.id)) continue;
      if (only.onlyFirst && delivery.attempts > 0) continue;
      const isFreed = delivery.afterDelivery !== null && !waiting.has(delivery.afterDelivery);
      const goes = isDue(delivery, nowMs) || (isFreed && delivery.attempts === 0);
      if (goes && this.#actionsFlying < ACTIONS_AT_ONCE_MAX) this.#fly(delivery);
    }
  }

  /**
   * Actions go by their watch; all messages of a channel by one replica, which keeps order and pace.
   * What a living replica has begun is left to it, also when the answer to that was lost.
   */
  #isOurs({ content, watchId, inFlight, holder }: Delivery): boolean {
    const { share, replica } = this.#options;
    if (!share.isCurrent() || (inFlight && share.isOthers(holder))) return false;
    if (inFlight && holder === replica) return true;
    return share.owns(content.kind === 'action' ? watchId : `channel ${content.channel}`);
  }

  /** A channel that changes hands: what the other replica is still sending keeps its place. */
  #messagesOfOurs(pending: readonly Delivery[]): readonly Delivery[] {
    const { share } = this.#options;
    const busy = new Set<string>();
    for (const { content, inFlight, holder } of pending) {
      if (content.kind !== 'message' || !inFlight || !share.isOthers(holder)) continue;
      busy.add(content.channel);
    }
    return pending.filter((delivery) => {
      const { content } = delivery;
      return content.kind === 'message' && !busy.has(content.channel) && this.#isOurs(delivery);
    });
  }

  /** One row that cannot be read must not hold up the others; it is told once. */
  readonly #onDamaged = (error: CanarydError): void => {
    if (this.#damaged.has(error.message) || this.#damaged.size >= DAMAGED_TOLD_MAX) return;
    this.#damaged.add(error.message);
    this.#options.onError(error, '');
  };

  #sweepLane(name: string, queue: readonly Delivery[], nowMs: number): void {
    const state = this.#lanes.get(name) ?? { busyWith: null, freeAt: 0, calm: new Map() };
    this.#lanes.set(name, state);
    if (state.busyWith !== null || this.#options.clock.monotonic() < state.freeAt) return;
    // What has just ended was read before it did: the next look knows more.
    if (queue.some(({ id }) => this.#landed.has(id))) return;
    const { channels, clock } = this.#options;
    // What has been sent is only being written down.
    const left = queue.filter(({ id }) => !this.#flying.has(id));
    for (const delivery of left) {
      if (isCalm(delivery, state, channels, clock.monotonic())) continue;
      if (isDue(delivery, nowMs)) {
        this.#flyTogether(
          companyOf(turnOf(delivery, left, channels), left, channels, nowMs),
          left,
          state,
        );
        return;
      }
      if (!mayBePassed(delivery)) return;
    }
  }

  #fly(delivery: Delivery): void {
    this.#actionsFlying += 1;
    const flight = this.#landing(this.#attempt(delivery), [delivery], null);
    this.#flying.set(delivery.id, flight);
  }

  /** Messages that go out as one; each keeps its own attempts and its own end. */
  #flyTogether(
    company: readonly [Delivery, ...Delivery[]],
    queue: readonly Delivery[],
    lane: LaneState,
  ): void {
    lane.busyWith = company[0].id;
    const kind = calmedBy(company, queue, this.#options.channels);
    if (kind !== null) lane.calm.set(kind, this.#options.clock.monotonic() + CALM_MS);
    const flight = this.#landing(this.#attemptTogether(company, lane), company, lane);
    for (const { id } of company) this.#flying.set(id, flight);
  }

  #landing(
    attempt: Promise<void>,
    company: readonly [Delivery, ...Delivery[]],
    lane: LaneState | null,
  ): Promise<void> {
    const landed = () => {
      for (const { id } of company) {
        this.#flying.delete(id);
        this.#landed.add(id);
      }
      if (lane === null) this.#actionsFlying -= 1;
      else if (lane.busyWith === company[0].id) lane.busyWith = null;
    };
    return attempt.then(
      () => {
        landed();
        this.poke();
      },
      (error: unknown) => {
        landed();
        // No poke: a journal that cannot be written is asked again by the sweep, not at once.
        this.#options.onError(error, company[0].watchId);
      },
    );
  }

  async #attempt(delivery: Delivery): Promise<void> {
    const lookedAt = this.#options.clock.monotonic();
    const begun = await this.#begin(delivery);
    if (begun === null) return;
    const outcome = await this.#actions
      .send(begun, lookedAt, this.#aborting.signal)
      .catch((error: unknown) => this.#failed(begun, error));
    await this.#outcomes.inTheEnd([begun], outcome, this.#aborting.signal);
  }

  async #attemptTogether(
    company: readonly [Delivery, ...Delivery[]],
    lane: LaneState,
  ): Promise<void> {
    const lookedAt = this.#options.clock.monotonic();
    const begun = await this.#beginTogether(company);
    const [first, ...others] = begun;
    if (first === undefined) return;
    const outcome = await this.#messages
      .send([first, ...others], lookedAt, this.#aborting.signal)
      .catch((error: unknown) => this.#failed(first, error));
    this.#space(first, lane, outcome);
    // Nothing of it can be overtaken any more: what is urgent need not wait until it is written.
    if (outcome.kind !== 'retryable') {
      lane.busyWith = null;
      this.poke();
    }
    await this.#outcomes.inTheEnd(begun, outcome, this.#aborting.signal);
  }

  /** All in one transaction; what was tried together is also out of date together. */
  async #beginTogether(
    company: readonly [Delivery, ...Delivery[]],
  ): Promise<readonly BegunMessage[]> {
    const { clock, journal, replica } = this.#options;
    const found = await Promise.all(company.map((one) => this.#barred(one)));
    const isForAll = (barred: Barred | null) => OUT_OF_DATE.includes(barred?.gaveUp ?? 'ok');
    const common = company[0].attempts > 0 ? found.find(isForAll) : null;
    const looked = company.map((delivery, index) => {
      return { delivery, barred: common ?? found[index] ?? null };
    });
    const ended = looked.flatMap(({ delivery, barred }) =>
      barred === null ? [] : [{ delivery, ...barred }],
    );
    if (ended.length > 0) await this.#outcomes.end(ended);
    const next = looked.flatMap(({ delivery, barred }): BegunMessage[] => {
      const { content } = delivery;
      if (barred !== null || content.kind !== 'message') return [];
      return [{ ...delivery, content, attempts: delivery.attempts + 1 }];
    });
    if (next.length === 0) return [];
    const starts = next.map(({ id, attempts }) => ({ id, attempt: attempts }));
    const begun = new Set(await journal.startAttempts(starts, clock.now(), replica));
    return next.filter(({ id }) => begun.has(id));
  }

  /** Written as begun, before anything leaves (J1); null: it is not sent now. */
  async #begin(delivery: Delivery): Promise<Delivery | null> {
    const { clock, journal, replica } = this.#options;
    const barred = await this.#barred(delivery);
    if (barred !== null) {
      await this.#outcomes.end([{ delivery, ...barred }]);
      return null;
    }
    const attempts = delivery.attempts + 1;
    const isBegun = await journal.startAttempt(delivery.id, attempts, clock.now(), replica);
    return isBegun ? { ...delivery, attempts } : null;
  }

  /** Why nothing may be sent any more, if so. */
  async #barred(delivery: Delivery): Promise<Barred | null> {
    const refuse = (reason: DeliveryReason, detail: string) => {
      return { outcome: { kind: 'refused', reason, detail } as const, gaveUp: reason };
    };
    const { content } = delivery;
    if (content.kind === 'action') {
      const held = await this.#options.hold();
      if (held !== null) {
        return refuse('hold_fire', `hold fire by ${held.by}: ${held.reason}; ${soFar(delivery)}`);
      }
    }
    if (content.kind === 'message') {
      const ended = await this.#ended(delivery.watchId, content);
      if (ended !== null) return refuse(ended.reason, ended.detail);
    }
    if (this.#options.clock.now() > delivery.deadlineAtMs) {
      return refuse('deadline', `its deadline has passed; ${soFar(delivery)}`);
    }
    if (!delivery.inFlight) return null;
    // An attempt of an earlier life: nobody knows whether it arrived.
    if (content.kind === 'message' && !isWorthRepeating(content)) {
      return refuse('interrupted', 'canaryd ended while it was being sent; it may have arrived');
    }
    if (delivery.attempts >= delivery.attemptsMax) {
      return refuse('interrupted', 'canaryd ended during the last attempt; it may have arrived');
    }
    return null;
  }

  /** Why nobody has to be told any more, by the journal as it is now. */
  async #ended(watchId: string, { channel, message, call, seq }: MessageContent) {
    const { ledger, channels } = this.#options;
    const step = channels[channel]?.keepsIncidents === true ? message.incident : undefined;
    if (call === undefined && step === undefined) return null;
    const loaded = await ledger.load(watchId);
    if (loaded === null) return null;
    return call === undefined
      ? stepEnded(loaded.state, { step, seq })
      : callEnded(loaded.state, call);
  }

  /** A bug, or a secret that is gone: tried again at the pace of any other failure. */
  #failed({ watchId }: Delivery, error: unknown): Outcome {
    this.#options.onError(error, watchId);
    const detail = 'canaryd itself failed to send it; its log says why';
    const again = { retryAfterMs: null, maybeDelivered: true };
    return { kind: 'retryable', reason: 'not_started', detail, ...again };
  }

  #space({ content }: BegunMessage, state: LaneState, outcome: Outcome): void {
    const spacing = this.#options.channels[content.channel]?.spacingMs ?? 0;
    const isAsked = outcome.kind === 'retryable' && ASKED_REASONS.includes(outcome.reason);
    const asked = isAsked ? (outcome.retryAfterMs ?? 0) : 0;
    const pauseMs = Math.max(spacing, Math.min(asked, MESSAGE_ASKED_MAX_MS));
    state.freeAt = this.#options.clock.monotonic() + pauseMs;
  }

  /**
   * Finishes what is being sent and the actions that wait for it (a rollback for its disarm), at
   * most `withinMs`; then aborts: the next start repeats it under the same id.
   */
  async stop(withinMs: number): Promise<void> {
    const { clock } = this.#options;
    await this.#loop?.stop();
    const patience = new AbortController();
    const tired = clock.sleep(withinMs, patience.signal).catch(() => {});
    await Promise.race([this.#drain(patience.signal), tired]);
    patience.abort();
    this.#aborting.abort();
    await Promise.allSettled([...this.#flying.values()]);
  }

  // Each is begun once at most, also when the journal takes no writes: `#landed` only grows.
  async #drain(signal: AbortSignal): Promise<void> {
    const { onError } = this.#options;
    while (!signal.aborted) {
      await this.#sweepActions({ onlyFirst: true }).catch((error) => onError(error, ''));
      if (this.#flying.size === 0) return;
      const pause = this.#options.clock.sleep(DRAIN_LOOK_MS, signal).catch(() => {});
      await Promise.race([Promise.allSettled([...this.#flying.values()]), pause]);
    }
  }
}
