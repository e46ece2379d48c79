// The record for machines: decision.json of the evidence, `--json` and the API have these fields. The
// way back, with its limits, is in src/http/gate-bodies.ts.
import type {
  CheckRecord,
  CriterionRecord,
  Exemption,
  GateRecord,
  SignOff,
} from './gate-record.ts';

export type RecordJson = ReturnType<typeof recordJson>;

export function recordJson(record: GateRecord) {
  return {
    id: record.id,
    gate: record.gate,
    title: record.title,
    decision: record.decision,
    reasons: record.reasons,
    deploy: record.deploy,
    started_at: record.startedAt,
    ended_at: record.endedAt,
    override: record.override && {
      approvals: record.override.approvals.map(signOffJson),
      risk: record.override.risk,
    },
    approvals: record.approvals.map(signOffJson),
    criteria: record.criteria.map(criterionJson),
    next: record.next,
    gate_sha256: record.gateHash,
    tools: record.tools,
    canaryd: record.version,
  };
}

export function criterionJson(one: CriterionRecord) {
  return {
    id: one.id,
    title: one.title,
    section: one.section,
    level: one.level,
    outcome: one.outcome,
    exemption: one.exemption && exemptionJson(one.exemption),
    checks: one.checks.map(checkJson),
    sign_offs: one.signOffs.map(({ role, statement, signed, text }) => ({
      ...{ role, statement, text },
      signed: signed && signOffJson(signed),
    })),
  };
}

function checkJson({ tookMs, exhibits, ...rest }: CheckRecord) {
  return {
    ...rest,
    took_ms: tookMs,
    exhibits: exhibits.map(({ file, sha256, isCut }) => ({ file, sha256, cut: isCut })),
  };
}

export function exemptionJson({ untilMs, ...rest }: Exemption) {
  return { ...rest, until: timeJson(untilMs) };
}

export type SignOffJson = ReturnType<typeof signOffJson>;

export function signOffJson({ atMs, isWithdrawn, ...rest }: SignOff) {
  return { ...rest, at: timeJson(atMs), ...(isWithdrawn ? { withdrawn: true as const } : {}) };
}

function timeJson(atMs: number): string {
  return new Date(atMs).toISOString();
}
