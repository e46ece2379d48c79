// Which message goes next: queues of messages that must keep their order and their pace. Sends
// nothing and knows no time.
import {
  type Delivery,
  type DeliveryContent,
  isDue,
  type Message,
  type Outcome,
  type SendContext,
  type Severity,
} from '../core/delivery.ts';
import type { DeliveryReason } from '../core/event.ts';
import { DIGEST_MAX, digestOf, isMerged, MERGE_MAX, mergeMessages } from '../core/merge.ts';
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

export type MessageContent = Extract<DeliveryContent, { kind: 'message' }>;

export type Channel = {
  readonly send: (message: Message, signal: AbortSignal, context?: SendContext) => Promise<Outcome>;
  /** Messages of different lanes neither wait for each other nor share a pace; default: one lane. */
  readonly lane?: (message: Message) => string;
  /** Whether it may be put together with others of its kind; default: it may. */
  readonly merges?: (message: Message) => boolean;
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

/**
 * What goes out together with a delivery whose time has come: a storm of one kind, or all that the
 * quiet hours held back. The first is the delivery itself.
 */
export function companyOf(
  first: Delivery,
  queue: readonly Delivery[],
  channels: Readonly<Record<string, Channel>>,
  nowMs: number,
): readonly [Delivery, ...Delivery[]] {
  const key = companyKey(first, channels);
  if (key === null) return [first];
  const isHeld = key === HELD;
  const others = queue.filter((delivery) => {
    if (delivery.id === first.id || !isDue(delivery, nowMs)) return false;
    if (companyKey(delivery, channels) !== key) return false;
    // What may have arrived ends by itself; the news of a night is told again.
    return isHeld || (!delivery.inFlight && !first.inFlight);
  });
  const company = others.slice(0, (isHeld ? DIGEST_MAX : MERGE_MAX) - 1);
  return [first, ...company];
}

const HELD = 'held';

function companyKey(
  { content }: Delivery,
  channels: Readonly<Record<string, Channel>>,
): string | null {
  if (content.kind === 'action') return null;
  const { channel, message, heldUntilMs } = content;
  if (channels[channel]?.merges?.(message) === false) return null;
  if (heldUntilMs !== undefined) return HELD;
  return isMerged(message) ? message.kind : null;
}

/** What the channel is given for all of them. */
export function joined(messages: readonly [MessageContent, ...MessageContent[]]): Message {
  const [first, ...others] = messages;
  const all = [first.message, ...others.map(({ message }) => message)] as const;
  const { heldUntilMs } = first;
  return heldUntilMs === undefined ? mergeMessages(all) : digestOf(all, heldUntilMs);
}

/** Waits for its retry or on purpose, and those behind it need not. */
export function mayBePassed({ content, attempts, lastReason }: Delivery): boolean {
  if (attempts === 0 || lastReason === null) {
    if (content.kind === 'action') return false;
    return content.heldUntilMs !== undefined || content.call !== undefined;
  }
  return attempts >= HOLDS_OTHERS_ATTEMPTS || !ROAD_REASONS.includes(lastReason);
}

const VERDICTS = ['watch.passed', 'watch.inconclusive', 'rollback.confirmed'];

/** Better read twice than missed: what is critical, every verdict, and the news of a night. */
export function isWorthRepeating(content: MessageContent): boolean {
  const { severity, kind } = content.message;
  const isHeld = content.heldUntilMs !== undefined;
  return severity === 'critical' || VERDICTS.includes(kind) || isHeld;
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
  const { receipt } = outcome.kind === 'refused' ? {} : outcome;
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

/** A message that may have arrived before says so: Slack cannot tell a repetition. */
export function repeatMarked(message: Message, begun: readonly Delivery[]): Message {
  const isOpen = ({ attempts, lastReason }: Delivery) =>
    attempts > 1 && (lastReason === 'timeout' || lastReason === 'interrupted');
  const line = begun.some(({ inFlight }) => inFlight)
    ? 'canaryd was restarted while sending this: you may have seen it before.'
    : begun.some(isOpen)
      ? 'An earlier try of this message got no answer: you may have seen it before.'
      : null;
  return line === null ? message : { ...message, lines: [...message.lines, line] };
}
