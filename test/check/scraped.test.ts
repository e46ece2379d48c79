// What only a source that scrapes knows: the kinds of metrics. Once through a real Prometheus, once
// from the service itself.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Finding } from '../../src/check/finding.ts';
import { lookAt } from '../../src/check/live/look.ts';
import { prometheusSight } from '../../src/check/live/prometheus-sight.ts';
import { scrapeSight } from '../../src/check/live/scrape-sight.ts';
import type { Sight } from '../../src/check/live/sight.ts';
import { subjectOf } from '../../src/check/subject.ts';
import { readPolicy } from '../../src/config/to-policy.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { SHARE_MS } from '../../src/source/scrape.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';
import { until } from '../support/until.ts';
import { policyOn } from './live-world.ts';

const needs = '(needs the `prometheus` binary)';
/** Looks closer together than this share one scrape. */
const PAUSE_MS = SHARE_MS + 50;
const signal = new AbortController().signal;

function metrics(count: number): string {
  return `# TYPE connections gauge
connections 12
# TYPE answers counter
answers ${count * 50}
# TYPE answers_total counter
answers_total ${count * 50}
# TYPE answer_seconds histogram
answer_seconds_bucket{le="0.5"} ${count * 50}
answer_seconds_bucket{le="1"} ${count * 50}
answer_seconds_bucket{le="+Inf"} ${count * 50}
answer_seconds_sum ${count * 10}
answer_seconds_count ${count * 50}
`;
}

const server = createServer((_, response) => {
  scrapes += 1;
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
  response.end(metrics(scrapes));
});
let scrapes = 0;
let target = '';

beforeAll(async () => {
  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function found(sight: Sight, indicator: object, limit: object): Promise<readonly Finding[]> {
  const raw = policyOn(indicator, limit, { interval: '1s' });
  const result = readPolicy(raw, 'shop');
  if (result.kind === 'problems') throw new Error(JSON.stringify(result.problems));
  const report = await lookAt(subjectOf(result.policy, raw), {
    sight,
    readHealth: async () => ({ kind: 'value', value: 1 }),
    clock: systemClock,
    signal,
    parameters: {},
    version: null,
  });
  return report.findings;
}

const WRONG = [
  [
    'gauge-as-counter',
    { rate: { counter: 'connections' } },
    'connections, which the source calls a gauge',
  ],
  [
    'counter-as-gauge',
    { gauge: { metric: 'answers', aggregate: 'max' } },
    'answers, which the source calls a counter',
  ],
  ['unknown-metric', { rate: { counter: 'answer_total' } }, 'answers_total'],
] as const;

const RIGHT = [
  ['a gauge', { gauge: { metric: 'connections', aggregate: 'max' } }],
  ['a counter', { rate: { counter: 'answers_total' } }],
] as const;

function behave(sight: () => Sight) {
  it.each(WRONG)('%s', async (name, indicator, says) => {
    const own = (await found(sight(), indicator, { above: 1e6 })).filter(
      (one) => one.name === name,
    );
    expect(own.map(({ message }) => message).join()).toContain(says);
  });

  it.each(RIGHT)('%s is taken for what it is', async (_, indicator) => {
    const names = (await found(sight(), indicator, { above: 1e6 })).map(({ name }) => name);
    expect(names.filter((name) => /unknown|counter|reachable/.test(name))).toEqual([]);
  });

  it('bucket edges are those of the service', async () => {
    const indicator = { quantile: { q: 0.5, histogram: 'answer_seconds' } };
    const names = (await found(sight(), indicator, { above: '0.7s' })).map(({ name }) => name);
    expect(names).toContain('no-bucket-at-limit');
  });
}

describe.skipIf(!hasPrometheus())(`check --live on a Prometheus that scrapes ${needs}`, () => {
  let prometheus: PrometheusServer;
  beforeAll(async () => {
    prometheus = await startPrometheus({ targets: [target], scrapeInterval: '1s' });
    const sight = () =>
      prometheusSight({ url: prometheus.url, timeoutMs: 5_000, clock: systemClock });
    await until(async () => expect(await sight().typeOf('connections', signal)).toBe('gauge'));
  });
  afterAll(async () => {
    await prometheus.stop();
  });
  behave(() => prometheusSight({ url: prometheus.url, timeoutMs: 5_000, clock: systemClock }));
});

describe('check --live on a service that is scraped', () => {
  const options = () => ({
    ...{ targets: [`http://${target}/metrics`], headers: {}, timeoutMs: 2_000 },
    clock: systemClock,
  });
  behave(() => scrapeSight(options(), PAUSE_MS));

  it('counts between two looks', async () => {
    const names = (
      await found(
        scrapeSight(options(), PAUSE_MS),
        { rate: { counter: 'answers_total' } },
        { above: 1 },
      )
    ).map(({ name }) => name);
    expect(names).toEqual(['would-stop-now']);
  });

  it('does not complain that seconds are too short for a ratio', async () => {
    const indicator = {
      ratio: { good: 'answers_total{kind="good"}', total: 'answers_total' },
      min_total: 1_000_000,
    };
    const names = (await found(scrapeSight(options(), PAUSE_MS), indicator, { below: '80%' })).map(
      ({ name }) => name,
    );
    expect(names).toEqual(['no-matching-series']);
  });

  it('a service that is not there is one finding', async () => {
    const sight = scrapeSight({ ...options(), targets: ['http://127.0.0.1:1/metrics'] }, 10);
    const all = await found(sight, { rate: { counter: 'answers_total' } }, { above: 1 });
    expect(all.map(({ name }) => name)).toEqual(['source-unreachable']);
  });
});
