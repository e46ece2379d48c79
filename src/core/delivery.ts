// A delivery is a planned send (an action or a message); an attempt is one try of it.
// Deliveries are written in the same transaction as the decision that implies them (J1).
import type { Call } from './escalation.ts';
import type { DeliveryReason } from './event.ts';
import type { Decision } from './gate-record.ts';
import type { ActionName } from './policy.ts';

/** How one attempt ended. A time-out is `maybeDelivered`, never simply "failed". */
export type Outcome =
  | {
      readonly kind: 'delivered';
      readonly detail: string;
      /** What the channel wants to be shown again with later messages of the watch. */
      readonly receipt?: string;
    }
  | {
      readonly kind: 'retryable';
      readonly reason: DeliveryReason;
      readonly detail: string;
      /** What the receiver asked us to wait. */
      readonly retryAfterMs: number | null;
      readonly maybeDelivered: boolean;
      /** A part of it is done: the next attempt is shown this. */
      readonly receipt?: string;
    }
  | { readonly kind: 'refused'; readonly reason: DeliveryReason; readonly detail: string };

/** Of a message that a channel delivered, or began to; only that channel can read the receipt. */
export type Receipt = { readonly kind: Message['kind']; readonly receipt: string };

/** What an attempt may know besides its message. */
export type SendContext = {
  readonly deliveryId: string;
  /** Of what this channel has delivered or begun for the watch, the oldest first. */
  readonly receipts: (watchId: string) => Promise<readonly Receipt[]>;
  /** Whether something of the watch waits for a person, by the journal as it is now. */
  readonly isOpen?: (watchId: string) => Promise<boolean>;
};

export type DeliveryState = 'pending' | 'delivered' | 'gave_up';

export type Severity = 'critical' | 'warning' | 'info';

/** What a message does to the incident of its watch, in services that know incidents. */
export type IncidentStep = 'opens' | 'acknowledges' | 'closes';

/** What a person is told: plain text only; each channel escapes, formats and cuts it. */
export type Message = {
  readonly kind: string;
  readonly severity: Severity;
  /** One line, at most 150 characters: what a phone's lock screen shows. */
  readonly headline: string;
  /** Sentences under it, the most important first. */
  readonly lines: readonly string[];
  /** `title: value` pairs, at most 6. */
  readonly fields: readonly (readonly [title: string, value: string])[];
  /** What a human should do now, or what canaryd does next; null when nothing. */
  readonly next: string | null;
  readonly links: readonly { readonly label: string; readonly url: string }[];
  /** Empty: it is of no watch, such as the decision of a gate. */
  readonly watchId: string;
  readonly atMs: number;
  /** Absent in messages of old journals, and when no deploy is known. */
  readonly deploy?: {
    readonly service: string;
    readonly environment: string;
    readonly version: string;
    readonly previousVersion: string | null;
    /** Absent in messages of old journals. */
    readonly deployedAtMs?: number;
  };
  /** The decision that it tells. */
  readonly gate?: {
    readonly name: string;
    readonly record: string;
    readonly decision: Decision;
    readonly isOverridden: boolean;
  };
  /** Absent: the incident stays as it is. */
  readonly incident?: IncidentStep;
  /** Where one cause is behind it all: the same one makes a storm. */
  readonly cause?: { readonly reason: string; readonly detail: string };
  /** Quiet hours: channels that can, deliver it without a sound. */
  readonly isSilent?: boolean;
  /** What it puts together; `watchId` is then that of the first. */
  readonly merged?: readonly Pick<
    Message,
    'kind' | 'watchId' | 'atMs' | 'headline' | 'incident' | 'deploy'
  >[];
};

/** What the webhook's or command's receiver is told. */
export type ActionPayload = {
  readonly type: `canaryd.${ActionName}`;
  /** ISO 8601, of the decision. */
  readonly timestamp: string;
  readonly data: {
    readonly watch: string;
    readonly service: string;
    readonly environment: string;
    readonly version: string;
    readonly previous_version: string | null;
    readonly conditions: readonly {
      readonly condition: string;
      readonly indicator: string;
      readonly value: number;
      readonly limit: number | null;
      /** ISO 8601. */
      readonly since: string;
      readonly samples: number;
    }[];
    readonly reason: string;
    readonly url: string | null;
  };
};

