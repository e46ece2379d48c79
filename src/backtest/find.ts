// Deploys that nobody wrote down: where the value of a version label changes in a Prometheus's
// history. A coarse look over the whole time first, then a fine one at each change.
import type { Asker } from './asker.ts';
import { POINTS_IN_RANGE_MAX } from './expression-answers.ts';
import type { PastDeploy } from './result.ts';
import { maySplit } from './splitting.ts';

/** A version that lived shorter than this may not be seen. */
const COARSE_STEP_MS = 60_000;
const FINE_STEP_MS = 1_000;
/** One answer of a coarse look holds at most so much time. */
const STEPS_AT_ONCE = 2_000;
const STEPS_AT_ONCE_MIN = 60;
/** Absent for longer than this, a version that is there again was deployed again. */
const MISSED_MS = 300_000;

export type FindOptions = {
  readonly asker: Asker;
  /** `up{job="aurora"}` */
  readonly promql: string;
  readonly label: string;
  readonly fromMs: number;
  readonly untilMs: number;
};

/** A version took over, and from which one; `isRollback`: back to the one before. */
export type Change = {
  readonly version: string;
  readonly previousVersion: string;
  readonly atMs: number;
  readonly isRollback: boolean;
};

export type FindResult =
  | { readonly kind: 'found'; readonly changes: readonly Change[] }
  | { readonly kind: 'failed'; readonly detail: string };

/** Which versions were there at one time. */
type Seen = { readonly atMs: number; readonly versions: ReadonlySet<string> };

/** Throws what the end of the source throws. */
export async function findChanges(options: FindOptions): Promise<FindResult> {
  const { fromMs, untilMs } = options;
  const stepMs = Math.max(COARSE_STEP_MS, Math.ceil((untilMs - fromMs) / POINTS_IN_RANGE_MAX));
  const coarse = await look(options, fromMs, untilMs, stepMs);
  if (coarse.kind === 'failed') return coarse;
  const changes: Change[] = [];
  for (const change of changesOf(coarse.seen)) {
    const fromCoarseMs = Math.max(fromMs, change.atMs - stepMs);
    const fine = await look(options, fromCoarseMs, change.atMs, FINE_STEP_MS);
    if (fine.kind === 'failed') return fine;
    changes.push({ ...change, atMs: firstSight(fine.seen, change) });
  }
  return { kind: 'found', changes };
}

/** When the version came, or (of a rollback whose version never left) the other one went. */
function firstSight(seen: readonly Seen[], { version, previousVersion, atMs }: Change): number {
  const came = seen.findIndex(({ versions }) => versions.has(version));
  if (came > 0) return seen[came]?.atMs ?? atMs;
  const went = seen.find(({ versions }) => versions.has(version) && !versions.has(previousVersion));
  return went?.atMs ?? atMs;
}

async function look(
  { asker, promql, label }: FindOptions,
  fromMs: number,
  untilMs: number,
  stepMs: number,
): Promise<
  { kind: 'seen'; seen: readonly Seen[] } | { readonly kind: 'failed'; readonly detail: string }
> {
  const versionsAt = new Map<number, Set<string>>();
  let steps = STEPS_AT_ONCE;
  for (let at = fromMs; at <= untilMs; ) {
    const toMs = at + Math.min(steps - 1, Math.floor((untilMs - at) / stepMs)) * stepMs;
    const query = `count by (${label}) (\n${promql}\n)`;
    const answer = await asker.ask({ promql: query, fromMs: at, toMs, stepMs });
    if (answer.kind === 'failed') {
      if (!maySplit(answer) || steps <= STEPS_AT_ONCE_MIN) return answer;
      steps = Math.max(STEPS_AT_ONCE_MIN, Math.floor(steps / 2));
      continue;
    }
    for (let step = at; step <= toMs; step += stepMs) versionsAt.set(step, new Set());
    const series = answer.result.type === 'matrix' ? answer.result.series : [];
    for (const { labels, points } of series) {
      const version = labels[label] ?? '';
      for (const [pointMs] of points) if (version !== '') versionsAt.get(pointMs)?.add(version);
    }
    at = toMs + stepMs;
  }
  return {
    kind: 'seen',
    seen: [...versionsAt].map(([atMs, versions]) => ({ atMs, versions })),
  };
}

/**
 * While two versions run side by side (a rolling deploy, a canary) the newer one counts. A time in
 * which nothing is seen is no change, nor is one in which the older one is missed for a moment: a
 * scrape may have failed.
 */
export function changesOf(seen: readonly Seen[]): readonly Change[] {
  const changes: Change[] = [];
  const lastSeenMs = new Map<string, number>();
  let current: string | null = null;
  for (const { atMs, versions } of seen) {
    if (versions.size === 0) continue;
    const isFresh = (version: string) =>
      atMs - (lastSeenMs.get(version) ?? Number.NEGATIVE_INFINITY) > MISSED_MS;
    const next = nextVersion(versions, current, isFresh);
    if (current !== null && next !== current) {
      const last = changes.at(-1);
      const isRollback = last !== undefined && !last.isRollback && last.previousVersion === next;
      changes.push({ version: next, previousVersion: current, atMs, isRollback });
    }
    current = next;
    for (const version of versions) lastSeenMs.set(version, atMs);
  }
  return changes;
}

/** One that was not there before; else, when the current one has gone, one that still is. */
function nextVersion(
  versions: ReadonlySet<string>,
  current: string | null,
  isFresh: (version: string) => boolean,
): string {
  const others = [...versions].filter((one) => one !== current).toSorted();
  const fresh = current === null ? undefined : others.find(isFresh);
  if (fresh !== undefined) return fresh;
  if (current !== null && (versions.has(current) || others.length === 0)) return current;
  return others[0] ?? current ?? '';
}

export type DeploysOf = {
  readonly service: string;
  readonly environment: string | null;
  readonly parameters: PastDeploy['parameters'];
  /** A deploy that was rolled back is labelled bad. */
  readonly rolledBackIsBad: boolean;
};

/** A rollback is no deploy to be judged; it ends the time of the one it took back. */
export function deploysOf(changes: readonly Change[], of: DeploysOf): readonly PastDeploy[] {
  return changes.flatMap((change, index) => {
    if (change.isRollback) return [];
    const next = changes[index + 1];
    const isBad = of.rolledBackIsBad && next?.isRollback === true;
    const deploy: PastDeploy = {
      service: of.service,
      environment: of.environment,
      version: change.version,
      previousVersion: change.previousVersion,
      deployedAtMs: change.atMs,
      parameters: of.parameters,
      label: isBad ? 'bad' : null,
      replaced: next === undefined ? null : { atMs: next.atMs, version: next.version },
    };
    return [deploy];
  });
}
