// Sends what the journal says is to be sent, and writes down what came of it.
// - An attempt is written as begun before anything leaves (J1); ids never change, so that a repeat
//   after a crash is recognised by the receiver (J2).
// - Actions have their own road: they never wait behind a message.
// - Messages of a lane go out one at a time, critical first, else in planned order; one that fails
//   for its own sake, or very often, lets the others pass.
import {
  type Delivery,
  isDue,
  MESSAGE_ASKED_MAX_MS,
  type Message,
  type Outcome,
} from '../core/delivery.ts';
import type { DeliveryReason } from '../core/event.ts';
import type { Action } from '../core/policy.ts';
import { type TemplateValues, templateValues } from '../core/template.ts';
import type { Hold, Journal } from '../journal/journal.ts';
import type { Clock } from '../kit/clock.ts';
import { type Loop, startLoop } from '../kit/loop.ts';
import type { Random } from '../kit/random.ts';
import {
  type Channel,
  isWorthRepeating,
  mayBePassed,
  messagesByLane,
  sendContext,
  soFar,
} from './lanes.ts';
import type { Ledger } from './ledger.ts';
import { OutcomeWriter } from './outcome-writer.ts';
import type { Share } from './share.ts';

/** The sweep finds what a lost poke left behind. */
const SWEEP_EVERY_MS = 500;
/** Of each kind: what is beyond waits for the next look. */
const PENDING_MAX = 2_000;
/** While shutting down: how soon a rollback is seen to be due although its disarm still hangs. */
const DRAIN_LOOK_MS = 200;
const ACTIONS_AT_ONCE_MAX = 64;
/** Only with these the receiver itself has asked all of us to wait. */
const ASKED_REASONS: readonly DeliveryReason[] = ['rate_limited', 'server_error'];

export type SendAction = (
  delivery: Delivery,
  action: Action,
  values: TemplateValues,
  signal: AbortSignal,
) => Promise<Outcome>;

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

