// A decision of a gate and the signatures for it as they come over the API, and back to what the
// core knows. All of it is foreign: a record may come from any machine that has a token. Words that
// name something are taken as they are or refused; texts for people are made printable and cut;
// every list has a limit.
import { z } from 'zod';
import { LEVELS, type SignOff } from '../core/gate-record.ts';
import type { ReportedRecord } from '../engine/gate-desk.ts';
import { cutEnd, printable } from '../kit/redact.ts';
import { oneLine, person, typed } from './texts.ts';

export const GATE_BODY_BYTES_MAX = 1_000_000;

/** A name of something: bounded, and nothing in it that nobody sees. */
function word(max: number, what: string) {
  return z
    .string()
    .min(1)
    .max(max)
    .refine((text) => printable(text) === text, 'wanted one line of printable text')
    .describe(what);
}

/** For people: what cannot be printed is taken out, what is too long is cut. */
function prose(max: number) {
  // Cut roughly first: a text of a megabyte is not worth reading.
  return z.string().transform((text) => cutEnd(printable(text.slice(0, 4 * max)), max));
}

const TIME_ERROR = 'wanted a time with offset, such as 2026-03-01T12:00:00Z';
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');

/** One that can be written as it was read: years have four digits, also in UTC. */
const at = z.iso
  .datetime({ offset: true, error: TIME_ERROR, abort: true })
  .refine((text) => Date.parse(text) >= 0 && Date.parse(text) <= LAST_MS, TIME_ERROR);
const hash = z.string().regex(/^[0-9a-f]{64}$/, 'wanted 64 hexadecimal digits');
const record = <Value extends z.ZodType>(value: Value, max: number) =>
  z
    .record(z.string().min(1).max(100).transform(oneLine), value)
    .refine((all) => Object.keys(all).length <= max, `at most ${max}`);

const COVERED_MAX = 1_000;
const covered = z
  .array(word(100, 'Id of a criterion'))
  .max(COVERED_MAX)
  .describe('Approval of a review: the criteria that may be open; without it, whichever are')
  .optional();

const place = {
  gate: word(100, 'Name of the gate'),
  criterion: word(100, 'Id of the criterion; review or override for those approvals'),
  role: word(100, 'The role in which it is signed'),
  environment: word(200, 'Where that version is to go'),
  version: word(200, 'The version that is signed'),
};
const service = word(200, 'The service; without it, any of this gate').optional();

export const signOffBody = z
  .strictObject({
    ...place,
    name: person(100, 'Who signs'),
    service,
    statement: typed(
      1_000,
      'The words that are signed: they are compared with those of the gate',
    ).optional(),
    covers: covered,
    note: z
      .string()
      .max(2_000)
      .transform(oneLine)
      .describe('What to add; for an override the risk assessment')
      .optional(),
    withdrawn: z.boolean().describe('Takes back what this person has signed here').optional(),
  })
  .describe('A signature for a criterion of a gate');

/** A signature as it is kept. */
export const signOff = z
  .object({
    ...place,
    name: typed(1_000, 'Who has signed'),
    service,
    note: prose(2_000).nullable(),
    statement: prose(1_000).describe('The words that were signed').optional(),
    covers: covered,
    at,
    via: prose(200).describe('The token by which it came').optional(),
    withdrawn: z.literal(true).describe('It takes an earlier one back').optional(),
  })
  .describe('A signature for a criterion of a gate');

const exemption = z.strictObject({
  kind: z.enum(['waiver', 'mitigation']),
  criterion: word(100, 'Id of the criterion'),
  by: prose(500),
  reason: prose(2_000),
  until: at,
});

const outcome = z.enum(['pass', 'fail', 'unknown']);

const check = z.strictObject({
  id: word(100, 'Unique in its criterion'),
  kind: word(100, 'Kind of check'),
  wants: prose(2_000),
  outcome,
  text: prose(1_000),
  details: z.array(prose(1_000)).max(200),
  took_ms: z.number().min(0).max(1e10),
  exhibits: z
    .array(z.strictObject({ file: prose(500), sha256: hash, cut: z.boolean() }))
    .max(100)
    .describe('Files of the evidence'),
});

const criterion = z
  .strictObject({
    id: word(100, 'Unique in the gate'),
    title: prose(500),
    section: prose(500).nullable(),
    level: z.enum(LEVELS),
    outcome,
    exemption: exemption.nullable(),
    checks: z.array(check).max(100),
    sign_offs: z
      .array(
        z.strictObject({
          role: word(100, 'Whose signature is wanted'),
          statement: prose(1_000),
          text: prose(1_000),
          signed: signOff.nullable(),
        }),
      )
      .max(50),
  })
  .describe('One line of the checklist, and what was found');

const approvals = z.array(signOff).max(1_000);

const recordShape = {
  id: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,60}$/, 'wanted 1 to 60 letters, digits, _ or -')
    .describe('Of this run of the gate'),
  gate: place.gate,
  title: prose(500),
  decision: z.enum(['go', 'no_go', 'review']),
  reasons: z.array(prose(1_000)).max(1_000).describe('Why, most important first'),
  deploy: z.strictObject({
    service: word(200, 'Service that is to be deployed'),
    environment: word(200, 'Where to'),
    version: word(200, 'Version that is to be deployed'),
    parameters: record(z.union([z.number(), prose(2_000)]), 200),
  }),
  started_at: at,
  ended_at: at,
  override: z.strictObject({ approvals, risk: prose(20_000) }).nullable(),
  approvals,
  criteria: z.array(criterion).max(1_000),
  next: prose(2_000).nullable().describe('What to do after GO'),
  gate_sha256: hash.describe('Of the gate file'),
  tools: record(prose(500), 200),
  canaryd: prose(100).describe('Version that carried it out'),
};

