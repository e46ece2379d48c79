// Headers of a signed POST by Standard Webhooks, for actions and messages alike. What is configured
// besides cannot take their place.
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { printable } from '../kit/redact.ts';
import { sign, signingKeys } from '../kit/signature.ts';

export type SignedRequest = {
  /** The same for every attempt: by it the receiver tells a repetition. */
  readonly id: string;
  readonly nowMs: number;
  readonly body: string;
  /** `whsec_<base64>` or any text, several apart by blanks; null: not signed. */
  readonly secret: string | null;
  /** canaryd's own version, for the user agent. */
  readonly version: string;
  /** As configured, resolved. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of canaryd's own, in lower case. */
  readonly more?: Readonly<Record<string, string>>;
};

/** The headers; a text says why there are none. */
export function signedHeaders(request: SignedRequest): Record<string, string> | string {
  const { id, body, secret } = request;
  const timestampSeconds = Math.floor(request.nowMs / 1_000);
  const own: Record<string, string> = {
    'content-type': 'application/json',
    'user-agent': `canaryd/${request.version}`,
    'webhook-id': id,
    'webhook-timestamp': `${timestampSeconds}`,
    'idempotency-key': id,
    ...request.more,
  };
  if (secret !== null) {
    const keys = signingKeys(secret);
    if (keys === null) return 'secret: cannot sign; wanted whsec_<base64> or any text, not empty';
    own['webhook-signature'] = sign(keys, { id, timestampSeconds, body });
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (!isHeader(name, value)) {
      return `headers.${printable(name)}: has characters that a header may not have`;
    }
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
