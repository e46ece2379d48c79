// From what was found to GO, review or NO-GO, with the reasons. Pure: records, signatures,
// exemptions, rules and a time in; a decision out. `unknown` counts as not met, everywhere: only
// people turn it into GO, in writing and by name.
import type {
  CheckRecord,
  CriterionRecord,
  Exemption,
  GateDeploy,
  GateRecord,
  Level,
  Outcome,
  SignOff,
} from '../core/gate-record.ts';
import { cutEnd } from '../kit/redact.ts';
import { APPROVAL_IDS, type Criterion, type DecisionRule, type Gate } from './gate.ts';
import { approvedOf, type Signatures, signedOf, timeText } from './signed.ts';

const REASON_CHARS_MAX = 800;

export type DecideInput = {
  readonly gate: Gate;
  readonly deploy: GateDeploy;
  /** By id of the criterion. */
  readonly checks: ReadonlyMap<string, readonly CheckRecord[]>;
  readonly signOffs: readonly SignOff[];
  readonly nowMs: number;
};

export type Decided = Pick<
  GateRecord,
  'decision' | 'reasons' | 'override' | 'approvals' | 'criteria'
>;

export function decide(input: DecideInput): Decided {
  const { gate, nowMs } = input;
  const criteria = criterionRecords(input);
  const ruled = rule(gate.rule, criteria);
  const decided = approve(input, ruled, openOf(criteria));
  const told = [...decided.lead, ...reasonsOf(gate, criteria, ruled.isYellowDeciding, nowMs)];
  const reasons = told.map((text) => cutEnd(text, REASON_CHARS_MAX));
  const { decision, override, approvals } = decided;
  return { decision, reasons, override, approvals, criteria };
}

/** Each criterion with what was found, who has signed, and the exemption that holds. */
export function criterionRecords(input: DecideInput): readonly CriterionRecord[] {
  const { gate, checks, nowMs, deploy, signOffs } = input;
  const signatures: Signatures = { gate: gate.name, deploy, signOffs, nowMs };
  return gate.criteria.map((criterion): CriterionRecord => {
    const { id, title, section, level } = criterion;
    const looked = lookedAt(criterion, checks.get(id) ?? []);
    const signed = criterion.signOffs.map((needed) => ({
      ...{ role: needed.role, statement: needed.statement },
      ...signedOf(needed, id, signatures),
    }));
    const outcomes = [
      ...looked.map(({ outcome }) => outcome),
      ...signed.map((one): Outcome => (one.signed === null ? 'unknown' : 'pass')),
    ];
    const exemption = exemptionOf(gate, id, level, nowMs);
    return {
      ...{ id, title, section, level },
      ...{ outcome: worst(outcomes), exemption, checks: looked, signOffs: signed },
    };
  });
}

/** A check without a record was not carried out. */
function lookedAt({ checks }: Criterion, records: readonly CheckRecord[]): readonly CheckRecord[] {
  return checks.map(({ id, kind, wants }): CheckRecord => {
    const missing = { outcome: 'unknown', text: 'not carried out', details: [] } as const;
    const record = records.find((one) => one.id === id);
    return record ?? { ...{ id, kind, wants, tookMs: 0, exhibits: [] }, ...missing };
  });
}

/** Nothing at all is no evidence. */
function worst(outcomes: readonly Outcome[]): Outcome {
  if (outcomes.includes('fail')) return 'fail';
  return outcomes.length === 0 || outcomes.includes('unknown') ? 'unknown' : 'pass';
}

const EXEMPTS: Readonly<Record<Level, Exemption['kind'] | null>> = {
  green: 'waiver',
  yellow: 'mitigation',
  red: null,
};

function exemptionsFor(gate: Gate, id: string, level: Level): readonly Exemption[] {
  return gate.exemptions
    .filter(({ criterion, kind }) => criterion === id && kind === EXEMPTS[level])
    .toSorted((a, b) => b.untilMs - a.untilMs);
}

function exemptionOf(gate: Gate, id: string, level: Level, nowMs: number): Exemption | null {
  return exemptionsFor(gate, id, level).find(({ untilMs }) => untilMs > nowMs) ?? null;
}

