import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ReadRequest, SeriesIndicator } from '../../src/core/read.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createPrometheusSource } from '../../src/source/prometheus.ts';
import type { PrometheusOptions } from '../../src/source/prometheus-api.ts';
import {
  COMBINED_ASKED_AGAIN_TICKS,
  REFUSED_ASKED_AGAIN_TICKS,
} from '../../src/source/prometheus-expressions.ts';
import { aRatio, T0 } from '../support/build.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

type Asked = {
  readonly query: string;
  readonly form: URLSearchParams;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
};
type Answer =
  | { readonly status: number; readonly body: string; readonly type?: string }
  | 'hang'
  | 'reset';

/** A fake API: `answer` gives the reply to each query. */
async function serve(answer: (query: string, asked: Asked) => Answer) {
  const requests: Asked[] = [];
  const server = createServer(async (incoming, outgoing) => {
    let text = '';
    for await (const chunk of incoming) text += chunk;
    const form = new URLSearchParams(text);
    const query = form.get('query') ?? '';
    const asked = { query, form, path: incoming.url ?? '', headers: incoming.headers };
    requests.push(asked);
    const reply = answer(query, asked);
    if (reply === 'hang') return;
    if (reply === 'reset') {
      incoming.socket.destroy();
      return;
    }
    const { status, body, type = 'application/json' } = reply;
    outgoing.writeHead(status, { 'content-type': type, location: 'http://127.0.0.1:1/' }).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { requests, url };
}

function success(resultType: string, result: unknown, more: object = {}): Answer {
  const body = JSON.stringify({ status: 'success', data: { resultType, result }, ...more });
  return { status: 200, body };
}

function vector(...values: readonly (readonly [labels: object, value: string])[]): Answer {
  return success(
    'vector',
    values.map(([metric, value]) => ({ metric, value: [T0 / 1_000, value] })),
  );
}

function error(status: number, errorType: string, text: string): Answer {
  return { status, body: JSON.stringify({ status: 'error', errorType, error: text }) };
}

/** Each expression is 1, asked alone or combined. */
function answerOnes(query: string): Answer {
  const ids = [...query.matchAll(/"canaryd_indicator", "([^"]+)"/g)].map(([, id = '']) => id);
  if (ids.length === 0) return vector([{}, '1']);
  return vector(...ids.map((id) => [{ canaryd_indicator: id }, '1'] as const));
}

function promql(
  id: string,
  over: Partial<{ promql: string; overMs: number; waitMs: number }> = {},
) {
  return {
    kind: 'promql',
    id,
    title: id,
    unit: 'number',
    promql: id,
    overMs: null,
    waitMs: 0,
    ...over,
  } satisfies SeriesIndicator;
}

function request(indicators: readonly SeriesIndicator[], over: Partial<ReadRequest> = {}) {
  return {
    watchId: 'w_1',
    indicators,
    atMs: T0 + 60_000,
    deployedAtMs: T0,
    staleAfterMs: 30_000,
    previous: {},
    signal: new AbortController().signal,
    ...over,
  } satisfies ReadRequest;
}

function sourceOf(url: string, over: Partial<PrometheusOptions> = {}) {
  return createPrometheusSource({ url, timeoutMs: 2_000, clock: systemClock, ...over });
}

/** What one expression reads when the API answers so. */
async function readOne(answer: Answer, over: Partial<PrometheusOptions> = {}) {
  const { url } = await serve(() => answer);
  const { x } = await sourceOf(url, over).read(request([promql('x')]));
  return x;
}

const json = 'with a body that is not JSON';

describe('an answer of the query API', () => {
  it.each<readonly [string, Answer, object]>([
    ['one value', vector([{}, '0.25']), { kind: 'value', value: 0.25 }],
    ['a scalar', success('scalar', [1, '7']), { kind: 'value', value: 7 }],
    ['an exponent', vector([{}, '1e-3']), { kind: 'value', value: 0.001 }],
    ['no element', vector(), { kind: 'blind', reason: 'no_series' }],
    ['NaN', vector([{}, 'NaN']), { kind: 'blind', reason: 'not_finite' }],
    ['+Inf', vector([{}, '+Inf']), { reason: 'not_finite', detail: /gives Infinity/ }],
    ['-Inf', vector([{}, '-Inf']), { reason: 'not_finite', detail: /gives -Infinity/ }],
    ['a string', success('string', [1, 'x']), { reason: 'rejected', detail: /gives a string/ }],
    ['a matrix', success('matrix', []), { reason: 'rejected', detail: /gives a matrix/ }],
    ['a number that is none', vector([{}, ' ']), { reason: 'rejected', detail: /has no shape/ }],
    ['a number of another kind', vector([{}, '0x10']), { reason: 'rejected' }],
    ['a time without end', success('scalar', [1e308, '1']), { reason: 'rejected' }],
    [
      'a native histogram',
      success('vector', [{ metric: {}, histogram: [1, {}] }]),
      { reason: 'rejected', detail: /native histogram/ },
    ],
    [
      'four series',
      vector(...['a', 'b', 'c', 'd'].map((pod) => [{ pod }, '1'] as const)),
      {
        reason: 'many_series',
        detail: /^4 series: \{pod="a"\}, \{pod="b"\}, \{pod="c"\}, \.\.\.$/,
      },
    ],
    ['bad_data', error(400, 'bad_data', 'parse error'), { reason: 'rejected', detail: /parse/ }],
    ['execution', error(422, 'execution', 'many-to-many'), { reason: 'rejected', detail: /many/ }],
    ['a timeout', error(503, 'timeout', 'query timed out'), { reason: 'unreachable' }],
    ['internal', error(500, 'internal', 'x'), { reason: 'unreachable', detail: /HTTP 500/ }],
    ['unavailable', error(503, 'unavailable', 'TSDB'), { reason: 'unreachable', detail: /TSDB/ }],
    ['canceled', error(499, 'canceled', 'x'), { reason: 'unreachable', detail: /HTTP 499/ }],
    ['429', { status: 429, body: 'slow down' }, { reason: 'unreachable', detail: /^HTTP 429$/ }],
    ['502', { status: 502, body: '<html>' }, { reason: 'unreachable', detail: /^HTTP 502$/ }],
    [
      'text of a wrong path',
      { status: 404, body: '404 page not found', type: 'text/plain' },
      { reason: 'rejected', detail: new RegExp(`^HTTP 404 ${json}`) },
    ],
    ['a login page', { status: 200, body: '<html>' }, { reason: 'rejected', detail: /a proxy/ }],
    ['a redirect', { status: 302, body: '' }, { reason: 'rejected', detail: /redirects are not/ }],
    ['401', { status: 401, body: '' }, { reason: 'rejected', detail: /credentials/ }],
    ['no data', { status: 200, body: '{"status":"success"}' }, { reason: 'rejected' }],
    ['an empty value', vector([{}, '']), { reason: 'rejected', detail: /no shape/ }],
    ['a number', success('vector', [{ metric: {}, value: [1, 5] }]), { reason: 'rejected' }],
    ['an error with 200', { status: 200, body: '{"status":"error"}' }, { reason: 'rejected' }],
  ])('with %s', async (_name, answer, expected) => {
    const wanted = Object.entries(expected).map(([key, value]) => [
      key,
      value instanceof RegExp ? expect.stringMatching(value) : value,
    ]);
    expect(await readOne(answer)).toMatchObject(Object.fromEntries(wanted));
  });

  it('with warnings is used, and says so', async () => {
    const partial = { warnings: ['store gateway 2 did not answer'] };
    const answer = success('vector', [{ metric: {}, value: [1, '5'] }], partial);
    expect(await readOne(answer)).toEqual({
      kind: 'value',
      value: 5,
      detail: 'Prometheus warns: store gateway 2 did not answer',
    });
  });

  it('with warnings of another kind is used without them', async () => {
    const strange = { warnings: [{ toString: null }, 7, ['x'], 'a store is missing'] };
    const answer = success('vector', [{ metric: {}, value: [1, '5'] }], strange);
    expect(await readOne(answer)).toMatchObject({
      value: 5,
      detail: 'Prometheus warns: a store is missing',
    });
  });

  it('with a long message is cut to 300 characters', async () => {
    const reading = await readOne(error(400, 'bad_data', '😀'.repeat(1_000)));
    expect([...(reading?.detail ?? '')]).toHaveLength(300);
  });

  it('that does not come in time is no answer', async () => {
    const reading = await readOne('hang', { timeoutMs: 50 });
    expect(reading).toEqual({
      kind: 'blind',
      reason: 'unreachable',
      detail: 'no answer within 50 ms',
    });
  });

  it('that is cut off is no answer', async () => {
    expect(await readOne('reset')).toMatchObject({ kind: 'blind', reason: 'unreachable' });
  });

  it('from nobody is no answer, and the detail keeps the secrets of the URL', async () => {
    const { x } = await sourceOf('http://me:hunter2@127.0.0.1:1').read(request([promql('x')]));
    const detail = 'connection refused';
    expect(x).toEqual({ kind: 'blind', reason: 'unreachable', detail });
  });
});

describe('a request to the query API', () => {
  it('carries path prefix, time, time limit, tenant and headers', async () => {
    const { url, requests } = await serve(() => vector());
    const source = sourceOf(`${url}/prometheus/`, {
      tenant: 'team-a|team-b',
      headers: { 'x-extra': '1' },
    });
    await source.read(request([promql('up')], { atMs: T0 + 1_234 }));
    expect(requests[0]?.path).toBe('/prometheus/api/v1/query');
    expect(Object.fromEntries(requests[0]?.form ?? [])).toEqual({
      query: 'up',
      time: `${T0 / 1_000 + 1}.234`,
      timeout: '2000ms',
    });
    expect(requests[0]?.headers).toMatchObject({
      'x-scope-orgid': 'team-a|team-b',
      'x-extra': '1',
    });
  });

  it('reads the bearer token anew each time', async () => {
    const { url, requests } = await serve(() => vector());
    const tokens = ['one\n', 'two\n'];
    const source = sourceOf(url, { bearerToken: () => tokens.shift() ?? '' });
    await source.read(request([promql('up')]));
    await source.read(request([promql('up')]));
    expect(requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer one',
      'Bearer two',
    ]);
  });

  it.each([
    ['bearer token', { bearerToken: 'hunter2-hunter2' }, 'authorization'],
    ['header', { headers: { 'x-gate': 'Key hunter2-hunter2' } }, 'x-gate'],
    ['password', { basicAuth: { username: 'me', password: 'hunter2-hunter2' } }, 'authorization'],
  ])('keeps no %s that a gateway echoes', async (_, options, header) => {
    const echo = `${'-'.repeat(190)} `;
    const { url } = await serve((_query, { headers }) =>
      error(400, 'bad_data', `${echo}${headers[header]} hunter2-hunter2`),
    );
    const { x } = await sourceOf(url, options).read(request([promql('x')]));
    expect(x).toMatchObject({ reason: 'rejected', detail: expect.stringContaining('[redacted]') });
    expect(x?.detail).not.toMatch(/hunter2|aHVudGVy|bWU6/);
  });

  it('is not sent without its token, and the reason names no path', async () => {
    const { url, requests } = await serve(() => vector());
    const bearerToken = () => {
      throw new Error('ENOENT /run/secrets/token');
    };
    const { x } = await sourceOf(url, { bearerToken }).read(request([promql('x')]));
    expect(x).toMatchObject({ reason: 'rejected', detail: expect.not.stringContaining('/run') });
    expect(requests).toEqual([]);
  });

  it('is counted by how it ended', async () => {
    const answers: Answer[] = [vector(), error(400, 'bad_data', 'x'), error(500, 'internal', 'x')];
    const { url } = await serve(() => answers.shift() ?? 'reset');
    const outcomes: string[] = [];
    const onRequest = (outcome: string, seconds: number) => {
      expect(seconds).toBeGreaterThanOrEqual(0);
      outcomes.push(outcome);
    };
    const source = sourceOf(url, { onRequest });
    for (const id of ['a', 'b', 'c']) await source.read(request([promql(id)]));
    expect(outcomes).toEqual(['ok', 'rejected', 'unreachable']);
  });
});

describe.skipIf(!hasOpenssl)('a connection by TLS (needs the `openssl` binary)', () => {
  it('trusts the CA that is configured, and no other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'canaryd-tls-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const [keyPath, certPath] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=prom', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const paths = ['-keyout', keyPath, '-out', certPath];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    spawnSync('openssl', ['req', '-x509', ...curve, '-days', '2', ...subject, ...paths]);
    const cert = readFileSync(certPath, 'utf8');
    const answer = JSON.stringify({
      status: 'success',
      data: { resultType: 'scalar', result: [1, '7'] },
    });
    const server = createHttpsServer({ key: readFileSync(keyPath), cert }, (_incoming, outgoing) =>
      outgoing.end(answer),
    ).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const read = async (tls: PrometheusOptions['tls']) =>
      (await sourceOf(url, { tls }).read(request([promql('x')])))['x'];
    expect(await read({ ca: cert })).toEqual({ kind: 'value', value: 7 });
    expect(await read({ insecureSkipVerify: true })).toEqual({ kind: 'value', value: 7 });
    const detail = 'TLS: DEPTH_ZERO_SELF_SIGNED_CERT';
    expect(await read({})).toEqual({ kind: 'blind', reason: 'unreachable', detail });
    expect(await read(null)).toEqual({ kind: 'blind', reason: 'unreachable', detail });
  });
});

