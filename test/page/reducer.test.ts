// What the page knows, after news in any order; and what its charts show of it.
import { describe, expect, it } from 'vitest';
import type { EventBody, WatchEvent } from '../../src/core/event.ts';
import {
  boundsOf,
  columnsOf,
  firedAt,
  ordered,
  rowsOf,
  summaryOf,
} from '../../src/http/page/browser/chart-data.js';
import { EMPTY, reduce } from '../../src/http/page/browser/reducer.js';
import type { Action, Drawn, State } from '../../src/http/page/browser/types.d.ts';
import { stopped } from '../support/build.ts';
import { aCondition, aStopped, at, aView, T0 } from './sample.ts';

const event = (seq: number, body: EventBody): WatchEvent => ({ ...body, seq, atMs: T0 + seq });
const armed = (seq: number) => event(seq, { type: 'watch.armed', armed: 6, total: 6 });
const news = (...actions: Action[]): State => actions.reduce(reduce, EMPTY);
const tick = (ms: number, over: Parameters<typeof aCondition>[0] = {}): Action => {
  return { type: 'view', view: aView({ lastTickAt: at(ms), conditions: [aCondition(over)] }) };
};
const drawnOf = (state: State): Drawn => {
  return state.series.get('fill_rate') ?? { points: [], blind: [], gaps: [] };
};

