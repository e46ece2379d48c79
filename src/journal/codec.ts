// What a store keeps as text, and back. Every store uses this one: a damaged row gives an error
// that names it, never a wrong state. It knows nothing of SQL.
//
// JSON has no NaN, no infinities and no -0, and a figure that comes back as null or 0 would make
// the folded state differ from the live one (J7): such a number is written as "~NaN", and a
// string that begins with ~ gets one more.
import { z } from 'zod';
import type { DeliveryContent } from '../core/delivery.ts';
import type { Deploy } from '../core/deploy.ts';
import type { EventBody, EventType, WatchEvent } from '../core/event.ts';
import type { Policy } from '../core/policy.ts';
import type { Track } from '../core/track.ts';
import { CanarydError } from '../kit/errors.ts';
import type { Hold } from './journal.ts';

/** Which row a text belongs to: "event 7 of watch w_1". */
export type Row = string;

/** @param belongsTo what is to be removed when there is no backup */
export function damaged(
  row: Row,
  problem: string,
  belongsTo: 'watch' | 'row' = 'watch',
): CanarydError {
  return new CanarydError(
    'journal_failed',
    `the journal is damaged: ${row} ${problem}; the row was left as it is. ` +
      `Restore the journal from a backup, or remove this ${belongsTo} from it.`,
  );
}

const ODD: Readonly<Record<string, number>> = {
  '~NaN': Number.NaN,
  '~Infinity': Number.POSITIVE_INFINITY,
  '~-Infinity': Number.NEGATIVE_INFINITY,
  '~-0': -0,
};

export function toText(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'string') return part.startsWith('~') ? `~${part}` : part;
    if (typeof part !== 'number') return part;
    if (Object.is(part, -0)) return '~-0';
    return Number.isFinite(part) ? part : `~${part}`;
  });
}

export function fromText(text: string, row: Row, belongsTo?: 'watch' | 'row'): unknown {
  try {
    // The reviver costs ten times the parse; almost no row needs it.
    if (!text.includes('"~')) return JSON.parse(text);
    return JSON.parse(text, (_key, part: unknown) => {
      if (typeof part !== 'string' || !part.startsWith('~')) return part;
      return part.startsWith('~~') ? part.slice(1) : (ODD[part] ?? part);
    });
  } catch {
    throw damaged(row, 'is not JSON', belongsTo);
  }
}

/** The value as it was written, when it is what the schema wants. */
export function checked(
  schema: z.ZodType,
  text: string,
  row: Row,
  belongsTo?: 'watch' | 'row',
): unknown {
  const value = fromText(text, row, belongsTo);
  const result = schema.safeParse(value);
  if (result.success) return value;
  const issue = result.error.issues[0];
  const path = issue?.path.map(String).join('.') || 'the value';
  const problem = `does not hold what it should (${path}: ${issue?.message ?? 'invalid'})`;
  throw damaged(row, problem, belongsTo);
}

type Fields = {
  readonly [Type in EventType]: readonly Exclude<
    keyof Extract<EventBody, { type: Type }>,
    'type'
  >[];
};

/** What each event cannot do without. Adding a field to an event means upcasting old rows here. */
const FIELDS: Fields = {
  'watch.started': ['deploy', 'policy', 'policyHash', 'mode', 'rollbackOf', 'deadlineAtMs'],
  'watch.baselined': ['values', 'preExisting'],
  'watch.armed': ['armed', 'total'],
  'watch.unarmed': ['armed', 'total', 'conditions'],
  'window.entered': ['window'],
  'conditions.blinded': ['conditions'],
  'conditions.sighted': ['conditions'],
  'condition.warned': ['evidence'],
  'condition.recovered': ['evidence', 'firedMs'],
  'condition.pre_existing': ['evidence'],
  'watch.resumed': ['awayMs'],
  'watch.stopped': ['cause', 'by', 'reason', 'conditions', 'mode', 'actions', 'verifies'],
  'watch.passed': ['conditions', 'coverage'],
  'watch.inconclusive': ['reason', 'coverage', 'because'],
  'watch.cancelled': ['by', 'reason'],
  'watch.superseded': ['byWatch', 'version'],
  'watch.acknowledged': ['by', 'reason'],
  'watch.resolved': ['by', 'reason'],
  'watch.sign_off_due': ['missing'],
  'watch.signed': ['role', 'name', 'by', 'note'],
  'watch.extended': ['by', 'reason', 'deadlineAtMs'],
  'watch.held': ['by', 'reason'],
  'watch.released': ['by', 'reason'],
  'action.delayed': ['action', 'attempts', 'detail'],
  'action.accepted': ['action', 'attempts', 'detail', 'afterMs'],
  'action.gave_up': ['action', 'attempts', 'reason', 'detail'],
  'rollback.confirmed': ['action', 'conditions', 'afterMs'],
  'rollback.not_confirmed': ['action', 'reason', 'because'],
};

