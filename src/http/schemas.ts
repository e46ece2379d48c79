// What the API answers, as schemas: for the OpenAPI document and for the tests that hold answers
// against it. The compiler checks each against the type that is really sent.
import { z } from 'zod';
import type { EventType } from '../core/event.ts';
import type { Tick } from '../core/sample.ts';
import { BLIND_REASONS } from '../core/sample.ts';
import { PHASES } from '../core/watch.ts';
import type { ConditionView, WatchView } from '../engine/control.ts';
import type { Hold } from '../journal/journal.ts';
import { SCOPES } from './auth.ts';
import { gateRecordAnswer, gateRecordBody, signOff, signOffBody } from './gate-bodies.ts';
import type { Series } from './page/series.ts';
import type { ProblemBody } from './problem.ts';
import { extendBody, humanBody, signBody, startBody } from './requests.ts';
import type { Wire } from './wire.ts';

const at = z.iso.datetime({ offset: true });
const ms = z.number().describe('Milliseconds since 1970, UTC');

const conditionState = z.enum(['waiting', 'inactive', 'pending', 'firing', 'blind']);

const condition = z
  .object({
    condition: z.string().describe('<window>.<role>.<indicator>'),
    indicator: z.string(),
    title: z.string(),
    window: z.string(),
    role: z.string(),
    due: z.boolean().describe('Judged at this time since the deploy'),
    state: conditionState,
    state_since: at.nullable(),
    fires_at: at.nullable().describe('Out of its limit now: when it fires if it stays so'),
    value: z.number().nullable().describe('In the base unit: fraction, seconds, bytes'),
    limit: z.number().nullable(),
    unit: z.string(),
    limit_text: z.string(),
    text: z.string().describe('Value, range and limit in words'),
    now: z.string().describe('Value and range in words'),
    must: z.string().describe('must be at least 80 %'),
    allowed: z
      .object({ low: z.number().nullable(), high: z.number().nullable() })
      .describe('The bounds within which a value is fine'),
    sentence: z.string().describe('The condition as a sentence'),
    blind_reason: z.string().nullable(),
    pre_existing: z.boolean().describe('Breached before the deploy already'),
    query: z.string().nullable().describe('What is asked of the source: PromQL, or GET and a URL'),
  })
  .describe('State of one condition') satisfies z.ZodType<Wire<ConditionView>>;

const watch = z
  .object({
    id: z.string(),
    service: z.string(),
    environment: z.string(),
    version: z.string(),
    previous_version: z.string().nullable(),
    policy: z.string(),
    policy_hash: z.string(),
    revision: z.number().int().describe('Counts its events: more is newer'),
    mode: z.enum(['act', 'observe']),
    phase: z.enum(PHASES),
    active: z.boolean().describe('Evaluation goes on: open, or verifying a rollback'),
    deployed_at: at,
    started_at: at,
    closed_at: at.nullable(),
    deadline_at: at,
    window: z.string().nullable(),
    armed: z.object({ seen: z.number(), total: z.number() }),
    reason: z.string().nullable(),
    verification: z.string(),
    acknowledged_by: z
      .string()
      .nullable()
      .describe('After a stop: who looks after that, until it lapses'),
    incident: z
      .enum(['none', 'open', 'critical'])
      .describe('What waits for a person; critical: people are called'),
    rollback_of: z.string().nullable(),
    without_go: z
      .string()
      .nullable()
      .describe('Started without the GO that its policy requires: what was found instead'),
    sign_offs: z
      .array(
        z.object({
          role: z.string(),
          statement: z.string(),
          due_at: at.describe('From then on people are asked'),
          signed: z
            .object({ name: z.string(), by: z.string(), at, note: z.string().nullable() })
            .nullable(),
        }),
      )
      .describe('What people sign; it never changes the verdict'),
    last_tick_at: at.nullable(),
    url: z.string().nullable().describe('The page of the watch'),
    interval_ms: z.number(),
    windows: z.array(z.object({ name: z.string(), from_at: at, until_at: at })),
    stop: z
      .object({
        at,
        cause: z.enum(['condition', 'human']),
        by: z.string(),
        mode: z.enum(['act', 'observe', 'hold']),
        causes: z
          .array(z.object({ condition: z.string(), text: z.string() }))
          .describe('Every condition that fired'),
      })
      .nullable(),
    plan: z
      .object({ actions: z.array(z.string()), verify_ms: z.number().nullable() })
      .describe('What a stop does'),
    verify_until: at.nullable(),
    worst: z
      .object({ condition: z.string(), state: conditionState, text: z.string() })
      .nullable()
      .describe('What stopped the deploy, else what is worst now'),
    deployed_by: z.string().nullable(),
    links: z.array(z.object({ label: z.string(), url: z.string() })),
    parameters: z.record(z.string(), z.union([z.number(), z.string()])),
    conditions: z.array(condition),
    actions: z.array(
      z.object({
        action: z.string(),
        state: z.string(),
        attempts: z.number(),
        detail: z.string().nullable(),
      }),
    ),
  })
  .describe('The supervision of one deploy') satisfies z.ZodType<Wire<WatchView>>;

