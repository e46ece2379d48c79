// One attempt of an action that was written as begun: sent only while what was found before still
// stands. Writes nothing.
import type { Delivery, Outcome } from '../core/delivery.ts';
import type { DeliveryReason } from '../core/event.ts';
import type { Action } from '../core/policy.ts';
import { type TemplateValues, templateValues } from '../core/template.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kit/clock.ts';
import type { Share } from './share.ts';

/** What was read of a delivery holds for so long; then it is read again before anything is sent. */
export const STANDS_FOR_MS = 2_000;
/** A journal that is slow throughout must not hold up a rollback for good. */
const STANDS_AGAIN_FOR_MS = 6_000;
const LOOKS_MAX = 3;

/** What was found no longer stands: the next look knows what became of it. */
export const NOT_SENT: Outcome = {
  kind: 'retryable',
  reason: 'not_started',
  detail: 'not sent: when its turn came it may have been called off or taken over',
  retryAfterMs: null,
  maybeDelivered: false,
};

export type SendAction = (
  delivery: Delivery,
  action: Action,
  values: TemplateValues,
  signal: AbortSignal,
) => Promise<Outcome>;

/** Why nothing may be sent any more. */
export type Barred = { readonly outcome: Outcome; readonly gaveUp: DeliveryReason };

type Options = {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly share: Pick<Share, 'isCurrent'>;
  readonly sendAction: SendAction;
};

/** What an action is sent with. */
type Standing = { readonly action: Action; readonly values: TemplateValues };

export class ActionSender {
  readonly #options: Options;
  readonly #barred: (delivery: Delivery) => Promise<Barred | null>;

  constructor(options: Options, barred: (delivery: Delivery) => Promise<Barred | null>) {
    this.#options = options;
    this.#barred = barred;
  }

  /**
   * What was found before the attempt was begun may be out of date by now: the journal answered
   * late, or the process was stopped for a while. A newer deploy, a human or another replica may
   * have taken the delivery over; then nothing is sent.
   * @param lookedAt monotonic time before it was found that nothing bars the delivery
   */
  async send(begun: Delivery, lookedAt: number, signal: AbortSignal): Promise<Outcome> {
    const { clock, journal, share } = this.#options;
    const standing = await this.#standingOf(begun);
    for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
      const holdsForMs = looks === 0 ? STANDS_FOR_MS : STANDS_AGAIN_FOR_MS;
      if (clock.monotonic() - lookedAt < holdsForMs) return this.#send(begun, standing, signal);
      lookedAt = clock.monotonic();
      const [stored, barred] = await Promise.all([
        journal.delivery(begun.id),
        this.#barred({ ...begun, inFlight: false }),
      ]);
      if (barred !== null) return barred.outcome;
      const isOurs = stored?.state === 'pending' && stored.attempts === begun.attempts;
      if (!isOurs || !share.isCurrent()) break;
    }
    return NOT_SENT;
  }

  async #standingOf({ content, watchId }: Delivery): Promise<Standing | null> {
    const record = await this.#options.journal.watch(watchId);
    const action = record?.policy.actions.find(
      ({ name }) => content.kind === 'action' && name === content.action,
    );
    if (record === null || action === undefined) return null;
    return { action, values: templateValues(record.deploy, record.id) };
  }

  async #send(
    delivery: Delivery,
    standing: Standing | null,
    signal: AbortSignal,
  ): Promise<Outcome> {
    if (standing !== null) {
      return this.#options.sendAction(delivery, standing.action, standing.values, signal);
    }
    const { content, watchId } = delivery;
    const name = content.kind === 'action' ? content.action : content.kind;
    const detail = `the policy of watch ${watchId} has no action '${name}'`;
    return { kind: 'refused', reason: 'misconfigured', detail };
  }
}
