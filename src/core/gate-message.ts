// What people are told of a decision of a gate, whom, and when: plain data in, plain data out. It
// judges nothing: the decision and its reasons are as they were reported.
import type { Message, Severity } from './delivery.ts';
import type { CriterionRecord, GateRecord, StoredGateRecord } from './gate-record.ts';
import { GATE_KIND } from './message-kinds.ts';
import { messageTerms } from './plan.ts';
import { loudnessOf, NO_ROUTING, type Routing, wayOf } from './route.ts';

/** Told to one channel. Its id is `<record>-<channel>`: the same after a crash. */
export type NewGateMessage = {
  readonly id: string;
  readonly recordId: string;
  readonly channel: string;
  readonly message: Message;
  readonly notBeforeMs: number;
  /** No attempt starts later. */
  readonly deadlineAtMs: number;
};

export type GateTelling = {
  /** Base of links to this daemon, without a slash at the end; null: no link. */
  readonly publicUrl: string | null;
  /** All there are, for what no route fits. */
  readonly channels: readonly string[];
  readonly routing?: Routing;
};

const HEADLINE_MAX = 150;
/** Of a service or a version in the headline: a long one must not push the figures off a phone. */
const NAME_MAX = 40;
const REASONS_MAX = 8;
const REASON_CHARS_MAX = 300;
/** What is signed for and where is in the record: a command that is cut off is worse than none. */
const NEXT_CHARS_MAX = 900;
/** Enough to tell two apart, and to find it in a log of CI. */
const HASH_SHOWN = 12;

/** The same after a crash: receivers drop repeats by it. No dots: they separate signed fields. */
export function gateMessageId(recordId: string, channel: string): string {
  return `${recordId}-${channel}`;
}

/** One for each channel that is told. */
export function planGateMessages(
  record: StoredGateRecord,
  { publicUrl, channels, routing = NO_ROUTING }: GateTelling,
): readonly NewGateMessage[] {
  const message = loudnessOf(gateMessage(record, publicUrl), routing);
  // No watch: nobody was woken by it who waits for more.
  const way = wayOf(message, null, channels, routing);
  const { neverQuiet = [], incidentChannels = [] } = routing;
  return [...new Set(way.channels)].map((channel): NewGateMessage => {
    const isLoud = neverQuiet.includes(channel) || incidentChannels.includes(channel);
    const notBeforeMs = (isLoud ? null : way.heldUntilMs) ?? message.atMs;
    return {
      id: gateMessageId(record.id, channel),
      recordId: record.id,
      channel,
      message: way.isSilent && !isLoud ? { ...message, isSilent: true } : message,
      notBeforeMs,
      // From its release: a night must not eat it up.
      deadlineAtMs: notBeforeMs + messageTerms(message.severity).deadlineMs,
    };
  });
}

export function gateMessage(record: StoredGateRecord, publicUrl: string | null): Message {
  const { id, gate, deploy, decision, receivedAtMs } = record;
  const { service, environment, version } = deploy;
  return {
    kind: GATE_KIND,
    severity: severityOf(record),
    headline: headlineOf(record),
    lines: linesOf(record),
    fields: fieldsOf(record),
    next: cut(nextOf(record), NEXT_CHARS_MAX),
    links: publicUrl === null ? [] : [{ label: 'Gate', url: `${publicUrl}/gates/${id}` }],
    watchId: '',
    atMs: receivedAtMs,
    deploy: { service, environment, version, previousVersion: null },
    gate: { name: gate, record: id, decision, isOverridden: record.override !== null },
  };
}

/** Somebody has to know that a GO is one only because people took the risk, or said that they did. */
function severityOf({ decision, override, notSignedHere = [] }: StoredGateRecord): Severity {
  const isPlain = override === null && notSignedHere.length === 0;
  return decision === 'go' && isPlain ? 'info' : 'warning';
}

