// The course of a series: what it is worth at each time since the deploy. Two notations: promtool's
// (one value for each scrape) and pieces by time, which people prefer. Closed forms, so that a day
// of samples costs nothing until somebody asks for them.
import { parseQuantity } from '../core/quantity.ts';
import { parseTime } from './time.ts';

/** Values in one series at most, when written in promtool's notation. */
export const STEPS_MAX = 100_000;
/** The time before the deploy begins so long before it: the oldest baseline is half an hour back. */
export const BEFORE_MS = 40 * 60_000;

export interface Course {
  /** null: no sample at that time since the deploy. */
  at(sinceMs: number): number | null;
}

export type CourseResult<T> =
  | { readonly kind: 'course'; readonly course: T }
  | { readonly kind: 'problem'; readonly found: string; readonly wanted: string };

/** When a course begins and ends: `series` from the deploy on, `before` up to it. */
export type Era = 'before' | 'after';

export const GONE: Course = { at: () => null };

const NUMBER = String.raw`[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?`;
const ITEM = new RegExp(
  `^(?:(_|stale)(?:x(\\d+))?|([+-]?(?:Inf|NaN)|${NUMBER})(?:([+-](?:Inf|NaN|${NUMBER.slice(5)}))?x(\\d+))?)$`,
  'i',
);

/** A run of values: `count` of them, the first one `start`, each `add` more than the one before. */
type Run = { readonly count: number; readonly start: number | null; readonly add: number };

function numberOf(text: string): number {
  const special = /^([+-]?)(inf|nan)$/i.exec(text);
  if (special === null) return Number(text);
  if (/nan/i.test(special[2] ?? '')) return Number.NaN;
  return special[1] === '-' ? -Infinity : Infinity;
}

function runOf(item: string): Run | null {
  const parts = ITEM.exec(item);
  if (parts === null) return null;
  const [, missing, missingTimes, start, add, times] = parts;
  if (missing !== undefined) {
    if (missing !== '_' && missingTimes !== undefined) return null;
    return { count: Number(missingTimes ?? 1), start: null, add: 0 };
  }
  // `1x4` and `1+2x4` are a value and four more.
  const count = times === undefined ? 1 : Number(times) + 1;
  return { count, start: numberOf(start ?? ''), add: add === undefined ? 0 : numberOf(add) };
}

/** promtool's notation: `0+98x60 _ stale 5 6 7`, one value for each scrape. */
export function promtoolCourse(text: string, everyMs: number, era: Era): CourseResult<Course> {
  const runs: Run[] = [];
  let count = 0;
  for (const item of text.trim().split(/\s+/)) {
    const run = runOf(item);
    if (run === null) {
      const wanted =
        "promtool's notation, such as 0+98x60 1 2 _ _x3 stale, or a course such as +98/s or 500MB";
      return { kind: 'problem', found: `"${item.slice(0, 40)}"`, wanted };
    }
    runs.push(run);
    count += run.count;
    if (count > STEPS_MAX) {
      const wanted = `at most ${STEPS_MAX} values; write pieces by time instead`;
      return { kind: 'problem', found: `more than ${STEPS_MAX} values`, wanted };
    }
  }
  const firstStep = era === 'after' ? 0 : -count;
  const ends: number[] = [];
  for (const run of runs) ends.push((ends.at(-1) ?? 0) + run.count);
  const at = (sinceMs: number) => {
    const step = sinceMs / everyMs - firstStep;
    if (!Number.isInteger(step) || step < 0) return null;
    const index = firstAbove(ends, step);
    const run = runs[index];
    if (run === undefined || run.start === null) return null;
    const nth = step - (ends[index - 1] ?? 0);
    return nth === 0 ? run.start : run.start + nth * run.add;
  };
  return { kind: 'course', course: { at } };
}

/** Index of the first number that is greater; both ascend. */
function firstAbove(numbers: readonly number[], value: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? Infinity) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** One piece as written: `10`, `+98/s`, `reset +98/s`, `1000 -2/s`, `NaN`, `gone`. */
export type Piece =
  | { readonly kind: 'gone' }
  /** `start: null` goes on from where the piece before ended. */
  | { readonly kind: 'line'; readonly start: number | null; readonly perMs: number };

const PER_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };
const WANTED_PIECE =
  'a number, a growth such as +98/s, both such as 1000 +98/s, "reset +98/s", NaN or gone';

/** null: this is no piece. */
export function pieceOf(written: number | string): Piece | null {
  if (typeof written === 'number') return { kind: 'line', start: written, perMs: 0 };
  const text = written.trim();
  if (text === 'gone') return { kind: 'gone' };
  const parts = /^(?:(reset|.*?)\s*)(?:(?<=^|\s)([+-])\s*(\S+)\/([smh]))?$/.exec(text);
  if (parts === null) return null;
  const [, from = '', sign, amount, unit = 's'] = parts;
  const start = from === '' ? null : from === 'reset' ? 0 : amountOf(from);
  if (start === undefined || (from === '' && sign === undefined)) return null;
  if (sign === undefined) return { kind: 'line', start, perMs: 0 };
  const growth = amountOf(amount ?? '');
  const per = PER_MS[unit];
  if (growth === undefined || per === undefined || growth < 0) return null;
  return { kind: 'line', start, perMs: ((sign === '-' ? -1 : 1) * growth) / per };
}

