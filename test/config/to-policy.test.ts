import { describe, expect, test } from 'vitest';
import { checkParameters } from '../../src/config/parameters.ts';
import { policyNameOf, readPolicy } from '../../src/config/to-policy.ts';
import type { Policy } from '../../src/core/policy.ts';
import { changed } from './sample-policy.ts';

type Change = readonly [path: string, value: unknown];

function policyOf(...changes: readonly Change[]): Policy {
  const result = readPolicy(changed(...changes), 'shop-policy');
  if (result.kind === 'problems') throw new Error(JSON.stringify(result.problems));
  return result.policy;
}

/** A policy that also measures `extra`, in a stop condition. */
function withExtra(indicator: unknown, limit: unknown = { above: 1 }): Policy {
  return policyOf(['indicators.extra', indicator], ['windows.0.stop.extra', limit]);
}

describe('a policy', () => {
  test('is completed with every default', () => {
    expect(policyOf()).toMatchObject({
      name: 'shop-policy',
      environment: null,
      mode: 'act',
      intervalMs: 5_000,
      match: {},
      blindAfterMs: 120_000,
      armWithinMs: 120_000,
      staleAfterMs: 60_000,
      coverage: 0.5,
      worseBy: 0.2,
      runbook: null,
      dashboard: null,
    });
  });

  test('requires no GO and no signature, unless it says so', () => {
    expect(Object.keys(policyOf())).not.toContain('requires');
    expect(Object.keys(policyOf())).not.toContain('signOffs');
    const policy = policyOf(
      ['requires', { gate: 'shop-gate' }],
      ['sign_offs', { after: '15m', needed: { qa_lead: 'Audit trail validated' } }],
    );
    expect(policy).toMatchObject({
      requires: { gate: 'shop-gate', freshMs: 86_400_000, otherwise: 'refuse' },
      signOffs: {
        afterMs: 900_000,
        needed: [{ role: 'qa_lead', statement: 'Audit trail validated' }],
      },
    });
  });

  test('takes its name from the file unless it has one', () => {
    expect(policyNameOf('/etc/canaryd/policies/aurora.yaml')).toBe('aurora');
    expect(policyOf(['name', 'mine']).name).toBe('mine');
  });

  test('has windows that start where the one before ended', () => {
    expect(policyOf().windows).toEqual([
      { name: 'immediate', fromMs: 0, untilMs: 900_000, passForMs: 0 },
      { name: 'success', fromMs: 900_000, untilMs: 86_400_000, passForMs: 300_000 },
    ]);
  });

  test('holds its always conditions from the deploy to the end', () => {
    const policy = policyOf(['always', { stop: { memory: { above: '2GB', for: '1m' } } }]);
    expect(policy.windows.at(-1)).toEqual({
      name: 'always',
      fromMs: 0,
      untilMs: 86_400_000,
      passForMs: 0,
    });
    expect(policy.conditions).toContainEqual({
      id: 'always.stop.memory',
      indicator: 'memory',
      window: 'always',
      role: 'stop',
      limit: { kind: 'compare', comparator: 'above', value: 2e9, of: null },
      forMs: 60_000,
      onBlind: 'hold',
    });
  });

  test('names conditions by window, role and indicator', () => {
    const policy = policyOf();
    expect(policy.conditions.map(({ id }) => id)).toEqual([
      'immediate.stop.fill_rate',
      'immediate.stop.latency',
      'immediate.stop.loss',
      'immediate.stop.health',
      'success.warn.memory',
      'success.warn.fill_rate',
      'success.pass.fill_rate',
      'success.pass.orders',
    ]);
    expect(policy.verify?.conditions.map(({ id }) => id)).toEqual(['verify.verify.health']);
  });

  test('stops on blindness only where it says so', () => {
    const policy = policyOf(['windows.0.stop.latency.blind', 'stop']);
    const stopping = policy.conditions.filter(({ onBlind }) => onBlind === 'stop');
    expect(stopping.map(({ id }) => id)).toEqual(['immediate.stop.latency']);
  });

  test('keeps secrets as names', () => {
    const headers = { 'x-team': 'shop', authorization: '$SECRET_C' };
    expect(policyOf(['on_stop.0.disarm.webhook.headers', headers]).actions).toEqual([
      {
        name: 'disarm',
        via: {
          kind: 'webhook',
          url: 'http://127.0.0.1:1/disarm',
          secret: { secret: 'SECRET_A' },
          headers: { 'x-team': 'shop', authorization: { secret: 'SECRET_C' } },
        },
        timeoutMs: 5_000,
        attempts: 50,
        deadlineMs: 180_000,
      },
      {
        name: 'rollback',
        via: {
          kind: 'command',
          argv: ['/bin/rollback', '${previous_version}'],
          env: { TOKEN: { secret: 'SECRET_B' } },
        },
        timeoutMs: 30_000,
        attempts: 3,
        deadlineMs: 180_000,
      },
    ]);
  });
});

