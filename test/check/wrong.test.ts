// Thirty policies that are wrong in one place, and who notices each: nobody may trust `check` and
// the shipped cases further than this goes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FINDING_NAMES } from '../../src/config/finding-names.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';
import { noticedOf } from './wrong/catchers.ts';
import { healthySeries } from './wrong/healthy.ts';
import { changedPolicy, POLICIES, type PolicyName, WAYS } from './wrong/ways.ts';

const needs = '(needs the `prometheus` and `promtool` binaries)';
/** All cases of a policy, on a busy machine. */
const LONG_MS = 120_000;

describe.skipIf(!hasPrometheus())(`who notices that a policy is wrong ${needs}`, () => {
  const servers = new Map<PolicyName, PrometheusServer>();
  beforeAll(async () => {
    for (const name of POLICIES) {
      servers.set(name, await startPrometheus({ history: await healthySeries(name) }));
    }
  }, LONG_MS);
  afterAll(async () => {
    for (const server of servers.values()) await server.stop();
  });

  const urlOf = (name: PolicyName) => servers.get(name)?.url ?? '';

  // That all of their cases pass is shown in test/cases/shipped.test.ts.
  it.each(POLICIES)('neither check nor --live, when %s is as it is shipped', async (name) => {
    expect(await noticedOf(name, changedPolicy(name, {}), urlOf(name), 'none')).toEqual({});
  });

  it.each(WAYS)(
    '$title ($policy)',
    async (way) => {
      const { policy, change, noticed } = way;
      const raw = changedPolicy(policy, change);
      expect(await noticedOf(policy, raw, urlOf(policy), noticed.test)).toEqual(noticed);
    },
    LONG_MS,
  );
});

describe('the ways to be wrong', () => {
  it('are thirty, each with one change, and each is noticed by somebody', () => {
    expect(WAYS).toHaveLength(30);
    expect(new Set(WAYS.map(({ title }) => title)).size).toBe(30);
    for (const { change, noticed } of WAYS) {
      expect(Object.keys(change)).toHaveLength(1);
      expect(Object.keys(noticed)).not.toEqual([]);
    }
  });

  it('name findings that exist', () => {
    const named = WAYS.flatMap(({ noticed: { check = [], live = [] } }) => [...check, ...live]);
    expect(named.filter((name) => !(FINDING_NAMES as readonly string[]).includes(name))).toEqual(
      [],
    );
  });
});
