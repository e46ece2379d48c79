import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Message } from '../../src/core/delivery.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createSlack } from '../../src/notify/slack.ts';
import { type FakeSlack, startFakeSlack } from '../support/fake-slack.ts';
import { aStopMessage } from './sample.ts';

let slack: FakeSlack;
beforeAll(async () => {
  slack = await startFakeSlack();
});
afterEach(() => slack.up());
afterAll(() => slack.close());

const signal = new AbortController().signal;

function channel(more: Partial<Parameters<typeof createSlack>[0]> = {}) {
  return createSlack({
    webhookUrl: slack.url,
    timeoutMs: 5_000,
    mention: null,
    clock: systemClock,
    ...more,
  });
}

describe('createSlack', () => {
  it('posts a message with blocks', async () => {
    expect(await channel({ mention: 'here' })(aStopMessage(), signal)).toEqual({
      kind: 'delivered',
      detail: 'ok',
    });
    expect(slack.messages.at(-1)).toMatchObject({ pings: ['<!here>'], hasBlocks: true });
    expect(slack.messages.at(-1)?.text.split('\n')).toEqual([
      '<!here> CRITICAL aurora 2.4.1 (production): order fill rate 12 % < 80 %; rolling back',
      'Order fill rate 12 % of 1,204 in 1m, must not be below 80 % (3 samples since 22:04:50)',
      'Was 97 % before the deploy.',
      '*Next:* canaryd verifies the rollback for 10m and tells you.',
      '*Deploy*',
      '2.4.0 → 2.4.1 by ci, 3m ago',
      '*Disarm*',
      'accepted, HTTP 202 in 35 ms',
      'watch (https://canaryd.test/w_1)  ·  runbook (https://runbooks.test/aurora)',
      'watch w_1  ·  2026-11-21 22:05:10 UTC  ·  canaryd',
    ]);
  });

  it('never builds what Slack refuses, and never pings, whatever the message holds', async () => {
    const nasty = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.constantFrom(
        '',
        ' ',
        '\n',
        '\u0000',
        '<!channel>',
        '<@U1>',
        '&lt;!here&gt;',
        '```',
        '\ud83d',
      ),
      fc
        .tuple(fc.constantFrom('x', '&', '<!here>', '🚀', 'a\n', '\n'), fc.nat(5_000))
        .map(([text, times]) => text.repeat(times)),
    );
    const messages = fc.record<Message>({
      kind: nasty,
      severity: fc.constantFrom('critical', 'warning', 'info'),
      headline: nasty,
      lines: fc.array(nasty, { maxLength: 60 }),
      fields: fc.array(fc.tuple(nasty, nasty), { maxLength: 15 }),
      next: fc.option(nasty),
      links: fc.array(
        fc.record({ label: nasty, url: fc.oneof(nasty, fc.webUrl({ withQueryParameters: true })) }),
        { maxLength: 30 },
      ),
      watchId: nasty,
      atMs: fc.oneof(fc.integer(), fc.double()),
    });
    const post = channel();
    await fc.assert(
      fc.asyncProperty(messages, async (message) => {
        expect(await post(message, signal)).toEqual({ kind: 'delivered', detail: 'ok' });
        expect(slack.messages.at(-1)?.pings).toEqual([]);
        slack.refuseBlocks();
        expect(await post(message, signal)).toMatchObject({ kind: 'delivered' });
        expect(slack.messages.at(-1)).toMatchObject({ pings: [], hasBlocks: false });
        slack.up();
      }),
      { numRuns: 150 },
    );
  });

  it.each(['x', '&', '🚀', 'a\n'])(
    'stays within the limits when everything is full of %j',
    async (c) => {
      const text = c.repeat(5_000);
      const url = `https://ops.test/${'a'.repeat(900)}`;
      const message = aStopMessage({
        headline: text,
        lines: Array.from({ length: 60 }, () => text),
        fields: Array.from({ length: 20 }, () => [text, text] as const),
        next: text,
        links: Array.from({ length: 20 }, () => ({ label: text, url })),
        watchId: text,
      });
      expect(await channel()(message, signal)).toEqual({ kind: 'delivered', detail: 'ok' });
      const shown = slack.messages.at(-1)?.text ?? '';
      expect(shown.length).toBeLessThan(10_500);
    },
  );

  it('does not let an error body ping the channel', async () => {
    const body = 'rollback FAILED: HTTP 500: <!channel> & <@U012AB3CD> say <b>no</b>';
    await channel()(aStopMessage({ headline: body, lines: [body] }), signal);
    expect(slack.messages.at(-1)).toMatchObject({ pings: [], notification: body });
  });

  it.each([
    [403, 'action_prohibited', { kind: 'refused', reason: 'client_error' }],
    [403, 'posting_to_general_channel_denied', { kind: 'refused', reason: 'client_error' }],
    [403, 'invalid_token', { kind: 'refused', reason: 'client_error' }],
    [404, 'channel_not_found', { kind: 'refused', reason: 'client_error' }],
    [404, 'no_service', { kind: 'refused', reason: 'client_error' }],
    [404, 'no_team', { kind: 'refused', reason: 'client_error' }],
    [408, 'request_timeout', { kind: 'retryable', reason: 'client_error' }],
    [410, 'channel_is_archived', { kind: 'refused', reason: 'client_error' }],
    [429, 'rate_limited', { kind: 'retryable', reason: 'rate_limited', maybeDelivered: false }],
    [500, 'rollup_error', { kind: 'retryable', reason: 'server_error', maybeDelivered: false }],
    [503, 'down', { kind: 'retryable', reason: 'server_error', maybeDelivered: false }],
    [200, 'okay', { kind: 'retryable', reason: 'bad_response', maybeDelivered: false }],
    [200, '<html>login</html>', { kind: 'retryable', reason: 'bad_response' }],
    [202, 'ok', { kind: 'retryable', reason: 'bad_response' }],
  ])('takes HTTP %i %s for what it means', async (status, body, expected) => {
    slack.respondOnce(status, body);
    const outcome = await channel()(aStopMessage(), signal);
    expect(outcome).toMatchObject({ ...expected, detail: `HTTP ${status}: ${body}` });
  });

  it('does not follow a redirect', async () => {
    slack.respondOnce(302, '', { location: slack.url });
    expect(await channel()(aStopMessage(), signal)).toMatchObject({
      kind: 'refused',
      reason: 'redirect',
    });
  });

  it('passes on how long Slack asks to wait', async () => {
    slack.respondOnce(429, 'rate_limited', { 'retry-after': '30' });
    expect(await channel()(aStopMessage(), signal)).toMatchObject({ retryAfterMs: 30_000 });
    slack.respondOnce(500, 'rollup_error');
    expect(await channel()(aStopMessage(), signal)).toMatchObject({ retryAfterMs: null });
  });

  it('meets the rate limit of the second message', async () => {
    const strict = await startFakeSlack();
    strict.limitRate(60_000);
    const post = channel({ webhookUrl: strict.url });
    expect(await post(aStopMessage(), signal)).toMatchObject({ kind: 'delivered' });
    expect(await post(aStopMessage(), signal)).toMatchObject({
      reason: 'rate_limited',
      retryAfterMs: 60_000,
    });
    expect(strict.messages).toHaveLength(1);
    await strict.close();
  });

  it.each(['invalid_payload', 'invalid_blocks', 'no_text', 'too_many_attachments'])(
    'sends plain text at once after 400 %s',
    async (body) => {
      slack.respondOnce(400, body);
      const outcome = await channel({ mention: 'here' })(aStopMessage(), signal);
      expect(outcome).toEqual({
        kind: 'delivered',
        detail: `ok; sent as plain text, blocks refused (${body})`,
      });
      expect(slack.messages.at(-1)).toMatchObject({ hasBlocks: false, pings: ['<!here>'] });
      expect(slack.messages.at(-1)?.text).toContain('Was 97 % before the deploy.');
    },
  );

  it('leaves out a mention that Slack does not know', async () => {
    slack.respondOnce(400, 'user_not_found');
    const outcome = await channel({ mention: 'U012AB3CD' })(aStopMessage(), signal);
    expect(outcome.kind).toBe('delivered');
    expect(slack.messages.at(-1)?.pings).toEqual([]);
  });

  it('is refused when plain text is refused as well', async () => {
    slack.respond(400, 'invalid_payload');
    expect(await channel()(aStopMessage(), signal)).toMatchObject({
      kind: 'refused',
      reason: 'client_error',
      detail: expect.stringContaining('HTTP 400: invalid_payload'),
    });
  });

  it('repeats a message as plain text only, when its blocks were refused before', async () => {
    const post = channel();
    slack.respondOnce(400, 'invalid_blocks');
    slack.respondOnce(429, 'rate_limited', { 'retry-after': '1' });
    expect(await post(aStopMessage(), signal)).toMatchObject({ retryAfterMs: 1_000 });
    const before = slack.answers.length;
    const repeated = aStopMessage({ headline: 'repeated: CRITICAL aurora' });
    expect(await post(repeated, signal)).toMatchObject({ kind: 'delivered' });
    expect(slack.answers.slice(before)).toMatchObject([{ status: 200, body: 'ok' }]);
    expect(slack.messages.at(-1)?.hasBlocks).toBe(false);
    await post(aStopMessage({ kind: 'watch.passed' }), signal);
    expect(slack.messages.at(-1)?.hasBlocks).toBe(true);
  });

  it('says "may have arrived" when Slack takes it and never answers', async () => {
    slack.hang({ accept: true });
    const before = slack.messages.length;
    const outcome = await channel({ timeoutMs: 200 })(aStopMessage(), signal);
    expect(outcome).toMatchObject({ kind: 'retryable', reason: 'timeout', maybeDelivered: true });
    expect(slack.messages).toHaveLength(before + 1);
  });

  it('is patient with a slow answer within its time', async () => {
    slack.slow(150);
    expect(await channel()(aStopMessage(), signal)).toMatchObject({ kind: 'delivered' });
  });

  it('can be repeated when the connection is cut or refused', async () => {
    slack.down();
    expect(await channel()(aStopMessage(), signal)).toMatchObject({
      kind: 'retryable',
      reason: 'network',
      maybeDelivered: true,
    });
    const gone = await startFakeSlack();
    await gone.close();
    expect(await channel({ webhookUrl: gone.url })(aStopMessage(), signal)).toMatchObject({
      kind: 'retryable',
      reason: 'network',
      detail: 'ECONNREFUSED',
      maybeDelivered: false,
    });
  });

  it('is interrupted by its signal', async () => {
    slack.hang();
    const stop = new AbortController();
    const before = slack.answers.length;
    const sent = channel()(aStopMessage(), stop.signal);
    await expect.poll(() => slack.answers.length).toBe(before + 1);
    stop.abort();
    expect(await sent).toMatchObject({ reason: 'interrupted', maybeDelivered: true });
  });

  it('refuses a webhook URL that is none, or that does not speak TLS', async () => {
    const broken = channel({ webhookUrl: 'hooks.slack.test/XXXXsecret' });
    expect(await broken(aStopMessage(), signal)).toMatchObject({ reason: 'misconfigured' });
    const tls = channel({ webhookUrl: slack.url.replace('http:', 'https:') });
    expect(await tls(aStopMessage(), signal)).toMatchObject({ kind: 'refused', reason: 'tls' });
  });

  it('puts the webhook URL into no outcome, whatever Slack answers', async () => {
    const outcomes: string[] = [];
    const send = async (webhookUrl = slack.url) => {
      const post = channel({ webhookUrl, timeoutMs: 300 });
      outcomes.push(JSON.stringify(await post(aStopMessage(), signal)));
    };
    const echo = `${slack.url} ${new URL(slack.url).pathname} XXXXsecretXXXXsecretXXXX`;
    for (const status of [200, 302, 400, 403, 404, 410, 429, 500]) {
      slack.respond(status, echo, { location: slack.url });
      await send();
    }
    slack.down();
    await send();
    slack.hang();
    await send();
    await send(slack.url.replace('http:', 'https:'));
    await send(slack.url.replace('http://', ''));
    expect(outcomes).toHaveLength(12);
    expect(outcomes.filter((outcome) => /secret|127\.0\.0\.1/.test(outcome))).toEqual([]);
  });
});
