import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Secret } from '../../src/config/secrets.ts';
import type { Severity } from '../../src/core/delivery.ts';
import { createChannels } from '../../src/daemon/channels.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { createLogger } from '../../src/kit/logger.ts';
import { aMessage } from '../support/build.ts';
import { type FakeSlack, startFakeSlack } from '../support/fake-slack.ts';

let normal: FakeSlack;
let critical: FakeSlack;
beforeEach(async () => {
  [normal, critical] = await Promise.all([startFakeSlack(), startFakeSlack()]);
});
afterEach(() => Promise.all([normal.close(), critical.close()]));

const signal = new AbortController().signal;

/** @param urls values of the two secrets; null when one is gone */
function channel(urls: { normal?: string | null; critical?: string | null } = {}) {
  const log: string[] = [];
  const values = { normal: normal.url, critical: critical.url, ...urls };
  const slack = {
    kind: 'slack' as const,
    webhook: new Secret('SLACK', () => values.normal),
    criticalWebhook: new Secret('CRITICAL', () => values.critical),
    mention: null,
    buttons: null,
    timeoutMs: 5_000,
  };
  const logger = createLogger('info', { write: (line: string) => void log.push(line) });
  const { slack: made } = createChannels({ slack }, { clock: systemClock, logger });
  if (made === undefined) throw new Error('there is no channel for Slack');
  const send = (severity: Severity) => made.send(aMessage({ severity }), signal);
  const lane = (severity: Severity) => made.lane?.(aMessage({ severity }));
  return { send, lane, log };
}

describe('the Slack channel', () => {
  it('sends what is critical by its own webhook, and anything else by the other', async () => {
    const { send, lane } = channel();
    await send('critical');
    await send('info');
    expect([critical.messages.length, normal.messages.length]).toEqual([1, 1]);
    expect([lane('critical'), lane('warning')]).toEqual(['critical', 'normal']);
  });

  it('has one lane when both webhooks are the same', () => {
    const { lane } = channel({ critical: normal.url });
    expect(lane('critical')).toBe(lane('info'));
  });

  it.each([403, 404, 410])('sends by the other webhook when one answers %i', async (status) => {
    const { send, log } = channel();
    critical.respond(status, 'no_service');
    expect(await send('critical')).toMatchObject({
      kind: 'delivered',
      detail: `slack.webhook: ok; slack.critical_webhook: HTTP ${status}: no_service`,
    });
    expect(normal.messages).toHaveLength(1);
    expect(log.join()).toContain('"refusedBy":"slack.critical_webhook"');
    expect(log.join()).not.toContain(normal.url);
    critical.up();
    normal.respond(status, 'no_service');
    expect(await send('info')).toMatchObject({ kind: 'delivered' });
    expect(critical.messages).toHaveLength(1);
  });

  it.each([
    ['the secret is gone', null],
    ['TLS fails', 'tls'],
  ])('sends by the other webhook when %s', async (_, how) => {
    const url = how === null ? null : normal.url.replace('http:', 'https:');
    expect(await channel({ critical: url }).send('critical')).toMatchObject({ kind: 'delivered' });
    expect(normal.messages).toHaveLength(1);
  });

  it('does not send by the other what may get through later', async () => {
    critical.respond(503, 'busy');
    expect(await channel().send('critical')).toMatchObject({ reason: 'server_error' });
    expect(normal.answers).toEqual([]);
  });

  it('tries a critical message again after a minute when both refuse it', async () => {
    critical.respond(404, 'no_service');
    normal.respond(403, 'action_prohibited');
    const { send } = channel();
    expect(await send('critical')).toEqual({
      kind: 'retryable',
      reason: 'client_error',
      detail:
        'slack.webhook: HTTP 403: action_prohibited; slack.critical_webhook: HTTP 404: no_service',
      retryAfterMs: 60_000,
      maybeDelivered: false,
    });
    expect(await send('warning')).toMatchObject({ kind: 'refused', reason: 'client_error' });
  });

  it('asks a single webhook once, and again later when the message is critical', async () => {
    normal.respond(404, 'no_service');
    const { send } = channel({ critical: normal.url });
    expect(await send('critical')).toMatchObject({ kind: 'retryable', retryAfterMs: 60_000 });
    expect(normal.answers).toHaveLength(1);
    expect(await send('info')).toMatchObject({ kind: 'refused' });
  });
});
