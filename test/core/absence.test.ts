// What is left of runs when canaryd was away, or a clock says so, for conditions that are not judged
// at the tick with which it comes back.
import { describe, expect, it } from 'vitest';
import { decideTick } from '../../src/core/decide.ts';
import type { Readings } from '../../src/core/read.ts';
import type { Track } from '../../src/core/track.ts';
import { decideVerification } from '../../src/core/verify.ts';
import { aCondition, aPolicy, started, stopped, T0 } from '../support/build.ts';
import { accepted, stateOf } from '../support/states.ts';

const MINUTE_S = 60;
const BAD: Readings = {
  fill_rate: { kind: 'value', value: 0.6 },
  health: { kind: 'value', value: 0 },
};
const SICK: Readings = { ...BAD, fill_rate: { kind: 'value', value: 0.98 } };
const NOT_ANSWERED: Readings = { fill_rate: { kind: 'value', value: 0.98 } };

type Ticks = readonly (readonly [atS: number, readings: Readings])[];

/** Whether these ticks stop a watch whose `immediate` ends after 15 minutes. */
function stopsAfter(ticks: Ticks): boolean {
  const policy = aPolicy({
    conditions: [
      aCondition({ forMs: 10_000 }),
      aCondition({ id: 'health', indicator: 'health', limit: { kind: 'failing', times: 3 } }),
    ],
  });
  let track: Track | null = null;
  let isStopped = false;
  for (const [atS, readings] of ticks) {
    const tick = { atMs: T0 + atS * 1_000, readings };
    const state = stateOf([0, started()]);
    const decided = decideTick({ policy, state, track, tick, baseline: null, isHeld: false });
    track = decided.track;
    isStopped ||= decided.events.some(({ type }) => type === 'watch.stopped');
  }
  return isStopped;
}

describe('a run of breaches', () => {
  it('does not go on after an absence that ended outside of its window, by a wrong clock', () => {
    const wrong = [20 * MINUTE_S, 20 * MINUTE_S + 5].map((atS) => [atS, BAD] as const);
    expect(stopsAfter([[0, BAD], [5, BAD], ...wrong, [90, BAD]])).toBe(false);
    expect(stopsAfter([[0, BAD], [5, BAD], ...wrong, [90, BAD], [95, BAD], [100, BAD]])).toBe(true);
  });

  it('goes on when a clock was wrong for one tick, and nobody was away by it', () => {
    const edge = 15 * MINUTE_S;
    const before = [edge - 10, edge - 5].map((atS) => [atS, BAD] as const);
    expect(stopsAfter([...before, [edge + 20, BAD], [edge - 1, BAD]])).toBe(true);
  });

  it('does not go on after an absence at whose end the health check had not answered yet', () => {
    const returned = [
      [0, SICK],
      [5, SICK],
      [125, NOT_ANSWERED],
      [130, SICK],
    ] as const;
    expect(stopsAfter(returned)).toBe(false);
    expect(stopsAfter([...returned, [135, SICK], [140, SICK]])).toBe(true);
  });
});

describe('a proof that a rollback helped', () => {
  it('does not go on after an absence at whose end the health check had not answered yet', () => {
    const limit = { kind: 'passing', times: 3 } as const;
    const health = aCondition({ indicator: 'health', window: 'verify', role: 'verify', limit });
    const policy = aPolicy({ verify: { withinMs: 600_000, conditions: [health] } });
    const state = stateOf(
      [0, started()],
      [60, stopped({ verifies: true })],
      [62, accepted('rollback')],
    );
    const good: Readings = { health: { kind: 'value', value: 1 } };
    let track: Track | null = null;
    const told: number[] = [];
    for (const [atS, readings] of [
      ...[65, 70].map((second) => [second, good] as const),
      [190, NOT_ANSWERED] as const,
      ...[195, 200, 205].map((second) => [second, good] as const),
    ]) {
      const tick = { atMs: T0 + atS * 1_000, readings };
      const decided = decideVerification(policy, state, track, tick);
      track = decided.track;
      told.push(...decided.events.map(() => atS));
    }
    expect(told).toEqual([205]);
  });
});
