import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writtenAnywhere } from '../../src/kit/written-time.ts';

const nowMs = Date.parse('2026-11-22T12:00:00Z');
const read = (value: unknown) => {
  const ms = writtenAnywhere(value, nowMs);
  return ms === null ? null : new Date(ms).toISOString();
};

describe('a time without a zone, of a report from anywhere', () => {
  let zone: string | undefined;
  beforeEach(() => {
    zone = process.env['TZ'];
  });
  afterEach(() => {
    // An assignment of undefined would be the text "undefined".
    delete process.env['TZ'];
    Object.assign(process.env, zone === undefined ? {} : { TZ: zone });
  });

  it.each([
    ['America/New_York', '2026-11-22T11:59:00', '2026-11-22T11:59:00.000Z'],
    ['America/New_York', '2026-11-22T06:59:00', '2026-11-22T11:59:00.000Z'],
    ['Asia/Tokyo', '2026-11-22T20:59:00', '2026-11-22T11:59:00.000Z'],
    ['Asia/Tokyo', '2026-11-22 11:59:00.123', '2026-11-22T11:59:00.123Z'],
    ['UTC', '2026-11-22T12:04:00', '2026-11-22T12:04:00.000Z'],
    ['UTC', '2026-11-23T01:59:00', null],
    ['UTC', '2026-11-23T03:00:00', '2026-11-23T03:00:00.000Z'],
    ['UTC', '2026-11-20T12:00:00', '2026-11-20T12:00:00.000Z'],
    ['Asia/Tokyo', '2026-11-22T20:59:00Z', '2026-11-22T20:59:00.000Z'],
    ['Asia/Tokyo', '2026-11-22T20:59:00+09:00', '2026-11-22T11:59:00.000Z'],
    ['Asia/Tokyo', 'yesterday', null],
  ])('in %s, %s is %s', (here, written, meant) => {
    process.env['TZ'] = here;
    expect(read(written)).toBe(meant);
  });
});
