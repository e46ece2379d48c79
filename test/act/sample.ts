// A payload, values and options that the tests of this folder share.
import type { WebhookOptions } from '../../src/act/webhook.ts';
import type { ActionPayload } from '../../src/core/delivery.ts';

export const payload: ActionPayload = {
  type: 'canaryd.rollback',
  timestamp: '2026-11-21T22:05:00.000Z',
  data: {
    watch: 'w_1',
    service: 'aurora',
    environment: 'production',
    version: '2.4.1',
    previous_version: '2.4.0',
    conditions: [],
    reason: 'fill rate 12 % < 80 %',
    url: null,
  },
};

export const values = {
  service: 'aurora',
  environment: 'production',
  version: '2.4.1',
  previous_version: '2.4.0',
  watch: 'w_1',
};

export const SECRET = 'whsec_dGhpcyBpcyBhIHRlc3Qgc2VjcmV0';

export function webhookOptions(url: string, more: Partial<WebhookOptions> = {}): WebhookOptions {
  return {
    via: { kind: 'webhook', url, secret: null, headers: {} },
    deliveryId: 'w_1-rollback',
    payload,
    timeoutMs: 5_000,
    attempt: 1,
    nowMs: Date.now(),
    version: '9.9.9',
    secret: SECRET,
    headers: {},
    values,
    signal: new AbortController().signal,
    ...more,
  };
}