describe('news of a watch', () => {
  it('count once and in their order, however often and late they come', () => {
    const state = news(
      { type: 'events', events: [armed(2), armed(3)] },
      { type: 'events', events: [armed(1), armed(2)] },
    );
    expect(state.events.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });

  it('that are old change nothing: not the tick, not the end', () => {
    const ended = news({ type: 'view', view: aStopped({ lastTickAt: at(90_000) }) });
    expect(reduce(ended, tick(60_000))).toBe(ended);
    expect(reduce(ended, tick(90_000))).toBe(ended);
  });

  it('of hold fire show at once, before anybody asks', () => {
    const held = event(4, { type: 'watch.held', by: 'bob', reason: 'maintenance' });
    const freed = event(5, { type: 'watch.released', by: 'bob', reason: 'over' });
    const known = news({ type: 'hold', hold: null });
    const on = reduce(known, { type: 'events', events: [held] });
    expect(on.hold).toMatchObject({ by: 'bob', reason: 'maintenance' });
    expect(reduce(on, { type: 'events', events: [freed] }).hold).toBeNull();
  });

  it('that fail keep what is known', () => {
    const failure = { kind: 'network', status: 0, problem: '', title: 'x', detail: '' } as const;
    const state = news(tick(1_000), { type: 'failed', failure }, { type: 'link', link: 'lost' });
    expect(state).toMatchObject({ failure, link: 'lost', view: { id: 'w_1' } });
    expect(reduce(state, tick(2_000)).failure).toBeNull();
  });
});

describe('a chart that goes on', () => {
  const SERIES = {
    fromAtMs: T0,
    toAtMs: T0 + 1_000,
    stepMs: 10,
    ticks: 1,
    series: [{ indicator: 'fill_rate', points: [[T0 + 1_000, 0.9]], blind: [], gaps: [] }],
  } as const;

  it('adds the value of each tick once', () => {
    const series = {
      ...SERIES,
      series: [{ ...SERIES.series[0], points: [[T0 + 1_000, 0.9] as [number, number]] }],
    };
    const state = news(
      { type: 'series', series },
      tick(1_000, { value: 0.9 }),
      tick(2_000, { value: 0.8 }),
      tick(2_000, { value: 0.8 }),
    );
    expect(drawnOf(state).points).toEqual([
      [T0 + 1_000, 0.9],
      [T0 + 2_000, 0.8],
    ]);
  });

  it('shades blindness up to the sample that ends it', () => {
    const blind = { state: 'blind', blindReason: 'no_series' } as const;
    const state = news(tick(1_000), tick(2_000, blind), tick(3_000, blind), tick(4_000));
    expect(drawnOf(state).blind).toEqual([
      { fromAtMs: T0 + 2_000, toAtMs: T0 + 4_000, reason: 'no_series' },
    ]);
    expect(drawnOf(state).points).toHaveLength(2);
  });

  it('draws the value although its limit is not known', () => {
    const drawn = drawnOf(news(tick(1_000, { state: 'blind', blindReason: 'no_baseline' })));
    expect([drawn.points.length, drawn.blind.length]).toEqual([1, 0]);
  });

  it('takes nothing of a condition that is not judged', () => {
    expect(drawnOf(news(tick(1_000, { due: false }))).points).toEqual([]);
  });

  it('keeps what came while the past was read again', () => {
    const series = {
      ...SERIES,
      series: [{ ...SERIES.series[0], points: [], blind: [], gaps: [] }],
    };
    const state = news(tick(1_000), tick(2_000, { value: 0.8 }), { type: 'series', series });
    expect(drawnOf(state).points).toEqual([[T0 + 2_000, 0.8]]);
  });

  it('has a hole where nobody looked, and none between two ticks', () => {
    const state = news(tick(5_000), tick(10_000), tick(60_000), tick(65_000));
    expect(drawnOf(state).gaps).toEqual([[T0 + 10_000, T0 + 60_000]]);
  });

  it('never grows without end', () => {
    const actions = Array.from({ length: 9_000 }, (_, index) => tick(index * 1_000 + 1));
    expect(drawnOf(news(...actions)).points.length).toBeLessThanOrEqual(4_000);
  });
});

describe('what a chart shows', () => {
  const drawn: Drawn = {
    points: [
      [T0, 0.98],
      [T0 + 5_000, 0.7],
      [T0 + 60_000, 0.9],
    ],
    blind: [{ fromAtMs: T0 + 6_000, toAtMs: T0 + 59_000, reason: 'no_series' }],
    gaps: [[T0 + 5_000, T0 + 60_000]],
  };

  it('has a hole where nothing was seen', () => {
    const [times, values] = columnsOf(drawn);
    expect(values).toEqual([0.98, 0.7, null, 0.9]);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  it('has values and limit in its bounds', () => {
    const limits = { allowed: { low: 0.5, high: null }, unit: 'ratio' };
    const [low, high] = boundsOf(drawn, limits);
    expect(low).toBeLessThan(0.5);
    expect(high).toBeGreaterThan(0.98);
    expect(
      boundsOf(
        { points: [], blind: [], gaps: [] },
        { allowed: { low: null, high: null }, unit: 'x' },
      ),
    ).toEqual([0, 1]);
  });

  it('says in words what it draws', () => {
    const text = summaryOf(aCondition(), drawn, [T0 + 5_000]);
    expect(text).toContain('Order fill rate, must be at least 80 %');
    expect(text).toContain('lowest 70 %, highest 98 %, last 90 %; blind once; fired at ');
    expect(summaryOf(aCondition(), { points: [], blind: [], gaps: [] }, [])).toContain(
      'no values yet',
    );
  });

  it('is a table of few rows that has the extremes', () => {
    const points = Array.from({ length: 5_000 }, (_, index) => {
      return [T0 + index * 1_000, index === 1_234 ? 0.1 : 0.9] as const;
    });
    const rows = rowsOf({ points, blind: drawn.blind, gaps: [] }, 'ratio');
    expect(rows.length).toBeLessThan(60);
    expect(rows.map(({ value }) => value)).toEqual(
      expect.arrayContaining(['10 %', 'blind: no series']),
    );
  });

  it('marks when its own condition fired', () => {
    const journal = [armed(1), event(2, stopped())];
    expect(firedAt('immediate.stop.fill_rate', journal)).toEqual([T0 + 2]);
    expect(firedAt('immediate.stop.other', journal)).toEqual([]);
  });
});

describe('the order of conditions', () => {
  it('is: what stopped the deploy, what is wrong, what is fine; the rest apart', () => {
    const conditions = [
      aCondition({ condition: 'fine' }),
      aCondition({ condition: 'blind', state: 'blind' }),
      aCondition({ condition: 'pending', state: 'pending' }),
      aCondition({ condition: 'fulfilled', state: 'firing', role: 'pass' }),
      aCondition({ condition: 'tripped', state: 'firing' }),
      aCondition({ condition: 'later', due: false }),
    ];
    const worst = { condition: 'tripped', state: 'firing', text: '' } as const;
    const { first, rest } = ordered(aView({ conditions, worst }));
    const names = first.map(({ condition }) => condition);
    expect(names).toEqual(['tripped', 'pending', 'blind', 'fine', 'fulfilled']);
    expect(rest.map(({ condition }) => condition)).toEqual(['later']);
  });

  it('has what stopped the deploy first although nothing is judged any more', () => {
    const { first } = ordered(aStopped({ conditions: [aCondition({ due: false })] }));
    expect(first).toHaveLength(1);
  });
});
