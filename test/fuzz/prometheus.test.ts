// Whatever a Prometheus, a gateway or an impostor answers: one reading for each indicator, a value
// only where there is one, and blind with a reason otherwise.
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SeriesIndicator } from '../../src/core/read.ts';
import type { Reading } from '../../src/core/sample.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createPrometheusSource } from '../../src/source/prometheus.ts';
import type { PrometheusOptions } from '../../src/source/prometheus-api.ts';
import { edited, edits, mutated, mutation, ODD_VALUES } from './mutate.ts';
import {
  AT_MS,
  expectSound,
  type FakeApi,
  fakeApi,
  http,
  json,
  type Reply,
  request,
} from './prometheus-answers.ts';
import { times } from './runs.ts';

let api: FakeApi;
beforeAll(async () => {
  api = await fakeApi();
});
afterAll(() => api.close());

const source = (over: Partial<PrometheusOptions> = {}) =>
  // The fake API finds the end of a request by this limit: it ends with a zero.
  createPrometheusSource({ url: api.url, timeoutMs: 2_000, clock: systemClock, ...over });

/** Two ticks: what the first left behind must not spoil the second. */
async function readTwice(reply: (query: string) => Reply, over: Partial<PrometheusOptions> = {}) {
  api.reply = reply;
  const reader = source(over);
  const first = await reader.read(request());
  expectSound(first);
  expectSound(await reader.read(request({ atMs: AT_MS + 5_000 })));
  return first;
}

function success(resultType: string, result: unknown, more: object = {}): unknown {
  return { status: 'success', data: { resultType, result }, ...more };
}

const second = (atMs: number) => atMs / 1_000;
const points = (value: (index: number) => string) =>
  Array.from({ length: 12 }, (_, index) => [second(AT_MS - 60_000 + index * 5_000), value(index)]);
const counter = (metric: string, step: number, labels: object = {}) => ({
  metric: { __name__: metric, instance: 'a:1', job: 'j', ...labels },
  values: points((index) => String(index * step)),
});
const MATRIX = success('matrix', [
  counter('good', 9),
  counter('all', 10),
  counter('lat_bucket', 5, { le: '0.1' }),
  counter('lat_bucket', 10, { le: '+Inf' }),
]);
const element = (id: string, value: string) => ({
  metric: { canaryd_indicator: id },
  value: [second(AT_MS), value],
});
const VECTOR = success('vector', [element('first', '1'), element('second', '2')]);
const isRaw = (query: string) => query.startsWith('{__name__');
const good = (query: string) => json(isRaw(query) ? MATRIX : VECTOR);

const mutations = fc.array(mutation, { minLength: 1, maxLength: 3 });

