// Rows about gates → the journal's own types, and what of them is kept as text. Both stores name
// and type their columns alike. A damaged row gives an error that names it, never a wrong decision.

import { z } from 'zod';
import type { Message } from '../core/delivery.ts';
import { DELIVERY_REASONS } from '../core/event.ts';
import type { NewGateMessage } from '../core/gate-message.ts';
import { headOf, LEVELS, type SignOff, type StoredGateRecord } from '../core/gate-record.ts';
import { CanarydError } from '../kit/errors.ts';
import { checked, toText } from './codec.ts';
import type { GateHead, GateMessage } from './gate-store.ts';
import type { Row } from './row.ts';
import { STATES, word } from './rows.ts';

const SIGN_OFF = z.looseObject({
  gate: z.string(),
  criterion: z.string(),
  role: z.string(),
  name: z.string(),
  service: z.string().optional(),
  environment: z.string(),
  version: z.string(),
  atMs: z.number(),
  note: z.string().nullable(),
  statement: z.string().optional(),
  covers: z.array(z.string()).optional(),
  via: z.string().optional(),
  isWithdrawn: z.literal(true).optional(),
});

const OUTCOME = z.enum(['pass', 'fail', 'unknown']);

const CHECK = z.looseObject({
  id: z.string(),
  kind: z.string(),
  wants: z.string(),
  outcome: OUTCOME,
  text: z.string(),
  details: z.array(z.string()),
  tookMs: z.number(),
  exhibits: z.array(z.looseObject({ file: z.string(), sha256: z.string() })),
});

const CRITERION = z.looseObject({
  id: z.string(),
  title: z.string(),
  section: z.string().nullable(),
  level: z.enum(LEVELS),
  outcome: OUTCOME,
  exemption: z.looseObject({ kind: z.enum(['waiver', 'mitigation']) }).nullable(),
  checks: z.array(CHECK),
  signOffs: z.array(z.looseObject({ role: z.string(), signed: SIGN_OFF.nullable() })),
});

const RECORD = z.looseObject({
  id: z.string(),
  gate: z.string(),
  title: z.string(),
  deploy: z.looseObject({
    service: z.string(),
    environment: z.string(),
    version: z.string(),
    parameters: z.record(z.string(), z.union([z.string(), z.number(), z.nan()])),
  }),
  startedAt: z.string(),
  endedAt: z.string(),
  decision: z.enum(['go', 'no_go', 'review']),
  reasons: z.array(z.string()),
  override: z.looseObject({ approvals: z.array(SIGN_OFF), risk: z.string() }).nullable(),
  approvals: z.array(SIGN_OFF),
  criteria: z.array(CRITERION),
  next: z.string().nullable(),
  gateHash: z.string(),
  tools: z.record(z.string(), z.string()),
  version: z.string(),
  evidenceHash: z.string().nullable(),
  reportedBy: z.string().nullable(),
  receivedAtMs: z.number(),
  notSignedHere: z.array(SIGN_OFF).optional(),
});

const HEAD = RECORD.omit({ criteria: true }).extend({
  criteriaMet: z.number(),
  criteriaTotal: z.number(),
});

const MESSAGE = z.looseObject({
  kind: z.string(),
  severity: z.enum(['critical', 'warning', 'info']),
  headline: z.string(),
  lines: z.array(z.string()),
});

export const encodeSignOff = (signOff: SignOff): string => toText(signOff);
export const encodeGateRecord = (record: StoredGateRecord): string => toText(record);
export const encodeGateHead = (record: StoredGateRecord): string => toText(headOf(record));
export const encodeMessage = (message: Message): string => toText(message);

export function decodeSignOff(text: string, ordinal: number): SignOff {
  return checked(SIGN_OFF, text, `signature ${ordinal} of a gate`, 'row') as SignOff;
}

export function decodeGateRecord(text: string, id: string): StoredGateRecord {
  return checked(RECORD, text, `decision ${id} of a gate`, 'row') as StoredGateRecord;
}

export function decodeGateHead(text: string, id: string): GateHead {
  return checked(HEAD, text, `head of decision ${id} of a gate`, 'row') as GateHead;
}

export function decodeMessage(text: string, id: string): Message {
  return checked(MESSAGE, text, `message ${id} of a gate`, 'row') as Message;
}

export function toSignOff(row: Row): SignOff {
  return decodeSignOff(row.text('body'), row.integer('ordinal'));
}

export function toGateRecord(row: Row): StoredGateRecord {
  return decodeGateRecord(row.text('body'), row.text('id'));
}

export function toGateHead(row: Row): GateHead {
  return decodeGateHead(row.text('head'), row.text('id'));
}

export function toGateMessage(row: Row): GateMessage {
  const id = row.text('id');
  const reason = row.textOrNull('last_reason');
  return {
    id,
    recordId: row.text('record_id'),
    channel: row.text('channel'),
    message: decodeMessage(row.text('message'), id),
    state: word(STATES, row.text('state'), `the state of message ${id} of a gate`),
    attempts: row.integer('attempts'),
    attemptedAtMs: row.integerOrNull('attempted_at_ms'),
    notBeforeMs: row.integer('not_before_ms'),
    deadlineAtMs: row.integer('deadline_at_ms'),
    lastReason:
      reason === null
        ? null
        : word(DELIVERY_REASONS, reason, `the reason of message ${id} of a gate`),
    lastDetail: row.textOrNull('last_detail'),
  };
}

/** A decision is told to a channel once; anything else is a bug of who planned it. */
export function checkPlanned(recordId: string, messages: readonly NewGateMessage[]): void {
  const channels = new Set<string>();
  for (const { id, recordId: other, channel } of messages) {
    if (other !== recordId) {
      throw new Error(`plans message ${id} of ${other} with decision ${recordId}`);
    }
    if (channels.has(channel)) {
      throw new Error(`plans two messages of decision ${recordId} for channel ${channel}`);
    }
    channels.add(channel);
  }
}

/** A damaged row is told and left out; with nobody to tell, it is thrown. */
export function readable<One>(
  rows: readonly Row[],
  read: (row: Row) => One,
  onDamaged?: (error: CanarydError) => void,
): readonly One[] {
  if (onDamaged === undefined) return rows.map(read);
  return rows.flatMap((row) => {
    try {
      return [read(row)];
    } catch (error) {
      if (!(error instanceof CanarydError)) throw error;
      onDamaged(error);
      return [];
    }
  });
}
