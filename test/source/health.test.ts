import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { createHealthReader } from '../../src/source/health.ts';
import { aHealthCheck } from '../support/build.ts';

const readHealth = createHealthReader({ clock: systemClock });
const never = new AbortController().signal;

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/health`;
}

async function answering(status: number, body = '', headers = {}) {
  return serve((_request, response) => response.writeHead(status, headers).end(body));
}

const status = { pointer: '/status', equals: 'ok' };

describe('a health endpoint', () => {
  it.each([200, 204, 299])('is well with HTTP %i', async (code) => {
    const url = await answering(code);
    const reading = await readHealth(aHealthCheck({ url }), never);
    expect(reading).toEqual({
      kind: 'value',
      value: 1,
      detail: expect.stringMatching(new RegExp(`^HTTP ${code} in \\d+ ms$`)),
    });
  });

  it.each([404, 429, 500, 503])('fails with HTTP %i', async (code) => {
    const url = await answering(code);
    const reading = await readHealth(aHealthCheck({ url }), never);
    const detail = expect.stringMatching(new RegExp(`^HTTP ${code} in \\d+ ms$`));
    expect(reading).toEqual({ kind: 'value', value: 0, detail });
  });

  it('accepts only the statuses of the policy, when it names some', async () => {
    const url = await answering(200);
    const check = (accepted: number[]) =>
      readHealth(aHealthCheck({ url, status: accepted }), never);
    expect(await check([429, 503])).toMatchObject({ value: 0 });
    expect(await check([429, 200])).toMatchObject({ value: 1 });
  });

  it('fails with a redirect, which is not followed', async () => {
    const elsewhere = await answering(200);
    const url = await answering(302, '', { location: elsewhere });
    const reading = await readHealth(aHealthCheck({ url }), never);
    expect(reading).toMatchObject({ value: 0 });
    expect(reading.detail).toMatch(/^HTTP 302 in \d+ ms; redirects are not followed$/);
  });

  it('does not quote a header of ours that it echoes', async () => {
    const url = await answering(200, '{"status":"no: Bearer hunter2-hunter2"}');
    const headers = { authorization: 'Bearer hunter2-hunter2' };
    const reading = await readHealth(aHealthCheck({ url, headers, json: status }), never);
    expect(reading).toMatchObject({ value: 0, detail: expect.stringContaining('[redacted]') });
    expect(reading.detail).not.toContain('hunter');
  });

  it('fails when the field holds more than can be told', async () => {
    const url = await answering(200, `{"status":${'['.repeat(30_000)}${']'.repeat(30_000)}}`);
    const reading = await readHealth(aHealthCheck({ url, json: status }), never);
    expect(reading).toMatchObject({ value: 0, detail: expect.stringContaining('too deeply') });
  });

  it('that cannot be asked with the values of the deploy is blind, not failing', async () => {
    const reading = await readHealth(aHealthCheck({ url: '' }), never);
    expect(reading).toMatchObject({ kind: 'blind', reason: 'rejected' });
  });

  it('fails when it does not answer in time', async () => {
    const url = await serve(() => {});
    const reading = await readHealth(aHealthCheck({ url, timeoutMs: 50 }), never);
    expect(reading).toEqual({ kind: 'value', value: 0, detail: 'no answer within 50 ms' });
  });

  it('fails when its head comes in time and its body does not', async () => {
    const url = await serve((_request, response) => response.writeHead(200).write('o'));
    const reading = await readHealth(aHealthCheck({ url, timeoutMs: 100 }), never);
    expect(reading).toEqual({ kind: 'value', value: 0, detail: 'no answer within 100 ms' });
  });

  it('fails when nobody listens, and does not say where', async () => {
    const url = 'http://user:hunter2@127.0.0.1:1/health';
    const reading = await readHealth(aHealthCheck({ url }), never);
    expect(reading).toMatchObject({ kind: 'value', value: 0 });
    expect(reading.detail).toMatch(/^connection refused after \d+ ms$/);
  });

  it('fails when its page is larger than 1 MB', async () => {
    const url = await answering(200, 'x'.repeat(1_000_001));
    const reading = await readHealth(aHealthCheck({ url }), never);
    expect(reading).toMatchObject({ value: 0 });
    expect(reading.detail).toMatch(/^answer larger than 1000000 bytes/);
  });

  it('is sent the headers of the policy', async () => {
    const url = await serve((request, response) =>
      response.writeHead(request.headers['x-probe'] === 'canaryd' ? 200 : 401).end(),
    );
    const check = aHealthCheck({ url, headers: { 'x-probe': 'canaryd' } });
    expect(await readHealth(check, never)).toMatchObject({ value: 1 });
  });

  it('is not judged when canaryd itself stops asking', async () => {
    const url = await serve(() => {});
    const stopping = new AbortController();
    const reading = readHealth(aHealthCheck({ url }), stopping.signal);
    stopping.abort();
    expect(await reading).toMatchObject({ kind: 'blind', reason: 'unreachable' });
  });
});

describe('a field of the health page', () => {
  it.each([
    ['{"status":"ok"}', '/status', 'ok'],
    ['{"db":{"up":true}}', '/db/up', 'true'],
    ['{"checks":[{"a/b":1}]}', '/checks/0/a~1b', '1'],
    ['"ok"', '', 'ok'],
  ])('is as wanted in %s at %s', async (body, pointer, equals) => {
    const url = await answering(200, body);
    const check = aHealthCheck({ url, json: { pointer, equals } });
    expect(await readHealth(check, never)).toMatchObject({ value: 1 });
  });

  it.each([
    ['{"status":"starting"}', 'status is "starting", wanted "ok"'],
    ['{"state":"ok"}', 'status is missing, wanted "ok"'],
    ['{"status":null}', 'status is "null", wanted "ok"'],
    ['[]', 'status is missing, wanted "ok"'],
    ['<html>ok</html>', 'the body is not JSON'],
  ])('is not as wanted in %s', async (body, detail) => {
    const url = await answering(200, body);
    const reading = await readHealth(aHealthCheck({ url, json: status }), never);
    expect(reading).toEqual({ kind: 'value', value: 0, detail });
  });

  it('does not outweigh the status', async () => {
    const url = await answering(503, '{"status":"ok"}');
    expect(await readHealth(aHealthCheck({ url, json: status }), never)).toMatchObject({
      value: 0,
    });
  });
});
