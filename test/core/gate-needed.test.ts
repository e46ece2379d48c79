// The GO that a policy wants before its watch starts, and what a start without one is.
import { describe, expect, it } from 'vitest';
import {
  foundInstead,
  gateCommand,
  type NewestDecision,
  type Requires,
} from '../../src/core/gate-needed.ts';
import { tell } from '../../src/core/message.ts';
import { decideStart, type Earlier } from '../../src/core/start.ts';
import { fold } from '../../src/core/watch.ts';
import { aDeploy, aPolicy, started, stopped, T0 } from '../support/build.ts';
import { stateOf } from '../support/states.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const REQUIRES: Requires = { gate: 'shop-gate', freshMs: 24 * HOUR, otherwise: 'refuse' };
const iso = (ms: number) => new Date(ms).toISOString();

function aGo(over: Partial<NewestDecision> = {}): NewestDecision {
  return { decision: 'go', endedAt: iso(T0), reasons: [], receivedAtMs: T0 + 1_000, ...over };
}

describe('a decision of the gate', () => {
  it.each<[string, NewestDecision, number]>([
    ['a fresh GO', aGo(), T0 + HOUR],
    ['a GO at the edge of its time', aGo(), T0 + 24 * HOUR],
    ['a GO by a clock that is a little ahead', aGo({ endedAt: iso(T0 + 30_000) }), T0 + 2_000],
    ['a GO that arrives as we look', aGo({ receivedAtMs: T0 + 50_000 }), T0],
  ])('counts: %s', (_, newest, nowMs) => {
    expect(foundInstead(REQUIRES, newest, nowMs)).toBeNull();
  });

  it.each<[string, NewestDecision | null, number, string]>([
    ['nothing', null, T0, 'no decision of it for this version'],
    [
      'NO-GO',
      aGo({ decision: 'no_go', reasons: ['green coverage: 88 %'] }),
      T0,
      'NO-GO of 2026-01-01 00:00 UTC (green coverage: 88 %)',
    ],
    [
      'NO-GO for several reasons',
      aGo({ decision: 'no_go', reasons: ['first', 'second', 'third'] }),
      T0,
      'NO-GO of 2026-01-01 00:00 UTC (first and 2 more)',
    ],
    [
      'a review',
      aGo({ decision: 'review' }),
      T0,
      'a review of 2026-01-01 00:00 UTC that nobody has approved',
    ],
    [
      'a GO that is too old by a millisecond',
      aGo(),
      T0 + 24 * HOUR + 1,
      'a GO of 2026-01-01 00:00 UTC, 1d old; at most 1d wanted',
    ],
    [
      'a GO of thirty hours ago that was reported just now',
      aGo({ endedAt: iso(T0 - 30 * HOUR), receivedAtMs: T0 }),
      T0,
      'a GO of 2025-12-30 18:00 UTC, 1d6h old; at most 1d wanted',
    ],
    [
      'a GO that says it is of tomorrow',
      aGo({ endedAt: iso(T0 + 24 * HOUR) }),
      T0 + 40 * HOUR,
      'a GO of 2026-01-02 00:00 UTC, which is in the future: set the clocks right',
    ],
    [
      'a GO that was received in our future',
      aGo({ receivedAtMs: T0 + HOUR }),
      T0,
      'a GO of 2026-01-01 00:00 UTC, which is in the future: set the clocks right',
    ],
    [
      'a GO without a time',
      aGo({ endedAt: 'yesterday' }),
      T0,
      'a decision without a time that can be read',
    ],
  ])('does not count: %s', (_, newest, nowMs, found) => {
    expect(foundInstead(REQUIRES, newest, nowMs)).toBe(found);
  });

  it('gives a bounded reason', () => {
    const text = foundInstead(
      REQUIRES,
      aGo({ decision: 'no_go', reasons: ['x'.repeat(5_000)] }),
      T0,
    );
    expect(text?.length).toBeLessThan(200);
  });
});

describe('the command that carries the gate out', () => {
  it.each([
    ['2.1.0', 'canaryd gate shop-gate --version 2.1.0 --environment testnet --daemon'],
    [
      "2.1.0'; rm -rf /",
      `canaryd gate shop-gate --version '2.1.0'\\''; rm -rf /' --environment testnet --daemon`,
    ],
    ['$(id)', `canaryd gate shop-gate --version '$(id)' --environment testnet --daemon`],
  ])('takes the version %s as one word', (version, command) => {
    expect(gateCommand('shop-gate', { version, environment: 'testnet' })).toBe(command);
  });
});

function start(otherwise: Requires['otherwise'], recent: readonly Earlier[] = [], version = '3.0') {
  return decideStart({
    id: 'w_new',
    deploy: aDeploy({ version, deployedAtMs: T0 + 10 * MINUTE }),
    policy: aPolicy({ requires: { ...REQUIRES, otherwise } }),
    policyHash: 'hash',
    mode: 'act',
    isTimeGiven: false,
    nowMs: T0 + 10 * MINUTE,
    recent,
    withoutGo: 'no decision of it for this version',
  });
}

describe('a start without the GO that its policy requires', () => {
  it('is refused, and ends no earlier watch', () => {
    const watching = { id: 'w_old', state: stateOf([0, started()]) };
    expect(start('refuse', [watching])).toEqual({
      kind: 'without_go',
      found: 'no decision of it for this version',
    });
  });

  it('goes on where the policy only alerts, and says so in its first event', () => {
    expect(start('alert')).toMatchObject({
      kind: 'start',
      events: [{ type: 'watch.started', withoutGo: 'no decision of it for this version' }],
    });
  });

  it('is the open watch when the same deploy is started again', () => {
    const same = { id: 'w_old', state: stateOf([0, started()]) };
    expect(start('refuse', [same], '2.0.0')).toEqual({ kind: 'exists', watchId: 'w_old' });
  });

  it.each(['refuse', 'alert'] as const)(
    'is all right for the deploy of a rollback (%s)',
    (otherwise) => {
      const rolledBack = { id: 'w_old', state: stateOf([0, started()], [500, stopped()]) };
      const decided = start(otherwise, [rolledBack], '1.9.0');
      expect(decided).toMatchObject({ kind: 'start', events: [{ rollbackOf: 'w_old' }] });
      expect(JSON.stringify(decided)).not.toContain('withoutGo');
    },
  );

  it('is told loudly, with what was found and what to do', () => {
    const event = {
      ...started({ withoutGo: 'a GO that is too old' }),
      ...{ seq: 1, atMs: T0 },
    };
    const policy = aPolicy({ requires: { ...REQUIRES, otherwise: 'alert' } });
    const context = { watchId: 'w_1', policy, state: fold([event]), publicUrl: null };
    expect(tell(event, context)).toMatchObject({
      kind: 'watch.started',
      severity: 'critical',
      headline: 'shop 2.0.0 (production) started WITHOUT a GO of gate shop-gate',
      lines: ['Found: a GO that is too old.', expect.stringContaining('Windows:')],
      next: expect.stringContaining('canaryd gate shop-gate --version 2.0.0'),
    });
  });
});
