// Turns what was appended and sent into metrics and live changes. Decides nothing, writes nothing.
import type { Delivery, Outcome } from '../core/delivery.ts';
import type { DeliveryReason } from '../core/event.ts';
import type { Policy } from '../core/policy.ts';
import type { Readings } from '../core/read.ts';
import { isActive, verifiedAction, type WatchState } from '../core/watch.ts';
import { hideConditionState, type Metrics, showConditionState } from '../metrics/metrics.ts';
import type { Appended } from './ledger.ts';
import type { Subscribers } from './subscribers.ts';

export class Observer {
  readonly #metrics: Metrics;
  readonly #subscribers: Subscribers;

  constructor(metrics: Metrics, subscribers: Subscribers) {
    this.#metrics = metrics;
    this.#subscribers = subscribers;
  }

  appended(appended: Appended): void {
    const { watchId, before, after, record, events, tick } = appended;
    for (const event of events) this.#subscribers.publish({ kind: 'event', watchId, event });
    if (tick !== null) {
      this.#subscribers.publish({ kind: 'tick', watchId, tick });
      this.#conditions(record.policy, appended);
    }
    const { verdicts, rollbacksUnconfirmed } = this.#metrics;
    if (before.phase === 'watching' && after.phase !== 'watching') {
      verdicts.inc({ phase: after.phase });
    }
    for (const event of events) {
      if (event.type === 'rollback.not_confirmed' && event.reason !== 'superseded') {
        rollbacksUnconfirmed.inc();
      }
      if (event.type === 'action.accepted' && event.action === verifiedAction(after.actions)) {
        this.#stopLatency(after, event.atMs);
      }
    }
    // Once: a message sent later must not hide the conditions of the service's next watch.
    if (isActive(before) && !record.isActive) this.hide(record.policy);
  }

  #conditions(policy: Policy, { record }: Appended): void {
    for (const [condition, { state }] of Object.entries(record.track?.conditions ?? {})) {
      showConditionState(this.#metrics, policy.service, condition, state);
    }
  }

  /** Its conditions are shown by nobody, or by another replica. */
  hide(policy: Policy): void {
    for (const { id } of [...policy.conditions, ...(policy.verify?.conditions ?? [])]) {
      hideConditionState(this.#metrics, policy.service, id);
    }
  }

  #stopLatency(state: WatchState, acceptedAtMs: number): void {
    const since = state.stop?.conditions.map(({ sinceMs }) => sinceMs) ?? [];
    if (since.length === 0) return;
    this.#metrics.stopLatency.observe((acceptedAtMs - Math.min(...since)) / 1_000);
  }

  ticked(nowMs: number, lagMs: number, tookMs: number, readings: Readings): void {
    const { tickLag, tickDuration, lastEvaluation, samples } = this.#metrics;
    tickLag.observe(lagMs / 1_000);
    tickDuration.observe(tookMs / 1_000);
    lastEvaluation.set(nowMs / 1_000);
    for (const reading of Object.values(readings)) {
      samples.inc({ outcome: reading.kind === 'value' ? 'value' : reading.reason });
    }
  }

  attempted(
    { content }: Pick<Delivery, 'content'>,
    outcome: Outcome,
    gaveUp: DeliveryReason | null,
  ): void {
    const kind = content.kind === 'action' ? content.action : 'message';
    const result = outcome.kind === 'delivered' ? 'delivered' : gaveUp ? 'gave_up' : 'retryable';
    this.#metrics.deliveries.inc({ kind, outcome: result });
    if (content.kind === 'message' && gaveUp !== null) {
      this.#metrics.notificationFailures.inc({ channel: content.channel });
    }
  }
}
