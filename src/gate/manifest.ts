// The manifest of an evidence folder, and its verification: every file, its size and its hash; the
// hash of the manifest itself in a file beside it. Verifying finds any byte that was changed, added
// or taken away. Whoever rewrites all of it is found by the hash that was printed at the time.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GateRecord } from '../core/gate-record.ts';
import { type EvidenceFile, sha256 } from './exhibits.ts';

export const MANIFEST = 'manifest.json';
export const MANIFEST_HASH = 'manifest.sha256';
export const DECISION = 'decision.json';
export const GATE = 'gate.yaml';
const FORMAT = 'canaryd-evidence/1';
const MANIFEST_BYTES_MAX = 10_000_000;
const FILES_MAX = 50_000;
const DEPTH_MAX = 8;
/** More than these are counted. */
const FLAWS_MAX = 100;

export function manifestText(record: GateRecord, files: readonly EvidenceFile[]): string {
  const manifest = {
    format: FORMAT,
    id: record.id,
    gate: record.gate,
    decision: record.decision,
    files: files.map(({ file, bytes }) => ({ file, bytes: bytes.length, sha256: sha256(bytes) })),
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

export type Flaw = {
  /** Relative to the folder. */
  readonly file: string;
  /** `unreadable`: it is no folder of evidence, or cannot be looked at. */
  readonly kind: 'changed' | 'missing' | 'added' | 'unreadable';
  readonly text: string;
};

export type Verified = {
  readonly flaws: readonly Flaw[];
  /** sha256 of the manifest as it is now; null: there is none. */
  readonly hash: string | null;
  readonly files: number;
};

type Listed = { readonly file: string; readonly bytes: number; readonly sha256: string };

/** @param known hash of the manifest, kept elsewhere. Never rejects. */
export async function verifyEvidence(folder: string, known: string | null): Promise<Verified> {
  const flaws: Flaw[] = [];
  const add = (kind: Flaw['kind'], file: string, text: string) => {
    if (flaws.length < FLAWS_MAX) flaws.push({ kind, file, text });
    else if (flaws.length === FLAWS_MAX) flaws.push({ kind, file: '…', text: 'and more' });
  };
  const there = await filesIn(folder, add);
  const manifest = await readBounded(join(folder, MANIFEST));
  if (there === null || manifest === null) {
    add('unreadable', MANIFEST, 'no manifest that can be read: this is no folder of evidence');
    return { flaws, hash: null, files: 0 };
  }
  const hash = sha256(manifest);
  if (known !== null && known.toLowerCase() !== hash) {
    add('changed', MANIFEST, `has the hash ${hash}, not the one that was kept`);
  }
  const written = await readBounded(join(folder, MANIFEST_HASH));
  if (written === null) add('missing', MANIFEST_HASH, 'is not there');
  else if (!written.equals(Buffer.from(`${hash}  ${MANIFEST}\n`))) {
    add('changed', MANIFEST_HASH, `does not name the hash that ${MANIFEST} has`);
  }
  const parsed = parseManifest(manifest);
  if (parsed === null) {
    add('changed', MANIFEST, 'is no manifest of evidence');
    return { flaws, hash, files: 0 };
  }
  const { files: listed, ...said } = parsed;
  await compare(folder, listed, there, add);
  // What is flawed already need not agree.
  if (flaws.length === 0) await agree(folder, said, there, add);
  return { flaws, hash, files: listed.length };
}

/** Three files name the decision or its gate: whoever rewrites one of them has to rewrite all. */
async function agree(
  folder: string,
  said: Omit<Manifest, 'files'>,
  there: ReadonlySet<string>,
  add: Add,
): Promise<void> {
  const read = (file: string) =>
    there.has(file) ? readBounded(join(folder, file)) : Promise.resolve(null);
  const [decision, gate] = [await read(DECISION), await read(GATE)];
  const record = decision === null ? null : parseObject(decision);
  if (record === null) {
    add('unreadable', DECISION, 'is no decision that can be read');
    return;
  }
  for (const name of ['id', 'gate', 'decision'] as const) {
    const [is, wanted] = [JSON.stringify(said[name]), JSON.stringify(record[name])];
    if (is !== wanted) add('changed', MANIFEST, `says ${name} ${is}, ${DECISION} says ${wanted}`);
  }
  if (gate === null || sha256(gate) !== record['gate_sha256']) {
    add('changed', GATE, `is not the gate whose sha256 ${DECISION} has`);
  }
}

type Add = (kind: Flaw['kind'], file: string, text: string) => void;

async function compare(
  folder: string,
  listed: readonly Listed[],
  there: ReadonlySet<string>,
  add: Add,
): Promise<void> {
  const known = new Set([MANIFEST, MANIFEST_HASH, ...listed.map(({ file }) => file)]);
  for (const { file, bytes, sha256: wanted } of listed) {
    // Only what was found by walking the folder is opened: no name leads out of it.
    if (!there.has(file)) {
      add('missing', file, 'is not there');
      continue;
    }
    const is = await hashOf(join(folder, file));
    if (is === null) add('unreadable', file, 'cannot be read');
    else if (is.bytes !== bytes) add('changed', file, `has ${is.bytes} bytes, not ${bytes}`);
    else if (is.sha256 !== wanted) add('changed', file, 'has other bytes');
  }
  for (const file of there) {
    if (!known.has(file)) add('added', file, 'is not in the manifest');
  }
}

/** Plain files, relative. Folders that hold nothing, links and devices are told. */
async function filesIn(root: string, add: Add): Promise<ReadonlySet<string> | null> {
  const files = new Set<string>();
  const walk = async (at: string, depth: number): Promise<void> => {
    const entries = await readdir(at === '' ? root : join(root, at));
    if (entries.length === 0 && at !== '') add('added', at, 'is an empty folder');
    for (const name of entries) {
      const path = at === '' ? name : `${at}/${name}`;
      const stat = await lstat(join(root, path));
      if (stat.isFile()) {
        files.add(path);
        if (files.size > FILES_MAX) throw new Error('too many files');
      } else if (stat.isDirectory() && depth < DEPTH_MAX) await walk(path, depth + 1);
      else add('added', path, 'is no plain file');
    }
  };
  try {
    await walk('', 1);
    return files;
  } catch {
    return null;
  }
}

async function readBounded(path: string): Promise<Buffer | null> {
  try {
    const stat = await lstat(path);
    if (!stat.isFile() || stat.size > MANIFEST_BYTES_MAX) return null;
    return await readFile(path);
  } catch {
    return null;
  }
}

type Manifest = {
  readonly files: readonly Listed[];
  readonly id: unknown;
  readonly gate: unknown;
  readonly decision: unknown;
};

function parseManifest(bytes: Buffer): Manifest | null {
  const { format, files, id, gate, decision } = parseObject(bytes) ?? {};
  if (format !== FORMAT || !Array.isArray(files)) return null;
  return files.every(isListed) ? { files, id, gate, decision } : null;
}

function parseObject(bytes: Buffer): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value !== 'object' || value === null) return null;
    return value as Readonly<Record<string, unknown>>;
  } catch {
    return null;
  }
}

function isListed(value: unknown): value is Listed {
  if (typeof value !== 'object' || value === null) return false;
  const { file, bytes, sha256: hash } = value as Record<string, unknown>;
  return typeof file === 'string' && typeof bytes === 'number' && typeof hash === 'string';
}

async function hashOf(path: string): Promise<{ bytes: number; sha256: string } | null> {
  try {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of createReadStream(path)) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    return { bytes, sha256: hash.digest('hex') };
  } catch {
    return null;
  }
}
