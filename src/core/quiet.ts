// Quiet hours: until when a time of day in an IANA zone is quiet. The clock on the wall counts, so a
// night with a change of the clock is shorter or longer. Pure: knows of no message.

export type QuietHours = {
  /** Minutes since midnight, by the clock of the zone; this minute is quiet. */
  readonly fromMinute: number;
  /** This minute is not quiet any more. Smaller than `fromMinute`: past midnight. */
  readonly untilMinute: number;
  /** An IANA name such as Europe/Berlin. */
  readonly zone: string;
};

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
/** Clocks are changed at these steps of UTC only, in every zone there is. */
const STEP_MINUTES = 15;
/** A night is shorter than two days, also when the clock is set back in it. */
const STEPS_MAX = (2 * DAY_MINUTES) / STEP_MINUTES;
/** A config names one zone; tests name many. */
const CLOCKS_MAX = 50;

const clocks = new Map<string, Intl.DateTimeFormat>();

/** @returns when they end; null outside of them */
export function quietUntil(atMs: number, hours: QuietHours): number | null {
  if (!isQuietMinute(minuteOfDay(atMs, hours.zone), hours)) return null;
  let minutes = Math.floor(atMs / MINUTE_MS);
  for (let step = 0; step < STEPS_MAX; step += 1) {
    const local = minuteOfDay(minutes * MINUTE_MS, hours.zone);
    if (!isQuietMinute(local, hours)) return minutes * MINUTE_MS;
    // Not over a step: the clock may be another one behind it.
    const left = (hours.untilMinute - local + DAY_MINUTES) % DAY_MINUTES;
    minutes += Math.min(left, STEP_MINUTES - (minutes % STEP_MINUTES));
  }
  return minutes * MINUTE_MS;
}

/** With rules for its clock: an offset or an abbreviation is wrong for a half of the year. */
export function isZone(name: string): boolean {
  const hasRules = name === 'UTC' || (name.includes('/') && !/^Etc\/(GMT|UCT|Z|G)/.test(name));
  if (!hasRules) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function isQuietMinute(minute: number, { fromMinute, untilMinute }: QuietHours): boolean {
  return fromMinute < untilMinute
    ? minute >= fromMinute && minute < untilMinute
    : minute >= fromMinute || minute < untilMinute;
}

function minuteOfDay(atMs: number, zone: string): number {
  const parts = clockOf(zone).formatToParts(atMs);
  const part = (type: 'hour' | 'minute') =>
    Number(parts.find((candidate) => candidate.type === type)?.value);
  return part('hour') * 60 + part('minute');
}

function clockOf(zone: string): Intl.DateTimeFormat {
  const known = clocks.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    hour: '2-digit',
    minute: '2-digit',
  });
  if (clocks.size >= CLOCKS_MAX) clocks.clear();
  clocks.set(zone, made);
  return made;
}
