import { describe, expect, test } from 'vitest';
import {
  advance,
  type ConditionContext,
  GAP_INTERVALS,
  RECOVERED_AFTER_MS,
  stillPreExisting,
} from '../../src/core/condition.ts';
import type { Condition } from '../../src/core/policy.ts';
import type { BlindReason, Reading } from '../../src/core/sample.ts';
import type { ConditionTrack } from '../../src/core/track.ts';
import { aCondition, aConditionTrack, T0 } from '../support/build.ts';

const GOOD = 0.98;
const BAD = 0.6;
const BLIND: Reading = { kind: 'blind', reason: 'unreachable', detail: 'connection refused' };

type Seen = readonly [atS: number, reading: number | Reading];

function blind(reason: BlindReason): Reading {
  return { kind: 'blind', reason, detail: '' };
}

/** The track after readings at these seconds; one tick every 5 s unless told otherwise. */
function trackAfter(
  condition: Condition,
  seen: readonly Seen[],
  over: Partial<ConditionContext> = {},
): ConditionTrack {
  let track: ConditionTrack | undefined;
  let lastTickMs: number | null = null;
  for (const [atS, read] of seen) {
    const atMs = T0 + atS * 1_000;
    const reading: Reading = typeof read === 'number' ? { kind: 'value', value: read } : read;
    const context = {
      intervalMs: 5_000,
      blindAfterMs: 60_000,
      parameters: {},
      baseline: undefined,
    };
    track = advance(track, condition, reading, { ...context, ...over, atMs, lastTickMs });
    lastTickMs = atMs;
  }
  if (track === undefined) throw new Error('nothing was seen');
  return track;
}

/** Readings every 5 s from one second to another, both included. */
function every5s(fromS: number, toS: number, reading: number | Reading): Seen[] {
  return Array.from({ length: (toS - fromS) / 5 + 1 }, (_, i) => [fromS + 5 * i, reading] as const);
}

const atOnce = aCondition();
const for30s = aCondition({ forMs: 30_000 });
const failing3 = aCondition({ indicator: 'health', limit: { kind: 'failing', times: 3 } });
const passFor30s = aCondition({
  role: 'pass',
  forMs: 30_000,
  limit: { kind: 'compare', comparator: 'above', value: 0.95, of: null },
});

