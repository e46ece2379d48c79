import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Aurora, startAurora } from '../../src/demo/aurora.ts';
import { type Ops, type ReceivedMessage, startOps } from '../../src/demo/ops.ts';
import { type Clock, systemClock } from '../../src/kit/clock.ts';

/** Waits end at once, so that a rollback takes no time. */
const hastyClock: Clock = { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(0, signal) };

let aurora: Aurora;
let ops: Ops;
let shown: ReceivedMessage[];

beforeEach(async () => {
  shown = [];
  aurora = await startAurora({ version: '1.0.0' });
  aurora.deploy('2.0.0');
  ops = await startOps({ aurora, clock: hastyClock, onCall: (message) => shown.push(message) });
});

afterEach(async () => {
  await ops.close();
  await aurora.close();
});

type Change = { readonly id?: string; readonly sentAt?: Date; readonly secret?: string };

/** Signed with the scheme's own reference package. */
function post(url: string, data: unknown, change: Change = {}): Promise<Response> {
  const { id = 'msg_1', sentAt = new Date(), secret = ops.secret } = change;
  const body = JSON.stringify({ type: 'canaryd.rollback', data });
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign(id, sentAt, body),
  };
  return fetch(url, { method: 'POST', headers, body });
}

describe('the disarm endpoint', () => {
  it('stops trading', async () => {
    expect((await post(ops.disarmUrl, {})).status).toBe(200);
    expect(aurora.trading).toBe(false);
  });

  it('accepts one good signature among several', async () => {
    const body = '{}';
    const sentAt = new Date();
    const good = new Webhook(ops.secret).sign('msg_1', sentAt, body);
    const headers = {
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1_000)),
      'webhook-signature': `v1,AAAA ${good}`,
    };
    expect((await fetch(ops.disarmUrl, { method: 'POST', headers, body })).status).toBe(200);
  });

  it('refuses a request without a signature', async () => {
    const response = await fetch(ops.disarmUrl, { method: 'POST', body: '{}' });
    expect(response.status).toBe(401);
    expect(ops.refused).toBe(1);
    expect(aurora.trading).toBe(true);
  });

  it('refuses a signature of another secret', async () => {
    const secret = `whsec_${Buffer.from('not the secret of this receiver').toString('base64')}`;
    expect((await post(ops.disarmUrl, {}, { secret })).status).toBe(401);
    expect(aurora.trading).toBe(true);
  });

  it('refuses a signature that is older than five minutes', async () => {
    const sentAt = new Date(Date.now() - 301_000);
    expect((await post(ops.disarmUrl, {}, { sentAt })).status).toBe(401);
    expect(aurora.trading).toBe(true);
  });
});

describe('the rollback endpoint', () => {
  it('accepts at once and brings the previous version back after a while', async () => {
    expect((await post(ops.rollbackUrl, { previous_version: null })).status).toBe(202);
    await expect.poll(() => aurora.version).toBe('1.0.0');
  });

  it('leaves the service disarmed, unless it is told to arm it', async () => {
    await post(ops.disarmUrl, {});
    await post(ops.rollbackUrl, { previous_version: '0.9.0' }, { id: 'msg_2' });
    await expect.poll(() => aurora.version).toBe('0.9.0');
    expect(aurora.trading).toBe(false);
    await ops.close();
    ops = await startOps({ aurora, clock: hastyClock, rearms: true });
    await post(ops.rollbackUrl, { previous_version: '0.8.0' }, { id: 'msg_3' });
    await expect.poll(() => aurora.version).toBe('0.8.0');
    expect(aurora.trading).toBe(true);
  });

  it('brings back the version that the request names', async () => {
    await post(ops.rollbackUrl, { previous_version: '0.9.0' });
    await expect.poll(() => aurora.version).toBe('0.9.0');
  });

  it('does a repeat of a webhook-id only once, and remembers it', async () => {
    await post(ops.rollbackUrl, { previous_version: '0.9.0' });
    await expect.poll(() => aurora.version).toBe('0.9.0');
    aurora.deploy('3.0.0');
    expect((await post(ops.rollbackUrl, { previous_version: '0.9.0' })).status).toBe(202);
    expect(ops.actions.map(({ isRepeat }) => isRepeat)).toEqual([false, true]);
    await ops.close();
    expect(aurora.version).toBe('3.0.0');
  });
});

describe('the chat endpoint', () => {
  const say = (body: string) => fetch(ops.slackUrl, { method: 'POST', body });

  it('answers as Slack does, and keeps and shows the message', async () => {
    const response = await say(JSON.stringify({ text: 'aurora 2.0.0 rolled back' }));
    expect(await response.text()).toBe('ok');
    expect(ops.messages.map(({ text }) => text)).toEqual(['aurora 2.0.0 rolled back']);
    expect(shown).toEqual(ops.messages);
  });

  it('refuses what is no message', async () => {
    expect(await (await say('not json')).text()).toBe('invalid_payload');
    expect(await (await say('{}')).text()).toBe('no_text');
    expect(ops.messages).toEqual([]);
  });
});

describe('the receivers', () => {
  it('know no other path, method or endless body', async () => {
    expect((await fetch(`${ops.url}/else`, { method: 'POST', body: '{}' })).status).toBe(404);
    expect((await fetch(ops.disarmUrl)).status).toBe(405);
    const body = 'x'.repeat(300_000);
    expect((await fetch(ops.disarmUrl, { method: 'POST', body })).status).toBe(413);
  });
});