/** "NO-GO aurora 2.1.0 (testnet): 2 of 40 criteria not met". */
function headlineOf(record: GateRecord): string {
  const { service, environment, version } = record.deploy;
  const [name, which, where] = [service, version, environment].map((text) => cut(text, NAME_MAX));
  return cut(`${wordOf(record)} ${name} ${which} (${where}): ${countsOf(record)}`, HEADLINE_MAX);
}

function wordOf({ decision, override, approvals }: GateRecord): string {
  if (decision === 'no_go') return 'NO-GO';
  if (decision === 'review') return 'REVIEW';
  if (override !== null) return 'GO BY OVERRIDE';
  return approvals.length > 0 ? 'GO AFTER REVIEW' : 'GO';
}

function countsOf({ criteria }: GateRecord): string {
  const notMet = criteria.filter(({ outcome, exemption }) => outcome !== 'pass' && !exemption);
  const exempted = criteria.filter(({ outcome, exemption }) => outcome !== 'pass' && exemption);
  const what = criteria.length === 1 ? 'criterion' : 'criteria';
  const waived = exempted.length === 0 ? '' : `, ${exempted.length} waived or mitigated`;
  if (notMet.length === 0) {
    const all = exempted.length === 0 ? `all ${criteria.length}` : `${metOf(criteria)}`;
    return `${all} ${what} met${waived}`;
  }
  const levels = (['red', 'yellow'] as const).flatMap((level) => {
    const count = notMet.filter((one) => one.level === level).length;
    return count === 0 ? [] : [`${count} ${level}`];
  });
  const which = levels.length === 0 ? '' : ` (${levels.join(', ')})`;
  return `${notMet.length} of ${criteria.length} ${what} not met${which}${waived}`;
}

function metOf(criteria: readonly CriterionRecord[]): string {
  const met = criteria.filter(({ outcome }) => outcome === 'pass').length;
  return `${met} of ${criteria.length}`;
}

function linesOf({ reasons, notSignedHere = [] }: StoredGateRecord): readonly string[] {
  const who = notSignedHere.map(({ name, role, criterion }) => `${name} (${role}, ${criterion})`);
  const foreign = who.length === 0 ? [] : [`Not signed here: ${who.join(', ')}`];
  const told = [...foreign, ...reasons.slice(0, REASONS_MAX)];
  const shown = told.map((text) => cut(text, REASON_CHARS_MAX));
  const left = reasons.length - Math.min(reasons.length, REASONS_MAX);
  return left === 0 ? shown : [...shown, `… and ${left} more`];
}

function fieldsOf(record: StoredGateRecord): Message['fields'] {
  const { gate, deploy, endedAt, evidenceHash, reportedBy } = record;
  return [
    ['Gate', gate],
    ['Version', deploy.version],
    ['Environment', deploy.environment],
    ['Decided', utc(endedAt)],
    ['Evidence', evidenceHash === null ? 'none' : `sha256 ${evidenceHash.slice(0, HASH_SHOWN)}…`],
    ...(reportedBy === null ? [] : [['Reported by', reportedBy] as const]),
  ];
}

/** It was written by another machine, perhaps with an offset of its own. */
function utc(time: string): string {
  const atMs = Date.parse(time);
  if (Number.isNaN(atMs)) return time;
  return `${new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

function nextOf({ decision, next, gate }: GateRecord): string {
  if (decision === 'go') return next ?? 'Nothing stands against the deploy.';
  const again = `carry ${gate} out again`;
  if (decision === 'review') {
    return `Do not deploy before the review is approved: sign it, then ${again}.`;
  }
  return `Do not deploy. Mend or sign what is named above, then ${again}.`;
}

/** By code point, so that no character is torn; on one line. */
function cut(text: string, max: number): string {
  const points = [...text.replace(/\s+/g, ' ').trim()];
  return points.length <= max ? points.join('') : `${points.slice(0, max - 1).join('')}…`;
}
