// Every error answer of the API: RFC 9457 `application/problem+json`. One table says which status
// each kind of problem has. Nothing that was thrown by a bug reaches the caller: such an error
// becomes `internal`, and its text goes to the log only.
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify';
import { CanarydError, type ErrorCode, messageOf, type Problem } from '../kit/errors.ts';

/** Problems of HTTP itself; everything else is an `ErrorCode`. */
type HttpProblem =
  | 'request_invalid'
  | 'foreign_request'
  | 'method_not_allowed'
  | 'request_timeout'
  | 'body_too_large'
  | 'url_too_long'
  | 'unsupported_media_type'
  | 'headers_too_large'
  | 'internal'
  | 'too_many_clients'
  | 'closing'
  | 'timeout';

export type ProblemKind = ErrorCode | HttpProblem;

export const PROBLEMS: Readonly<Record<ProblemKind, readonly [status: number, title: string]>> = {
  request_invalid: [400, 'The request is not valid'],
  usage: [400, 'The request is not valid'],
  unauthorized: [401, 'A valid token is needed'],
  forbidden: [403, 'The token may not do this'],
  foreign_request: [403, 'The request came from a foreign site'],
  not_found: [404, 'There is nothing here'],
  watch_not_found: [404, 'No such watch'],
  gate_record_not_found: [404, 'No such decision of a gate'],
  method_not_allowed: [405, 'This method is not allowed here'],
  request_timeout: [408, 'The request took too long to arrive'],
  conflict: [409, 'Somebody else was faster'],
  hold_fire: [409, 'The hold-fire switch is on'],
  gate_missing: [409, 'The gate has no fresh GO for this deploy'],
  watch_closed: [409, 'The watch is closed'],
  body_too_large: [413, 'The body is too large'],
  url_too_long: [414, 'The URL is too long'],
  unsupported_media_type: [415, 'The body must be JSON'],
  start_invalid: [422, 'The watch cannot start like this'],
  policy_not_found: [422, 'No policy fits'],
  policy_invalid: [422, 'The policy is not valid'],
  headers_too_large: [431, 'The headers are too large'],
  config_invalid: [500, 'The configuration is not valid'],
  internal: [500, 'canaryd made a mistake'],
  too_many_clients: [503, 'Too many listeners'],
  closing: [503, 'canaryd is shutting down'],
  timeout: [503, 'The answer took too long'],
  journal_failed: [503, 'The journal cannot be read or written'],
  daemon_unreachable: [503, 'canaryd cannot be reached'],
};

export const PROBLEM_TYPE_PREFIX = 'urn:canaryd:problem:';
export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

export type ProblemBody = {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** The path that was asked. */
  readonly instance: string;
  readonly errors: readonly Problem[];
};

/** Thrown inside the HTTP layer for what no `ErrorCode` covers. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly kind: ProblemKind;
  readonly problems: readonly Problem[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    kind: ProblemKind,
    message: string,
    extra: { problems?: readonly Problem[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.kind = kind;
    this.problems = extra.problems ?? [];
    this.headers = extra.headers ?? {};
  }
}

export function problemBody(
  kind: ProblemKind,
  detail: string,
  instance: string,
  errors: readonly Problem[] = [],
): ProblemBody {
  const [status, title] = PROBLEMS[kind];
  return { type: `${PROBLEM_TYPE_PREFIX}${kind}`, title, status, detail, instance, errors };
}

/** Path without the query: a query may hold what nobody wants repeated. */
export function instanceOf(url: string): string {
  return (url.split('?')[0] ?? '').slice(0, 200);
}

export function sendProblem(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  logger: FastifyBaseLogger,
): void {
  const { kind, detail, errors, headers } = describe(error, request);
  const body = problemBody(kind, detail, instanceOf(request.url), errors);
  if (body.status >= 500) {
    logger.error({ err: error, requestId: request.id, problem: kind }, 'request failed');
  }
  reply
    .code(body.status)
    .headers(headers)
    .header('content-type', PROBLEM_MEDIA_TYPE)
    // As bytes: to a text Fastify would add a charset, which this media type does not have.
    .send(Buffer.from(JSON.stringify(body)));
}

type Description = {
  readonly kind: ProblemKind;
  readonly detail: string;
  readonly errors: readonly Problem[];
  readonly headers: Readonly<Record<string, string>>;
};

function describe(error: unknown, { id, routeOptions }: FastifyRequest): Description {
  if (error instanceof CanarydError) {
    return { kind: error.code, detail: messageOf(error), errors: error.problems, headers: {} };
  }
  if (error instanceof HttpError) {
    const { kind, problems, headers } = error;
    return { kind, detail: messageOf(error), errors: problems, headers };
  }
  const code = codeOf(error);
  if (isCutOff(error, code)) {
    const what = 'the connection was closed before the body had arrived';
    return { kind: 'request_invalid', detail: what, errors: [], headers: {} };
  }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const most = routeOptions.bodyLimit.toLocaleString('en-US');
    const detail = `the body may have at most ${most} bytes`;
    return { kind: 'body_too_large', detail, errors: [], headers: {} };
  }
  const known = FRAMEWORK[code];
  if (known !== undefined) return { kind: known[0], detail: known[1], errors: [], headers: {} };
  const detail = `an unexpected error; canaryd's log tells more under request ${id}`;
  return { kind: 'internal', detail, errors: [], headers: {} };
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return String(error.code);
}

/** The sender has gone, or was too slow: no failure of ours. One of our own has no such status. */
function isCutOff(error: unknown, code: string): boolean {
  return code === 'ECONNRESET' && error instanceof Error && 'statusCode' in error;
}

/** What Fastify and Node refuse by themselves, in our words. */
const FRAMEWORK: Readonly<Record<string, readonly [ProblemKind, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported_media_type',
    'found another content type than application/json; send JSON with that content-type',
  ],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['request_invalid', 'the body is empty; send a JSON object'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['request_invalid', 'the body is not JSON; send a JSON object'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'request_invalid',
    'content-length and the length of the body differ',
  ],
  FST_ERR_BAD_URL: ['request_invalid', 'the path is not a valid URL path'],
  FST_ERR_MAX_PARAM_LENGTH: ['url_too_long', 'a part of the path is too long'],
  FST_ERR_HANDLER_TIMEOUT: ['timeout', 'no answer in time; ask again'],
  HPE_HEADER_OVERFLOW: ['headers_too_large', 'URL and headers may have at most 16,384 bytes'],
  ERR_HTTP_REQUEST_TIMEOUT: ['request_timeout', 'the request did not arrive in time'],
};

/** For requests so broken that Fastify never sees them: the whole answer, head and body. */
export function rawProblem(code: string): string {
  const [kind, detail] = FRAMEWORK[code] ?? ['request_invalid', 'this is not an HTTP request'];
  const body = JSON.stringify(problemBody(kind, detail, ''));
  const head = [
    `HTTP/1.1 ${PROBLEMS[kind][0]} ${PROBLEMS[kind][1]}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
