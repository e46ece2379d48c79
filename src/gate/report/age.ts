// How old a report is. A file that was copied or checked out is as new as the copy: where the tool
// wrote its own time into the report, the older of both counts.
import { formatDuration } from '../../core/quantity.ts';
import type { ReportFile } from './read.ts';

/** Clocks of two machines differ; more than this is a mistake. */
export const FUTURE_MAX_MS = 5 * 60_000;

export type Age = { readonly kind: 'fresh' | 'old' | 'future'; readonly text: string };

export type Dated = Pick<ReportFile, 'path' | 'modifiedMs'> & {
  /** What the report itself says; null: nothing. */
  readonly writtenMs: number | null;
};

/** The oldest of the files decides. */
export function ageOf(reports: readonly Dated[], nowMs: number, maxAgeMs: number): Age {
  let oldest = { path: '', ageMs: Number.NEGATIVE_INFINITY };
  for (const { path, modifiedMs, writtenMs } of reports) {
    for (const atMs of [modifiedMs, writtenMs ?? modifiedMs]) {
      const ageMs = nowMs - atMs;
      if (ageMs < -FUTURE_MAX_MS) {
        const ahead = ageText(-ageMs);
        return { kind: 'future', text: `${path} is dated ${ahead} in the future; set the clocks` };
      }
      if (ageMs > oldest.ageMs) oldest = { path, ageMs };
    }
  }
  const age = `${ageText(Math.max(0, oldest.ageMs))} old`;
  const wanted = `at most ${formatDuration(maxAgeMs)} wanted`;
  return oldest.ageMs > maxAgeMs
    ? { kind: 'old', text: `${oldest.path} is ${age}, ${wanted}` }
    : { kind: 'fresh', text: age };
}

/** To the second below an hour, to the minute below a day, then to the hour. */
export function ageText(ms: number): string {
  const step = ms < 3_600_000 ? 1_000 : ms < 86_400_000 ? 60_000 : 3_600_000;
  return formatDuration(Math.floor(ms / step) * step);
}

const SECONDS_BELOW = 1e11;
const MILLISECONDS_BELOW = 1e14;
const MICROSECONDS_BELOW = 1e17;

/** A number since 1970 in s, ms, µs or ns, as its size tells; null: none. */
export function epochMs(value: number): number | null {
  if (!Number.isFinite(value) || value <= 0) return null;
  if (value < SECONDS_BELOW) return value * 1_000;
  if (value < MILLISECONDS_BELOW) return value;
  return value < MICROSECONDS_BELOW ? value / 1e3 : value / 1e6;
}

/**
 * The time that a report carries: ISO 8601, or a number since 1970. Without a zone it is the time of
 * this machine, as the tools mean it.
 */
export function timeIn(value: unknown): number | null {
  if (typeof value === 'number') return epochMs(value);
  if (typeof value !== 'string' || value.length > 64) return null;
  const text = value.trim();
  if (/^\d{9,19}(\.\d+)?$/.test(text)) return epochMs(Number(text));
  if (!/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d|$)/.test(text)) return null;
  const ms = Date.parse(text.replace(/^(\S{10}) /, '$1T').replace(/(\.\d{3})\d+/, '$1'));
  return Number.isNaN(ms) ? null : ms;
}