describe('an indicator', () => {
  test('of kind ratio counts good or bad events over one minute, from 20 events on', () => {
    const bad = { ratio: { bad: 'requests_total{code=~"5.."}', total: 'requests_total' } };
    expect(withExtra(bad, { above: '1%' }).indicators['extra']).toEqual({
      id: 'extra',
      title: 'Extra',
      unit: 'ratio',
      kind: 'ratio',
      part: 'bad',
      numerator: {
        metric: 'requests_total',
        matchers: [{ label: 'code', op: '=~', value: '5..' }],
      },
      total: { metric: 'requests_total', matchers: [] },
      overMs: 60_000,
      minTotal: 20,
      early: 'shorten',
    });
  });

  test.each([
    [0.5, 10],
    [0.9, 50],
    [0.95, 100],
    [0.99, 500],
    [0.995, 1_000],
    [0.999, 5_000],
  ])('of kind quantile, q %d, is judged from %d observations on', (q, minTotal) => {
    const took = { quantile: { q, histogram: 'took_seconds' } };
    expect(withExtra(took, { above: '1s' }).indicators['extra']).toMatchObject({ minTotal });
    const own = withExtra({ ...took, min_total: 7 }, { above: '1s' });
    expect(own.indicators['extra']).toMatchObject({ minTotal: 7 });
  });

  test('of kind increase counts since the deploy unless it has a range', () => {
    const increase = { counter: 'errors_total' };
    expect(withExtra({ increase }).indicators['extra']).toMatchObject({ overMs: null });
    expect(withExtra({ increase, over: '5m' }).indicators['extra']).toMatchObject({
      overMs: 300_000,
    });
  });

  test('of kind gauge means one series, unless an aggregate is named', () => {
    expect(withExtra({ gauge: { metric: 'x' } }).indicators['extra']).toMatchObject({
      aggregate: 'one',
      negate: false,
    });
  });

  test('of kind http takes a path or a pointer, one status or several', () => {
    const json = { path: 'build.version', equals: 7 };
    const http = { url: 'http://host/v', status: 204, json };
    expect(withExtra({ http }, { failing: 2 }).indicators['extra']).toMatchObject({
      status: [204],
      json: { pointer: '/build/version', equals: '7' },
      timeoutMs: 2_000,
      headers: {},
    });
  });

  test.each([
    ['max_over_time(x[5m])', null, 300_000],
    ['max_over_time(x[1h:1m])', null, 3_600_000],
    ['max_over_time(rate(x[5m])[1h:1m])', null, 3_900_000],
    ['x offset 10m', null, 600_000],
    ['rate(x[5m] offset 1h)', null, 3_900_000],
    ['rate(x[300])', null, 300_000],
    ['x{note="[7d]"} # [9d]', null, 0],
    ['rate(x[${range}])', 60_000, 0],
    ['rate(x[${range}]) / rate(y[2m])', 60_000, 120_000],
  ])('of kind promql waits for its longest fixed range: %s', (promql, overMs, waitMs) => {
    const policy = policyOf(
      ['indicators.extra', { promql }],
      ['windows.1.warn.extra', { above: 1 }],
    );
    expect(policy.indicators['extra']).toMatchObject({ overMs, waitMs });
  });

  test.each([
    [{ quantile: { q: 0.5, histogram: 'latency_seconds' } }, 'seconds'],
    [{ quantile: { q: 0.5, histogram: 'size_bytes' } }, 'bytes'],
    [{ gauge: { metric: 'pnl_usd' } }, 'USD'],
    [{ gauge: { metric: 'disk_used_ratio' } }, 'ratio'],
    [{ gauge: { metric: 'score' } }, 'number'],
    [{ gauge: { metric: 'score' }, unit: 'ratio' }, 'ratio'],
    [{ rate: { counter: 'cpu_seconds_total' } }, 'number'],
    [{ increase: { counter: 'sent_bytes_total' } }, 'bytes'],
    [{ promql: '-min(pnl_usd{a="b_bytes"})' }, 'USD'],
    [{ promql: 'max by (x_seconds) (heap_bytes)' }, 'bytes'],
    [{ promql: 'a_seconds / b_seconds' }, 'number'],
    [{ promql: 'rate(a_seconds[5m])' }, 'number'],
  ])('has a unit from what it measures: %j', (indicator, unit) => {
    const above = { seconds: '2s', bytes: '1GB' }[unit] ?? 0.5;
    expect(withExtra(indicator, { above }).indicators['extra']?.unit).toBe(unit);
  });
});