const TYPES = Object.keys(FIELDS);
const ENVELOPE = z.object({ type: z.enum(TYPES), seq: z.int().min(1), atMs: z.int() });

export type StoredEvent = {
  readonly watchId: string;
  readonly seq: number;
  readonly atMs: number;
  readonly type: string;
  readonly body: string;
};

/** The type is kept beside the body, for the store's own rules. */
export function encodeEvent(event: EventBody): Pick<StoredEvent, 'type' | 'body'> {
  const { type, ...body } = event;
  return { type, body: toText(body) };
}

export function decodeEvent({ watchId, seq, atMs, type, body }: StoredEvent): WatchEvent {
  const row = `event ${seq} of watch ${watchId}`;
  if (!ENVELOPE.safeParse({ type, seq, atMs }).success) {
    throw damaged(row, `has type ${JSON.stringify(type)} at ${atMs}, which is no known event`);
  }
  const fields = fromText(body, row);
  if (typeof fields !== 'object' || fields === null) throw damaged(row, 'is no object');
  const event = { ...fields, type, seq, atMs } as WatchEvent;
  const missing = FIELDS[event.type].find((field) => !Object.hasOwn(fields, field));
  if (missing !== undefined) throw damaged(row, `(${type}) lacks ${missing}`);
  return event;
}

const DEPLOY = z.looseObject({
  service: z.string(),
  environment: z.string(),
  version: z.string(),
  previousVersion: z.string().nullable(),
  deployedAtMs: z.number(),
  parameters: z.record(z.string(), z.union([z.string(), z.number(), z.nan()])),
});

const POLICY = z.looseObject({
  name: z.string(),
  service: z.string(),
  source: z.string(),
  intervalMs: z.number(),
  mode: z.enum(['act', 'observe']),
  indicators: z.record(z.string(), z.looseObject({ kind: z.string() })),
  windows: z.array(z.looseObject({ name: z.string(), untilMs: z.number() })),
  conditions: z.array(z.looseObject({ id: z.string(), indicator: z.string(), role: z.string() })),
  actions: z.array(z.looseObject({ name: z.enum(['disarm', 'rollback']) })),
});

export const encodeDeploy = (deploy: Deploy): string => toText(deploy);
export const encodePolicy = (policy: Policy): string => toText(policy);

export function decodeDeploy(text: string, watchId: string): Deploy {
  return checked(DEPLOY, text, `the deploy of watch ${watchId}`) as Deploy;
}

/** Many watches have one policy, and each tick reads it: the last so many texts are read once. */
const POLICIES_KEPT_MAX = 100;
const policies = new Map<string, Policy>();

export function decodePolicy(text: string, watchId: string): Policy {
  const known = policies.get(text);
  if (known !== undefined) return known;
  const policy = checked(POLICY, text, `the policy of watch ${watchId}`) as Policy;
  const oldest = policies.keys().next();
  if (policies.size >= POLICIES_KEPT_MAX && !oldest.done) policies.delete(oldest.value);
  policies.set(text, policy);
  return policy;
}

const CONTENT = z.discriminatedUnion('kind', [
  z.looseObject({
    kind: z.literal('action'),
    action: z.enum(['disarm', 'rollback']),
    payload: z.looseObject({ type: z.string(), timestamp: z.string(), data: z.looseObject({}) }),
  }),
  z.looseObject({
    kind: z.literal('message'),
    channel: z.string(),
    message: z.looseObject({ headline: z.string(), severity: z.string(), watchId: z.string() }),
  }),
]);

export const encodeContent = (content: DeliveryContent): string => toText(content);

export function decodeContent(text: string, deliveryId: string): DeliveryContent {
  return checked(CONTENT, text, `delivery ${deliveryId}`) as DeliveryContent;
}

const TRACK = z.looseObject({
  atMs: z.number(),
  conditions: z.record(
    z.string(),
    z.looseObject({
      state: z.enum(['inactive', 'pending', 'firing', 'blind']),
      stateSinceMs: z.number(),
      runSinceMs: z.number().nullable(),
      runMs: z.number(),
    }),
  ),
  sinceDeploy: z.record(z.string(), z.looseObject({ atMs: z.number() })),
  passSinceMs: z.number().nullable(),
});

export const encodeTrack = (track: Track): string => toText(track);

export function decodeTrack(text: string, watchId: string): Track {
  return checked(TRACK, text, `the condition states of watch ${watchId}`) as Track;
}

const HOLD = z.object({ by: z.string(), reason: z.string(), sinceMs: z.number() });

export const encodeHold = (hold: Hold): string => toText(hold);

export function decodeHold(text: string): Hold {
  return checked(HOLD, text, 'the hold-fire switch') as Hold;
}
