// Follows a log through its files: rotated away, truncated, copied over, or a new one for each
// session. What was renamed is read to its end; nothing is read twice. Bounded in files and bytes.
import type { Line } from './lines.ts';
import { type HaveRead, LogFile, type Opened, openLog, type ReadOn } from './log-file.ts';
import { newestOf } from './newest.ts';

/** At one reading; what is more is read at the next ones. */
export const READ_BYTES_MAX = 16 * 1024 * 1024;
/** Files of one log that are kept open: the one that is written, and those before it. */
const FILES_MAX = 4;
/** Files that were closed, and are known again when they come back. */
const RETIRED_MAX = 32;
/** What was replaced may be written to for so long, and a path may be without a file. */
const LINGER_MS = 60_000;

export type Followed =
  | {
      readonly kind: 'read';
      readonly path: string;
      /** Not all that is there was read yet. */
      readonly isBehind: boolean;
    }
  | { readonly kind: 'failed'; readonly reason: Failure; readonly detail: string };

export type Failure = 'no_series' | 'unreachable' | 'rejected';

export type FollowRequest = Pick<ReadOn, 'signal' | 'isOld' | 'onCut'> & {
  readonly atMs: number;
  /**
   * @param sinceMs the line was not written before then; -Infinity: nobody knows
   * @returns when it was written; null: it does not say
   */
  readonly onLine: (line: Line, sinceMs: number) => number | null;
};

type Known = {
  readonly file: LogFile;
  path: string;
  /** Lines that come next were not written before then. */
  sinceMs: number;
  /** Bytes were read, or it was the newest. */
  usedAtMs: number;
};

export class Follower {
  readonly #report: string;
  readonly #folder: string;
  /** The one that is written last. */
  #known: readonly Known[] = [];
  #retired: readonly Known[] = [];
  #seenAtMs = Number.NEGATIVE_INFINITY;

  constructor(report: string, folder: string) {
    this.#report = report;
    this.#folder = folder;
  }

  /** Expected failures of files are told; what is thrown is a bug. */
  async advance(request: FollowRequest): Promise<Followed> {
    let path = this.#report;
    try {
      const found = await newestOf(this.#report, this.#folder);
      if (found.kind === 'too_many') return failed('rejected', found.detail);
      path = found.kind === 'path' ? found.path : '';
      const missing = found.kind === 'path' ? await this.#find(path, request.atMs) : found.detail;
      if (missing !== null) {
        const isLingering = request.atMs - this.#seenAtMs <= LINGER_MS;
        if (!isLingering || this.#known.length === 0) return failed('no_series', missing);
        path = this.#known.at(-1)?.path ?? path;
      }
      return await this.#read(path, request);
    } catch (error) {
      const code = (error as { code?: unknown } | null)?.code;
      if (typeof code !== 'string') throw error;
      return failed('unreachable', `${path || this.#report} ${failureText(code)}`);
    }
  }

  async close(): Promise<void> {
    const known = this.#known;
    this.#known = [];
    await Promise.allSettled(known.map(({ file }) => file.close()));
  }

  /** Makes the file at this path the one that is written; @returns why there is none */
  async #find(path: string, atMs: number): Promise<string | null> {
    const opened = await openLog(path).catch((error: unknown) => {
      const code = (error as { code?: unknown } | null)?.code;
      if (code === 'ENOENT' || code === 'ENOTDIR') return 'missing' as const;
      throw error;
    });
    if (opened === 'missing') return `${path} is missing; correct the path, or write the log`;
    if (opened === null) return `${path} is no regular file; name the log itself`;
    const current = await this.#knownAs(opened, path, atMs).catch(async (error: unknown) => {
      await opened.handle.close();
      throw error;
    });
    current.path = path;
    current.usedAtMs = atMs;
    this.#seenAtMs = atMs;
    this.#known = [...this.#known.filter((one) => one !== current), current];
    return null;
  }

  async #knownAs(opened: Opened, path: string, atMs: number): Promise<Known> {
    const same = this.#known.find(({ file }) => file.key === opened.key);
    if (same !== undefined) {
      await opened.handle.close();
      return same;
    }
    const retired = this.#retired.find(({ file }) => file.key === opened.key);
    if (retired !== undefined) {
      this.#retired = this.#retired.filter((one) => one !== retired);
      await retired.file.continueIn(opened);
      return retired;
    }
    const before = this.#known.findLast((one) => one.path === path);
    if (before !== undefined && (await before.file.isContinuedBy(opened))) {
      await before.file.continueIn(opened);
      return before;
    }
    const sinceMs = Number.NEGATIVE_INFINITY;
    return { file: new LogFile(opened), path, sinceMs, usedAtMs: atMs };
  }

  async #read(path: string, request: FollowRequest): Promise<Followed> {
    let budget = READ_BYTES_MAX;
    let isBehind = false;
    const kept: Known[] = [];
    const last = this.#known.at(-1);
    for (const [index, known] of this.#known.entries()) {
      const isOver =
        known !== last &&
        (request.atMs - known.usedAtMs > LINGER_MS || index < this.#known.length - FILES_MAX);
      const read = await this.#readOne(known, { ...request, budget, isOver });
      if (read.other !== null) return failed('rejected', `${known.path} ${read.other}`);
      budget -= read.bytes;
      isBehind ||= read.isBehind;
      if (isOver && !read.isBehind) {
        await known.file.close();
        this.#retired = [...this.#retired, known].slice(-RETIRED_MAX);
      } else kept.push(known);
    }
    this.#known = kept;
    return { kind: 'read', path, isBehind };
  }

  async #readOne(
    known: Known,
    { atMs, onLine, ...request }: FollowRequest & Pick<ReadOn, 'budget' | 'isOver'>,
  ): Promise<HaveRead> {
    const read = await known.file.readOn({
      ...request,
      onLine: (line) => {
        const writtenMs = onLine(line, known.sinceMs);
        if (writtenMs !== null) known.sinceMs = Math.max(known.sinceMs, writtenMs);
      },
    });
    if (read.bytes > 0 && request.isOver !== true) known.usedAtMs = atMs;
    // What is appended from now on is newer than this reading.
    if (!read.isBehind) known.sinceMs = Math.max(known.sinceMs, atMs);
    return read;
  }
}

function failed(reason: Failure, detail: string): Followed {
  return { kind: 'failed', reason, detail };
}

export function failureText(code: string): string {
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'is missing; correct the path';
    case 'EACCES':
    case 'EPERM':
      return 'may not be read; give canaryd the right to';
    case 'ELOOP':
      return 'is a link that leads to itself; correct it';
    case 'ENXIO':
      return 'is no regular file; name the log itself';
    default:
      return `cannot be read (${code})`;
  }
}
