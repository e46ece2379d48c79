// Signatures in a file of JSON lines, for gates without a daemon. Lines are only added. A line that
// is no signature is told, never passed over: it could be the one that somebody relies on.

import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SignOff } from '../core/gate-record.ts';
import { signOffJson } from '../core/gate-record-json.ts';
import { messageOf } from '../kit/errors.ts';
import { SIGN_OFFS_MAX, type SignOffStore } from './gate.ts';

const FILE_BYTES_MAX = 10_000_000;
const FIELD_CHARS_MAX = 4_000;
const TEXTS = ['gate', 'criterion', 'role', 'name', 'environment', 'version'] as const;

export function signOffFile(path: string): SignOffStore {
  return {
    async list(gate) {
      const text = await textOf(path);
      if (text.kind === 'failed') return text;
      const signOffs: SignOff[] = [];
      for (const [index, line] of text.text.split('\n').entries()) {
        if (line.trim() === '') continue;
        const signOff = parseLine(line);
        if (signOff === null) {
          const reason = `${path}: line ${index + 1} is no sign-off; mend or remove it`;
          return { kind: 'failed', reason };
        }
        if (signOff.gate === gate) signOffs.push(signOff);
        if (signOffs.length > SIGN_OFFS_MAX) {
          const reason = `${path}: more than ${SIGN_OFFS_MAX} sign-offs of ${gate}; begin a new file`;
          return { kind: 'failed', reason };
        }
      }
      return { kind: 'sign_offs', signOffs: signOffs.toSorted((a, b) => a.atMs - b.atMs) };
    },
    async add(signOff) {
      try {
        await mkdir(dirname(path), { recursive: true });
        await append(path, `${JSON.stringify(signOffJson(signOff))}\n`);
        return { kind: 'added' };
      } catch (error) {
        return { kind: 'failed', reason: `${path}: ${messageOf(error)}` };
      }
    },
  };
}

/** Durable when it returns. A line that a crash cut off does not swallow this one. */
async function append(path: string, line: string): Promise<void> {
  const file = await open(path, 'a+', 0o644);
  try {
    const { size } = await file.stat();
    const last = Buffer.alloc(1);
    if (size > 0) await file.read(last, 0, 1, size - 1);
    const isTorn = size > 0 && last[0] !== 0x0a;
    await file.appendFile(isTorn ? `\n${line}` : line);
    await file.sync();
  } finally {
    await file.close();
  }
}

type Text =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'failed'; readonly reason: string };

async function textOf(path: string): Promise<Text> {
  try {
    const { size } = await stat(path);
    if (size > FILE_BYTES_MAX) {
      return { kind: 'failed', reason: `${path}: larger than ${FILE_BYTES_MAX} bytes` };
    }
    return { kind: 'text', text: await readFile(path, 'utf8') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'text', text: '' };
    return { kind: 'failed', reason: `${path}: ${messageOf(error)}` };
  }
}

function parseLine(line: string): SignOff | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const fields = value as Readonly<Record<string, unknown>>;
  const text = (name: string) => {
    const field = fields[name];
    const isFit = typeof field === 'string' && field !== '' && field.length <= FIELD_CHARS_MAX;
    return isFit ? field : null;
  };
  const [gate, criterion, role, name, environment, version] = TEXTS.map(text);
  const at = text('at');
  const note = fields['note'] ?? null;
  if (!gate || !criterion || !role || !name || !environment || !version || at === null) return null;
  if (note !== null && typeof note !== 'string') return null;
  const [service, via, statement] = ['service', 'via', 'statement'].map((name) => fields[name]);
  const { withdrawn, covers } = fields;
  if (![service, via, statement].every(isTextOrAbsent)) return null;
  if (covers !== undefined && !isTexts(covers)) return null;
  // A word that is not understood here could turn "no" into "yes".
  if (withdrawn !== undefined && typeof withdrawn !== 'boolean') return null;
  const atMs = /T.*(?:Z|[+-]\d\d:\d\d)$/.test(at) ? Date.parse(at) : Number.NaN;
  if (Number.isNaN(atMs)) return null;
  return {
    ...{ gate, criterion, role, name, environment, version, atMs, note },
    ...(typeof service === 'string' ? { service } : {}),
    ...(typeof via === 'string' ? { via } : {}),
    ...(typeof statement === 'string' ? { statement } : {}),
    ...(isTexts(covers) ? { covers } : {}),
    ...(withdrawn === true ? { isWithdrawn: true } : {}),
  };
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || (typeof value === 'string' && value.length <= FIELD_CHARS_MAX);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
