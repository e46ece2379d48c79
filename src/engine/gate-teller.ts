// Tells people of decisions of gates: sends what the journal says is to be told, and writes down what
// came of it. An attempt is written as begun before anything leaves (J1). Messages of a channel go out
// one at a time, at the pace of its service; one that waits for its next try lets the others pass.
//
// At least once: an attempt whose outcome was never written (a crash) is repeated after a while, under
// its id. Each replica looks; who begins an attempt first in the journal makes it.
import {
  MESSAGE_ASKED_MAX_MS,
  type Message,
  nextAttemptAtMs,
  type Outcome,
  type SendContext,
} from '../core/delivery.ts';
import type { DeliveryReason } from '../core/event.ts';
import { messageTerms } from '../core/plan.ts';
import type { GateMessage, GateMessageUpdate, GateStore } from '../journal/gate-store.ts';
import type { Clock } from '../kit/clock.ts';
import type { CanarydError } from '../kit/errors.ts';
import { type Loop, startLoop } from '../kit/loop.ts';
import type { Random } from '../kit/random.ts';
import { within } from '../kit/within.ts';
import type { Channel } from './lanes.ts';

/** Finds what a lost poke, or another replica, left behind. */
const LOOK_EVERY_MS = 1_000;
/** What is beyond waits for the next look. */
const PENDING_MAX = 2_000;
/** Longer than any channel takes with all its requests. */
const SEND_WITHIN_MS = 60_000;
/** An attempt without an outcome is over then: whoever made it is gone. */
export const UNDER_WAY_MS = 120_000;
/** A held message waits a night at most; what seems longer was planned by another clock. */
const HELD_MAX_MS = 25 * 3_600_000;
/** The outcome is written again after these waits, before the attempt counts as unknown. */
const OUTCOME_AGAIN_MS: readonly number[] = [500, 1_000, 2_000, 4_000, 8_000, 15_000];
/** What was cut off may still be written down. */
const CUT_OFF_MS = 500;
/** Messages whose last try may have arrived. */
const UNSURE_MAX = 1_000;
const DAMAGED_TOLD_MAX = 1_000;

export type GateTellerOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Pick<GateStore, 'pendingGateMessages' | 'startGateAttempt' | 'endGateAttempt'>;
  readonly channels: Readonly<Record<string, Channel>>;
  /** After it was written. */
  readonly onAttempt: (
    message: GateMessage,
    outcome: Outcome,
    gaveUp: DeliveryReason | null,
  ) => void;
  readonly onError: (error: unknown) => void;
};

type Ending = Pick<GateMessageUpdate, 'state' | 'notBeforeMs'> & {
  readonly gaveUp: DeliveryReason | null;
};

export class GateTeller {
  readonly #options: GateTellerOptions;
  /** By channel. */
  readonly #flying = new Map<string, Promise<void>>();
  /** When a channel may be used again (monotonic). */
  readonly #freeAt = new Map<string, number>();
  readonly #unsure = new Set<string>();
  readonly #damaged = new Set<string>();
  readonly #aborting = new AbortController();
  #loop: Loop | null = null;

