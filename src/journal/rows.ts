// Rows of a store → the journal's own types. Both stores name and type their columns alike.
import type { Delivery, Receipt } from '../core/delivery.ts';
import { DELIVERY_REASONS, type WatchEvent } from '../core/event.ts';
import type { Tick } from '../core/sample.ts';
import { PHASES, type Phase } from '../core/watch.ts';
import { CanarydError } from '../kit/errors.ts';
import {
  damaged,
  decodeContent,
  decodeDeploy,
  decodeEvent,
  decodePolicy,
  decodeTrack,
} from './codec.ts';
import type { WatchRecord } from './journal.ts';
import type { Row } from './row.ts';
import { decodeTick } from './tick-codec.ts';

/** Integer columns hold whole milliseconds; a backoff with jitter is a fraction. Never early. */
export function wholeMs(ms: number): number {
  return Math.ceil(ms);
}

export function toWatch(row: Row): WatchRecord {
  const id = row.text('id');
  const track = row.textOrNull('track');
  return {
    id,
    deploy: decodeDeploy(row.text('deploy'), id),
    policy: decodePolicy(row.text('policy'), id),
    policyHash: row.text('policy_hash'),
    idempotencyKey: row.textOrNull('idempotency_key'),
    startedAtMs: row.integer('started_at_ms'),
    phase: word(PHASES, row.text('phase'), `the phase of watch ${id}`),
    isActive: row.flag('is_active'),
    closedAtMs: row.integerOrNull('closed_at_ms'),
    revision: row.integer('revision'),
    track: track === null ? null : decodeTrack(track, id),
  };
}

export function toEvent(row: Row): WatchEvent {
  return decodeEvent({
    watchId: row.text('watch_id'),
    seq: row.integer('seq'),
    atMs: row.integer('at_ms'),
    type: row.text('type'),
    body: row.text('body'),
  });
}

/**
 * The events after `afterSeq`, when none of them is missing: a fold with a gap is a wrong state (J7).
 * @param end how many there must be at least
 */
export function unbroken(
  events: readonly WatchEvent[],
  watchId: string,
  afterSeq: number,
  end: number,
): readonly WatchEvent[] {
  for (let index = 0; index < Math.max(events.length, end); index += 1) {
    const seq = afterSeq + index + 1;
    if (events[index]?.seq === seq) continue;
    throw damaged(`event ${seq} of watch ${watchId}`, 'is missing');
  }
  return events;
}

export function toTicks(rows: readonly Row[], watchId: string): readonly Tick[] {
  return rows.map((row) => decodeTick(row.text('readings'), row.integer('at_ms'), watchId));
}

export function toCounts(rows: readonly Row[]): Readonly<Record<Phase, number>> {
  const found = new Map(rows.map((row) => [row.text('phase'), row.integer('watches')]));
  const counts = PHASES.map((phase) => [phase, found.get(phase) ?? 0]);
  return Object.fromEntries(counts) as Record<Phase, number>;
}

export const STATES = ['pending', 'delivered', 'gave_up'] as const;

export function toDelivery(row: Row): Delivery {
  const id = row.text('id');
  const reason = row.textOrNull('last_reason');
  return {
    id,
    watchId: row.text('watch_id'),
    order: row.integer('planned'),
    content: decodeContent(row.text('content'), id),
    state: word(STATES, row.text('state'), `the state of delivery ${id}`),
    attempts: row.integer('attempts'),
    attemptedAtMs: row.integerOrNull('attempted_at_ms'),
    inFlight: row.flag('in_flight'),
    holder: row.textOrNull('holder'),
    createdAtMs: row.integer('created_at_ms'),
    notBeforeMs: row.integer('not_before_ms'),
    afterDelivery: row.textOrNull('after_delivery'),
    deadlineAtMs: row.integer('deadline_at_ms'),
    attemptsMax: row.integer('attempts_max'),
    lastReason:
      reason === null ? null : word(DELIVERY_REASONS, reason, `the reason of delivery ${id}`),
    lastDetail: row.textOrNull('last_detail'),
    receipt: row.textOrNull('receipt'),
  };
}

/** A damaged row is told and left out; with nobody to tell, it is thrown. */
export function toDeliveries(
  rows: readonly Row[],
  onDamaged?: (error: CanarydError) => void,
): readonly Delivery[] {
  if (onDamaged === undefined) return rows.map(toDelivery);
  return rows.flatMap((row) => {
    try {
      return [toDelivery(row)];
    } catch (error) {
      if (!(error instanceof CanarydError)) throw error;
      onDamaged(error);
      return [];
    }
  });
}

/** Rows from the newest to the oldest. The channel is in the text: few rows, no index of its own. */
export function toReceipts(rows: readonly Row[], channel: string): readonly Receipt[] {
  return rows.toReversed().flatMap((row) => {
    const content = decodeContent(row.text('content'), row.text('id'));
    if (content.kind !== 'message' || content.channel !== channel) return [];
    return [{ kind: content.message.kind, receipt: row.text('receipt') }];
  });
}

export function word<Word extends string>(
  known: readonly Word[],
  found: string,
  row: string,
): Word {
  const match = known.find((candidate) => candidate === found);
  if (match === undefined) throw damaged(row, `is ${JSON.stringify(found)}, which is no known one`);
  return match;
}

/**
 * In which order pending deliveries are handed out: what is to go later last, so that a night's
 * held messages hide nothing; then the critical ones; then as planned.
 * @param isNotCritical how the store says so
 * @param dueAt place of the present time among the values: a text for each time would be a statement
 * for each look
 */
export function pendingOrder(
  isNotCritical: string,
  kind: 'action' | 'message' | undefined,
  dueAt: string | null,
): string {
  const first = [
    ...(dueAt === null ? [] : [`(attempts = 0 AND not_before_ms > ${dueAt})`]),
    ...(kind === 'message' ? [isNotCritical] : []),
  ];
  return `ORDER BY ${[...first, 'planned'].join(', ')}`;
}
