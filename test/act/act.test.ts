import { describe, expect, it } from 'vitest';
import { createAct } from '../../src/act/act.ts';
import type { Delivery } from '../../src/core/delivery.ts';
import type { Action, CommandVia, WebhookVia } from '../../src/core/policy.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { startReceiver } from '../support/receiver.ts';
import { payload, SECRET, values } from './sample.ts';

const secrets: Readonly<Record<string, string>> = {
  ROLLBACK_SECRET: SECRET,
  API_TOKEN: '${version}-is-part-of-the-secret',
  EMPTY: '',
};

const act = createAct({
  resolveSecret: ({ secret }) => secrets[secret] ?? null,
  clock: systemClock,
  version: '9.9.9',
});

const delivery: Delivery = {
  id: 'w_1-rollback',
  watchId: 'w_1',
  order: 1,
  content: { kind: 'action', action: 'rollback', payload },
  state: 'pending',
  attempts: 2,
  attemptedAtMs: 0,
  inFlight: true,
  holder: 'r_1',
  createdAtMs: 0,
  notBeforeMs: 0,
  afterDelivery: null,
  deadlineAtMs: 60_000,
  attemptsMax: 5,
  lastReason: null,
  lastDetail: null,
  receipt: null,
};

function action(via: WebhookVia | CommandVia): Action {
  return { name: 'rollback', via, timeoutMs: 5_000, attempts: 5, deadlineMs: 60_000 };
}

function perform(via: WebhookVia | CommandVia) {
  return act(delivery, action(via), values, new AbortController().signal);
}

describe('createAct', () => {
  it('calls a webhook with its secrets resolved and its placeholders filled', async () => {
    const receiver = await startReceiver({ secret: SECRET });
    const outcome = await perform({
      kind: 'webhook',
      url: `${receiver.url}/\${service}`,
      secret: { secret: 'ROLLBACK_SECRET' },
      headers: { Authorization: { secret: 'API_TOKEN' }, 'X-Version': 'v${version}' },
    });
    expect(outcome).toMatchObject({ kind: 'delivered' });
    expect(receiver.requests).toMatchObject([
      {
        path: '/aurora',
        id: 'w_1-rollback',
        valid: true,
        headers: {
          authorization: '${version}-is-part-of-the-secret',
          'x-version': 'v2.4.1',
          'canaryd-attempt': '2',
        },
      },
    ]);
    await receiver.close();
  });

  it('runs a command with its secrets resolved and out of sight', async () => {
    const outcome = await perform({
      kind: 'command',
      argv: ['sh', '-c', 'echo "$TOKEN" "$LABEL" "$CANARYD_ACTION"'],
      env: { TOKEN: { secret: 'API_TOKEN' }, LABEL: 'to-${previous_version}' },
    });
    expect(outcome.detail).toContain('[redacted] to-2.4.0 rollback');
  });

  it.each([
    [
      'webhook secret',
      { kind: 'webhook', url: 'http://127.0.0.1:1/', secret: { secret: 'NOPE' }, headers: {} },
      'secret: $NOPE',
    ],
    [
      'header',
      {
        kind: 'webhook',
        url: 'http://127.0.0.1:1/',
        secret: null,
        headers: { 'X-Key': { secret: 'NOPE' } },
      },
      'headers.X-Key: $NOPE',
    ],
    [
      'variable',
      { kind: 'command', argv: ['true'], env: { T: { secret: 'NOPE' } } },
      'env.T: $NOPE',
    ],
    [
      'empty secret',
      { kind: 'command', argv: ['true'], env: { T: { secret: 'EMPTY' } } },
      '$EMPTY',
    ],
  ] as const)('is misconfigured without the %s, and names the variable', async (_, via, found) => {
    const outcome = await perform(via);
    expect(outcome).toMatchObject({ kind: 'refused', reason: 'misconfigured' });
    expect(outcome.detail).toContain(found);
  });

  it('puts a value that headers cannot hold into a header, encoded', async () => {
    const receiver = await startReceiver();
    const via: WebhookVia = {
      kind: 'webhook',
      url: receiver.url,
      secret: null,
      headers: { 'X-Version': '${version}' },
    };
    const hostile = { ...values, version: '1\r\nX-Evil: 1 é\ud800' };
    const outcome = await act(delivery, action(via), hostile, new AbortController().signal);
    expect(outcome.kind).toBe('delivered');
    expect(receiver.requests[0]?.headers).toMatchObject({
      'x-version': '1%0D%0AX-Evil: 1 %C3%A9%EF%BF%BD',
    });
    expect(receiver.requests[0]?.headers).not.toHaveProperty('x-evil');
    await receiver.close();
  });

  it('does not take messages', async () => {
    const message = { ...delivery, content: { kind: 'message', channel: 'slack' } } as Delivery;
    const via: CommandVia = { kind: 'command', argv: ['true'], env: {} };
    await expect(act(message, action(via), values, new AbortController().signal)).rejects.toThrow(
      'belongs to a channel',
    );
  });
});
