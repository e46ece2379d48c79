// One question to a Prometheus-compatible API: `POST /api/v1/query` at an explicit time (or
// `query_range`), and every shape of answer as a value with a reason. Never throws; a detail never holds a URL, a header or a
// foreign text other than Prometheus's own error message.
import { Agent as HttpAgent } from 'node:http';
import { Agent, type AgentOptions } from 'node:https';
import type { Clock } from '../kit/clock.ts';
import { type HttpAnswer, type HttpFailure, send } from '../kit/http.ts';
import { headerSecrets, redact } from '../kit/redact.ts';
import { isRecord, parseResult, type QueryResult } from './prometheus-result.ts';

/** A secret that was read, or how to read it again: files with tokens are replaced while we run. */
export type Secret = string | (() => string);

export type PrometheusOptions = {
  /** With the path prefix of a gateway, if there is one: `https://mimir.example/prometheus`. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly basicAuth?: { readonly username: string; readonly password: Secret } | null | undefined;
  readonly bearerToken?: Secret | null | undefined;
  /** `X-Scope-OrgID` of Mimir and Cortex. */
  readonly tenant?: string | null | undefined;
  readonly tls?: TlsOptions | null | undefined;
  /** For one request, from connect to the last byte. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** How long a connection is kept for the next request; default: of who asks once. */
  readonly idleMs?: number | undefined;
  /** One request ended: for metrics. */
  readonly onRequest?: ((outcome: RequestOutcome, seconds: number) => void) | undefined;
};

/** PEM texts, not paths. */
export type TlsOptions = {
  readonly ca?: string | null | undefined;
  readonly cert?: string | null | undefined;
  readonly key?: string | null | undefined;
  readonly insecureSkipVerify?: boolean | undefined;
};

export type RequestOutcome = 'ok' | 'unreachable' | 'rejected';

export type QueryAnswer =
  | {
      readonly kind: 'answered';
      readonly result: QueryResult;
      /** The data may be partial: a store behind the API did not answer. */
      readonly warnings: readonly string[];
    }
  | {
      readonly kind: 'failed';
      readonly reason: 'unreachable' | 'rejected';
      /** At most 300 characters. */
      readonly detail: string;
      /**
       * - `query`: this text was refused; another may be answered
       * - `slow`: no answer in time; a lighter query may get one
       * - `size`: the answer was too large; a shorter range may fit
       * - `server`: any query would fail
       */
      readonly fault: 'query' | 'slow' | 'size' | 'server';
    };

export type Query = (promql: string, atMs: number, signal: AbortSignal) => Promise<QueryAnswer>;

/** A day of a few hundred series at one point per 15 s is near 30 MB. */
const ANSWER_BYTES_MAX = 64_000_000;
const DETAIL_CHARACTERS_MAX = 300;
/**
 * Requests under way to one source; more wait their turn, within their own time limit. Prometheus
 * answers 20 at a time unless told otherwise, and others ask it, too.
 */
export const REQUESTS_AT_ONCE_MAX = 16;
/**
 * So long a connection is kept for the next tick: longer than usual intervals, and shorter than the
 * minute after which gateways close it.
 */
export const SOCKET_IDLE_MS = 45_000;
/** Of who asks once, such as a check of a gate: a server has only so many connections. */
export const ONCE_IDLE_MS = 1_000;
const RESET = /^(?:ECONNRESET|EPIPE)$/;
/** More do not fit into a detail. */
const WARNINGS_MAX = 10;

/** Error types of Prometheus that speak of its own state, not of the query. */
const SERVER_ERROR_TYPES = new Set(['timeout', 'canceled', 'internal', 'unavailable']);

export function createQuery(options: PrometheusOptions): Query {
  const ask = createAsk(options);
  return async (promql, atMs, signal) => (await ask({ promql, atMs }, signal)).answer;
}

export type Question =
  | { readonly promql: string; readonly atMs: number; readonly withStats?: boolean }
  | {
      readonly promql: string;
      readonly fromMs: number;
      readonly toMs: number;
      readonly stepMs: number;
      readonly withStats?: boolean;
    };

/** An answer and what it cost. */
export type Asked = {
  readonly answer: QueryAnswer;
  readonly seconds: number;
  /** Size of the answer, unpacked. */
  readonly bytes: number;
  /** Samples that were read for it; null: not asked (`withStats`), or not said. */
  readonly samples: number | null;
};

export type Ask = (question: Question, signal: AbortSignal) => Promise<Asked>;

