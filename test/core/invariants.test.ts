// Random lives of a watch through the decider: whatever is read, whenever canaryd is away or
// restarts, what must never happen does not happen.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideTick } from '../../src/core/decide.ts';
import type { WatchEvent } from '../../src/core/event.ts';
import { policyEndMs } from '../../src/core/policy.ts';
import { BLIND_REASONS, type Reading } from '../../src/core/sample.ts';
import { DEADLINE_GRACE_MS } from '../../src/core/tick-end.ts';
import type { Track } from '../../src/core/track.ts';
import { evolve, fold, type WatchState } from '../../src/core/watch.ts';
import { aCondition, aPolicy, aRatio, started, T0 } from '../support/build.ts';
import { eventsOf } from '../support/states.ts';

const MINUTE = 60_000;
const CLOSING = ['watch.stopped', 'watch.passed', 'watch.inconclusive'];

const policy = aPolicy({
  indicators: { ...aPolicy().indicators, loss: aRatio({ id: 'loss', title: 'Loss', part: 'bad' }) },
  windows: [
    { name: 'immediate', fromMs: 0, untilMs: 4 * MINUTE, passForMs: 0 },
    { name: 'success', fromMs: 4 * MINUTE, untilMs: 10 * MINUTE, passForMs: MINUTE },
    { name: 'always', fromMs: 0, untilMs: 10 * MINUTE, passForMs: 0 },
  ],
  conditions: [
    aCondition({ forMs: 15_000 }),
    aCondition({
      id: 'immediate.stop.health',
      indicator: 'health',
      limit: { kind: 'failing', times: 3 },
    }),
    aCondition({
      id: 'always.warn.loss',
      indicator: 'loss',
      window: 'always',
      role: 'warn',
      limit: { kind: 'compare', comparator: 'above', value: 0.1, of: null },
    }),
    aCondition({
      id: 'success.pass.fill_rate',
      window: 'success',
      role: 'pass',
      limit: { kind: 'compare', comparator: 'above', value: 0.9, of: null },
    }),
  ],
  coverage: 0.5,
});

const blind = fc.constantFrom(...BLIND_REASONS).map((reason): Reading => {
  return { kind: 'blind', reason, detail: '' };
});
const value = fc
  .oneof(
    { weight: 20, arbitrary: fc.constantFrom(0.5, 0.8, 0.95, 1) },
    { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY) },
  )
  .map((number): Reading => ({ kind: 'value', value: number }));
const health = fc.constantFrom(0, 1).map((number): Reading => ({ kind: 'value', value: number }));
const mostly = (usual: fc.Arbitrary<Reading>) =>
  fc.oneof({ weight: 6, arbitrary: usual }, { weight: 1, arbitrary: blind });

type Step = {
  /** Ticks with these readings; long stretches reach the later windows. */
  readonly ticks: number;
  readonly readings: Readonly<Record<string, Reading>>;
  /** How long canaryd is away before the first of them. */
  readonly awayMs: number;
  readonly isHeld: boolean;
};

function steps(read: fc.Arbitrary<Reading>, healthRead: fc.Arbitrary<Reading>) {
  const step: fc.Arbitrary<Step> = fc.record({
    ticks: fc.integer({ min: 1, max: 30 }),
    readings: fc.record(
      { fill_rate: read, loss: read, health: healthRead },
      { requiredKeys: ['fill_rate', 'loss'] },
    ),
    awayMs: fc.oneof(
      { weight: 6, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 15 * MINUTE }) },
    ),
    isHeld: fc.boolean(),
  });
  return fc.array(step, { minLength: 1, maxLength: 25 });
}

type Life = {
  readonly events: readonly WatchEvent[];
  readonly state: WatchState;
  /** Values that were read at each tick, and the ticks' times. */
  readonly atMs: readonly number[];
  readonly unfolded: readonly string[];
};

function live(life: readonly Step[], baseline: Readonly<Record<string, Reading>>): Life {
  const first = eventsOf([0, started({ deadlineAtMs: T0 + policyEndMs(policy) })]);
  const events: WatchEvent[] = [...first];
  let state = fold(first);
  let track: Track | null = null;
  let atMs = T0;
  const times: number[] = [];
  for (const step of life) {
    atMs += step.awayMs;
    if (step.awayMs > 0) track = JSON.parse(JSON.stringify(track));
    for (let tick = 0; tick < step.ticks && state.phase === 'watching'; tick += 1) {
      times.push(atMs);
      const decided = decideTick({
        policy,
        state,
        track,
        tick: { atMs, readings: step.readings },
        baseline: state.baselineTaken ? null : [baseline, baseline],
        isHeld: step.isHeld,
      });
      for (const body of decided.events) {
        const event = { ...body, seq: events.length + 1, atMs };
        events.push(event);
        state = evolve(state, event);
      }
      track = decided.track;
      atMs += policy.intervalMs;
    }
  }
  return { events, state, atMs: times, unfolded: events.map(({ type }) => type) };
}

const anyBaseline = fc.record({ fill_rate: mostly(value), loss: mostly(value), health });
const anyLife = fc
  .tuple(steps(mostly(value), mostly(health)), anyBaseline)
  .map(([life, baseline]) => live(life, baseline));

function always(check: (life: Life) => void): void {
  fc.assert(fc.property(anyLife, check), { numRuns: 400 });
}

