// Bytes on real sockets: garbage, half a request, many at once. Each socket gets an answer or is
// closed within a bound, and the API answers everybody else all the while.
import { connect } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { edited, edits } from './mutate.ts';
import { expectQuiet, type RealApi, realApi, SECRETS } from './real-api.ts';
import { times } from './runs.ts';

const LIMITS = { requestMs: 300, checkEveryMs: 30, idleMs: 400, keepAliveMs: 300 };
const MANY = 300;

async function listening(api: RealApi): Promise<number> {
  return Number(new URL(await api.app.listen({ host: '127.0.0.1', port: 0 })).port);
}

/** All that comes back until the other side closes. */
function exchange(port: number, bytes: string, ends = false): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += String(chunk);
  });
  // A reset is a close, too.
  socket.on('error', () => {}).on('close', () => resolve(text));
  socket.write(Buffer.from(bytes, 'latin1'));
  if (ends) socket.end();
  return promise;
}

const statusesOf = (text: string) =>
  [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));

async function expectAlive(port: number): Promise<void> {
  const answer = await exchange(
    port,
    'GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
  );
  expect(statusesOf(answer)).toEqual([200]);
}

const auth = `authorization: Bearer ${SECRETS.all}\r\n`;
const body = '{"reason":"x"}';
const post = (path: string, more = '') =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\n${more}content-type: application/json\r\n` +
  `content-length: ${body.length}\r\n\r\n${body}`;
const GET = `GET /v1/watches HTTP/1.1\r\nhost: x\r\n${auth}\r\n`;
const PIECES = [
  ...['\r\n', '\n', '\r', '\r\n\r\n', ' ', '\t', '\0', '\xff\xfe', ':', 'HTTP/1.1', 'HTTP/9.9'],
  ...['host: y\r\n', 'content-length: 5\r\n', 'content-length: -1\r\n', 'expect: 100-continue\r\n'],
  ...['transfer-encoding: chunked\r\n', 'transfer-encoding: chunked, gzip\r\n', '5\r\nhello\r\n'],
  ...['0\r\n\r\n', 'zz\r\n', 'ffffffffffffffff\r\n', 'connection: upgrade\r\nupgrade: h2c\r\n'],
  ...['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '\x16\x03\x01', 'GET / HTTP/1.1\r\n', 'CONNECT x:1 '],
  ...['../../etc/passwd', '%00', '*', 'http://127.0.0.1:1/', `x: ${'y'.repeat(9_000)}\r\n`],
];

describe('a socket', () => {
  test('with garbage among its requests gets answers, or is closed', async () => {
    const api = await realApi(LIMITS);
    const port = await listening(api);
    const before = await api.state();
    const requests = fc.array(
      fc.constantFrom(GET, post('/v1/watches'), post('/v1/hold'), 'GET /livez HTTP/1.0\r\n\r\n'),
      { minLength: 1, maxLength: 4 },
    );
    const property = fc.asyncProperty(
      fc.array(fc.tuple(requests, edits(PIECES)), { minLength: 8, maxLength: 8 }),
      async (sockets) => {
        const sent = sockets.map(([texts, changes]) => edited(texts.join(''), changes));
        const answers = await Promise.all(sent.map((bytes) => exchange(port, bytes)));
        const text = answers.join('\n');
        expect(statusesOf(text).filter((status) => status >= 500)).toEqual([]);
        expect(text).not.toContain(SECRETS.all);
      },
    );
    await fc.assert(property, times(6));
    await expectAlive(port);
    expect(await api.state()).toBe(before);
    expectQuiet(api);
  });

  test.each([
    ['says nothing', ''],
    ['sends half a line', 'GET /liv'],
    ['sends half a head', 'GET /livez HTTP/1.1\r\nhost: x\r\n'],
    ['sends half a body', post('/v1/hold', auth).slice(0, -3)],
    ['sends half a chunk', `${GET.slice(0, -2)}transfer-encoding: chunked\r\n\r\nff\r\nab`],
    ['waits for leave to go on', post('/v1/hold', `${auth}expect: 100-continue\r\n`).slice(0, -20)],
    ['was answered and stays', 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'],
  ])('that %s is closed within a bound', async (_, bytes) => {
    const api = await realApi(LIMITS);
    const port = await listening(api);
    const before = await api.state();
    const statuses = statusesOf(await exchange(port, bytes));
    expect(statuses.filter((status) => status >= 500)).toEqual([]);
    expect(await api.state()).toBe(before);
    expectQuiet(api);
  });

  test("that leaves in the middle is nobody's trouble", async () => {
    const api = await realApi(LIMITS);
    const port = await listening(api);
    const text = post('/v1/hold', auth);
    const cuts = Array.from({ length: text.length }, (_, at) =>
      exchange(port, text.slice(0, at), true),
    );
    await Promise.all(cuts);
    await expectAlive(port);
    expectQuiet(api);
  });
});

describe('many sockets', () => {
  test('that hold half a request do not keep others waiting, and are closed', async () => {
    const api = await realApi(LIMITS);
    const port = await listening(api);
    const slow = Array.from({ length: MANY }, () => exchange(port, 'GET /livez HTTP/1.1\r\nx: '));
    await expectAlive(port);
    await Promise.all(slow);
    await expectAlive(port);
    expectQuiet(api);
  });

  test('that ask at once are all answered', async () => {
    const api = await realApi();
    const port = await listening(api);
    const asked = GET.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n');
    const answers = await Promise.all(Array.from({ length: MANY }, () => exchange(port, asked)));
    expect(answers.flatMap(statusesOf)).toEqual(Array(MANY).fill(200));
    expectQuiet(api);
  });
});
