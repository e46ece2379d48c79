import { describe, expect, test } from 'vitest';
import type { Deploy } from '../../src/core/deploy.ts';
import {
  decideStart,
  type Earlier,
  REDEPLOY_AFTER_MS,
  ROLLBACK_DEPLOY_WITHIN_MS,
} from '../../src/core/start.ts';
import { aDeploy, aPolicy, started, stopped, T0 } from '../support/build.ts';
import { accepted, stateOf } from '../support/states.ts';

const MINUTE = 60_000;

function start(deploy: Partial<Deploy>, recent: readonly Earlier[] = [], nowMs?: number) {
  const deployed = aDeploy({ deployedAtMs: T0 + 10 * MINUTE, ...deploy });
  return decideStart({
    id: 'w_new',
    deploy: deployed,
    policy: aPolicy(),
    policyHash: 'hash',
    mode: 'act',
    isTimeGiven: true,
    nowMs: nowMs ?? deployed.deployedAtMs,
    recent,
  });
}

const watching: Earlier = { id: 'w_old', state: stateOf([0, started()]) };
const rollingBack: Earlier = {
  id: 'w_old',
  state: stateOf([0, started()], [60, stopped({ verifies: true })]),
};
const verifying: Earlier = {
  id: 'w_old',
  state: stateOf(
    [0, started()],
    [60, stopped({ verifies: true })],
    [61, accepted('disarm')],
    [62, accepted('rollback')],
  ),
};

describe('the start of a watch', () => {
  test('says how late it is, from ten seconds on', () => {
    const at = T0 + 10 * MINUTE;
    const late = [9_999, 10_000].map((ms) => start({}, [], at + ms));
    expect(late).toMatchObject([{ events: [{ lateMs: 0 }] }, { events: [{ lateMs: 10_000 }] }]);
  });

  test('ends when the last window of the policy ends, counted from the deploy', () => {
    expect(start({ deployedAtMs: T0 }, [], T0 + MINUTE)).toMatchObject({
      events: [{ deadlineAtMs: T0 + 24 * 60 * MINUTE, stopConditions: 2 }],
    });
  });

  test('of the same version is the open watch when it is told again within minutes', () => {
    const again = start({ deployedAtMs: T0 + REDEPLOY_AFTER_MS - 1 }, [watching]);
    expect(again).toEqual({ kind: 'exists', watchId: 'w_old' });
  });

  test('of the same version much later is a deploy of its own: its windows begin anew', () => {
    const again = start({ deployedAtMs: T0 + REDEPLOY_AFTER_MS }, [watching]);
    expect(again).toMatchObject({ kind: 'start', earlier: [{ id: 'w_old' }] });
  });

  test('of the same version at the same time is the closed watch; at another time a new one', () => {
    expect(start({ deployedAtMs: T0 }, [rollingBack])).toMatchObject({ kind: 'exists' });
    expect(start({}, [rollingBack])).toMatchObject({ kind: 'start' });
  });

  test('supersedes an open watch', () => {
    expect(start({ version: '2.0.1' }, [watching])).toMatchObject({
      kind: 'start',
      earlier: [
        {
          id: 'w_old',
          events: [{ type: 'watch.superseded', byWatch: 'w_new', version: '2.0.1' }],
          givesUpActions: false,
        },
      ],
    });
  });

  test('calls off a rollback that is not accepted, and tells so once', () => {
    expect(start({ version: '2.0.1' }, [rollingBack])).toMatchObject({
      earlier: [
        {
          givesUpActions: true,
          events: [
            { type: 'action.gave_up', action: 'disarm', reason: 'superseded' },
            { type: 'action.gave_up', action: 'rollback', reason: 'superseded' },
            { type: 'rollback.not_confirmed', reason: 'superseded' },
          ],
        },
      ],
    });
  });

  test('ends a verification, whose figures are of the newer deploy now', () => {
    expect(start({ version: '2.0.1' }, [verifying])).toMatchObject({
      earlier: [
        {
          givesUpActions: false,
          events: [{ type: 'rollback.not_confirmed', action: 'rollback', reason: 'superseded' }],
        },
      ],
    });
  });

  test.for([
    ['open', watching],
    ['stopped', rollingBack],
  ] as const)('of an older deploy is refused while a newer one is %s', ([, newer]) => {
    const older = { version: '1.9.0', deployedAtMs: T0 - MINUTE };
    expect(start(older, [newer], T0 + 2 * MINUTE)).toEqual({ kind: 'outdated', watchId: 'w_old' });
  });

  test('of an older deploy is taken when the newer watch was cancelled', () => {
    const cancel = { type: 'watch.cancelled', by: 'ann', reason: 'wrong time' } as const;
    const cancelled = { id: 'w_old', state: stateOf([0, started()], [60, cancel]) };
    expect(start({ deployedAtMs: T0 - MINUTE }, [cancelled])).toMatchObject({ kind: 'start' });
  });
});

