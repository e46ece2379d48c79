import { describe, expect, test } from 'vitest';
import { isZone, type QuietHours, quietUntil } from '../../src/core/quiet.ts';

const MINUTE = 60_000;
const night: QuietHours = { fromMinute: 22 * 60, untilMinute: 6 * 60, zone: 'Europe/Berlin' };

function until(at: string, hours: QuietHours = night): string | null {
  const untilMs = quietUntil(Date.parse(at), hours);
  return untilMs === null ? null : new Date(untilMs).toISOString();
}

describe('quiet hours', () => {
  test.each([
    ['before they begin', '2026-01-10T20:59:59.999Z', null],
    ['at their first minute', '2026-01-10T21:00:00Z', '2026-01-11T05:00:00.000Z'],
    ['after midnight', '2026-01-11T02:30:15.500Z', '2026-01-11T05:00:00.000Z'],
    ['in their last millisecond', '2026-01-11T04:59:59.999Z', '2026-01-11T05:00:00.000Z'],
    ['at their end, which is not quiet', '2026-01-11T05:00:00Z', null],
    ['in summer', '2026-07-10T20:00:00Z', '2026-07-11T04:00:00.000Z'],
    ['in the night that loses an hour', '2026-03-28T21:00:00Z', '2026-03-29T04:00:00.000Z'],
    ['in the night that gains an hour', '2026-10-24T20:00:00Z', '2026-10-25T05:00:00.000Z'],
    ['in the second hour from 2 to 3', '2026-10-25T01:30:00Z', '2026-10-25T05:00:00.000Z'],
  ])('%s', (_, at, wanted) => {
    expect(until(at)).toBe(wanted);
  });

  test('within one day', () => {
    const noon = { fromMinute: 720, untilMinute: 780, zone: 'UTC' };
    expect(until('2026-05-01T12:10:00Z', noon)).toBe('2026-05-01T13:00:00.000Z');
    expect(until('2026-05-01T13:00:00Z', noon)).toBeNull();
    expect(until('2026-05-01T11:59:00Z', noon)).toBeNull();
  });

  test('that end in the hour that is left out end when it is over', () => {
    const hours = { ...night, untilMinute: 150 };
    expect(until('2026-03-28T22:00:00Z', hours)).toBe('2026-03-29T01:00:00.000Z');
  });

  test('that end in the hour that comes twice end the first time', () => {
    const hours = { ...night, untilMinute: 150 };
    expect(until('2026-10-24T22:00:00Z', hours)).toBe('2026-10-25T00:30:00.000Z');
  });

  test('in a zone with half an hour, and without a change of the clock', () => {
    const hours = { ...night, zone: 'Asia/Kolkata' };
    expect(until('2026-03-28T16:30:00Z', hours)).toBe('2026-03-29T00:30:00.000Z');
  });

  const zones = [
    ...['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe'],
    ...['Pacific/Chatham', 'America/St_Johns', 'Asia/Tokyo', 'UTC', 'Africa/Casablanca'],
  ];
  const days = ['2026-03-08', '2026-03-29', '2026-04-05', '2026-10-04', '2026-10-25', '2026-11-01'];

  test.each(zones)('are what the clock on the wall says, minute by minute, in %s', (zone) => {
    const wall = new Intl.DateTimeFormat('en-GB', { timeZone: zone, timeStyle: 'short' });
    let seed = zone.length;
    const dice = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * below);
    };
    const isQuiet = (atMs: number, { fromMinute, untilMinute }: QuietHours) => {
      const [hours = 0, minutes = 0] = wall.format(atMs).split(':').map(Number);
      const after = (hours * 60 + minutes - fromMinute + 1_440) % 1_440;
      return after < (untilMinute - fromMinute + 1_440) % 1_440;
    };
    for (const day of days) {
      for (let round = 0; round < 4; round += 1) {
        const fromMinute = dice(1_440);
        const untilMinute = (fromMinute + 1 + dice(1_439)) % 1_440;
        const hours = { fromMinute, untilMinute, zone };
        const atMs = Date.parse(`${day}T00:00:00Z`) + dice(1_440) * MINUTE - 12 * 60 * MINUTE;
        let slow = atMs;
        while (isQuiet(slow, hours)) slow += MINUTE;
        expect([day, hours, quietUntil(atMs + 1, hours)]).toEqual([
          day,
          hours,
          slow === atMs ? null : slow,
        ]);
      }
    }
  });

  test('know the names of zones', () => {
    expect(['Europe/Berlin', 'UTC', 'Mars/Olympus', ''].map(isZone)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