/** Every type, once: the compiler refuses a missing one. */
const EVENT_TYPES: Readonly<Record<EventType, true>> = {
  'watch.started': true,
  'watch.baselined': true,
  'watch.armed': true,
  'watch.unarmed': true,
  'window.entered': true,
  'conditions.blinded': true,
  'conditions.sighted': true,
  'condition.warned': true,
  'condition.recovered': true,
  'condition.pre_existing': true,
  'watch.resumed': true,
  'watch.stopped': true,
  'watch.passed': true,
  'watch.inconclusive': true,
  'watch.cancelled': true,
  'watch.superseded': true,
  'watch.acknowledged': true,
  'watch.resolved': true,
  'watch.extended': true,
  'watch.sign_off_due': true,
  'watch.signed': true,
  'watch.held': true,
  'watch.released': true,
  'action.delayed': true,
  'action.accepted': true,
  'action.gave_up': true,
  'rollback.confirmed': true,
  'rollback.not_confirmed': true,
};

const event = z
  .looseObject({
    seq: z.number().int().min(1).describe('Counts from 1 within the watch'),
    at_ms: ms,
    type: z.enum(Object.keys(EVENT_TYPES) as [EventType, ...EventType[]]),
  })
  .describe('What happened to a watch; further fields depend on the type');

const counts = z.object({ part: z.number(), total: z.number() });
const readingCommon = { counts: counts.exactOptional(), since_deploy: counts.exactOptional() };
const reading = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('value'),
    value: z.number(),
    range_ms: z.number().exactOptional(),
    shortened: z.boolean().exactOptional(),
    detail: z.string().exactOptional(),
    ...readingCommon,
  }),
  z.object({
    kind: z.literal('blind'),
    reason: z.enum(BLIND_REASONS),
    detail: z.string(),
    ...readingCommon,
  }),
]);

const tick = z
  .object({ at_ms: ms, readings: z.record(z.string(), reading) })
  .describe('All readings of one tick, by indicator') satisfies z.ZodType<Wire<Tick>>;

const delivery = z
  .looseObject({
    id: z.string().describe('Webhook id and idempotency key'),
    watch_id: z.string(),
    order: z.number(),
    content: z.looseObject({ kind: z.enum(['action', 'message']) }),
    state: z.enum(['pending', 'delivered', 'gave_up']),
    attempts: z.number(),
    attempted_at_ms: ms.nullable(),
    in_flight: z.boolean(),
    created_at_ms: ms,
    not_before_ms: ms,
    after_delivery: z.string().nullable(),
    deadline_at_ms: ms,
    attempts_max: z.number(),
    last_reason: z.string().nullable(),
    last_detail: z.string().nullable(),
  })
  .describe('A planned send, and what came of it');

const hold = z
  .object({ by: z.string(), reason: z.string(), since_ms: ms })
  .describe('The hold-fire switch') satisfies z.ZodType<Wire<Hold>>;

const series = z
  .object({
    from_at_ms: ms,
    to_at_ms: ms,
    step_ms: z.number().describe('Of each step the first, lowest, highest and last value are kept'),
    ticks: z.number().int().describe('Ticks that were read for it'),
    series: z.array(
      z.object({
        indicator: z.string(),
        points: z.array(z.tuple([z.number(), z.number()])).describe('[at_ms, value]'),
        blind: z.array(z.object({ from_at_ms: ms, to_at_ms: ms, reason: z.enum(BLIND_REASONS) })),
        gaps: z
          .array(z.tuple([z.number(), z.number()]))
          .describe('[from_at_ms, to_at_ms] between two values: nothing was seen'),
      }),
    ),
  })
  .describe('Values for charts; extremes are kept') satisfies z.ZodType<Wire<Series>>;

const me = z
  .object({
    token: z.string().nullable().describe('Name of the token; null: no tokens are configured'),
    scopes: z.array(z.enum(SCOPES)),
  })
  .describe('Who asks');

const problem = z
  .object({
    type: z.string().describe('urn:canaryd:problem:<kind>'),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })),
  })
  .describe('RFC 9457 problem') satisfies z.ZodType<ProblemBody>;

const ignored = z
  .object({ ignored: z.string().describe('Why; nothing is to be done') })
  .describe('An event that starts no watch');

const hookEvent = z
  .looseObject({})
  .describe('As its CI system sends it; for generic a Start, as for POST /v1/watches');

const slackAction = z
  .object({ payload: z.string().describe('JSON, as Slack sends it') })
  .describe('An interaction of Slack, as a form');

/** Every schema of the document, by the name it has there. */
export const SCHEMAS = {
  Start: startBody,
  HumanCommand: humanBody,
  Extension: extendBody,
  WatchSignature: signBody,
  Condition: condition,
  Watch: watch,
  HookEvent: hookEvent,
  Ignored: ignored,
  SlackAction: slackAction,
  HookAnswer: z.union([watch, ignored]).describe('The watch, or why there is none'),
  WatchList: z.object({ watches: z.array(watch), next_before: z.string().nullable() }),
  Event: event,
  Journal: z.object({ events: z.array(event), next_after: z.number().nullable() }),
  Tick: tick,
  Samples: z.object({ samples: z.array(tick), next_from: at.nullable() }),
  Delivery: delivery,
  Deliveries: z.object({ deliveries: z.array(delivery) }),
  NewSignOff: signOffBody,
  SignOff: signOff,
  SignOffs: z.object({ sign_offs: z.array(signOff) }),
  NewGateRecord: gateRecordBody,
  GateRecord: gateRecordAnswer,
  GateRecordList: z.object({
    gate_records: z.array(gateRecordAnswer),
    next_before: z.string().nullable(),
  }),
  Hold: z.object({ hold: hold.nullable() }).describe('null: released'),
  Series: series,
  Me: me,
  Problem: problem,
  Document: z.looseObject({ openapi: z.string() }),
} as const;

export type SchemaName = keyof typeof SCHEMAS;
