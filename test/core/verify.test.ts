import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/core/delivery.ts';
import type { EventBody } from '../../src/core/event.ts';
import type { Condition, Policy } from '../../src/core/policy.ts';
import type { Reading } from '../../src/core/sample.ts';
import type { Track } from '../../src/core/track.ts';
import { decideOutcome, decideVerification, verifyConditions } from '../../src/core/verify.ts';
import {
  aCondition,
  aDeploy,
  aHealthCheck,
  aPolicy,
  started,
  stopped,
  T0,
} from '../support/build.ts';
import { accepted, stateOf } from '../support/states.ts';

const health = aCondition({
  id: 'verify.verify.health',
  indicator: 'health',
  window: 'verify',
  role: 'verify',
  limit: { kind: 'passing', times: 3 },
});
const fillRate = aCondition({
  id: 'verify.verify.fill_rate',
  window: 'verify',
  role: 'verify',
  limit: { kind: 'compare', comparator: 'above', value: 0.8, of: null },
});

function policyWith(conditions: readonly Condition[]): Policy {
  return aPolicy({ verify: { withinMs: 60_000, conditions } });
}

const waiting = stateOf([0, started()], [60, stopped({ verifies: true })]);
const verifying = stateOf(
  [0, started()],
  [60, stopped({ verifies: true })],
  [62, accepted('rollback')],
);

/** Events of ticks at these seconds after the acceptance, with the time of each. */
function verify(
  policy: Policy,
  ticks: readonly (readonly [atS: number, readings: Readonly<Record<string, Reading>>])[],
  state = verifying,
): readonly (readonly [number, EventBody])[] {
  let track: Track | null = null;
  const told: (readonly [number, EventBody])[] = [];
  for (const [atS, readings] of ticks) {
    const tick = { atMs: T0 + (62 + atS) * 1_000, readings };
    const decided = decideVerification(policy, state, track, tick);
    track = decided.track;
    told.push(...decided.events.map((event) => [atS, event] as const));
  }
  return told;
}

const good = {
  health: { kind: 'value', value: 1 },
  fill_rate: { kind: 'value', value: 0.97 },
} as const;
const bad = {
  health: { kind: 'value', value: 0 },
  fill_rate: { kind: 'value', value: 0.8 },
} as const;

