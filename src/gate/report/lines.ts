// Lines of a large file, one after the other: read as a stream from its end part, bounded in bytes
// and in the length of a line. A line is never kept.

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Line, otherFormat, Splitter } from '../../source/audit-log/lines.ts';
import type { CheckTools } from '../check.ts';
import { failureText, type Refused, refused } from './read.ts';

const CHUNK_BYTES = 256 * 1024;

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
