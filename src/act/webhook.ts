// One attempt of an action by webhook: a signed POST, and what its answer means. It never retries,
// never follows a redirect, and its details never hold the URL's query, a header or a secret.
import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { ActionPayload, Outcome } from '../core/delivery.ts';
import type { DeliveryReason } from '../core/event.ts';
import type { WebhookVia } from '../core/policy.ts';
import type { TemplateValues } from '../core/template.ts';
import { type HttpAnswer, type HttpFailure, retryAfterMs, send } from '../kit/http.ts';
import { cutEnd, printable, redact } from '../kit/redact.ts';
import { sign, signingKeys } from '../kit/signature.ts';
import { BLOCKED_CODE, guardedLookup, targetOf } from './target.ts';

/** Generous, because an answer that is too large hides its status; only a snippet is kept. */
const ANSWER_BYTES_MAX = 1_000_000;
const SNIPPET_MAX = 200;

export type WebhookOptions = {
  readonly via: WebhookVia;
  readonly deliveryId: string;
  readonly payload: ActionPayload;
  readonly timeoutMs: number;
  readonly attempt: number;
  readonly nowMs: number;
  /** canaryd's own version, for the user agent. */
  readonly version: string;
  readonly secret: string | null;
  /** Resolved and filled. */
  readonly headers: Readonly<Record<string, string>>;
  readonly values: TemplateValues;
  readonly signal: AbortSignal;
};

export async function sendWebhook(options: WebhookOptions): Promise<Outcome> {
  const target = targetOf(options.via.url, options.values);
  if (target.kind === 'misconfigured') return refused('misconfigured', target.detail);
  const body = JSON.stringify(options.payload);
  const headers = headersOf(options, body);
  if (typeof headers === 'string') return refused('misconfigured', headers);
  const answer = await send({
    method: 'POST',
    url: target.url,
    headers,
    body,
    timeoutMs: options.timeoutMs,
    responseBytesMax: ANSWER_BYTES_MAX,
    lookup: guardedLookup,
    signal: options.signal,
  });
  return answer.kind === 'failed'
    ? outcomeOfFailure(answer)
    : outcomeOfAnswer(answer, options, target.url);
}

/** The request's headers; a text says why there are none. */
function headersOf(options: WebhookOptions, body: string): Record<string, string> | string {
  const timestampSeconds = Math.floor(options.nowMs / 1_000);
  const own: Record<string, string> = {
    'content-type': 'application/json',
    'user-agent': `canaryd/${options.version}`,
    'webhook-id': options.deliveryId,
    'webhook-timestamp': `${timestampSeconds}`,
    'idempotency-key': options.deliveryId,
    'canaryd-attempt': `${options.attempt}`,
  };
  if (options.secret !== null) {
    const keys = signingKeys(options.secret);
    if (keys === null) return 'secret: cannot sign; wanted whsec_<base64> or any text, not empty';
    own['webhook-signature'] = sign(keys, { id: options.deliveryId, timestampSeconds, body });
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers)) {
    if (!isHeader(name, value)) {
      return `headers.${printable(name)}: has characters that a header may not have`;
    }
    // Names are compared without case; what signs the request cannot be configured away.
    if (own[name.toLowerCase()] === undefined) headers[name] = value;
  }
  return { ...headers, ...own };
}

