// The GO that a policy wants before its watch starts, and what a start without one is.
import { describe, expect, it } from 'vitest';
import {
  foundInstead,
  GATE_SKEW_MS,
  gateCommand,
  type NewestDecision,
  newestFor,
  newestOf,
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
  return {
    ...{ decision: 'go', endedAt: iso(T0), reasons: [], receivedAtMs: T0 + 1_000 },
    ...{ parameters: {}, takenBack: null },
    ...over,
  };
}

describe('a decision of the gate', () => {
  it.each<[string, NewestDecision, number]>([
    ['a fresh GO', aGo(), T0 + HOUR],
    ['a GO at the edge of its time', aGo(), T0 + 24 * HOUR],
    [
      'a GO by a clock that is as far ahead as the daemon takes it',
      aGo({ endedAt: iso(T0 + 1_000 + GATE_SKEW_MS) }),
      T0 + 2_000,
    ],
    ['a GO that arrives as we look', aGo({ receivedAtMs: T0 + GATE_SKEW_MS }), T0],
  ])('counts: %s', (_, newest, nowMs) => {
    expect(foundInstead(REQUIRES, newest, {}, nowMs)).toBeNull();
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
    expect(foundInstead(REQUIRES, newest, {}, nowMs)).toBe(found);
  });

  it('gives a bounded reason', () => {
    const text = foundInstead(
      REQUIRES,
      aGo({ decision: 'no_go', reasons: ['x'.repeat(5_000)] }),
      {},
      T0,
    );
    expect(text?.length).toBeLessThan(200);
  });
});

describe('a GO for one deploy', () => {
  const go = aGo({ parameters: { deploy_capital: 1_000, expected_positions: 10, mode: 'small' } });

  it.each<[string, Record<string, number | string>]>([
    ['with the same parameters', { deploy_capital: 1_000, mode: 'small' }],
    ['that brings its figure as text', { deploy_capital: '1000' }],
    ['with parameters of which the gate knows nothing', { region: 'eu' }],
  ])('counts for one %s', (_, parameters) => {
    expect(foundInstead(REQUIRES, go, parameters, T0)).toBeNull();
  });

  it('does not count for one with other parameters: they are named, bounded', () => {
    const other = { deploy_capital: 100_000_000, expected_positions: 10, mode: 'large' };
    expect(foundInstead(REQUIRES, go, other, T0)).toBe(
      'a GO of 2026-01-01 00:00 UTC for deploy_capital 1000, mode small, not 100000000, large',
    );
    const long = aGo({ parameters: { mode: 'x'.repeat(5_000) } });
    const text = foundInstead(REQUIRES, long, { mode: 'y'.repeat(5_000) }, T0);
    expect(text?.length).toBeLessThan(300);
  });

  it('does not count when a signature that it stands on has been taken back', () => {
    expect(foundInstead(REQUIRES, aGo({ takenBack: 'Ada' }), {}, T0)).toBe(
      'a GO of 2026-01-01 00:00 UTC, whose signature by Ada has been taken back',
    );
  });
});

describe('the newest decision', () => {
  const by = (decision: NewestDecision['decision'], endedAtMs: number, receivedAtMs: number) =>
    aGo({
      decision,
      endedAt: iso(T0 + endedAtMs * MINUTE),
      receivedAtMs: T0 + receivedAtMs * MINUTE,
    });
  const late = by('go', 1, 40);
  const noGo = by('no_go', 30, 31);
  const review = by('review', 30, 31);
  const old = by('go', 0, 1);

  it.each<[string, readonly NewestDecision[], NewestDecision | null]>([
    ['nothing where there is none', [], null],
    ['the last GO', [by('go', 5, 5), old].slice(1), old],
    ['a NO-GO that ended after a GO that arrived late', [late, noGo, old], noGo],
    ['a review that ended after it', [late, review], review],
    ['a NO-GO that arrived late: what is not certain is no GO', [by('no_go', 0, 9), old], null],
    ['the GO that ended last, when an older one arrives late', [late, by('go', 30, 31)], null],
  ])('is %s', (_, received, wanted) => {
    expect(newestOf(received)).toBe(wanted ?? received.find((one) => one !== late) ?? null);
  });

  it('is a GO after a NO-GO, also of a machine whose clock is ahead', () => {
    const go = by('go', 4, 4);
    expect(newestOf([go, by('no_go', 6, 2)])).toBe(go);
  });

  it('is not overtaken by copies of an old GO', () => {
    expect(newestOf([late, late, late, noGo])).toBe(noGo);
  });
});

