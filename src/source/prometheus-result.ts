// The `data` of a Prometheus answer, from JSON to numbers. Foreign data: every shape is checked,
// and what is not understood is said, never guessed. By hand and not with a schema, because a
// matrix holds ten thousands of points.
import type { Point } from '../core/series.ts';

export type Labels = Readonly<Record<string, string>>;

export type VectorElement = {
  readonly labels: Labels;
  /** null: a native histogram, which is no number. */
  readonly value: number | null;
};

export type MatrixSeries = {
  readonly labels: Labels;
  readonly points: readonly Point[];
  readonly isNativeHistogram: boolean;
};

export type QueryResult =
  | { readonly type: 'vector'; readonly elements: readonly VectorElement[] }
  | { readonly type: 'matrix'; readonly series: readonly MatrixSeries[] }
  | { readonly type: 'scalar'; readonly value: number }
  | { readonly type: 'string' };

/** @returns null when the data has none of the shapes of the API */
export function parseResult(data: unknown): QueryResult | null {
  if (!isRecord(data)) return null;
  const { resultType, result } = data;
  switch (resultType) {
    case 'vector': {
      const elements = parseAll(result, parseElement);
      return elements && { type: 'vector', elements };
    }
    case 'matrix': {
      const series = parseAll(result, parseSeries);
      return series && { type: 'matrix', series };
    }
    case 'scalar': {
      const point = parsePoint(result);
      return point && { type: 'scalar', value: point[1] };
    }
    case 'string':
      return { type: 'string' };
    default:
      return null;
  }
}

function parseElement(element: unknown): VectorElement | null {
  if (!isRecord(element)) return null;
  const labels = parseLabels(element['metric']);
  if (labels === null) return null;
  if (element['value'] === undefined) {
    return element['histogram'] === undefined ? null : { labels, value: null };
  }
  const point = parsePoint(element['value']);
  return point && { labels, value: point[1] };
}

function parseSeries(series: unknown): MatrixSeries | null {
  if (!isRecord(series)) return null;
  const labels = parseLabels(series['metric']);
  const points = parseAll(series['values'] ?? [], parsePoint);
  if (labels === null || points === null) return null;
  return { labels, points: inOrder(points), isNativeHistogram: series['histograms'] !== undefined };
}

/** Prometheus sorts; what merges the answers of several may not. At the same time the later counts. */
function inOrder(points: readonly Point[]): readonly Point[] {
  const isSorted = points.every(([atMs], index) => atMs > (points[index - 1]?.[0] ?? -Infinity));
  return isSorted ? points : [...new Map(points)].sort(([a], [b]) => a - b);
}

/** `[unixSeconds, "value"]`. */
function parsePoint(point: unknown): Point | null {
  if (!Array.isArray(point)) return null;
  const [seconds, text] = point as readonly unknown[];
  if (typeof seconds !== 'number' || typeof text !== 'string') return null;
  // JSON spells no infinity, but 1e999 is read as one.
  if (!Number.isFinite(seconds * 1_000)) return null;
  const value = parseValue(text);
  return value === null ? null : [Math.round(seconds * 1_000), value];
}

/** A number as Go writes it. */
const NUMBER = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i;

/** Prometheus spells the infinities with a sign and without the rest: `Number` would say NaN. */
export function parseValue(text: string): number | null {
  switch (text) {
    case '+Inf':
    case 'Inf':
      return Infinity;
    case '-Inf':
      return -Infinity;
    case 'NaN':
      return Number.NaN;
    default:
      // `Number` takes more than that: blanks as 0, and 0x10.
      return NUMBER.test(text) ? Number(text) : null;
  }
}

function parseLabels(labels: unknown): Labels | null {
  if (!isRecord(labels)) return null;
  const isText = Object.values(labels).every((value) => typeof value === 'string');
  return isText ? (labels as Labels) : null;
}

/** All or nothing: half an answer would be judged as if it were the whole. */
function parseAll<T>(list: unknown, parse: (item: unknown) => T | null): T[] | null {
  if (!Array.isArray(list)) return null;
  const parsed: T[] = [];
  for (const item of list) {
    const one = parse(item);
    if (one === null) return null;
    parsed.push(one);
  }
  return parsed;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