export type DeliveryContent =
  | { readonly kind: 'action'; readonly action: ActionName; readonly payload: ActionPayload }
  | {
      readonly kind: 'message';
      readonly channel: string;
      readonly message: Message;
      /** Of the event that it tells; absent in old journals. */
      readonly seq?: number;
      /** Quiet hours: it goes out then, in one digest with all that was held for the channel. */
      readonly heldUntilMs?: number;
      /** Not sent when somebody looks after it by then, or nothing is open. */
      readonly call?: Call;
    };

export type Delivery = {
  /** Deterministic: the same after a crash. Webhook id and idempotency key. */
  readonly id: string;
  readonly watchId: string;
  /** Order in which deliveries were planned; messages of a channel go out in this order. */
  readonly order: number;
  readonly content: DeliveryContent;
  readonly state: DeliveryState;
  readonly attempts: number;
  /** When the last attempt began; null before the first. */
  readonly attemptedAtMs: number | null;
  /** An attempt began and no outcome was written: it may have arrived. */
  readonly inFlight: boolean;
  /** The replica that began the last attempt; null before the first. */
  readonly holder: string | null;
  readonly createdAtMs: number;
  readonly notBeforeMs: number;
  /** Goes out as soon as that delivery has ended, without waiting for `notBeforeMs`. */
  readonly afterDelivery: string | null;
  /** No attempt starts later. */
  readonly deadlineAtMs: number;
  readonly attemptsMax: number;
  readonly lastReason: DeliveryReason | null;
  readonly lastDetail: string | null;
  /** What its channel gave out when it delivered it, or a part of it; null when nothing. */
  readonly receipt: string | null;
};

export type NewDelivery = Omit<
  Delivery,
  | 'order'
  | 'state'
  | 'attempts'
  | 'attemptedAtMs'
  | 'inFlight'
  | 'holder'
  | 'lastReason'
  | 'lastDetail'
  | 'receipt'
>;

/** A dead disarm endpoint delays the rollback by this much at most. */
export const ROLLBACK_WAITS_FOR_DISARM_MS = 3_000;
/** Longest wait between two attempts of an action: a rollback is worthless after minutes. */
export const ACTION_BACKOFF_MAX_MS = 20_000;
const MESSAGE_BACKOFF_MAX_MS = 60_000;
/** A channel may ask us to wait this long, not longer. */
export const MESSAGE_ASKED_MAX_MS = 300_000;

/**
 * When to try again: doubling from one second with full jitter in the upper half, at least what
 * the receiver asked for (capped, so that it cannot park a rollback).
 * @param jitter in [0, 1)
 */
export function nextAttemptAtMs(
  delivery: Pick<Delivery, 'content' | 'attempts'>,
  outcome: Extract<Outcome, { kind: 'retryable' }>,
  nowMs: number,
  jitter: number,
): number {
  const isAction = delivery.content.kind === 'action';
  const cap = isAction ? ACTION_BACKOFF_MAX_MS : MESSAGE_BACKOFF_MAX_MS;
  const ceiling = Math.min(cap, 1_000 * 2 ** Math.min(delivery.attempts - 1, 10));
  const backoff = ceiling / 2 + (ceiling / 2) * jitter;
  const asked = Math.min(outcome.retryAfterMs ?? 0, isAction ? cap : MESSAGE_ASKED_MAX_MS);
  return nowMs + Math.max(backoff, asked);
}

/** A held message waits a night at most; what seems longer was planned by another clock. */
const HELD_MAX_MS = 25 * 3_600_000;

/** The clock of the replica that planned it may be ahead by so much. */
const CLOCKS_APART_MAX_MS = 10_000;

/**
 * Whether its time has come. No wait is planned longer than the longest there is: one that seems
 * longer was planned before the wall clock was set back, and is over.
 */
export function isDue(delivery: Delivery, nowMs: number): boolean {
  const { content, attempts, createdAtMs, notBeforeMs } = delivery;
  if (nowMs >= notBeforeMs) return true;
  const leftMs = notBeforeMs - nowMs;
  const isMessage = content.kind === 'message';
  const isHeld = isMessage && content.heldUntilMs !== undefined;
  // Nobody asked for a wait yet: only the clocks of replicas may differ. A call may be late.
  const isFirst = attempts === 0 && isMessage && content.call === undefined;
  const retryMs = isMessage ? MESSAGE_ASKED_MAX_MS : ACTION_BACKOFF_MAX_MS;
  const plannedMs = attempts > 0 ? 0 : isHeld ? HELD_MAX_MS : notBeforeMs - createdAtMs;
  return leftMs > plannedMs + (isFirst ? CLOCKS_APART_MAX_MS : retryMs);
}
