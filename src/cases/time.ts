// Times of a case: since the deploy, negative before it.
import { formatDuration, parseDuration } from '../core/quantity.ts';

/** `45s`, `1h30m`, `-10m`, `0` → milliseconds since the deploy; null when it is no time. */
export function parseTime(text: string): number | null {
  const trimmed = text.trim();
  if (trimmed === '0') return 0;
  if (!trimmed.startsWith('-')) return parseDuration(trimmed);
  const ms = parseDuration(trimmed.slice(1));
  return ms === null ? null : 0 - ms;
}

export type Span = { readonly fromMs: number; readonly untilMs: number };

/** `45s` or `2m-10m`; both ends belong to it. null when it is neither. */
export function parseSpan(text: string): Span | null {
  const parts = /^\s*(\d[^\s-]*)(?:\s*-\s*(\d[^\s-]*))?\s*$/.exec(text);
  if (parts === null) return null;
  const fromMs = parseTime(parts[1] ?? '');
  const untilMs = parts[2] === undefined ? fromMs : parseTime(parts[2]);
  if (fromMs === null || untilMs === null || untilMs < fromMs) return null;
  return { fromMs, untilMs };
}

export function spanText({ fromMs, untilMs }: Span): string {
  const from = formatDuration(fromMs);
  return untilMs === fromMs ? from : `${from}-${formatDuration(untilMs)}`;
}
