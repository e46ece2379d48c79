// One file of a log, read on from where the last reading ended. Bounded in bytes for each reading;
// a last line without its end waits for its rest. What was cut off in between is said.
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { LINE_BYTES_MAX, type Line, otherFormat, Splitter } from './lines.ts';

/** Of a log that nobody has read yet, or that grew faster than it is read, so much of the end. */
export const TAIL_BYTES_MAX = 64 * 1024 * 1024;
const STEP_BYTES = 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
/** Bytes before the next line: whether they are still there tells whether the file is the same. */
const MARK_BYTES = 64;
/** Of the beginning and of the end, to tell whether a file is a copy of another. */
const HEAD_BYTES = 4_096;

export type Opened = { readonly handle: FileHandle; readonly key: string };

/** Without waiting: opening a pipe would otherwise hang until somebody writes. */
export async function openLog(path: string): Promise<Opened | null> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = await handle.stat();
    if (stat.isFile()) return { handle, key: `${stat.dev}:${stat.ino}` };
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return null;
}

export type ReadOn = {
  readonly budget: number;
  readonly signal: AbortSignal;
  readonly onLine: (line: Line) => void;
  /** Whether a line is older than all that is asked for; null: it does not say. */
  readonly isOld: (line: Line) => boolean | null;
  /** Lines that may be asked for were left out before the next one. */
  readonly onCut: () => void;
  /** Nobody writes to it any more: its last line has no rest. */
  readonly isOver?: boolean;
};

export type HaveRead = {
  readonly bytes: number;
  /** There was more than at the reading before: a last line without its end is read again. */
  readonly isGrown: boolean;
  /** There is more than the budget. */
  readonly isBehind: boolean;
  /** Why it is no log of JSON lines. */
  readonly other: string | null;
};

export class LogFile {
  #opened: Opened;
  #offset: number | null = null;
  /** The end that was seen last. */
  #seenTo = 0;
  #mark: Buffer = Buffer.alloc(0);
  /** Within a line that is too long, or of which the beginning was left out. */
  #isSkipping = false;
  /** It is read up to there; null: as far as it grows. */
  #endAt: number | null = null;

  constructor(opened: Opened) {
    this.#opened = opened;
  }

  get key(): string {
    return this.#opened.key;
  }

  /** This one was put away as a copy: what is in it already is not read again. */
  continuedAs(opened: Opened): LogFile {
    const copy = new LogFile(opened);
    copy.#offset = this.#offset;
    copy.#seenTo = this.#seenTo;
    copy.#mark = this.#mark;
    copy.#isSkipping = this.#isSkipping;
    return copy;
  }

