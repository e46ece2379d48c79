// A health endpoint, read once: 1 when it answers as wanted, 0 when it does not. An endpoint that
// does not answer is failing, not blind; the detail says what was seen. Never throws.
import type { HttpIndicator } from '../core/policy.ts';
import type { ReadHealth } from '../core/read.ts';
import type { Reading } from '../core/sample.ts';
import type { Clock } from '../kit/clock.ts';
import { type HttpAnswer, type HttpFailure, send } from '../kit/http.ts';
import { headerSecrets, redact } from '../kit/redact.ts';

const BODY_BYTES_MAX = 1_000_000;
/** A found value is quoted up to this length: the page may be anything. */
const QUOTED_CHARACTERS_MAX = 60;

export function createHealthReader({ clock }: { readonly clock: Clock }): ReadHealth {
  return async (indicator, signal) => {
    const startedMs = clock.monotonic();
    const answer = await send({
      method: 'GET',
      url: indicator.url,
      headers: indicator.headers,
      timeoutMs: indicator.timeoutMs,
      responseBytesMax: BODY_BYTES_MAX,
      signal,
    });
    const tookMs = Math.round(clock.monotonic() - startedMs);
    if (answer.kind === 'answered') return judgedHealth(answer, tookMs, indicator);
    // We stopped asking, so nothing was learnt about the service: no failed check.
    if (signal.aborted && answer.reason === 'aborted') {
      return { kind: 'blind', reason: 'unreachable', detail: 'the check was cut short by canaryd' };
    }
    // No request was made: nothing was learnt about the service here, either.
    if (answer.reason === 'bad_url') {
      const detail = 'the URL cannot be requested with the values of this deploy';
      return { kind: 'blind', reason: 'rejected', detail };
    }
    return failing(failureText(answer, tookMs));
  };
}

/** What an answer means for this indicator. */
export function judgedHealth(
  answer: HttpAnswer,
  tookMs: number,
  indicator: HttpIndicator,
): Reading {
  const { status } = answer;
  const isWanted =
    indicator.status.length === 0
      ? status >= 200 && status < 300
      : indicator.status.includes(status);
  const text = `HTTP ${status} in ${tookMs} ms`;
  if (!isWanted) {
    const isRedirect = status >= 300 && status < 400;
    return failing(isRedirect ? `${text}; redirects are not followed` : text);
  }
  const complaint =
    indicator.json === null ? null : jsonComplaint(answer.body, indicator.json, indicator.headers);
  return complaint === null ? { kind: 'value', value: 1, detail: text } : failing(complaint);
}

function failureText({ reason, detail }: HttpFailure, tookMs: number): string {
  return reason === 'timeout' ? detail : `${detail} after ${tookMs} ms`;
}

function failing(detail: string): Reading {
  return { kind: 'value', value: 0, detail };
}

/** What is wrong with the field, or null when it is as wanted. */
function jsonComplaint(
  body: string,
  { pointer, equals }: { readonly pointer: string; readonly equals: string },
  headers: Readonly<Record<string, string>>,
): string | null {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    return 'the body is not JSON';
  }
  const name = pointer.replace(/^\//, '').replaceAll('/', '.') || 'the body';
  const found = valueAt(document, pointer);
  if (found === undefined) return `${name} is missing, wanted ${quoted(equals)}`;
  const text = typeof found === 'string' ? found : jsonText(found);
  return text === equals
    ? null
    : `${name} is ${quoted(redact(text, headerSecrets(headers)))}, wanted ${quoted(equals)}`;
}

/** `JSON.parse` reads any depth, `JSON.stringify` does not. */
function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return 'nested too deeply';
  }
}

/** JSON pointer (RFC 6901); undefined when nothing is there. */
function valueAt(document: unknown, pointer: string): unknown {
  if (pointer === '') return document;
  let found = document;
  for (const part of pointer.replace(/^\//, '').split('/')) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) {
      return undefined;
    }
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

function quoted(text: string): string {
  const short =
    text.length > QUOTED_CHARACTERS_MAX ? `${text.slice(0, QUOTED_CHARACTERS_MAX)}...` : text;
  return JSON.stringify(short);
}
