import { describe, expect, it } from 'vitest';
import { chooseDeploys, type GivenDeploy } from '../../src/backtest/deploys.ts';
import { changesOf, deploysOf } from '../../src/backtest/find.ts';
import { aPolicy, T0 } from '../support/build.ts';

const MINUTE = 60_000;

/** What was seen at each minute: "a", "a b" while both run, "" when nothing was. */
function seen(...minutes: readonly string[]) {
  return minutes.map((text, index) => ({
    atMs: T0 + index * MINUTE,
    versions: new Set(text.split(' ').filter((word) => word !== '')),
  }));
}

function changes(...minutes: readonly string[]): readonly string[] {
  return changesOf(seen(...minutes)).map(({ atMs, previousVersion, version, isRollback }) => {
    const arrow = isRollback ? '<-' : '->';
    return `${(atMs - T0) / MINUTE}: ${previousVersion} ${arrow} ${version}`;
  });
}

const long = (version: string) => Array.from({ length: 7 }, () => version);

describe('changes of a version label', () => {
  it.each([
    [['a', 'a', 'b'], ['2: a -> b']],
    [['a', 'a b', 'a b', 'b'], ['1: a -> b']],
    // A scrape that failed, of all or of one, is no deploy.
    [['a', '', '', 'a'], []],
    [['a', 'a b', 'b', 'a b', 'b'], ['1: a -> b']],
    // Nobody was asked for a while, and two run side by side before and after.
    [['a', 'a b', 'a b', ...long(''), 'a b', 'a b'], ['1: a -> b']],
    // A canary that was taken away again.
    [
      ['a', 'a b', 'a b', 'a', 'a'],
      ['1: a -> b', '3: b <- a'],
    ],
    // Back after a while, and on again.
    [
      [...long('a'), ...long('b'), ...long('a')],
      ['7: a -> b', '14: b <- a'],
    ],
    [
      [...long('a'), ...long('b'), ...long('a'), ...long('b')],
      ['7: a -> b', '14: b <- a', '21: a -> b'],
    ],
    [
      ['a', 'b', 'c'],
      ['1: a -> b', '2: b -> c'],
    ],
    [[], []],
  ])('%j are %j', (minutes, wanted) => {
    expect(changes(...minutes)).toEqual(wanted);
  });

  it('become deploys; a rollback ends the one it takes back', () => {
    const found = changesOf(seen(...long('a'), ...long('b'), ...long('a'), ...long('c')));
    const of = { service: 'shop', environment: null, parameters: {}, rolledBackIsBad: true };
    expect(deploysOf(found, of)).toMatchObject([
      {
        version: 'b',
        previousVersion: 'a',
        label: 'bad',
        replaced: { atMs: T0 + 14 * MINUTE, version: 'a' },
      },
      { version: 'c', previousVersion: 'a', label: null, replaced: null },
    ]);
    const [unlabelled] = deploysOf(found, { ...of, rolledBackIsBad: false });
    expect(unlabelled?.label).toBeNull();
  });
});

describe('the deploys of a backtest', () => {
  const given = (over: Partial<GivenDeploy>): GivenDeploy => ({
    ...{ service: null, environment: null, version: '1', previousVersion: null },
    ...{ deployedAtMs: T0, parameters: {}, label: null },
    ...over,
  });
  const options = { limit: 10, parameters: {} };

  it('are those of the service and the environment, in order of time', () => {
    const policy = aPolicy({ environment: 'live' });
    const { deploys, others } = chooseDeploys(
      [
        given({ version: '2', deployedAtMs: T0 + 2 }),
        given({ version: '1', deployedAtMs: T0 + 1, environment: 'live' }),
        given({ service: 'bakery' }),
        given({ environment: 'staging' }),
      ],
      policy,
      options,
    );
    expect(deploys.map(({ version }) => version)).toEqual(['1', '2']);
    expect(others).toBe(2);
  });

  it('end with the next one of the same environment', () => {
    const { deploys } = chooseDeploys(
      [
        given({ version: '1', environment: 'a' }),
        given({ version: '2', environment: 'b', deployedAtMs: T0 + 1 }),
        given({ version: '3', environment: 'a', deployedAtMs: T0 + 2 }),
      ],
      aPolicy(),
      options,
    );
    expect(deploys.map(({ replaced }) => replaced)).toEqual([
      { atMs: T0 + 2, version: '3' },
      null,
      null,
    ]);
  });

  it('end with a rollback, which is none of them', () => {
    const { deploys, others, older } = chooseDeploys(
      [
        given({ version: '2' }),
        given({ version: '1', deployedAtMs: T0 + 5, isRollback: true }),
        given({ version: '3', deployedAtMs: T0 + 9 }),
      ],
      aPolicy(),
      options,
    );
    expect(deploys).toMatchObject([
      { version: '2', replaced: { atMs: T0 + 5, version: '1' } },
      { version: '3', replaced: null },
    ]);
    expect([others, older]).toEqual([0, 0]);
  });

  it('end with what came first, the next one or what is known of their end', () => {
    const known = (afterMs: number) => ({ replaced: { atMs: T0 + afterMs, version: 'old' } });
    const { deploys } = chooseDeploys(
      [
        given({ version: '1', ...known(5) }),
        given({ version: '2', deployedAtMs: T0 + 10, ...known(99) }),
        given({ version: '3', deployedAtMs: T0 + 20 }),
      ],
      aPolicy(),
      options,
    );
    expect(deploys.map(({ replaced }) => replaced?.version)).toEqual(['old', '3', undefined]);
  });

  it('are the newest up to the limit; older ones are counted', () => {
    const all = ['1', '2', '3'].map((version, index) =>
      given({ version, deployedAtMs: T0 + index }),
    );
    const { deploys, older } = chooseDeploys(all, aPolicy(), { ...options, limit: 2 });
    expect(deploys.map(({ version }) => version)).toEqual(['2', '3']);
    expect(older).toBe(1);
  });

  it('take the parameters that are given for all, unless they bring their own', () => {
    const parameters = { capital: 1, who: 'all' };
    const own = given({ parameters: { capital: 7 } });
    const { deploys } = chooseDeploys([own], aPolicy(), { ...options, parameters });
    expect(deploys[0]?.parameters).toEqual({ capital: 7, who: 'all' });
  });
});
