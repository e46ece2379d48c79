// What the clock on a wall says in the zones of the simulated worlds, from a table of its own: the
// code under test asks Intl, the checker must not.

/** Minutes east of UTC, from each instant of 2026 on. */
const OFFSETS: Readonly<Record<string, readonly (readonly [fromMs: number, minutes: number])[]>> = {
  UTC: [[0, 0]],
  'Asia/Kathmandu': [[0, 345]],
  'Europe/Berlin': [
    [0, 60],
    [Date.UTC(2026, 2, 29, 1), 120],
    [Date.UTC(2026, 9, 25, 1), 60],
  ],
  'America/New_York': [
    [0, -300],
    [Date.UTC(2026, 2, 8, 7), -240],
    [Date.UTC(2026, 10, 1, 6), -300],
  ],
  // Its summer is half an hour ahead, and ends in April.
  'Australia/Lord_Howe': [
    [0, 660],
    [Date.UTC(2026, 3, 4, 15), 630],
    [Date.UTC(2026, 9, 3, 15, 30), 660],
  ],
};

export const ZONES = Object.keys(OFFSETS);
const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;

/** Every change of a clock in 2026. */
export const CHANGES = Object.entries(OFFSETS).flatMap(([zone, offsets]) =>
  offsets.slice(1).map(([atMs, minutes], index) => {
    return { zone, atMs, byMinutes: minutes - (offsets[index]?.[1] ?? 0) };
  }),
);

/** Minutes since midnight. */
export function localMinute(atMs: number, zone: string): number {
  const offsets = OFFSETS[zone];
  const offset = offsets?.findLast(([fromMs]) => fromMs <= atMs)?.[1];
  if (offset === undefined) throw new Error(`the simulation does not know the zone '${zone}'`);
  const minutes = Math.floor(atMs / MINUTE_MS) + offset;
  return ((minutes % DAY_MINUTES) + DAY_MINUTES) % DAY_MINUTES;
}

export type Night = {
  readonly fromMinute: number;
  readonly untilMinute: number;
  readonly zone: string;
};

/** When the night is over that holds this instant, minute by minute; null: it is no night. */
export function nightEndMs(atMs: number, night: Night): number | null {
  const isNight = (ms: number) => {
    const minute = localMinute(ms, night.zone);
    const { fromMinute: from, untilMinute: until } = night;
    return from < until ? minute >= from && minute < until : minute >= from || minute < until;
  };
  if (!isNight(atMs)) return null;
  let endMs = Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
  while (isNight(endMs)) endMs += MINUTE_MS;
  return endMs;
}
