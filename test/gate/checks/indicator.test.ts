import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { GateSource } from '../../../src/gate/kinds.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import { type CheckSetup, carriedOut, made, problemsOf } from '../../support/gate-check.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../../support/prometheus.ts';

const prometheusAt = (url: string): Readonly<Record<string, GateSource>> => ({
  prometheus: { kind: 'prometheus', options: { url, timeoutMs: 5_000, clock: systemClock } },
});
const scraping = (target: string): Readonly<Record<string, GateSource>> => ({
  app: {
    kind: 'scrape',
    options: { targets: [target], headers: {}, timeoutMs: 1_000, clock: systemClock },
  },
});
const nowhere = prometheusAt('http://127.0.0.1:1');

/** A service whose counters grow with each look. */
async function counting(): Promise<string> {
  let looks = 0;
  const server = createServer((_, response) => {
    looks += 1;
    response.end(
      `orders_total ${looks * 100}\norders_filled_total ${looks * 97}\nopen_positions 42\n`,
    );
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
}

const ratio = { good: 'orders_filled_total', total: 'orders_total' };

describe.skipIf(!hasPrometheus())('the check indicator, on a real Prometheus', () => {
  let server: PrometheusServer;

  beforeAll(async () => {
    const times = Array.from({ length: 121 }, (_, index) => index);
    const nowMs = Date.now();
    const series = (metric: string, perStep: number, labels: Record<string, string> = {}) => ({
      metric,
      labels,
      points: times.map((step) => [nowMs - (120 - step) * 5_000, step * perStep] as const),
    });
    const gauge = (metric: string, value: number, labels: Record<string, string> = {}) => ({
      metric,
      labels,
      points: times.map((step) => [nowMs - (120 - step) * 5_000, value] as const),
    });
    const at = (instance: string) => ({ job: 'app', instance });
    /** It is not there before its first events, of which there are three. */
    const born = (metric: string, step: number, labels: Record<string, string>) => ({
      ...{ metric, labels },
      points: gauge(metric, 3, labels).points.slice(step),
    });
    server = await startPrometheus({
      history: [
        series('orders_total', 10, { version: 'v2.1.0' }),
        series('orders_filled_total', 9.6, { version: 'v2.1.0' }),
        series('request_duration_seconds_bucket', 96, { le: '0.1' }),
        series('request_duration_seconds_bucket', 100, { le: '0.2' }),
        series('request_duration_seconds_bucket', 100, { le: '+Inf' }),
        gauge('realized_loss_usd', 40),
        gauge('sharpe_ratio', 1.4),
        gauge('memory_bytes', 300e6, { pod: 'a' }),
        gauge('memory_bytes', 700e6, { pod: 'b' }),
        born('errors_total', 90, { ...at('seen'), level: 'critical' }),
        gauge('up', 1, at('seen')),
        born('breaches_total', 90, at('unseen')),
        gauge('up', 0, at('unseen')),
        born('labelled_total', 90, { ...at('labelled'), level: 'critical' }),
        series('labelled_total', 1, { ...at('labelled'), level: 'warning' }),
      ],
    });
  });
  afterAll(() => server?.stop());

  const check = (more: object, setup: CheckSetup = {}) =>
    carriedOut(
      { indicator: { source: 'prometheus', stale_after: '5m', ...more } },
      { sources: prometheusAt(server.url), ...setup },
    );

  it.each([
    [{ ratio, above: '95%' }, 'pass', '96 % (of '],
    [{ ratio, above: '97%', title: 'Fill rate' }, 'fail', 'Fill rate 96 % (of '],
    [
      {
        quantile: { q: 0.95, histogram: 'request_duration_seconds' },
        ...{ over: '5m', below: '200ms' },
      },
      'pass',
      '99 ms',
    ],
    [{ rate: { counter: 'orders_total' }, at_least: 3 }, 'fail', 'at least 3 wanted'],
    [{ gauge: { metric: 'memory_bytes', aggregate: 'sum' }, above: '1GB' }, 'fail', '1 GB, above'],
    [{ gauge: { metric: 'realized_loss_usd' }, above: '0.5%', of: 'capital' }, 'fail', '40 USD'],
    [{ gauge: { metric: 'realized_loss_usd' }, below: '0.5%', of: 'capital' }, 'pass', '40 USD'],
    [{ promql: 'max(sharpe_ratio)', unit: 'number', above: 1.3 }, 'pass', '1.4, above 1.3 wanted'],
    [{ promql: 'sum(increase(orders_total[${range}]))', over: '1m', above: 1e6 }, 'fail', 'above'],
    [{ ratio, above: '95%', match: { version: '${version}' } }, 'pass', '96 %'],
  ])('judges %o: %s', async (more, outcome, text) => {
    const result = await check(more, { values: { capital: '10000' } });
    expect([result.outcome, result.text]).toEqual([outcome, expect.stringContaining(text)]);
    expect(String(result.exhibits[0]?.body)).toContain('"reading"');
  });

  it.each([
    [{ gauge: { metric: 'nobody' }, above: 1 }, 'no_series'],
    [{ gauge: { metric: 'memory_bytes' }, above: '1GB' }, 'many_series'],
    [{ ratio, min_total: 1_000_000, above: '95%' }, 'too_few'],
    [{ ratio, above: '95%', match: { version: 'v9' } }, 'no_series'],
    [{ promql: 'sum(', above: 1 }, 'rejected'],
    [{ increase: { counter: 'orders_total' }, above: 1 }, 'too_early'],
    [{ gauge: { metric: 'realized_loss_usd' }, above: '1%', of: 'nobody' }, '--param nobody='],
  ])('is unknown for %o: %s', async (more, reason) => {
    const result = await check(more);
    expect([result.outcome, result.text]).toEqual(['unknown', expect.stringContaining(reason)]);
  });

  it.each([
    ['its target was up before', 'errors_total{level="critical"}'],
    ['another series of its name was there before', 'labelled_total{level="critical"}'],
  ])('a counter that is born with its first events counts them: %s', async (_, counter) => {
    const result = await check({ increase: { counter }, over: '9m', at_most: 0 });
    expect([result.outcome, result.text]).toEqual(['fail', expect.stringContaining(' 3, at most')]);
  });

  it.each([
    ['a counter that nobody looked for before', 'breaches_total', '9m', 'target was not seen'],
    ['a range of which a part is known', 'orders_total', '1h', 'of the 1h, at least 80 % wanted'],
    ['a birth in a range that is nearly known', 'breaches_total', '3m', 'target was not seen'],
  ])('is unknown for %s', async (_, counter, over, text) => {
    const result = await check({ increase: { counter }, over, at_most: 0 });
    expect([result.outcome, result.text]).toEqual(['unknown', expect.stringContaining(text)]);
  });

  it.each([
    ['avg(avg_over_time(up{instance="seen"}[${range}]))', '9m', 'pass', 'at least 1 wanted'],
    ['avg(avg_over_time(up{instance="seen"}[${range}]))', '7d', 'unknown', 'of the 7d, at least'],
    ['max(increase({__name__="orders_total"} [${range}]))', '1h', 'unknown', 'of the 1h, at least'],
    ['min(sharpe_ratio)', '7d', 'pass', 'at least 1 wanted'],
  ])('%s over %s: %s', async (promql, over, outcome, text) => {
    const unit = 'number';
    const more = promql.includes('range') ? { over } : {};
    const result = await check({ promql, unit, ...more, at_least: 1 });
    expect([result.outcome, result.text]).toEqual([outcome, expect.stringContaining(text)]);
  });

  it('reads an indicator out of the file of a policy', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'canaryd-indicator-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const stop = { fill_rate: { below: '80%' }, health: { failing: 3 }, trail: { above: '1%' } };
    const policy = {
      ...{ service: 'aurora', source: 'prometheus' },
      indicators: {
        fill_rate: { ratio },
        health: { http: { url: 'http://127.0.0.1:1' } },
        trail: { audit_log: { report: '/l', bad: 'untraced', trace: { id: 'a' }, time: 't' } },
      },
      windows: [{ name: 'now', until: '5m', stop }],
    };
    writeFileSync(join(folder, 'aurora.yaml'), JSON.stringify(policy));
    const of = (name: string, more: object = { above: '95%' }) =>
      check({ policy: 'aurora.yaml', name, ...more }, { folder });
    expect(await of('fill_rate')).toMatchObject({
      outcome: 'pass',
      text: expect.stringMatching(/^Fill rate 96 % \(of .*above 95% wanted$/),
    });
    expect(await of('fill_rate', { above: '97%' })).toMatchObject({ outcome: 'fail' });
    expect((await of('fill_rate', { above: '2s' })).text).toContain('found 2s; wanted a share');
    expect((await of('fil_rate')).text).toContain('has no indicator fil_rate; it has fill_rate');
    expect((await of('health')).text).toContain('write it as a check of kind http');
    expect((await of('trail')).text).toContain('write it as a check of kind audit_log');
    const missing = await check({ policy: 'b.yaml', name: 'a', above: 1 }, { folder });
    expect(missing.outcome).toBe('unknown');
  });
});

describe('the check indicator, on the service itself', () => {
  it('reads a gauge at once', async () => {
    const sources = scraping(await counting());
    const gauge = { metric: 'open_positions' };
    const indicator = { source: 'app', gauge, below: '120%', of: 'expected_positions' };
    const result = await carriedOut(
      { indicator },
      { sources, values: { expected_positions: '40' } },
    );
    expect(result).toMatchObject({ outcome: 'pass' });
    expect(result.text).toContain('42, below 120% of expected_positions wanted');
  });

  it('waits for a range to pass, and counts what came in it', async () => {
    const sources = scraping(await counting());
    const indicator = { source: 'app', ratio, over: '1s', above: '95%' };
    const result = await carriedOut({ indicator }, { sources });
    expect(result).toMatchObject({ outcome: 'pass' });
    expect(result.text).toMatch(/97 % \(of [1-9]\d*00\)/);
  });

  it('is unknown when the range does not fit into its time', async () => {
    const sources = scraping(await counting());
    const indicator = { source: 'app', ratio, over: '5m', above: '95%' };
    const result = await carriedOut({ indicator }, { sources, timeoutMs: 5_000 });
    expect(result).toMatchObject({ outcome: 'unknown' });
    expect(result.text).toContain('a range of 5m is waited for');
    expect(made({ indicator }, { sources }).timeoutMs).toBeGreaterThan(330_000);
  });

  it('is unknown when the service does not answer', async () => {
    const sources = scraping('http://127.0.0.1:1/metrics');
    const indicator = { source: 'app', gauge: { metric: 'a' }, above: 1 };
    const result = await carriedOut({ indicator }, { sources });
    expect(result).toMatchObject({ outcome: 'unknown' });
    expect(result.text).toContain('unreachable: 127.0.0.1:1: connection refused');
  });
});

describe('the check indicator as it is written', () => {
  const source = 'prometheus';

  it('is unknown when Prometheus is not reachable', async () => {
    const indicator = { source, promql: 'up', above: 0 };
    const result = await carriedOut({ indicator }, { sources: nowhere });
    expect(result).toMatchObject({ outcome: 'unknown' });
    expect(result.text).toContain('unreachable: connection refused');
  });

  it('says in a sentence what is wanted', () => {
    const titled = { source, title: 'Fill rate', ratio, above: '95%' };
    expect(made({ indicator: titled }, { sources: nowhere }).wants).toBe(
      'prometheus: Fill rate (sum(increase(orders_filled_total[1m])) / ' +
        'sum(increase(orders_total[1m]))) above 95%',
    );
    const bare = { source, promql: 'max(sharpe)', above: 1.3 };
    expect(made({ indicator: bare }, { sources: nowhere }).wants).toBe(
      'prometheus: max(sharpe) above 1.3',
    );
  });

  it.each([
    [{ source }, 'found none of them; wanted exactly one of policy, ratio, quantile'],
    [{ source, promql: 'a' }, 'found none of them; wanted exactly one of above, below'],
    [{ source, promql: 'a', above: 1, below: 2 }, 'found above and below; wanted exactly one'],
    [{ source, policy: 'a', above: 1 }, 'found one of policy and name; wanted both or none'],
    [{ source, http: { url: 'http://a' }, above: 1 }, 'a field that does not exist here'],
    [{ source, audit_log: { report: 'a' }, above: 1 }, 'a field that does not exist here'],
  ])('refuses %o', (indicator, problem) => {
    expect(problemsOf({ indicator }).join('\n')).toContain(problem);
  });

  it.each([
    [{ promql: 'sum(rate(a[$__interval]))', above: 1 }, 'promql: found $__interval'],
    [{ ratio, above: '2s' }, 'above: found "2s"; wanted a share such as 80%'],
    [{ ratio, above: 80 }, 'above: found 80; wanted a share such as 80% or 0.8; write 80%'],
    [{ gauge: { metric: 'a' }, min_total: 3, above: 1 }, 'min_total: found min_total on an'],
    [{ gauge: { metric: 'a' }, above: '1%', of: 'baseline' }, 'of: '],
  ])('finds the mistakes that a policy would have: %o', (more, problem) => {
    const indicator = { source, ...more };
    expect(() => made({ indicator }, { sources: nowhere })).toThrow(problem);
  });
});
