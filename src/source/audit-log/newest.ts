// Which file a path or pattern means now: of several, the one that was written last.
import { glob, stat } from 'node:fs/promises';
import { resolve } from 'node:path';

/** Entries looked at for one pattern; more is a pattern of something else. */
const ENTRIES_MAX = 10_000;

export type Found =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'none' | 'too_many'; readonly detail: string };

export const isPattern = (path: string) => /[*?[\]{}]/.test(path);

export async function newestOf(report: string, folder: string): Promise<Found> {
  if (!isPattern(report)) return { kind: 'path', path: resolve(folder, report) };
  let newest: { readonly path: string; readonly writtenMs: number } | null = null;
  let entries = 0;
  for await (const name of glob(report, { cwd: folder })) {
    entries += 1;
    if (entries > ENTRIES_MAX) {
      return {
        kind: 'too_many',
        detail: `${report} matches more than ${ENTRIES_MAX} files; narrow it`,
      };
    }
    const path = resolve(folder, name);
    const found = await stat(path).catch(() => null);
    if (found === null || !found.isFile()) continue;
    const { mtimeMs: writtenMs } = found;
    const isNewer =
      newest === null ||
      writtenMs > newest.writtenMs ||
      (writtenMs === newest.writtenMs && path > newest.path);
    if (isNewer) newest = { path, writtenMs };
  }
  return newest === null
    ? { kind: 'none', detail: `no file matches ${resolve(folder, report)}` }
    : { kind: 'path', path: newest.path };
}
