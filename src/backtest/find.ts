// Deploys that nobody wrote down: where the value of a version label changes in a Prometheus's
// history. A coarse look over the whole time first, then a fine one at each change.
import type { Asker } from './asker.ts';
import type { PastDeploy } from './result.ts';
import { maySplit } from './splitting.ts';

/** A version that lived shorter than this may not be seen. Always less than `MISSED_MS`. */
const COARSE_STEP_MS = 60_000;
const FINE_STEP_MS = 1_000;
/** One answer of a coarse look holds at most so much time. */
const STEPS_AT_ONCE = 2_000;
const STEPS_AT_ONCE_MIN = 60;
/** Absent for longer than this, a version that is there again was deployed again. */
const MISSED_MS = 300_000;
/** More than these are no deploys of one service. */
export const CHANGES_MAX = 2_000;
/** What may be looked through: about 530 requests. */
export const LOOK_BACK_MAX_MS = 2 * 366 * 86_400_000;

export type FindOptions = {
  readonly asker: Asker;
  /** `up{job="aurora"}` */
  readonly promql: string;
  readonly label: string;
  readonly fromMs: number;
  readonly untilMs: number;
  /** So many deploys are wanted; of older ones the time is only known to the minute. */
  readonly newest: number;
  /** How much of it is done, 0 to 1. */
  readonly onProgress: (share: number) => void;
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
  const { fromMs, label, newest, onProgress, untilMs } = options;
  const coarse = new Changes();
  const refusal = await look(options, fromMs, untilMs, COARSE_STEP_MS, (seen) => {
    for (const one of seen) coarse.see(one);
    if (coarse.found.length > CHANGES_MAX) return false;
    onProgress(((seen.at(-1)?.atMs ?? untilMs) - fromMs) / Math.max(1, untilMs - fromMs));
    return true;
  });
  if (refusal !== null) return { kind: 'failed', detail: refusal };
  if (coarse.found.length > CHANGES_MAX) {
    const detail = `found more than ${CHANGES_MAX} changes of ${label}; is it the label of a version?`;
    return { kind: 'failed', detail: `${detail} Else look back less far (--since)` };
  }
  const changes = [...coarse.found];
  for (const index of wantedOf(changes, newest)) {
    const change = changes[index];
    if (change === undefined) continue;
    const found: Seen[] = [];
    const fromCoarseMs = Math.max(fromMs, change.atMs - COARSE_STEP_MS);
    const detail = await look(options, fromCoarseMs, change.atMs, FINE_STEP_MS, (seen) => {
      found.push(...seen);
      return true;
    });
    if (detail !== null) return { kind: 'failed', detail };
    changes[index] = { ...change, atMs: firstSight(found, change) };
  }
  onProgress(1);
  return { kind: 'found', changes };
}

/** Those from the oldest deploy that is wanted on; rollbacks end the time of deploys. */
function wantedOf(changes: readonly Change[], newest: number): readonly number[] {
  const indexes = [...changes.keys()];
  const deploys = indexes.filter((index) => changes[index]?.isRollback === false);
  const first = deploys.at(-newest) ?? deploys[0] ?? 0;
  return indexes.slice(first);
}

/** When the version came, or (of a rollback whose version never left) the other one went. */
function firstSight(seen: readonly Seen[], { version, previousVersion, atMs }: Change): number {
  const came = seen.findIndex(({ versions }) => versions.has(version));
  if (came > 0) return seen[came]?.atMs ?? atMs;
  const went = seen.find(({ versions }) => versions.has(version) && !versions.has(previousVersion));
  return went?.atMs ?? atMs;
}

/** Page by page, while `onSeen` wants more. null, or why it was refused. */
async function look(
  { asker, promql, label }: FindOptions,
  fromMs: number,
  untilMs: number,
  stepMs: number,
  onSeen: (seen: readonly Seen[]) => boolean,
): Promise<string | null> {
  let steps = STEPS_AT_ONCE;
  for (let at = fromMs; at <= untilMs; ) {
    const toMs = at + Math.min(steps - 1, Math.floor((untilMs - at) / stepMs)) * stepMs;
    const query = `count by (${label}) (\n${promql}\n)`;
    const answer = await asker.ask({ promql: query, fromMs: at, toMs, stepMs });
    if (answer.kind === 'failed') {
      if (!maySplit(answer) || steps <= STEPS_AT_ONCE_MIN) return answer.detail;
      steps = Math.max(STEPS_AT_ONCE_MIN, Math.floor(steps / 2));
      continue;
    }
    const versionsAt = new Map<number, Set<string>>();
    for (let step = at; step <= toMs; step += stepMs) versionsAt.set(step, new Set());
    const series = answer.result.type === 'matrix' ? answer.result.series : [];
    for (const { labels, points } of series) {
      const version = labels[label] ?? '';
      for (const [pointMs] of points) if (version !== '') versionsAt.get(pointMs)?.add(version);
    }
    if (!onSeen([...versionsAt].map(([atMs, versions]) => ({ atMs, versions })))) return null;
    at = toMs + stepMs;
  }
  return null;
}

export function changesOf(seen: readonly Seen[]): readonly Change[] {
  const changes = new Changes();
  for (const one of seen) changes.see(one);
  return changes.found;
}

/**
 * While two versions run side by side (a rolling deploy, a canary) the newer one counts. A time in
 * which nothing is seen is no change, nor is one in which the older one is missed for a moment: a
 * scrape may have failed. Nobody is missed while nobody is seen.
 */
class Changes {
  readonly found: Change[] = [];
  /** In `#seenMs`: the time in which something was seen. */
  readonly #lastSeen = new Map<string, number>();
  #seenMs = 0;
  #lookedAtMs: number | null = null;
  #current: string | null = null;

  see({ atMs, versions }: Seen): void {
    const sinceMs = atMs - (this.#lookedAtMs ?? atMs);
    this.#lookedAtMs = atMs;
    if (versions.size === 0) return;
    this.#seenMs += sinceMs;
    const current = this.#current;
    const next = nextVersion(versions, current, (version) => this.#isFresh(version));
    if (current !== null && next !== current) {
      const last = this.found.at(-1);
      const isRollback = last !== undefined && !last.isRollback && last.previousVersion === next;
      this.found.push({ version: next, previousVersion: current, atMs, isRollback });
    }
    this.#current = next;
    for (const version of versions) this.#lastSeen.set(version, this.#seenMs);
  }

  #isFresh(version: string): boolean {
    const last = this.#lastSeen.get(version);
    return last === undefined || this.#seenMs - last > MISSED_MS;
  }
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