/** Free again at a monotonic time: a wall clock that is set back must not silence a lane. */
type LaneState = { isBusy: boolean; freeAt: number };

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #outcomes: OutcomeWriter;
  readonly #flying = new Map<string, Promise<void>>();
  /** Ended while the sweep was reading: what it read of them is no longer true. */
  readonly #landed = new Set<string>();
  readonly #lanes = new Map<string, LaneState>();
  readonly #aborting = new AbortController();
  #loop: Loop | null = null;
  /** When a sweep last ended (monotonic). */
  #sweptAt: number;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#outcomes = new OutcomeWriter(options);
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
    const pending = await journal.pendingDeliveries(PENDING_MAX, 'message');
    const messages = pending.filter((delivery) => this.#isOurs(delivery));
    await this.#sweepActions({ onlyFirst: false });
    const nowMs = clock.now();
    const queues = messagesByLane(messages, this.#options.channels);
    for (const [lane, queue] of queues) this.#sweepLane(lane, queue, nowMs);
  }

  /** @param only `onlyFirst`: no repetition is begun any more */
  async #sweepActions(only: { readonly onlyFirst: boolean }): Promise<void> {
    const { journal, clock } = this.#options;
    const actions = await journal.pendingDeliveries(PENDING_MAX, 'action');
    const nowMs = clock.now();
    const waiting = new Set(actions.map(({ id }) => id));
    for (const delivery of actions) {
      if (!this.#isOurs(delivery)) continue;
      if (this.#flying.has(delivery.id) || this.#landed.has(delivery.id)) continue;
      if (only.onlyFirst && delivery.attempts > 0) continue;
      const isFreed = delivery.afterDelivery !== null && !waiting.has(delivery.afterDelivery);
      const goes = isDue(delivery, nowMs) || (isFreed && delivery.attempts === 0);
      if (goes && this.#flying.size < ACTIONS_AT_ONCE_MAX) this.#fly(delivery, null);
    }
  }

  /**
   * Actions go by their watch; all messages of a channel by one replica, which keeps their order and
   * their pace. What another living replica has begun is left to it.
   */
  #isOurs({ content, watchId, inFlight, holder }: Delivery): boolean {
    const { share } = this.#options;
    if (!share.isCurrent() || (inFlight && share.isOthers(holder))) return false;
    return share.owns(content.kind === 'action' ? watchId : `channel ${content.channel}`);
  }

  #sweepLane(name: string, queue: readonly Delivery[], nowMs: number): void {
    const state = this.#lanes.get(name) ?? { isBusy: false, freeAt: 0 };
    this.#lanes.set(name, state);
    if (state.isBusy || this.#options.clock.monotonic() < state.freeAt) return;
    for (const delivery of queue) {
      // What has just ended was read before it did: the next look knows more.
      if (this.#landed.has(delivery.id)) return;
      if (isDue(delivery, nowMs)) {
        this.#fly(delivery, state);
        return;
      }
      if (!mayBePassed(delivery)) return;
    }
  }

  #fly(delivery: Delivery, lane: LaneState | null): void {
    if (lane !== null) lane.isBusy = true;
    const landed = () => {
      this.#flying.delete(delivery.id);
      this.#landed.add(delivery.id);
      if (lane !== null) lane.isBusy = false;
    };
    const flight = this.#attempt(delivery, lane).then(
      () => {
        landed();
        this.poke();
      },
      (error: unknown) => {
        landed();
        // No poke: a journal that cannot be written is asked again by the sweep, not at once.
        this.#options.onError(error, delivery.watchId);
      },
    );
    this.#flying.set(delivery.id, flight);
  }

  async #attempt(delivery: Delivery, lane: LaneState | null): Promise<void> {
    const { clock, journal, replica } = this.#options;
    const barred = await this.#barred(delivery);
    if (barred !== null) return this.#outcomes.end(delivery, barred.outcome, barred.gaveUp);
    const attempts = delivery.attempts + 1;
    const begun = { ...delivery, attempts };
    if (!(await journal.startAttempt(delivery.id, attempts, clock.now(), replica))) return;
    const outcome = await this.#send(begun).catch((error: unknown) => this.#failed(begun, error));
    if (lane !== null) this.#space(delivery, lane, outcome);
    await this.#outcomes.inTheEnd(begun, outcome, this.#aborting.signal);
  }

  /** Why nothing may be sent any more, if so. */
  async #barred(delivery: Delivery): Promise<{ outcome: Outcome; gaveUp: DeliveryReason } | null> {
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
    if (this.#options.clock.now() > delivery.deadlineAtMs) {
      return refuse('deadline', `its deadline has passed; ${soFar(delivery)}`);
    }
    if (!delivery.inFlight) return null;
    // An attempt of an earlier life: nobody knows whether it arrived.
    if (content.kind === 'message' && !isWorthRepeating(content.message)) {
      return refuse('interrupted', 'canaryd ended while it was being sent; it may have arrived');
    }
    if (delivery.attempts >= delivery.attemptsMax) {
      return refuse('interrupted', 'canaryd ended during the last attempt; it may have arrived');
    }
    return null;
  }

  async #send(delivery: Delivery): Promise<Outcome> {
    const { content } = delivery;
    const signal = this.#aborting.signal;
    if (content.kind === 'message') {
      const channel = this.#options.channels[content.channel];
      if (channel === undefined) {
        const detail = `the config no longer defines the channel '${content.channel}'`;
        return { kind: 'refused', reason: 'misconfigured', detail };
      }
      const context = sendContext(delivery.id, content.channel, this.#options.journal);
      return channel.send(repeatMarked(content.message, delivery), signal, context);
    }
    const record = await this.#options.journal.watch(delivery.watchId);
    const action = record?.policy.actions.find(({ name }) => name === content.action);
    if (record === null || record === undefined || action === undefined) {
      const detail = `the policy of watch ${delivery.watchId} has no action '${content.action}'`;
      return { kind: 'refused', reason: 'misconfigured', detail };
    }
    const values = templateValues(record.deploy, record.id);
    return this.#options.sendAction(delivery, action, values, signal);
  }

  /** A bug, or a secret that is gone: tried again at the pace of any other failure. */
  #failed({ watchId }: Delivery, error: unknown): Outcome {
    this.#options.onError(error, watchId);
    const detail = 'canaryd itself failed to send it; its log says why';
    const again = { retryAfterMs: null, maybeDelivered: true };
    return { kind: 'retryable', reason: 'not_started', detail, ...again };
  }

  #space(delivery: Delivery, state: LaneState, outcome: Outcome): void {
    const { content } = delivery;
    if (content.kind !== 'message') return;
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

/** A message that may have arrived before says so: Slack cannot tell a repetition. */
function repeatMarked(message: Message, { inFlight, attempts, lastReason }: Delivery): Message {
  const line = inFlight
    ? 'canaryd was restarted while sending this: you may have seen it before.'
    : attempts > 1 && (lastReason === 'timeout' || lastReason === 'interrupted')
      ? 'An earlier try of this message got no answer: you may have seen it before.'
      : null;
  return line === null ? message : { ...message, lines: [...message.lines, line] };
}
