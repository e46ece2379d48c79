// What the targets of a scrape source have shown so far, shared by all watches. It keeps every
// series, not only those asked for: a policy that starts with a deploy must know the time before.
// Bounded in series, points and time; may lose detail, never invents a point.
import type { Series, SeriesSet } from '../core/series.ts';
import type { MetricSample } from './metrics-text.ts';

/** All targets together. At the limit, metrics that a watch asks for push out the others. */
export const SERIES_MAX = 20_000;
export const POINTS_MAX = 1_000;
/** How long the time before a deploy stays known. */
export const STANDBY_MS = 15 * 60_000;
/** A range's base is the last point before it: so much more than the longest range is kept. */
const BASE_MARGIN_MS = 60_000;
/** How long an outage may last whose counts are not lost. */
export const BASE_MS_MAX = 25 * 3_600_000;
/** Series that nobody asks for are kept at this resolution: 20,000 of them must fit in memory. */
export const UNASKED_SPACING_MS = 5_000;
const PRUNE_EVERY_MS = 10_000;
/** One point per successful scrape and target: proves that canaryd looked. */
const WITNESS = 'canaryd_scrape';

type Kept = {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Two plain arrays: a tuple per point would cost four times the memory. */
  readonly times: number[];
  readonly values: number[];
  endedAtMs: number | null;
  /** As last handed out; null after a change. */
  series: Series | null;
};

export class ScrapeHistory {
  readonly #metrics = new Map<string, Map<string, Kept>>();
  /** Series of each target, to see which ended. */
  readonly #targets = new Map<string, Map<string, Kept>>();
  #coveredFromMs = Number.POSITIVE_INFINITY;
  #prunedAtMs = Number.NEGATIVE_INFINITY;
  #seriesCount = 0;
  #evictedCount = 0;
  #keepMs = STANDBY_MS;

