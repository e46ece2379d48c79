// The raw samples behind one selector, fetched in large chunks and handed out in the small windows
// that the reader of production asks for. A window holds exactly what a range selector that ends
// at that time would have held, edges included.
import { formatDuration } from '../core/quantity.ts';
import type { Point } from '../core/series.ts';
import type { QueryAnswer } from '../source/prometheus-api.ts';
import type { MatrixSeries } from '../source/prometheus-result.ts';
import type { Asker } from './asker.ts';
import { type Failed, maySplit } from './splitting.ts';

/** Below this a refused chunk is not divided: the daemon's own requests are that large. */
export const CHUNK_MIN_MS = 30_000;
/** The first chunk is so much smaller: many deploys are decided in their first minutes. */
const FIRST_PART = 4;
/** Chunks kept beside those that a window needs. */
const CHUNKS_KEPT = 8;

type Chunk = {
  /** Both ends belong to it. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly series: readonly MatrixSeries[];
  readonly warnings: readonly string[];
  readonly failed: Failed | null;
};

/** Whether a range selector includes its left edge: Prometheus 2 does, 3 does not. */
export type Edge = { isClosed: boolean | null };

export type RawChunksOptions = {
  readonly asker: Asker;
  readonly selector: string;
  readonly chunkMs: number;
  /** Nothing is asked beyond it, unless a window ends later. */
  readonly untilMs: number;
  readonly edge: Edge;
};

export class RawChunks {
  readonly #options: RawChunksOptions;
  /** In order of time, without overlaps. */
  #chunks: Chunk[] = [];
  #sizeMs: number;
  #sizeMaxMs: number;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: RawChunksOptions) {
    this.#options = options;
    this.#sizeMaxMs = options.chunkMs;
    this.#sizeMs = Math.max(CHUNK_MIN_MS, Math.floor(options.chunkMs / FIRST_PART));
  }

  /** What `selector[atMs - fromMs]` at `atMs` gives. One at a time: the next may need the same. */
  window(fromMs: number, atMs: number): Promise<QueryAnswer> {
    const answer = this.#turn.then(() => this.#window(fromMs, atMs));
    this.#turn = answer.catch(() => {});
    return answer;
  }

  async #window(fromMs: number, atMs: number): Promise<QueryAnswer> {
    for (let gap = this.#gap(fromMs, atMs); gap !== null; gap = this.#gap(fromMs, atMs)) {
      await this.#fetch(gap, atMs);
    }
    const chunks = this.#chunks.filter((one) => one.toMs >= fromMs && one.fromMs <= atMs);
    this.#drop(chunks);
    const failed = chunks.find((one) => one.failed !== null)?.failed;
    if (failed) return failed;
    const isOnEdge = chunks.some(({ series }) => series.some((one) => hasPoint(one, fromMs)));
    const isClosed = isOnEdge && (await this.#isClosed(fromMs));
    const series = joined(chunks, isClosed ? fromMs : fromMs + 1, atMs);
    const warnings = [...new Set(chunks.flatMap((one) => one.warnings))];
    return { kind: 'answered', result: { type: 'matrix', series }, warnings };
  }

  /** The first moment of the window that is not known. */
  #gap(fromMs: number, atMs: number): number | null {
    let next = fromMs;
    for (const { fromMs: from, toMs: to } of this.#chunks) {
      if (from <= next && to >= next) next = to + 1;
    }
    return next <= atMs ? next : null;
  }

  async #fetch(fromMs: number, neededMs: number): Promise<void> {
    const { asker, selector, untilMs } = this.#options;
    const following = this.#chunks.find((one) => one.fromMs > fromMs)?.fromMs ?? Infinity;
    const lastMs = Math.min(Math.max(untilMs, neededMs), following - 1);
    const toMs = Math.min(lastMs, fromMs + this.#sizeMs - 1);
    // A millisecond more on the left, in case the edge is open; cut off again below.
    const promql = `${selector}[${formatDuration(toMs - fromMs + 1)}]`;
    const answer = await asker.ask({ promql, atMs: toMs });
    if (answer.kind === 'failed') {
      if (maySplit(answer) && this.#sizeMs > CHUNK_MIN_MS) {
        this.#sizeMs = Math.max(CHUNK_MIN_MS, Math.floor(this.#sizeMs / 2));
        this.#sizeMaxMs = this.#sizeMs;
        return;
      }
      if (answer.fault === 'slow') {
        const span = formatDuration(this.#sizeMs);
        asker.lose(`${answer.detail}, even for ${span} of samples; give it more time (--timeout)`);
      }
      this.#add({ fromMs, toMs, series: [], warnings: [], failed: answer });
      return;
    }
    const { result, warnings } = answer;
    const series = result.type === 'matrix' ? result.series : [];
    const own = series.map((one) => ({ ...one, points: between(one.points, fromMs, toMs) }));
    this.#add({ fromMs, toMs, series: own, warnings, failed: null });
    this.#sizeMs = Math.min(this.#sizeMaxMs, this.#sizeMs * 2);
  }

  #add(chunk: Chunk): void {
    this.#chunks = [...this.#chunks, chunk].toSorted((a, b) => a.fromMs - b.fromMs);
  }

  /** The oldest go first: time in a replay runs forward. */
  #drop(needed: readonly Chunk[]): void {
    const others = this.#chunks.filter((one) => !needed.includes(one));
    const dropped = others.slice(0, Math.max(0, others.length - CHUNKS_KEPT));
    this.#chunks = this.#chunks.filter((one) => !dropped.includes(one));
  }

  /** Asked of the server itself, once: there is a sample at exactly this time. */
  async #isClosed(sampleMs: number): Promise<boolean> {
    const { asker, selector, edge } = this.#options;
    if (edge.isClosed !== null) return edge.isClosed;
    const answer = await asker.ask({ promql: `${selector}[1s]`, atMs: sampleMs + 1_000 });
    if (answer.kind === 'failed' || answer.result.type !== 'matrix') return false;
    edge.isClosed = answer.result.series.some((one) => hasPoint(one, sampleMs));
    return edge.isClosed;
  }
}

