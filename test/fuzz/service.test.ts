// What the watched service itself answers, at /metrics and at its health endpoint: a reading for
// each indicator, whatever comes. A health endpoint is never blind: no good answer is a failure.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SeriesIndicator } from '../../src/core/read.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createHealthReader } from '../../src/source/health.ts';
import { createScrapeSource } from '../../src/source/scrape.ts';
import { aHealthCheck } from '../support/build.ts';
import { edited, edits, mutated, mutation } from './mutate.ts';
import { AT_MS, expectSound, INDICATORS, request } from './prometheus-answers.ts';
import { times } from './runs.ts';

let reply: { readonly body: string | Buffer; readonly status?: number; readonly headers?: object };
const server = createServer((_, response) => {
  const { body, status = 200, headers } = reply;
  response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(body);
});
let url = '';
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/x`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const TEXT = [
  ...['# TYPE good_total counter', 'good 90', 'all 100 1767225655000', 'lat_bucket{le="0.1"} 5'],
  ...['lat_bucket{le="+Inf"} 10', 'lat_count 10', 'other{a="b",c="d\\n"} -1.5e3', ''],
].join('\n');
const PIECES = [
  ...['\n', '\r\n', '{', '}', '"', ' ', '#', '# EOF\n', 'all 5\n', 'all{a="1"} 5\n', 'NaN', '+Inf'],
  ...['1e308', '-1', '\0', 'all 1 -1\n', 'all 1 9e15\n', 'lat_bucket{le="x"} 1\n', '__proto__ 1\n'],
  ...['all{__proto__="a"} 1\n', 'all{instance="b"} 1\n', 'lat_bucket{le="+Inf"} 1e308\n'],
];

describe('the metrics of a service', () => {
  test('that are spoiled are read or refused, tick after tick', async () => {
    const scrapes = fc.array(edits(PIECES), { minLength: 2, maxLength: 5 });
    const property = fc.asyncProperty(scrapes, fc.boolean(), async (all, isOpen) => {
      const clock = { ...systemClock, nowMs: AT_MS - 60_000, now: () => clock.nowMs };
      const source = createScrapeSource({ targets: [url], headers: {}, timeoutMs: 2_000, clock });
      for (const changes of all) {
        clock.nowMs += 5_000;
        const type = isOpen ? 'application/openmetrics-text' : 'text/plain';
        const body = edited(isOpen ? `${TEXT}# EOF\n` : TEXT, changes);
        reply = { body, headers: { 'content-type': type } };
        expectSound(await source.read(request({ atMs: clock.nowMs })));
      }
    });
    await fc.assert(property, times(80));
  });

  test.each([
    ['an error', { body: 'no', status: 500 }],
    ['HTML', { body: '<html>Log in</html>' }],
    ['a redirect', { body: '', status: 302, headers: { location: '/' } }],
    ['gzip that is none', { body: 'x', headers: { 'content-encoding': 'gzip' } }],
    [
      'a packed flood',
      { body: gzipSync(Buffer.alloc(40_000_000, '\n')), headers: { 'content-encoding': 'gzip' } },
    ],
  ])('that are %s blind every indicator', async (_, answer) => {
    reply = answer;
    const options = { targets: [url], headers: {}, timeoutMs: 5_000, clock: systemClock };
    const readings = await createScrapeSource(options).read(request({ atMs: Date.now() }));
    expectSound(readings);
    expect(Object.values(readings).filter(({ kind }) => kind === 'value')).toEqual([]);
  });

  test('are one reading each also for a policy that asks twice', async () => {
    reply = { body: TEXT };
    const source = createScrapeSource({
      ...{ targets: [url], headers: {}, timeoutMs: 5_000, clock: systemClock },
    });
    const indicators: readonly SeriesIndicator[] = INDICATORS;
    const both = await Promise.all([
      source.read(request({ atMs: Date.now(), indicators })),
      source.read(request({ atMs: Date.now(), indicators, watchId: 'w_2' })),
    ]);
    for (const readings of both) expectSound(readings);
  });
});

describe('a health endpoint', () => {
  const read = createHealthReader({ clock: systemClock });
  const check = (pointer: string) =>
    read(aHealthCheck({ url, json: { pointer, equals: 'ok' } }), new AbortController().signal);

  test('with JSON of any kind passes or fails', async () => {
    const good = { status: 'ok', version: { a: ['x', { b: null }] } };
    const body = fc.oneof(
      fc.array(mutation, { maxLength: 3 }).map((changes) => JSON.stringify(mutated(good, changes))),
      fc.json(),
      fc.string({ unit: 'binary' }),
    );
    const pointer = fc.constantFrom(
      '',
      '/status',
      '/version',
      '/version/a/1',
      '/__proto__',
      '/~0~1',
    );
    const property = fc.asyncProperty(body, pointer, async (text, where) => {
      reply = { body: text ?? '' };
      const reading = await check(where);
      expect(reading.kind).toBe('value');
      expect((reading.detail ?? '').length).toBeLessThanOrEqual(300);
    });
    await fc.assert(property, times(300));
  });

  test.each([
    ['deep', `{"status":${'['.repeat(30_000)}${']'.repeat(30_000)}}`],
    ['large', `{"status":"${'x'.repeat(60_000)}"}`],
    ['endless', 'x'.repeat(10_000_000)],
  ])('with a %s answer fails', async (_, body) => {
    reply = { body };
    expect(await check('/status')).toMatchObject({ kind: 'value', value: 0 });
  });
});
