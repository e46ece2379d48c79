import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EventBody } from '../../src/core/event.ts';
import { evolve, fold, isActive, PHASES, UNSTARTED } from '../../src/core/watch.ts';
import { started, stopped, T0 } from '../support/build.ts';
import { everyEvent } from '../support/every-event.ts';
import { accepted, eventsOf, stateOf } from '../support/states.ts';

const anyEvents = fc
  .array(fc.constantFrom(...everyEvent), { maxLength: 30 })
  .map((bodies) => eventsOf(...bodies.map((body, index) => [index, body] as const)));

describe('the state of a watch', () => {
  test('has a meaning after any events in any order', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const state = fold(events);
        expect(PHASES).toContain(state.phase);
        expect(state.phase === 'watching').toBe(state.closedAtMs === null);
      }),
    );
  });

  test('is the same folded at once, step by step, in two halves, or after a crash', () => {
    fc.assert(
      fc.property(anyEvents, fc.nat(30), (events, cut) => {
        const whole = fold(events);
        expect(fold(events.slice(cut), fold(events.slice(0, cut)))).toEqual(whole);
        expect(events.reduce(evolve, UNSTARTED)).toEqual(whole);
        expect(fold(JSON.parse(JSON.stringify(events)))).toEqual(whole);
      }),
    );
  });

  test('begins with its deploy', () => {
    expect(stateOf([0, started()])).toMatchObject({
      phase: 'watching',
      deploy: { version: '2.0.0' },
      startedAtMs: T0,
      arming: 'waiting',
    });
  });

  test('waits for its rollback, verifies it, and then needs no more evaluation', () => {
    const stop = [60, stopped({ verifies: true })] as const;
    const confirmed: EventBody = {
      type: 'rollback.confirmed',
      action: 'rollback',
      conditions: [],
      afterMs: 5_000,
    };
    const states = [
      stateOf([0, started()], stop),
      stateOf([0, started()], stop, [61, accepted('disarm')]),
      stateOf([0, started()], stop, [61, accepted('disarm')], [62, accepted('rollback')]),
      stateOf([0, started()], stop, [62, accepted('rollback')], [70, confirmed]),
    ];
    expect(states.map(({ verification }) => verification.kind)).toEqual([
      'waiting',
      'waiting',
      'verifying',
      'confirmed',
    ]);
    expect(states.map(isActive)).toEqual([true, true, true, false]);
  });

  test('verifies the disarm when the policy has no rollback', () => {
    const stop = [60, stopped({ actions: ['disarm'], verifies: true })] as const;
    const state = stateOf([0, started()], stop, [61, accepted('disarm')]);
    expect(state.verification).toEqual({ kind: 'verifying', sinceMs: T0 + 61_000 });
  });

  test('has nothing to verify when nothing acted', () => {
    const state = stateOf(
      [0, started()],
      [60, stopped({ mode: 'observe', actions: [], verifies: true })],
    );
    expect(isActive(state)).toBe(false);
  });

  test('remembers what was told, and forgets it when it is over', () => {
    const blind = {
      condition: 'a',
      indicator: 'a',
      reason: 'stale',
      detail: '',
      sinceMs: T0,
    } as const;
    const blinded: EventBody = { type: 'conditions.blinded', conditions: [blind] };
    const sighted: EventBody = {
      type: 'conditions.sighted',
      conditions: [{ condition: 'a', blindMs: 9 }],
    };
    expect(stateOf([0, started()], [9, blinded])).toMatchObject({ toldBlind: { a: T0 } });
    expect(
      stateOf([0, started()], [9, blinded], [10, sighted], [11, blinded], [12, sighted]),
    ).toMatchObject({
      toldBlind: {},
      blindnesses: { a: 2 },
    });
  });
});
