// What the end of one of our HTTP requests means for the delivery behind it: delivered, to be tried
// again, or refused for good. For actions and messages alike; a detail never holds a secret.
import type { Outcome } from '../core/delivery.ts';
import type { DeliveryReason } from '../core/event.ts';
import type { HttpAnswer, HttpFailure } from '../kit/http.ts';
import { cutEnd, printable, redact } from '../kit/redact.ts';

/** Services answer with a few words; a proxy with a page. Too large an answer hides its status. */
export const ANSWER_BYTES_MAX = 1_000_000;
const SAID_MAX = 200;

export function refused(reason: DeliveryReason, detail: string): Outcome {
  return { kind: 'refused', reason, detail };
}

export function retryable(
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

/** What the receiver said, fit for a log: short, on one line, without what it must not repeat. */
export function saidBy(body: string, secrets: readonly string[]): string {
  return cutEnd(printable(redact(body, secrets)), SAID_MAX);
}

export function httpDetail({ status }: HttpAnswer, said: string): string {
  return `HTTP ${status}${said === '' ? '' : `: ${said}`}`;
}

/** Failures before the request is sent: the receiver cannot have seen it. */
const NOT_SENT =
  /^(?:host name not found|EAI_\w+|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|ENETDOWN|ETIMEDOUT|EMFILE)$/;
/** A certificate is as wrong the next time; anything else of TLS may be a proxy that starts. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS_/;

export function outcomeOfFailure({ reason, detail }: HttpFailure): Outcome {
  switch (reason) {
    case 'timeout':
      return retryable('timeout', `${detail}; it may have arrived`, { maybeDelivered: true });
    case 'refused_connection':
      return retryable('network', detail);
    case 'network':
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

/**
 * Any answer that is no success, by its status: throttling and trouble of the server are tried
 * again, everything else is refused for good.
 */
export function outcomeOfStatus(
  status: number,
  detail: string,
  retryAfterMs: number | null,
): Outcome {
  if (status >= 200 && status < 300) return retryable('bad_response', detail);
  if (status >= 300 && status < 400) {
    return refused('redirect', `HTTP ${status}: redirects are not followed; set the final URL`);
  }
  if (status === 429) return retryable('rate_limited', detail, { retryAfterMs });
  if (status === 408 || status === 425) return retryable('client_error', detail, { retryAfterMs });
  if (status === 501 || status === 505) return refused('server_error', detail);
  // A gateway that gave up waiting does not know what became of the request.
  const maybeDelivered = status === 502 || status === 504 || status > 505;
  if (status >= 500) return retryable('server_error', detail, { retryAfterMs, maybeDelivered });
  return refused('client_error', detail);
}
