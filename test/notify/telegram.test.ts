import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { createTelegram, TELEGRAM_MAX } from '../../src/notify/telegram.ts';
import { type FakeTelegram, startFakeTelegram } from '../support/fake-telegram.ts';
import { fullOf, monsters } from './monsters.ts';
import { aStopMessage } from './sample.ts';
import { httpTroubles, onlyItsOwnYes } from './troubles.ts';

let telegram: FakeTelegram;
beforeAll(async () => {
  telegram = await startFakeTelegram({ threads: [7] });
});
beforeEach(() => telegram.reset());
afterAll(() => telegram.close());

const signal = new AbortController().signal;

function make(over: Partial<Parameters<typeof createTelegram>[0]> = {}) {
  const { url, token, chat } = telegram;
  const common = { timeoutMs: 5_000, clock: systemClock, thread: null };
  return createTelegram({ ...common, url, botToken: token, chat, ...over });
}

describe('the Telegram channel', () => {
  it('sends the whole message as text, the headline bold, links as links', async () => {
    expect(await make()(aStopMessage(), signal)).toMatchObject({ kind: 'delivered' });
    const [message] = telegram.messages;
    expect(message?.text.split('\n')).toEqual([
      'CRITICAL aurora 2.4.1 (production): order fill rate 12 % < 80 %; rolling back',
      'Order fill rate 12 % of 1,204 in 1m, must not be below 80 % (3 samples since 22:04:50)',
      'Was 97 % before the deploy.',
      'Deploy: 2.4.0 → 2.4.1 by ci, 3m ago',
      'Disarm: accepted, HTTP 202 in 35 ms',
      'Next: canaryd verifies the rollback for 10m and tells you.',
      'watch · runbook',
      'w_1 · 2026-11-21 22:05:10 UTC · canaryd',
    ]);
    expect(message).toMatchObject({
      bold: ['CRITICAL aurora 2.4.1 (production): order fill rate 12 % < 80 %; rolling back'],
      links: ['watch -> https://canaryd.test/w_1', 'runbook -> https://runbooks.test/aurora'],
      isSilent: false,
      pings: [],
    });
  });

  it('makes no noise for what is only information', async () => {
    await make()(aStopMessage({ severity: 'info' }), signal);
    expect(telegram.messages[0]?.isSilent).toBe(true);
  });

  it('lets a foreign text call nobody', async () => {
    const body = 'HTTP 500: ask @alice or (@bob), then /stop; mail ops@example.com';
    await make()(aStopMessage({ headline: body, lines: [body], next: body }), signal);
    expect(telegram.messages[0]?.pings).toEqual([]);
    expect(telegram.messages[0]?.text).toContain('mail ops@example.com');
  });

  it('leaves a path as it is, which somebody will copy', async () => {
    const line = 'cannot write /var/lib/canaryd/canaryd.db (/etc/hosts); run /stop or (/start)';
    await make()(aStopMessage({ lines: [line] }), signal);
    const [message] = telegram.messages;
    expect(message?.text).toContain('write /var/lib/canaryd/canaryd.db (/etc/hosts); run');
    expect(message?.pings).toEqual([]);
  });

  it.each(['http://canaryd:8080/watches/w_1', 'http://localhost:3000/watches/w_1'])(
    'writes out %s, which Telegram takes for no link',
    async (url) => {
      const links = [
        { label: 'Watch', url },
        { label: 'Runbook', url: 'https://runbooks.test/aurora' },
        { label: 'By number', url: 'http://[::1]:8080/' },
      ];
      expect(await make()(aStopMessage({ links }), signal)).toMatchObject({ kind: 'delivered' });
      expect(telegram.requests).toHaveLength(1);
      const [message] = telegram.messages;
      expect(message?.text.split('\n')).toContain(`Watch: ${url}`);
      expect(message?.links).toEqual([
        'Runbook -> https://runbooks.test/aurora',
        'By number -> http://[::1]:8080/',
      ]);
    },
  );

  it('sends plain text at once when Telegram refuses a link or the like', async () => {
    const description = "Bad Request: entity URL 'https://x.y/' is invalid: Wrong HTTP URL";
    telegram.respondOnce(400, { ok: false, error_code: 400, description });
    const outcome = await make()(aStopMessage(), signal);
    expect(outcome).toMatchObject({ kind: 'delivered' });
    expect(outcome.detail).toContain('sent as plain text');
    expect(telegram.messages).toMatchObject([{ bold: [], links: [] }]);
    expect(telegram.messages[0]?.text).toContain('watch: https://canaryd.test/w_1');
  });

  it('gives up what is refused as plain text as well', async () => {
    for (let times = 0; times < 2; times += 1) {
      telegram.respondOnce(400, { ok: false, description: "Bad Request: can't parse entities" });
    }
    expect(await make()(aStopMessage(), signal)).toMatchObject({ kind: 'refused' });
    expect(telegram.requests).toHaveLength(2);
  });

  it.each([
    [401, 'Unauthorized', { kind: 'refused', reason: 'misconfigured' }],
    [404, 'Not Found', { kind: 'refused', reason: 'misconfigured' }],
    [403, 'Forbidden: bot was kicked from the supergroup chat', { kind: 'refused' }],
    [400, 'Bad Request: chat not found', { kind: 'refused', reason: 'client_error' }],
    [500, 'Internal Server Error', { kind: 'retryable', reason: 'server_error' }],
  ])('takes %i %s for what it means', async (status, description, expected) => {
    telegram.respondOnce(status, { ok: false, error_code: status, description });
    const outcome = await make()(aStopMessage(), signal);
    expect(outcome).toMatchObject(expected);
    expect(outcome.detail).toContain(`HTTP ${status}: ${description}`);
  });

  it('waits as long as Telegram asks for in its own way', async () => {
    const description = 'Too Many Requests: retry after 35';
    const parameters = { retry_after: 35 };
    telegram.respondOnce(429, { ok: false, error_code: 429, description, parameters });
    expect(await make()(aStopMessage(), signal)).toEqual({
      kind: 'retryable',
      reason: 'rate_limited',
      detail: `HTTP 429: ${description}`,
      retryAfterMs: 35_000,
      maybeDelivered: false,
    });
  });

  it('takes nothing for delivered without an ok', async () => {
    telegram.respondOnce(200, { ok: false });
    expect(await make()(aStopMessage(), signal)).toMatchObject({ reason: 'bad_response' });
    telegram.respondOnce(200, 'ok');
    expect(await make()(aStopMessage(), signal)).toMatchObject({ reason: 'bad_response' });
  });

  it('follows a group that has become a supergroup, and says so', async () => {
    telegram.migrate(-1009876543210);
    const send = make();
    const outcome = await send(aStopMessage(), signal);
    expect(outcome).toMatchObject({ kind: 'delivered' });
    expect(outcome.detail).toContain('set chat to "-1009876543210"');
    expect(await send(aStopMessage(), signal)).toMatchObject({ kind: 'delivered' });
    expect(telegram.requests).toHaveLength(3);
  });

  it('gives up a group that moves in circles', async () => {
    for (const to of [-2, -3]) {
      telegram.respondOnce(400, { ok: false, parameters: { migrate_to_chat_id: to } });
    }
    expect(await make()(aStopMessage(), signal)).toMatchObject({ kind: 'refused' });
    expect(telegram.requests).toHaveLength(2);
  });

  it('sends into the topic, or without it when it is gone', async () => {
    await make({ thread: 7 })(aStopMessage(), signal);
    expect(telegram.messages[0]?.thread).toBe(7);
    const outcome = await make({ thread: 8 })(aStopMessage(), signal);
    expect(outcome).toMatchObject({ kind: 'delivered' });
    expect(outcome.detail).toContain('the topic is gone');
    expect(telegram.messages[1]?.thread).toBeUndefined();
  });

  it.each(['x', '&', '🚀', 'a\n', '@a '])('stays within the limits when full of %j', async (c) => {
    expect(await make()(fullOf(c), signal)).toMatchObject({ kind: 'delivered' });
    const [message] = telegram.messages;
    expect(message?.text.length).toBeGreaterThan(1_000);
    expect(message?.text.length).toBeLessThanOrEqual(TELEGRAM_MAX);
  });

  it('never builds what Telegram refuses, and never pings, whatever the message holds', async () => {
    const send = make();
    await fc.assert(
      fc.asyncProperty(monsters, async (message) => {
        expect(await send(message, signal)).toMatchObject({ kind: 'delivered' });
        const shown = telegram.messages.at(-1);
        expect(shown?.pings).toEqual([]);
        expect(shown?.bold[0]).toBe(shown?.text.split('\n')[0]);
        expect(shown?.links.every((link) => / -> https?:/.test(link))).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  onlyItsOwnYes({ service: () => telegram, make });
  httpTroubles({
    service: () => telegram,
    make,
    secrets: () => [telegram.token, telegram.token.slice(7)],
  });
});
