// Whether the newest decision of a gate lets a watch start: a policy's `requires`. Pure; what cannot
// be trusted is no GO. It decides nothing about the deploy itself.
import type { GateDeploy, GateRecord } from './gate-record.ts';
import { formatDuration, roughDuration } from './quantity.ts';

/** The GO that a policy wants before its watch starts. */
export type Requires = {
  readonly gate: string;
  /** A GO that is older no longer counts. */
  readonly freshMs: number;
  /** `alert`: the watch starts all the same, and says so loudly. */
  readonly otherwise: 'refuse' | 'alert';
};

export type NewestDecision = Pick<GateRecord, 'decision' | 'endedAt' | 'reasons'> & {
  /** By our own clock; `endedAt` is by that of the machine that carried the gate out. */
  readonly receivedAtMs: number;
};

/** Clocks of two machines differ by less. */
const CLOCKS_DIFFER_MS = 60_000;
const REASON_MAX = 100;

/**
 * What was found instead of a GO that counts, in words: "NO-GO of 2026-03-01 10:00 UTC (…)".
 * @param newest for the gate and this very deploy; null: there is none
 * @returns null: there is such a GO
 */
export function foundInstead(
  requires: Requires,
  newest: NewestDecision | null,
  nowMs: number,
): string | null {
  if (newest === null) return 'no decision of it for this version';
  const { decision, endedAt, receivedAtMs, reasons } = newest;
  const endedAtMs = Date.parse(endedAt);
  if (!Number.isFinite(endedAtMs)) return 'a decision without a time that can be read';
  const of = `of ${minute(endedAtMs)}`;
  if (decision === 'no_go') return `NO-GO ${of}${whyOf(reasons)}`;
  if (decision === 'review') return `a review ${of} that nobody has approved`;
  const isAhead = endedAtMs > receivedAtMs + CLOCKS_DIFFER_MS;
  if (isAhead || receivedAtMs > nowMs + CLOCKS_DIFFER_MS) {
    return `a GO ${of}, which is in the future: set the clocks right`;
  }
  // The older of the two: one that was kept back and reported late is not fresh.
  const ageMs = nowMs - Math.min(endedAtMs, receivedAtMs);
  if (ageMs <= requires.freshMs) return null;
  return `a GO ${of}, ${roughDuration(ageMs)} old; at most ${formatDuration(requires.freshMs)} wanted`;
}

/** For people, who look at it before they run it. */
export function gateCommand(
  gate: string,
  { version, environment }: Pick<GateDeploy, 'version' | 'environment'>,
): string {
  return `canaryd gate ${gate} --version ${word(version)} --environment ${word(environment)} --daemon`;
}

/** One word for a shell, whatever a pipeline calls its version. */
function word(text: string): string {
  return /^[\w.:+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function whyOf(reasons: readonly string[]): string {
  const [first] = reasons;
  if (first === undefined) return '';
  const more = reasons.length > 1 ? ` and ${reasons.length - 1} more` : '';
  return ` (${cut(first)}${more})`;
}

function cut(text: string): string {
  const points = [...text];
  return points.length <= REASON_MAX ? text : `${points.slice(0, REASON_MAX - 1).join('')}…`;
}

function minute(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
