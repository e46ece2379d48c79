// Follows a log through its files: rotated away, truncated, copied over, or a new one for each
// session. What was renamed is read until it was quiet for a minute; nothing is read twice, and no
// other log that is written besides it. Each file fails by itself. Bounded in files and bytes.
import { stat } from 'node:fs/promises';
import { unreadableText } from '../../kit/unreadable.ts';
import type { Line } from './lines.ts';
import { type HaveRead, LogFile, type Opened, openLog, type ReadOn } from './log-file.ts';
import { type Found, isPattern, Matches, rotatedFrom } from './newest.ts';

/** At one reading; what is more is read at the next ones. */
export const READ_BYTES_MAX = 16 * 1024 * 1024;
/** Files of one log that are kept open besides those that are written. */
const FILES_MAX = 32;
/** Files that were closed, and are known again when they come back. */
const RETIRED_MAX = 1_000;
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
  /** Files that were written last before then are not asked for. */
  readonly keepFromMs: number;
  /**
   * @param sinceMs the line was not written before then; -Infinity: nobody knows
   * @returns when it was written; null: it does not say
   */
  readonly onLine: (line: Line, sinceMs: number) => number | null;
  /** Up to now there were events that cannot be read. */
  readonly onLost: () => void;
};

type Known = {
  readonly file: LogFile;
  path: string;
  /** Lines that come next were not written before then. */
  sinceMs: number;
  /** It has grown, was changed, or was the newest. */
  usedAtMs: number;
  /** It could not be read; when it is there again it is opened anew. */
  isBroken: boolean;
};

export class Follower {
  readonly #report: string;
  readonly #matches: Matches;
  /** The one that is written last comes last. Closed ones are in no list but `#retired`. */
  #known: readonly Known[] = [];
  #retired: readonly Known[] = [];
  /** Files that have the name of a rotated one, but were written besides the log. */
  #foreign: readonly string[] = [];
  #seenAtMs = Number.NEGATIVE_INFINITY;

  constructor(report: string, folder: string) {
    this.#report = report;
    this.#matches = new Matches(report, folder);
  }

