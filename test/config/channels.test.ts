import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/load.ts';
import { createSecrets } from '../../src/config/secrets.ts';

const HIDDEN = 'hunter2hunter2hunter2hunter2hunt';
const ENV = {
  HOOK: `https://hooks.example/${HIDDEN}`,
  KEY: HIDDEN,
  TOKEN: HIDDEN,
  BOT: `123456:${HIDDEN}`,
  LINES: 'hunter2\nhunter2',
};

function read(change: Readonly<Record<string, unknown>>) {
  const raw = {
    journal: { sqlite: { path: 'canaryd.db' } },
    policies: ['policies/*.yaml'],
    sources: { prometheus: { prometheus: { url: 'http://127.0.0.1:9090' } } },
    ...change,
  };
  return readConfig(raw, '/etc/canaryd', createSecrets({ env: ENV, dir: '/nowhere' }));
}

const only = (channel: unknown) => read({ channels: { ops: channel } });
const EMAIL = { url: 'smtp://mail.example', from: 'canaryd@example.com', to: ['a@example.com'] };

describe('the channels of the config', () => {
  it('are none without slack and channels', () => {
    expect(read({}).config?.channels).toEqual({});
  });

  it('take slack as short for one channel of that name', () => {
    const short = read({ slack: { webhook: '$HOOK' } }).config?.channels;
    const long = read({ channels: { slack: { slack: { webhook: '$HOOK' } } } }).config?.channels;
    expect(inspect(short)).toBe(inspect(long));
    expect(short).toMatchObject({
      slack: { kind: 'slack', mention: null, timeoutMs: 5_000 },
    });
  });

  it.each([
    [
      { slack_bot: { token: '$TOKEN', channel: 'C0123456789' } },
      {
        kind: 'slack_bot',
        channel: 'C0123456789',
        mention: null,
        url: 'https://slack.com/api',
        timeoutMs: 5_000,
      },
    ],
    [
      { pagerduty: { routing_key: '$KEY' } },
      { kind: 'pagerduty', url: 'https://events.pagerduty.com', timeoutMs: 5_000 },
    ],
    [
      { telegram: { bot_token: '$BOT', chat: '-1001234567890', thread: 7 } },
      {
        kind: 'telegram',
        chat: '-1001234567890',
        thread: 7,
        url: 'https://api.telegram.org',
        timeoutMs: 5_000,
      },
    ],
    [
      { email: EMAIL },
      {
        kind: 'email',
        host: 'mail.example',
        port: 587,
        security: 'required',
        login: null,
        from: 'canaryd@example.com',
        to: ['a@example.com'],
        tls: null,
        timeoutMs: 20_000,
      },
    ],
    [
      { email: { ...EMAIL, url: 'smtps://mail.example', username: 'c', password: '$KEY' } },
      { port: 465, security: 'implicit', login: { username: 'c' } },
    ],
    [{ email: { ...EMAIL, url: 'smtp://[::1]:25', starttls: 'never' } }, { host: '::1', port: 25 }],
    [
      { webhook: { url: 'http://127.0.0.1:9/x' } },
      {
        kind: 'webhook',
        url: 'http://127.0.0.1:9/x',
        secret: null,
        headers: {},
        timeoutMs: 5_000,
      },
    ],
    [
      { alertmanager: { urls: ['http://am:9093/'], labels: { team: 'trading' } } },
      {
        kind: 'alertmanager',
        urls: ['http://am:9093'],
        basicAuth: null,
        bearerToken: null,
        labels: { team: 'trading' },
        expireMs: 86_400_000,
        timeoutMs: 5_000,
      },
    ],
  ])('are completed with every default: %j', (channel, expected) => {
    const { config, problems } = only(channel);
    expect(problems).toEqual([]);
    expect(config?.channels['ops']).toMatchObject(expected);
  });

  it('hold secrets as handles that never print', () => {
    const { config } = read({
      channels: {
        hook: { webhook: { url: '$HOOK', secret: '$KEY', headers: { 'x-token': '$TOKEN' } } },
        bot: { slack_bot: { token: '$TOKEN', channel: 'C0123456789' } },
        chat: { telegram: { bot_token: '$BOT', chat: '5' } },
      },
    });
    expect(config).not.toBeNull();
    expect(JSON.stringify(config) + inspect(config, { depth: 20 })).not.toContain('hunter2');
  });

  it.each([
    [{}, 'channels', 'at least one channel'],
    [{ Ops: { slack: { webhook: '$HOOK' } } }, 'channels.Ops', 'lower-case letters'],
    [{ a: {} }, 'channels.a', 'found none of them; wanted exactly one of slack, slack_bot'],
    [
      { a: { slack: { webhook: '$HOOK' }, pagerduty: { routing_key: '$KEY' } } },
      'channels.a',
      'found slack and pagerduty; wanted exactly one',
    ],
    [{ a: { pager_duty: {} } }, 'channels.a.pager_duty', 'did you mean pagerduty?'],
    [{ a: { slack: { webhook: '$NOT_THERE' } } }, 'channels.a.slack.webhook', 'NOT_THERE'],
    [
      { a: { slack_bot: { token: HIDDEN, channel: 'C0123456789' } } },
      'channels.a.slack_bot.token',
      'found a value that is not shown here; wanted the name of a secret',
    ],
    [
      { a: { slack_bot: { token: '$LINES', channel: 'C0123456789' } } },
      'channels.a.slack_bot.token',
      'an unfit value for LINES',
    ],
    [
      { a: { slack_bot: { token: '$TOKEN', channel: '#ops' } } },
      'channels.a.slack_bot.channel',
      'found "#ops"; wanted the id of a Slack channel',
    ],
    [
      { a: { pagerduty: { routing_key: HIDDEN } } },
      'channels.a.pagerduty.routing_key',
      'found a value that is not shown here',
    ],
    [
      { a: { pagerduty: { routing_key: '$BOT' } } },
      'channels.a.pagerduty.routing_key',
      'the 32 characters of an integration key',
    ],
    [
      { a: { telegram: { bot_token: '$KEY', chat: '5' } } },
      'channels.a.telegram.bot_token',
      'as BotFather gives it',
    ],
    [
      { a: { telegram: { bot_token: '$BOT', chat: -5 } } },
      'channels.a.telegram.chat',
      'a quoted number',
    ],
    [
      { a: { email: { ...EMAIL, url: `smtp://u:${HIDDEN}@mail.example` } } },
      'channels.a.email.url',
      'found a URL that is not shown here; wanted a URL without user and password',
    ],
    [{ a: { email: { ...EMAIL, url: 'http://mail' } } }, 'channels.a.email.url', 'smtp://'],
    [{ a: { email: { ...EMAIL, from: 'me' } } }, 'channels.a.email.from', 'one mail address'],
    [
      { a: { email: { ...EMAIL, to: ['a@b.test\r\nBcc: c@d.test'] } } },
      'channels.a.email.to[0]',
      'one mail address',
    ],
    [{ a: { email: { ...EMAIL, username: 'u' } } }, 'channels.a.email', 'add the other one'],
    [
      { a: { email: { ...EMAIL, username: 'u', password: '$KEY', starttls: 'if_offered' } } },
      'channels.a.email.starttls',
      'must not go through the net in the open',
    ],
    [
      { a: { webhook: { url: `http://u:${HIDDEN}@x.test` } } },
      'channels.a.webhook.url',
      'a URL without user and password',
    ],
    [
      { a: { webhook: { url: 'https://x.test', headers: { 'x-token': HIDDEN } } } },
      'channels.a.webhook.headers.x-token',
      'not shown here',
    ],
    [
      {
        a: {
          alertmanager: {
            urls: ['http://am:9093'],
            bearer_token: '$KEY',
            basic_auth: { username: 'u', password: '$KEY' },
          },
        },
      },
      'channels.a.alertmanager.bearer_token',
      'one way to log in',
    ],
    [
      { a: { alertmanager: { urls: ['http://am:9093'], labels: { 'a-b': 'x' } } } },
      'channels.a.alertmanager.labels.a-b',
      'the name of a label',
    ],
    [
      { a: { alertmanager: { urls: ['http://am:9093'], labels: { severity: 'page' } } } },
      'channels.a.alertmanager.labels',
      'labels besides those that canaryd sets itself',
    ],
  ])('are refused: %j', (channels, path, fragment) => {
    const { problems } = read({ channels });
    expect(problems).toContainEqual({ path, message: expect.stringContaining(fragment) });
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  });

  it('are refused next to the short form', () => {
    const slack = { webhook: '$HOOK' };
    expect(read({ slack, channels: { ops: { slack } } }).problems).toEqual([
      {
        path: 'slack',
        message:
          'found it next to channels; wanted one of them; move it to ' +
          'channels: { slack: { slack: … } }, and remove slack',
      },
    ]);
  });
});

