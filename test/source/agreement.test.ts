// The same series through a real Prometheus and directly, as a scrape holds them: every reading of
// every tick is the same. And what only a real Prometheus can show about queries.
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type MeasuredIndicator, measure } from '../../src/core/measure.ts';
import type { Selector } from '../../src/core/policy.ts';
import type { Readings, ReadRequest, SeriesIndicator, Source } from '../../src/core/read.ts';
import type { Point, Series } from '../../src/core/series.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createPrometheusSource } from '../../src/source/prometheus.ts';
import type { PrometheusOptions } from '../../src/source/prometheus-api.ts';
import { promqlOf } from '../../src/source/promql.ts';
import { aRatio, T0 } from '../support/build.ts';
import { hasPrometheus, type PrometheusServer, startPrometheus } from '../support/prometheus.ts';

const MINUTE = 60_000;
const STEP = 5_000;
const STALE_AFTER = 30_000;
const title = hasPrometheus()
  ? 'with a real Prometheus'
  : 'with a real Prometheus (SKIPPED: the `prometheus` and `promtool` binaries are missing)';

/** Points every 5 s from `fromMs` to `untilMs` (since the deploy), `value` of the point's time. */
function points(fromMs: number, untilMs: number, value: (sinceMs: number) => number | null) {
  const made: Point[] = [];
  for (let at = fromMs; at <= untilMs; at += STEP) {
    const found = value(at);
    if (found !== null) made.push([T0 + at, found]);
  }
  return made;
}

/** Longer than what is kept for the longest range. */
const UNTIL = 14 * MINUTE;
const instances = ['a:80', 'b:80'] as const;

/** A counter on both instances, which are scraped at different moments. */
function onBoth(
  metric: string,
  value: (sinceMs: number, instance: number) => number | null,
  labels: Readonly<Record<string, string>> = {},
  fromMs = -10 * MINUTE,
): Series[] {
  return instances.map((instance, index) => ({
    metric,
    labels: { instance, job: 'app', ...labels },
    points: points(fromMs + 1_300 * index + 700, UNTIL, (since) => value(since, index)),
  }));
}

/** Ten events per second; the process restarts with the deploy. */
function restarting(perSecond: number) {
  return (sinceMs: number, instance: number) => {
    const startedMs = sinceMs < 0 ? -60 * MINUTE : -2_000 * instance;
    return Math.floor(((sinceMs - startedMs) / 1_000) * perSecond) + instance;
  };
}

const bounds = [0.1, 0.5, 1, 2.5, Infinity];
const history: readonly Series[] = [
  // Two instances that restart with the deploy.
  ...onBoth('shop_orders_submitted_total', restarting(10)),
  ...onBoth('shop_orders_filled_total', restarting(9.8)),
  // A bad counter that is created with its first event, 70 s after the deploy.
  ...onBoth('shop_orders_bad_total', (since) =>
    since < 70_000 ? null : Math.ceil((since - 69_000) / 1_000),
  ),
  // A crash two minutes after the deploy.
  ...onBoth('shop_crashing_total', (since) =>
    Math.floor((since < 2 * MINUTE ? since + 20 * MINUTE : since - 2 * MINUTE) / 100),
  ),
  // Fresh processes: new series that did not exist before the deploy. Every order fails.
  ...onBoth('fresh_submitted_total', (since) => Math.floor(since / 50), { version: '2' }, 0),
  ...onBoth('fresh_rejected_total', (since) => Math.floor(since / 50), { version: '2' }, 0),
  ...onBoth('shop_open_positions', (since, index) => Math.round(50 + since / 10_000) * (1 - index)),
  ...bounds.flatMap((bound) =>
    onBoth(
      'shop_latency_seconds_bucket',
      (since) => Math.floor(((since + 30 * MINUTE) / 100) * Math.min(1, Math.sqrt(bound / 4))),
      { le: bound === Infinity ? '+Inf' : String(bound) },
    ),
  ),
  // Not reachable for eight minutes, longer than what is kept, and then back.
  ...onBoth('shop_pausing_total', (since, index) =>
    index === 1 && since > 2 * MINUTE && since < 10 * MINUTE ? null : since + 30 * MINUTE,
  ),
  // Goes away a minute after the deploy.
  ...onBoth('shop_leaving_total', (since) => (since > MINUTE ? null : since + 30 * MINUTE)),
];

