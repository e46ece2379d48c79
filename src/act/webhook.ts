// One attempt of an action by webhook: a signed POST, and what its answer means. It never retries,
// never follows a redirect, and its details never hold the URL's query, a header or a secret.
import type { ActionPayload, Outcome } from '../core/delivery.ts';
import type { WebhookVia } from '../core/policy.ts';
import type { TemplateValues } from '../core/template.ts';
import { type HttpAnswer, type HttpFailure, retryAfterMs, send } from '../kit/http.ts';
import {
  ANSWER_BYTES_MAX,
  httpDetail,
  outcomeOfFailure,
  outcomeOfStatus,
  refused,
  retryable,
  saidBy,
} from '../request/outcome.ts';
import { signedHeaders } from '../request/signed.ts';
import { BLOCKED_CODE, guardedLookup, targetOf } from './target.ts';

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
  const more = { 'canaryd-attempt': `${options.attempt}` };
  const headers = signedHeaders({ ...options, id: options.deliveryId, body, more });
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
    ? outcomeOf(answer)
    : outcomeOfAnswer(answer, options, target.url);
}

/** What a policy must not reach is refused for good; the rest as for any request. */
function outcomeOf(failure: HttpFailure): Outcome {
  if (failure.reason === 'network' && failure.detail === BLOCKED_CODE) {
    return refused('misconfigured', 'url: the host name leads to a cloud metadata address');
  }
  return outcomeOfFailure(failure);
}

function outcomeOfAnswer(answer: HttpAnswer, options: WebhookOptions, url: string): Outcome {
  const { status } = answer;
  const said = saidBy(answer.body, secretsOf(options, url));
  const detail = httpDetail(answer, said);
  if (status >= 200 && status < 300) {
    const took = `HTTP ${status} in ${Math.round(answer.tookMs)} ms`;
    return { kind: 'delivered', detail: said === '' ? took : `${took}: ${said}` };
  }
  const asked = retryAfterMs(answer.headers, options.nowMs);
  // This very key is being worked on.
  if (status === 409) {
    return retryable('client_error', detail, { retryAfterMs: asked, maybeDelivered: true });
  }
  return outcomeOfStatus(status, detail, asked);
}

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
