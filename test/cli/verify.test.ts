import { describe, expect, it } from 'vitest';
import { violations } from '../../src/cli/verify.ts';
import type { EventBody, WatchEvent } from '../../src/core/event.ts';
import { T0 } from '../support/fake-control.ts';

const STARTED: EventBody = {
  type: 'watch.started',
  deploy: {
    service: 'aurora',
    environment: 'production',
    version: '1',
    previousVersion: null,
    deployedAtMs: T0,
    parameters: {},
    by: null,
    url: null,
  },
  policy: 'aurora',
  policyHash: 'x',
  mode: 'act',
  lateMs: 0,
  rollbackOf: null,
  deadlineAtMs: T0 + 1,
  stopConditions: 1,
};
const EVIDENCE = {
  condition: 'immediate.stop.fill_rate',
  indicator: 'fill_rate',
  role: 'stop' as const,
  value: 0.5,
  limit: 0.8,
  sinceMs: T0 + 1_000,
  atMs: T0 + 2_000,
  samples: 2,
  preExisting: false,
};
const STOPPED = {
  type: 'watch.stopped' as const,
  cause: 'condition' as const,
  by: 'canaryd',
  reason: 'fill rate',
  conditions: [EVIDENCE],
  blind: [],
  mode: 'act' as const,
  actions: ['rollback' as const],
  verifies: false,
};
const ROLLBACK = {
  id: 'd1',
  action: 'rollback',
  state: 'delivered',
  attempts: 1,
  attemptsMax: 5,
};

function journalOf(...bodies: readonly EventBody[]): WatchEvent[] {
  return bodies.map((body, index) => ({
    ...body,
    seq: index + 1,
    atMs: T0 + (index + 1) * 5_000,
  }));
}

const GOOD = {
  events: journalOf(STARTED, STOPPED),
  deliveries: [ROLLBACK],
  shown: { phase: 'stopped' as const, active: false },
};

describe('violations', () => {
  it('are none in a journal that keeps all rules', () => {
    expect(violations(GOOD)).toEqual([]);
  });

  it.each([
    ['order', { events: journalOf(STOPPED) }],
    ['order', { events: journalOf(STARTED, STARTED, STOPPED) }],
    ['order', { events: GOOD.events.map((event) => ({ ...event, seq: event.seq + 1 })) }],
    [
      'order',
      { events: GOOD.events.map((event) => ({ ...event, atMs: event.atMs - 66_000 * event.seq })) },
    ],
    ['J1', { deliveries: [{ ...ROLLBACK, action: 'disarm' }] }],
    ['J2', { events: journalOf(STARTED, STOPPED, STOPPED) }],
    ['J2', { deliveries: [ROLLBACK, { ...ROLLBACK, id: 'd2' }] }],
    [
      'J3',
      {
        events: journalOf(STARTED, { ...STOPPED, conditions: [{ ...EVIDENCE, sinceMs: T0 - 1 }] }),
      },
    ],
    [
      'J3',
      {
        events: journalOf(STARTED, {
          ...STOPPED,
          conditions: [{ ...EVIDENCE, atMs: T0 + 10_001 }],
        }),
      },
    ],
    ['J4', { events: journalOf(STARTED, STOPPED, { type: 'window.entered', window: 'warning' }) }],
    ['J5', { deliveries: [{ ...ROLLBACK, attempts: 6 }] }],
    ['J7', { shown: { phase: 'passed' as const, active: false } }],
  ])('name %s when it is broken', (rule, broken) => {
    expect(violations({ ...GOOD, ...broken }).map((violation) => violation.rule)).toContain(rule);
  });

  it('are none when a person acted while a tick was reading', () => {
    const [first, last] = journalOf(STARTED, STOPPED);
    const acknowledged = { type: 'watch.acknowledged' as const, by: 'bob', reason: 'seen' };
    const [, between] = journalOf(STARTED, acknowledged);
    const events = [first, between, last].flatMap((event, index) =>
      event === undefined ? [] : [{ ...event, seq: index + 1 }],
    );
    const late = events.map((event) =>
      event.seq === 2 ? { ...event, atMs: event.atMs + 2_000 } : event,
    );
    expect(violations({ ...GOOD, events: late })).toEqual([]);
  });

  it('allow what may follow a close', () => {
    const after: EventBody = {
      type: 'action.accepted',
      action: 'rollback',
      attempts: 1,
      detail: '',
      afterMs: 1,
    };
    expect(violations({ ...GOOD, events: journalOf(STARTED, STOPPED, after) })).toEqual([]);
  });
});
