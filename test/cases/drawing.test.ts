import { describe, expect, it } from 'vitest';
import { COLUMNS_MAX, drawingOf, LINES_MAX } from '../../src/cases/drawing.ts';
import type { PlayedWatch } from '../../src/cases/result.ts';
import { playOne } from '../support/case-file.ts';

/** The watch of a case whose queue does this; it fails, so that its ticks are kept. */
async function watchOf(queue: unknown, until = '4m'): Promise<PlayedWatch> {
  const own = { series: { queue_length: queue }, until, never: { watch: 'watching' } };
  const [watch] = (await playOne(own)).watches;
  if (watch === undefined) throw new Error('nothing was watched');
  return watch;
}

const options = { indicator: 'queue', hereMs: 120_000, untilMs: 240_000, isAscii: false };

describe('a drawing', () => {
  it('shows the values, the limit, the windows, and the time that is meant', async () => {
    const watch = await watchOf({ '0s': 5, '2m': 95 });
    const lines = drawingOf(watch, options);
    expect(lines[0]).toBe('Queue: warn above 50');
    expect(lines[1]).toMatch(/^95 ┤ +•+$/);
    expect(lines[4]).toMatch(/^50 ┤╌+$/);
    expect(lines[7]).toMatch(/^ 5 ┤•+$/);
    expect(lines[8]).toMatch(/^ {3}└┬─+$/);
    expect(lines[9]).toMatch(/^ {4}0s early +4m$/);
    expect(lines[10]).toMatch(/^ +▲ 2m$/);
  });

  it('is plain ASCII when asked', async () => {
    const lines = drawingOf(await watchOf({ '0s': 5, '2m': 95 }), { ...options, isAscii: true });
    expect(lines.join('')).toMatch(/^[ -~]+$/);
  });

  it('marks where nothing could be seen', async () => {
    const watch = await watchOf({ '0s': 5, '1m': 'gone' });
    expect(drawingOf(watch, options).join('\n')).toContain('???');
  });

  it.each<[string, unknown, string]>([
    ['huge and tiny values', { '0s': 1e300, '1m': -1e-300 }, '4m'],
    ['one value', 50, '4m'],
    ['a negative one', { '0s': -123_456_789.125 }, '4m'],
    ['both windows', { '0s': 5, '12m': 60 }, '25m'],
  ])('of %s has at most 12 lines of 70 columns', async (_, queue, until) => {
    const untilMs = 1_500_000;
    const lines = drawingOf(await watchOf(queue, until), { ...options, untilMs, hereMs: untilMs });
    expect(lines.length).toBeGreaterThan(8);
    expect(lines.length).toBeLessThanOrEqual(LINES_MAX);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(COLUMNS_MAX);
  });

  it('of what was never seen is empty', async () => {
    const watch = await watchOf('gone');
    expect(drawingOf(watch, options)).toEqual([]);
    expect(drawingOf(watch, { ...options, indicator: 'other' })).toEqual([]);
  });
});
