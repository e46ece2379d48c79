// The raw evidence of a check as files: names that are safe in any folder, and hashes.

import { createHash } from 'node:crypto';
import type { CheckRecord } from '../core/gate-record.ts';
import { EXHIBIT_BYTES_MAX, type Exhibit } from './check.ts';

export const EXHIBITS_PER_CHECK_MAX = 50;
/** Of one run; what does not fit is named, and left out. */
export const EXHIBITS_BYTES_MAX = 200_000_000;
const NAME_CHARS_MAX = 100;

export type EvidenceFile = {
  /** Relative to the folder of the evidence, with `/`. */
  readonly file: string;
  readonly bytes: Uint8Array;
};

export type KeptExhibits = {
  readonly records: CheckRecord['exhibits'];
  readonly files: readonly EvidenceFile[];
  /** Names of those that did not fit. */
  readonly leftOut: readonly string[];
};

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** @param room bytes that may still be kept */
export function keepExhibits(
  folder: string,
  exhibits: readonly Exhibit[],
  room: number,
): KeptExhibits {
  const records: CheckRecord['exhibits'][number][] = [];
  const files: EvidenceFile[] = [];
  const leftOut: string[] = [];
  let left = room;
  for (const { name, body, isCut } of exhibits) {
    const whole = typeof body === 'string' ? Buffer.from(body) : body;
    const bytes = whole.subarray(0, EXHIBIT_BYTES_MAX);
    if (files.length >= EXHIBITS_PER_CHECK_MAX || bytes.length > left) {
      leftOut.push(name);
      continue;
    }
    left -= bytes.length;
    const taken = files.map(({ file }) => file);
    const file = unusedName(folder, safeName(name), taken);
    files.push({ file, bytes });
    records.push({ file, sha256: sha256(bytes), isCut: isCut || bytes.length < whole.length });
  }
  return { records, files, leftOut };
}

/** No path, no hidden file, nothing that a shell or another system reads in its own way. */
function safeName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]+/g, '_').replace(/^[._-]+/, '');
  return plain === ''
    ? 'exhibit'
    : plain.slice(-NAME_CHARS_MAX).replace(/^[._-]+/, '') || 'exhibit';
}

function unusedName(folder: string, name: string, taken: readonly string[]): string {
  // Some file systems hold A and a for one name.
  const used = new Set(taken.map((file) => file.toLowerCase()));
  const at = name.lastIndexOf('.');
  const [stem, end] = at > 0 ? [name.slice(0, at), name.slice(at)] : [name, ''];
  for (let count = 1; ; count++) {
    const file = `${folder}/${count === 1 ? name : `${stem}_${count}${end}`}`;
    if (!used.has(file.toLowerCase())) return file;
  }
}
