// Who may ask what. Bearer tokens with scopes; `read`, `start` and `act` imply nothing else.
// Without any token everything is allowed: the daemon then listens on loopback only, and requests
// that a browser was tricked into (DNS rebinding, cross-site forms) are refused here.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { CanarydError } from '../kit/errors.ts';
import { HttpError } from './problem.ts';

export const SCOPES = ['read', 'start', 'act'] as const;
export type Scope = (typeof SCOPES)[number];

export type Token = {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Takes the same time whatever was given. */
  matches(given: string): boolean;
};

/** Compares digests, so that neither content nor length of the secret shows in the time taken. */
export function tokenMatcher(secret: string): (given: string) => boolean {
  const wanted = digest(secret);
  return (given) => timingSafeEqual(digest(given), wanted);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Longer than any token of ours: more is not worth hashing. */
const TOKEN_LENGTH_MAX = 512;

/** The token's name; null when no tokens are configured. Throws what the caller is to be told. */
export function authorize(
  tokens: readonly Token[],
  header: string | undefined,
  scope: Scope,
): string | null {
  if (tokens.length === 0) return null;
  const given = /^Bearer +([\x21-\x7e]+)$/i.exec(header ?? '')?.[1];
  if (given === undefined || given.length > TOKEN_LENGTH_MAX) {
    throw challenge('no bearer token found; send the header authorization: Bearer <token>', '');
  }
  // Every token is compared, also after a match: the time must not tell which one it was.
  const matching = tokens.filter((token) => token.matches(given));
  const [token] = matching;
  if (token === undefined) throw challenge('the token is not known', ', error="invalid_token"');
  if (!token.scopes.includes(scope)) {
    const has = token.scopes.join(', ') || 'none';
    const detail = `token ${token.name} has scope ${has}; this needs ${scope}`;
    const error = `Bearer realm="canaryd", error="insufficient_scope", scope="${scope}"`;
    throw new HttpError('forbidden', detail, { headers: { 'www-authenticate': error } });
  }
  return token.name;
}

function challenge(detail: string, error: string): HttpError {
  const headers = { 'www-authenticate': `Bearer realm="canaryd"${error}` };
  return new HttpError('unauthorized', detail, { headers });
}

/** Refuses what only a browser on a foreign page would send to a daemon on loopback. */
export function refuseForeign(headers: IncomingHttpHeaders): void {
  const host = headers.host ?? '';
  if (!isLoopbackHost(host)) {
    const detail = `host ${quoted(host)} is not loopback; without tokens only loopback may ask`;
    throw new HttpError('foreign_request', detail);
  }
  const { origin } = headers;
  if (origin !== undefined && origin !== `http://${host}`) {
    const detail = `origin ${quoted(origin)} is a foreign site; without tokens no page may ask`;
    throw new HttpError('foreign_request', detail);
  }
  if (headers['sec-fetch-site'] === 'cross-site') {
    throw new HttpError('foreign_request', 'a page of a foreign site sent this');
  }
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

/** `localhost`, `127.x.x.x` or `[::1]`, with or without a port. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/:\d{1,5}$/, '').toLowerCase();
  return name === 'localhost' || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name);
}

/** Who a command is recorded under: the named person, and the token that vouches for it. */
export function actorOf(by: string | undefined, token: string | null): string {
  if (by === undefined) return token ?? 'local';
  return token === null || token === by ? by : `${by} (${token})`;
}

/** `"abc"` or `abc` → `abc`; undefined when the header is absent. */
export function idempotencyKeyOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const key = /^"(.*)"$/.exec(header.trim())?.[1] ?? header.trim();
  if (/^[\x20-\x7e]{1,200}$/.test(key)) return key;
  throw new CanarydError('usage', 'idempotency-key: wanted 1 to 200 printable ASCII characters');
}
