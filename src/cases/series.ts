// The series of a case: a name as Prometheus writes it, and its course. A histogram may be written
// by what it observes ("+95/s of 200ms, +5/s of 3s") instead of bucket by bucket.
import type { Policy } from '../core/policy.ts';
import { parseQuantity } from '../core/quantity.ts';
import { selectorsOf } from '../core/select.ts';
import {
  BEFORE_MS,
  bounded,
  type Course,
  type CourseResult,
  type Era,
  linesCourse,
  pieceOf,
  type Timed,
  timedPieces,
} from './course.ts';

export type Labels = Readonly<Record<string, string>>;

/** A series with its course over the whole case. */
export type CaseSeries = { readonly labels: Labels; readonly course: Course };

export const DEFAULT_BUCKETS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

const NAME = /^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{(.*)\}\s*)?$/s;
const LABEL = /^\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\\n]|\\.)*)"\s*(,|$)/;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', '"': '"', '\\': '\\' };

/** `metric{label="value"}` → its labels with `__name__`; null when it is no series. */
export function parseSeriesName(text: string): Labels | null {
  const parts = NAME.exec(text);
  if (parts === null) return null;
  const [, metric = '', inside = ''] = parts;
  const labels: Record<string, string> = { __name__: metric };
  let rest = inside;
  while (rest.trim() !== '') {
    const label = LABEL.exec(rest);
    if (label === null) return null;
    const [whole, name = '', quoted = ''] = label;
    if (Object.hasOwn(labels, name)) return null;
    labels[name] = unescaped(quoted);
    rest = rest.slice(whole.length);
  }
  return labels;
}

export function unescaped(quoted: string): string {
  return quoted.replace(/\\(.)/g, (_, char: string) => ESCAPES[char] ?? `\\${char}`);
}

/** One key for the same labels in any order; an empty one is none, as in Prometheus. */
export function keyOf(labels: Labels): string {
  const present = Object.entries(labels).filter(([, value]) => value !== '');
  return JSON.stringify(present.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Metrics that an indicator reads, as people write them (a histogram by its base name). */
export function metricsOf(policy: Policy): readonly string[] {
  return [
    ...new Set(
      Object.values(policy.indicators)
        .flatMap(selectorsOf)
        .map((s) => s.metric),
    ),
  ];
}

export function histogramsOf(policy: Policy): ReadonlySet<string> {
  const names = Object.values(policy.indicators).flatMap((indicator) =>
    indicator.kind === 'quantile' ? [indicator.histogram.metric] : [],
  );
  return new Set(names);
}

/** So much per ms of observations of one size. */
type Flow = { readonly perMs: number; readonly size: number };
type Flows = {
  readonly resets: boolean;
  readonly isGone: boolean;
  readonly flows: readonly Flow[];
};

const WANTED_FLOWS =
  'observations such as "+100/s of 200ms" or "+95/s of 200ms, +5/s of 3s", with "reset" before ' +
  'them for a restart, or gone';

function flowsOf(written: number | string): Flows | null {
  if (typeof written === 'number') return null;
  const text = written.trim();
  if (text === 'gone') return { resets: false, isGone: true, flows: [] };
  const resets = /^reset\b/.test(text);
  const flows: Flow[] = [];
  for (const part of text.replace(/^reset\b/, '').split(',')) {
    const [, growth = '', of = ''] = /^\s*(\+\S+)\s+of\s+(\S+)\s*$/.exec(part) ?? [];
    const piece = pieceOf(growth);
    const size = parseQuantity(of);
    if (piece === null || piece.kind === 'gone' || size === null) return null;
    flows.push({ perMs: piece.perMs, size: size.value });
  }
  return { resets, isGone: false, flows };
}

/** The buckets of a histogram that is written by what it observes. */
export function readHistogram(
  labels: Labels,
  written: number | string | Readonly<Record<string, number | string>>,
  bounds: readonly number[],
  era: Era,
): CourseResult<readonly CaseSeries[]> {
  const read = timedPieces(written, era, flowsOf, WANTED_FLOWS);
  if (read.kind === 'problem') return read;
  const metric = `${labels['__name__']}_bucket`;
  const all = [...new Set([...bounds, Infinity])].sort((a, b) => a - b);
  const series = all.map((bound): CaseSeries => {
    const le = bound === Infinity ? '+Inf' : String(bound);
    const course = bounded(linesCourse(read.course.map((piece) => bucketPiece(piece, bound))), era);
    return { labels: { ...labels, __name__: metric, le }, course };
  });
  return { kind: 'course', course: series };
}

function bucketPiece({ fromMs, what }: Timed<Flows>, bound: number) {
  if (what.isGone) return { fromMs, what: { kind: 'gone' } as const };
  const perMs = what.flows
    .filter(({ size }) => size <= bound)
    .reduce((sum, flow) => sum + flow.perMs, 0);
  return { fromMs, what: { kind: 'line', start: what.resets ? 0 : null, perMs } as const };
}

/** One course out of the time before the deploy and the time from it on. */
export function joined(before: Course | undefined, after: Course | undefined): Course {
  return {
    at: (sinceMs) => {
      if (sinceMs < -BEFORE_MS) return null;
      return (sinceMs < 0 ? before : after)?.at(sinceMs) ?? null;
    },
  };
}
