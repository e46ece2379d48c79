// The JSON Schema of a log's events, read again when its file has changed.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { unreadableText } from '../../kit/unreadable.ts';
import { type Compiled, compileSchema } from './json-schema.ts';

const SCHEMA_BYTES_MAX = 1_000_000;

type Refused = { readonly kind: 'refused'; readonly reason: string };

export class SchemaFile {
  readonly #path: string;
  #compiled: Compiled | null = null;
  #stamp = '';

  constructor(path: string, folder: string) {
    this.#path = resolve(folder, path);
  }

  async read(): Promise<Compiled | Refused> {
    const refused = (why: string): Refused => ({ kind: 'refused', reason: `${this.#path} ${why}` });
    try {
      const handle = await open(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const stat = await handle.stat();
        if (!stat.isFile()) return refused('is no regular file; name the schema itself');
        if (stat.size > SCHEMA_BYTES_MAX) return refused('is too large for a schema');
        const stamp = `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeMs}`;
        if (this.#compiled !== null && stamp === this.#stamp) return this.#compiled;
        const compiled = compiledOf(await handle.readFile('utf8'));
        if (compiled.kind === 'refused') return refused(compiled.reason);
        this.#stamp = stamp;
        this.#compiled = compiled;
        return compiled;
      } finally {
        await handle.close();
      }
    } catch (error) {
      const code = (error as { code?: unknown } | null)?.code;
      if (typeof code !== 'string') throw error;
      return refused(unreadableText(code, 'log'));
    }
  }
}

function compiledOf(text: string): Compiled | Refused {
  try {
    return compileSchema(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: 'refused', reason: 'is no JSON; correct it' };
    throw error;
  }
}
