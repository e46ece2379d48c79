// The evidence of one run as a folder that can be shown later: the decision for people and for
// machines, the gate as it was read, the signatures, what each check looked at, and a manifest with
// the hash of every file. It appears whole or not at all. Never overwrites anything.

import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { GateRecord, SignOff } from '../core/gate-record.ts';
import { recordJson, signOffJson } from '../core/gate-record-json.ts';
import { messageOf } from '../kit/errors.ts';
import { decisionText } from './decision-text.ts';
import { type EvidenceFile, sha256 } from './exhibits.ts';
import { DECISION, GATE, MANIFEST, MANIFEST_HASH, manifestText } from './manifest.ts';

/** Runs of one gate in one second. */
const FOLDERS_MAX = 100;

export type EvidenceParts = {
  readonly record: GateRecord;
  /** The gate file as it was read. */
  readonly source: Uint8Array;
  /** All that were considered, also those that did not count. */
  readonly signOffs: readonly SignOff[];
  readonly files: readonly EvidenceFile[];
};

export type WrittenEvidence =
  | {
      readonly kind: 'written';
      readonly folder: string;
      /** sha256 of the manifest: kept elsewhere, it shows that the folder is still this one. */
      readonly hash: string;
    }
  | { readonly kind: 'failed'; readonly reason: string };

/** Writes `<parent>/<gate>-<time>/`. Never rejects: what cannot be written leaves nothing behind. */
export async function writeEvidence(
  parent: string,
  parts: EvidenceParts,
): Promise<WrittenEvidence> {
  const files = filesOf(parts);
  const manifest = Buffer.from(manifestText(parts.record, files));
  const hash = sha256(manifest);
  const all = [
    ...files,
    { file: MANIFEST, bytes: manifest },
    // As `sha256sum --check` reads it.
    { file: MANIFEST_HASH, bytes: Buffer.from(`${hash}  ${MANIFEST}\n`) },
  ];
  const draft = join(parent, `.${parts.record.id}.part`);
  try {
    await mkdir(parent, { recursive: true });
    await mkdir(draft);
  } catch (error) {
    return { kind: 'failed', reason: `${draft}: ${reasonOf(error)}` };
  }
  try {
    for (const { file, bytes } of all) await writeWhole(join(draft, file), bytes);
    await syncFolders(draft, all);
    const folder = await moveTo(draft, join(parent, folderName(parts.record)));
    await syncFolder(parent);
    return { kind: 'written', folder, hash };
  } catch (error) {
    const reason = `${parent}: ${reasonOf(error)}`;
    await rm(draft, { recursive: true, force: true }).catch(() => {});
    return { kind: 'failed', reason };
  }
}

function filesOf({ record, source, signOffs, files }: EvidenceParts): readonly EvidenceFile[] {
  const text = (file: string, body: string) => ({ file, bytes: Buffer.from(body) });
  return [
    text('decision.md', decisionText(record)),
    text(DECISION, `${JSON.stringify(recordJson(record), null, 2)}\n`),
    text('sign-offs.json', `${JSON.stringify(signOffs.map(signOffJson), null, 2)}\n`),
    { file: GATE, bytes: source },
    ...files,
  ];
}

/** `aurora-20261122T080653Z` */
export function folderName({ gate, startedAt }: GateRecord): string {
  return `${gate}-${startedAt.replace(/\.\d+Z$/, 'Z').replaceAll(/[-:]/g, '')}`;
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'wx', 0o644);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolders(root: string, files: readonly EvidenceFile[]): Promise<void> {
  const folders = new Set([root]);
  for (const { file } of files) {
    for (let at = dirname(file); at !== '.'; at = dirname(at)) folders.add(join(root, at));
  }
  for (const folder of folders) await syncFolder(folder);
}

async function syncFolder(path: string): Promise<void> {
  // Windows opens no folder; there the rename is durable enough.
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** A folder that is there is never replaced: a rename onto one that has files fails. */
async function moveTo(draft: string, wanted: string): Promise<string> {
  for (let count = 1; count <= FOLDERS_MAX; count++) {
    const folder = count === 1 ? wanted : `${wanted}-${count}`;
    try {
      await rename(draft, folder);
      return folder;
    } catch (error) {
      const code = codeOf(error);
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'EPERM' && code !== 'ENOTDIR') {
        throw error;
      }
      if (count === FOLDERS_MAX) throw error;
    }
  }
  throw new Error('no name is free');
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EACCES: 'no permission to write there',
  EPERM: 'no permission to write there',
  EROFS: 'the disk is read-only',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'something is there already',
};

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  return WORDS[code] === undefined ? messageOf(error) : `${WORDS[code]} (${code})`;
}
