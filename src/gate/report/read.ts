// Report files as text, with their age: the one door through which checks read what other tools
// wrote. Bounded: so many files, so many bytes, regular files only. What cannot be read is said in
// one sentence, never thrown.
import { constants } from 'node:fs';
import { glob, open } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { formatValue } from '../../core/quantity.ts';
import { fill, isSafeInPath, placeholdersOf, type TemplateValues } from '../../core/template.ts';
import { unreadableText } from '../../kit/unreadable.ts';
import { type CheckTools, EXHIBIT_BYTES_MAX, type Exhibit } from '../check.ts';
import { exhibit } from '../result.ts';

export const REPORT_BYTES_MAX = 100_000_000;
export const REPORT_FILES_MAX = 500;
/** Entries looked at for one pattern such as `artifacts/*.xml`. */
const GLOB_ENTRIES_MAX = 20_000;
const EXHIBITS_MAX = 10;
const CHUNK_BYTES = 1_000_000;

export type ReportFile = {
  /** As the gate names it, placeholders filled. */
  readonly path: string;
  readonly bytes: Buffer;
  readonly modifiedMs: number;
};

export type Refused = { readonly kind: 'refused'; readonly reason: string };
export function refused(reason: string): Refused {
  return { kind: 'refused', reason };
}

export type FoundPaths = { readonly kind: 'paths'; readonly paths: readonly string[] } | Refused;
export type ReadReports =
  | { readonly kind: 'files'; readonly files: readonly ReportFile[] }
  | Refused;

/** The path with its placeholders filled, or what is wrong with a value. */
export function filledPath(written: string, values: TemplateValues): string | Refused {
  for (const name of placeholdersOf(written)) {
    const value = values[name];
    if (value === undefined) return refused(`${written}: the deploy has no ${name}`);
    if (!isSafeInPath(value)) {
      return refused(
        `${written}: the value of ${name} cannot be part of a file name; ` +
          'use letters, digits, dots, dashes and underscores',
      );
    }
  }
  return fill(written, values);
}

const isPattern = (path: string) => /[*?[\]{}]/.test(path);

/** Paths as written, patterns such as `artifacts/*.xml` replaced by the files they match. */
export async function findPaths(
  written: readonly string[],
  values: TemplateValues,
  tools: Pick<CheckTools, 'folder' | 'signal'>,
): Promise<FoundPaths> {
  const found = new Set<string>();
  for (const one of written) {
    const path = filledPath(one, values);
    if (typeof path !== 'string') return path;
    if (!isPattern(path)) {
      found.add(path);
      continue;
    }
    const matching = await matches(path, tools);
    if (!Array.isArray(matching)) return matching as Refused;
    for (const match of matching) found.add(match);
  }
  return found.size > REPORT_FILES_MAX
    ? refused(`more than ${REPORT_FILES_MAX} files; name fewer`)
    : { kind: 'paths', paths: [...found] };
}

async function matches(
  pattern: string,
  { folder, signal }: Pick<CheckTools, 'folder' | 'signal'>,
): Promise<readonly string[] | Refused> {
  const names: string[] = [];
  let entries = 0;
  try {
    for await (const entry of glob(pattern, { cwd: folder, withFileTypes: true })) {
      if (signal.aborted) return refused(`${pattern}: cut off while looking for files`);
      entries += 1;
      if (entries > GLOB_ENTRIES_MAX) {
        return refused(`${pattern} matches more than ${GLOB_ENTRIES_MAX} files; narrow it`);
      }
      if (entry.isDirectory()) continue;
      const whole = resolve(entry.parentPath, entry.name);
      const inside = `${resolve(folder)}/`;
      names.push(
        !isAbsolute(pattern) && whole.startsWith(inside) ? whole.slice(inside.length) : whole,
      );
    }
  } catch (error) {
    return refused(`${pattern}: ${failureText(error)}`);
  }
  return names.sort();
}

/** All the files that a check names; at least one. */
export async function readReports(
  written: readonly string[],
  values: TemplateValues,
  tools: Pick<CheckTools, 'folder' | 'signal'>,
  bytesMax: number = REPORT_BYTES_MAX,
): Promise<ReadReports> {
  const found = await findPaths(written, values, tools);
  if (found.kind === 'refused') return found;
  if (found.paths.length === 0) {
    return refused(`no file matches ${written.join(', ')}; write the report, or correct the path`);
  }
  const files: ReportFile[] = [];
  let left = bytesMax;
  for (const path of found.paths) {
    const file = await readFileBounded(path, tools, left);
    if ('reason' in file) return file;
    left -= file.bytes.length;
    files.push(file);
  }
  return { kind: 'files', files };
}

export async function readFileBounded(
  path: string,
  { folder, signal }: Pick<CheckTools, 'folder' | 'signal'>,
  bytesMax: number,
): Promise<ReportFile | Refused> {
  try {
    // Without waiting: opening a pipe would otherwise hang until somebody writes.
    const handle = await open(resolve(folder, path), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) return refused(`${path} is no regular file; name the report itself`);
      if (stat.size > bytesMax) {
        return refused(
          `${path} is too large: ${formatValue(stat.size, 'bytes')}; ` +
            `at most ${formatValue(bytesMax, 'bytes')} of reports are read`,
        );
      }
      const chunks: Buffer[] = [];
      let size = 0;
      for (;;) {
        if (signal.aborted) return refused(`${path}: cut off while reading`);
        const { bytesRead, buffer } = await handle.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES);
        if (bytesRead === 0) break;
        size += bytesRead;
        if (size > bytesMax) return refused(`${path} grows while it is read; wait for its end`);
        chunks.push(buffer.subarray(0, bytesRead));
      }
      return { path, bytes: Buffer.concat(chunks), modifiedMs: stat.mtimeMs };
    } finally {
      await handle.close();
    }
  } catch (error) {
    return refused(`${path} ${failureText(error)}`);
  }
}

/** Why a file cannot be read, without its text. */
export function failureText(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return unreadableText(typeof code === 'string' ? code : 'unknown cause', 'report');
}

/** Tools on other systems write UTF-16, or name another encoding in the XML declaration. */
export function decode(bytes: Buffer): string | null {
  const encoding = encodingOf(bytes);
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

function encodingOf(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  const declared = /^<\?xml[^>]{0,100}?encoding=["']([\w.-]{1,40})["']/.exec(
    bytes.subarray(0, 200).toString('latin1'),
  )?.[1];
  // A file that says UTF-16 and was read so far is none.
  return declared === undefined || /^utf-?16/i.test(declared) ? 'utf-8' : declared;
}

/** The raw evidence: the files themselves; of many, the first ones. */
export function exhibitsOf(files: readonly ReportFile[]): readonly Exhibit[] {
  return files.slice(0, EXHIBITS_MAX).map(({ path, bytes }) => {
    const name = path.split('/').at(-1) ?? 'report';
    return exhibit(name, bytes.subarray(0, EXHIBIT_BYTES_MAX + 1));
  });
}
