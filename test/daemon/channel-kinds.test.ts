// Every kind of channel, from the config as it is written to what the service receives.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/load.ts';
import { createSecrets } from '../../src/config/secrets.ts';
import { createChannels } from '../../src/daemon/channels.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createLogger } from '../../src/kit/logger.ts';
import { exampleOf, MESSAGE_KINDS } from '../docs/message-examples.ts';
import { type FakeAlertmanager, startFakeAlertmanager } from '../support/fake-alertmanager.ts';
import { type FakeGrafana, startFakeGrafana } from '../support/fake-grafana.ts';
import { type FakePagerDuty, startFakePagerDuty } from '../support/fake-pagerduty.ts';
import { type FakeService, startFakeService } from '../support/fake-service.ts';
import { type FakeSlackApi, startFakeSlackApi } from '../support/fake-slack-api.ts';
import { type FakeSmtp, startFakeSmtp } from '../support/fake-smtp.ts';
import { type FakeTelegram, startFakeTelegram } from '../support/fake-telegram.ts';

let slack: FakeSlackApi;
let pagerduty: FakePagerDuty;
let telegram: FakeTelegram;
let alertmanager: FakeAlertmanager;
let grafana: FakeGrafana;
let webhook: FakeService;
let smtp: FakeSmtp;
beforeAll(async () => {
  const bearer = 'Bearer am-secret-bearer-token';
  [slack, pagerduty, telegram, alertmanager, grafana, webhook, smtp] = await Promise.all([
    startFakeSlackApi(),
    startFakePagerDuty(),
    startFakeTelegram(),
    startFakeAlertmanager(bearer),
    startFakeGrafana(),
    startFakeService(() => ({ status: 200, body: 'ok' })),
    startFakeSmtp(),
  ]);
});
const all = () => [slack, pagerduty, telegram, alertmanager, grafana, webhook, smtp];
beforeEach(() => {
  for (const fake of all()) fake.reset();
});
afterAll(() => Promise.all(all().map((fake) => fake.close())));

function configured() {
  return {
    bot: { slack_bot: { token: '$SLACK', channel: slack.channel, url: slack.url } },
    pager: { pagerduty: { routing_key: '$KEY', url: pagerduty.url } },
    chat: { telegram: { bot_token: '$BOT', chat: telegram.chat, url: telegram.url } },
    mail: {
      email: {
        url: `smtp://127.0.0.1:${smtp.port}`,
        starttls: 'if_offered',
        from: 'canaryd@example.com',
        to: ['oncall@example.com'],
      },
    },
    hook: {
      webhook: { url: '$HOOK', secret: '$SIGNING', headers: { 'x-api-key': '$API_KEY' } },
    },
    alerts: { alertmanager: { urls: [alertmanager.url], bearer_token: '$BEARER' } },
    marks: { grafana: { url: grafana.url, token: '$GRAFANA', tags: ['team:x'] } },
  };
}

function environment(): Record<string, string> {
  return {
    SLACK: slack.token,
    GRAFANA: grafana.token,
    KEY: pagerduty.routingKey,
    BOT: telegram.token,
    HOOK: `${webhook.url}/T0secretsecret`,
    SIGNING: 'signing-secret-value',
    API_KEY: 'header-secret-value',
    BEARER: 'am-secret-bearer-token',
  };
}

/** @param env changed by a test, it is what a rotated or lost secret looks like */
function channels(env = environment()) {
  const raw = {
    journal: { sqlite: { path: 'canaryd.db' } },
    policies: ['shop.yaml'],
    sources: { prometheus: { prometheus: { url: 'http://127.0.0.1:9' } } },
    channels: configured(),
  };
  const { config, problems } = readConfig(raw, '/', createSecrets({ env, dir: '/nowhere' }));
  expect(problems).toEqual([]);
  const made = createChannels(config?.channels ?? {}, {
    clock: systemClock,
    logger: createLogger('silent'),
  });
  const send = (name: string, message = exampleOf('watch.stopped')) =>
    made[name]?.send(message, new AbortController().signal);
  return { made, send };
}

const NAMES = ['bot', 'pager', 'chat', 'mail', 'hook', 'alerts', 'marks'];