const common = { unit: 'number', title: 'X' } as const;
const early = 'shorten' as const;

function all(metric: string): Selector {
  return { metric, matchers: [] };
}

const measured: readonly MeasuredIndicator[] = [
  aRatio({
    id: 'filled',
    numerator: all('shop_orders_filled_total'),
    total: all('shop_orders_submitted_total'),
  }),
  aRatio({
    id: 'bad',
    part: 'bad',
    numerator: all('shop_orders_bad_total'),
    total: all('shop_orders_submitted_total'),
  }),
  aRatio({
    id: 'fresh_good',
    numerator: all('fresh_filled_total'),
    total: all('fresh_submitted_total'),
  }),
  aRatio({
    id: 'fresh_bad',
    part: 'bad',
    numerator: all('fresh_rejected_total'),
    total: all('fresh_submitted_total'),
    early: 'wait',
  }),
  {
    ...common,
    id: 'p70',
    kind: 'quantile',
    q: 0.7,
    histogram: all('shop_latency_seconds'),
    overMs: 90_000,
    minTotal: 10,
    early,
  },
  {
    ...common,
    id: 'crash_rate',
    kind: 'rate',
    counter: all('shop_crashing_total'),
    aggregate: 'sum',
    overMs: MINUTE,
    early,
  },
  {
    ...common,
    id: 'crash_max',
    kind: 'rate',
    counter: all('shop_crashing_total'),
    aggregate: 'max',
    overMs: 30_000,
    early,
  },
  {
    ...common,
    id: 'since_deploy',
    kind: 'increase',
    counter: all('shop_crashing_total'),
    overMs: null,
    early,
  },
  {
    ...common,
    id: 'leaving',
    kind: 'increase',
    counter: all('shop_leaving_total'),
    overMs: MINUTE,
    early,
  },
  {
    ...common,
    id: 'pausing',
    kind: 'increase',
    counter: all('shop_pausing_total'),
    overMs: MINUTE,
    early,
  },
  {
    ...common,
    id: 'positions',
    kind: 'gauge',
    metric: all('shop_open_positions'),
    aggregate: 'sum',
    negate: true,
  },
  {
    ...common,
    id: 'positions_one',
    kind: 'gauge',
    metric: all('shop_open_positions'),
    aggregate: 'one',
    negate: false,
  },
  {
    ...common,
    id: 'misspelt',
    kind: 'gauge',
    metric: all('shop_opne_positions'),
    aggregate: 'sum',
    negate: false,
  },
];

function promql(id: string, text: string, over: { overMs?: number } = {}): SeriesIndicator {
  return { ...common, id, kind: 'promql', promql: text, overMs: null, waitMs: 0, ...over };
}

function request(over: Partial<ReadRequest> = {}): ReadRequest {
  return {
    watchId: 'w_1',
    indicators: measured,
    atMs: T0 + 3 * MINUTE,
    deployedAtMs: T0,
    staleAfterMs: STALE_AFTER,
    previous: {},
    signal: new AbortController().signal,
    ...over,
  };
}

function sourceOf(url: string, over: Partial<PrometheusOptions> = {}) {
  const outcomes: string[] = [];
  const source: Source = createPrometheusSource({
    url,
    timeoutMs: 10_000,
    clock: systemClock,
    onRequest: (outcome) => outcomes.push(outcome),
    ...over,
  });
  return { source, outcomes };
}

/** What a scrape that began five minutes before the deploy holds at this time. */
function direct(atMs: number, indicators = measured): Readings {
  const coveredFromMs = T0 - 5 * MINUTE;
  const series = history.map((one) => ({
    ...one,
    points: [...one.points].filter((point) => point[0] >= coveredFromMs && point[0] <= atMs),
  }));
  const view = { atMs, deployedAtMs: T0, staleAfterMs: STALE_AFTER, previous: null };
  const set = { series: series.filter((one) => one.points.length > 0), coveredFromMs };
  return Object.fromEntries(indicators.map((one) => [one.id, measure(one, set, view)]));
}

