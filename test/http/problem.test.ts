import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { SERVER_LIMITS } from '../../src/http/server.ts';
import type { ErrorCode } from '../../src/kit/errors.ts';
import { api, listening } from '../support/http-server.ts';

const START = { service: 'aurora', version: '1.4.0' };
const post = { method: 'POST', url: '/v1/watches' } as const;

/** Sends bytes as they are; the answer until the server closes. */
async function raw(base: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(base).port), '127.0.0.1');
  socket.write(text);
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  return answer;
}

describe('a body', () => {
  it('with several mistakes gets all of them at once, each with its path', async () => {
    const payload = {
      service: '',
      deployed_at: 'yesterday',
      previousVersion: '1',
      parameters: { 'deploy capital': true },
      mode: 'dry',
      url: 'ftp://x',
      by: 'a\u001bb',
    };
    const answer = await api().app.inject({ ...post, payload });
    expect(answer.statusCode).toBe(400);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    const body = answer.json();
    expect(body).toMatchObject({
      type: 'urn:canaryd:problem:request_invalid',
      title: 'The request is not valid',
      status: 400,
      instance: '/v1/watches',
    });
    expect(body.errors.map(({ path }: { path: string }) => path).sort()).toEqual([
      'by',
      'deployed_at',
      'mode',
      'parameters.deploy capital',
      'previousVersion',
      'service',
      'url',
      'version',
    ]);
  });

  it('may not hold a time without offset, or too many parameters', async () => {
    const parameters = Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`p${i}`, i]));
    const payload = { ...START, deployed_at: '2026-03-01T12:00:00', parameters };
    const answer = await api().app.inject({ ...post, payload });
    expect(answer.json().errors).toEqual([
      { path: 'deployed_at', message: expect.stringContaining('with offset') },
      { path: 'parameters', message: 'at most 50 parameters' },
    ]);
  });

  it.each(['0s', '8d', '2 hours', '-1h'])('may not extend by %j', async (duration) => {
    const answer = await api().app.inject({
      method: 'POST',
      url: '/v1/watches/w_1/extend',
      payload: { reason: 'x', by_duration: duration },
    });
    expect(answer.json().errors[0].path).toBe('by_duration');
  });

  it.each([
    ['not JSON', '{"service":', 'application/json', 400, 'request_invalid'],
    ['empty', '', 'application/json', 400, 'request_invalid'],
    ['no object', '[]', 'application/json', 400, 'request_invalid'],
    ['poisoned', '{"__proto__":{"x":1}}', 'application/json', 400, 'request_invalid'],
    ['text', 'service=a', 'text/plain', 415, 'unsupported_media_type'],
    ['a form', 'service=a', 'application/x-www-form-urlencoded', 415, 'unsupported_media_type'],
    ['too large', `"${'x'.repeat(65_536)}"`, 'application/json', 413, 'body_too_large'],
  ])('that is %s is a problem', async (_, payload, type, status, kind) => {
    const headers = { 'content-type': type };
    const { app, control } = api();
    const answer = await app.inject({ ...post, payload, headers });
    expect(answer.statusCode).toBe(status);
    expect(answer.json()).toMatchObject({ status, type: `urn:canaryd:problem:${kind}` });
    expect(answer.body).not.toMatch(/ {4}at |node_modules|FST_/);
    expect(control.commands).toEqual([]);
  });

  it('that is missing is a problem', async () => {
    expect((await api().app.inject(post)).statusCode).toBe(400);
  });
});

describe('a query or header', () => {
  it.each([
    ['/v1/watches?limit=0&phase=red&what=1', ['limit', 'phase', 'what']],
    ['/v1/watches?limit=2&limit=3', ['limit']],
    ['/v1/watches/w_1/journal?after=-1&format=xml', ['after', 'format']],
    ['/v1/watches/w_1/samples?from=1&to=2', ['from', 'to']],
    ['/v1/hold?reason=a', []],
  ])('%s: %j', async (url, paths) => {
    const answer = await api().app.inject(url);
    const found = (answer.json().errors ?? []).map(({ path }: { path: string }) => path);
    expect(found.sort()).toEqual(paths);
  });

  it.each(['k'.repeat(300), '""'])('idempotency-key %j is refused', async (key) => {
    const answer = await api().app.inject({
      ...post,
      payload: START,
      headers: { 'idempotency-key': key },
    });
    expect(answer.statusCode).toBe(400);
  });
});