function of<Type extends WatchEvent['type']>({ events }: Life, type: Type) {
  return events.filter(
    (event): event is Extract<WatchEvent, { type: Type }> => event.type === type,
  );
}

describe('whatever is read', () => {
  test('the lives are of every kind: some stop, some pass, some are inconclusive', () => {
    const phases = fc.sample(anyLife, { numRuns: 400, seed: 7 }).map(({ state }) => state.phase);
    expect([...new Set(phases)].sort()).toEqual(['inconclusive', 'passed', 'stopped', 'watching']);
  });

  test('while everything is blind nothing stops and nothing passes', () => {
    const allBlind = steps(blind, blind).map((life) => live(life, {}));
    fc.assert(
      fc.property(allBlind, ({ unfolded }) => {
        expect(unfolded).not.toContain('watch.stopped');
        expect(unfolded).not.toContain('watch.passed');
      }),
    );
  });

  test('a watch ends at most once, and nothing comes after its end (J2, J4)', () => {
    always(({ unfolded }) => {
      const ends = unfolded.filter((type) => CLOSING.includes(type));
      expect(ends.length).toBeLessThanOrEqual(1);
      expect(ends).toEqual(unfolded.slice(-1).filter((type) => CLOSING.includes(type)));
    });
  });

  test('every figure of a decision was read at that tick, after the deploy (J3)', () => {
    always((life) => {
      for (const { atMs, conditions } of of(life, 'watch.stopped')) {
        expect(life.atMs).toContain(atMs);
        for (const evidence of conditions) {
          expect(evidence.atMs).toBeLessThanOrEqual(atMs);
          expect(evidence.sinceMs).toBeGreaterThanOrEqual(T0);
          expect(evidence.sinceMs).toBeLessThanOrEqual(evidence.atMs);
          expect(Number.isFinite(evidence.value)).toBe(true);
        }
      }
    });
  });

  test('a stop has a breached condition that is not old trouble', () => {
    always((life) => {
      for (const { conditions } of of(life, 'watch.stopped')) {
        const limits = { 'immediate.stop.fill_rate': 0.8, 'immediate.stop.health': 1 };
        const breached = conditions.filter(
          ({ condition, value: read }) => read < (limits[condition as keyof typeof limits] ?? 0),
        );
        expect(breached).toHaveLength(conditions.length);
        expect(conditions.length).toBeGreaterThan(0);
      }
    });
  });

  test('a pass has every pass condition met and every stop condition covered (J6)', () => {
    always((life) => {
      for (const { atMs, conditions, coverage } of of(life, 'watch.passed')) {
        expect(conditions.map(({ indicator, value: read }) => [indicator, read > 0.9])).toEqual([
          ['fill_rate', true],
        ]);
        expect(atMs - T0).toBeGreaterThanOrEqual(5 * MINUTE);
        expect(coverage['immediate.stop.fill_rate']).toBeGreaterThanOrEqual(policy.coverage);
        expect(coverage['immediate.stop.health']).toBeGreaterThanOrEqual(policy.coverage);
        expect(coverage['always.warn.loss']).toBeGreaterThan(0);
      }
    });
  });

  test('a pass condition held at every tick of the time before the pass, without a gap', () => {
    always((life) => {
      for (const { atMs } of of(life, 'watch.passed')) {
        const times = life.atMs.filter((at) => at >= atMs - MINUTE);
        const gaps = times.slice(1).map((at, index) => at - (times[index] ?? at));
        expect(Math.max(...gaps)).toBeLessThanOrEqual(2.5 * policy.intervalMs);
      }
    });
  });

  test('folding the events gives the running state, also through JSON (J7)', () => {
    always(({ events, state }) => {
      expect(fold(events)).toEqual(state);
      expect(fold(JSON.parse(JSON.stringify(events)))).toEqual(state);
    });
  });

  test('a watch that is evaluated after its deadline has ended (J8)', () => {
    always(({ atMs, state, unfolded }) => {
      const last = atMs.at(-1) ?? T0;
      const isOver = last >= T0 + policyEndMs(policy);
      expect(isOver && state.phase === 'watching').toBe(false);
      const isLate = last > T0 + policyEndMs(policy) + DEADLINE_GRACE_MS;
      expect(isLate && unfolded.includes('watch.passed')).toBe(false);
    });
  });

  test('nothing is told twice: armed once, unarmed once, three warnings, three blindnesses', () => {
    always((life) => {
      expect(of(life, 'watch.baselined').length).toBeLessThanOrEqual(1);
      expect(of(life, 'watch.armed').length).toBeLessThanOrEqual(1);
      expect(of(life, 'watch.unarmed').length).toBeLessThanOrEqual(1);
      expect(of(life, 'condition.warned').length).toBeLessThanOrEqual(3);
      const old = of(life, 'condition.pre_existing').map(({ evidence }) => evidence.condition);
      expect(new Set(old).size).toBe(old.length);
      const blinded = of(life, 'conditions.blinded').flatMap(({ conditions }) => conditions);
      for (const { id } of policy.conditions) {
        expect(blinded.filter(({ condition }) => condition === id).length).toBeLessThanOrEqual(3);
      }
    });
  });

  test('a stop plans actions only when it may act', () => {
    always((life) => {
      for (const { mode, actions } of of(life, 'watch.stopped')) {
        expect(actions).toEqual(mode === 'act' ? ['disarm', 'rollback'] : []);
      }
    });
  });
});