describe('the buttons of a Slack channel', () => {
  const bot = { token: '$TOKEN', channel: 'C0123456789' };
  const app = { public_url: 'https://canaryd.example' };
  const signed = { ...bot, signing_secret: '$TOKEN', users: ['U0123456789'] };

  it('are there with the signing secret, for the users that are named', () => {
    const { config, problems } = read({
      ...app,
      channels: {
        ops: { slack_bot: signed },
        all: { slack: { webhook: '$HOOK', signing_secret: '$TOKEN' } },
        plain: { slack_bot: bot },
      },
    });
    expect(problems).toEqual([]);
    expect(config?.channels).toMatchObject({
      ops: { buttons: { users: ['U0123456789'] } },
      all: { buttons: { users: null } },
      plain: { buttons: null },
    });
    expect(inspect(config?.channels)).not.toContain(HIDDEN);
  });

  it.each([
    ['no public URL', {}, signed, 'public_url', 'the URL at which Slack reaches this daemon'],
    ['users alone', app, { ...bot, users: ['U0123456789'] }, 'users', 'signing_secret next to it'],
    ['a name', app, { ...signed, users: ['ann'] }, 'users', 'the member id of a Slack user'],
    ['no users', app, { ...signed, users: [] }, 'users', 'leave users out to allow everybody'],
    [
      'two lines',
      app,
      { ...signed, signing_secret: '$LINES' },
      'signing_secret',
      'basic information',
    ],
    ['the secret itself', app, { ...signed, signing_secret: HIDDEN }, 'signing_secret', '$NAME'],
  ])('with %s are a problem', (_, more, slack_bot, path, wanted) => {
    const { problems } = read({ ...more, channels: { ops: { slack_bot } } });
    expect(problems).toHaveLength(1);
    expect(problems[0]?.path).toContain(path);
    expect(problems[0]?.message).toContain(wanted);
    expect(inspect(problems)).not.toContain(HIDDEN);
  });
});
