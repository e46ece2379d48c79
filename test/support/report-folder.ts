// A folder with reports, for one test: as tools wrote them (test/gate/checks/reports) or made up.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const REPORTS = fileURLToPath(new URL('../gate/checks/reports/', import.meta.url));

/** As the tool wrote it. */
export function reportOf(name: string): string {
  return readFileSync(join(REPORTS, name), 'utf8');
}

/** Files by their path in the folder; gone when the test ends. */
export function folderWith(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-reports-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, body] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), body);
  }
  return folder;
}

/** Makes a file look as if it was written so long ago. */
export function age(folder: string, path: string, hours: number): void {
  const at = Date.now() / 1_000 - hours * 3_600;
  utimesSync(join(folder, path), at, at);
}
