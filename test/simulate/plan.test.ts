// Figures that are made from a policy: every condition of a policy is wrong when it should be, and
// none is while the service is healthy.
import { describe, expect, it } from 'vitest';
import { readPolicy } from '../../src/config/to-policy.ts';
import { readYaml } from '../../src/config/yaml-file.ts';
import type { Policy } from '../../src/core/policy.ts';
import { isSeries, resolveIndicator } from '../../src/core/read.ts';
import { readingOf } from '../../src/simulate/figures.ts';
import { planOf } from '../../src/simulate/plan.ts';
import { readScene, valuesOf } from '../../src/simulate/scene.ts';

const SHOP = 'test/simulate/shop.yaml';

type Raw = Readonly<Record<string, unknown>>;

function policyOf(indicators: Raw, stop: Raw, more: Raw = {}): Policy {
  const windows = [{ name: 'first', until: '10m', stop, ...more }];
  const raw = { service: 'shop', source: 'shop', indicators, windows };
  const read = readPolicy(raw, 'shop');
  if (read.kind === 'problems') throw new Error(JSON.stringify(read.problems));
  return read.policy;
}

const VALUES = {
  service: 'shop',
  version: '2.1.0',
  previous_version: '2.0.0',
  environment: 'test',
};
const planned = (policy: Policy, fault: string) =>
  planOf(policy, {}, VALUES, policy.conditions.find(({ id }) => id === fault) ?? null);

describe('figures made from a policy', () => {
  const shop = readPolicy((readYaml(SHOP) as { value: unknown }).value, 'shop');
  const policy = (shop as { policy: Policy }).policy;
  const stops = policy.conditions.filter(({ role }) => role === 'stop' || role === 'warn');

  it.each(stops.map(({ id }) => [id]))('%s: is fine, and then is not', (id) => {
    const plan = planned(policy, id);
    if (plan.kind !== 'plan') throw new Error(plan.why);
    const condition = policy.conditions.find((one) => one.id === id);
    const indicator = policy.indicators[condition?.indicator ?? ''];
    if (indicator === undefined) throw new Error(`no indicator of ${id}`);
    const resolved = resolveIndicator(indicator, policy, VALUES);
    const isOther = !isSeries(resolved) || resolved.kind === 'promql';
    const [good, bad] = isOther
      ? [plan.failing.healthy.has(resolved.id), plan.failing.faulty.has(resolved.id)]
      : [readingOf(resolved, plan.healthy), readingOf(resolved, plan.faulty)];
    expect(good).not.toBe(bad);
    // In both states the same series: a running process does not change them.
    const names = (of: typeof plan.healthy) =>
      [...of.counters, ...of.gauges, ...of.histograms].map(({ metric, labels }) => [
        metric,
        labels,
      ]);
    expect(names(plan.faulty)).toEqual(names(plan.healthy));
    const bounds = (of: typeof plan.healthy) =>
      of.histograms.map(({ buckets }) => buckets.map(({ bound }) => bound));
    expect(bounds(plan.faulty)).toEqual(bounds(plan.healthy));
  });

  it('have the labels that selectors and `match` mean', () => {
    const plan = planned(policy, 'first.stop.error_ratio');
    if (plan.kind !== 'plan') throw new Error(plan.why);
    const requests = plan.healthy.counters.filter(({ metric }) => metric === 'http_requests_total');
    expect(requests.map(({ labels }) => labels)).toEqual([
      { job: 'shop', status: '500', version: '2.1.0' },
      { job: 'shop', status: '400', version: '2.1.0' },
      { job: 'shop', status: '200', version: '2.1.0' },
    ]);
    expect(plan.healthy.histograms[0]?.labels).toEqual({ route: '200', version: '2.1.0' });
  });

  it('move a baseline limit by what the service really shows', () => {
    const plan = planned(policy, 'first.stop.traffic');
    if (plan.kind !== 'plan') throw new Error(plan.why);
    const total = (of: typeof plan.healthy) =>
      of.counters
        .filter(({ metric }) => metric === 'http_requests_total')
        .reduce((sum, { perSecond }) => sum + perSecond, 0);
    expect(total(plan.faulty) / total(plan.healthy)).toBeLessThan(0.5);
  });

  it('have what a ratio of two metrics needs, also where one is the total of another', () => {
    const funnel = policyOf(
      {
        filled: { ratio: { good: 'filled_total', total: 'orders_total' } },
        settled: { ratio: { good: 'settled_total', total: 'filled_total' } },
      },
      { filled: { below: '80%' }, settled: { below: '99%' } },
    );
    const plan = planned(funnel, 'first.stop.settled');
    if (plan.kind !== 'plan') throw new Error(plan.why);
    const rate = (metric: string) =>
      plan.healthy.counters.find((one) => one.metric === metric)?.perSecond ?? 0;
    expect(rate('filled_total') / rate('orders_total')).toBeCloseTo(0.96);
    expect(rate('settled_total') / rate('filled_total')).toBeGreaterThan(0.99);
  });

  it('give one gauge a value that a loss and a profit both like', () => {
    const money = policyOf(
      {
        loss: { gauge: { metric: 'pnl_usd', negate: true } },
        profit: { gauge: { metric: 'pnl_usd' } },
      },
      { loss: { above: 500 } },
      { pass: { profit: { within: 200 } }, for: '1m' },
    );
    const plan = planned(money, 'first.stop.loss');
    if (plan.kind !== 'plan') throw new Error(plan.why);
    expect(Math.abs(plan.healthy.gauges[0]?.value ?? 999)).toBeLessThanOrEqual(200);
    expect(plan.faulty.gauges[0]?.value).toBe(-750);
  });

  it('refuse indicators that want one series in two ways', () => {
    const torn = policyOf(
      { low: { gauge: { metric: 'depth' } }, high: { gauge: { metric: 'depth' } } },
      { low: { above: 10 }, high: { below: 20 } },
    );
    const plan = planned(torn, 'first.stop.low');
    expect(plan).toEqual({
      kind: 'refused',
      why: expect.stringContaining('it shares series with others'),
    });
  });
});

describe('a scene', () => {
  it('invents parameters within their bounds, and says which', async () => {
    const read = await readScene('config/policies/aurora.yaml', { deploy_capital: 5_000 });
    if (read.kind === 'refused') throw new Error(read.text);
    expect(read.scene.parameters).toEqual({ deploy_capital: 5_000, expected_positions: 10 });
    expect(read.scene.invented).toEqual(['expected_positions=10']);
    expect(read.scene.isAurora).toBe(true);
    expect(valuesOf(read.scene, '9.9.9')).toMatchObject({ version: '9.9.9' });
  });

  it('refuses a parameter out of its bounds, and a file that is no policy', async () => {
    const wrong = await readScene('config/policies/aurora.yaml', { deploy_capital: -1 });
    expect(wrong).toMatchObject({ kind: 'refused', text: expect.stringContaining('above 0') });
    expect(await readScene('config/canaryd.yaml', {})).toMatchObject({ kind: 'refused' });
    expect(await readScene('no/such/file.yaml', {})).toMatchObject({ kind: 'refused' });
  });
});