function isHeader(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

/** Failures that come before the request is sent: the receiver cannot have seen it. */
const NOT_SENT =
  /^(?:host name not found|EAI_\w+|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|ENETDOWN|ETIMEDOUT|EMFILE)$/;

/** A certificate is as wrong the next time; anything else of TLS may be a proxy that starts. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS_/;

function outcomeOfFailure({ reason, detail }: HttpFailure): Outcome {
  switch (reason) {
    case 'timeout':
      return retryable('timeout', `${detail}; it may have arrived`, { maybeDelivered: true });
    case 'refused_connection':
      return retryable('network', detail);
    case 'network':
      if (detail === BLOCKED_CODE) {
        return refused('misconfigured', 'url: the host name leads to a cloud metadata address');
      }
      return retryable('network', detail, { maybeDelivered: !NOT_SENT.test(detail) });
    case 'tls':
      if (CERTIFICATE.test(detail)) return refused('tls', detail);
      return retryable('tls', detail, { maybeDelivered: true });
    case 'too_large':
      return retryable('bad_response', detail, { maybeDelivered: true });
    case 'aborted':
      return retryable('interrupted', 'interrupted; it may have arrived', { maybeDelivered: true });
    case 'bad_url':
      return refused('misconfigured', `url: ${detail}`);
  }
}

function outcomeOfAnswer(answer: HttpAnswer, options: WebhookOptions, url: string): Outcome {
  const { status } = answer;
  const snippet = cutEnd(printable(redact(answer.body, secretsOf(options, url))), SNIPPET_MAX);
  const said = snippet === '' ? '' : `: ${snippet}`;
  if (status >= 200 && status < 300) {
    return {
      kind: 'delivered',
      detail: `HTTP ${status} in ${Math.round(answer.tookMs)} ms${said}`,
    };
  }
  const detail = `HTTP ${status}${said}`;
  if (status >= 300 && status < 400) {
    return refused('redirect', `HTTP ${status}: redirects are not followed; set the final URL`);
  }
  const again = RETRYABLE.get(status) ?? (isPassing(status) ? UNKNOWN_5XX : undefined);
  if (again !== undefined) {
    const asked = retryAfterMs(answer.headers, options.nowMs);
    return retryable(again.reason, detail, { ...again, retryAfterMs: asked });
  }
  return refused(status >= 500 ? 'server_error' : 'client_error', detail);
}

/**
 * Everything else below 500 is refused for good: 412 among it, because the same request meets
 * the same precondition. 409 says that this very key is being worked on; a gateway that gave up waiting
 * (502, 504) does not know what became of the request.
 */
const RETRYABLE: ReadonlyMap<number, { reason: DeliveryReason; maybeDelivered: boolean }> = new Map(
  [
    [408, { reason: 'client_error', maybeDelivered: false }],
    [409, { reason: 'client_error', maybeDelivered: true }],
    [425, { reason: 'client_error', maybeDelivered: false }],
    [429, { reason: 'rate_limited', maybeDelivered: false }],
    [500, { reason: 'server_error', maybeDelivered: false }],
    [502, { reason: 'server_error', maybeDelivered: true }],
    [503, { reason: 'server_error', maybeDelivered: false }],
    [504, { reason: 'server_error', maybeDelivered: true }],
  ],
);

/** 501 and 505 say that the receiver never will. */
function isPassing(status: number): boolean {
  return status >= 500 && status !== 501 && status !== 505;
}

/** Codes of proxies, such as 520 to 529: they cannot say what became of the request. */
const UNKNOWN_5XX = { reason: 'server_error', maybeDelivered: true } as const;

/** All that a receiver may echo in its answer and nobody may read in a message. */
function secretsOf({ via, secret, headers }: WebhookOptions, url: string): readonly string[] {
  const { search, username, password } = new URL(url);
  const secretHeaders = Object.entries(headers)
    .filter(([name]) => isSecretHeader(name, via.headers[name]))
    .flatMap(([, value]) => [value, ...value.split(/\s+/).filter((word) => word.length >= 8)]);
  // The template's own parameters: the deploy's values in it are no secrets.
  const parameters = [...new URLSearchParams(/\?([^#]*)/.exec(via.url)?.[1]).values()].filter(
    (value) => value.length >= 8 && !value.includes('${'),
  );
  const keys = (secret ?? '').split(/\s+/).flatMap((key) => [key, key.replace(/^whsec_/, '')]);
  const userinfo = [username, password, decoded(username), decoded(password)];
  return [...keys, ...secretHeaders, search, ...parameters, ...userinfo];
}

function isSecretHeader(name: string, configured: unknown): boolean {
  return typeof configured !== 'string' || /auth|token|key|secret|cookie|pass/i.test(name);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function refused(reason: DeliveryReason, detail: string): Outcome {
  return { kind: 'refused', reason, detail };
}

function retryable(
  reason: DeliveryReason,
  detail: string,
  more: { readonly retryAfterMs?: number | null; readonly maybeDelivered?: boolean } = {},
): Outcome {
  return {
    kind: 'retryable',
    reason,
    detail,
    retryAfterMs: more.retryAfterMs ?? null,
    maybeDelivered: more.maybeDelivered ?? false,
  };
}