/** For those who count what they ask for; the daemon's sources only need `createQuery`. */
export function createAsk(options: PrometheusOptions): Ask {
  const api = `${options.url.replace(/\/+$/, '')}/api/v1`;
  const agents = agentsOf(options);
  const { clock, onRequest, timeoutMs } = options;

  return async (question, signal) => {
    const startedMs = clock.monotonic();
    const credentials = credentialsOf(options);
    const headers = credentials && headersOf(options, credentials);
    const secrets = credentials === null ? [] : secretsOf(options, credentials);
    const ask = (headers: Readonly<Record<string, string>>, withinMs: number) =>
      send({
        method: 'POST',
        url: `${api}/${'atMs' in question ? 'query' : 'query_range'}`,
        headers,
        body: formOf(question, withinMs),
        timeoutMs: withinMs,
        responseBytesMax: ANSWER_BYTES_MAX,
        ...agents,
        signal,
      });
    const response =
      headers === null
        ? null
        : await askOver(agents, (withinMs) => ask(headers, withinMs), {
            timeoutMs,
            clock,
            startedMs,
          });
    const read = response === null ? UNREAD_SECRET : readOf(response, secrets);
    const seconds = (clock.monotonic() - startedMs) / 1_000;
    const outcome = read.answer.kind === 'answered' ? 'ok' : read.answer.reason;
    onRequest?.(outcome, seconds);
    const bytes = response?.kind === 'answered' ? Buffer.byteLength(response.body) : 0;
    return { ...read, seconds, bytes };
  };
}

const UNREAD_SECRET = {
  answer: failed('rejected', 'the bearer token or password cannot be read', 'server'),
  samples: null,
} as const;

/** The server's own time limit is sent too, though it is no guard: it may be ignored for minutes. */
function formOf(question: Question, timeoutMs: number): string {
  const seconds = (ms: number) => (ms / 1_000).toFixed(3);
  const time: Record<string, string> =
    'atMs' in question
      ? { time: seconds(question.atMs) }
      : {
          start: seconds(question.fromMs),
          end: seconds(question.toMs),
          step: seconds(question.stepMs),
        };
  return new URLSearchParams({
    query: question.promql,
    ...time,
    timeout: `${Math.max(1, Math.round(timeoutMs))}ms`,
    ...(question.withStats === true ? { stats: 'all' } : {}),
  }).toString();
}

function readOf(response: HttpAnswer | HttpFailure, secrets: readonly string[]) {
  if (response.kind === 'failed') return { answer: noAnswer(response), samples: null };
  const body = parseJson(response.body);
  return { answer: answerOf(response, body, secrets), samples: samplesOf(body) };
}

/** `data.stats.samples.totalQueryableSamples`, which not every server says. */
function samplesOf(body: unknown): number | null {
  let value = body;
  for (const key of ['data', 'stats', 'samples', 'totalQueryableSamples']) {
    if (!isRecord(value)) return null;
    value = value[key];
  }
  return typeof value === 'number' ? value : null;
}

export type Credentials = { readonly header: string | null; readonly secret: string | null };

export function credentialsOf({ basicAuth, bearerToken }: PrometheusOptions): Credentials | null {
  try {
    if (basicAuth) {
      const secret = read(basicAuth.password);
      const pair = Buffer.from(`${basicAuth.username}:${secret}`).toString('base64');
      return { header: `Basic ${pair}`, secret };
    }
    if (!bearerToken) return { header: null, secret: null };
    const secret = read(bearerToken);
    return { header: `Bearer ${secret}`, secret };
  } catch {
    // The message would name a path; the caller's function knows how to complain in the log.
    return null;
  }
}

export function headersOf(
  options: PrometheusOptions,
  { header }: Credentials,
): Record<string, string> {
  const { tenant } = options;
  return {
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
    ...options.headers,
    ...(tenant ? { 'x-scope-orgid': tenant } : {}),
    ...(header === null ? {} : { authorization: header }),
  };
}

/** What a gateway may echo and we may not keep: which headers were secrets is not known here. */
function secretsOf(options: PrometheusOptions, { header, secret }: Credentials): readonly string[] {
  const parts = header === null ? [] : [header, header.replace(/^\S+ /, '')];
  return [...parts, ...(secret === null ? [] : [secret]), ...headerSecrets(options.headers ?? {})];
}

function read(secret: Secret): string {
  return (typeof secret === 'string' ? secret : secret()).trim();
}

/** The connections of one source: bounded in number, and kept for a while. */
export function agentsOf({
  tls,
  idleMs = ONCE_IDLE_MS,
}: Pick<PrometheusOptions, 'tls' | 'idleMs'>) {
  const bounds = { keepAlive: true, maxSockets: REQUESTS_AT_ONCE_MAX, timeout: idleMs };
  return { httpAgent: new HttpAgent(bounds), httpsAgent: tlsAgent(tls ?? {}, bounds) };
}

/**
 * Asks once more when the connection was reset: a kept one may be closed just as it is used again, and
 * only a fresh one tells whether the server is there.
 * @param within both times together, from `startedMs` (monotonic) on
 */
