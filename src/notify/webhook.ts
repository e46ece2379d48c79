// Each message as JSON to a URL of the operator's, signed by Standard Webhooks as actions are. It
// follows no redirect, and its details hold no URL, header or secret.
import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { Message, Outcome } from '../core/delivery.ts';
import type { Clock } from '../kit/clock.ts';
import { type HttpAnswer, retryAfterMs, send } from '../kit/http.ts';
import { headerSecrets } from '../kit/redact.ts';
import { sign, signingKeys } from '../kit/signature.ts';
import {
  ANSWER_BYTES_MAX,
  deliveryKey,
  httpDetail,
  outcomeOfFailure,
  outcomeOfStatus,
  refused,
  retryable,
  type Send,
  saidBy,
} from './outcome.ts';
import {
  cutLines,
  cutUnits,
  fieldsOf,
  headlineOf,
  isoTime,
  linesOf,
  linksOf,
  nextOf,
  oneLine,
} from './text.ts';

export type MessageWebhookOptions = {
  /** Of the channel: a part of the id of a delivery. */
  readonly name: string;
  readonly url: string;
  /** Null: not signed. */
  readonly secret: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** canaryd's own version, for the user agent. */
  readonly version: string;
  readonly clock: Clock;
};

export function createMessageWebhook(options: MessageWebhookOptions): Send {
  return async (message, signal, context) => {
    const body = JSON.stringify(webhookBody(message));
    const headers = headersOf(options, deliveryKey(message, options.name, context), body);
    if (typeof headers === 'string') return refused('misconfigured', headers);
    const answer = await send({
      method: 'POST',
      url: options.url,
      headers,
      body,
      timeoutMs: options.timeoutMs,
      responseBytesMax: ANSWER_BYTES_MAX,
      signal,
    });
    return answer.kind === 'failed' ? outcomeOfFailure(answer) : outcomeOfAnswer(answer, options);
  };
}

/** All lines together; the standard asks for less than 20 kB. */
const LINES_MAX = 10_000;
const NEXT_MAX = 1_000;
const NAME_MAX = 250;

/** What the receiver gets; documented in docs/channels.md. */
export function webhookBody(message: Message) {
  const { deploy } = message;
  const name = (text: string | null | undefined) =>
    text === null || text === undefined ? null : cutUnits(oneLine(text), NAME_MAX);
  return {
    type: 'canaryd.message',
    timestamp: isoTime(message.atMs),
    data: {
      watch: name(message.watchId),
      kind: name(message.kind),
      severity: message.severity,
      incident: message.incident ?? null,
      service: name(deploy?.service),
      environment: name(deploy?.environment),
      version: name(deploy?.version),
      previous_version: name(deploy?.previousVersion),
      headline: headlineOf(message, 300),
      lines: cutLines(linesOf(message), LINES_MAX),
      fields: fieldsOf(message).map(([title, value]) => ({ title, value })),
      next: nextOf(message, NEXT_MAX) || null,
      links: linksOf(message),
    },
  };
}

/** The request's headers; a text says why there are none. */
function headersOf(
  options: MessageWebhookOptions,
  id: string,
  body: string,
): Record<string, string> | string {
  const timestampSeconds = Math.floor(options.clock.now() / 1_000);
  const own: Record<string, string> = {
    'content-type': 'application/json',
    'user-agent': `canaryd/${options.version}`,
    'webhook-id': id,
    'webhook-timestamp': `${timestampSeconds}`,
    'idempotency-key': id,
  };
  if (options.secret !== null) {
    const keys = signingKeys(options.secret);
    if (keys === null) return 'secret: cannot sign; wanted whsec_<base64> or any text, not empty';
    own['webhook-signature'] = sign(keys, { id, timestampSeconds, body });
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers)) {
    if (!isHeader(name, value)) return `headers.${name}: has characters that a header may not have`;
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

function outcomeOfAnswer(answer: HttpAnswer, options: MessageWebhookOptions): Outcome {
  const { status } = answer;
  const said = saidBy(answer.body, secretsOf(options));
  const detail = httpDetail(answer, said);
  if (status >= 200 && status < 300) {
    return { kind: 'delivered', detail: `HTTP ${status} in ${Math.round(answer.tookMs)} ms` };
  }
  const asked = retryAfterMs(answer.headers, options.clock.now());
  // This very id is being worked on.
  if (status === 409) {
    return retryable('client_error', detail, { retryAfterMs: asked, maybeDelivered: true });
  }
  return outcomeOfStatus(status, detail, asked);
}

/** Shorter parts of a path are words, such as "hooks". */
const PATH_SECRET_MIN = 9;

/** All that a receiver may echo and nobody may read: the URL may itself be the secret. */
function secretsOf({ url, secret, headers }: MessageWebhookOptions): readonly string[] {
  const { pathname = '', search = '' } = URL.parse(url) ?? {};
  const parts = [pathname + search, search, ...pathname.split('/'), ...search.split(/[?&=]/)];
  const keys = (secret ?? '').split(/\s+/).flatMap((key) => [key, key.replace(/^whsec_/, '')]);
  const long = parts.filter((part) => part.length >= PATH_SECRET_MIN);
  return [...keys, ...headerSecrets(headers), url, ...long];
}