describe('an answer', () => {
  test('that is good gives values', async () => {
    const readings = await readTwice(good);
    const blind = Object.values(readings).filter(({ kind }) => kind === 'blind');
    expect(blind).toEqual([]);
  });

  test('with any place changed is read or refused', async () => {
    const property = fc.asyncProperty(mutations, mutations, async (raw, promql) => {
      const matrix = json(mutated(MATRIX, raw));
      const vector = json(mutated(VECTOR, promql));
      await readTwice((query) => (isRaw(query) ? matrix : vector));
    });
    await fc.assert(property, times(250));
  });

  test('with strange numbers is read or refused', async () => {
    const number = fc.oneof(
      fc.constantFrom('+Inf', '-Inf', 'NaN', 'Inf', '1e308', '-1e308', '1e309', '0x10', ' 1', ' '),
      fc.constantFrom('', '5e-324', '-0', '١', '1_0', 'Infinity', 'null', '1,5', '1n'),
      fc.double().map(String),
    );
    const time = fc.oneof(
      fc.integer({ min: -90, max: 30 }).map((ago) => second(AT_MS) + ago),
      fc.constantFrom(-1e308, 1e308, 0, -0, 1e17, 0.1),
    );
    const point = fc.tuple(time, number);
    const label = fc.oneof(fc.constantFrom('a', '__proto__', 'le', 'instance'), fc.string());
    const series = fc.record({
      metric: fc
        .tuple(
          fc.constantFrom('good', 'all', 'lat_bucket', 'first'),
          fc.dictionary(label, fc.string({ unit: 'binary', maxLength: 10 }), { maxKeys: 3 }),
        )
        .map(([name, labels]) => ({ ...labels, __name__: name })),
      values: fc.array(point, { maxLength: 20 }),
    });
    const vector = fc.array(
      fc.tuple(fc.constantFrom('first', 'second'), point).map(([id, value]) => {
        return { metric: { canaryd_indicator: id }, value };
      }),
      { maxLength: 4 },
    );
    const property = fc.asyncProperty(
      fc.array(series, { maxLength: 6 }),
      vector,
      async (matrix, elements) => {
        const answers = [json(success('matrix', matrix)), json(success('vector', elements))];
        await readTwice((query) => answers[isRaw(query) ? 0 : 1] ?? good(query));
      },
    );
    await fc.assert(property, times(250));
  });

  test('that is JSON of any kind, or none, is read or refused', async () => {
    const text = JSON.stringify(MATRIX);
    const pieces = ['{', '}', '[', ']', '"', ',', '\\u0000', '\\ud800', 'null', '1e999', '\0', '∞'];
    const body = fc.oneof(
      fc.json().map((written) => Buffer.from(written)),
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      edits(pieces).map((changes) => Buffer.from(edited(text, changes))),
    );
    const status = fc.constantFrom(
      '200 OK',
      '204 No',
      '400 Bad',
      '422 X',
      '429 Y',
      '500 Z',
      '599 ',
    );
    const property = fc.asyncProperty(body, status, async (bytes, line) => {
      await readTwice(() => http(bytes, [], line));
    });
    await fc.assert(property, times(250));
  });

  test('whose points come late, twice or in disorder is read as if in order', async () => {
    const reader = async (matrix: unknown) => {
      api.reply = () => json(matrix);
      return source().read(request({ indicators: request().indicators.slice(0, 5) }));
    };
    const values = points((index) => String(index * 10));
    const series = { metric: { __name__: 'all', job: 'j', instance: 'a:1' } };
    const ordered = await reader(success('matrix', [{ ...series, values }]));
    const order = fc.shuffledSubarray([...values, ...values], { minLength: 24, maxLength: 24 });
    const property = fc.asyncProperty(order, async (shuffled) => {
      const readings = await reader(success('matrix', [{ ...series, values: shuffled }]));
      expect(readings).toEqual(ordered);
    });
    await fc.assert(property, times(40));
  });
});

type Case = readonly [name: string, reply: () => Reply, wanted: Partial<Reading>];

const HTML = '<html><body>Log in</body></html>';
const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';
const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const odd = (value: unknown) => () => json(success('vector', [], { warnings: value }));
const WIRE: readonly Case[] = [
  ['HTML with 200', () => http(HTML), { reason: 'rejected' }],
  ['an empty body', () => http(''), { reason: 'rejected' }],
  ['no bytes at all', () => ({ bytes: '', end: true }), { reason: 'unreachable' }],
  ['no HTTP', () => ({ bytes: 'SSH-2.0-OpenSSH_9.2\r\n', end: true }), { reason: 'unreachable' }],
  ['half a head', () => ({ bytes: 'HTTP/1.1 200 O', end: true }), { reason: 'unreachable' }],
  [
    'fewer bytes than said',
    () => ({ bytes: `${HEAD}content-length: 500\r\n\r\n{"status":`, end: true }),
    { reason: 'unreachable' },
  ],
  [
    'a length that is no number',
    () => ({ bytes: `${HEAD}content-length: many\r\n\r\n{}`, end: true }),
    { reason: 'unreachable' },
  ],
  [
    'broken chunks',
    () => ({ bytes: `${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n{}`, end: true }),
    { reason: 'unreachable' },
  ],
  [
    'a length and chunks',
    () => ({ bytes: `${HEAD}content-length: 9\r\ntransfer-encoding: chunked\r\n\r\n`, end: true }),
    { reason: 'unreachable' },
  ],
  [
    'gzip that is none',
    () => http('no gzip', ['content-encoding: gzip']),
    { reason: 'unreachable' },
  ],
  [
    'gzip that is cut',
    () => http(gzipSync(JSON.stringify(MATRIX)).subarray(0, 40), ['content-encoding: gzip']),
    { reason: 'rejected' },
  ],
  ['an encoding nobody knows', () => http('xx', ['content-encoding: zz']), { reason: 'rejected' }],
  [
    'a redirect',
    () => http('', ['location: http://127.0.0.1:9/'], '302 Found'),
    { reason: 'rejected' },
  ],
  ['a redirect to nowhere', () => http('', [], '307 No'), { reason: 'rejected' }],
  [
    'headers without end',
    () => ({ bytes: `${HEAD}x: ${'y'.repeat(200_000)}`, end: false }),
    { reason: 'unreachable' },
  ],
  ['deep JSON', () => http(deep(200_000)), { reason: 'rejected' }],
  ['deep JSON as warnings', () => http(`{"status":"success","warnings":[${deep(200_000)}]}`), {}],
  ['warnings that are no text', odd(ODD_VALUES), {}],
  ['warnings that hide their text', odd([{ toString: 1, valueOf: 1 }]), {}],
  ['an error that is no text', () => json({ status: 'error', error: {}, errorType: [] }), {}],
  [
    'an error of megabytes',
    () => json({ status: 'error', errorType: 'bad_data', error: '\u{1f600}'.repeat(500_000) }),
    { reason: 'rejected' },
  ],
  ['a login page with 401', () => http(HTML, [], '401 No'), { reason: 'rejected' }],
  ['404 as plain text', () => http('404 page not found', [], '404 No'), { reason: 'rejected' }],
  ['503 timeout', () => http('{"errorType":"timeout"}', [], '503 X'), { reason: 'unreachable' }],
];

