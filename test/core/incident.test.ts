import { describe, expect, it } from 'vitest';
import { incidentStep } from '../../src/core/incident.ts';
import { UNSTARTED } from '../../src/core/watch.ts';
import { exampleOf, MESSAGE_KINDS } from '../docs/message-examples.ts';
import { T0 } from '../support/build.ts';

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
      'watch.extended -',
      'watch.held -',
      'watch.released -',
      'journal.failed opens',
      'journal.recovered closes',
    ]);
  });

  const sighted = { type: 'conditions.sighted', conditions: [], seq: 9, atMs: 9 } as const;

  it.each([
    ['another condition is blind', { toldBlind: { 'w.stop.a': 1 } }],
    ['a warning lasts', { warned: { 'w.warn.a': 1 } }],
    ['a condition was bad before the deploy', { toldPreExisting: ['w.stop.a'] }],
    ['a stop condition never had a sample', { arming: 'unarmed' }],
    ['the watch has stopped the deploy', { phase: 'stopped' }],
  ] as const)('stays open when a condition is seen again while %s', (_, state) => {
    expect(incidentStep(sighted, 'info', UNSTARTED)).toBe('closes');
    expect(incidentStep(sighted, 'info', { ...UNSTARTED, ...state })).toBeNull();
  });

  it('stays open when the figures are good but nobody knows which version runs', () => {
    const confirmed = {
      type: 'rollback.confirmed',
      action: 'rollback',
      conditions: [],
      afterMs: 1,
      seq: 9,
      atMs: 9,
    } as const;
    expect(incidentStep(confirmed, 'info', UNSTARTED)).toBe('closes');
    expect(incidentStep(confirmed, 'warning', UNSTARTED)).toBeNull();
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
