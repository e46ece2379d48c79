import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mergeMessages } from '../../src/core/merge.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createMessageWebhook, type webhookBody } from '../../src/notify/webhook.ts';
import { exampleOf } from '../docs/message-examples.ts';
import { type FakeService, startFakeService } from '../support/fake-service.ts';
import { fullOf, monsters } from './monsters.ts';
import { aStopMessage } from './sample.ts';
import { httpTroubles } from './troubles.ts';

const SECRET = `whsec_${Buffer.from('a-secret-of-at-least-24-bytes').toString('base64')}`;
const PATH = '/hooks/T0secretsecretsecret';
let receiver: FakeService;
beforeAll(async () => {
  receiver = await startFakeService(({ path }) =>
    path === PATH ? { status: 204, body: '' } : { status: 404, body: `nothing at ${path}` },
  );
});
beforeEach(() => receiver.reset());
afterAll(() => receiver.close());

const signal = new AbortController().signal;

function make({ url, ...over }: Partial<Parameters<typeof createMessageWebhook>[0]> = {}) {
  return createMessageWebhook({
    name: 'ops',
    url: `${url ?? receiver.url}${PATH}`,
    secret: SECRET,
    headers: { 'x-api-key': 'header-secret-value' },
    timeoutMs: 5_000,
    version: '9.9.9',
    clock: systemClock,
    ...over,
  });
}

const bytesOf = (request: { readonly text: string } | undefined) =>
  Buffer.byteLength(request?.text ?? 'x'.repeat(99_999));