type Joined = { readonly pairs: Pairs; series: MatrixSeries };
type Pairs = readonly (readonly [string, string])[];

/** The series of neighbouring chunks as one, in the order of a block of Prometheus: by labels. */
function joined(chunks: readonly Chunk[], fromMs: number, toMs: number): MatrixSeries[] {
  const parts = chunks.flatMap(({ series }) =>
    series
      .map((one) => ({ ...one, points: between(one.points, fromMs, toMs) }))
      .filter(({ points, isNativeHistogram }) => points.length > 0 || isNativeHistogram),
  );
  if (chunks.length === 1) return parts;
  const byLabels = new Map<string, Joined>();
  for (const part of parts) {
    const pairs = Object.entries(part.labels).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify(pairs);
    const known = byLabels.get(key);
    if (known === undefined) byLabels.set(key, { pairs, series: part });
    else known.series = plusPoints(known.series, part);
  }
  return [...byLabels.values()].sort(byPairs).map(({ series }) => series);
}

function plusPoints(a: MatrixSeries, b: MatrixSeries): MatrixSeries {
  const isNativeHistogram = a.isNativeHistogram || b.isNativeHistogram;
  return { labels: a.labels, points: [...a.points, ...b.points], isNativeHistogram };
}

function byPairs({ pairs: a }: Joined, { pairs: b }: Joined): number {
  for (const [index, [name, value]] of a.entries()) {
    const [otherName, otherValue] = b[index] ?? ['', ''];
    if (name !== otherName) return name < otherName ? -1 : 1;
    if (value !== otherValue) return value < otherValue ? -1 : 1;
  }
  return a.length - b.length;
}

function hasPoint({ points }: MatrixSeries, atMs: number): boolean {
  return points[firstFrom(points, atMs)]?.[0] === atMs;
}

function between(points: readonly Point[], fromMs: number, toMs: number): readonly Point[] {
  const first = firstFrom(points, fromMs);
  const end = firstFrom(points, toMs + 1);
  return first === 0 && end === points.length ? points : points.slice(first, end);
}

/** Index of the first point at or after a time. */
export function firstFrom(points: readonly Point[], atMs: number): number {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.[0] ?? Infinity) < atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
