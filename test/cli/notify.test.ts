import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { changed } from '../config/sample-policy.ts';
import { cli } from '../support/cli.ts';
import { type FakePagerDuty, startFakePagerDuty } from '../support/fake-pagerduty.ts';
import { startFakeSlack } from '../support/fake-slack.ts';
import { type FakeTelegram, startFakeTelegram } from '../support/fake-telegram.ts';

let pagerduty: FakePagerDuty;
let telegram: FakeTelegram;
beforeAll(async () => {
  [pagerduty, telegram] = await Promise.all([startFakePagerDuty(), startFakeTelegram()]);
});
beforeEach(() => {
  pagerduty.reset();
  telegram.reset();
});
afterAll(() => Promise.all([pagerduty.close(), telegram.close()]));

/** A config with both channels, and how to run a trial of it. */
function trial(
  change: Readonly<Record<string, unknown>> = {},
  { stop, env }: { readonly stop?: AbortSignal; readonly env?: Record<string, string> } = {},
) {
  const dir = mkdtempSync(join(tmpdir(), 'canaryd-notify-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const config = {
    journal: { sqlite: { path: 'canaryd.db' } },
    policies: ['shop.yaml'],
    sources: { prometheus: { prometheus: { url: 'http://127.0.0.1:9' } } },
    channels: {
      pager: { pagerduty: { routing_key: '$KEY', url: pagerduty.url } },
      chat: { telegram: { bot_token: '$BOT', chat: telegram.chat, url: telegram.url } },
    },
    ...change,
  };
  // JSON is YAML, too.
  writeFileSync(join(dir, 'canaryd.yaml'), JSON.stringify(config));
  writeFileSync(join(dir, 'shop.yaml'), JSON.stringify(changed()));
  const run = cli({
    server: 'http://127.0.0.1:1',
    env: env ?? { KEY: pagerduty.routingKey, BOT: telegram.token },
    clock: systemClock,
    ...(stop === undefined ? {} : { signal: stop }),
  });
  const test = (...options: readonly string[]) =>
    run.run('notify', 'test', '--config', join(dir, 'canaryd.yaml'), ...options);
  return { ...run, test };
}

describe('notify test', () => {
  it('sends a marked message through each channel, and says so', async () => {
    const run = trial();
    expect(await run.test()).toBe(0);
    expect(run.out()).toMatch(
      /^✓ pager: delivered in \d+ ms \(.*\)\n✓ chat: delivered in \d+ ms \(.*\)\n$/,
    );
    expect(telegram.messages[0]).toMatchObject({
      bold: ["This is a test of canaryd's channels: nothing has happened"],
      isSilent: true,
    });
    expect(telegram.messages[0]?.text).toContain('It went to 2 channels.');
    expect([pagerduty.changes.length, pagerduty.incidents.size]).toEqual([1, 0]);
  });

  it('is as loud as a stop with --critical', async () => {
    expect(await trial().test('--critical')).toBe(0);
    expect(telegram.messages[0]?.isSilent).toBe(false);
    expect(pagerduty.incidents.size).toBe(1);
  });

  it('goes to one channel with --channel', async () => {
    const run = trial();
    expect(await run.test('--channel', 'chat')).toBe(0);
    expect(run.out()).not.toContain('pager');
    expect(pagerduty.requests).toEqual([]);
  });

  it('says which channel fails, why, and what to do', async () => {
    telegram.respondOnce(400, { ok: false, description: 'Bad Request: chat not found' });
    const run = trial();
    expect(await run.test()).toBe(1);
    expect(run.out()).toMatch(/^✓ pager: delivered/);
    expect(run.out()).toMatch(
      /✗ chat: client_error after \d+ ms: HTTP 400: Bad Request: chat not found\n {2}The service refuses the message: check the ids/,
    );
  });

  it('says it as JSON with --json', async () => {
    pagerduty.respondOnce(429, 'slow down');
    const run = trial();
    expect(await run.test('--json')).toBe(1);
    expect(run.json()).toEqual({
      ok: false,
      channels: [
        {
          channel: 'pager',
          delivered: false,
          took_ms: expect.any(Number),
          detail: 'HTTP 429: slow down',
          reason: 'rate_limited',
          advice: expect.stringContaining('try again later'),
        },
        {
          channel: 'chat',
          delivered: true,
          took_ms: expect.any(Number),
          detail: expect.stringMatching(/^HTTP 200/),
        },
      ],
    });
  });

  it.each([[], ['--critical']])(
    'tries each webhook of a Slack channel by itself (%j)',
    async (...options) => {
      const [normal, critical] = await Promise.all([startFakeSlack(), startFakeSlack()]);
      onTestFinished(async () => void (await Promise.all([normal.close(), critical.close()])));
      critical.respond(404, 'no_service');
      const secrets = { webhook: '$NORMAL', critical_webhook: '$CRITICAL' };
      const env = { NORMAL: normal.url, CRITICAL: critical.url };
      const run = trial({ channels: { ops: { slack: secrets } } }, { env });
      expect(await run.test(...options)).toBe(1);
      expect(run.out()).toMatch(/^✓ ops\.webhook: delivered in \d+ ms \(ok\)\n/);
      expect(run.out()).toMatch(/\n✗ ops\.critical_webhook: client_error .*404: no_service\n/);
      expect([normal.messages.length, critical.answers.length]).toEqual([1, 1]);
    },
  );

  it('names the webhook in its JSON, and tries one that is the same only once', async () => {
    const slack = await startFakeSlack();
    onTestFinished(() => slack.close());
    const other = `${slack.url}X`;
    const secrets = { webhook: '$NORMAL', critical_webhook: '$CRITICAL' };
    const change = { channels: { ops: { slack: secrets } } };
    const two = trial(change, { env: { NORMAL: slack.url, CRITICAL: other } });
    expect(await two.test('--json')).toBe(1);
    expect(two.json()).toMatchObject({
      channels: [
        { channel: 'ops', webhook: 'webhook', delivered: true },
        { channel: 'ops', webhook: 'critical_webhook', delivered: false },
      ],
    });
    const one = trial(change, { env: { NORMAL: slack.url, CRITICAL: slack.url } });
    expect(await one.test()).toBe(0);
    expect(one.out()).toMatch(/^✓ ops: delivered .*\n$/);
  });

  it('waits no longer than the time-out of a channel', async () => {
    telegram.hang();
    const chat = { bot_token: '$BOT', chat: telegram.chat, url: telegram.url, timeout: '100ms' };
    const run = trial({ channels: { chat: { telegram: chat } } });
    expect(await run.test()).toBe(1);
    expect(run.out()).toContain('timeout');
    expect(run.out()).toContain('It may have arrived.');
  });

  it('ends when it is interrupted', async () => {
    telegram.hang();
    const stop = new AbortController();
    const run = trial({}, { stop: stop.signal });
    const ended = run.test('--channel', 'chat');
    await expect.poll(() => telegram.requests.length).toBe(1);
    stop.abort();
    expect(await ended).toBe(1);
    expect(run.out()).toContain('✗ chat: interrupted');
  });

  it('prints no secret, whatever the service answers', async () => {
    telegram.respondOnce(401, `bad token ${telegram.token}`);
    pagerduty.respondOnce(400, { message: `bad key ${pagerduty.routingKey}` });
    const run = trial();
    expect(await run.test()).toBe(1);
    const printed = run.out() + run.err();
    expect(printed).toContain('bad token [redacted]');
    expect(printed).not.toContain(telegram.token);
    expect(printed).not.toContain(pagerduty.routingKey);
  });

  it('refuses a channel that the config does not define', async () => {
    const run = trial();
    expect(await run.test('--channel', 'pagr')).toBe(2);
    expect(run.err()).toContain('it has pager, chat');
  });

  it('refuses a config with mistakes, and names them', async () => {
    const run = trial({ channels: { chat: { telegram: { bot_token: '$NOT_THERE', chat: '5' } } } });
    expect(await run.test()).toBe(2);
    expect(run.err()).toContain('channels.chat.telegram.bot_token');
    expect(telegram.requests).toEqual([]);
  });

  it('says that a config without channels writes to the log', async () => {
    const run = trial({ channels: undefined });
    expect(await run.test()).toBe(0);
    expect(run.out()).toContain('defines no channel: messages go to the log only');
  });
});
