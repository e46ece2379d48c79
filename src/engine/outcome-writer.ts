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
const NEEDLESS: readonly DeliveryReason[] = ['acknowledged', 'resolved', 'superseded'];

/** What came of a delivery; `gaveUp` null: it was delivered, or is tried again. */
export type Ending = {
  readonly delivery: Delivery;
  readonly outcome: Outcome;
  readonly gaveUp: DeliveryReason | null;
};

type Written = Ending & { readonly update: DeliveryUpdate };

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
    for (const waitMs of OUTCOME_AGAIN_MS) {
      try {
        return await this.#record(begun, outcome);
      } catch (error) {
        onError(error, begun[0]?.watchId ?? '');
        // Shutting down: the next start, or another replica, repeats it under the same id.
        await clock.sleep(waitMs, signal).catch(() => {
          throw error;
        });
      }
    }
    await this.#record(begun, outcome);
  }

  /** They end together, or are tried again at one time, so that they stay together. */
  async #record(begun: readonly Delivery[], outcome: Outcome): Promise<void> {
    const [first] = begun;
    if (first === undefined) return;
    const { clock, random } = this.#options;
    const all = (gaveUp: DeliveryReason | null) =>
      this.end(begun.map((delivery) => ({ delivery, outcome, gaveUp })));
    if (outcome.kind === 'delivered') return all(null);
    if (outcome.kind === 'refused') return all(outcome.reason);
    const attempts = Math.max(...begun.map((one) => one.attempts));
    const attemptsMax = Math.min(...begun.map((one) => one.attemptsMax));
    if (attempts >= attemptsMax) return all('attempts_exhausted');
    const { content } = first;
    const nextAtMs = nextAttemptAtMs({ content, attempts }, outcome, clock.now(), random());
    const deadlineAtMs = Math.min(...begun.map((one) => one.deadlineAtMs));
    if (nextAtMs > deadlineAtMs) return all('deadline');
    const again = begun.map((delivery): Written => {
      const update: DeliveryUpdate = {
        id: delivery.id,
        attempt: delivery.attempts,
        state: 'pending',
        notBeforeMs: nextAtMs,
        reason: reasonKept(delivery, outcome),
        detail: outcome.detail,
        ...receiptOf(outcome),
      };
      return { delivery, outcome, gaveUp: null, update };
    });
    await this.#write(again);
  }

  end(endings: readonly Ending[]): Promise<void> {
    const written = endings.map((ending): Written => {
      const { delivery, outcome, gaveUp } = ending;
      const update: DeliveryUpdate = {
        id: delivery.id,
        attempt: delivery.attempts,
        state: gaveUp === null ? 'delivered' : 'gave_up',
        notBeforeMs: delivery.notBeforeMs,
        reason: gaveUp ?? 'ok',
        detail: outcome.detail,
        ...receiptOf(outcome),
      };
      return { ...ending, update };
    });
    return this.#write(written);
  }

  /** In one transaction, with what it decides of each watch. */
  async #write(written: readonly Written[]): Promise<void> {
    const { clock, ledger, onAttempt } = this.#options;
    const atMs = clock.now();
    const byWatch = Map.groupBy(written, ({ delivery }) => delivery.watchId);
    await ledger.decideAll([...byWatch.keys()], atMs, async ({ record, state }) => {
      const own = byWatch.get(record.id) ?? [];
      const decisions = await Promise.all(own.map((one) => this.#decided(one, state, atMs)));
      const events = decisions.flatMap((decision) => decision?.events ?? []);
      const updates = decisions.flatMap((decision) => decision?.updates ?? []);
      return events.length + updates.length === 0 ? null : { events, updates };
    });
    for (const { delivery, outcome, gaveUp } of written) {
      // A call that is not needed any more is no failure.
      if (gaveUp === null || !NEEDLESS.includes(gaveUp)) onAttempt(delivery, outcome, gaveUp);
    }
  }

  async #decided(
    { delivery, outcome, gaveUp, update }: Written,
    state: WatchState,
    atMs: number,
  ): Promise<Decision | null> {
    const { content, attempts } = delivery;
    const stored = await this.#options.journal.delivery(delivery.id);
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