describe('a condition', () => {
  test('fires with the first breach when it has no `for`', () => {
    expect(trackAfter(atOnce, [[0, BAD]])).toMatchObject({
      state: 'firing',
      runSamples: 1,
      limit: 0.8,
    });
  });

  test('is pending until the breach has lasted for its `for`, and fires exactly then', () => {
    expect(trackAfter(for30s, every5s(0, 25, BAD)).state).toBe('pending');
    expect(trackAfter(for30s, every5s(0, 30, BAD))).toMatchObject({
      state: 'firing',
      runSamples: 7,
    });
  });

  test('starts over after one good sample', () => {
    const seen = [...every5s(0, 25, BAD), [30, GOOD], ...every5s(35, 60, BAD)] as Seen[];
    expect(trackAfter(for30s, seen)).toMatchObject({ state: 'pending', runSinceMs: T0 + 35_000 });
  });

  test.each([
    ['a few milliseconds early', 9.998, 'firing'],
    ['a tenth of a second early', 9.9, 'firing'],
    ['earlier than ticks of this pace ever are', 9.85, 'pending'],
  ])('counts a tick that is %s', (_, atS, state) => {
    const for10s = aCondition({ forMs: 10_000 });
    const seen = [[0, BAD] as const, [5, BAD] as const, [atS, BAD] as const];
    expect(trackAfter(for10s, seen).state).toBe(state);
  });

  test('takes no time off a `for` of its own length', () => {
    const brief = aCondition({ forMs: 40 });
    expect(trackAfter(brief, [[0, BAD]]).state).toBe('pending');
  });

  test('keeps its run through a short blindness, which counts for little', () => {
    const seen = [...every5s(0, 15, BAD), ...every5s(20, 50, BLIND), [55, BAD]] as Seen[];
    const track = trackAfter(for30s, seen);
    expect(track).toMatchObject({ state: 'pending', runSinceMs: T0, runSamples: 5 });
    expect(track.runMs).toBe(15_000 + GAP_INTERVALS * 5_000);
  });

  test('loses its run through a long blindness', () => {
    const seen = [...every5s(0, 15, BAD), ...every5s(20, 90, BLIND), [95, BAD]] as Seen[];
    expect(trackAfter(for30s, seen)).toMatchObject({
      runSinceMs: T0 + 95_000,
      runSamples: 1,
      runMs: 0,
    });
  });

  test('loses its run, its streak and its blindness when nobody looked for long', () => {
    const unseen: Seen[] = [...every5s(0, 20, BAD), [200, BAD]];
    expect(trackAfter(for30s, unseen)).toMatchObject({ runSinceMs: T0 + 200_000, runMs: 0 });
    expect(
      trackAfter(failing3, [
        [0, 0],
        [5, 0],
        [200, 0],
      ]),
    ).toMatchObject({ state: 'pending', streak: 1 });
    expect(
      trackAfter(atOnce, [
        [0, BLIND],
        [200, BLIND],
      ]).blind?.sinceMs,
    ).toBe(T0 + 200_000);
  });

  test('counts the time between slow ticks, at most so many intervals each', () => {
    const slow: Seen[] = [
      [0, BAD],
      [15, BAD],
      [30, BAD],
      [45, BAD],
    ];
    expect(trackAfter(for30s, slow)).toMatchObject({ state: 'firing', runMs: 37_500 });
  });

  test('does not run backwards with the clock', () => {
    expect(
      trackAfter(for30s, [
        [0, BAD],
        [5, BAD],
        [2, BAD],
      ]).runMs,
    ).toBe(5_000);
  });

  test('that must hold without a gap begins again after one', () => {
    const seen: Seen[] = [...every5s(0, 25, GOOD), [40, GOOD]];
    expect(trackAfter(passFor30s, seen)).toMatchObject({
      state: 'pending',
      runSinceMs: T0 + 40_000,
    });
    expect(
      trackAfter(passFor30s, [...every5s(0, 25, GOOD), [30, BLIND], [35, GOOD]]),
    ).toMatchObject({
      runSinceMs: T0 + 35_000,
    });
  });

  test.for([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'is blind, not good, at %d',
    (value) => {
      expect(trackAfter(atOnce, [[0, value]])).toMatchObject({
        state: 'blind',
        blind: { reason: 'not_finite' },
        everSeen: false,
        ticksJudged: 0,
      });
    },
  );

  test('relative to a baseline that is not known is blind', () => {
    const relative = aCondition({
      limit: { kind: 'compare', comparator: 'above', value: 1.2, of: 'baseline' },
    });
    expect(trackAfter(relative, [[0, 5]]).blind).toMatchObject({
      reason: 'no_baseline',
      detail: 'the limit is a share of the value before the deploy, which is not known',
    });
    expect(trackAfter(relative, [[0, 5]], { baseline: 4 })).toMatchObject({
      state: 'firing',
      limit: 4.8,
    });
  });

  test('stays one blindness when its cause changes, but waiting for the range is none', () => {
    const changed = trackAfter(atOnce, [
      [0, blind('stale')],
      [5, blind('unreachable')],
    ]);
    expect(changed.blind).toEqual({ reason: 'unreachable', detail: '', sinceMs: T0 });
    const waited = trackAfter(atOnce, [
      [0, blind('too_early')],
      [5, blind('no_series')],
    ]);
    expect(waited.blind?.sinceMs).toBe(T0 + 5_000);
    expect(waited).toMatchObject({ ticksEarly: 1, ticksJudged: 0 });
  });

  test('counts failed health checks in a row', () => {
    expect(
      trackAfter(failing3, [
        [0, 0],
        [5, 0],
        [10, 1],
        [15, 0],
        [20, 0],
      ]),
    ).toMatchObject({
      state: 'pending',
      streak: 2,
    });
    expect(
      trackAfter(failing3, [
        [0, 1],
        [5, 0],
        [10, 0],
        [15, 0],
      ]),
    ).toMatchObject({
      state: 'firing',
      streak: 3,
      runSinceMs: T0 + 5_000,
    });
  });

  test('counts slow health checks too: what matters is that they are in a row', () => {
    expect(
      trackAfter(failing3, [
        [0, 0],
        [20, 0],
        [40, 0],
      ]).state,
    ).toBe('firing');
  });

  test('has recovered once it was seen good for a minute', () => {
    const short = trackAfter(atOnce, every5s(0, RECOVERED_AFTER_MS / 1_000 - 5, GOOD));
    const long = trackAfter(atOnce, every5s(0, RECOVERED_AFTER_MS / 1_000, GOOD));
    expect([short.recovered, long.recovered]).toEqual([false, true]);
  });

  test('goes on from its saved state as if nothing had happened', () => {
    const first = trackAfter(for30s, every5s(0, 15, BAD));
    const context = {
      intervalMs: 5_000,
      blindAfterMs: 60_000,
      parameters: {},
      baseline: undefined,
    };
    const times = { atMs: T0 + 20_000, lastTickMs: T0 + 15_000 };
    const read: ConditionTrack = JSON.parse(JSON.stringify(first));
    const reading: Reading = { kind: 'value', value: BAD };
    expect(advance(read, for30s, reading, { ...context, ...times })).toEqual(
      trackAfter(for30s, every5s(0, 20, BAD)),
    );
  });
});

describe('a breach from before the deploy', () => {
  const track = aConditionTrack({ state: 'firing', lastValue: 0.7, limit: 0.8 });

  test('is old trouble while it is not clearly worse and never recovered', () => {
    expect(stillPreExisting(atOnce, track, true, 0.75, 0.2)).toBe(true);
    expect(stillPreExisting(atOnce, { ...track, lastValue: 0.5 }, true, 0.75, 0.2)).toBe(false);
    expect(stillPreExisting(atOnce, { ...track, recovered: true }, true, 0.75, 0.2)).toBe(false);
    expect(stillPreExisting(atOnce, track, false, 0.75, 0.2)).toBe(false);
  });

  test('of a health endpoint is old trouble until it has recovered', () => {
    expect(stillPreExisting(failing3, track, true, 0, 0.2)).toBe(true);
    expect(stillPreExisting(failing3, { ...track, recovered: true }, true, 0, 0.2)).toBe(false);
  });
});
