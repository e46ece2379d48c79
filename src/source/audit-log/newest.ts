// Which files a path or pattern means now: of several, the one that was written last, and those that
// were written since the look before.
import { glob, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, parse, resolve } from 'node:path';

/** Entries looked at for one pattern; more is a pattern of something else. */
const ENTRIES_MAX = 10_000;
/** Files besides the newest that are read after one look. */
export const OTHERS_MAX = 31;

export type Found =
  | {
      readonly kind: 'paths';
      readonly newest: string;
      /** Written since the look before, the newest last. */
      readonly others: readonly string[];
      /** There were more others than are read. */
      readonly isCut: boolean;
    }
  | { readonly kind: 'none' | 'too_many'; readonly detail: string };

type Entry = {
  readonly path: string;
  readonly key: string;
  readonly writtenMs: number;
  /** Infinity: the file system does not say. */
  readonly bornMs: number;
  readonly stamp: string;
};

export const isPattern = (path: string) => /[*?[\]{}]/.test(path);

export class Matches {
  readonly #report: string;
  readonly #folder: string;
  /** Of the look before: what is there unchanged need not be opened. */
  #stamps: ReadonlySet<string> = new Set();

  constructor(report: string, folder: string) {
    this.#report = report;
    this.#folder = folder;
  }

  /** @param sinceMs what was written last before then is not asked for */
  async look(sinceMs: number): Promise<Found> {
    const [report, cwd] = [this.#report, this.#folder];
    if (!isPattern(report)) {
      return { kind: 'paths', newest: resolve(cwd, report), others: [], isCut: false };
    }
    const entries: Entry[] = [];
    let names = 0;
    for await (const name of glob(report, { cwd })) {
      names += 1;
      if (names > ENTRIES_MAX) {
        return {
          kind: 'too_many',
          detail: `${report} matches more than ${ENTRIES_MAX} files; narrow it`,
        };
      }
      const entry = await entryOf(resolve(cwd, name));
      if (entry !== null) entries.push(entry);
    }
    const newest = sorted(entries).at(-1);
    if (newest === undefined) {
      return { kind: 'none', detail: `no file matches ${resolve(cwd, report)}` };
    }
    const isAsked = (one: Entry) =>
      one !== newest && one.writtenMs >= sinceMs && !this.#stamps.has(one.stamp);
    const others = sorted(entries).filter(isAsked);
    this.#stamps = new Set(entries.map(({ stamp }) => stamp));
    return { kind: 'paths', newest: newest.path, ...latest(others) };
  }
}

/** A day, or the seconds since 1970, and what may follow to tell files of one day apart. */
const DATE = String.raw`[.-](?:20\d\d-?[01]\d-?[0-3]\d[\dT_.:Z+-]*|\d{10,})`;
/** What loggers and logrotate put behind a name; `-2` or `-1h` would be another log. */
const BEHIND = new RegExp(String.raw`^(?:${DATE}|\.\d+|[.-](?:old|prev|bak))$`);
/** And before its extension. */
const WITHIN = new RegExp(String.raw`^(?:${DATE}|\.\d+)$`);
/** After a new file began, who has the old one open may write to it for so long. */
const REOPEN_MS = 5_000;
/** What was quiet for so long, while the log was written, is over. */
const QUIET_MS = 30_000;

export type Rotated = {
  readonly others: readonly string[];
  readonly isCut: boolean;
  /** Of files that have such a name, but are written besides the log. */
  readonly foreign: readonly string[];
};

/**
 * What a log was renamed to: `events.jsonl.1`, `events.jsonl-20260101`, `events-20260101.jsonl`.
 * What is written besides the file that is the log now is another log with such a name.
 */
export async function rotatedFrom(
  path: string,
  sinceMs: number,
  isForeign: (key: string) => boolean = () => false,
): Promise<Rotated> {
  const [folder, name] = [dirname(path), basename(path)];
  const { name: stem, ext } = parse(path);
  const isRotated = (one: string) =>
    (one.startsWith(name) && BEHIND.test(one.slice(name.length))) ||
    (one.startsWith(stem) &&
      one.endsWith(ext) &&
      WITHIN.test(one.slice(stem.length, one.length - ext.length)));
  const current = await entryOf(path);
  if (current === null) return { others: [], isCut: false, foreign: [] };
  const isOver = ({ writtenMs }: Entry) =>
    writtenMs <= current.bornMs ||
    (writtenMs <= current.bornMs + REOPEN_MS && writtenMs + QUIET_MS < current.writtenMs);
  // A folder may be closed to canaryd while the log in it is not.
  const names = (await readdir(folder).catch(() => [])).filter(isRotated);
  const entries: Entry[] = [];
  for (const one of names.slice(0, ENTRIES_MAX)) {
    const entry = await entryOf(join(folder, one));
    if (entry !== null && entry.writtenMs >= sinceMs && !isForeign(entry.key)) entries.push(entry);
  }
  const { others, isCut } = latest(sorted(entries.filter(isOver)));
  const foreign = entries.filter((entry) => !isOver(entry)).map(({ key }) => key);
  return { others, isCut: isCut || names.length > ENTRIES_MAX, foreign };
}

async function entryOf(path: string): Promise<Entry | null> {
  const found = await stat(path).catch(() => null);
  if (found === null || !found.isFile()) return null;
  const { dev, ino, size, mtimeMs, birthtimeMs } = found;
  const bornMs = birthtimeMs > 0 ? birthtimeMs : Number.POSITIVE_INFINITY;
  const key = `${dev}:${ino}`;
  return { path, key, writtenMs: mtimeMs, bornMs, stamp: `${key}:${size}:${mtimeMs}` };
}

function sorted(entries: readonly Entry[]): readonly Entry[] {
  return entries.toSorted((a, b) => a.writtenMs - b.writtenMs || (a.path < b.path ? -1 : 1));
}

function latest(entries: readonly Entry[]) {
  const others = entries.slice(-OTHERS_MAX).map(({ path }) => path);
  return { others, isCut: entries.length > OTHERS_MAX };
}
