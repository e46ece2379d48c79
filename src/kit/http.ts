// The one axios instance. Every request has a time limit, a size limit and no redirects, and every
// failure comes back as a value with a reason: an AxiosError holds headers and URLs with secrets
// and must not travel further.
import type { Agent as HttpAgent } from 'node:http';
import type { Agent } from 'node:https';
import axios, { type AxiosError } from 'axios';

export type HttpRequest = {
  readonly method: 'GET' | 'HEAD' | 'OPTIONS' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** For the whole exchange, from connect to the last byte. */
  readonly timeoutMs: number;
  readonly responseBytesMax: number;
  /** Whose connections are used; default: those of the process. */
  readonly httpAgent?: HttpAgent;
  readonly httpsAgent?: Agent;
  /** Resolves the host name in place of the system; its error's `code` becomes the detail. */
  readonly lookup?: Lookup;
  readonly signal?: AbortSignal;
};

export type Lookup = (
  hostname: string,
  done: (error: Error | null, addresses: { address: string; family: 4 | 6 }[]) => void,
) => void;

export type HttpFailure = {
  readonly kind: 'failed';
  readonly reason:
    | 'timeout'
    | 'refused_connection'
    | 'network'
    | 'tls'
    | 'too_large'
    | 'aborted'
    | 'bad_url';
  /** For people; no URL, no header. */
  readonly detail: string;
};

export type HttpAnswer = {
  readonly kind: 'answered';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly tookMs: number;
};

const client = axios.create({
  maxRedirects: 0,
  proxy: false,
  responseType: 'text',
  transformResponse: (data: unknown) => data,
  validateStatus: () => true,
  decompress: true,
});

/** Never throws. Any HTTP status is an answer; only a missing answer is a failure. */
export async function send(request: HttpRequest): Promise<HttpAnswer | HttpFailure> {
  if (!isHttp(request.url)) return BAD_URL;
  const started = performance.now();
  // One signal for the whole exchange: axios' own timeout does not bound a slow body.
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort('timeout'), request.timeoutMs);
  // Followed by hand: a caller's signal may live for days, and composites of it would pile up.
  const follow = () => limit.abort('aborted');
  if (request.signal?.aborted) follow();
  request.signal?.addEventListener('abort', follow, { once: true });
  try {
    const response = await client.request<string>({
      method: request.method,
      url: request.url,
      headers: { ...request.headers },
      ...(request.body === undefined ? {} : { data: request.body }),
      ...(request.httpAgent === undefined ? {} : { httpAgent: request.httpAgent }),
      ...(request.httpsAgent === undefined ? {} : { httpsAgent: request.httpsAgent }),
      ...lookupOption(request.lookup),
      signal: limit.signal,
      maxContentLength: request.responseBytesMax,
      maxBodyLength: 10_000_000,
    });
    return {
      kind: 'answered',
      status: response.status,
      headers: flatHeaders(response.headers as Record<string, unknown>),
      body: typeof response.data === 'string' ? response.data : '',
      tookMs: performance.now() - started,
    };
  } catch (error) {
    return failureOf(error as AxiosError, limit.signal.reason === 'timeout', request);
  } finally {
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', follow);
  }
}

const BAD_URL: HttpFailure = {
  kind: 'failed',
  reason: 'bad_url',
  detail: 'not a URL that can be requested',
};

/** The library also answers `data:` out of the URL itself: that is nobody's answer. */
function isHttp(url: string): boolean {
  const protocol = URL.parse(url)?.protocol;
  return protocol === 'http:' || protocol === 'https:';
}

function lookupOption(lookup: Lookup | undefined) {
  if (lookup === undefined) return {};
  return {
    lookup: (hostname: string, _: object, done: Parameters<Lookup>[1]) => lookup(hostname, done),
  };
}

function failureOf(error: AxiosError, timedOut: boolean, request: HttpRequest): HttpFailure {
  const code = error.code ?? '';
  if (timedOut) {
    return {
      kind: 'failed',
      reason: 'timeout',
      detail: `no answer within ${request.timeoutMs} ms`,
    };
  }
  if (request.signal?.aborted) return { kind: 'failed', reason: 'aborted', detail: 'aborted' };
  if (/maxContentLength/.test(error.message)) {
    const limit = request.responseBytesMax;
    return { kind: 'failed', reason: 'too_large', detail: `answer larger than ${limit} bytes` };
  }
  if (code === 'ERR_INVALID_URL' || code === 'ERR_BAD_OPTION_VALUE') return BAD_URL;
  if (code === 'ECONNREFUSED') {
    return { kind: 'failed', reason: 'refused_connection', detail: 'connection refused' };
  }
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_VERIFY|EPROTO/.test(code)) {
    return { kind: 'failed', reason: 'tls', detail: `TLS: ${code}` };
  }
  const word = code === 'ENOTFOUND' ? 'host name not found' : code || 'connection failed';
  return { kind: 'failed', reason: 'network', detail: word };
}

function flatHeaders(headers: Record<string, unknown>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && value !== null) flat[name.toLowerCase()] = String(value);
  }
  return flat;
}

/** `Retry-After` in seconds or as a date → ms from now; null when absent or unreadable. */
export function retryAfterMs(
  headers: Readonly<Record<string, string>>,
  nowMs: number,
): number | null {
  const text = headers['retry-after'];
  if (text === undefined) return null;
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}
