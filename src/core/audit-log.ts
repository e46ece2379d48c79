// Counted events of an audit log to a reading, by the same rules as for counters: no event from
// before the deploy or from after the query time, and too few are no figure. Pure.
import { rangeOf, tooFew } from './measure.ts';
import type { AuditLogIndicator } from './policy.ts';
import { formatNumber, roughDuration } from './quantity.ts';
import type { Blind, Counts, Reading } from './sample.ts';
import { blind, type MeasureView } from './visible.ts';

/** What is known of a log at the query time. */
export type LogSeen = {
  /** For people: the path that was read. */
  readonly path: string;
  /** Events in a range that begins then and ends at the query time. */
  readonly countsFrom: (fromMs: number) => Counts;
  /** undefined: not all of them were read. */
  readonly sinceDeploy: Counts | undefined;
  /** Time of the newest event; null: there is none. */
  readonly newestMs: number | null;
  /** What is older was not read. */
  readonly knownFromMs: number;
  /** Why: "is too large to be read back". */
  readonly whyCut: string;
  /** By so much the clock that writes it is ahead of canaryd's; 0: it is not. */
  readonly leadMs: number;
  /** Lines in the whole range that are no events, when those are not what is counted. */
  readonly unreadable: number;
};

export function measureAuditLog(
  indicator: AuditLogIndicator,
  seen: LogSeen,
  given: Omit<MeasureView, 'previous' | 'staleAfterMs'>,
): Reading {
  const { sinceDeploy, leadMs } = seen;
  const isAfter = given.deployedAtMs !== null && given.atMs >= given.deployedAtMs;
  const judgedFromMs = given.deployedAtMs === null ? null : given.deployedAtMs + leadMs;
  if (isAfter && judgedFromMs !== null && given.atMs <= judgedFromMs) {
    const [lead, wait] = [leadMs, judgedFromMs - given.atMs].map((ms) => roughDuration(ms));
    const detail =
      `the clock that writes ${seen.path} is ${lead} ahead: for ${wait} more, events of the old ` +
      'version look like new ones; set both clocks';
    if (leadMs > 0) return blind('rejected', detail);
  }
  const view = { ...given, deployedAtMs: isAfter ? judgedFromMs : given.deployedAtMs };
  const since = isAfter && sinceDeploy !== undefined ? { sinceDeploy } : {};
  const range = rangeOf(indicator, { ...view, previous: null, staleAfterMs: 0 });
  if (range.kind === 'blind') return { ...range, ...since };
  const { fromMs, rangeMs, shortened } = range;
  const stale = unseen(indicator, seen, fromMs, view);
  if (stale !== null) return { ...stale, ...since };
  if (seen.knownFromMs > fromMs) {
    const [reached, wanted] = [view.atMs - seen.knownFromMs, rangeMs].map((ms) =>
      roughDuration(Math.max(0, ms)),
    );
    const detail = `${seen.path} ${seen.whyCut}: ${reached} of ${wanted} are known`;
    return { ...blind('unreachable', detail), ...since };
  }
  const counts = seen.countsFrom(fromMs);
  const few = tooFew(counts, indicator.minTotal, range);
  if (few !== null) {
    const lost = seen.unreadable === 0 ? '' : `; ${formatNumber(seen.unreadable)} lines are none`;
    return { ...few, ...blind('too_few', `${few.detail}${lost}`), ...since };
  }
  return {
    ...{ kind: 'value', value: counts.part / counts.total },
    ...{ rangeMs, shortened, counts },
    ...since,
  };
}

function unseen(
  { maxAgeMs, time }: AuditLogIndicator,
  { path, newestMs }: LogSeen,
  fromMs: number,
  { atMs, deployedAtMs }: Omit<MeasureView, 'previous' | 'staleAfterMs'>,
): Blind | null {
  if (newestMs === null) return blind('no_series', `${path} holds no event with a time at ${time}`);
  const age = roughDuration(Math.max(0, atMs - newestMs));
  if (deployedAtMs !== null && newestMs < deployedAtMs) {
    return blind('stale', `newest event of ${path} is from before the deploy, ${age} old`);
  }
  if (newestMs >= fromMs && (maxAgeMs === null || atMs - newestMs <= maxAgeMs)) return null;
  const wanted = roughDuration(maxAgeMs ?? atMs - fromMs);
  return blind('stale', `newest event of ${path} is ${age} old, at most ${wanted} wanted`);
}