describe('an error of the engine', () => {
  it.each<[ErrorCode, number]>([
    ['start_invalid', 422],
    ['policy_not_found', 422],
    ['gate_missing', 409],
    ['policy_invalid', 422],
    ['watch_not_found', 404],
    ['watch_closed', 409],
    ['hold_fire', 409],
    ['conflict', 409],
    ['journal_failed', 503],
    ['config_invalid', 500],
  ])('%s is %i', async (code, status) => {
    const { app, control } = api();
    control.failWith(code, 'what went wrong');
    const answer = await app.inject({ ...post, payload: START });
    expect(answer.statusCode).toBe(status);
    expect(answer.json()).toMatchObject({
      type: `urn:canaryd:problem:${code}`,
      detail: 'what went wrong',
    });
  });

  it('that is a bug tells the caller nothing, and the log everything', async () => {
    const { app, control, log } = api();
    control.failure = new TypeError('secret internals');
    const answer = await app.inject({ ...post, payload: START });
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain('secret internals');
    expect(log.join('')).toContain('secret internals');
  });
});

describe('a path', () => {
  it.each([
    ['GET', '/nothing', 404, undefined],
    ['PUT', '/v1/watches', 405, 'POST, GET, HEAD'],
    ['DELETE', '/v1/watches/w_1', 405, 'GET, HEAD'],
    ['POST', '/v1/watches/w_1/events', 405, 'GET'],
    ['HEAD', '/v1/watches/w_1/events', 405, 'GET'],
    ['PATCH', '/v1/hold', 405, 'GET, HEAD, POST, DELETE'],
    ['OPTIONS', '/metrics', 405, 'GET, HEAD'],
  ] as const)('%s %s is %i', async (method, url, status, allow) => {
    const answer = await api().app.inject({ method, url });
    expect(answer.statusCode).toBe(status);
    expect(answer.headers.allow).toBe(allow);
    expect(answer.headers['content-type']).toBe('application/problem+json');
  });

  it('that cannot be decoded is a problem', async () => {
    const answer = await api().app.inject('/v1/watches/%zz');
    expect(answer.statusCode).toBe(400);
    expect(answer.json().type).toBe('urn:canaryd:problem:request_invalid');
  });

  it.each([`/v1/watches/${'x'.repeat(200)}`, `/v1/watches?service=${'x'.repeat(2_100)}`])(
    'that is too long is a problem',
    async (url) => {
      const answer = await api().app.inject(url);
      expect(answer.statusCode).toBe(414);
      expect(answer.json().instance.length).toBeLessThanOrEqual(200);
    },
  );
});

describe('a socket', () => {
  it('with too large headers gets a problem', async () => {
    const base = await listening(api());
    const answer = await raw(base, `GET /livez HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(answer).toContain('urn:canaryd:problem:headers_too_large');
  });

  it('with something that is not HTTP gets a problem', async () => {
    const answer = await raw(await listening(api()), 'hello\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('application/problem+json');
  });

  it('that sends too slowly is cut off with a problem', async () => {
    const server = api({ limits: { ...SERVER_LIMITS, requestMs: 100, checkEveryMs: 20 } });
    const head = 'POST /v1/watches HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n';
    const answer = await raw(
      await listening(server),
      `${head}content-type: application/json\r\n\r\n{`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('urn:canaryd:problem:request_timeout');
  });

  it('that is closed in the middle of a body is no failure of ours', async () => {
    const server = api({ limits: { ...SERVER_LIMITS, requestMs: 100, checkEveryMs: 20 } });
    const head = 'POST /v1/watches HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n';
    await raw(await listening(server), `${head}content-type: application/json\r\n\r\n{`);
    await server.app.close();
    expect(server.log.filter((line) => line.includes('request failed'))).toEqual([]);
  });

  it('with a body larger than it said gets a problem without being read to the end', async () => {
    const head = 'POST /v1/watches HTTP/1.1\r\nhost: localhost\r\ncontent-length: 70000\r\n';
    const base = await listening(api());
    const text = `${head}content-type: application/json\r\nconnection: close\r\n\r\n`;
    expect(await raw(base, text)).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('waits no longer than the handler may take', async () => {
    const server = api({ limits: { handlerMs: 50 } });
    server.control.watch = () => new Promise(() => {});
    const answer = await server.app.inject('/v1/watches/w_1');
    expect(answer.statusCode).toBe(503);
    expect(answer.json().type).toBe('urn:canaryd:problem:timeout');
  });
});