export async function askOver(
  agents: ReturnType<typeof agentsOf>,
  ask: (withinMs: number) => Promise<HttpAnswer | HttpFailure>,
  within: { readonly timeoutMs: number; readonly clock: Clock; readonly startedMs: number },
): Promise<HttpAnswer | HttpFailure> {
  const answer = await ask(within.timeoutMs);
  if (answer.kind !== 'failed' || !RESET.test(answer.detail)) return answer;
  const restMs = within.timeoutMs - (within.clock.monotonic() - within.startedMs);
  for (const { freeSockets } of [agents.httpAgent, agents.httpsAgent]) {
    for (const socket of Object.values(freeSockets).flat()) socket?.destroy();
  }
  return restMs > 0 ? ask(restMs) : answer;
}

export function tlsAgent(
  { ca, cert, key, insecureSkipVerify }: TlsOptions,
  bounds: AgentOptions = {},
): Agent {
  return new Agent({
    keepAlive: true,
    ...bounds,
    ...(ca ? { ca } : {}),
    ...(cert ? { cert } : {}),
    ...(key ? { key } : {}),
    rejectUnauthorized: insecureSkipVerify !== true,
  });
}

/** A foreign text, without our secrets. Cut only afterwards: half a secret is not found. */
type Said = (text: string) => string;

function answerOf({ status }: HttpAnswer, body: unknown, secrets: readonly string[]): QueryAnswer {
  const said = (text: string) => redact(text, secrets);
  if (status >= 200 && status < 300) {
    if (!isRecord(body)) {
      return failed('rejected', `HTTP ${status} ${notJson()}`, 'server');
    }
    return body['status'] === 'success' ? successOf(body, said) : errorOf(status, body, said);
  }
  if (status >= 300 && status < 400) {
    const text = `HTTP ${status}: redirects are not followed; set the url that it leads to`;
    return failed('rejected', text, 'server');
  }
  return errorOf(status, isRecord(body) ? body : null, said);
}

function noAnswer({ reason, detail }: HttpFailure): QueryAnswer {
  switch (reason) {
    case 'too_large':
      return failed('rejected', `${detail}: fewer series or a shorter range is needed`, 'size');
    case 'bad_url':
      return failed('rejected', detail, 'server');
    case 'timeout':
      return failed('unreachable', detail, 'slow');
    default:
      return failed('unreachable', detail, 'server');
  }
}

function successOf(body: Readonly<Record<string, unknown>>, said: Said): QueryAnswer {
  const result = parseResult(body['data']);
  if (result === null) {
    return failed('rejected', 'the answer has no shape of the Prometheus query API', 'server');
  }
  const { warnings } = body;
  const texts = Array.isArray(warnings) ? warnings.filter((one) => typeof one === 'string') : [];
  return {
    kind: 'answered',
    result,
    warnings: texts.slice(0, WARNINGS_MAX).map((text) => cut(said(text))),
  };
}

function errorOf(
  status: number,
  body: Readonly<Record<string, unknown>> | null,
  said: Said,
): QueryAnswer {
  const type = typeof body?.['errorType'] === 'string' ? body['errorType'] : null;
  const message = typeof body?.['error'] === 'string' ? body['error'] : null;
  const text = type === null ? `HTTP ${status}` : `HTTP ${status} ${type}`;
  const detail = said(message === null ? text : `${text}: ${message}`);
  if (status >= 500 || status === 429 || SERVER_ERROR_TYPES.has(type ?? '')) {
    return failed('unreachable', detail, type === 'timeout' ? 'slow' : 'server');
  }
  if (status === 401 || status === 403) {
    return failed('rejected', `HTTP ${status}: the credentials were refused`, 'server');
  }
  if (body === null) return failed('rejected', `HTTP ${status} ${notJson()}`, 'server');
  return failed('rejected', detail, type === null ? 'server' : 'query');
}

function notJson(): string {
  return 'with a body that is not JSON: is the url right (path prefix?), or is a proxy in between?';
}

function failed(
  reason: 'unreachable' | 'rejected',
  detail: string,
  fault: 'query' | 'slow' | 'size' | 'server',
): QueryAnswer {
  return { kind: 'failed', reason, detail: cut(detail), fault };
}

/** By code point, so that no character is halved. */
export function cut(text: string): string {
  if (text.length <= DETAIL_CHARACTERS_MAX) return text;
  // A character has at most two units; the text may have megabytes.
  const characters = [...text.slice(0, 2 * DETAIL_CHARACTERS_MAX + 2)];
  if (characters.length <= DETAIL_CHARACTERS_MAX) return text;
  return `${characters.slice(0, DETAIL_CHARACTERS_MAX - 3).join('')}...`;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