  /** One successful scrape. Returns how many series found no place or lost it. */
  add(
    instance: string,
    samples: readonly MetricSample[],
    atMs: number,
    isAsked: (metric: string) => boolean,
  ): number {
    this.#coveredFromMs = Math.min(this.#coveredFromMs, atMs);
    const witness = { metric: WITNESS, labels: { instance }, value: 1, timestampMs: null };
    const known = this.#targets.get(instance) ?? new Map<string, Kept>();
    const present = new Map<string, Kept>();
    let lost = 0;
    for (const sample of [witness, ...samples]) {
      const key = keyOf(sample);
      if (present.has(key)) continue;
      const asked = isAsked(sample.metric);
      const old = known.get(key);
      const isHeld = old !== undefined && this.#holds(old, key);
      const kept = isHeld ? old : this.#place(sample, key, asked, isAsked);
      if (kept === null) {
        lost += 1;
        continue;
      }
      present.set(key, kept);
      // A time stamp of the service's own counts only when it says that the value is older.
      append(kept, Math.min(atMs, sample.timestampMs ?? atMs), sample.value, asked);
    }
    for (const [key, kept] of known) {
      if (present.has(key) || !this.#holds(kept, key)) continue;
      if (kept.endedAtMs === null) {
        kept.endedAtMs = atMs;
        kept.series = null;
      }
      present.set(key, kept);
    }
    this.#targets.set(instance, present);
    lost += this.#evictedCount;
    this.#evictedCount = 0;
    // What found no place was seen and not kept: its absence up to now proves nothing.
    if (lost > 0) this.#coveredFromMs = atMs + 1;
    return lost;
  }

  /** Keep at least this long, besides what is kept anyway. */
  keep(longestRangeMs: number): void {
    this.#keepMs = Math.max(STANDBY_MS, longestRangeMs + BASE_MARGIN_MS);
  }

  /**
   * Drops points that no range can reach any more, and series without points. The last one before
   * stays: from it a counter goes on when a service answers again.
   */
  prune(nowMs: number): void {
    if (nowMs - this.#prunedAtMs < PRUNE_EVERY_MS) return;
    this.#prunedAtMs = nowMs;
    const fromMs = nowMs - this.#keepMs;
    this.#coveredFromMs = Math.max(this.#coveredFromMs, Math.min(fromMs, this.#lookedAt(fromMs)));
    for (const [metric, series] of this.#metrics) {
      for (const [key, kept] of series) {
        dropBefore(kept, fromMs, kept.endedAtMs === null ? nowMs - BASE_MS_MAX : fromMs);
        if (kept.times.length > 0) continue;
        series.delete(key);
        this.#seriesCount -= 1;
      }
      if (series.size === 0) this.#metrics.delete(metric);
    }
  }

  /** Series of these metrics, and what proves when canaryd looked. */
  read(metrics: readonly string[]): SeriesSet {
    const series = [...new Set([...metrics, WITNESS])].flatMap((metric) =>
      [...(this.#metrics.get(metric)?.values() ?? [])].map(seriesOf),
    );
    return { series, coveredFromMs: this.#coveredFromMs };
  }

  /** The last look before: what was not there then is new, also after an outage. */
  #lookedAt(fromMs: number): number {
    const targets = [...(this.#metrics.get(WITNESS)?.values() ?? [])];
    const looks = targets.flatMap(({ times }) => times.findLast((atMs) => atMs < fromMs) ?? []);
    return looks.length === 0 ? fromMs : Math.max(...looks);
  }

  #holds(kept: Kept, key: string): boolean {
    return this.#metrics.get(kept.metric)?.get(key) === kept;
  }

  #place(
    sample: MetricSample,
    key: string,
    asked: boolean,
    isAsked: (metric: string) => boolean,
  ): Kept | null {
    const { metric, labels } = sample;
    if (this.#seriesCount >= SERIES_MAX && !(asked && this.#evict(isAsked))) return null;
    const kept: Kept = { metric, labels, times: [], values: [], endedAtMs: null, series: null };
    const siblings = this.#metrics.get(metric) ?? new Map<string, Kept>();
    siblings.set(key, kept);
    this.#metrics.set(metric, siblings);
    this.#seriesCount += 1;
    return kept;
  }

  /** Makes room by dropping the first metric that nobody asks for. */
  #evict(isAsked: (metric: string) => boolean): boolean {
    for (const [metric, series] of this.#metrics) {
      if (metric === WITNESS || isAsked(metric)) continue;
      this.#metrics.delete(metric);
      this.#seriesCount -= series.size;
      this.#evictedCount += series.size;
      return true;
    }
    return false;
  }
}

function append(kept: Kept, atMs: number, value: number, asked: boolean): void {
  const { times, values } = kept;
  if (kept.endedAtMs !== null) {
    kept.endedAtMs = null;
    kept.series = null;
  }
  if (atMs <= (times.at(-1) ?? Number.NEGATIVE_INFINITY)) return;
  const beforeLast = times.at(-2);
  if (!asked && beforeLast !== undefined && atMs - beforeLast < UNASKED_SPACING_MS) {
    times.pop();
    values.pop();
  }
  times.push(atMs);
  values.push(value);
  if (times.length > POINTS_MAX) thin(kept);
  kept.series = null;
}

/** Every other point of the older half goes: sums stay right, old resets become coarser. */
function thin({ times, values }: Kept): void {
  const half = Math.floor(times.length / 2);
  let to = 0;
  for (let from = 0; from < times.length; from += from < half ? 2 : 1) {
    times[to] = times[from] ?? 0;
    values[to] = values[from] ?? 0;
    to += 1;
  }
  times.length = to;
  values.length = to;
}

/** The last point before stays where it is not older than `baseFromMs`. */
function dropBefore(kept: Kept, fromMs: number, baseFromMs: number): void {
  let count = 0;
  while ((kept.times[count] ?? Number.POSITIVE_INFINITY) < fromMs) count += 1;
  if ((kept.times[count - 1] ?? Number.NEGATIVE_INFINITY) >= baseFromMs) count -= 1;
  if (count <= 0) return;
  kept.times.splice(0, count);
  kept.values.splice(0, count);
  kept.series = null;
}

function seriesOf(kept: Kept): Series {
  kept.series ??= {
    metric: kept.metric,
    labels: kept.labels,
    points: kept.times.map((atMs, index) => [atMs, kept.values[index] ?? Number.NaN] as const),
    ...(kept.endedAtMs === null ? {} : { endedAtMs: kept.endedAtMs }),
  };
  return kept.series;
}

function keyOf({ metric, labels }: MetricSample): string {
  const pairs = Object.entries(labels);
  pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([metric, pairs]);
}