describe('a verification', () => {
  const policy = policyWith([health, fillRate]);

  test('confirms at the first tick at which all conditions hold', () => {
    const told = verify(policy, [
      [0, bad],
      [5, good],
      [10, good],
      [15, good],
    ]);
    expect(told).toMatchObject([[15, { type: 'rollback.confirmed', afterMs: 15_000 }]]);
    expect(told[0]?.[1]).toMatchObject({
      conditions: [{ samples: 3 }, { value: 0.97, samples: 3 }],
    });
  });

  test('confirms exactly at its border', () => {
    const told = verify(policy, [
      [50, good],
      [55, good],
      [60, good],
    ]);
    expect(told).toMatchObject([[60, { type: 'rollback.confirmed' }]]);
  });

  test('is not confirmed at its border otherwise, with what is missing', () => {
    const told = verify(policy, [
      [55, bad],
      [59.999, bad],
      [60, bad],
    ]);
    expect(told).toMatchObject([[60, { type: 'rollback.not_confirmed', reason: 'not_verified' }]]);
    expect(told[0]?.[1]).toHaveProperty('because', [
      'Health endpoint failing',
      'Order fill rate 80 %, wanted: above 80 %',
    ]);
  });

  test('keeps what a health check said while the next one is open', () => {
    const slow = { fill_rate: good.fill_rate };
    const open = verify(policy, [
      [0, { health: good.health }],
      [5, { health: good.health }],
      [10, { health: good.health }],
      [15, slow],
    ]);
    expect(open).toMatchObject([
      [15, { type: 'rollback.confirmed', conditions: [{ indicator: 'health', value: 1 }, {}] }],
    ]);
  });

  test('is not confirmed by what it could not see', () => {
    const blind = { kind: 'blind', reason: 'too_few', detail: '3 of at least 20' } as const;
    const told = verify(policyWith([fillRate]), [
      [0, { fill_rate: blind }],
      [60, { fill_rate: blind }],
    ]);
    expect(told).toMatchObject([
      [60, { because: ['fill_rate is blind: too_few (3 of at least 20)'] }],
    ]);
  });

  test('is not called unconfirmed at the first look after an absence', () => {
    const away = [
      [5, bad],
      [300, bad],
      [330, bad],
    ] as const;
    expect(verify(policy, away)).toEqual([]);
    expect(verify(policy, [...away, [360, bad]])).toMatchObject([
      [360, { type: 'rollback.not_confirmed' }],
    ]);
  });

  test('leaves out what asks for an unknown previous version, and says so when it fails', () => {
    const url = 'http://127.0.0.1/version?is=${previous_version}';
    const version = aHealthCheck({ id: 'version', url });
    const asksVersion = { ...health, id: 'verify.verify.version', indicator: 'version' };
    const nameless = stateOf(
      [0, started({ deploy: aDeploy({ previousVersion: null }) })],
      [60, stopped({ verifies: true })],
      [62, accepted('rollback')],
    );
    const both = { ...policyWith([asksVersion, fillRate]) };
    const policies = { ...both, indicators: { ...both.indicators, version } };
    expect(verifyConditions(policies, nameless)).toEqual([fillRate]);
    expect(verifyConditions(policies, verifying)).toEqual([asksVersion, fillRate]);
    const only = { ...policies, verify: { withinMs: 60_000, conditions: [asksVersion] } };
    const told = verify(
      only,
      [
        [0, {}],
        [60, {}],
      ],
      nameless,
    );
    expect(told).toMatchObject([
      [
        60,
        {
          type: 'rollback.not_confirmed',
          because: ['version could not be judged: the deploy did not name its previous version'],
        },
      ],
    ]);
  });

  test('decides nothing before the rollback was accepted', () => {
    expect(
      verify(
        policy,
        [
          [0, good],
          [5, good],
          [10, good],
          [3_600, good],
        ],
        waiting,
      ),
    ).toEqual([]);
  });
});

describe('the outcome of an attempt', () => {
  const timeout: Outcome = {
    kind: 'retryable',
    reason: 'timeout',
    detail: 'no answer within 5s',
    retryAfterMs: null,
    maybeDelivered: true,
  };
  const attempt = {
    action: 'rollback',
    attempts: 1,
    outcome: timeout,
    gaveUp: null,
    atMs: T0 + 61_000,
  } as const;

  test('delivered is accepted, with the time since the stop', () => {
    const outcome = { kind: 'delivered', detail: 'HTTP 202' } as const;
    expect(decideOutcome(waiting, { ...attempt, outcome })).toEqual([
      {
        type: 'action.accepted',
        action: 'rollback',
        attempts: 1,
        detail: 'HTTP 202',
        afterMs: 1_000,
      },
    ]);
  });

  test('is told once while it is being repeated, at the third failure', () => {
    const told = [1, 2, 3, 4, 5].flatMap((attempts) =>
      decideOutcome(waiting, { ...attempt, attempts }),
    );
    expect(told).toMatchObject([{ type: 'action.delayed', attempts: 3 }]);
  });

  test('given up: the rollback is not confirmed; a disarm alone leaves that open', () => {
    const gaveUp = 'attempts_exhausted' as const;
    expect(decideOutcome(waiting, { ...attempt, gaveUp }).map(({ type }) => type)).toEqual([
      'action.gave_up',
      'rollback.not_confirmed',
    ]);
    expect(
      decideOutcome(waiting, { ...attempt, action: 'disarm', gaveUp }).map(({ type }) => type),
    ).toEqual(['action.gave_up']);
  });

  test('of an action that has ended already changes nothing', () => {
    const outcome = { kind: 'delivered', detail: 'HTTP 202' } as const;
    expect(decideOutcome(verifying, { ...attempt, outcome })).toEqual([]);
  });
});
