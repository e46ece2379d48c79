// Detached signatures that Node can verify by itself: Ed25519, ECDSA P-256 (cosign sign-blob with a
// key), and SSH signatures of ssh-ed25519 keys. Anything else is refused, never taken for valid.
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { type Refused, refused } from './read.ts';

export type Verified = { readonly kind: 'valid' | 'invalid'; readonly by: string } | Refused;

const OTHER = 'use a check command with the tool that made it';
const KEYS_MAX = 100;
const SSH_BEGIN = '-----BEGIN SSH SIGNATURE-----';

export function verifySignature(
  data: Buffer,
  of: { readonly signature: Buffer; readonly key: Buffer; readonly namespace: string },
): Verified {
  const signature = of.signature.toString('latin1').trim();
  if (signature.startsWith(SSH_BEGIN)) return verifySsh(data, signature, of);
  const pem = of.key.toString('latin1');
  if (pem.includes('PRIVATE KEY')) return refused('the key is a private one; name the public key');
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    return refused(`the key is no public key in PEM; ${OTHER}`);
  }
  const bytes = /^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(signature)
    ? Buffer.from(signature, 'base64')
    : of.signature;
  const by = `key ${fingerprint(key.export({ type: 'spki', format: 'der' }))}`;
  if (key.asymmetricKeyType === 'ed25519') {
    // 64 raw bytes may look like text, though hardly ever.
    const raw = of.signature.length === 64 ? of.signature : bytes;
    return { kind: verify(null, data, key, raw) ? 'valid' : 'invalid', by };
  }
  const isP256 =
    key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  if (!isP256) return refused(`keys of this kind are not verified here; ${OTHER}`);
  return { kind: verify('sha256', data, key, bytes) ? 'valid' : 'invalid', by };
}

function fingerprint(bytes: Buffer): string {
  return `SHA256:${createHash('sha256').update(bytes).digest('base64').replace(/=+$/, '')}`;
}

/** Lengths before each field, as SSH packs them; null when it ends too early. */
class Fields {
  #left: Buffer;

  constructor(bytes: Buffer) {
    this.#left = bytes;
  }

  take(count: number): Buffer | null {
    if (this.#left.length < count) return null;
    const taken = this.#left.subarray(0, count);
    this.#left = this.#left.subarray(count);
    return taken;
  }

  next(): Buffer | null {
    const length = this.take(4)?.readUInt32BE();
    return length === undefined ? null : this.take(length);
  }
}

const PREAMBLE = 'SSHSIG';
const HASHES: ReadonlySet<string> = new Set(['sha256', 'sha512']);

function verifySsh(
  data: Buffer,
  armored: string,
  { key, namespace }: { readonly key: Buffer; readonly namespace: string },
): Verified {
  const body = armored.replace(/-----(?:BEGIN|END) SSH SIGNATURE-----/g, '');
  const fields = new Fields(Buffer.from(body, 'base64'));
  const preamble = fields.take(PREAMBLE.length)?.toString('latin1');
  const version = fields.take(4)?.readUInt32BE();
  const parts = Array.from({ length: 5 }, () => fields.next());
  const [publicKey, space, reserved, hashName, packed] = parts;
  if (
    preamble !== PREAMBLE ||
    version !== 1 ||
    !publicKey ||
    !space ||
    !reserved ||
    !hashName ||
    !packed
  ) {
    return refused('the SSH signature is broken; sign again');
  }
  const hash = hashName.toString('latin1');
  const inSignature = new Fields(packed);
  const algorithm = inSignature.next()?.toString('latin1');
  const raw = inSignature.next();
  if (algorithm !== 'ssh-ed25519' || raw === null || !HASHES.has(hash)) {
    return refused('only SSH signatures of ssh-ed25519 keys are verified here; use a command');
  }
  const known = sshKeys(key);
  if (known.length === 0) return refused('the key holds no ssh-ed25519 key');
  const mine = known.find((one) => one.equals(publicKey));
  const by = `key ${fingerprint(publicKey)}`;
  if (mine === undefined || space.toString('utf8') !== namespace) return { kind: 'invalid', by };
  const digest = createHash(hash).update(data).digest();
  const packs = [space, reserved, hashName, digest].flatMap((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return [length, part];
  });
  const message = Buffer.concat([Buffer.from(PREAMBLE), ...packs]);
  return { kind: verify(null, message, edKey(mine), raw) ? 'valid' : 'invalid', by };
}

/** Of a public key, of authorized_keys or of allowed_signers. */
function sshKeys(file: Buffer): readonly Buffer[] {
  const found = [...file.toString('latin1').matchAll(/^[^#\n]*?\bssh-ed25519 ([A-Za-z0-9+/=]+)/gm)];
  return found
    .slice(0, KEYS_MAX)
    .map(([, base64 = '']) => Buffer.from(base64, 'base64'))
    .filter((blob) => blob.length === 51);
}

/** The last 32 bytes are the key. */
function edKey(blob: Buffer): KeyObject {
  const x = blob.subarray(-32).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}