  /** It holds no more than the other one does, from the beginning. */
  async isWithin(other: LogFile): Promise<boolean> {
    return new LogFile(this.#opened).isContinuedBy(other.#opened);
  }

  get isFrozen(): boolean {
    return this.#endAt !== null;
  }

  /** Only what is in it now is read. */
  async freeze(): Promise<void> {
    this.#endAt = await this.size();
  }

  thaw(): void {
    this.#endAt = null;
  }

  async isGrownPastEnd(): Promise<boolean> {
    return this.#endAt !== null && (await this.size()) > this.#endAt;
  }

  async size(): Promise<number> {
    return (await this.#opened.handle.stat()).size;
  }

  /** A copy took its place (as rsync does) and holds what is in this one: it is the same log. */
  async isContinuedBy({ handle }: Opened): Promise<boolean> {
    const offset = this.#offset ?? 0;
    const { size } = await handle.stat();
    if (offset > 0 && size >= offset && (await this.#isMarked(handle, offset))) return true;
    // Nothing of it was read yet, or it was written anew since.
    const ownSize = await this.size();
    if (ownSize === 0 || size < ownSize) return false;
    for (const at of [0, Math.max(0, ownSize - HEAD_BYTES)]) {
      const length = Math.min(HEAD_BYTES, ownSize);
      const [own, other] = await Promise.all(
        [this.#opened.handle, handle].map((one) => bytesAt(one, at, length)),
      );
      if (own === undefined || other === undefined || !own.equals(other)) return false;
    }
    return true;
  }

  async continueIn(opened: Opened): Promise<void> {
    const { handle } = this.#opened;
    this.#opened = opened;
    await closed(handle);
  }

  async close(): Promise<void> {
    await closed(this.#opened.handle);
  }

  async readOn(request: ReadOn): Promise<HaveRead> {
    const { budget, signal, onLine, isOver = false } = request;
    const { handle } = this.#opened;
    const size = Math.min(await this.size(), this.#endAt ?? Number.POSITIVE_INFINITY);
    if (await this.#findStart(size, request.isOld)) request.onCut();
    const start = this.#offset ?? 0;
    const splitter = new Splitter(onLine, this.#isSkipping);
    const end = Math.min(size, start + budget);
    const buffer = Buffer.alloc(Math.min(CHUNK_BYTES, Math.max(1, end - start)));
    let at = start;
    try {
      while (at < end && !signal.aborted) {
        const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, end - at), at);
        if (bytesRead === 0) break;
        const bytes = buffer.subarray(0, bytesRead);
        const other = at === 0 ? otherFormat(bytes) : null;
        if (other !== null) return { bytes: bytesRead, isGrown: true, isBehind: false, other };
        splitter.push(bytes);
        at += bytesRead;
        await new Promise((done) => setImmediate(done));
      }
      if (isOver && at === size && !splitter.isSkipping) splitter.end();
    } finally {
      await this.#keep(splitter, at, onLine);
    }
    const isGrown = at > this.#seenTo;
    this.#seenTo = at;
    return { bytes: at - start, isGrown, isBehind: at < size, other: null };
  }

  /** @returns whether lines were left out that may be asked for */
  async #findStart(size: number, isOld: ReadOn['isOld']): Promise<boolean> {
    const { handle } = this.#opened;
    if (this.#offset !== null) {
      const isSame = size >= this.#offset && (await this.#isMarked(handle, this.#offset));
      // Truncated, and perhaps written again: what is there now was not read yet.
      if (!isSame) this.#begin(0);
      if (size - (this.#offset ?? 0) <= TAIL_BYTES_MAX) return false;
    }
    for (let back = STEP_BYTES; back < TAIL_BYTES_MAX && back < size; back *= 4) {
      if ((await this.#isOldAt(size - back, isOld)) !== true) continue;
      this.#begin(size - back);
      return false;
    }
    this.#begin(Math.max(0, size - TAIL_BYTES_MAX));
    return size > TAIL_BYTES_MAX && (await this.#isOldAt(size - TAIL_BYTES_MAX, isOld)) !== true;
  }

  /** All lines there that say so: one with an odd time is not taken for the rest. */
  async #isOldAt(at: number, isOld: ReadOn['isOld']): Promise<boolean | null> {
    const buffer = Buffer.alloc(CHUNK_BYTES);
    const { bytesRead } = await this.#opened.handle.read(buffer, 0, CHUNK_BYTES, at);
    let found: boolean | null = null;
    const splitter = new Splitter((line) => {
      const isOldLine = isOld(line);
      if (isOldLine !== null) found = isOldLine && found !== false;
    }, true);
    splitter.push(buffer.subarray(0, bytesRead));
    return found;
  }

  #begin(at: number): void {
    this.#offset = at;
    this.#seenTo = at;
    this.#isSkipping = at > 0;
    this.#mark = Buffer.alloc(0);
  }

  async #keep(splitter: Splitter, at: number, onLine: (line: Line) => void): Promise<void> {
    const unfinished = splitter.unfinishedBytes;
    const isTooLong = !splitter.isSkipping && unfinished > LINE_BYTES_MAX;
    if (isTooLong) onLine({ text: null, isUnfinished: false });
    this.#isSkipping = splitter.isSkipping || isTooLong;
    this.#offset = this.#isSkipping ? at : at - unfinished;
    this.#mark = Buffer.alloc(0);
    const length = Math.min(MARK_BYTES, this.#offset);
    this.#mark = await bytesAt(this.#opened.handle, this.#offset - length, length);
  }

  async #isMarked(handle: FileHandle, offset: number): Promise<boolean> {
    const { length } = this.#mark;
    if (length === 0) return true;
    return (await bytesAt(handle, offset - length, length)).equals(this.#mark);
  }
}

/** Nothing was written: a disk that complains even then takes nothing away. */
async function closed(handle: FileHandle): Promise<void> {
  await handle.close().catch(() => {});
}

async function bytesAt(handle: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, at);
  return buffer.subarray(0, bytesRead);
}
