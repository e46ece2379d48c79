// A time as tools write it into files.
const SECONDS_BELOW = 1e11;
const MILLISECONDS_BELOW = 1e14;
const MICROSECONDS_BELOW = 1e17;
const WITHOUT_ZONE = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?$/;
const ZONE_MS_MAX = 14 * 3_600_000;

/** Clocks of two machines differ; more than this is a mistake. */
export const FUTURE_MAX_MS = 5 * 60_000;

/** A number since 1970 in s, ms, µs or ns, as its size tells; null: none. */
function epochMs(value: number): number | null {
  if (!Number.isFinite(value) || value <= 0) return null;
  if (value < SECONDS_BELOW) return value * 1_000;
  if (value < MILLISECONDS_BELOW) return value;
  return value < MICROSECONDS_BELOW ? value / 1e3 : value / 1e6;
}

/**
 * The time that a report carries: ISO 8601, or a number since 1970. Without a zone it is the time of
 * this machine, as the tools mean it.
 */
export function writtenTime(value: unknown): number | null {
  if (typeof value === 'number') return epochMs(value);
  if (typeof value !== 'string' || value.length > 64) return null;
  const text = value.trim();
  if (/^\d{9,19}(\.\d+)?$/.test(text)) return epochMs(Number(text));
  if (!/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d|$)/.test(text)) return null;
  const ms = Date.parse(text.replace(/^(\S{10}) /, '$1T').replace(/(\.\d{3})\d+/, '$1'));
  return Number.isNaN(ms) ? null : ms;
}

/**
 * The same of a report that another machine may have written in its own zone: without a zone it is
 * read as UTC and as the time of this machine, and the reading nearest before now counts. null also
 * when it fits neither, but may be of a zone that is ahead.
 */
export function writtenAnywhere(value: unknown, nowMs: number): number | null {
  const localMs = writtenTime(value);
  if (localMs === null || typeof value !== 'string' || !WITHOUT_ZONE.test(value.trim())) {
    return localMs;
  }
  const utcMs = writtenTime(`${value.trim()}Z`) ?? localMs;
  const past = [localMs, utcMs].filter((one) => one <= nowMs + FUTURE_MAX_MS);
  if (past.length > 0) return Math.max(...past);
  const leastMs = Math.min(localMs, utcMs);
  return leastMs - nowMs <= ZONE_MS_MAX ? null : leastMs;
}