function amountOf(text: string): number | undefined {
  if (/^[+-]?(Inf|NaN)$/i.test(text)) return numberOf(text);
  const negative = text.startsWith('-');
  const quantity = parseQuantity(negative ? text.slice(1) : text);
  if (quantity === null) return undefined;
  return negative ? 0 - quantity.value : quantity.value;
}

export type Timed<T> = { readonly fromMs: number; readonly what: T };

/** Where the first piece of a course without times begins. */
export function firstMsOf(era: Era): number {
  return era === 'after' ? 0 : -BEFORE_MS;
}

/** Pieces in order of time. */
export function linesCourse(pieces: readonly Timed<Piece>[]): Course {
  const lines: { fromMs: number; start: number | null; perMs: number }[] = [];
  for (const { fromMs, what } of pieces) {
    const before = lines.at(-1);
    if (what.kind === 'gone') {
      lines.push({ fromMs, start: null, perMs: 0 });
      continue;
    }
    const reached =
      before?.start == null ? 0 : before.start + (fromMs - before.fromMs) * before.perMs;
    lines.push({ fromMs, start: what.start ?? reached, perMs: what.perMs });
  }
  const fromMs = lines.map((line) => line.fromMs);
  return {
    at: (sinceMs) => {
      const line = lines[firstAbove(fromMs, sinceMs) - 1];
      if (line === undefined || line.start === null) return null;
      return rounded(line.start + (sinceMs - line.fromMs) * line.perMs);
    },
  };
}

/** 0.098 per ms for 5 s is 490, not 490.00000000000006. */
function rounded(value: number): number {
  if (!Number.isFinite(value)) return value;
  return Number(value.toPrecision(15));
}

/** Reads `{ 0s: +98/s, 2m: +72/s }`, or one piece alone. */
export function timedPieces<T>(
  written: number | string | Readonly<Record<string, number | string>>,
  era: Era,
  read: (piece: number | string) => T | null,
  wantedPiece: string,
): CourseResult<readonly Timed<T>[]> {
  const isOne = typeof written !== 'object';
  const entries = isOne ? [[null, written] as const] : Object.entries(written);
  const pieces: Timed<T>[] = [];
  for (const [when, piece] of entries) {
    const fromMs = when === null ? firstMsOf(era) : parseTime(when);
    if (fromMs === null || (era === 'before') !== fromMs < 0) {
      const wanted =
        era === 'before'
          ? 'a time before the deploy such as -10m'
          : 'a time since the deploy such as 2m; the time before it goes into "before"';
      return { kind: 'problem', found: `the time ${when}`, wanted };
    }
    const what = read(piece);
    if (what === null) return { kind: 'problem', found: `"${piece}"`, wanted: wantedPiece };
    if (pieces.some((other) => other.fromMs === fromMs)) {
      return { kind: 'problem', found: `the time ${when} a second time`, wanted: 'each time once' };
    }
    pieces.push({ fromMs, what });
  }
  pieces.sort((a, b) => a.fromMs - b.fromMs);
  return { kind: 'course', course: pieces };
}

/** A series of any notation. */
export function readCourse(
  written: number | string | Readonly<Record<string, number | string>>,
  everyMs: number,
  era: Era,
): CourseResult<Course> {
  if (typeof written === 'string') {
    const isLine = pieceOf(written) !== null;
    if (isLine && ITEM.test(written.trim())) {
      const text = written.trim();
      const holds = /\d/.test(text) ? `${text} without quotes` : `{ 0s: ${text} }`;
      const wanted = `${holds} for a value that holds, or "${text} _" for one sample`;
      return { kind: 'problem', found: `"${written}", one sample in promtool's notation`, wanted };
    }
    if (!isLine) return within(promtoolCourse(written, everyMs, era), era);
  }
  const pieces = timedPieces(written, era, pieceOf, WANTED_PIECE);
  if (pieces.kind === 'problem') return pieces;
  return within({ kind: 'course', course: linesCourse(pieces.course) }, era);
}

/** What was before the deploy ends with it, and what came with it begins there. */
function within(result: CourseResult<Course>, era: Era): CourseResult<Course> {
  if (result.kind === 'problem') return result;
  return { kind: 'course', course: bounded(result.course, era) };
}

export function bounded(course: Course, era: Era): Course {
  return {
    at: (sinceMs) => ((era === 'before') === sinceMs < 0 ? course.at(sinceMs) : null),
  };
}