describe('a limit', () => {
  const limitOf = (indicator: unknown, limit: unknown) =>
    withExtra(indicator, limit).conditions.find(({ indicator: id }) => id === 'extra')?.limit;
  const RATIO = { ratio: { bad: 'bad_total', total: 'all_total' } };

  test.each([
    [RATIO, '1%', 0.01],
    [RATIO, '0.01', 0.01],
    [RATIO, 0.01, 0.01],
    [{ gauge: { metric: 'x_seconds' } }, '500ms', 0.5],
    [{ gauge: { metric: 'x_seconds' } }, 0, 0],
    [{ gauge: { metric: 'x_bytes' } }, '1GB', 1e9],
    [{ gauge: { metric: 'x_bytes' } }, '1GiB', 2 ** 30],
    [{ rate: { counter: 'cpu_total' }, unit: 'ratio' }, '250%', 2.5],
  ])('is read in the base unit of its indicator: %j above %s', (indicator, above, value) => {
    expect(limitOf(indicator, { above })).toEqual({
      kind: 'compare',
      comparator: 'above',
      value,
      of: null,
    });
  });

  test('with "of" is a share of a parameter or of the baseline', () => {
    const gauge = { gauge: { metric: 'x_usd' } };
    expect(limitOf(gauge, { within: '0.2%', of: 'capital' })).toEqual({
      kind: 'compare',
      comparator: 'within',
      value: 0.002,
      of: 'capital',
    });
    expect(limitOf(gauge, { below: 0.95, of: 'baseline' })).toMatchObject({
      value: 0.95,
      of: 'baseline',
    });
  });
});

describe('the parameters of a deploy', () => {
  const policy = policyOf();

  test('are returned with defaults filled in, numbers also from text', () => {
    expect(checkParameters(policy, { capital: '100000' })).toEqual({
      kind: 'values',
      values: { capital: 100_000, channel: 'web' },
    });
  });

  test.each([
    [{}, 'parameters.capital', 'found nothing; wanted a number above 0 (USD); give it with'],
    [{ capital: 0 }, 'parameters.capital', 'found 0; wanted a number above 0 (USD)'],
    [{ capital: 'much' }, 'parameters.capital', 'found "much"; wanted a number above 0'],
    [{ capital: true }, 'parameters.capital', 'found true; wanted a number above 0'],
    [{ capital: Number.NaN }, 'parameters.capital', 'found NaN; wanted a number above 0'],
    [{ capital: 1, channel: 'a\nb' }, 'parameters.channel', 'wanted a text of 1 to 200'],
    [{ capital: 1, capitol: 1 }, 'parameters.capitol', 'did you mean capital?'],
  ])('are refused with a reason: %j', (given, path, fragment) => {
    expect(checkParameters(policy, given)).toEqual({
      kind: 'problems',
      problems: [{ path, message: expect.stringContaining(fragment) }],
    });
  });

  test('may lie at at_least, but not below it', () => {
    const bounded = policyOf(['parameters.capital', { type: 'number', at_least: 5 }]);
    expect(checkParameters(bounded, { capital: 5 })).toMatchObject({ values: { capital: 5 } });
    expect(checkParameters(bounded, { capital: 4.9 })).toMatchObject({
      problems: [{ path: 'parameters.capital' }],
    });
  });

  test('are refused all at once', () => {
    expect(checkParameters(policy, { a: 1, channel: '' })).toMatchObject({
      problems: [
        { path: 'parameters.capital' },
        { path: 'parameters.channel' },
        { path: 'parameters.a' },
      ],
    });
  });
});
