// How old a report is. A file that was copied or checked out is as new as the copy: where the tool
// wrote its own time into the report, the older of both counts.
import { formatDuration } from '../../core/quantity.ts';
import { FUTURE_MAX_MS } from '../../kit/written-time.ts';
import type { ReportFile } from './read.ts';

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
