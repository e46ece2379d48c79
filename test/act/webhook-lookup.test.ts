// What names lead to. The resolver is replaced: no name service is asked.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { sendWebhook } from '../../src/act/webhook.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { SECRET, webhookOptions } from './sample.ts';

const names: Readonly<Record<string, readonly { address: string; family: number }[]>> = {
  'good.test': [{ address: '127.0.0.1', family: 4 }],
  'metadata.test': [{ address: '169.254.169.254', family: 4 }],
  'metadata6.test': [{ address: 'fd00:ec2::254', family: 6 }],
  'both.test': [
    { address: '127.0.0.1', family: 4 },
    { address: '::ffff:169.254.169.254', family: 6 },
  ],
};

vi.mock('node:dns', () => ({
  lookup(name: string, _: object, done: (error: Error | null, found?: unknown) => void) {
    const found = names[name];
    if (found) return done(null, found);
    const code = name.split('.')[0]?.toUpperCase();
    return done(Object.assign(new Error('no such name'), { code }));
  },
}));

let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver({ secret: SECRET });
});
afterAll(() => receiver.close());

const at = (name: string) => webhookOptions(receiver.url.replace('127.0.0.1', name));

describe('sendWebhook', () => {
  it('calls what a name leads to', async () => {
    expect(await sendWebhook(at('good.test'))).toMatchObject({ kind: 'delivered' });
    expect(receiver.requests).toHaveLength(1);
  });

  it.each(['metadata.test', 'metadata6.test', 'both.test'])(
    'never calls a cloud metadata address behind %s',
    async (name) => {
      expect(await sendWebhook(at(name))).toEqual({
        kind: 'refused',
        reason: 'misconfigured',
        detail: 'url: the host name leads to a cloud metadata address',
      });
    },
  );

  it.each([
    ['enotfound.test', 'host name not found'],
    ['eai_again.test', 'EAI_AGAIN'],
  ])('knows that nothing was delivered when there is no address for %s', async (name, detail) => {
    expect(await sendWebhook(at(name))).toEqual({
      kind: 'retryable',
      reason: 'network',
      detail,
      retryAfterMs: null,
      maybeDelivered: false,
    });
  });
});
