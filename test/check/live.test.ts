// What `check --live` finds on a real Prometheus, and what it does not find in what is right.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FindingName } from '../../src/config/finding-names.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';
import { clockAtT, HISTORY, liveOf, policyOn, T } from './live-world.ts';

const needs = '(needs the `prometheus` and `promtool` binaries)';

type Case = readonly [
  name: FindingName,
  title: string,
  wrong: readonly [indicator: object, limit: object, more?: object],
  says: string,
  near: readonly [indicator: object, limit: object, more?: object],
];

const fills = { ratio: { good: 'orders_filled_total', total: 'orders_submitted_total' } };
const latency = (metric = 'request_seconds') => ({
  quantile: { q: 0.99, histogram: metric },
  over: '5m',
});
const gauge = (metric: string, more: object = { aggregate: 'max' }) => ({
  gauge: { metric, ...more },
});
const errors = (bad: string) => ({ ratio: { bad, total: 'http_requests_total' } });

const CASES: readonly Case[] = [
  [
    'unknown-metric',
    'a misspelt counter',
    [{ ratio: { good: 'orders_filed_total', total: 'orders_submitted_total' } }, { below: '80%' }],
    'the metric orders_filed_total, which is not there; wanted orders_filled_total?',
    [fills, { below: '80%' }],
  ],
  [
    'unknown-metric',
    'a forgotten prefix',
    [gauge('resident_memory_bytes'), { above: '1GB' }],
    'process_resident_memory_bytes',
    [gauge('process_resident_memory_bytes'), { above: '1GB' }],
  ],
  [
    'unknown-metric',
    'a histogram of another name',
    [{ ...latency('request_second'), unit: 'seconds' }, { above: '1s' }],
    'the histogram request_second, which is not there; wanted request_seconds?',
    [latency(), { above: '1s' }],
  ],
  [
    'unknown-metric',
    'hidden in PromQL',
    [{ promql: 'max(queue_len) or vector(0)' }, { above: 100 }],
    'the metric queue_len, which is not there; wanted queue_length?',
    [{ promql: 'max(queue_length) or vector(0)' }, { above: 100 }],
  ],
  [
    'no-matching-series',
    'a label that does not exist',
    [gauge('queue_length{que="orders"}'), { above: 100 }],
    'the label que, which no series of queue_length has; wanted one of job, queue',
    [gauge('queue_length{queue="orders"}'), { above: 100 }],
  ],
  [
    'no-matching-series',
    'a value that does not exist',
    [gauge('queue_length{queue="order"}'), { above: 100 }],
    'queue="order", which no series of queue_length has; wanted a value that exists, such as orders, mails',
    [gauge('queue_length{queue=~"order."}'), { above: 100 }],
  ],
  [
    'part-not-seen',
    'a status that has not happened',
    [errors('http_requests_total{status=~"5.."}'), { above: '5%' }],
    'such as 200, 404',
    [errors('http_requests_total{status=~"4.."}'), { above: '5%' }],
  ],
  [
    'several-series',
    'two queues',
    [gauge('queue_length', {}), { above: 100 }],
    '2 series',
    [gauge('queue_length', { aggregate: 'sum' }), { above: 100 }],
  ],
  [
    'several-series',
    'two queues in PromQL',
    [{ promql: 'queue_length' }, { above: 100 }],
    '2 series',
    [{ promql: 'sum(queue_length)' }, { above: 100 }],
  ],
  [
    'query-rejected',
    'broken PromQL',
    [{ promql: 'sum(queue_length' }, { above: 100 }],
    'bad_data',
    [{ promql: 'sum(queue_length)' }, { above: 100 }],
  ],
  [
    'gauge-as-counter',
    'what rises and falls',
    [{ rate: { counter: 'workers_busy' } }, { above: 100 }],
    'which falls at',
    [{ rate: { counter: 'orders_submitted_total' } }, { above: 100 }],
  ],
  [
    'no-bucket-at-limit',
    'between two edges',
    [latency(), { above: '2s' }],
    'such as 1 s or 2.5 s',
    [latency(), { above: '1s' }],
  ],
  [
    'limit-beyond-buckets',
    'above the largest edge',
    [latency(), { above: '5s' }],
    'the largest bucket ends at 2.5 s',
    [latency(), { at_least: '2.5s' }],
  ],
  [
    'limit-beyond-buckets',
    'at the largest edge',
    [latency(), { above: '2.5s' }],
    'no quantile is beyond it',
    [latency(), { above: '1s' }],
  ],
  [
    'range-under-four-scrapes',
    'three samples',
    [{ rate: { counter: 'rare_total' }, over: '3m' }, { above: 100 }],
    'a range of 3m, and a sample every 1m',
    [{ rate: { counter: 'rare_total' }, over: '4m' }, { above: 100 }],
  ],
  [
    'range-under-four-scrapes',
    'three samples in PromQL',
    [{ promql: 'sum(rate(rare_total[3m]))' }, { above: 100 }],
    'a range of 3m',
    [{ promql: 'sum(rate(rare_total[5m]))' }, { above: 100 }],
  ],
  [
    'range-under-four-scrapes',
    'of a series that is older than the one that is right',
    [{ promql: 'sum(rate(rare_total[2m]))' }, { above: 100 }],
    'a sample every 1m',
    [{ promql: 'sum(rate(young_total[1m]))' }, { above: 100 }],
  ],
  [
    'part-not-seen',
    'a counter that begins with the first failure',
    [{ ratio: { bad: 'orders_failed_total', total: 'orders_submitted_total' } }, { above: '5%' }],
    'the metric orders_failed_total, which is not there; wanted it with the first such event',
    [{ ratio: { bad: 'orders_fillled_total', total: 'orders_submitted_total' } }, { above: '5%' }],
  ],
  [
    'part-not-seen',
    'a part in PromQL',
    [
      { promql: '(sum(rate(orders_failed_total[1m])) or vector(0)) + max(queue_length)' },
      { above: 100 },
    ],
    'the metric orders_failed_total, which is not there',
    [{ promql: '(sum(rate(orders_filled_total[1m])) or vector(0))' }, { above: 100 }],
  ],
  [
    'no-matching-series',
    'a label of the whole policy',
    [gauge('queue_length{queue="orders"}'), { above: 100 }, { match: { job: 'shops' } }],
    'job="shops" of match, which no series of queue_length has',
    [gauge('queue_length{queue="orders"}'), { above: 100 }, { match: { job: 'shop' } }],
  ],
  [
    'stale-before-scrape',
    'one lost sample',
    [{ rate: { counter: 'rare_total' }, over: '5m' }, { above: 100 }],
    'stale_after 1m, and a sample every 1m',
    [{ rate: { counter: 'rare_total' }, over: '5m' }, { above: 100 }, { stale_after: '3m' }],
  ],
  [
    'would-stop-now',
    'a limit too low',
    [gauge('process_resident_memory_bytes'), { above: '300MB' }],
    'it at 400 MB',
    [gauge('process_resident_memory_bytes'), { above: '500MB' }],
  ],
  [
    'would-stop-now',
    'a limit of a parameter',
    [gauge('pnl_usd', { aggregate: 'sum', negate: true }), { above: '0.1%', of: 'capital' }],
    'above 0.1 % of capital (100 USD)',
    [gauge('pnl_usd', { aggregate: 'sum', negate: true }), { above: '0.2%', of: 'capital' }],
  ],
  [
    'blind-now',
    'no traffic',
    [{ ratio: { good: 'idle_total{job="shop"}', total: 'idle_total' } }, { below: '80%' }],
    'too_few: 0 of at least 20',
    [fills, { below: '80%' }],
  ],
  [
    'far-limit',
    'milliseconds for seconds',
    [gauge('answer_time'), { above: 500 }],
    'which is 2,000 times off the limit',
    [gauge('queue_length'), { above: 10_000 }],
  ],
  [
    'far-limit',
    'percent for a share',
    [gauge('coverage'), { below: 0.85 }],
    'which is 109 times off the limit',
    [{ promql: 'sum(rate(orders_submitted_total[5m]))' }, { below: 0.01 }],
  ],
  [
    'far-limit',
    'a share for percent',
    [gauge('answer_time'), { above: 80 }],
    'which is 320 times off the limit',
    [gauge('answer_time'), { above: 0.8 }],
  ],
];

