// Standard Webhooks 1.0.0, symmetric scheme `v1`: signing what canaryd sends, and verifying what it
// is sent.
import { createHmac, timingSafeEqual } from 'node:crypto';

const PREFIX = 'whsec_';
/** Signatures looked at in one header; one per key while keys are changed. */
const SIGNATURES_MAX = 10;

/**
 * Keys in a configured secret: `whsec_<base64>`, or any other text as its UTF-8 bytes. Several,
 * separated by white space, all sign, so that a receiver can change its key without a gap.
 * Null: nothing that can sign.
 */
export function signingKeys(secret: string): readonly Buffer[] | null {
  const keys: Buffer[] = [];
  for (const part of secret.split(/\s+/).filter((word) => word !== '')) {
    const key = keyOf(part);
    if (key === null) return null;
    keys.push(key);
  }
  return keys.length === 0 ? null : keys;
}

function keyOf(part: string): Buffer | null {
  if (!part.startsWith(PREFIX)) return Buffer.from(part, 'utf8');
  const base64 = part.slice(PREFIX.length);
  // Buffer.from skips what it does not know: a truncated or mistyped key must not sign silently.
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/.test(base64)) {
    return null;
  }
  return base64 === '' ? null : Buffer.from(base64, 'base64');
}

export type Signed = {
  readonly id: string;
  readonly timestampSeconds: number;
  readonly body: string | Buffer;
};

/** The value of the `webhook-signature` header. */
export function sign(keys: readonly Buffer[], message: Signed): string {
  return keys.map((key) => `v1,${digest(key, message).toString('base64')}`).join(' ');
}

/** Whether one of the header's signatures was made with one of the keys. */
export function isSignedBy(keys: readonly Buffer[], message: Signed, header: string): boolean {
  const given = header
    .split(' ')
    .slice(0, SIGNATURES_MAX)
    .filter((part) => part.startsWith('v1,'))
    .map((part) => Buffer.from(part.slice('v1,'.length), 'base64'));
  // All are compared: the time must not tell which key it was.
  const matching = keys.flatMap((key) => {
    const wanted = digest(key, message);
    return given.filter(
      (bytes) => bytes.length === wanted.length && timingSafeEqual(bytes, wanted),
    );
  });
  return matching.length > 0;
}

function digest(key: Buffer, { id, timestampSeconds, body }: Signed): Buffer {
  return createHmac('sha256', key).update(`${id}.${timestampSeconds}.`).update(body).digest();
}