describe('a flood', () => {
  test('of series is read, or refused, and never too much for a call', async () => {
    const flood = Array.from({ length: 200_000 }, (_, index) => ({
      metric: { __name__: 'all', pod: `p${index}` },
      values: [[second(AT_MS) - 5, '1']],
    }));
    const all = json(success('matrix', flood));
    api.reply = () => all;
    const kinds = ['min', 'max', 'sum', 'avg'] as const;
    const metric = { metric: 'all', matchers: [] };
    const common = { title: 'x', unit: 'number' };
    const indicators = kinds.map((aggregate): SeriesIndicator => {
      return { ...common, kind: 'gauge', id: aggregate, metric, aggregate, negate: false };
    });
    const readings = await source({ timeoutMs: 20_000 }).read(request({ indicators }));
    expect(readings).toMatchObject({
      min: { value: 1 },
      max: { value: 1 },
      sum: { value: 200_000 },
    });
  });
});

describe('on the wire', () => {
  test.each(WIRE)('%s blinds every indicator', async (_, reply, wanted) => {
    const readings = await readTwice(reply, { timeoutMs: 1_000 });
    for (const reading of Object.values(readings)) {
      expect(reading).toMatchObject({ kind: 'blind', ...wanted });
    }
  });

  test.each<readonly [string, Reply]>([
    ['never begins', { bytes: '', end: false }],
    ['stops in the middle', { bytes: `${HEAD}content-length: 9\r\n\r\n{`, end: false }],
    ['continues for ever', { bytes: 'HTTP/1.1 100 Continue\r\n\r\n', end: false, endless: true }],
  ])('an answer that %s is cut off by the time limit', async (_, reply) => {
    const readings = await readTwice(() => reply, { timeoutMs: 300 });
    expect(readings['gauge']).toMatchObject({ kind: 'blind', reason: 'unreachable' });
  });

  test('an answer without end is cut off by its size', async () => {
    const bytes = `10000\r\n${' '.repeat(65_536)}\r\n`;
    const head = `${HEAD}transfer-encoding: chunked\r\n\r\n`;
    api.reply = () => ({ head, bytes, end: false, endless: true });
    const indicators = request().indicators.slice(0, 1);
    const { ratio } = await source({ timeoutMs: 10_000 }).read(request({ indicators }));
    expect(ratio).toMatchObject({
      reason: 'rejected',
      detail: expect.stringContaining('larger than'),
    });
  });

  test('an answer that unpacks to more than is allowed is refused', async () => {
    const bomb = gzipSync(Buffer.alloc(80_000_000, ' '));
    const readings = await readTwice(() => http(bomb, ['content-encoding: gzip']));
    expect(readings['gauge']).toMatchObject({
      reason: 'rejected',
      detail: expect.stringContaining('larger than'),
    });
  });
});
