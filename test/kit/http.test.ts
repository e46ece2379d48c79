// The one way out, on real sockets: what is an answer, what is a failure, and what a failure says.
import { EventEmitter, getEventListeners, once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type HttpRequest, retryAfterMs, send } from '../../src/kit/http.ts';
import { T0 } from '../support/build.ts';

const SECRET = 'hunter2-hunter2';

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server below HTTP: for what no HTTP server would send. */
async function serveRaw(onSocket: (socket: Socket) => void): Promise<string> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    onSocket(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** With a secret in the URL and in a header, so that every failure can be searched for them. */
function get(url: string, over: Partial<HttpRequest> = {}) {
  const headers = { authorization: `Bearer ${SECRET}` };
  const request = { method: 'GET', headers, timeoutMs: 5_000, responseBytesMax: 1_000 } as const;
  return send({ ...request, url: `${url}/x?token=${SECRET}`, ...over });
}

describe('send', () => {
  it('gives status, lower-case headers and the body as text, whatever the status', async () => {
    const url = await serve((_, response) => {
      response.writeHead(503, { 'X-Kind': 'maintenance', 'content-type': 'application/json' });
      response.end('{"a":1}');
    });
    const answer = await get(url);
    expect(answer).toMatchObject({ kind: 'answered', status: 503, body: '{"a":1}' });
    expect(answer).toHaveProperty('headers.x-kind', 'maintenance');
  });

  it('sends method, headers and body as they are', async () => {
    const seen = Promise.withResolvers<unknown>();
    const url = await serve(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      seen.resolve([request.method, request.headers['webhook-id'], body]);
      response.end();
    });
    await get(url, { method: 'POST', headers: { 'webhook-id': 'w_1' }, body: '{"a":"ü"}' });
    expect(await seen.promise).toEqual(['POST', 'w_1', '{"a":"ü"}']);
  });

  it.each([301, 302, 307, 308])('takes a redirect (%d) for an answer', async (status) => {
    const paths: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      paths.push(request.url);
      response.writeHead(status, { location: '/elsewhere' }).end();
    });
    expect(await get(url)).toMatchObject({ kind: 'answered', status });
    expect(paths).toHaveLength(1);
  });

  it('goes straight to the target, whatever proxy the environment names', async () => {
    vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:1');
    vi.stubEnv('http_proxy', 'http://127.0.0.1:1');
    const url = await serve((_, response) => void response.end('direct'));
    expect(await get(url)).toMatchObject({ kind: 'answered', body: 'direct' });
  });

  it('bounds the whole exchange: nothing comes', async () => {
    const url = await serve(() => undefined);
    expect(await get(url, { timeoutMs: 50 })).toEqual({
      kind: 'failed',
      reason: 'timeout',
      detail: 'no answer within 50 ms',
    });
  });

  it('bounds the whole exchange: the body drips, and the connection is closed', async () => {
    const closed = new EventEmitter();
    const url = await serve((_, response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write('.'), 10);
      response.once('close', () => {
        clearInterval(drip);
        closed.emit('close');
      });
    });
    const isClosed = once(closed, 'close');
    expect(await get(url, { timeoutMs: 100 })).toMatchObject({ reason: 'timeout' });
    await isClosed;
  });

  it('reads an answer of just the size that is allowed', async () => {
    const url = await serve((_, response) => void response.end('x'.repeat(1_000)));
    expect(await get(url)).toMatchObject({ kind: 'answered', body: 'x'.repeat(1_000) });
  });

  it.each([
    ['announced', (size: number) => ({ 'content-length': String(size) })],
    ['not announced', () => ({})],
  ])('reads no answer that is one byte larger, %s', async (_, headers) => {
    const url = await serve((_request, response) => {
      response.writeHead(200, headers(1_001));
      response.write('x'.repeat(1_000));
      response.end('x');
    });
    expect(await get(url)).toEqual({
      kind: 'failed',
      reason: 'too_large',
      detail: 'answer larger than 1000 bytes',
    });
  });

  it('counts the size after decompression', async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      response.end(gzipSync('x'.repeat(1_000_000)));
    });
    expect(await get(url)).toMatchObject({ reason: 'too_large' });
  });

  it('says when the connection is refused', async () => {
    const host = await serveRaw(() => undefined);
    const port = Number(host.split(':')[1]);
    const server = createTcpServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const free = (server.address() as AddressInfo).port;
    server.close();
    await once(server, 'close');
    expect(free).not.toBe(port);
    expect(await get(`http://127.0.0.1:${free}`)).toMatchObject({ reason: 'refused_connection' });
  });

  it.each([
    ['before the answer', ''],
    ['in the middle of the answer', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'],
  ])('says when the connection is cut %s', async (_, sent) => {
    const host = await serveRaw((socket) => {
      socket.once('data', () => socket.write(sent, () => socket.resetAndDestroy()));
    });
    expect(await get(`http://${host}`)).toMatchObject({ kind: 'failed', reason: 'network' });
  });

  it('says when the answer ends before its announced length', async () => {
    const host = await serveRaw((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'));
    });
    expect(await get(`http://${host}`)).toMatchObject({ kind: 'failed', reason: 'network' });
  });

  it('says when what answers does not speak HTTP', async () => {
    const host = await serveRaw((socket) => {
      socket.once('data', () => socket.end('SSH-2.0-OpenSSH_9.9\r\n'));
    });
    expect(await get(`http://${host}`)).toMatchObject({ kind: 'failed', reason: 'network' });
  });

  it('says when what answers does not speak TLS', async () => {
    const url = await serve((_, response) => void response.end());
    const answer = await get(url.replace('http:', 'https:'));
    expect(answer).toMatchObject({ kind: 'failed', reason: 'tls' });
  });

  it('says when the host has no address', async () => {
    const answer = await get('http://aurora.invalid', {
      lookup: (_, done) => done(Object.assign(new Error('no'), { code: 'ENOTFOUND' }), []),
    });
    expect(answer).toMatchObject({ reason: 'network', detail: 'host name not found' });
  });

  it.each([
    'aurora/health',
    '/health',
    '',
    'http://',
    'http://a b',
    'ftp://127.0.0.1/x',
    'file:///etc/passwd',
    'data:text/plain,hello',
  ])('says that %j is no URL to request', async (url) => {
    expect(await get('', { url })).toMatchObject({ kind: 'failed', reason: 'bad_url' });
  });

  it.each([
    ['while it waits', () => undefined],
    ['in the middle of the body', (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\n\r\nhalf')],
  ])('ends at once when aborted %s, and says so', async (_, answer) => {
    const stopping = new AbortController();
    const host = await serveRaw((socket) => {
      socket.once('data', () => {
        answer(socket);
        setImmediate(() => stopping.abort());
      });
    });
    expect(await get(`http://${host}`, { signal: stopping.signal })).toEqual({
      kind: 'failed',
      reason: 'aborted',
      detail: 'aborted',
    });
  });

  it('asks nobody when aborted before', async () => {
    let requests = 0;
    const url = await serve((_, response) => {
      requests += 1;
      response.end();
    });
    const answer = await get(url, { signal: AbortSignal.abort() });
    expect(answer).toMatchObject({ kind: 'failed', reason: 'aborted' });
    expect(requests).toBe(0);
  });

  it('leaves nothing on a signal that lives longer than the request', async () => {
    const any = vi.spyOn(AbortSignal, 'any');
    const { signal } = new AbortController();
    const url = await serve((_, response) => void response.end());
    await get(url, { signal });
    await get(url, { signal, timeoutMs: 0 });
    await get('', { signal, url: 'nowhere' });
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    expect(any).not.toHaveBeenCalled();
  });

  it('names neither the URL nor a header in any failure', async () => {
    const silent = await serve(() => undefined);
    const large = await serve((_, response) => void response.end('x'.repeat(5_000)));
    const cut = await serveRaw((socket) => void socket.once('data', () => socket.destroy()));
    const failures = await Promise.all([
      get(silent, { timeoutMs: 20 }),
      get(silent, { signal: AbortSignal.timeout(20) }),
      get(large),
      get(`http://${cut}`),
      get(large.replace('http:', 'https:')),
      get('http://127.0.0.1:1'),
      get(`ftp://${SECRET}@127.0.0.1`),
      get(`nothing ${SECRET}`),
      get(large, { headers: { authorization: `Bearer ${SECRET}\n` } }),
    ]);
    expect(failures.map(({ kind }) => kind)).toEqual(failures.map(() => 'failed'));
    expect(JSON.stringify(failures)).not.toContain(SECRET);
    expect(JSON.stringify(failures)).not.toContain('127.0.0.1');
  });
});

describe('retryAfterMs', () => {
  it.each([
    ['0', 0],
    ['120', 120_000],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 23:59:00 GMT', 0],
    ['soon', null],
    ['', null],
  ])('reads %j as %s', (text, ms) => {
    expect(retryAfterMs({ 'retry-after': text }, T0)).toBe(ms);
  });

  it('knows nothing without the header', () => {
    expect(retryAfterMs({}, T0)).toBe(null);
  });
});