describe.skipIf(!hasPrometheus())(`check --live on Prometheus ${needs}`, () => {
  let server: PrometheusServer;
  beforeAll(async () => {
    server = await startPrometheus({ history: HISTORY });
  });
  afterAll(async () => {
    await server.stop();
  });
  const found = async (policy: unknown) => {
    const { findings } = await liveOf(server.url, policy, { parameters: { capital: 100_000 } });
    return findings;
  };

  it.each(CASES)('%s: %s', async (name, _, [indicator, limit, more], says) => {
    const all = await found(policyOn(indicator, limit, more));
    const own = all.filter((one) => one.name === name);
    expect(own.map(({ message }) => message).join('\n'), JSON.stringify(all)).toContain(says);
    expect(own).toHaveLength(1);
  });

  it.each(CASES)('%s is not found near: %s', async (name, _, __, ___, [indicator, limit, more]) => {
    const all = await found(policyOn(indicator, limit, more));
    expect(all.map((one) => one.name)).not.toContain(name);
  });

  it('finds nothing in what is right', async () => {
    expect(await found(policyOn(fills, { below: '80%' }))).toEqual([]);
    expect(await found(policyOn(latency(), { above: '1s' }))).toEqual([]);
  });

  it('says what each condition reads, its limit, how many series it has and what it costs', async () => {
    const parameters = { capital: 100_000 };
    const policy = policyOn(gauge('pnl_usd', { aggregate: 'sum', negate: true }), {
      above: '0.5%',
      of: 'capital',
    });
    const { conditions, tick } = await liveOf(server.url, policy, { parameters });
    expect(conditions).toMatchObject([
      {
        id: 'immediate.stop.it',
        reading: { kind: 'value', value: 120 },
        verdict: { limit: 500, isMet: false },
        series: 1,
        cost: { samples: 20 },
      },
    ]);
    expect(tick).toMatchObject({ samples: 20 });
  });

  it('reads ratios and quantiles over their full range, as a watch does', async () => {
    const { conditions } = await liveOf(server.url, policyOn(fills, { below: '80%' }));
    expect(conditions[0]?.reading).toMatchObject({
      counts: { part: 116, total: 120 },
      rangeMs: 60_000,
    });
  });

  it('warnings and passes are told by their own names', async () => {
    const windows = [
      { name: 'immediate', until: '30m', stop: { it: { above: '1GB' } } },
      { name: 'late', until: '40m', warn: { it: { above: '300MB' } } },
      { name: 'last', until: '1h', pass: { it: { below: '200MB' } } },
    ];
    const policy = { ...policyOn(gauge('process_resident_memory_bytes'), {}), windows };
    const names = (await found(policy)).map(({ name, condition }) => [name, condition]);
    expect(names).toEqual([
      ['would-warn-now', 'late.warn.it'],
      ['pass-not-met-now', 'last.pass.it'],
    ]);
  });

  it('of a lazy counter never names what would turn the ratio around', async () => {
    const ratio = { bad: 'orders_failed_total', total: 'orders_submitted_total' };
    const all = await found(policyOn({ ratio }, { above: '5%' }));
    expect(all.map(({ name, level }) => [name, level])).toEqual([['part-not-seen', 'warning']]);
    expect(all.map(({ message }) => message).join()).not.toMatch(/orders_(submitted|filled)_total/);
  });

  it('without a value that it needs an indicator is a warning, the last one an error', async () => {
    const needy = gauge('queue_length{queue="${version}"}');
    const none = await found(policyOn(needy, { above: 100 }));
    expect(none.map(({ name, level }) => [name, level])).toEqual([
      ['value-needed', 'warning'],
      ['value-needed', 'error'],
    ]);
    expect(none.map(({ message }) => message).join()).toContain('give --version');
    const some = policyOn(needy, { above: 100 });
    const indicators = { it: needy, fills };
    const stop = { it: { above: 100 }, fills: { below: '80%' } };
    const windows = [{ name: 'immediate', until: '30m', stop }];
    expect((await found({ ...some, indicators, windows })).map(({ level }) => level)).toEqual([
      'warning',
    ]);
  });

  it('asks health endpoints too', async () => {
    const policy = policyOn({ http: { url: 'http://127.0.0.1:1/health' } }, { failing: 3 });
    const health = { kind: 'value', value: 0, detail: 'HTTP 503 in 3 ms' } as const;
    const { findings } = await liveOf(server.url, policy, { health });
    expect(findings).toMatchObject([
      { name: 'would-stop-now', message: expect.stringContaining('it failing (HTTP 503 in 3 ms)') },
    ]);
  });

  it('fills the version into labels', async () => {
    const policy = policyOn(gauge('queue_length{queue="${version}"}'), { above: 100 });
    const { conditions, findings } = await liveOf(server.url, policy, { version: 'orders' });
    expect(findings).toEqual([]);
    expect(conditions[0]?.reading).toMatchObject({ value: 40 });
  });

  it('a dead source is one finding, and nothing else', async () => {
    const report = await liveOf('http://127.0.0.1:1', policyOn(fills, { below: '80%' }));
    expect(report.findings.map(({ name }) => name)).toEqual(['source-unreachable']);
    expect(report.dead).toContain('connection refused');
  });

  it('a source without any metric is one finding, too', async () => {
    // Long after the history has ended.
    const clock = { ...clockAtT, now: () => T + 86_400_000 };
    const { findings } = await liveOf(server.url, policyOn(fills, { below: '80%' }), { clock });
    expect(findings.map(({ name }) => name)).toEqual(['source-empty']);
  });

  it('a metric that is part and total is told once', async () => {
    const bad = 'requests_total{status=~"5.."}';
    const all = await found(policyOn({ ratio: { bad, total: 'requests_total' } }, { above: '5%' }));
    expect(all.map(({ name }) => name)).toEqual(['unknown-metric']);
  });

  it('so is something that is no Prometheus', async () => {
    const policy = policyOn(fills, { below: '80%' });
    const report = await liveOf(`${server.url}/wrong`, policy);
    expect(report.findings.map(({ name }) => name)).toEqual(['source-unreachable']);
    expect(report.dead).toContain('404');
  });
});