  constructor(options: GateTellerOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, onError } = this.#options;
    const work = () => this.look();
    this.#loop = startLoop({ clock, everyMs: LOOK_EVERY_MS, work, onError });
  }

  poke(): void {
    this.#loop?.poke();
  }

  /** Begins what is due, one for each channel; never waits for a channel. */
  async look(): Promise<undefined> {
    const { store, clock } = this.#options;
    const busy = new Set(this.#flying.keys());
    const pending = await store.pendingGateMessages(PENDING_MAX, this.#onDamaged);
    for (const message of pending) {
      const { channel } = message;
      // What has ended since was read before it did.
      if (busy.has(channel) || this.#aborting.signal.aborted) continue;
      if (clock.monotonic() < (this.#freeAt.get(channel) ?? 0)) continue;
      if (!isDue(message, clock.now())) continue;
      busy.add(channel);
      this.#fly(message);
    }
  }

  /** One row that cannot be read must not hold up the others; it is told once. */
  readonly #onDamaged = (error: CanarydError): void => {
    if (this.#damaged.has(error.message) || this.#damaged.size >= DAMAGED_TOLD_MAX) return;
    this.#damaged.add(error.message);
    this.#options.onError(error);
  };

  #fly(message: GateMessage): void {
    const { channel } = message;
    const flight = this.#attempt(message)
      .catch((error: unknown): boolean => {
        this.#options.onError(error);
        return false;
      })
      .then((isMade) => {
        this.#flying.delete(channel);
        // Only then: what the journal does not take is asked again by the loop, not at once.
        if (isMade) this.poke();
      });
    this.#flying.set(channel, flight);
  }

  /** @returns whether something was sent */
  async #attempt(found: GateMessage): Promise<boolean> {
    const { clock, store } = this.#options;
    const barred = this.#barred(found);
    if (barred !== null) {
      const end = {
        state: 'gave_up',
        notBeforeMs: found.notBeforeMs,
        gaveUp: barred.reason,
      } as const;
      await this.#end(found, barred, end);
      return false;
    }
    const attempts = found.attempts + 1;
    const atMs = clock.now();
    if (!(await store.startGateAttempt(found.id, attempts, atMs))) return false;
    const begun: GateMessage = { ...found, attempts, attemptedAtMs: atMs };
    const outcome = await this.#send(begun, isUnderWay(found));
    this.#space(begun, outcome);
    await this.#end(begun, outcome, this.#ending(begun, outcome));
    return true;
  }

  /** Why it is not sent any more, if so. */
  #barred(message: GateMessage): Extract<Outcome, { kind: 'refused' }> | null {
    const { clock, channels } = this.#options;
    const refuse = (reason: DeliveryReason, detail: string) =>
      ({ kind: 'refused', reason, detail }) as const;
    if (clock.now() > message.deadlineAtMs) {
      const tries = message.attempts === 0 ? 'it was not sent' : `after ${message.attempts} tries`;
      return refuse('deadline', `its deadline has passed; ${tries}`);
    }
    if (message.attempts >= messageTerms(message.message.severity).attemptsMax) {
      return refuse('interrupted', 'canaryd ended during the last attempt; it may have arrived');
    }
    if (Object.hasOwn(channels, message.channel)) return null;
    return refuse('misconfigured', `the config no longer defines the channel '${message.channel}'`);
  }

  async #send(begun: GateMessage, isRepeated: boolean): Promise<Outcome> {
    const { clock, channels, onError } = this.#options;
    const { id, channel, message } = begun;
    const context: SendContext = { deliveryId: id, receipts: async () => [] };
    const told = marked(message, isRepeated, this.#unsure.has(id));
    // One for each attempt: a long-lived one would gather listeners for days.
    const cut = new AbortController();
    const follow = () => cut.abort();
    this.#aborting.signal.addEventListener('abort', follow, { once: true });
    try {
      return await within(
        clock,
        SEND_WITHIN_MS,
        async () => (await channels[channel]?.send(told, cut.signal, context)) ?? UNSENT,
        () => {
          cut.abort();
          return LATE;
        },
      );
    } catch (error) {
      onError(error);
      return FAILED;
    } finally {
      this.#aborting.signal.removeEventListener('abort', follow);
    }
  }

  #ending(
    { attempts, channel, message, notBeforeMs, deadlineAtMs }: GateMessage,
    outcome: Outcome,
  ): Ending {
    const { clock, random } = this.#options;
    if (outcome.kind === 'delivered') return { state: 'delivered', notBeforeMs, gaveUp: null };
    const giveUp = (gaveUp: DeliveryReason): Ending => ({ state: 'gave_up', notBeforeMs, gaveUp });
    if (outcome.kind === 'refused') return giveUp(outcome.reason);
    if (attempts >= messageTerms(message.severity).attemptsMax) return giveUp('attempts_exhausted');
    const content = { kind: 'message', channel, message } as const;
    const nextAtMs = nextAttemptAtMs({ content, attempts }, outcome, clock.now(), random());
    if (nextAtMs > deadlineAtMs) return giveUp('deadline');
    return { state: 'pending', notBeforeMs: nextAtMs, gaveUp: null };
  }

  async #end(message: GateMessage, outcome: Outcome, ending: Ending): Promise<void> {
    const { state, notBeforeMs, gaveUp } = ending;
    this.#remember(message.id, outcome, state);
    await this.#write({
      ...{ id: message.id, attempt: message.attempts, state, notBeforeMs },
      reason: gaveUp ?? (outcome.kind === 'delivered' ? 'ok' : outcome.reason),
      detail: outcome.detail,
    });
    this.#options.onAttempt(message, outcome, gaveUp);
  }

  /** Its place is kept meanwhile: nobody sends again what only could not be written down. */
  async #write(update: GateMessageUpdate): Promise<void> {
    const { clock, store, onError } = this.#options;
    for (const waitMs of OUTCOME_AGAIN_MS) {
      try {
        return await store.endGateAttempt(update);
      } catch (error) {
        onError(error);
        await clock.sleep(waitMs, this.#aborting.signal).catch(() => {
          throw error;
        });
      }
    }
    await store.endGateAttempt(update);
  }

  #remember(id: string, outcome: Outcome, state: GateMessage['state']): void {
    const isUnsure = outcome.kind === 'retryable' && outcome.maybeDelivered;
    if (state === 'pending' && isUnsure) this.#unsure.add(id);
    if (state !== 'pending') this.#unsure.delete(id);
    const [oldest] = this.#unsure;
    if (this.#unsure.size > UNSURE_MAX && oldest !== undefined) this.#unsure.delete(oldest);
  }

  #space({ channel }: GateMessage, outcome: Outcome): void {
    const { clock, channels } = this.#options;
    const spacing = channels[channel]?.spacingMs ?? 0;
    const asked = outcome.kind === 'retryable' ? (outcome.retryAfterMs ?? 0) : 0;
    const pauseMs = Math.max(spacing, Math.min(asked, MESSAGE_ASKED_MAX_MS));
    this.#freeAt.set(channel, clock.monotonic() + pauseMs);
  }

  /** What is being sent may finish, for `withinMs` at most; then it is cut off, and said so. */
  async stop(withinMs: number): Promise<void> {
    const { clock } = this.#options;
    await this.#loop?.stop();
    const all = () => Promise.allSettled([...this.#flying.values()]);
    await within(clock, withinMs, all, () => null);
    this.#aborting.abort();
    await within(clock, CUT_OFF_MS, all, () => null);
  }
}

/** An attempt was begun and has no outcome: what ends sets a later time for the next one. */
function isUnderWay({ attemptedAtMs, notBeforeMs }: GateMessage): boolean {
  return attemptedAtMs !== null && notBeforeMs <= attemptedAtMs;
}

/** No wait is planned longer than the longest there is, whatever was done to the clock since. */
function isDue(message: GateMessage, nowMs: number): boolean {
  const { attempts, attemptedAtMs, notBeforeMs } = message;
  if (attemptedAtMs !== null && isUnderWay(message)) {
    return Math.abs(nowMs - attemptedAtMs) >= UNDER_WAY_MS;
  }
  const longestMs = attempts === 0 ? HELD_MAX_MS : MESSAGE_ASKED_MAX_MS;
  return nowMs >= notBeforeMs || notBeforeMs - nowMs > longestMs;
}

/** Most services cannot tell a repetition: people are told. */
function marked(message: Message, isRepeated: boolean, isUnsure: boolean): Message {
  const line = isRepeated
    ? 'canaryd was restarted while sending this: you may have seen it before.'
    : 'An earlier try of this message got no answer: you may have seen it before.';
  return isRepeated || isUnsure ? { ...message, lines: [...message.lines, line] } : message;
}

const again = { kind: 'retryable', retryAfterMs: null } as const;
const LATE: Outcome = {
  ...again,
  reason: 'timeout',
  detail: `no answer within ${SEND_WITHIN_MS / 1_000} s; it may have arrived`,
  maybeDelivered: true,
};
const FAILED: Outcome = {
  ...again,
  reason: 'not_started',
  detail: 'canaryd itself failed to send it; its log says why',
  maybeDelivered: true,
};
const UNSENT: Outcome = {
  kind: 'refused',
  reason: 'misconfigured',
  detail: 'the config no longer defines the channel',
};
