import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sendWebhook } from '../../src/act/webhook.ts';
import type { Outcome } from '../../src/core/delivery.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { payload, SECRET, values, webhookOptions } from './sample.ts';

let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver({ secret: SECRET });
});
afterEach(() => receiver.accept());
afterAll(() => receiver.close());

function selfSigned(): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-tls-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const paths = ['-keyout', key, '-out', cert, '-subj', '/CN=receiver'];
  spawnSync('openssl', ['req', '-x509', ...curve, '-days', '2', ...paths]);
  const pair = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  rmSync(folder, { recursive: true });
  return pair;
}

function retryable(outcome: Outcome) {
  expect(outcome.kind).toBe('retryable');
  return outcome as Extract<Outcome, { kind: 'retryable' }>;
}

describe('sendWebhook', () => {
  it('posts the payload, signed, under its delivery id', async () => {
    const outcome = await sendWebhook(webhookOptions(`${receiver.url}/signed`, { attempt: 3 }));
    expect(outcome).toEqual({
      kind: 'delivered',
      detail: expect.stringMatching(/^HTTP 202 in \d+ ms$/),
    });
    expect(receiver.requests.at(-1)).toMatchObject({
      method: 'POST',
      path: '/signed',
      id: 'w_1-rollback',
      valid: true,
      json: payload,
      headers: {
        'content-type': 'application/json',
        'user-agent': 'canaryd/9.9.9',
        'webhook-id': 'w_1-rollback',
        'idempotency-key': 'w_1-rollback',
        'canaryd-attempt': '3',
      },
    });
  });

  it('stamps the second of this attempt', async () => {
    const nowMs = Date.now() - 60_999;
    await sendWebhook(webhookOptions(`${receiver.url}/stamp`, { nowMs }));
    const stamp = receiver.requests.at(-1)?.headers['webhook-timestamp'];
    expect(stamp).toBe(`${Math.floor(nowMs / 1_000)}`);
    expect(receiver.requests.at(-1)?.valid).toBe(true);
  });

  it('sends no signature without a secret', async () => {
    const open = await startReceiver();
    await sendWebhook(webhookOptions(open.url, { secret: null }));
    expect(open.requests[0]?.headers).not.toHaveProperty('webhook-signature');
    await open.close();
  });

  it('is refused by a receiver that has another secret', async () => {
    const outcome = await sendWebhook(webhookOptions(receiver.url, { secret: 'another one' }));
    expect(outcome).toMatchObject({ kind: 'refused', reason: 'client_error' });
  });

  it('keeps configured headers, but none can replace what signs the request', async () => {
    const headers = { Authorization: 'Bearer abc', 'Webhook-Id': 'forged', 'X-Team': 'ops' };
    await sendWebhook(webhookOptions(`${receiver.url}/headers`, { headers }));
    expect(receiver.requests.at(-1)?.headers).toMatchObject({
      authorization: 'Bearer abc',
      'webhook-id': 'w_1-rollback',
      'x-team': 'ops',
    });
  });

  it.each([
    [200, { kind: 'delivered' }],
    [204, { kind: 'delivered' }],
    [301, { kind: 'refused', reason: 'redirect' }],
    [304, { kind: 'refused', reason: 'redirect' }],
    [307, { kind: 'refused', reason: 'redirect' }],
    [400, { kind: 'refused', reason: 'client_error' }],
    [401, { kind: 'refused', reason: 'client_error' }],
    [403, { kind: 'refused', reason: 'client_error' }],
    [404, { kind: 'refused', reason: 'client_error' }],
    [405, { kind: 'refused', reason: 'client_error' }],
    [408, { kind: 'retryable', reason: 'client_error', maybeDelivered: false }],
    [409, { kind: 'retryable', reason: 'client_error', maybeDelivered: true }],
    [410, { kind: 'refused', reason: 'client_error' }],
    [412, { kind: 'refused', reason: 'client_error' }],
    [413, { kind: 'refused', reason: 'client_error' }],
    [415, { kind: 'refused', reason: 'client_error' }],
    [418, { kind: 'refused', reason: 'client_error' }],
    [422, { kind: 'refused', reason: 'client_error' }],
    [425, { kind: 'retryable', reason: 'client_error', maybeDelivered: false }],
    [429, { kind: 'retryable', reason: 'rate_limited', maybeDelivered: false }],
    [500, { kind: 'retryable', reason: 'server_error', maybeDelivered: false }],
    [501, { kind: 'refused', reason: 'server_error' }],
    [502, { kind: 'retryable', reason: 'server_error', maybeDelivered: true }],
    [503, { kind: 'retryable', reason: 'server_error', maybeDelivered: false }],
    [504, { kind: 'retryable', reason: 'server_error', maybeDelivered: true }],
    [505, { kind: 'refused', reason: 'server_error' }],
    [507, { kind: 'retryable', reason: 'server_error', maybeDelivered: true }],
    [520, { kind: 'retryable', reason: 'server_error', maybeDelivered: true }],
    [522, { kind: 'retryable', reason: 'server_error', maybeDelivered: true }],
    [529, { kind: 'retryable', reason: 'server_error', maybeDelivered: true }],
  ])('takes HTTP %i for what it means', async (status, expected) => {
    receiver.once.respond(status);
    const outcome = await sendWebhook(webhookOptions(`${receiver.url}/status`));
    expect(outcome).toMatchObject({
      ...expected,
      detail: expect.stringContaining(`HTTP ${status}`),
    });
  });

  it('passes on what Retry-After asks for, in seconds or as a date', async () => {
    const nowMs = Date.parse('2026-11-21T22:05:00Z');
    const open = await startReceiver();
    open.once.respond(503, { 'retry-after': '7' });
    open.once.respond(429, { 'retry-after': 'Sat, 21 Nov 2026 22:05:30 GMT' });
    open.once.respond(503);
    const send = () => sendWebhook(webhookOptions(open.url, { nowMs }));
    expect(retryable(await send()).retryAfterMs).toBe(7_000);
    expect(retryable(await send()).retryAfterMs).toBe(30_000);
    expect(retryable(await send()).retryAfterMs).toBeNull();
    await open.close();
  });

  it('does not follow a redirect', async () => {
    receiver.path('/from').respond(307, { location: `${receiver.url}/to` });
    const outcome = await sendWebhook(webhookOptions(`${receiver.url}/from`));
    expect(outcome).toMatchObject({ kind: 'refused', reason: 'redirect' });
    expect(receiver.requests.filter(({ path }) => path === '/to')).toEqual([]);
  });

  it('says "may have arrived" when the receiver accepts and never answers', async () => {
    receiver.path('/silent').acceptThenHang();
    const options = webhookOptions(`${receiver.url}/silent`, { timeoutMs: 200 });
    expect(await sendWebhook(options)).toMatchObject({
      kind: 'retryable',
      reason: 'timeout',
      maybeDelivered: true,
      detail: expect.stringContaining('may have arrived'),
    });
    await sendWebhook(options);
    expect(receiver.requests.filter(({ path }) => path === '/silent')).toHaveLength(2);
    expect(receiver.keys('/silent')).toEqual(['w_1-rollback']);
  });

  it('says "may have arrived" when the connection is reset after the request', async () => {
    receiver.path('/reset').reset();
    const outcome = await sendWebhook(webhookOptions(`${receiver.url}/reset`));
    expect(retryable(outcome)).toMatchObject({ reason: 'network', maybeDelivered: true });
  });

  it('says "may have arrived" when the answer breaks off or is not HTTP', async () => {
    const answers = ['HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nonly this', 'SSH-2.0-x\r\n'];
    for (const answer of answers) {
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => socket.end(answer));
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      const outcome = await sendWebhook(webhookOptions(`http://127.0.0.1:${port}/`));
      expect(retryable(outcome)).toMatchObject({ reason: 'network', maybeDelivered: true });
      server.close();
    }
  });

  it('knows that a refused connection did not deliver', async () => {
    const gone = await startReceiver();
    await gone.close();
    expect(retryable(await sendWebhook(webhookOptions(gone.url)))).toMatchObject({
      reason: 'network',
      maybeDelivered: false,
      detail: 'connection refused',
    });
  });

  it('tries again where TLS fails for any reason but a certificate', async () => {
    const url = receiver.url.replace('http:', 'https:');
    expect(await sendWebhook(webhookOptions(url))).toMatchObject({
      kind: 'retryable',
      reason: 'tls',
      maybeDelivered: true,
    });
  });

  it('tries again after a TLS alert of a receiver that is not ready', async () => {
    // A server without any certificate answers each handshake with the alert handshake_failure.
    const server = createTlsServer({}).listen(0, '127.0.0.1');
    server.on('tlsClientError', () => undefined);
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const outcome = await sendWebhook(webhookOptions(`https://127.0.0.1:${port}/`));
    server.close();
    expect(outcome).toMatchObject({ kind: 'retryable', reason: 'tls' });
  });

  it('refuses a certificate that nobody vouches for', async () => {
    const server = createTlsServer(selfSigned()).listen(0, '127.0.0.1');
    server.on('tlsClientError', () => undefined);
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const outcome = await sendWebhook(webhookOptions(`https://127.0.0.1:${port}/`));
    server.close();
    expect(outcome).toMatchObject({ kind: 'refused', reason: 'tls' });
  });

  it('is interrupted by its signal', async () => {
    receiver.path('/stop').hang();
    const stop = new AbortController();
    const sent = sendWebhook(webhookOptions(`${receiver.url}/stop`, { signal: stop.signal }));
    await expect.poll(() => receiver.requests.at(-1)?.path).toBe('/stop');
    stop.abort();
    expect(retryable(await sent)).toMatchObject({ reason: 'interrupted', maybeDelivered: true });
  });

  it('keeps a short, clean piece of the answer', async () => {
    receiver.once.respond(422, {}, `no such\r\n\tapp \u001b[31mred\u0000 ${'x'.repeat(500)}`);
    const { detail } = await sendWebhook(webhookOptions(receiver.url));
    expect(detail).toMatch(/^HTTP 422: no such app red x+…$/);
    expect([...detail]).toHaveLength('HTTP 422: '.length + 200);
  });

  it.each([
    ['a secret that cannot sign', { secret: 'whsec_%%%' }, 'secret: '],
    ['a header with a line end', { headers: { 'x-a': 'b\r\nx-c: d' } }, 'headers.x-a: '],
    ['a header without a proper name', { headers: { 'x a': 'b' } }, 'headers.x a: '],
  ])('is misconfigured with %s', async (_, more, found) => {
    const outcome = await sendWebhook(webhookOptions(receiver.url, more));
    expect(outcome).toMatchObject({ kind: 'refused', reason: 'misconfigured' });
    expect(outcome.detail).toContain(found);
  });

  it('fills path and query', async () => {
    const version = '1/../2 ü&x=1';
    await sendWebhook(
      webhookOptions(`${receiver.url}/apps/\${service}/\${version}?v=\${version}`, {
        values: { ...values, version },
      }),
    );
    const encoded = encodeURIComponent(version);
    expect(receiver.requests.at(-1)?.target).toBe(`/apps/aurora/${encoded}?v=${encoded}`);
  });

  it('puts no secret into any outcome, whatever the receiver answers', async () => {
    const url = `${receiver.url.replace('http://', 'http://me:pass%20word@')}/leak?token=t0ken-in-url`;
    const headers = { Authorization: 'Bearer bearer-secret', 'X-Ref': 'ref-secret' };
    const via = {
      kind: 'webhook',
      url,
      secret: { secret: 'S' },
      headers: { Authorization: 'Bearer bearer-secret', 'X-Ref': { secret: 'REF' } },
    } as const;
    const secret = `${SECRET} other-secret`;
    const known = /t0ken|me:|pass word|pass%20|bearer-secret|ref-secret|other-secret|dGhpcyBp/;
    const echo = [
      'POST /leak?token=t0ken-in-url me:pass word pass%20word ref-secret other-secret',
      `Authorization: Bearer bearer-secret; bearer-secret ${SECRET} ${SECRET.slice(6)}`,
    ].join('\n');
    expect(echo).toMatch(known);
    const details: string[] = [];
    const send = async () => {
      const options = webhookOptions(url, { via, headers, secret, timeoutMs: 300 });
      details.push(JSON.stringify(await sendWebhook(options)));
    };
    for (const status of [200, 202, 302, 400, 401, 409, 429, 500, 501, 503]) {
      receiver.once.respond(status, { location: url, 'x-echo': 'bearer-secret' }, echo);
      await send();
    }
    receiver.once.hang();
    await send();
    receiver.once.reset();
    await send();
    expect(details).toHaveLength(12);
    expect(details.filter((detail) => known.test(detail))).toEqual([]);
  });
});
