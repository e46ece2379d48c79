// A request of a check: secrets filled into the headers just before it is sent, and taken out of
// whatever comes back before that is shown or kept. No answer is a reason, never an exception.
import { SECRET_NAME } from '../config/fields.ts';
import type { Secrets } from '../config/secrets.ts';
import { type HttpAnswer, type HttpRequest, send } from '../kit/http.ts';
import { headerSecrets, redact } from '../kit/redact.ts';

export const BODY_BYTES_MAX = 5_000_000;

export type Revealed =
  | {
      readonly kind: 'headers';
      readonly headers: Readonly<Record<string, string>>;
      /** Takes out of a text what came from secrets. */
      readonly clean: (text: string) => string;
    }
  | { readonly kind: 'missing'; readonly text: string };

/** Header names to texts or `$NAME`. */
export function revealed(written: Readonly<Record<string, string>>, secrets: Secrets): Revealed {
  const headers: Record<string, string> = {};
  const known: Record<string, string> = {};
  for (const [name, text] of Object.entries(written)) {
    if (!SECRET_NAME.test(text)) {
      headers[name] = text;
      continue;
    }
    const value = secrets.secret(text.slice(1)).current();
    if (value === null) return { kind: 'missing', text: missingSecret(text) };
    headers[name] = value;
    known[name] = value;
  }
  const hidden = [...Object.values(known), ...headerSecrets(known)];
  return { kind: 'headers', headers, clean: (text) => redact(text, hidden) };
}

/** @param written `$NAME` */
export function missingSecret(written: string): string {
  const name = written.slice(1);
  return `the secret ${written} has no value; set ${name}, or ${name}_FILE to a file that holds it`;
}

/** `Authorization: Bearer …`; headers without it when no token is written. */
export function withToken(
  token: string | undefined,
  secrets: Secrets,
  more: Readonly<Record<string, string>> = {},
): Revealed {
  if (token === undefined) return revealed(more, secrets);
  const value = secrets.secret(token.slice(1)).current();
  if (value === null) return { kind: 'missing', text: missingSecret(token) };
  const headers = { ...more, authorization: `Bearer ${value.trim()}` };
  return { kind: 'headers', headers, clean: (text) => redact(text, [value]) };
}

export type Asked =
  | { readonly kind: 'answered'; readonly answer: HttpAnswer }
  | { readonly kind: 'no_answer'; readonly text: string };

/** One request; a closed kept-alive connection is tried once more. */
export async function ask(request: HttpRequest): Promise<Asked> {
  let answer = await send(request);
  const isReset = answer.kind === 'failed' && /^(ECONNRESET|EPIPE)$/.test(answer.detail);
  if (isReset && isRepeatable(request)) answer = await send(request);
  if (answer.kind === 'answered') return { kind: 'answered', answer };
  const isOurs = answer.reason === 'aborted';
  const text = isOurs ? 'no answer until the check was cut off' : answer.detail;
  return { kind: 'no_answer', text: `${placeOf(request.url)}: ${text}` };
}

function isRepeatable({ method }: HttpRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Host and port: a path may be long, a query may be private. */
export function placeOf(url: string): string {
  return URL.parse(url)?.host ?? 'a URL that cannot be requested';
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** undefined when it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