describe('the newest decision for the parameters of a deploy', () => {
  const by = (region: string, decision: NewestDecision['decision'], atMinute: number) => {
    const atMs = T0 + atMinute * MINUTE;
    const parameters = { region, capital: 1_000 };
    return { ...aGo({ decision, endedAt: iso(atMs), receivedAtMs: atMs }), deploy: { parameters } };
  };
  const [eu, us] = [by('eu', 'go', 1), by('us', 'go', 2)];
  const [stopped, refused] = [by('us', 'no_go', 3), by('eu', 'no_go', 0)];

  it.each([
    ['its own GO, though one for another region came later', [us, eu], eu],
    ['the GO for the other region where it has none: that is told', [us], us],
    ['a NO-GO that came later, whatever region it is for', [stopped, us, eu], stopped],
    ['the NO-GO of its own, though another region has a GO', [us, refused], refused],
    ['nothing where there is none', [], null],
  ])('is %s', (_, received, wanted) => {
    expect(newestFor(received, { region: 'eu' })).toBe(wanted);
  });

  it('is the last one for a deploy that says nothing of them', () => {
    expect(newestFor([us, eu], {})).toBe(us);
  });
});

describe('the command that carries the gate out', () => {
  it.each([
    [
      '2.1.0',
      'canaryd gate shop-gate --version 2.1.0 --service shop --environment testnet --daemon',
    ],
    [
      "2.1.0'; rm -rf /",
      `canaryd gate shop-gate --version '2.1.0'\\''; rm -rf /' --service shop --environment testnet --daemon`,
    ],
    [
      '$(id)',
      `canaryd gate shop-gate --version '$(id)' --service shop --environment testnet --daemon`,
    ],
  ])('takes the version %s as one word', (version, command) => {
    const place = { service: 'shop', environment: 'testnet', parameters: {} };
    expect(gateCommand('shop-gate', { version, ...place })).toBe(command);
  });

  it('names the parameters of the deploy', () => {
    const parameters = { deploy_capital: 100_000, mode: "it's big" };
    const deploy = { service: 'shop', environment: 'testnet', version: '2', parameters };
    expect(gateCommand('shop-gate', deploy)).toBe(
      'canaryd gate shop-gate --version 2 --service shop --environment testnet ' +
        `--param deploy_capital=100000 --param 'mode=it'\\''s big' --daemon`,
    );
  });
});

const PASSED = { type: 'watch.passed', conditions: [], coverage: {} } as const;
const ofBad = {
  deploy: aDeploy({ version: '1.9.0', previousVersion: '1.8.0', deployedAtMs: T0 - 15 * MINUTE }),
};

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
      expect(decided).toMatchObject({
        kind: 'start',
        needsGo: false,
        events: [{ rollbackOf: 'w_old', neededNoGo: 'no decision of it for this version' }],
      });
    },
  );

  describe('to a version whose own watch was stopped', () => {
    /** Long over: nothing is under way. */
    const STOPPED = stopped({ actions: [] });
    const bad = { id: 'w_bad', state: stateOf([-900, started(ofBad)], [-600, STOPPED]) };
    const now = { id: 'w_old', state: stateOf([0, started()], [500, stopped()]) };

    it('is no rollback that needs no GO', () => {
      expect(start('refuse', [now, bad], '1.9.0')).toMatchObject({ kind: 'without_go' });
      expect(start('alert', [now, bad], '1.9.0')).toMatchObject({
        kind: 'start',
        needsGo: true,
        // It must start no loop all the same.
        events: [{ rollbackOf: 'w_old', mode: 'observe' }],
      });
    });

    it('is one when it was watched to its end since', () => {
      const again = { id: 'w_good', state: stateOf([-300, started(ofBad)], [-100, PASSED]) };
      expect(start('refuse', [now, again, bad], '1.9.0')).toMatchObject({ needsGo: false });
    });

    it('is one when only the watch of a rollback to it was stopped', () => {
      const back = { ...ofBad, rollbackOf: 'w_0' };
      const observed = { id: 'w_rb', state: stateOf([-900, started(back)], [-600, STOPPED]) };
      expect(start('refuse', [now, observed], '1.9.0')).toMatchObject({ needsGo: false });
    });
  });

  it('tells a rollback as any start, and what was found besides', () => {
    const over = { neededNoGo: 'NO-GO of yesterday', rollbackOf: 'w_0', mode: 'observe' } as const;
    const event = { ...started(over), ...{ seq: 1, atMs: T0 } };
    const policy = aPolicy({ requires: REQUIRES });
    const context = { watchId: 'w_1', policy, state: fold([event]), publicUrl: null };
    const told = tell(event, context);
    expect(told).toMatchObject({ severity: 'info', headline: 'Watching shop 2.0.0 (production)' });
    expect(told?.lines).toContain(
      'A rollback needs no GO of gate shop-gate; found: NO-GO of yesterday.',
    );
  });

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
