import { describe, expect, it } from 'vitest';
import { incidentStep, stepEnded } from '../../src/core/incident.ts';
import { isIncidentOpen, UNSTARTED, type WatchState } from '../../src/core/watch.ts';
import { exampleOf, MESSAGE_KINDS } from '../docs/message-examples.ts';
import { someEvidence, started, stopped, T0 } from '../support/build.ts';
import { everyEvent } from '../support/every-event.ts';
import { stateOf } from '../support/states.ts';

describe('the incident of a watch', () => {
  it('is opened, acknowledged and closed by these kinds of messages', () => {
    const steps = MESSAGE_KINDS.map((kind) => [kind, exampleOf(kind).incident ?? '-'].join(' '));
    expect(steps).toEqual([
      'watch.started -',
      'watch.armed closes',
      'watch.unarmed opens',
      'conditions.blinded opens',
      'conditions.sighted closes',
      'condition.warned opens',
      'condition.recovered closes',
      'condition.pre_existing opens',
      'watch.resumed -',
      'watch.stopped opens',
      'action.accepted -',
      'action.delayed opens',
      'action.gave_up opens',
      'rollback.confirmed closes',
      'rollback.not_confirmed opens',
      'watch.passed closes',
      'watch.inconclusive opens',
      'watch.cancelled closes',
      'watch.superseded closes',
      'watch.acknowledged acknowledges',
      'watch.resolved closes',
      'watch.sign_off_due -',
      'watch.signed -',
      'watch.extended -',
      'watch.held -',
      'watch.released -',
      'gate.decided -',
      'journal.failed opens',
      'journal.recovered closes',
    ]);
  });

  const step = (event: Parameters<typeof incidentStep>[0], over: Partial<WatchState> = {}) =>
    incidentStep(event, { ...open, ...over });
  const open = stateOf(
    [0, started()],
    [9, { type: 'watch.unarmed', armed: 0, total: 1, conditions: [] }],
    [10, { type: 'watch.armed', armed: 1, total: 1 }],
    [11, { type: 'condition.warned', evidence: someEvidence() }],
  );
  const calm = { ...open, warned: {} };
  const sighted = { type: 'conditions.sighted', conditions: [], seq: 9, atMs: 9 } as const;

  it.each([
    ['another condition is blind', { toldBlind: { 'w.stop.a': 1 } }],
    ['a warning lasts', { warned: { 'w.warn.a': 1 } }],
    ['a condition was bad before the deploy', { toldPreExisting: ['w.stop.a'] }],
    ['a stop condition never had a sample', { arming: 'unarmed' }],
    ['the watch has stopped the deploy', { phase: 'stopped' }],
  ] as const)('stays open when a condition is seen again while %s', (_, state) => {
    expect(incidentStep(sighted, calm)).toBe('closes');
    expect(incidentStep(sighted, { ...calm, ...state })).toBeNull();
  });

  const confirmed = {
    type: 'rollback.confirmed',
    action: 'rollback',
    conditions: [],
    afterMs: 1,
    seq: 9,
    atMs: 9,
  } as const;

  it('stays open when the figures are good but nobody knows which version runs', () => {
    expect(step(confirmed)).toBe('closes');
    expect(step({ ...confirmed, unjudged: ['running_version'] })).toBeNull();
  });

  it('stays open after a rollback that is confirmed while an action has to be done by hand', () => {
    expect(step(confirmed, { actions: { disarm: 'gave_up', rollback: 'accepted' } })).toBeNull();
  });

  it('is neither acknowledged nor closed when it is not open', () => {
    const types = ['watch.armed', 'watch.passed', 'watch.acknowledged', 'watch.cancelled'];
    const events = everyEvent.filter(({ type }) => types.includes(type));
    expect(events).toHaveLength(types.length);
    for (const event of events) {
      expect(incidentStep({ ...event, seq: 2, atMs: T0 }, UNSTARTED)).toBeNull();
      const after = stateOf([0, started()], [5, event]);
      expect(after.incident).toBeNull();
    }
  });

  it('of a stop is not closed by what was seen again before it', () => {
    const stop = stateOf(
      [0, started()],
      [20, stopped()],
      [21, { type: 'watch.armed', armed: 1, total: 1 }],
    );
    expect(isIncidentOpen(stop)).toBe(true);
  });

  it('makes every earlier step out of date when it is opened', () => {
    const bodies = [
      [0, started()],
      [5, stopped({ verifies: true })],
      [6, { type: 'watch.acknowledged', by: 'ann', reason: '' }],
    ] as const;
    const before = stateOf(...bodies);
    const worse = stateOf(...bodies, [
      7,
      { type: 'action.delayed', action: 'rollback', attempts: 3, detail: 'HTTP 503' },
    ]);
    expect(stepEnded(before, { step: 'acknowledges', seq: 3 })).toBeNull();
    expect(stepEnded(worse, { step: 'acknowledges', seq: 3 })).toMatchObject({
      reason: 'superseded',
    });
    expect(stepEnded(worse, { step: 'closes', seq: 5 })).toBeNull();
    expect(stepEnded(worse, { step: 'opens', seq: 2 })).toBeNull();
  });

  it('names the deploy in each message', () => {
    expect(exampleOf('watch.stopped').deploy).toEqual({
      service: 'aurora',
      environment: 'testnet',
      version: '2.1.0',
      previousVersion: '2.0.0',
      deployedAtMs: T0,
    });
  });
});
