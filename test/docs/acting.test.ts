// The programs in docs/acting.md that check a signature, run against what canaryd signs.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sign, signingKeys } from '../../src/kit/signature.ts';
import { fencesOf, read } from './markdown.ts';

const SECRET = 'whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz';
const OTHER = 'whsec_OTg3NjU0MzIxMDk4NzY1NDMyMTA5ODc2';
const ID = 'w_0123456789abcdef-rollback';
const BODY = '{"type":"canaryd.rollback","data":{"reason":"Größe 0 %"}}';
const fences = fencesOf('docs/acting.md');
const python = fences.find(({ language }) => language === 'python')?.text ?? '';
const shell = fences.find(({ language, text }) => language === 'sh' && text.includes('verify'));

const hasPython = spawnSync('python3', ['--version']).status === 0;
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

function signatureOf(secret: string, timestampSeconds: number): string {
  const keys = signingKeys(secret) ?? [];
  return sign(keys, { id: ID, timestampSeconds, body: BODY });
}

const now = () => Math.floor(Date.now() / 1_000);

type Sent = { readonly timestamp: number; readonly signature: string; readonly body: string };

function sent(over: Partial<Sent> & { readonly secret?: string } = {}): Sent {
  const timestamp = over.timestamp ?? now();
  return {
    timestamp,
    signature: signatureOf(over.secret ?? SECRET, timestamp),
    body: BODY,
    ...over,
  };
}

function verifiedInPython(secret: string, { timestamp, signature, body }: Sent): boolean {
  const driver = `
import json, sys
given = json.loads(sys.stdin.read())
sys.exit(0 if verify(given["secret"], given["headers"], given["body"].encode()) else 1)
`;
  const headers = {
    'webhook-id': ID,
    'webhook-timestamp': `${timestamp}`,
    'webhook-signature': signature,
  };
  const input = JSON.stringify({ secret, headers, body });
  const { status, stderr } = spawnSync('python3', ['-c', python + driver], {
    input,
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return status === 0;
}

function verifiedInShell(secret: string, { timestamp, signature, body }: Sent): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-docs-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'key'), `${secret}\n`);
  writeFileSync(join(folder, 'body'), body);
  const script = `${shell?.text}\nverify "$@"`;
  const { status, stderr } = spawnSync('sh', ['-c', script, 'sh', ID, `${timestamp}`, signature], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return status === 0;
}

describe.each([
  ['Python', hasPython && python !== '', verifiedInPython],
  ['shell', hasOpenssl && shell !== undefined, verifiedInShell],
] as const)('the receiver of docs/acting.md in %s', (_, isThere, verified) => {
  it.runIf(isThere)('takes what canaryd signs', () => {
    expect(verified(SECRET, sent())).toBe(true);
  });

  it.runIf(isThere)('takes either key while a key is changed', () => {
    expect(verified(SECRET, sent({ secret: `${OTHER} ${SECRET}` }))).toBe(true);
  });

  it.runIf(isThere)('refuses another key, another body and another time', () => {
    expect(verified(OTHER, sent())).toBe(false);
    expect(verified(SECRET, sent({ body: `${BODY} ` }))).toBe(false);
    expect(verified(SECRET, { ...sent(), timestamp: now() - 1 })).toBe(false);
  });
});

describe('the receiver of docs/acting.md in Python', () => {
  it.runIf(hasPython)('refuses what was signed long ago', () => {
    expect(verifiedInPython(SECRET, sent({ timestamp: now() - 301 }))).toBe(false);
  });

  it.runIf(hasPython)('takes a secret that is any text', () => {
    expect(verifiedInPython('any text', sent({ secret: 'any text' }))).toBe(false);
    expect(verifiedInPython('any-text', sent({ secret: 'any-text' }))).toBe(true);
  });
});

describe('docs/acting.md', () => {
  it('shows a body with the fields that are sent', () => {
    const shown = fences.find(({ language }) => language === 'json')?.text ?? '{}';
    const source = read('src/core/plan.ts');
    const { data } = JSON.parse(shown) as { data: Record<string, unknown> };
    const missing = Object.keys(data).filter((name) => !new RegExp(`\\b${name}\\b`).test(source));
    expect(missing).toEqual([]);
  });
});
