// What may happen to any channel that speaks HTTP, and what it means: one suite for all of them.
import { describe, expect, it } from 'vitest';
import type { Send } from '../../src/notify/attempt.ts';
import type { FakeService } from '../support/fake-service.ts';
import { aStopMessage } from './sample.ts';

type Make = (over: { readonly url?: string; readonly timeoutMs?: number }) => Send;

type Troubles = {
  readonly service: () => FakeService;
  readonly make: Make;
  readonly secrets: () => readonly string[];
};
const aSignal = () => new AbortController().signal;

/** For services that say more than 2xx when they took it. */
export function onlyItsOwnYes(options: Pick<Troubles, 'service' | 'make'>): void {
  it('does not take a page of a proxy for a yes', async () => {
    options.service().respondOnce(203, '<html>log in</html>');
    const outcome = await options.make({})(aStopMessage({ incident: 'opens' }), aSignal());
    expect(outcome).toMatchObject({ kind: 'retryable', reason: 'bad_response' });
  });
}

/** @param secrets what no outcome may hold */
export function httpTroubles(options: Troubles): void {
  const message = aStopMessage({ incident: 'opens' });
  const send = (over: Parameters<Make>[0] = {}) => options.make(over)(message, aSignal());

  describe('in trouble', () => {
    it.each([
      [500, { kind: 'retryable', reason: 'server_error', maybeDelivered: false }],
      [502, { kind: 'retryable', reason: 'server_error', maybeDelivered: true }],
      [503, { kind: 'retryable', reason: 'server_error', maybeDelivered: false }],
      [504, { kind: 'retryable', reason: 'server_error', maybeDelivered: true }],
      [413, { kind: 'refused', reason: 'client_error' }],
    ])('takes HTTP %i for what it means', async (status, expected) => {
      options.service().respondOnce(status, 'the proxy says no');
      expect(await send()).toMatchObject({
        ...expected,
        detail: expect.stringContaining(`HTTP ${status}: the proxy says no`),
      });
    });

    it('does not follow a redirect', async () => {
      options.service().respondOnce(307, '', { location: `${options.service().url}/elsewhere` });
      expect(await send()).toMatchObject({ kind: 'refused', reason: 'redirect' });
      expect(options.service().requests).toHaveLength(1);
    });

    it('waits as long as it is asked to', async () => {
      options.service().respondOnce(429, 'slow down', { 'retry-after': '17' });
      expect(await send()).toMatchObject({ reason: 'rate_limited', retryAfterMs: 17_000 });
      options.service().respondOnce(503, 'restarting', { 'retry-after': '3' });
      expect(await send()).toMatchObject({ reason: 'server_error', retryAfterMs: 3_000 });
    });

    it('does not know whether a request without an answer has arrived', async () => {
      options.service().hang();
      expect(await send({ timeoutMs: 60 })).toMatchObject({
        kind: 'retryable',
        reason: 'timeout',
        detail: 'no answer within 60 ms; it may have arrived',
        maybeDelivered: true,
      });
    });

    it('ends at once when it is interrupted', async () => {
      options.service().hang();
      const stop = new AbortController();
      const outcome = options.make({})(message, stop.signal);
      await expect.poll(() => options.service().requests.length).toBe(1);
      stop.abort();
      expect(await outcome).toMatchObject({ reason: 'interrupted', maybeDelivered: true });
    });

    it('tries again when the connection is cut, or refused', async () => {
      options.service().down();
      expect(await send()).toMatchObject({ reason: 'network', maybeDelivered: true });
      const nobody = 'http://127.0.0.1:1';
      expect(await send({ url: nobody })).toMatchObject({
        reason: 'network',
        detail: 'connection refused',
        maybeDelivered: false,
      });
    });

    it('reads an endless answer no further than its limit', async () => {
      options.service().respondOnce(500, 'x'.repeat(1_000_001));
      expect(await send()).toMatchObject({ kind: 'retryable', reason: 'bad_response' });
    });

    it('speaks no TLS to a server that has none', async () => {
      const url = options.service().url.replace('http:', 'https:');
      expect(await send({ url })).toMatchObject({ kind: 'retryable', reason: 'tls' });
    });

    it('puts no secret into an outcome, whatever the answer repeats', async () => {
      const request = JSON.stringify({ echo: options.secrets() });
      const outcomes = [];
      for (const status of [200, 400, 401, 403, 404, 429, 500]) {
        options.service().respondOnce(status, request);
        outcomes.push(await send());
      }
      const text = JSON.stringify(outcomes);
      expect(options.secrets().filter((secret) => text.includes(secret))).toEqual([]);
    });
  });
}