describe.skipIf(!hasPrometheus())(`a Prometheus source, ${title}`, () => {
  let server: PrometheusServer;
  beforeAll(async () => {
    server = await startPrometheus({ history });
  });
  afterAll(async () => {
    await server.stop();
  });

  it('reads at every tick what a scrape of the same series reads', async () => {
    const { source, outcomes } = sourceOf(server.url);
    const seen = new Set<string>();
    let ticks = 0;
    for (let atMs = T0 + 1_000; atMs <= T0 + UNTIL; atMs += 4_300) {
      const readings = await source.read(request({ atMs }));
      expect(readings, `at +${atMs - T0} ms`).toEqual(direct(atMs));
      for (const [id, { kind }] of Object.entries(readings)) seen.add(`${id} ${kind}`);
      ticks += 1;
    }
    // Nothing agrees by being blind all the time.
    const never = measured.filter(({ id }) => !seen.has(`${id} value`)).map(({ id }) => id);
    expect(never).toEqual(['misspelt']);
    expect(outcomes).toEqual(Array.from({ length: ticks }, () => 'ok'));
  });

  it('reads after a restart of canaryd what it would have read without', async () => {
    const before = await sourceOf(server.url).source.read(request({ atMs: T0 + 3 * MINUTE }));
    const previous = Object.fromEntries(
      Object.entries(before).flatMap(([id, { sinceDeploy }]) =>
        sinceDeploy === undefined ? [] : [[id, { atMs: T0 + 3 * MINUTE, counts: sinceDeploy }]],
      ),
    );
    const atMs = T0 + 5 * MINUTE;
    const after = await sourceOf(server.url).source.read(request({ atMs, previous }));
    expect(after).toEqual(direct(atMs));
  });

  it('reads every order failing from the first second as 0 %, not as missing', async () => {
    const atMs = T0 + 20_000;
    const { fresh_good: good } = await sourceOf(server.url).source.read(request({ atMs }));
    expect(good).toMatchObject({ kind: 'value', value: 0, shortened: true });
  });

  it('says of a misspelt metric that there is no such series', async () => {
    const { misspelt } = await sourceOf(server.url).source.read(request());
    expect(misspelt).toMatchObject({ kind: 'blind', reason: 'no_series' });
  });

  it('does not choose among two series where one is meant', async () => {
    const indicators = [...measured, promql('two', 'shop_open_positions')];
    const readings = await sourceOf(server.url).source.read(request({ indicators }));
    expect(readings['positions_one']).toMatchObject({ kind: 'blind', reason: 'many_series' });
    expect(readings['two']).toEqual({
      kind: 'blind',
      reason: 'many_series',
      detail:
        '2 series: shop_open_positions{instance="a:80", job="app"}, ' +
        'shop_open_positions{instance="b:80", job="app"}',
    });
  });

  it('shows a query for people that gives the same on steady series', async () => {
    const ids = ['filled', 'bad', 'p70', 'crash_rate', 'positions'];
    const indicators = measured.filter(({ id }) => ids.includes(id));
    const shown = indicators.map((one) => promql(`${one.id}_shown`, promqlOf(one)));
    const atMs = T0 + 5 * MINUTE;
    const { source } = sourceOf(server.url);
    const readings = await source.read(request({ atMs, indicators: [...indicators, ...shown] }));
    for (const id of ids) {
      const own = readings[id] as { value: number };
      const pasted = readings[`${id}_shown`] as { value: number };
      expect(pasted.value / own.value, id).toBeGreaterThan(0.98);
      expect(pasted.value / own.value, id).toBeLessThan(1.02);
    }
  });

  it('asks a tick with all kinds of indicators in two requests', async () => {
    const { source, outcomes } = sourceOf(server.url);
    const expressions = [
      promql('sum', 'sum(shop_open_positions) # all of them'),
      promql('range', 'sum(increase(shop_crashing_total[${range}]))', { overMs: MINUTE }),
      promql('name$1', 'max(shop_open_positions)'),
    ];
    const indicators = [...measured, ...expressions];
    const readings = await source.read(request({ indicators, atMs: T0 + 45_000 }));
    expect(outcomes).toEqual(['ok', 'ok']);
    expect(readings['sum']).toEqual({ kind: 'value', value: 54 });
    expect(readings['range']).toMatchObject({ kind: 'value', rangeMs: 45_000, shortened: true });
    expect(readings['name$1']).toEqual({ kind: 'value', value: 54 });
  });

  it('does not let a bad expression blind the good ones', async () => {
    const { source, outcomes } = sourceOf(server.url);
    const indicators = [
      promql('good', 'sum(shop_open_positions)'),
      promql('typo', 'sum(shop_open_positions'),
      promql('clash', 'shop_open_positions + on(job) shop_open_positions'),
      promql('scalar', '42'),
      promql('text', '"hello"'),
      promql('matrix', 'shop_open_positions[1m]'),
      promql('nothing', 'no_such_metric'),
      promql('ratio', 'sum(shop_open_positions * 0) / sum(shop_open_positions * 0)'),
      promql('infinite', '-sum(shop_open_positions) / 0'),
    ];
    const expected = {
      good: { kind: 'value', value: 68 },
      typo: { reason: 'rejected', detail: expect.stringContaining('parse error') },
      clash: { reason: 'rejected', detail: expect.stringMatching(/422 execution: found dup/) },
      scalar: { kind: 'value', value: 42 },
      text: { reason: 'rejected', detail: expect.stringContaining('gives a string') },
      matrix: { reason: 'rejected', detail: expect.stringContaining('gives a matrix') },
      nothing: { reason: 'no_series' },
      ratio: { reason: 'not_finite', detail: 'the expression gives NaN' },
      infinite: { reason: 'not_finite', detail: 'the expression gives -Infinity' },
    };
    expect(await source.read(request({ indicators }))).toMatchObject(expected);
    // Once combined, then each of the nine alone.
    expect(outcomes).toHaveLength(10);
    outcomes.length = 0;
    expect(await source.read(request({ indicators }))).toMatchObject(expected);
    expect(outcomes).toEqual(['ok']);
  });

  it('is reached through a proxy with a path prefix and basic auth', async () => {
    const { port } = new URL(server.url);
    const wanted = `Basic ${Buffer.from('canaryd:s3cret').toString('base64')}`;
    const proxy = createServer((incoming, outgoing) => {
      if (incoming.headers.authorization !== wanted || !incoming.url?.startsWith('/prom/')) {
        outgoing.writeHead(401).end('who are you?');
        return;
      }
      const path = incoming.url.slice('/prom'.length);
      const { method, headers } = incoming;
      const onward = httpRequest({ host: '127.0.0.1', port, path, method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(onward);
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    onTestFinished(() => {
      proxy.closeAllConnections();
      proxy.close();
    });
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/prom/`;
    const read = (password: string) =>
      sourceOf(url, { basicAuth: { username: 'canaryd', password } }).source.read(
        request({ indicators: measured.filter(({ id }) => id === 'positions') }),
      );
    expect(await read('s3cret')).toEqual({ positions: { kind: 'value', value: -68 } });
    expect(await read('hunter2')).toEqual({
      positions: {
        kind: 'blind',
        reason: 'rejected',
        detail: 'HTTP 401: the credentials were refused',
      },
    });
  });

  it('is blind while Prometheus is down, and sees what it missed when it is back', async () => {
    const own = await startPrometheus({ history });
    onTestFinished(() => own.stop());
    const { source } = sourceOf(own.url);
    await source.read(request({ atMs: T0 + MINUTE }));
    await own.halt();
    const blind = await source.read(request({ atMs: T0 + 2 * MINUTE }));
    expect(new Set(Object.values(blind).map((one) => one.kind === 'blind' && one.reason))).toEqual(
      new Set(['unreachable']),
    );
    await own.restart();
    const atMs = T0 + 5 * MINUTE;
    expect(await source.read(request({ atMs }))).toEqual(direct(atMs));
  });
});