const evidence = z
  .strictObject({
    folder: prose(4_000).nullable(),
    sha256: hash.describe('Of the manifest').optional(),
    reason: prose(1_000).describe('Why there is none').optional(),
  })
  .describe('As `canaryd gate --json` says it');

/** What became of the report when it was printed: one that is sent again need not be edited. */
const told = z
  .object({ reported: z.boolean() })
  .describe('As `canaryd gate --daemon --json` says it; not kept')
  .optional();

/** What no gate would decide; null: nothing. */
function flawOfGo(criteria: readonly z.output<typeof criterion>[]): string | null {
  if (criteria.length === 0) return 'found a GO without criteria; nothing was looked at';
  const red = criteria.find((one) => one.level === 'red' && one.outcome !== 'pass');
  if (red === undefined) return null;
  return `found a GO whose red ${red.id} is ${red.outcome}; nothing overrides a red criterion`;
}

export const gateRecordBody = z
  .strictObject({ ...recordShape, evidence: evidence.optional(), daemon: told })
  .superRefine(({ decision, criteria }, found) => {
    const flaw = decision === 'go' ? flawOfGo(criteria) : null;
    if (flaw !== null) found.addIssue({ code: 'custom', path: ['criteria'], message: flaw });
  })
  .refine(({ decision, evidence: kept }) => decision !== 'go' || kept?.sha256 !== undefined, {
    path: ['evidence'],
    error: 'found a GO without the sha256 of its evidence; without evidence there is no GO',
  })
  .describe('A decision of a gate, as `canaryd gate --json` prints it');

export const gateRecordAnswer = z
  .object({
    ...recordShape,
    evidence_sha256: hash.nullable().describe('For `canaryd gate verify --hash`'),
    received_at: at.describe('By the clock of canaryd'),
    reported_by: z.string().nullable().describe('The token'),
    url: z.string().nullable().describe('The page of the decision'),
    is_newest: z.boolean().describe('No later one is known for this deploy'),
    signed_since: z.array(signOff).describe('Signatures that came later: the next run counts them'),
    not_signed_here: z
      .array(signOff)
      .describe('Signatures that it counts and that nobody had given here when it was reported'),
    criteria_met: z.number().int().describe('That pass, or are waived or mitigated'),
    criteria_total: z.number().int(),
  })
  .describe('A decision of a gate, and what has come of it since');

const limit = (max: number, standard: number) =>
  z.coerce.number().int().min(1).max(max).default(standard).describe('At most this many');

export const signOffsQuery = z.strictObject({
  gate: place.gate,
  environment: word(200, 'Only for this environment').optional(),
  version: word(200, 'Only for this version').optional(),
  limit: limit(1_000, 1_000),
});

const recordId = recordShape.id;

export const gateRecordsQuery = z.strictObject({
  gate: word(100, 'Only of this gate').optional(),
  service: word(200, 'Only for this service').optional(),
  environment: word(200, 'Only for this environment').optional(),
  version: word(200, 'Only for this version').optional(),
  limit: limit(100, 50),
  before: recordId.describe('Only decisions that were reported before this one').optional(),
});

export const gateRecordParams = z.strictObject({ id: recordId.describe('Id of the decision') });

export function signOffOf(one: z.output<typeof signOff>): SignOff {
  const { at: time, withdrawn, service: named, via, note, statement, covers, ...rest } = one;
  return {
    ...rest,
    note: note === '' ? null : note,
    atMs: Date.parse(time),
    ...(named === undefined ? {} : { service: named }),
    ...(statement === undefined ? {} : { statement }),
    ...(covers === undefined ? {} : { covers }),
    ...(via === undefined ? {} : { via }),
    ...(withdrawn === undefined ? {} : { isWithdrawn: true }),
  };
}

/** The inverse of `recordJson`. */
export function recordOf(body: z.output<typeof gateRecordBody>): ReportedRecord {
  const { daemon: _, evidence: kept, ...decided } = body;
  const { started_at, ended_at, gate_sha256, canaryd, ...rest } = decided;
  return {
    ...rest,
    startedAt: new Date(started_at).toISOString(),
    endedAt: new Date(ended_at).toISOString(),
    override: rest.override && {
      approvals: rest.override.approvals.map(signOffOf),
      risk: rest.override.risk,
    },
    approvals: rest.approvals.map(signOffOf),
    criteria: rest.criteria.map(criterionOf),
    gateHash: gate_sha256,
    version: canaryd,
    evidenceHash: kept?.sha256 ?? null,
  };
}

function criterionOf(one: z.output<typeof criterion>): ReportedRecord['criteria'][number] {
  const { exemption: exempt, checks, sign_offs, ...rest } = one;
  return {
    ...rest,
    exemption: exempt && exemptionOf(exempt),
    checks: checks.map(({ took_ms, exhibits, ...found }) => ({
      ...found,
      tookMs: took_ms,
      exhibits: exhibits.map(({ file, sha256, cut }) => ({ file, sha256, isCut: cut })),
    })),
    signOffs: sign_offs.map(({ signed, ...wanted }) => ({
      ...wanted,
      signed: signed && signOffOf(signed),
    })),
  };
}

function exemptionOf({ until, ...rest }: z.output<typeof exemption>) {
  return { ...rest, untilMs: Date.parse(until) };
}
