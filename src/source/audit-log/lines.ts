// Bytes of a log to its lines, one after the other: bounded in the length of a line. A line is never
// kept beyond its callback.

export const LINE_BYTES_MAX = 1_000_000;

export type Line = {
  /** null: not UTF-8, or longer than `LINE_BYTES_MAX`. */
  readonly text: string | null;
  /** The last one of the file, and it has no line end. */
  readonly isUnfinished: boolean;
};

/** Why a file that begins so is no log of JSON lines; null: it may be one. */
export function otherFormat(head: Buffer): string | null {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'is compressed; unpack it first';
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f) {
    return 'is compressed; unpack it first';
  }
  const isUtf16 = (head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff);
  return isUtf16 ? 'is UTF-16; write it as UTF-8' : null;
}

export class Splitter {
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

  /** Of the line that has no end yet. */
  get unfinishedBytes(): number {
    return this.#bytes;
  }

  /** The beginning of the line that has no end yet is not known. */
  get isSkipping(): boolean {
    return this.#skip;
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
