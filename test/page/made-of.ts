// Which page the pictures in the docs show: a hash of its files, kept beside the pictures.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PAGE = fileURLToPath(new URL('../../src/http/page/browser/', import.meta.url));
export const MADE_OF = fileURLToPath(new URL('../../docs/images/page.sha256', import.meta.url));

/** Of all that a browser gets of ours. */
export function pageHash(): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(PAGE).sort()) {
    if (/\.(?:js|css|html|svg)$/.test(name)) hash.update(name).update(readFileSync(PAGE + name));
  }
  return hash.digest('hex');
}
