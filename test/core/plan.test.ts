import { describe, expect, test } from 'vitest';
import { nextAttemptAtMs } from '../../src/core/delivery.ts';
import type { EventBody } from '../../src/core/event.ts';
import { planDeliveries } from '../../src/core/plan.ts';
import { evolve, fold } from '../../src/core/watch.ts';
import { anAction, aPolicy, started, stopped, T0 } from '../support/build.ts';
import { eventsOf } from '../support/states.ts';

const MINUTE = 60_000;

/** What is planned for events of one turn after the start of a watch. */
function planned(bodies: readonly EventBody[], channels: readonly string[] = ['oncall']) {
  const start = eventsOf([0, started()]);
  const events = eventsOf([0, started()], ...bodies.map((body) => [60, body] as const)).slice(1);
  let state = fold(start);
  return events.flatMap((event) => {
    state = evolve(state, event);
    const policy = aPolicy({ actions: [anAction({ name: 'disarm' }), anAction()] });
    const context = { watchId: 'w_1', policy, state, publicUrl: 'https://canaryd.example' };
    return planDeliveries(event, context, channels, events);
  });
}

function kinds(bodies: readonly EventBody[]): readonly string[] {
  return planned(bodies).map(({ content }) =>
    content.kind === 'action' ? content.action : content.message.kind,
  );
}

const gaveUp: EventBody = {
  type: 'action.gave_up',
  action: 'rollback',
  attempts: 10,
  reason: 'attempts_exhausted',
  detail: 'HTTP 503',
};
const unconfirmed: EventBody = {
  type: 'rollback.not_confirmed',
  action: 'rollback',
  reason: 'not_accepted',
  because: ['the rollback was not accepted: HTTP 503'],
};
const missing = {
  condition: 'immediate.stop.fill_rate',
  indicator: 'fill_rate',
  reason: 'no_series',
  detail: 'no such metric',
  sinceMs: T0,
} as const;
const unarmed: EventBody = { type: 'watch.unarmed', armed: 0, total: 1, conditions: [missing] };

describe('a stop', () => {
  test('plans its actions first, then tells every channel', () => {
    const ids = planned([stopped()], ['oncall', 'log']).map(({ id }) => id);
    expect(ids).toEqual(['w_1-disarm', 'w_1-rollback', 'w_1-e2-oncall', 'w_1-e2-log']);
  });

  test('plans the same ids again after a crash', () => {
    expect(planned([stopped()])).toEqual(planned([stopped()]));
  });

  test('lets the rollback follow the disarm at once, and wait three seconds for it at most', () => {
    const at = T0 + MINUTE;
    expect(planned([stopped()])).toMatchObject([
      { id: 'w_1-disarm', notBeforeMs: at, afterDelivery: null, deadlineAtMs: at + 5 * MINUTE },
      { id: 'w_1-rollback', notBeforeMs: at + 3_000, afterDelivery: 'w_1-disarm', attemptsMax: 8 },
      {},
    ]);
  });

  test('without a disarm the rollback goes at once', () => {
    expect(planned([stopped({ actions: ['rollback'] })])[0]).toMatchObject({
      notBeforeMs: T0 + MINUTE,
      afterDelivery: null,
    });
  });

  test('that may not act plans nothing but the message', () => {
    expect(kinds([stopped({ mode: 'observe', actions: [] })])).toEqual(['watch.stopped']);
  });

  test('tells the receiver the versions and the figures', () => {
    const [disarm] = planned([stopped()]);
    expect(disarm?.content).toMatchObject({
      kind: 'action',
      payload: {
        type: 'canaryd.disarm',
        timestamp: '2026-01-01T00:01:00.000Z',
        data: {
          watch: 'w_1',
          version: '2.0.0',
          previous_version: '1.9.0',
          conditions: [{ indicator: 'fill_rate', value: 0.72, limit: 0.8, samples: 3 }],
          url: 'https://canaryd.example/v1/watches/w_1',
        },
      },
    });
  });
});

describe('a turn of events', () => {
  test('that gives up the rollback is one message, the loudest', () => {
    expect(kinds([stopped(), gaveUp, unconfirmed])).toEqual([
      'disarm',
      'rollback',
      'watch.stopped',
      'rollback.not_confirmed',
    ]);
    expect(kinds([gaveUp])).toEqual(['action.gave_up']);
  });

  test('that arms the watch does not also say that it sees again', () => {
    const sighted: EventBody = {
      type: 'conditions.sighted',
      conditions: [{ condition: missing.condition, blindMs: 9_000 }],
    };
    expect(kinds([{ type: 'watch.armed', armed: 1, total: 1 }, sighted])).toEqual(['watch.armed']);
    expect(kinds([sighted])).toEqual(['conditions.sighted']);
  });

  test('that names an unarmed indicator does not name it as blind too, but does name others', () => {
    const same: EventBody = {
      type: 'conditions.blinded',
      conditions: [{ ...missing, condition: 'pass' }],
    };
    const other: EventBody = {
      type: 'conditions.blinded',
      conditions: [{ ...missing, indicator: 'loss' }],
    };
    expect(kinds([unarmed, same])).toEqual(['watch.unarmed']);
    expect(kinds([unarmed, other])).toEqual(['watch.unarmed', 'conditions.blinded']);
    expect(kinds([same])).toEqual(['conditions.blinded']);
  });
});

describe('a message', () => {
  test('is worth sending for a day when it is critical, else for an hour', () => {
    const span = (body: EventBody) => {
      const [message] = planned([body]).slice(-1);
      return message === undefined ? null : message.deadlineAtMs - message.notBeforeMs;
    };
    expect([span(stopped()), span(unarmed)]).toEqual([24 * 60 * MINUTE, 60 * MINUTE]);
  });

  test.each([
    ['critical', stopped()],
    ['warning', unarmed],
    ['info', { type: 'watch.armed', armed: 1, total: 1 }],
  ] as const)('that is %s and keeps failing ends at its deadline, not before', (severity, body) => {
    const [message] = planned([body]).slice(-1);
    expect(message?.content).toMatchObject({ message: { severity } });
    if (message === undefined) throw new Error('no message was planned');
    const retryable = { kind: 'retryable', reason: 'network', detail: 'ECONNREFUSED' } as const;
    const outcome = { ...retryable, retryAfterMs: null, maybeDelivered: false };
    let atMs = message.createdAtMs;
    let attempts = 0;
    // Without jitter: the shortest waits there are.
    while (atMs <= message.deadlineAtMs) {
      attempts += 1;
      atMs = nextAttemptAtMs({ content: message.content, attempts }, outcome, atMs, 0);
    }
    expect(attempts).toBeLessThan(message.attemptsMax);
  });

  test('is not made of routine', () => {
    expect(kinds([{ type: 'window.entered', window: 'immediate' }])).toEqual([]);
  });
});
