// Which message goes next: queues of messages that must keep their order and their pace. Sends
// nothing and knows no time.
import type { Delivery, Message, Outcome, SendContext, Severity } from '../core/delivery.ts';
import type { DeliveryReason } from '../core/event.ts';
import type { DeliveryUpdate, Journal } from '../journal/journal.ts';

/** About two minutes: then the trouble may be the message's own, and the others pass it. */
const HOLDS_OTHERS_ATTEMPTS = 8;
/** The road is bad, not the message: those behind it would fail too, and order is kept. */
const ROAD_REASONS: readonly DeliveryReason[] = [
  'network',
  'timeout',
  'rate_limited',
  'server_error',
  'bad_response',
  'interrupted',
];

export type Channel = {
  readonly send: (message: Message, signal: AbortSignal, context?: SendContext) => Promise<Outcome>;
  /** Messages of different lanes neither wait for each other nor share a pace; default: one lane. */
  readonly lane?: (message: Message) => string;
  /** Least time between two sends. */
  readonly spacingMs: number;
};
const RANK: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, info: 1 };

/** The most urgent first, else in planned order. */
export function messagesByLane(
  pending: readonly Delivery[],
  channels: Readonly<Record<string, Channel>>,
): Map<string, Delivery[]> {
  const queues = new Map<string, Delivery[]>();
  for (const delivery of pending) {
    const { content } = delivery;
    if (content.kind !== 'message') continue;
    const name = `${content.channel}/${channels[content.channel]?.lane?.(content.message) ?? ''}`;
    const queue = queues.get(name) ?? [];
    queue.push(delivery);
    queues.set(name, queue);
  }
  const rank = ({ content }: Delivery) =>
    content.kind === 'message' ? RANK[content.message.severity] : 0;
  for (const queue of queues.values()) {
    queue.sort((a, b) => rank(a) - rank(b) || a.order - b.order);
  }
  return queues;
}

/** Waits for its retry, and those behind it need not. */
export function mayBePassed({ attempts, lastReason }: Delivery): boolean {
  if (attempts === 0 || lastReason === null) return false;
  return attempts >= HOLDS_OTHERS_ATTEMPTS || !ROAD_REASONS.includes(lastReason);
}

const VERDICTS = ['watch.passed', 'watch.inconclusive', 'rollback.confirmed'];

/** Better read twice than missed: what is critical, and every verdict. */
export function isWorthRepeating({ severity, kind }: Message): boolean {
  return severity === 'critical' || VERDICTS.includes(kind);
}

/** What is known of the attempts so far, for those who act by hand now. */
export function soFar({ attempts, inFlight, lastDetail }: Delivery): string {
  if (inFlight) return 'canaryd ended during an attempt; it may have arrived';
  return attempts === 0 ? 'it was not sent' : `last attempt: ${lastDetail}`;
}

export function sendContext(deliveryId: string, channel: string, journal: Journal): SendContext {
  return { deliveryId, receipts: (watchId) => journal.receipts(watchId, channel) };
}

export function receiptOf(outcome: Outcome): Pick<DeliveryUpdate, 'receipt'> {
  const { receipt } = outcome.kind === 'delivered' ? outcome : {};
  return receipt === undefined ? {} : { receipt };
}

/** After these nobody knows whether it arrived. */
const OPEN_REASONS: readonly (DeliveryReason | null)[] = ['timeout', 'interrupted'];

/**
 * Why a message is tried again. That one of its tries may have arrived is not forgotten when a
 * later one fails for certain: the next one still has to say so.
 */
export function reasonKept(
  { content, inFlight, lastReason }: Delivery,
  { reason, maybeDelivered }: Extract<Outcome, { kind: 'retryable' }>,
): DeliveryReason {
  if (content.kind === 'action' || OPEN_REASONS.includes(reason)) return reason;
  const isOpen = maybeDelivered || inFlight || OPEN_REASONS.includes(lastReason);
  return isOpen ? 'interrupted' : reason;
}
