import { describe, expect, it } from 'vitest';
import {
  actorOf,
  idempotencyKeyOf,
  isLoopbackHost,
  type Scope,
  tokenMatcher,
} from '../../src/http/auth.ts';
import { api } from '../support/http-server.ts';

const token = (name: string, secret: string, scopes: readonly Scope[]) => ({
  name,
  scopes,
  matches: tokenMatcher(secret),
});
const TOKENS = [
  token('viewer', 'read-secret', ['read']),
  token('ci', 'start-secret', ['start']),
  token('oncall', 'act-secret', ['act']),
  token('nothing', 'nothing-secret', []),
];
const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` });
const START = { service: 'aurora', version: '1.4.0' };
const HUMAN = { reason: 'wrong prices' };

async function withWatch() {
  const server = api({ tokens: TOKENS });
  const { watch } = await server.control.start({ ...START, parameters: {} });
  server.control.commands.length = 0;
  return { ...server, id: watch.id };
}

const ROUTES: readonly [
  scope: Scope,
  method: 'GET' | 'POST' | 'DELETE',
  url: string,
  body?: object,
][] = [
  ['start', 'POST', '/v1/watches', START],
  ['read', 'GET', '/v1/watches'],
  ['read', 'GET', '/v1/watches/ID'],
  ['read', 'GET', '/v1/watches/ID/journal'],
  ['read', 'GET', '/v1/watches/ID/samples'],
  ['read', 'GET', '/v1/watches/ID/deliveries'],
  ['read', 'GET', '/v1/hold'],
  ['act', 'POST', '/v1/watches/ID/ack', HUMAN],
  ['act', 'POST', '/v1/watches/ID/resolve', HUMAN],
  ['act', 'POST', '/v1/watches/ID/extend', { ...HUMAN, by_duration: '2h' }],
  ['act', 'POST', '/v1/watches/ID/stop', HUMAN],
  ['act', 'POST', '/v1/watches/ID/cancel', HUMAN],
  ['act', 'POST', '/v1/hold', HUMAN],
  ['act', 'DELETE', '/v1/hold?reason=over'],
];

describe('scopes', () => {
  it.each(ROUTES)('%s alone opens %s %s', async (scope, method, url, payload) => {
    const { app, id } = await withWatch();
    const ask = async (secret: string) =>
      (
        await app.inject({
          method,
          url: url.replace('ID', id),
          headers: bearer(secret),
          ...(payload === undefined ? {} : { payload }),
        })
      ).statusCode;
    const others = ['read', 'start', 'act', 'nothing'].filter((name) => name !== scope);
    expect(await Promise.all(others.map((name) => ask(`${name}-secret`)))).toEqual([403, 403, 403]);
    expect(await ask(`${scope}-secret`)).toBeOneOf([200, 201]);
  });

  it.each(['/livez', '/readyz', '/metrics', '/openapi.json'])('%s needs no token', async (url) => {
    const { app } = await withWatch();
    expect((await app.inject(url)).statusCode).toBe(200);
  });

  it.each([
    [{}, 'Bearer realm="canaryd"'],
    [bearer('wrong'), 'Bearer realm="canaryd", error="invalid_token"'],
    [{ authorization: 'Basic YTpi' }, 'Bearer realm="canaryd"'],
    [bearer('x'.repeat(600)), 'Bearer realm="canaryd"'],
  ])('%j is 401 and says how to authenticate', async (headers, challenge) => {
    const { app } = await withWatch();
    const answer = await app.inject({ url: '/v1/watches', headers });
    expect(answer.statusCode).toBe(401);
    expect(answer.headers['www-authenticate']).toBe(challenge);
    expect(answer.json().type).toBe('urn:canaryd:problem:unauthorized');
  });

  it('guards HEAD like GET', async () => {
    const { app } = await withWatch();
    const ask = async (secret: string) =>
      (await app.inject({ method: 'HEAD', url: '/v1/hold', headers: bearer(secret) })).statusCode;
    expect([await ask('wrong'), await ask('act-secret'), await ask('read-secret')]).toEqual([
      401, 403, 200,
    ]);
  });

  it('never repeats the secret that was given', async () => {
    const { app, log } = await withWatch();
    const answer = await app.inject({ url: '/v1/watches', headers: bearer('wrong-secret-42') });
    expect(answer.body + log.join('')).not.toContain('wrong-secret-42');
  });

  it('refuses before it reads or validates a body', async () => {
    const { app } = await withWatch();
    const answer = await app.inject({ method: 'POST', url: '/v1/watches', payload: { x: 1 } });
    expect(answer.statusCode).toBe(401);
  });
});

describe('who is recorded', () => {
  it('is the token when nobody is named, and both when somebody is', async () => {
    const { app, control, id } = await withWatch();
    const headers = bearer('act-secret');
    const url = `/v1/watches/${id}/ack`;
    await app.inject({ method: 'POST', url, headers, payload: HUMAN });
    await app.inject({ method: 'POST', url, headers, payload: { ...HUMAN, by: 'alice' } });
    const names = control.commands.map(({ argument }) => (argument as { by: string }).by);
    expect(names).toEqual(['oncall', 'alice (oncall)']);
  });

  it('is local without tokens', () => {
    expect(actorOf(undefined, null)).toBe('local');
    expect(actorOf('alice', null)).toBe('alice');
  });

  it('is the token of a pipeline that starts a watch', async () => {
    const { app, control } = await withWatch();
    const headers = bearer('start-secret');
    await app.inject({ method: 'POST', url: '/v1/watches', headers, payload: START });
    expect(control.commands[0]?.argument).toMatchObject({ by: 'ci' });
  });
});

describe('without tokens', () => {
  it.each([
    ['a rebound name', { host: 'evil.example' }],
    ['a name that only begins like loopback', { host: '127.0.0.1.evil.example:7766' }],
    ['a foreign origin', { host: 'localhost', origin: 'https://evil.example' }],
    ['an opaque origin', { host: 'localhost', origin: 'null' }],
    ['another port', { host: 'localhost:7766', origin: 'http://localhost:3000' }],
    ['a cross-site request', { host: 'localhost', 'sec-fetch-site': 'cross-site' }],
  ])('refuses %s', async (_, headers) => {
    const { app, control } = api();
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/watches',
      headers,
      payload: START,
    });
    expect(answer.statusCode).toBe(403);
    expect(answer.json().type).toBe('urn:canaryd:problem:foreign_request');
    expect(control.commands).toEqual([]);
  });

  it.each([
    { host: 'localhost:7766' },
    { host: '127.0.0.1:7766', origin: 'http://127.0.0.1:7766' },
    { host: '[::1]:7766' },
  ])('takes %j', async (headers) => {
    const { app } = api();
    expect((await app.inject({ url: '/v1/watches', headers })).statusCode).toBe(200);
  });

  it('a host name beside loopback is fine once tokens guard the API', async () => {
    const { app } = api({ tokens: TOKENS });
    const headers = { host: 'canaryd.example', ...bearer('read-secret') };
    expect((await app.inject({ url: '/v1/watches', headers })).statusCode).toBe(200);
  });
});

describe('isLoopbackHost', () => {
  it.each(['localhost', 'LOCALHOST:1', '127.0.0.1', '127.8.9.1:80', '[::1]:80'])('%s', (host) => {
    expect(isLoopbackHost(host)).toBe(true);
  });
  it.each(['', 'localhost.evil', '128.0.0.1', '127.0.0.1@evil', '::1', '0.0.0.0'])(
    'not %j',
    (host) => {
      expect(isLoopbackHost(host)).toBe(false);
    },
  );
});

describe('idempotencyKeyOf', () => {
  it('takes the key with and without quotes', () => {
    expect(idempotencyKeyOf('"run-42"')).toBe('run-42');
    expect(idempotencyKeyOf(' run-42 ')).toBe('run-42');
    expect(idempotencyKeyOf(undefined)).toBeUndefined();
    expect(idempotencyKeyOf(`"${'k'.repeat(200)}"`)).toHaveLength(200);
  });
  it.each(['', '""', 'k'.repeat(201), 'schlüssel'])('refuses %j', (header) => {
    expect(() => idempotencyKeyOf(header)).toThrow('idempotency-key');
  });
});
