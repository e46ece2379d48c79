// One attempt to post a message by an incoming webhook, and what Slack's answer means. The webhook
// URL is the secret: it is in no detail. Order, pace and repetition are the dispatcher's.
import {
  type FetchFunction,
  IncomingWebhook,
  IncomingWebhookHTTPError,
  IncomingWebhookRequestError,
} from '@slack/webhook';
import type { Message, Outcome } from '../core/delivery.ts';
import type { Clock } from '../kit/clock.ts';
import { retryAfterMs } from '../kit/http.ts';
import { cutEnd, printable, redact } from '../kit/redact.ts';
import { outcomeOfStatus, refused, retryable } from '../request/outcome.ts';
import { plainSlackMessage, type SlackPayload, slackMessage } from './slack-message.ts';

/** Slack answers with one word. */
const ANSWER_BYTES_MAX = 64 * 1_024;
const SNIPPET_MAX = 200;

export type SlackChannelOptions = {
  readonly webhookUrl: string;
  readonly timeoutMs: number;
  readonly mention: string | null;
  /** Name of the channel, when its messages have buttons. */
  readonly buttons?: string | null;
  readonly clock: Clock;
};

type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly body: string }
  | { readonly kind: 'failed'; readonly error: Error };
type Attempt = Answer & { readonly retryAfterMs: number | null };

export function createSlack(
  options: SlackChannelOptions,
): (message: Message, signal: AbortSignal) => Promise<Outcome> {
  /** The message whose blocks were refused last: repeated as plain text at once. */
  let plainOnly: string | null = null;

  return async (message, signal) => {
    // Without its words: a repetition may say that it is one.
    const key = JSON.stringify([message.watchId, message.kind, message.atMs]);
    let refusedBlocks = '';
    if (plainOnly !== key) {
      const attempt = await post(options, slackMessage(message, options), signal);
      if (attempt.kind === 'failed' || attempt.status !== 400) {
        return outcomeOf(attempt, options, signal);
      }
      plainOnly = key;
      refusedBlocks = saidBy(attempt.body, options);
    }
    // The mention may be what Slack does not know.
    const mention = refusedBlocks === 'user_not_found' ? null : options.mention;
    const plain = await post(options, plainSlackMessage(message, { mention }), signal);
    const outcome = outcomeOf(plain, options, signal);
    const why = refusedBlocks === '' ? '' : ` (${refusedBlocks})`;
    return { ...outcome, detail: `${outcome.detail}; sent as plain text, blocks refused${why}` };
  };
}

async function post(
  options: SlackChannelOptions,
  payload: SlackPayload,
  signal: AbortSignal,
): Promise<Attempt> {
  let asked: number | null = null;
  const webhook = new IncomingWebhook(options.webhookUrl, {
    timeout: options.timeoutMs,
    retryConfig: { retries: 0 },
    fetch: boundedFetch(signal, (headers) => {
      asked = retryAfterMs(headers, options.clock.now());
    }),
  });
  const answer = await webhook
    .send(payload)
    .then(({ text }): Answer => ({ kind: 'answered', status: 200, body: text }), answerOfError);
  return { ...answer, retryAfterMs: asked };
}

/**
 * The library's errors carry no headers, so `Retry-After` is taken on the way. Redirects come back
 * as answers, and a body is read no further than its limit.
 */
function boundedFetch(
  stop: AbortSignal,
  onHeaders: (headers: Readonly<Record<string, string>>) => void,
): FetchFunction {
  return async (url, init = {}) => {
    const signal = init.signal ? AbortSignal.any([init.signal, stop]) : stop;
    const response = await fetch(url, { ...init, redirect: 'manual', signal });
    onHeaders(Object.fromEntries(response.headers));
    const text = await textOf(response);
    // The library takes any 2xx for success; only 200 is Slack's.
    const { status, statusText, headers } = response;
    return {
      ok: status === 200,
      status,
      statusText,
      url: '',
      headers,
      text: async () => text,
      json: async () => JSON.parse(text),
      arrayBuffer: async () => new TextEncoder().encode(text).buffer,
    };
  };
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > ANSWER_BYTES_MAX) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}

function answerOfError(error: unknown): Answer {
  if (error instanceof IncomingWebhookHTTPError) {
    return { kind: 'answered', status: error.statusCode, body: error.body };
  }
  if (error instanceof IncomingWebhookRequestError)
    return { kind: 'failed', error: error.original };
  throw error;
}

function outcomeOf(attempt: Attempt, options: SlackChannelOptions, signal: AbortSignal): Outcome {
  if (attempt.kind === 'failed') return outcomeOfFailure(attempt.error, options, signal);
  const { status, body } = attempt;
  if (status === 200 && body.trim() === 'ok') return { kind: 'delivered', detail: 'ok' };
  const said = saidBy(body, options);
  const detail = `HTTP ${status}${said === '' ? '' : `: ${said}`}`;
  return outcomeOfStatus(status, detail, attempt.retryAfterMs);
}

const NOT_SENT =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_\w+|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/;

function outcomeOfFailure(
  error: Error,
  options: SlackChannelOptions,
  signal: AbortSignal,
): Outcome {
  if (signal.aborted) {
    return retryable('interrupted', 'interrupted; it may have arrived', { maybeDelivered: true });
  }
  if (error.name === 'TimeoutError') {
    const detail = `no answer within ${options.timeoutMs} ms; it may have arrived`;
    return retryable('timeout', detail, { maybeDelivered: true });
  }
  const code = codeOf(error);
  if (code === 'ERR_INVALID_URL') {
    return refused('misconfigured', 'the Slack webhook URL is not a URL');
  }
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_VERIFY|EPROTO/.test(code)) {
    return refused('tls', `TLS: ${code}`);
  }
  return retryable('network', code || 'connection failed', {
    maybeDelivered: !NOT_SENT.test(code),
  });
}

/** `fetch failed` says nothing; its cause has the code. Messages are not used: they hold URLs. */
function codeOf(error: Error): string {
  for (const found of [error.cause, error]) {
    const code = found instanceof Error && 'code' in found ? found.code : null;
    if (typeof code === 'string') return code;
  }
  return '';
}

function saidBy(body: string, { webhookUrl }: SlackChannelOptions): string {
  const { pathname = '', search = '' } = URL.parse(webhookUrl) ?? {};
  // Short parts of the path are words such as "services"; redacting those would only confuse.
  const parts = [pathname + search, ...pathname.split('/')].filter((part) => part.length > 8);
  return cutEnd(printable(redact(body, [webhookUrl, ...parts])), SNIPPET_MAX);
}
