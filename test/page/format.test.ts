// The page's own figures, times and frames: pure parts of the browser's code.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatNumber, formatValue } from '../../src/core/quantity.ts';
import { camel, failureOf } from '../../src/http/page/browser/api.js';
import * as page from '../../src/http/page/browser/format.js';
import { ServerClock } from '../../src/http/page/browser/server-clock.js';
import { frameReader } from '../../src/http/page/browser/sse.js';
import { fromWire, toWire } from '../../src/http/wire.ts';

describe('figures on the page', () => {
  it('read as they do in messages', () => {
    const units = fc.constantFrom('ratio', 'seconds', 'bytes', 'number', 'USD');
    const numbers = fc.oneof(fc.double(), fc.integer(), fc.double({ min: -2, max: 2 }));
    fc.assert(
      fc.property(numbers, units, fc.integer({ min: 0, max: 4 }), (value, unit, digits) => {
        expect(page.formatValue(value, unit)).toBe(formatValue(value, unit));
        expect(page.formatNumber(value, digits)).toBe(formatNumber(value, digits));
      }),
    );
  });

  it('have the names that the API gives them elsewhere', () => {
    const view = { atMs: 1, deep: [{ someName: { x: 1 } }], parameters: { deploy_capital: 2 } };
    const wire: unknown = JSON.parse(JSON.stringify(toWire(view)));
    expect(camel(wire)).toEqual(view);
    expect(camel(wire)).toEqual(fromWire(wire));
  });
});

describe('spans on the page', () => {
  it.each([
    [41.3, '42 ms'],
    [300, '0.3 s'],
    [12_900, '12 s'],
    [90_000, '1 min 30 s'],
    [754_000, '12 min'],
    [7_500_000, '2 h 5 min'],
    [86_400_000, '1 d'],
    [97_200_000, '1 d 3 h'],
    [-5, '0 s'],
  ])('%i ms is %s', (ms, text) => {
    expect(page.span(ms)).toBe(text);
  });

  it.each([
    [0, 'just now'],
    [-4_000, 'just now'],
    [12_000, '12 s ago'],
    [200_000, '3 min ago'],
    [7_500_000, '2 h 5 min ago'],
  ])('%i ms back is %s', (ms, text) => {
    expect(page.ago(ms)).toBe(text);
  });
});

describe('the clock of the server', () => {
  function aClock() {
    const local = { ms: 5_000 };
    return { local, clock: new ServerClock(() => local.ms) };
  }
  const SERVER = Date.UTC(2026, 0, 1, 12);
  const date = (ms: number) => new Date(Math.floor(ms / 1_000) * 1_000).toUTCString();

  it('is unknown before the first answer', () => {
    const { clock } = aClock();
    expect([clock.isSet, clock.now()]).toEqual([false, 0]);
  });

  it('is told by answers to within half a second, whatever the own clock says', () => {
    const { clock, local } = aClock();
    const sent = clock.mark();
    local.ms += 100;
    clock.observe(date(SERVER + 700), sent);
    expect(Math.abs(clock.now() - (SERVER + 700))).toBeLessThanOrEqual(600);
  });

  it('gets more exact with each answer', () => {
    const { clock, local } = aClock();
    const begin = local.ms;
    for (let ms = 0; ms < 5_000; ms += 130) {
      local.ms = begin + ms;
      const sent = clock.mark();
      local.ms += 10;
      clock.observe(date(SERVER + ms + 5), sent);
    }
    const truth = SERVER + local.ms - begin;
    expect(Math.abs(clock.now() - truth)).toBeLessThan(100);
  });

  it('follows when it is set, and passes over what is no date', () => {
    const { clock, local } = aClock();
    clock.observe(date(SERVER), clock.mark());
    local.ms += 1_000;
    clock.observe(date(SERVER - 3_600_000), clock.mark());
    clock.observe('yesterday', clock.mark());
    clock.observe(null, clock.mark());
    expect(Math.abs(clock.now() - (SERVER - 3_600_000))).toBeLessThanOrEqual(1_000);
  });
});

describe('frames of a stream', () => {
  const TEXT =
    'id: 4\nevent: watch.armed\ndata: {"a":1}\n\n: heartbeat\n\nevent: tick\r\ndata: é\r\n\r\n';
  const FRAMES = [
    { id: '4', event: 'watch.armed', data: '{"a":1}' },
    { id: null, event: 'tick', data: 'é' },
  ];

  it.each([1, 2, 3, 7, 1_000])('are found in pieces of %i characters', (size) => {
    const found: unknown[] = [];
    const read = frameReader((frame) => found.push(frame));
    for (let start = 0; start < TEXT.length; start += size) read(TEXT.slice(start, start + size));
    expect(found).toEqual(FRAMES);
  });

  it('that never end are an error, not a full memory', () => {
    const read = frameReader(() => {});
    expect(() => read('x'.repeat(5_000_000))).toThrow('too long');
  });
});

describe('a failed request', () => {
  it('is told in the words of the API', () => {
    const body = { type: 'urn:canaryd:problem:hold_fire', title: 'Held', detail: 'release first' };
    expect(failureOf(409, body)).toMatchObject({ problem: 'hold_fire', detail: 'release first' });
  });

  it.each([null, 'text', [], { title: 4 }])('has words when the answer has none: %j', (body) => {
    expect(failureOf(502, body)).toMatchObject({ title: 'The answer was HTTP 502', detail: '' });
  });
});