function isMet({ outcome, exemption }: CriterionRecord): boolean {
  return outcome === 'pass' || exemption !== null;
}

type Ruled = {
  readonly decision: GateRecord['decision'];
  /** How the rule counts, in one sentence. */
  readonly text: string;
  readonly isRed: boolean;
  readonly isYellowDeciding: boolean;
};

function rule(how: DecisionRule, criteria: readonly CriterionRecord[]): Ruled {
  const of = (level: Level) => criteria.filter((one) => one.level === level);
  const reds = of('red').filter(({ outcome }) => outcome !== 'pass');
  const isRed = reds.length > 0;
  const red =
    of('red').length === 0 ? '' : `, ${isRed ? `${reds.length} red not clear` : 'no red holds'}`;
  if (how.kind === 'levels') {
    const greens = of('green');
    const met = greens.filter(isMet).length;
    const open = of('yellow').filter((one) => !isMet(one)).length;
    const max = how.unmitigatedYellowsMax;
    const isYellowDeciding = max !== null && open > max;
    const limit = max === null ? 'which do not stop' : `at most ${max} wanted`;
    const yellow =
      of('yellow').length === 0 ? '' : `, ${count(open, 'yellow')} unmitigated (${limit})`;
    const isGo = !isRed && met === greens.length && !isYellowDeciding;
    const text = `${met} of ${greens.length} green met${red}${yellow}`;
    return { decision: isGo ? 'go' : 'no_go', text, isRed, isYellowDeciding };
  }
  const units = Map.groupBy(of('green'), (one) =>
    how.of === 'sections' ? (one.section ?? one.id) : one.id,
  );
  const met = [...units.values()].filter((unit) => unit.every(isMet)).length;
  const review = how.review === null ? '' : `, review from ${how.review.from}`;
  const text = `${met} of ${units.size} ${how.of} met (GO from ${how.go}${review})${red}`;
  const byCount = met >= how.go ? 'go' : met >= (how.review?.from ?? how.go) ? 'review' : 'no_go';
  return { decision: isRed ? 'no_go' : byCount, text, isRed, isYellowDeciding: false };
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

type Approval = Pick<Decided, 'decision' | 'override' | 'approvals'> & {
  /** Said before everything else. */
  readonly lead: readonly string[];
};

function openOf(criteria: readonly CriterionRecord[]): readonly string[] {
  return criteria.filter((one) => one.level === 'green' && !isMet(one)).map(({ id }) => id);
}

/** What people may add: the approval of a review, or an override. */
function approve(input: DecideInput, ruled: Ruled, open: readonly string[]): Approval {
  const { gate, deploy, signOffs, nowMs } = input;
  const none = { override: null, approvals: [] };
  const { decision, text } = ruled;
  if (decision === 'go') return { decision, ...none, lead: [text] };
  const signatures: Signatures = { gate: gate.name, deploy, signOffs, nowMs };
  const lead = [text];
  if (decision === 'review' && gate.rule.kind === 'count' && gate.rule.review !== null) {
    const { approvals, text: missing } = approvedOf(
      gate.rule.review,
      APPROVAL_IDS.review,
      signatures,
      (one) => beyond(one, open),
    );
    if (approvals !== null) {
      const by = `review approved by ${people(approvals)}`;
      return { decision: 'go', override: null, approvals, lead: [text, by] };
    }
    lead.push(`review: approval wanted of ${rolesOf(gate.rule.review)}${colon(missing)}`);
  }
  const lacks = overrideLacks(gate, ruled, signatures);
  return overridden(gate, ruled, signatures) ?? { decision, ...none, lead: [...lead, ...lacks] };
}

/** Whoever has approved one open line has not approved another one. */
function beyond({ name, covers }: SignOff, open: readonly string[]): string | null {
  const others = covers === undefined ? [] : open.filter((id) => !covers.includes(id));
  if (others.length === 0) return null;
  return `${name} has approved ${covers?.join(', ')}, not ${others.join(', ')}`;
}

function riskless({ name, note }: SignOff): string | null {
  return (note?.trim() ?? '') === '' ? `${name} has written no risk assessment` : null;
}

function overridden(gate: Gate, ruled: Ruled, signatures: Signatures): Approval | null {
  if (gate.override === null || ruled.isRed) return null;
  const { approvals } = approvedOf(gate.override, APPROVAL_IDS.override, signatures, riskless);
  if (approvals === null) return null;
  const risk = riskOf(approvals);
  const by = `OVERRIDE by ${people(approvals)}; risk: ${risk}`;
  return { decision: 'go', override: { approvals, risk }, approvals: [], lead: [by, ruled.text] };
}

/** Why signatures of an override change nothing; empty: there are none. */
function overrideLacks(gate: Gate, { isRed }: Ruled, signatures: Signatures): readonly string[] {
  if (gate.override === null) return [];
  const { approvals, text } = approvedOf(
    gate.override,
    APPROVAL_IDS.override,
    signatures,
    riskless,
  );
  if (approvals === null) return text === null ? [] : [`override not complete: ${text}`];
  return isRed ? ['override without effect: a red criterion cannot be overridden'] : [];
}

function riskOf(approvals: readonly SignOff[]): string {
  return approvals.map(({ name, note }) => `${note?.trim()} (${name})`).join('; ');
}

function people(approvals: readonly SignOff[]): string {
  return approvals.map(({ name, role }) => `${name} (${role})`).join(', ');
}

function rolesOf({
  approvals,
}: {
  readonly approvals: readonly { role: string; people: number }[];
}) {
  return approvals.map(({ role, people: wanted }) => `${wanted} ${role}`).join(', ');
}

function colon(text: string | null): string {
  return text === null ? '' : `: ${text}`;
}

/** One line for each criterion that is not simply met, what decides first. */
function reasonsOf(
  gate: Gate,
  criteria: readonly CriterionRecord[],
  isYellowDeciding: boolean,
  nowMs: number,
): readonly string[] {
  const rank = (one: CriterionRecord) => {
    if (one.level === 'red') return one.outcome === 'fail' ? 0 : 1;
    if (isMet(one)) return 6;
    if (one.level === 'green') return one.outcome === 'fail' ? 2 : 3;
    return isYellowDeciding ? 4 : 5;
  };
  return criteria
    .filter(({ outcome, exemption }) => outcome !== 'pass' || exemption !== null)
    .toSorted((a, b) => rank(a) - rank(b))
    .map((one) => `${one.level} ${one.id} ${statusOf(gate, one, nowMs)}`);
}

function statusOf(gate: Gate, one: CriterionRecord, nowMs: number): string {
  const { level, outcome, exemption } = one;
  const holds = level === 'red' ? 'holds' : 'is not met';
  const found = outcome === 'pass' ? 'is met' : outcome === 'fail' ? holds : 'is unknown';
  const said = outcome === 'pass' ? found : `${found}: ${whatOf(one)}`;
  if (exemption !== null) {
    const { kind, by, reason, untilMs } = exemption;
    const done = kind === 'waiver' ? 'waived' : 'mitigated';
    return `${said}; ${done} by ${by} until ${timeText(untilMs)}: ${reason}`;
  }
  const [expired] = exemptionsFor(gate, one.id, level).filter(({ untilMs }) => untilMs <= nowMs);
  if (expired === undefined) return said;
  return `${said}; the ${expired.kind} by ${expired.by} has expired on ${timeText(expired.untilMs)}`;
}

/** The worst of what was found; with several checks, which one. */
function whatOf({ outcome, checks, signOffs }: CriterionRecord): string {
  const prefix = (id: string) => (checks.length > 1 ? `${id}: ` : '');
  const bad = [
    ...checks.filter((one) => one.outcome === outcome).map(({ id, text }) => prefix(id) + text),
    ...(outcome === 'unknown' ? signOffs.filter(({ signed }) => signed === null) : []).map(
      ({ text }) => text,
    ),
  ];
  return bad.length === 0 ? 'nothing was looked at' : bad.join('; ');
}
