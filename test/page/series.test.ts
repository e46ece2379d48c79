// Many ticks as few points, and the routes that serve them.
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Reading, Tick } from '../../src/core/sample.ts';
import { tokenMatcher } from '../../src/http/auth.ts';
import { SeriesBuilder } from '../../src/http/page/series.ts';
import { api } from '../support/http-server.ts';
import { T0 } from './sample.ts';

const value = (number: number): Reading => ({ kind: 'value', value: number });
const BLIND: Reading = { kind: 'blind', reason: 'no_series', detail: 'none' };
const at = (ms: number, reading: Reading): Tick => ({ atMs: T0 + ms, readings: { x: reading } });

function seriesOf(ticks: readonly Tick[], points: number, intervalMs = 1_000) {
  const from = ticks[0]?.atMs ?? T0;
  const builder = new SeriesBuilder(from, ticks.at(-1)?.atMs ?? T0, points, intervalMs);
  for (const tick of ticks) builder.add(tick);
  return builder.build();
}

describe('a series for a chart', () => {
  it('keeps a day of ticks as few points, and the one that tripped among them', () => {
    const ticks = Array.from({ length: 86_400 }, (_, second) =>
      at(second * 1_000, value(second === 43_210 ? 0.1 : 0.97 + (second % 7) / 1_000)),
    );
    const { series, ticks: count } = seriesOf(ticks, 400);
    const points = series[0]?.points ?? [];
    expect(count).toBe(86_400);
    expect(points.length).toBeLessThanOrEqual(404);
    expect(points).toContainEqual([T0 + 43_210_000, 0.1]);
  });

  it('keeps lowest, highest, first and last of anything, in order', () => {
    const numbers = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 });
    fc.assert(
      fc.property(numbers, fc.integer({ min: 4, max: 60 }), (values, points) => {
        const found = seriesOf(
          values.map((one, index) => at(index * 1_000, value(one))),
          points,
        );
        const kept = found.series[0]?.points ?? [];
        const shown = kept.map(([, one]) => one);
        expect(Math.min(...shown)).toBe(Math.min(...values));
        expect(Math.max(...shown)).toBe(Math.max(...values));
        expect([shown[0], shown.at(-1)]).toEqual([values[0], values.at(-1)]);
        const times = kept.map(([atMs]) => atMs);
        expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
        expect(kept.length).toBeLessThanOrEqual(Math.floor(points / 4) * 4 + 8);
      }),
    );
  });

  it('keeps every value when there are few', () => {
    const ticks = [0, 1, 2, 3, 4].map((second) => at(second * 1_000, value(second)));
    expect(seriesOf(ticks, 400).series[0]?.points).toHaveLength(5);
  });

  it('tells blindness as spans up to the sample that ends it', () => {
    const readings = [value(1), BLIND, BLIND, BLIND, value(1), BLIND];
    const { series } = seriesOf(
      readings.map((reading, second) => at(second * 1_000, reading)),
      400,
    );
    expect(series[0]?.blind).toEqual([
      { fromAtMs: T0 + 1_000, toAtMs: T0 + 4_000, reason: 'no_series' },
      { fromAtMs: T0 + 5_000, toAtMs: T0 + 5_000, reason: 'no_series' },
    ]);
  });

  it('bounds the spans of a source that flaps', () => {
    const ticks = Array.from({ length: 20_000 }, (_, second) =>
      at(second * 1_000, second % 2 === 0 ? value(1) : BLIND),
    );
    const [found] = seriesOf(ticks, 400).series;
    expect(found?.blind.length).toBeLessThanOrEqual(200);
  });
});

describe('holes of a series', () => {
  const day = 86_400;
  const withHole = (fromSecond: number, untilSecond: number, hole: Reading | null) => {
    const ticks = Array.from({ length: day / 5 }, (_, index) => index * 5).flatMap((second) => {
      const isIn = second >= fromSecond && second < untilSecond;
      if (isIn) return hole === null ? [] : [at(second * 1_000, hole)];
      return [at(second * 1_000, value(1))];
    });
    return seriesOf(ticks, 400, 5_000).series[0];
  };

  it.each([
    ['canaryd was away', null],
    ['it was blind', BLIND],
  ])('are kept on the chart of a day: %s for five minutes', (_, hole) => {
    const found = withHole(40_000, 40_300, hole);
    expect(found?.gaps).toEqual([[T0 + 39_995_000, T0 + 40_300_000]]);
    const times = found?.points.map(([atMs]) => atMs) ?? [];
    expect(times).toEqual(expect.arrayContaining([T0 + 39_995_000, T0 + 40_300_000]));
  });

  it('are not made of a tick that was late', () => {
    expect(withHole(40_000, 40_010, null)?.gaps).toEqual([]);
  });

  it('are bounded, and so are the points, for a source that flaps', () => {
    const ticks = Array.from({ length: 20_000 }, (_, second) =>
      at(second * 1_000, second % 5 === 0 ? value(1) : BLIND),
    );
    const [found] = seriesOf(ticks, 400).series;
    expect(found?.gaps.length).toBeLessThanOrEqual(200);
    expect(found?.points.length).toBeLessThanOrEqual(1_000);
  });
});

describe('GET /v1/watches/{id}/series', () => {
  async function withTicks(count: number) {
    const server = api();
    const { watch } = await server.control.start({ service: 'a', version: '1', parameters: {} });
    for (let second = 0; second < count; second += 1) {
      server.control.tick(watch.id, at(second * 1_000, value(second)));
    }
    return { ...server, url: `/v1/watches/${watch.id}/series` };
  }

  it('reads all pages of ticks', async () => {
    const { app, url } = await withTicks(1_700);
    const answer = (await app.inject(`${url}?points=100`)).json();
    expect(answer.ticks).toBe(1_700);
    expect(answer.series[0].points.at(-1)).toEqual([T0 + 1_699_000, 1_699]);
    expect(answer.series[0].points.length).toBeLessThan(110);
  });

  it('is read once for all who ask at the same time, and again for the next', async () => {
    const { app, url, control } = await withTicks(600);
    const read = vi.spyOn(control, 'ticks');
    const answers = await Promise.all([1, 2, 3, 4].map(() => app.inject(url)));
    expect(new Set(answers.map(({ payload }) => payload)).size).toBe(1);
    const once = read.mock.calls.length;
    expect(once).toBe(3);
    await app.inject(url);
    expect(read).toHaveBeenCalledTimes(2 * once);
  });

  it('is empty before the first tick', async () => {
    const { app, url } = await withTicks(0);
    expect((await app.inject(url)).json()).toMatchObject({ ticks: 0, series: [] });
  });

  it.each(['points=0', 'points=9999', 'from=yesterday'])('refuses %s', async (query) => {
    const { app, url } = await withTicks(1);
    expect((await app.inject(`${url}?${query}`)).statusCode).toBe(400);
  });
});

describe('GET /v1/me', () => {
  it('without tokens: nobody in particular, who may do everything', async () => {
    const answer = (await api().app.inject('/v1/me')).json();
    expect(answer).toEqual({ token: null, scopes: ['read', 'start', 'act'] });
  });

  it('names the token and what it may do, and never the token itself', async () => {
    const token = { name: 'viewer', scopes: ['read'] as const, matches: tokenMatcher('secret-1') };
    const { app } = api({ tokens: [token] });
    const headers = { authorization: 'Bearer secret-1' };
    const answer = await app.inject({ url: '/v1/me', headers });
    expect(answer.json()).toEqual({ token: 'viewer', scopes: ['read'] });
    expect((await app.inject('/v1/me')).statusCode).toBe(401);
  });
});