describe('the webhook channel', () => {
  it('sends the whole message as JSON', async () => {
    expect(await make()(exampleOf('watch.stopped'), signal)).toMatchObject({ kind: 'delivered' });
    const message = exampleOf('watch.stopped');
    expect(receiver.requests[0]?.body).toEqual({
      type: 'canaryd.message',
      timestamp: new Date(message.atMs).toISOString(),
      data: {
        watch: 'w_example',
        gate: null,
        kind: 'watch.stopped',
        severity: 'critical',
        silent: false,
        incident: 'opens',
        service: 'aurora',
        environment: 'testnet',
        version: '2.1.0',
        previous_version: '2.0.0',
        headline: message.headline,
        lines: message.lines,
        fields: message.fields.map(([title, value]) => ({ title, value })),
        next: message.next,
        links: message.links,
        merged: null,
      },
    });
  });

  it('signs it, so that the library of the standard takes it', async () => {
    await make()(aStopMessage(), signal);
    const [request] = receiver.requests;
    const headers = request?.headers as Record<string, string>;
    expect(() => new Webhook(SECRET).verify(request?.text ?? '', headers)).not.toThrow();
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'canaryd/9.9.9',
      'x-api-key': 'header-secret-value',
      'idempotency-key': headers['webhook-id'],
    });
  });

  it('sends it without a signature when there is no secret', async () => {
    await make({ secret: null })(aStopMessage(), signal);
    expect(receiver.requests[0]?.headers['webhook-signature']).toBeUndefined();
  });

  it('has the same id for each attempt, and another one for another message', async () => {
    const send = make();
    const context = { deliveryId: 'w_1-e7-ops', receipts: async () => [] };
    await send(aStopMessage(), signal);
    await send(aStopMessage({ lines: ['you may have seen it before'] }), signal);
    await send(aStopMessage({ atMs: 5 }), signal);
    await make({ name: 'other' })(aStopMessage(), signal);
    await send(aStopMessage(), signal, context);
    const ids = receiver.requests.map(({ headers }) => headers['webhook-id']);
    expect(ids[1]).toBe(ids[0]);
    expect(new Set(ids).size).toBe(4);
    expect(ids[4]).toBe('w_1-e7-ops');
    expect(ids.join('')).not.toContain('.');
  });

  it('lets no configured header take the place of its own', async () => {
    await make({ headers: { 'Webhook-Id': 'mine' } })(aStopMessage(), signal);
    expect(receiver.requests[0]?.headers['webhook-id']).not.toContain('mine');
  });

  it.each([
    [{ secret: 'whsec_!!!!' }, 'secret: cannot sign'],
    [{ headers: { 'x-a': 'a\nb' } }, 'headers.x-a: has characters'],
  ])('says what is wrong with %j', async (over, detail) => {
    expect(await make(over)(aStopMessage(), signal)).toMatchObject({
      kind: 'refused',
      reason: 'misconfigured',
      detail: expect.stringContaining(detail),
    });
    expect(receiver.requests).toEqual([]);
  });

  it.each([
    [400, { kind: 'refused', reason: 'client_error' }],
    [408, { kind: 'retryable', reason: 'client_error' }],
    [409, { kind: 'retryable', reason: 'client_error', maybeDelivered: true }],
    [410, { kind: 'refused', reason: 'client_error' }],
    [501, { kind: 'refused', reason: 'server_error' }],
    [522, { kind: 'retryable', reason: 'server_error', maybeDelivered: true }],
  ])('takes HTTP %i for what it means', async (status, expected) => {
    receiver.respondOnce(status, 'no');
    expect(await make()(aStopMessage(), signal)).toMatchObject(expected);
  });

  it('says what a message puts together, and that it shall make no sound', async () => {
    const blind = { ...exampleOf('conditions.blinded'), isSilent: true };
    await make()(mergeMessages([blind, { ...blind, watchId: 'w_other' }]), signal);
    const part = {
      kind: 'conditions.blinded',
      timestamp: new Date(blind.atMs).toISOString(),
      incident: 'opens',
      service: 'aurora',
      environment: 'testnet',
      version: '2.1.0',
      headline: blind.headline,
    };
    const messages = ['w_example', 'w_other'].map((watch) => ({ watch, ...part }));
    expect(receiver.requests[0]?.body).toMatchObject({
      data: { silent: true, merged: { count: 2, messages } },
    });
  });

  it('counts what a storm puts together when it cannot name all of it', async () => {
    const blind = exampleOf('conditions.blinded');
    const storm = Array.from({ length: 200 }, (_, index) => ({ ...blind, watchId: `w_${index}` }));
    await make()(mergeMessages([blind, ...storm]), signal);
    const [request] = receiver.requests;
    const body = request?.body as ReturnType<typeof webhookBody>;
    expect(body.data.merged?.count).toBe(201);
    expect(body.data.merged?.messages.length).toBeGreaterThan(20);
    expect(bytesOf(request)).toBeLessThan(20_000);
  });

  it.each(['x', '"', '語', '🚀', 'a\n', '語\n'])(
    'stays below 20 kB, as the standard asks, when full of %j',
    async (text) => {
      const merged = Array.from({ length: 200 }, () => fullOf(text));
      await make()({ ...fullOf(text), merged }, signal);
      const [request] = receiver.requests;
      expect(bytesOf(request)).toBeLessThan(20_000);
      const body = request?.body as ReturnType<typeof webhookBody>;
      expect(body.data.lines.join('').length).toBeGreaterThan(500);
    },
  );

  it('says when it leaves lines out', async () => {
    const lines = Array.from({ length: 200 }, (_, index) => `${index} ${'x'.repeat(200)}`);
    await make()(aStopMessage({ lines }), signal);
    const body = receiver.requests[0]?.body as ReturnType<typeof webhookBody>;
    expect(body.data.lines.at(0)).toBe(lines[0]);
    expect(body.data.lines.at(-1)).toBe('… cut');
  });

  it('keeps within limits what no sane deploy would make', async () => {
    const send = make();
    await fc.assert(
      fc.asyncProperty(monsters, async (message) => {
        expect(await send(message, signal)).toMatchObject({ kind: 'delivered' });
        expect(receiver.requests.at(-1)?.body).toMatchObject({ type: 'canaryd.message' });
        expect(bytesOf(receiver.requests.at(-1))).toBeLessThan(20_000);
      }),
      { numRuns: 100 },
    );
  });

  it('takes any 2xx for a yes', async () => {
    receiver.respondOnce(203, 'thanks');
    expect(await make()(aStopMessage(), signal)).toMatchObject({ kind: 'delivered' });
  });

  httpTroubles({
    service: () => receiver,
    make,
    secrets: () => [SECRET, SECRET.slice(6), 'header-secret-value', PATH, PATH.slice(7)],
  });
});