  /** Expected failures of files are told; what is thrown is a bug. */
  async advance(request: FollowRequest): Promise<Followed> {
    let path = this.#report;
    try {
      const found = await this.#matches.look(request.keepFromMs);
      if (found.kind === 'too_many') return failed('rejected', found.detail);
      path = found.kind === 'paths' ? found.newest : '';
      const missing = found.kind === 'paths' ? await this.#find(found, request) : found.detail;
      if (missing !== null) {
        const isLingering = request.atMs - this.#seenAtMs <= LINGER_MS;
        if (!isLingering || this.#known.length === 0) return failed('no_series', missing);
        path = this.#known.at(-1)?.path ?? path;
      }
      return await this.#read(path, request);
    } catch (error) {
      return failed(
        'unreachable',
        `${path || this.#report} ${unreadableText(codeOf(error), 'log')}`,
      );
    }
  }

  async close(): Promise<void> {
    const known = this.#known;
    this.#known = [];
    await Promise.all(known.map(({ file }) => file.close()));
  }

  /** Makes the newest file the one that is written; @returns why there is none */
  async #find(found: Found & { kind: 'paths' }, request: FollowRequest): Promise<string | null> {
    const { newest, others } = found;
    for (const other of others) await this.#add(other, request);
    const opened = await openLog(newest).catch((error: unknown) => {
      const code = codeOf(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') return 'missing' as const;
      throw error;
    });
    if (found.isCut) request.onLost();
    if (opened === 'missing') return `${newest} is missing; correct the path, or write the log`;
    if (opened === null) return `${newest} is no regular file; name the log itself`;
    const before = this.#known;
    const current = await this.#use(opened, newest, request);
    current.file.thaw();
    this.#seenAtMs = request.atMs;
    if (!isPattern(this.#report) && !before.includes(current)) {
      // Between this file and the one before there may have been others.
      const isForeign = (key: string) => this.#foreign.includes(key) && !this.#isKnown(key);
      const rotated = await rotatedFrom(newest, request.keepFromMs, isForeign);
      const written = rotated.foreign.filter((key) => !this.#isKnown(key));
      this.#foreign = [...this.#foreign, ...written].slice(-RETIRED_MAX);
      if (rotated.isCut) request.onLost();
      for (const other of rotated.others) await this.#add(other, request, true);
      this.#known = [...this.#known.filter((one) => one !== current), current];
    }
    return null;
  }

  /** One that was written, too; of one that was found by its name, what is in it now. */
  async #add(path: string, request: FollowRequest, isByName = false): Promise<void> {
    const opened = await openLog(path).catch((error: unknown) => {
      const code = codeOf(error);
      // Renamed since: it will be found by its new name.
      if (code !== 'ENOENT' && code !== 'ENOTDIR') request.onLost();
      return null;
    });
    if (opened === null) return;
    const isRead = ({ file }: Known) => file.isFrozen && file.key === opened.key;
    if (isByName && [...this.#known, ...this.#retired].some(isRead)) {
      await opened.handle.close();
      return;
    }
    await this.#use(opened, path, request, isByName);
  }

  async #use(
    opened: Opened,
    path: string,
    { atMs }: FollowRequest,
    isByName = false,
  ): Promise<Known> {
    const found = this.#knownAs(opened, path, atMs, isByName);
    const known = await found.catch(async (error: unknown) => {
      await opened.handle.close();
      throw error;
    });
    if (known.file.key === opened.key) known.path = path;
    known.usedAtMs = atMs;
    this.#known = [...this.#known.filter((one) => one !== known), known];
    return known;
  }

  async #knownAs(opened: Opened, path: string, atMs: number, isByName: boolean): Promise<Known> {
    const same = this.#known.find(({ file }) => file.key === opened.key);
    if (same !== undefined) {
      if (same.isBroken) await same.file.continueIn(opened);
      else await opened.handle.close();
      same.isBroken = false;
      return same;
    }
    const retired = this.#retired.find(({ file }) => file.key === opened.key);
    if (retired !== undefined) {
      this.#retired = this.#retired.filter((one) => one !== retired);
      await retired.file.continueIn(opened);
      return retired;
    }
    const whole = this.#known.filter(({ isBroken }) => !isBroken);
    const before = whole.findLast((one) => one.path === path);
    if (before !== undefined && (await before.file.isContinuedBy(opened))) {
      await before.file.continueIn(opened);
      return before;
    }
    const file = new LogFile(opened);
    for (const one of whole) {
      if (await file.isWithin(one.file)) {
        await file.close();
        return one;
      }
      if (one.path === path || !(await one.file.isContinuedBy(opened))) continue;
      return { ...one, file: one.file.continuedAs(opened), path };
    }
    if (isByName) await file.freeze();
    const sinceMs = Number.NEGATIVE_INFINITY;
    return { file, path, sinceMs, usedAtMs: atMs, isBroken: false };
  }

  async #read(path: string, request: FollowRequest): Promise<Followed> {
    const { atMs } = request;
    let budget = READ_BYTES_MAX;
    let followed: Followed = { kind: 'read', path, isBehind: false };
    const all = this.#known;
    for (const [index, known] of all.entries()) {
      const isLast = index === all.length - 1;
      const isQuiet = atMs - known.usedAtMs > LINGER_MS;
      const isSpare = index < all.length - FILES_MAX && known.usedAtMs < atMs;
      const isForeign = !isLast && (await known.file.isGrownPastEnd().catch(() => false));
      // It had the name of a file of this log, and was counted: it is another log.
      if (isForeign) request.onLost();
      const isOver = !isLast && (isQuiet || isSpare || isForeign);
      const read = await this.#readOne(known, { ...request, budget, isOver }).catch(codeOf);
      if (typeof read === 'string') {
        known.isBroken = true;
        followed = failed('unreachable', `${known.path} ${unreadableText(read, 'log')}`);
        if (isOver) {
          request.onLost();
          await this.#drop(known);
        }
        continue;
      }
      if (read.other !== null) {
        await this.#drop(known);
        if (isLast) followed = failed('rejected', `${known.path} ${read.other}`);
        continue;
      }
      budget -= read.bytes;
      if (read.isBehind && followed.kind === 'read') followed = { ...followed, isBehind: true };
      if (isOver && !read.isBehind) {
        await this.#drop(known);
        this.#retired = [...this.#retired, known].slice(-RETIRED_MAX);
      }
    }
    return followed;
  }

  #isKnown(key: string): boolean {
    return [...this.#known, ...this.#retired].some(({ file }) => file.key === key);
  }

  async #drop(known: Known): Promise<void> {
    this.#known = this.#known.filter((one) => one !== known);
    await known.file.close();
  }

  async #readOne(
    known: Known,
    { atMs, onLine, isOver = false, ...request }: FollowRequest & Pick<ReadOn, 'budget' | 'isOver'>,
  ): Promise<HaveRead> {
    const read = await known.file.readOn({
      ...request,
      // Where it is still in its place, its last line may get its rest.
      isOver: isOver && !(await isInPlace(known)),
      onLine: (line) => {
        const writtenMs = onLine(line, known.sinceMs);
        if (writtenMs !== null) known.sinceMs = Math.max(known.sinceMs, writtenMs);
      },
    });
    if (read.isGrown && !isOver) known.usedAtMs = atMs;
    // What is appended from now on is newer than this reading.
    if (!read.isBehind) known.sinceMs = Math.max(known.sinceMs, atMs);
    return read;
  }
}

async function isInPlace({ path, file }: Known): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found !== null && `${found.dev}:${found.ino}` === file.key;
}

/** Of an error of the file system; any other is a bug. */
function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== 'string') throw error;
  return code;
}

function failed(reason: Failure, detail: string): Followed {
  return { kind: 'failed', reason, detail };
}