describe('a channel of the config', () => {
  it('delivers a stop, each in its own way', async () => {
    const { send } = channels();
    for (const name of NAMES) expect(await send(name)).toMatchObject({ kind: 'delivered' });
    expect(slack.calls).toEqual(['post', 'reply']);
    expect(pagerduty.incidents.size).toBe(1);
    expect(telegram.messages).toHaveLength(1);
    expect(smtp.mails).toHaveLength(1);
    expect(webhook.requests[0]).toMatchObject({
      path: '/T0secretsecret',
      headers: { 'x-api-key': 'header-secret-value' },
    });
    expect(webhook.requests[0]?.headers['webhook-signature']).toMatch(/^v1,/);
    expect(alertmanager.alerts()).toHaveLength(1);
    expect(grafana.annotations()[0]?.tags).toContain('team:x');
  });

  it.each(MESSAGE_KINDS)('tells all of %s where people read', async (kind) => {
    const { send } = channels();
    const message = exampleOf(kind);
    for (const name of NAMES)
      expect(await send(name, message)).toMatchObject({ kind: 'delivered' });
    const [head] = slack.channelMessages();
    const texts = [head?.text ?? '', telegram.messages[0]?.text ?? ''];
    const wanted = [message.headline, ...message.lines, ...(message.next ? [message.next] : [])];
    expect(texts.map((text) => wanted.filter((line) => !text.includes(line)))).toEqual([[], []]);
    expect(smtp.mails[0]?.headers.get('message-id')).toContain('@example.com>');
    expect(webhook.requests[0]?.body).toMatchObject({
      data: { kind, headline: message.headline, lines: message.lines, next: message.next },
    });
  });

  it('tells each decision of a gate by itself, and opens no incident for it', async () => {
    const { send } = channels();
    const decision = exampleOf('gate.decided');
    const two = [decision, { ...decision, atMs: decision.atMs + 60_000 }];
    for (const message of two) for (const name of NAMES) await send(name, message);
    expect(slack.calls).toEqual(['post', 'post']);
    const mails = smtp.mails.map(({ headers }) => headers);
    expect(mails.map((headers) => headers.get('in-reply-to'))).toEqual([undefined, undefined]);
    expect(new Set(mails.map((headers) => headers.get('message-id'))).size).toBe(2);
    expect(webhook.requests[0]?.body).toMatchObject({
      data: {
        watch: null,
        gate: {
          name: 'aurora-testnet',
          record: 'g_example',
          decision: 'no_go',
          overridden: false,
        },
        service: 'aurora',
      },
    });
    expect(pagerduty.requests.map(({ path }) => path)).toEqual([
      '/v2/change/enqueue',
      '/v2/change/enqueue',
    ]);
    expect([pagerduty.incidents.size, alertmanager.alerts(), grafana.annotations()]).toEqual([
      0,
      [],
      [],
    ]);
  });

  it('has a pace that its service can bear', () => {
    const { made } = channels();
    const spacings = Object.entries(made).map(([name, { spacingMs }]) => [name, spacingMs]);
    expect(Object.fromEntries(spacings)).toEqual({
      bot: 1_250,
      pager: 550,
      chat: 3_050,
      mail: 1_000,
      hook: 0,
      alerts: 0,
      marks: 100,
    });
  });

  it.each([
    ['bot', 'SLACK'],
    ['pager', 'KEY'],
    ['chat', 'BOT'],
    ['hook', 'SIGNING'],
    ['hook', 'HOOK'],
    ['hook', 'API_KEY'],
    ['alerts', 'BEARER'],
  ])('%s waits while its secret %s is gone, and goes on when it is back', async (name, secret) => {
    const env = environment();
    const { send } = channels(env);
    const value = env[secret] ?? '';
    env[secret] = '';
    expect(await send(name)).toMatchObject({
      kind: 'retryable',
      reason: 'misconfigured',
      detail: expect.stringContaining(`found no value for the secret ${secret}`),
    });
    env[secret] = value;
    expect(await send(name)).toMatchObject({ kind: 'delivered' });
  });

  it('takes a secret that was replaced', async () => {
    const env = environment();
    const { send } = channels(env);
    await send('hook');
    env['HOOK'] = `${webhook.url}/T1another`;
    await send('hook');
    expect(webhook.requests.map(({ path }) => path)).toEqual(['/T0secretsecret', '/T1another']);
  });

  it('is asked again each minute when it refuses something critical, and only then', async () => {
    const { send } = channels();
    const refusal = { ok: false, description: 'Forbidden: bot was kicked' };
    telegram.respondOnce(403, refusal);
    expect(await send('chat')).toEqual({
      kind: 'retryable',
      reason: 'client_error',
      detail: 'HTTP 403: Forbidden: bot was kicked',
      retryAfterMs: 60_000,
      maybeDelivered: false,
    });
    telegram.respondOnce(403, refusal);
    expect(await send('chat', exampleOf('condition.warned'))).toMatchObject({ kind: 'refused' });
  });
});
