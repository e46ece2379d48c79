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

/** A decision as it came. */
export type Received = Pick<GateRecord, 'decision' | 'endedAt'> & {
  /** By our own clock; `endedAt` is by that of the machine that carried the gate out. */
  readonly receivedAtMs: number;
};

export type NewestDecision = Received &
  Pick<GateRecord, 'reasons'> &
  Pick<GateDeploy, 'parameters'> & {
    /** Who has taken back a signature that made it GO; null: all of them stand. */
    readonly takenBack: string | null;
  };

/** Clocks of two machines differ by less; the daemon takes no decision that is further ahead. */
export const GATE_SKEW_MS = 5 * 60_000;
const REASON_MAX = 100;
const VALUE_MAX = 40;

/**
 * The decision that counts for a deploy. A GO counts when no NO-GO and no review came later, and
 * none ended later: a report may be long on its way.
 * @param received of one gate, service, environment and version; the last that came is first
 */
export function newestOf<One extends Received>(received: readonly One[]): One | null {
  const latest = (all: readonly One[]) =>
    all.reduce<One | null>((best, one) => (best && endOf(best) >= endOf(one) ? best : one), null);
  const others = received.filter(({ decision }) => decision !== 'go');
  const [lastOther] = others;
  const go = latest(lastOther ? received.slice(0, received.indexOf(lastOther)) : received);
  if (go === null) return lastOther ?? null;
  const other = latest(others);
  return other !== null && endOf(other) > endOf(go) ? other : go;
}

/**
 * The decision that counts for a deploy with these parameters: the pipelines of two regions may run
 * side by side. A GO for other parameters is passed over; what is no GO counts whatever it is for.
 * @param received as for newestOf
 */
export function newestFor<
  One extends Received & { readonly deploy: Pick<GateDeploy, 'parameters'> },
>(received: readonly One[], parameters: GateDeploy['parameters']): One | null {
  const own = received.filter((one) => otherParameters(one.deploy.parameters, parameters) === null);
  // What was found instead is told.
  if (!own.some(({ decision }) => decision === 'go')) return newestOf(own) ?? newestOf(received);
  return newestOf(received.filter((one) => one.decision !== 'go' || own.includes(one)));
}

/** A clock that is ahead makes nothing newer than it can be. */
function endOf({ endedAt, receivedAtMs }: Received): number {
  const endedAtMs = Date.parse(endedAt);
  return Number.isFinite(endedAtMs) ? Math.min(endedAtMs, receivedAtMs) : receivedAtMs;
}

/**
 * What was found instead of a GO that counts, in words: "NO-GO of 2026-03-01 10:00 UTC (…)".
 * @param newest for the gate and this very deploy; null: there is none
 * @param parameters of the deploy; those that the gate has, too, must be the same
 * @returns null: there is such a GO
 */
export function foundInstead(
  requires: Requires,
  newest: NewestDecision | null,
  parameters: GateDeploy['parameters'],
  nowMs: number,
): string | null {
  if (newest === null) return 'no decision of it for this version';
  const { decision, endedAt, receivedAtMs, reasons } = newest;
  const endedAtMs = Date.parse(endedAt);
  if (!Number.isFinite(endedAtMs)) return 'a decision without a time that can be read';
  const of = `of ${minute(endedAtMs)}`;
  if (decision === 'no_go') return `NO-GO ${of}${whyOf(reasons)}`;
  if (decision === 'review') return `a review ${of} that nobody has approved`;
  const isAhead = endedAtMs > receivedAtMs + GATE_SKEW_MS;
  if (isAhead || receivedAtMs > nowMs + GATE_SKEW_MS) {
    return `a GO ${of}, which is in the future: set the clocks right`;
  }
  // The older of the two: one that was kept back and reported late is not fresh.
  const ageMs = nowMs - Math.min(endedAtMs, receivedAtMs);
  if (ageMs > requires.freshMs) {
    return `a GO ${of}, ${roughDuration(ageMs)} old; at most ${formatDuration(requires.freshMs)} wanted`;
  }
  const other = otherParameters(newest.parameters, parameters);
  if (other !== null) return `a GO ${of} for ${other}`;
  if (newest.takenBack === null) return null;
  return `a GO ${of}, whose signature by ${cut(newest.takenBack)} has been taken back`;
}

/** What one tool calls 1000 another one calls "1000". */
function otherParameters(
  decided: GateDeploy['parameters'],
  asked: GateDeploy['parameters'],
): string | null {
  const others = Object.entries(decided).filter(([name, value]) => {
    const wanted = Object.hasOwn(asked, name) ? asked[name] : undefined;
    return wanted !== undefined && String(wanted) !== String(value);
  });
  if (others.length === 0) return null;
  const found = others.map(([name, value]) => `${name} ${cut(String(value), VALUE_MAX)}`);
  const wanted = others.map(([name]) => cut(String(asked[name]), VALUE_MAX));
  return cut(`${found.join(', ')}, not ${wanted.join(', ')}`, 2 * REASON_MAX);
}

/** For people, who look at it before they run it. */
export function gateCommand(
  gate: string,
  { service, environment, version, parameters }: GateDeploy,
): string {
  const place = `--service ${word(service)} --environment ${word(environment)}`;
  const given = Object.entries(parameters).map(([name, value]) => `${name}=${value}`);
  const params = given.map((one) => ` --param ${word(one)}`).join('');
  return `canaryd gate ${gate} --version ${word(version)} ${place}${params} --daemon`;
}

/** One word for a shell, whatever a pipeline calls its version. */
function word(text: string): string {
  return /^[\w.:+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function whyOf(reasons: readonly string[]): string {
  const [first] = reasons;
  if (first === undefined) return '';
  const more = reasons.length > 1 ? ` and ${reasons.length - 1} more` : '';
  return ` (${cut(first)}${more})`;
}

function cut(text: string, max = REASON_MAX): string {
  const points = [...text];
  return points.length <= max ? text : `${points.slice(0, max - 1).join('')}…`;
}

function minute(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
