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
import {
  DIGEST_MAX,
  digestOf,
  isMerged,
  MERGE_MAX,
  mergeMessages,
  STORM_MIN,
} from '../core/merge.ts';
import type { DeliveryUpdate, Journal } from '../journal/journal.ts';
import type { Ledger } from './ledger.ts';

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
  /** Its service keeps incidents: it is told every end, at once, and nothing that is out of date. */
  readonly keepsIncidents?: boolean;
  /** Whether people read it, other than in hindsight; default: they do. */
  readonly isRead?: boolean;
  /** Least time between two sends. */
  readonly spacingMs: number;
};
/** Monotonic times: a wall clock that is set back must not silence a lane. */
export type LaneState = {
  /** What is being sent: the id of its first delivery. */
  busyWith: string | null;
  freeAt: number;
  /** Of a kind that comes in storms: until when the next message waits. */
  readonly calm: Map<string, number>;
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
 * Which delivery's turn it is: of those that wait to be gathered with others, none is overtaken by a
 * later one of its watch. It goes first then, before its time.
 * @param queue of one lane, in its order
 */
export function turnOf(
  delivery: Delivery,
  queue: readonly Delivery[],
  channels: Readonly<Record<string, Channel>>,
): Delivery {
  if (isCritical(delivery) || isHeld(delivery)) return delivery;
  const key = companyKey(delivery, channels);
  const isEarlier = (other: Delivery) =>
    other.watchId === delivery.watchId &&
    other.order < delivery.order &&
    gathers(other) &&
    companyKey(other, channels) !== key;
  const earlier = queue.find(isEarlier);
  return earlier === undefined ? delivery : turnOf(earlier, queue, channels);
}

/**
 * What goes out together with a delivery whose time has come: a storm of one kind, or all that the
 * quiet hours held back. The first is the delivery itself. What was tried together is tried again
 * together, under the same id, and nothing new joins it.
 */
export function companyOf(
  first: Delivery,
  queue: readonly Delivery[],
  channels: Readonly<Record<string, Channel>>,
  nowMs: number,
): readonly [Delivery, ...Delivery[]] {
  const key = companyKey(first, channels);
  if (key === null) return [first];
  const isNight = key === HELD;
  const mayJoin = (delivery: Delivery) => {
    if (first.attempts > 0) return wentTogether(first, delivery);
    if (delivery.attempts > 0) return false;
    // Of a storm also those whose own time has not come yet.
    return isNight ? isDue(delivery, nowMs) : turnOf(delivery, queue, channels) === delivery;
  };
  const others = queue.filter(
    (other) => other.id !== first.id && companyKey(other, channels) === key && mayJoin(other),
  );
  const company = others.slice(0, (isNight ? DIGEST_MAX : MERGE_MAX) - 1);
  const isOfOne = company.every(({ watchId }) => watchId === first.watchId);
  const isFew = !isNight && !isOfOne && company.length + 1 < STORM_MIN;
  return isFew ? [first] : [first, ...company];
}

/** The others that went out with it in its last attempt were begun and ended at the same instants. */
function wentTogether(first: Delivery, other: Delivery): boolean {
  const isBegun =
    other.attempts === first.attempts &&
    other.attemptedAtMs === first.attemptedAtMs &&
    other.holder === first.holder &&
    other.inFlight === first.inFlight;
  return isBegun && (first.inFlight || other.notBeforeMs === first.notBeforeMs);
}

/** The kind of which no further message goes out for a while after these; null: none. */
export function calmedBy(
  company: readonly [Delivery, ...Delivery[]],
  queue: readonly Delivery[],
  channels: Readonly<Record<string, Channel>>,
): string | null {
  const [first] = company;
  const key = companyKey(first, channels);
  if (key === null || key === HELD) return null;
  const isLike = (other: Delivery) => gathers(other) && companyKey(other, channels) === key;
  // Two are no storm: the second one follows when its time has come.
  const isFirstOfTwo = company.length === 1 && queue.filter(isLike).length === 2;
  return isFirstOfTwo && first.attempts === 0 ? null : key;
}

/** One of its kind went out just now: it waits for those that follow it. */
export function isCalm(
  delivery: Delivery,
  { calm }: LaneState,
  channels: Readonly<Record<string, Channel>>,
  now: number,
): boolean {
  const key = gathers(delivery) ? companyKey(delivery, channels) : null;
  return key !== null && now < (calm.get(key) ?? 0);
}

/** Waits for others of its kind, never tried yet. */
function gathers({ content, attempts }: Delivery): boolean {
  if (attempts > 0 || content.kind === 'action') return false;
  return content.heldUntilMs === undefined && isMerged(content.message);
}

function isCritical({ content }: Delivery): boolean {
  return content.kind === 'message' && content.message.severity === 'critical';
}

function isHeld({ content }: Delivery): boolean {
  return content.kind === 'message' && content.heldUntilMs !== undefined;
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

/**
 * What the channel is given for all of them.
 * @param isOpen whether something of a watch waits for a person now
 */
export function joined(
  messages: readonly [MessageContent, ...MessageContent[]],
  isOpen: (watchId: string) => boolean,
): Message {
  const [first, ...others] = messages;
  const all = [first.message, ...others.map(({ message }) => message)] as const;
  const { heldUntilMs } = first;
  return heldUntilMs === undefined ? mergeMessages(all) : digestOf(all, heldUntilMs, isOpen);
}

/** Waits for its retry or on purpose, and those behind it need not. */
export function mayBePassed(delivery: Delivery): boolean {
  const { content, attempts, lastReason } = delivery;
  if (attempts === 0 || lastReason === null) {
    if (content.kind === 'action') return false;
    return isHeld(delivery) || content.call !== undefined || gathers(delivery);
  }
  return attempts >= HOLDS_OTHERS_ATTEMPTS || !ROAD_REASONS.includes(lastReason);
}

const VERDICTS = ['watch.passed', 'watch.inconclusive', 'rollback.confirmed'];

/**
 * Better read twice than missed: what is critical, every verdict, the news of a night, and what may
 * stand for fifty watches.
 */
export function isWorthRepeating(content: MessageContent): boolean {
  const { severity, kind } = content.message;
  const isOfMany = content.heldUntilMs !== undefined || isMerged(content.message);
  return severity === 'critical' || VERDICTS.includes(kind) || isOfMany;
}

/** What is known of the attempts so far, for those who act by hand now. */
export function soFar({ attempts, inFlight, lastDetail }: Delivery): string {
  if (inFlight) return 'canaryd ended during an attempt; it may have arrived';
  return attempts === 0 ? 'it was not sent' : `last attempt: ${lastDetail}`;
}

export function sendContext(
  deliveryId: string,
  channel: string,
  { journal, ledger }: { readonly journal: Journal; readonly ledger: Pick<Ledger, 'isOpen'> },
): SendContext {
  return {
    deliveryId,
    receipts: (watchId) => journal.receipts(watchId, channel),
    isOpen: (watchId) => ledger.isOpen(watchId),
  };
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
