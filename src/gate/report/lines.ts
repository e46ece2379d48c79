// Lines of a large file, one after the other: read as a stream from its end part, bounded in bytes
// and in the length of a line. A line is never kept.

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { CheckTools } from '../check.ts';
import { failureText, type Refused, refused } from './read.ts';

export const LINE_BYTES_MAX = 1_000_000;
const CHUNK_BYTES = 256 * 1024;

export type Line = {
  /** null: not UTF-8, or longer than `LINE_BYTES_MAX`. */
  readonly text: string | null;
  /** The last one of the file, and it has no line end. */
  readonly isUnfinished: boolean;
};

export type LinesRead = {
  readonly kind: 'lines';
  /** Of the file, when reading began. */
  readonly bytes: number;
  /** Before the part that was read. */
  readonly skippedBytes: number;
  readonly modifiedMs: number;
  /** Of the part that was read. */
  readonly sha256: string;
};

/** Calls `onLine` for each line of the last `tailBytes`; the first may be cut, and is left out. */
export async function readLines(
  path: string,
  { folder, signal }: Pick<CheckTools, 'folder' | 'signal'>,
  tailBytes: number,
  onLine: (line: Line) => void,
): Promise<LinesRead | Refused> {
  try {
    const handle = await open(resolve(folder, path), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size, mtimeMs, ...stat } = await handle.stat().then((one) => ({
        size: one.size,
        mtimeMs: one.mtimeMs,
        isFile: one.isFile(),
      }));
      if (!stat.isFile) return refused(`${path} is no regular file; name the log itself`);
      // One byte before, so that a part that begins with a line loses none.
      const start = Math.max(0, size - tailBytes - 1);
      const splitter = new Splitter(onLine, start > 0);
      const buffer = Buffer.alloc(CHUNK_BYTES);
      const hash = createHash('sha256');
      // What is appended meanwhile is for the next time.
      for (let at = start; at < size; ) {
        if (signal.aborted) return refused(`${path} was not read to its end: cut off`);
        const wanted = Math.min(CHUNK_BYTES, size - at);
        const { bytesRead } = await handle.read(buffer, 0, wanted, at);
        if (bytesRead === 0) return refused(`${path} became shorter while it was read; again`);
        if (at === start && start === 0) {
          const other = otherFormat(buffer.subarray(0, bytesRead));
          if (other !== null) return refused(`${path} ${other}`);
        }
        hash.update(buffer.subarray(0, bytesRead));
        splitter.push(buffer.subarray(0, bytesRead));
        at += bytesRead;
        await new Promise((done) => setImmediate(done));
      }
      splitter.end();
      const sha256 = hash.digest('hex');
      return { kind: 'lines', bytes: size, skippedBytes: start, modifiedMs: mtimeMs, sha256 };
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    if (typeof code !== 'string') throw error;
    return refused(`${path} ${failureText(error)}`);
  }
}

function otherFormat(head: Buffer): string | null {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'is compressed; unpack it first';
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f) {
    return 'is compressed; unpack it first';
  }
  const isUtf16 = (head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff);
  return isUtf16 ? 'is UTF-16; write it as UTF-8' : null;
}

class Splitter {
  readonly #onLine: (line: Line) => void;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #skip: boolean;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(onLine: (line: Line) => void, isCut: boolean) {
    this.#onLine = onLine;
    this.#skip = isCut;
  }

  push(chunk: Buffer): void {
    let at = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, at)) {
      this.#add(chunk.subarray(at, end), false);
      this.#emit(false);
      at = end + 1;
    }
    this.#add(chunk.subarray(at), true);
  }

  end(): void {
    if (this.#bytes > 0) this.#emit(true);
  }

  /** @param isKept the chunk's memory is used again */
  #add(part: Buffer, isKept: boolean): void {
    this.#bytes += part.length;
    if (this.#bytes > LINE_BYTES_MAX || this.#skip) this.#parts = [];
    else if (part.length > 0) this.#parts.push(isKept ? Buffer.from(part) : part);
  }

  #emit(isUnfinished: boolean): void {
    const isTooLong = this.#bytes > LINE_BYTES_MAX;
    const [first, ...rest] = this.#parts;
    const bytes = rest.length === 0 ? (first ?? Buffer.alloc(0)) : Buffer.concat(this.#parts);
    const isSkipped = this.#skip;
    this.#parts = [];
    this.#bytes = 0;
    this.#skip = false;
    if (isSkipped) return;
    this.#onLine({ text: isTooLong ? null : this.#decoded(bytes), isUnfinished });
  }

  #decoded(bytes: Buffer): string | null {
    try {
      return this.#decoder.decode(bytes);
    } catch {
      return null;
    }
  }
}
