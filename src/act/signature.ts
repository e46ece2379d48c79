// Standard Webhooks 1.0.0, symmetric scheme `v1`. How a receiver verifies is in the documentation;
// canaryd itself only signs.
import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';

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

/** The value of the `webhook-signature` header. */
export function sign(
  keys: readonly Buffer[],
  message: { readonly id: string; readonly timestampSeconds: number; readonly body: string },
): string {
  const signed = `${message.id}.${message.timestampSeconds}.${message.body}`;
  return keys
    .map((key) => `v1,${createHmac('sha256', key).update(signed).digest('base64')}`)
    .join(' ');
}
