// Signatures for gates and decisions of gates: taken, kept, shown. A gate is carried out elsewhere,
// by `canaryd gate`. Parses and maps; decides nothing.
import { headOf } from '../../core/gate-record.ts';
import { criterionJson, recordJson, signOffJson } from '../../core/gate-record-json.ts';
import type { GateDecision, ListedDecision } from '../../engine/gate-desk.ts';
import {
  GATE_BODY_BYTES_MAX,
  gateRecordBody,
  gateRecordParams,
  gateRecordsQuery,
  recordOf,
  signOffBody,
  signOffsQuery,
} from '../gate-bodies.ts';
import { EXAMPLE_DECISION, EXAMPLE_RECORD, EXAMPLE_SIGN_OFF } from '../gate-examples.ts';
import { json, type RouteDeps, type RouteSpec, route } from '../route.ts';

const SIGN_OFFS = { tag: 'gates', url: '/v1/sign-offs' } as const;
const RECORDS = { tag: 'gates', url: '/v1/gate-records' } as const;

export function gateRoutes(deps: RouteDeps): readonly RouteSpec[] {
  return [
    signRoute(deps),
    signOffsRoute(deps),
    reportRoute(deps),
    listRoute(deps),
    showRoute(deps),
  ];
}

function signRoute({ gates, logger }: RouteDeps): RouteSpec {
  const { at: _, ...example } = EXAMPLE_SIGN_OFF;
  return route(
    {
      ...SIGN_OFFS,
      method: 'POST',
      operationId: 'signGate',
      summary: 'Sign a criterion of a gate, approve a review or an override, or take that back',
      scope: 'act',
      body: { name: 'NewSignOff', schema: signOffBody, example },
      responses: { 201: json('The signature', 'SignOff', EXAMPLE_SIGN_OFF) },
      problems: ['conflict'],
    },
    async ({ body, token, reply }) => {
      const { service, statement, covers, note = '', withdrawn = false, ...rest } = body;
      const signOff = await gates.sign({
        ...rest,
        note: note === '' ? null : note,
        ...(service === undefined ? {} : { service }),
        ...(statement === undefined ? {} : { statement }),
        ...(covers === undefined ? {} : { covers }),
        ...(token === null ? {} : { via: token }),
        ...(withdrawn ? { isWithdrawn: true } : {}),
      });
      logger.info(signOff, withdrawn ? 'signature for a gate taken back' : 'signed for a gate');
      reply.code(201);
      return signOffJson(signOff);
    },
  );
}

function signOffsRoute({ gates }: RouteDeps): RouteSpec {
  return route(
    {
      ...SIGN_OFFS,
      method: 'GET',
      operationId: 'listSignOffs',
      summary: 'Signatures for a gate, oldest first: the newest of them',
      scope: 'read',
      query: signOffsQuery,
      responses: { 200: json('They', 'SignOffs', { sign_offs: [EXAMPLE_SIGN_OFF] }) },
      problems: [],
    },
    async ({ query }) => {
      const { gate, environment, version, limit } = query;
      const found = await gates.signOffs({
        gate,
        limit,
        ...(environment === undefined ? {} : { environment }),
        ...(version === undefined ? {} : { version }),
      });
      return { sign_offs: found.map(signOffJson) };
    },
  );
}

function reportRoute({ gates, logger }: RouteDeps): RouteSpec {
  return route(
    {
      ...RECORDS,
      method: 'POST',
      operationId: 'reportGateRecord',
      summary: 'Report a decision of a gate, as `canaryd gate` does; the same one twice is one',
      scope: 'start',
      body: {
        name: 'NewGateRecord',
        schema: gateRecordBody,
        example: EXAMPLE_RECORD,
        bytesMax: GATE_BODY_BYTES_MAX,
      },
      responses: {
        200: json('It was reported before', 'GateRecord', EXAMPLE_DECISION),
        201: json('Kept', 'GateRecord', EXAMPLE_DECISION),
      },
      problems: ['conflict'],
    },
    async ({ body, token, reply }) => {
      const { decision, created } = await gates.report(recordOf(body), token);
      const { id, gate, deploy } = decision.record;
      const { service, environment, version } = deploy;
      const fields = { id, gate, service, environment, version, by: token };
      if (created) logger.info({ ...fields, decision: decision.record.decision }, 'gate decided');
      reply.code(created ? 201 : 200).header('location', `/v1/gate-records/${id}`);
      return decisionJson(decision);
    },
  );
}

function listRoute({ gates }: RouteDeps): RouteSpec {
  return route(
    {
      ...RECORDS,
      method: 'GET',
      operationId: 'listGateRecords',
      summary: 'Decisions of gates, newest first, without their criteria',
      scope: 'read',
      query: gateRecordsQuery,
      responses: {
        200: json('One page', 'GateRecordList', {
          gate_records: [{ ...EXAMPLE_DECISION, criteria: [] }],
          next_before: null,
        }),
      },
      problems: ['gate_record_not_found'],
    },
    async ({ query }) => {
      const { gate, service, environment, version, limit, before } = query;
      const found = await gates.decisions({
        // One more than asked tells whether there is a next page.
        limit: limit + 1,
        ...(gate === undefined ? {} : { gate }),
        ...(service === undefined ? {} : { service }),
        ...(environment === undefined ? {} : { environment }),
        ...(version === undefined ? {} : { version }),
        ...(before === undefined ? {} : { beforeId: before }),
      });
      const page = found.slice(0, limit);
      const next = found.length > limit ? (page.at(-1)?.head.id ?? null) : null;
      const rows = page.map(listedJson);
      return { gate_records: rows, next_before: next };
    },
  );
}

function showRoute({ gates }: RouteDeps): RouteSpec {
  return route(
    {
      tag: 'gates',
      method: 'GET',
      url: '/v1/gate-records/:id',
      operationId: 'showGateRecord',
      summary: 'One decision of a gate, with everything that was looked at',
      scope: 'read',
      params: gateRecordParams,
      responses: { 200: json('The decision', 'GateRecord', EXAMPLE_DECISION) },
      problems: ['gate_record_not_found'],
    },
    async ({ params }) => decisionJson(await gates.decision(params.id)),
  );
}

function decisionJson({ record, url, isNewest, signedSince }: GateDecision) {
  const { criteria } = record;
  return {
    ...listedJson({ head: headOf(record), url, isNewest }),
    criteria: criteria.map(criterionJson),
    signed_since: signedSince.map(signOffJson),
  };
}

function listedJson({ head, url, isNewest }: ListedDecision) {
  return {
    ...recordJson({ ...head, criteria: [] }),
    evidence_sha256: head.evidenceHash,
    received_at: new Date(head.receivedAtMs).toISOString(),
    reported_by: head.reportedBy,
    url,
    is_newest: isNewest,
    signed_since: [],
    not_signed_here: (head.notSignedHere ?? []).map(signOffJson),
    criteria_met: head.criteriaMet,
    criteria_total: head.criteriaTotal,
  };
}