describe('promql indicators', () => {
  it('of one tick go out as one request', async () => {
    const { url, requests } = await serve(answerOnes);
    const indicators = Array.from({ length: 20 }, (_, index) => promql(`i${index}`));
    const readings = await sourceOf(url).read(request(indicators));
    expect(requests).toHaveLength(1);
    expect(Object.keys(readings)).toHaveLength(20);
    expect(readings['i19']).toEqual({ kind: 'value', value: 1 });
  });

  it('that look back further than the deploy are not asked', async () => {
    const { url, requests } = await serve(answerOnes);
    const indicators = [promql('early', { waitMs: 300_000 }), promql('due', { waitMs: 60_000 })];
    const readings = await sourceOf(url).read(request(indicators));
    expect(readings).toEqual({
      early: { kind: 'blind', reason: 'too_early', detail: 'looks back 5m, the deploy is 1m old' },
      due: { kind: 'value', value: 1 },
    });
    expect(requests.map(({ query }) => query)).toEqual(['due']);
  });

  it('are all asked before a deploy', async () => {
    const { url } = await serve(answerOnes);
    const source = sourceOf(url);
    const readings = await source.read(
      request([promql('x', { waitMs: 300_000 }), promql('y')], { deployedAtMs: null }),
    );
    expect(readings).toMatchObject({ x: { kind: 'value' }, y: { kind: 'value' } });
  });

  it('refused together are asked alone at once, at most four at a time', async () => {
    let open = 0;
    let openMax = 0;
    const { url, requests } = await serve((query) => {
      open += 1;
      openMax = Math.max(openMax, open);
      queueMicrotask(() => setImmediate(() => (open -= 1)));
      const isBad = query.includes('bad');
      return isBad ? error(400, 'bad_data', 'parse error') : vector([{}, '3']);
    });
    const indicators = ['bad', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((id) => promql(id));
    const readings = await sourceOf(url).read(request(indicators));
    expect(requests).toHaveLength(9);
    expect(openMax).toBeLessThanOrEqual(4);
    expect(readings['bad']).toMatchObject({ kind: 'blind', reason: 'rejected' });
    expect(readings['h']).toEqual({ kind: 'value', value: 3 });
  });

  it('go on together without the refused one, which is asked again now and then', async () => {
    let isMended = false;
    const { url, requests } = await serve((query) => {
      if (query.includes('bad') && !isMended) return error(422, 'execution', 'many-to-many');
      return answerOnes(query);
    });
    const source = sourceOf(url);
    const indicators = [promql('bad'), promql('b'), promql('c')];
    await source.read(request(indicators));
    requests.length = 0;
    for (let tick = 1; tick < REFUSED_ASKED_AGAIN_TICKS; tick += 1) {
      expect(await source.read(request(indicators))).toMatchObject({
        bad: { reason: 'rejected', detail: 'HTTP 422 execution: many-to-many' },
        b: { kind: 'value' },
      });
    }
    expect(requests).toHaveLength(REFUSED_ASKED_AGAIN_TICKS - 1);
    isMended = true;
    expect(await source.read(request(indicators))).toMatchObject({ bad: { kind: 'value' } });
    requests.length = 0;
    expect(await source.read(request(indicators))).toMatchObject({ bad: { kind: 'value' } });
    expect(requests).toHaveLength(1);
  });

  it('that are fine alone but refused together stay alone for a while', async () => {
    const { url, requests } = await serve((query) =>
      query.includes('canaryd_indicator')
        ? error(400, 'bad_data', 'query too long')
        : vector([{}, '1']),
    );
    const source = sourceOf(url);
    const indicators = [promql('a'), promql('b')];
    await source.read(request(indicators));
    requests.length = 0;
    for (let tick = 1; tick < COMBINED_ASKED_AGAIN_TICKS; tick += 1) {
      await source.read(request(indicators));
    }
    expect(requests.filter(({ query }) => query.includes('canaryd_indicator'))).toEqual([]);
    await source.read(request(indicators));
    expect(requests.filter(({ query }) => query.includes('canaryd_indicator'))).toHaveLength(1);
  });

  it('are parted when one of them is too heavy', async () => {
    const { url } = await serve((query) =>
      query.includes('heavy') ? error(503, 'timeout', 'query timed out') : answerOnes(query),
    );
    const source = sourceOf(url);
    const indicators = [promql('heavy'), promql('b'), promql('c')];
    expect(await source.read(request(indicators))).toMatchObject({ b: { kind: 'blind' } });
    for (const _tick of [1, 2, 3]) {
      expect(await source.read(request(indicators))).toMatchObject({
        heavy: { kind: 'blind', reason: 'unreachable' },
        b: { kind: 'value' },
        c: { kind: 'value' },
      });
    }
  });

  it('are not asked one by one when the server is down', async () => {
    const { url, requests } = await serve(() => error(500, 'internal', 'x'));
    await sourceOf(url).read(request([promql('a'), promql('b')]));
    expect(requests).toHaveLength(1);
  });
});

describe('raw samples', () => {
  const series = (
    metric: string,
    ...points: readonly (readonly [atMs: number, value: number])[]
  ) => ({
    metric: { __name__: metric, instance: 'a' },
    values: points.map(([atMs, value]) => [(T0 + atMs) / 1_000, String(value)]),
  });
  const ratio = aRatio({ minTotal: 1 });
  const some = series('orders_submitted_total', [-5_000, 1_000]);
  const windowOf = (query: string) => /\[(.*)\]$/.exec(query)?.[1];

  it('of all structured indicators come in one request, which goes back before the deploy', async () => {
    const { url, requests } = await serve(() => success('matrix', []));
    const latency = {
      ...ratio,
      id: 'p99',
      kind: 'quantile',
      q: 0.99,
      histogram: { metric: 'latency', matchers: [] },
    } as const;
    await sourceOf(url).read(request([ratio, latency]));
    expect(requests.map(({ query }) => query)).toEqual([
      '{__name__=~"latency_bucket|orders_filled_total|orders_submitted_total"}[6m]',
    ]);
  });

  it('are asked since the last answer, with an overlap for those that come late', async () => {
    const { url, requests } = await serve(() => success('matrix', [some]));
    const source = sourceOf(url);
    await source.read(request([ratio], { atMs: T0 + 10_000 }));
    await source.read(request([ratio], { atMs: T0 + 15_000 }));
    expect(requests.map(({ query }) => windowOf(query))).toEqual(['5m10s', '35s']);
  });

  it('of the time before the deploy may be read beside a tick', async () => {
    const { url, requests } = await serve(() => success('matrix', [some]));
    const source = sourceOf(url);
    await Promise.all([
      source.read(request([ratio], { atMs: T0 + 10_000 })),
      source.read(request([ratio], { atMs: T0, deployedAtMs: null })),
    ]);
    await source.read(request([ratio], { atMs: T0 + 15_000 }));
    const windows = requests.map(({ query }) => windowOf(query));
    expect(windows.slice(0, 2).sort()).toEqual(['5m10s', '6m']);
    expect(windows.slice(2)).toEqual(['35s']);
  });

  it('missed while the server was down are asked when it is back', async () => {
    const down = error(503, 'unavailable', 'starting up');
    const answers: Answer[] = [success('matrix', [some]), down, down];
    const { url, requests } = await serve(() => answers.shift() ?? success('matrix', [some]));
    const source = sourceOf(url);
    for (const atMs of [10_000, 20_000, 30_000, 130_000]) {
      await source.read(request([ratio], { atMs: T0 + atMs }));
    }
    expect(requests.map(({ query }) => windowOf(query))).toEqual(['5m10s', '40s', '50s', '2m30s']);
  });

  it('are asked for again where the answer held none', async () => {
    const answers: Answer[] = [success('matrix', [some]), success('matrix', [])];
    const { url, requests } = await serve(() => answers.shift() ?? success('matrix', [some]));
    const source = sourceOf(url);
    for (const atMs of [10_000, 20_000, 30_000, 40_000]) {
      await source.read(request([ratio], { atMs: T0 + atMs }));
    }
    expect(requests.map(({ query }) => windowOf(query))).toEqual(['5m10s', '40s', '50s', '40s']);
  });

  it('that come late are counted since the deploy, though the tick before did not see them', async () => {
    const early = [
      series('orders_submitted_total', [-5_000, 1_000], [5_000, 10]),
      series('orders_filled_total', [-5_000, 1_000], [5_000, 10]),
    ];
    const late = [
      series('orders_submitted_total', [5_000, 10], [9_900, 30], [15_000, 40]),
      series('orders_filled_total', [5_000, 10], [9_900, 20], [15_000, 30]),
    ];
    const answers = [success('matrix', early), success('matrix', late)];
    const { url } = await serve(() => answers.shift() ?? 'reset');
    const source = sourceOf(url);
    await source.read(request([ratio], { atMs: T0 + 10_000 }));
    const previous = { fill_rate: { atMs: T0 + 10_000, counts: { part: 10, total: 10 } } };
    const { fill_rate } = await source.read(request([ratio], { atMs: T0 + 16_000, previous }));
    expect(fill_rate).toMatchObject({ value: 0.75, sinceDeploy: { part: 30, total: 40 } });
  });

  it('are asked from the last counts on after a restart of canaryd', async () => {
    const { url, requests } = await serve(() => success('matrix', []));
    const previous = { fill_rate: { atMs: T0 + 3_590_000, counts: { part: 1, total: 1 } } };
    await sourceOf(url).read(request([ratio], { atMs: T0 + 3_600_000, previous }));
    expect(requests.map(({ query }) => windowOf(query))).toEqual(['6m']);
  });

  it('are asked at most 25 hours back', async () => {
    const { url, requests } = await serve(() => success('matrix', []));
    await sourceOf(url).read(request([ratio], { atMs: T0 + 100 * 3_600_000 }));
    expect(requests.map(({ query }) => windowOf(query))).toEqual(['1d1h']);
  });

  it('since the deploy that are refused for their number leave the range to be judged', async () => {
    const answers: Answer[] = [error(422, 'execution', 'too many samples')];
    const { url, requests } = await serve(() => answers.shift() ?? success('matrix', []));
    const source = sourceOf(url);
    await source.read(request([ratio], { atMs: T0 + 3_600_000 }));
    await source.read(request([ratio], { atMs: T0 + 3_605_000 }));
    expect(requests.map(({ query }) => windowOf(query))).toEqual(['1h5m', '6m']);
  });

  it('are fetched anew for another watch, after forget, and for other indicators', async () => {
    const { url, requests } = await serve(() => success('matrix', []));
    const source = sourceOf(url);
    const at = (over: Partial<ReadRequest>) => request([ratio], { atMs: T0 + 10_000, ...over });
    await source.read(at({}));
    await source.read(at({ watchId: 'w_2' }));
    source.forget('w_1');
    await source.read(at({}));
    await source.read(at({ indicators: [{ ...ratio, id: 'other' }] }));
    expect(requests.map(({ query }) => windowOf(query))).toEqual(Array(4).fill('5m10s'));
  });

  it('of a native histogram are refused in words', async () => {
    const native = { metric: { __name__: 'orders_submitted_total' }, histograms: [[1, {}]] };
    const { url } = await serve(() => success('matrix', [native]));
    const { fill_rate } = await sourceOf(url).read(request([ratio]));
    expect(fill_rate).toMatchObject({
      reason: 'rejected',
      detail: expect.stringMatching(/native histogram/),
    });
  });

  it('that were narrowed by labels say so when there are none', async () => {
    const matchers = [{ label: 'version', op: '=', value: '2' }] as const;
    const { url } = await serve(() => success('matrix', []));
    const { fill_rate } = await sourceOf(url).read(
      request([
        {
          ...ratio,
          numerator: { ...ratio.numerator, matchers },
          total: { ...ratio.total, matchers },
        },
      ]),
    );
    expect(fill_rate?.detail).toMatch(/only series with \{version="2"\} were looked at$/);
  });

  it('and expressions do not blind each other', async () => {
    const { url, requests } = await serve((query) =>
      query.includes('orders') ? error(422, 'execution', 'limit') : vector([{}, '1']),
    );
    const readings = await sourceOf(url).read(request([ratio, promql('x')]));
    expect(readings).toMatchObject({
      fill_rate: { kind: 'blind', reason: 'rejected' },
      x: { kind: 'value', value: 1 },
    });
    expect(requests).toHaveLength(2);
  });
});
