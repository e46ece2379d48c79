// The decision as people read it: decision.md of the evidence, and the summary of a CI job.
// Everything foreign in it is escaped: it may not format, link or end a cell.
import {
  type CheckRecord,
  type CriterionRecord,
  type Decision,
  type GateRecord,
  LEVELS,
  type Level,
} from '../core/gate-record.ts';
import { formatDuration } from '../core/quantity.ts';
import { cutEnd, printable } from '../kit/redact.ts';

export const DECISION_WORDS: Readonly<Record<Decision, string>> = {
  go: 'GO',
  no_go: 'NO-GO',
  review: 'REVIEW',
};

const SUMMARY_CHARS_MAX = 60_000;
const CELL_CHARS_MAX = 800;

const TITLES: Readonly<Record<Level, string>> = {
  green: 'Green: must be met',
  yellow: 'Yellow: warnings',
  red: 'Red: stop conditions',
};

/** `GO: aurora 2.1.0 (testnet)` */
export function headline({ decision, deploy }: GateRecord): string {
  const { service, version, environment } = deploy;
  return `${DECISION_WORDS[decision]}: ${service} ${version} (${environment})`;
}

export function escaped(text: string): string {
  return (
    cutEnd(printable(text), CELL_CHARS_MAX)
      // First: the entities that follow have a # of their own.
      .replace(/[\\`*_{}[\]#|~]/g, '\\$&')
      .replace(/&/g, '&amp;')
      .replace(/</g, '&lt;')
      .replace(/>/g, '&gt;')
      .replace(/@/g, '&#64;')
      .replace(/https?:\/\//gi, (scheme) => scheme.replace(':', '&#58;'))
  );
}

export function decisionText(record: GateRecord): string {
  const { deploy } = record;
  const parameters = Object.entries(deploy.parameters).map(
    ([name, value]) => `- ${escaped(name)}: ${escaped(String(value))}`,
  );
  return [
    `# ${escaped(headline(record))}`,
    '',
    escaped(record.title),
    '',
    `- Gate: ${escaped(record.gate)} (sha256 ${record.gateHash})`,
    `- Begun: ${record.startedAt}, decided: ${record.endedAt}`,
    `- Record: ${escaped(record.id)}, by canaryd ${escaped(record.version)}`,
    ...parameters,
    '',
    '## Why',
    '',
    ...record.reasons.map((reason) => `- ${escaped(reason)}`),
    ...overrideLines(record),
    ...LEVELS.flatMap((level) => levelLines(level, record.criteria)),
    ...nextLines(record),
    ...toolLines(record),
    '',
  ].join('\n');
}

function overrideLines({ override, approvals }: GateRecord): readonly string[] {
  const all = override?.approvals ?? approvals;
  if (all.length === 0) return [];
  const risk = override === null ? [] : ['', `Risk assessment: ${escaped(override.risk)}`];
  return [
    '',
    override === null ? '## Approvals' : '## Emergency override',
    '',
    ...all.map(({ role, name, atMs }) => {
      return `- ${escaped(name)}, ${escaped(role)}, ${new Date(atMs).toISOString()}`;
    }),
    ...risk,
  ];
}

function levelLines(level: Level, all: readonly CriterionRecord[]): readonly string[] {
  const criteria = all.filter((one) => one.level === level);
  if (criteria.length === 0) return [];
  const rows = criteria.flatMap((one) => [
    row([resultOf(one), one.title, one.id, '']),
    ...one.checks.map((check) => row(['', checkText(check), check.id, took(check.tookMs)])),
    ...one.signOffs.map(({ role, text }) => row(['', `sign-off: ${text}`, role, ''])),
    ...(one.exemption === null ? [] : [row(['', exemptionText(one.exemption), '', ''])]),
  ]);
  return [
    '',
    `## ${TITLES[level]}`,
    '',
    '| Result | What | Id | Took |',
    '|---|---|---|---|',
    ...rows,
  ];
}

const RESULTS = { pass: 'met', fail: 'NOT MET', unknown: 'UNKNOWN' } as const;
const RED_RESULTS = { pass: 'does not hold', fail: 'HOLDS', unknown: 'UNKNOWN' } as const;

export function resultOf({ level, outcome, exemption }: CriterionRecord): string {
  if (level === 'red') return RED_RESULTS[outcome];
  if (exemption === null || outcome === 'pass') return RESULTS[outcome];
  return exemption.kind === 'waiver' ? 'waived' : 'mitigated';
}

function checkText({ outcome, wants, text, details, exhibits }: CheckRecord): string {
  const cut = exhibits.some(({ isCut }) => isCut) ? ' (evidence cut)' : '';
  const more = details.length > 0 ? ` [${details.join(' / ')}]` : '';
  return `${outcome}: ${wants}: ${text}${cut}${more}`;
}

function exemptionText({ kind, by, reason, untilMs }: NonNullable<CriterionRecord['exemption']>) {
  return `${kind} by ${by} until ${new Date(untilMs).toISOString()}: ${reason}`;
}

function took(ms: number): string {
  return formatDuration(ms);
}

function row(cells: readonly string[]): string {
  return `| ${cells.map(escaped).join(' | ')} |`;
}

function nextLines({ decision, next }: GateRecord): readonly string[] {
  if (next === null || decision !== 'go') return [];
  return ['', '## Next', '', `\`${printable(next).replaceAll('`', "'")}\``];
}

function toolLines({ tools }: GateRecord): readonly string[] {
  const named = Object.entries(tools).map(
    ([name, version]) => `- ${escaped(name)} ${escaped(version)}`,
  );
  return named.length === 0 ? [] : ['', '## Tools', '', ...named];
}

/** For `GITHUB_STEP_SUMMARY`: the decision, why, and what is not simply met. */
export function summaryText(record: GateRecord, evidence: string | null): string {
  const open = record.criteria.filter(
    ({ outcome, exemption }) => outcome !== 'pass' || exemption !== null,
  );
  const rows = open.map((one) => row([one.level, resultOf(one), one.title, one.id]));
  const met = record.criteria.length - open.length;
  const lines = [
    `### canaryd gate: ${escaped(headline(record))}`,
    '',
    ...record.reasons.map((reason) => `- ${escaped(reason)}`),
    '',
    ...(rows.length === 0
      ? []
      : ['| Level | Result | Criterion | Id |', '|---|---|---|---|', ...rows, '']),
    `${met} of ${record.criteria.length} criteria simply met.`,
    ...(evidence === null ? [] : ['', `Evidence: ${escaped(evidence)}`]),
    ...nextLines(record),
    '',
  ];
  let text = '';
  for (const line of lines) {
    if (text.length + line.length > SUMMARY_CHARS_MAX) return `${text}\n(cut)\n`;
    text += `${line}\n`;
  }
  return text;
}
