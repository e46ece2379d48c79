// Writes down what came of an attempt, until it is written: together with what it decides of the
// watch (`src/core/verify.ts`), in one transaction. Sends nothing.
import { type Delivery, nextAttemptAtMs, type Outcome } from '../core/delivery.ts';
import type { DeliveryReason } from '../core/event.ts';
import { decideOutcome } from '../core/verify.ts';
import type { WatchState } from '../core/watch.ts';
import type { DeliveryUpdate, Journal } from '../journal/journal.ts';
import type { Clock } from '../kit/clock.ts';
import type { Random } from '../kit/random.ts';
import { reasonKept, receiptOf } from './lanes.ts';
import type { Decision, Ledger } from './ledger.ts';

/**
 * What came of an attempt is known, but the journal takes no writes: written again after these
 * waits, so that nothing is sent again meanwhile. Then the attempt is repeated under its id.
 */
const OUTCOME_AGAIN_MS: readonly number[] = [
  ...[500, 1_000, 2_000, 4_000, 8_000, 15_000],
  ...[20_000, 20_000, 20_000, 20_000, 20_000, 20_000],
];
const NEEDLESS: readonly DeliveryReason[] = ['acknowledged', 'resolved'];

type Retryable = Extract<Outcome, { kind: 'retryable' }>;

export type OutcomeWriterOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly journal: Journal;
  readonly ledger: Ledger;
  readonly onAttempt: (delivery: Delivery, outcome: Outcome, gaveUp: DeliveryReason | null) => void;
  readonly onError: (error: unknown, watchId: string) => void;
};

export class OutcomeWriter {
  readonly #options: OutcomeWriterOptions;

  constructor(options: OutcomeWriterOptions) {
    this.#options = options;
  }

  /**
   * One outcome for all that went out together. Their place is kept meanwhile: nobody sends again
   * what only could not be written down.
   */
  async inTheEnd(begun: readonly Delivery[], outcome: Outcome, signal: AbortSignal): Promise<void> {
    const { clock, onError } = this.#options;
    const left = new Set(begun);
    for (const waitMs of OUTCOME_AGAIN_MS) {
      try {
        return await this.#recordAll(left, outcome);
      } catch (error) {
        onError(error, begun[0]?.watchId ?? '');
        // Shutting down: the next start, or another replica, repeats it under the same id.
        await clock.sleep(waitMs, signal).catch(() => {
          throw error;
        });
      }
    }
    await this.#recordAll(left, outcome);
  }

  /** They are tried again at one time, so that they stay together. */
  async #recordAll(left: Set<Delivery>, outcome: Outcome): Promise<void> {
    const { clock, random } = this.#options;
    let againAtMs: number | null = null;
    const again = ({ content }: Delivery, failure: Retryable): number => {
      const attempts = Math.max(...[...left].map((one) => one.attempts));
      againAtMs ??= nextAttemptAtMs({ content, attempts }, failure, clock.now(), random());
      return againAtMs;
    };
    for (const delivery of [...left]) {
      await this.#record(delivery, outcome, again);
      left.delete(delivery);
    }
  }

  async #record(
    delivery: Delivery,
    outcome: Outcome,
    again: (delivery: Delivery, failure: Retryable) => number,
  ): Promise<void> {
    if (outcome.kind === 'delivered') return this.end(delivery, outcome, null);
    if (outcome.kind === 'refused') return this.end(delivery, outcome, outcome.reason);
    if (delivery.attempts >= delivery.attemptsMax) {
      return this.end(delivery, outcome, 'attempts_exhausted');
    }
    const nextAtMs = again(delivery, outcome);
    if (nextAtMs > delivery.deadlineAtMs) return this.end(delivery, outcome, 'deadline');
    await this.#write(delivery, outcome, null, {
      id: delivery.id,
      attempt: delivery.attempts,
      state: 'pending',
      notBeforeMs: nextAtMs,
      reason: reasonKept(delivery, outcome),
      detail: outcome.detail,
      ...receiptOf(outcome),
    });
  }

  end(delivery: Delivery, outcome: Outcome, gaveUp: DeliveryReason | null): Promise<void> {
    return this.#write(delivery, outcome, gaveUp, {
      id: delivery.id,
      attempt: delivery.attempts,
      state: gaveUp === null ? 'delivered' : 'gave_up',
      notBeforeMs: delivery.notBeforeMs,
      reason: gaveUp ?? 'ok',
      detail: outcome.detail,
      ...receiptOf(outcome),
    });
  }

  async #write(
    delivery: Delivery,
    outcome: Outcome,
    gaveUp: DeliveryReason | null,
    update: DeliveryUpdate,
  ): Promise<void> {
    const { clock, ledger, journal, onAttempt } = this.#options;
    const { content, attempts } = delivery;
    const atMs = clock.now();
    await ledger.decide(delivery.watchId, atMs, async ({ state }) => {
      const stored = await journal.delivery(delivery.id);
      // Given up meanwhile (superseded): the decision stands. But what was taken on all the same
      // may undo the newer deploy, and has to be known.
      if (stored?.state !== 'pending') return takenOnLate(delivery, outcome, state, atMs);
      // Held to be dead, another replica tries again: its attempt says what comes next.
      if (stored.attempts !== attempts && outcome.kind !== 'delivered') return null;
      // An earlier write of this outcome went through, and only its answer was lost.
      const isWritten = update.state === 'pending' && !stored.inFlight;
      if (isWritten) return null;
      const events =
        content.kind === 'action'
          ? decideOutcome(state, { action: content.action, attempts, outcome, gaveUp, atMs })
          : [];
      return { events, updates: [update] };
    });
    // A call that is not needed any more is no failure.
    if (gaveUp === null || !NEEDLESS.includes(gaveUp)) onAttempt(delivery, outcome, gaveUp);
  }
}

/** An action was given up while its last attempt was under way, and the receiver took it on. */
function takenOnLate(
  { content, attempts }: Delivery,
  outcome: Outcome,
  state: WatchState,
  atMs: number,
): Decision | null {
  if (content.kind !== 'action' || outcome.kind !== 'delivered') return null;
  const { action } = content;
  if (state.actions[action] !== 'gave_up') return null;
  const detail = `It was taken on after canaryd had given it up: check which version runs (${outcome.detail})`;
  const afterMs = atMs - (state.stop?.atMs ?? atMs);
  return { events: [{ type: 'action.accepted', action, attempts, detail, afterMs }] };
}