describe('the deploy of a rollback', () => {
  test('is observed, does not act, and leaves the verification alone', () => {
    expect(start({ version: '1.9.0' }, [verifying])).toMatchObject({
      kind: 'start',
      events: [{ mode: 'observe', rollbackOf: 'w_old' }],
      earlier: [],
    });
  });

  test('is recognised by an older watch when the pipeline does not name versions', () => {
    const nameless = aDeploy({ previousVersion: null, deployedAtMs: T0 + MINUTE });
    const bad = {
      id: 'w_bad',
      state: stateOf([60, started({ deploy: nameless })], [90, stopped()]),
    };
    const good = {
      id: 'w_good',
      state: stateOf(
        [0, started({ deploy: aDeploy({ version: '1.8.0' }) })],
        [60, { type: 'watch.superseded', byWatch: 'w_bad', version: '2.0.0' }],
      ),
    };
    expect(start({ version: '1.8.0' }, [bad, good])).toMatchObject({
      events: [{ rollbackOf: 'w_bad' }],
    });
    expect(start({ version: '2.0.1' }, [bad, good])).toMatchObject({
      events: [{ rollbackOf: null, mode: 'act' }],
    });
  });

  test('is so for an hour after the stop', () => {
    const at = T0 + MINUTE + ROLLBACK_DEPLOY_WITHIN_MS;
    const deploys = [at, at + 1].map((ms) =>
      start({ version: '1.9.0', deployedAtMs: ms }, [rollingBack], ms),
    );
    expect(deploys).toMatchObject([
      { events: [{ rollbackOf: 'w_old' }] },
      { events: [{ rollbackOf: null, mode: 'act' }] },
    ]);
  });

  test('the stopped version deployed again is no rollback, also when it was there before', () => {
    const before = {
      id: 'w_before',
      state: stateOf(
        [0, started({ deploy: aDeploy({ deployedAtMs: T0 - MINUTE }) })],
        [60, { type: 'watch.superseded', byWatch: 'w_old', version: '2.0.0' }],
      ),
    };
    expect(start({}, [rollingBack, before])).toMatchObject({
      events: [{ mode: 'act', rollbackOf: null }],
    });
  });

  test('a fix is no rollback: it acts', () => {
    expect(start({ version: '2.0.1' }, [verifying])).toMatchObject({ events: [{ mode: 'act' }] });
  });
});

describe('a start that comes again', () => {
  const stopping: Earlier = {
    id: 'w_stopping',
    state: stateOf([0, started()], [MINUTE, stopped({ actions: ['disarm', 'rollback'] })]),
  };
  const again = { version: '2.0.0', deployedAtMs: T0 + 2 * MINUTE };
  const startAgain = (isTimeGiven: boolean, parameters = {}) =>
    decideStart({
      id: 'w_new',
      deploy: aDeploy({ ...again, parameters }),
      policy: aPolicy(),
      policyHash: 'hash',
      mode: 'act',
      isTimeGiven,
      nowMs: again.deployedAtMs,
      recent: [stopping],
    });

  test('without a time of its own never calls off the rollback that is under way', () => {
    expect(startAgain(false)).toEqual({ kind: 'exists', watchId: 'w_stopping' });
  });

  test('with a later time is a new deploy of the same version', () => {
    expect(startAgain(true)).toMatchObject({ kind: 'start' });
  });

  test('with other parameters differs from the watch that is there', () => {
    const open = { ...stopping, state: stateOf([0, started()]) };
    const given = { version: '2.0.0', deployedAtMs: T0, parameters: { capital: 5 } };
    const decided = start(given, [open]);
    expect(decided).toEqual({ kind: 'differs', watchId: 'w_stopping' });
  });
});
