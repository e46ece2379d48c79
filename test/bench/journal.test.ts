import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { hasPostgres } from '../support/postgres.ts';

const folder = mkdtempSync(join(tmpdir(), 'canaryd-bench-test-'));
// Like /tmp: PostgreSQL runs as somebody else, who drops its folder in it.
chmodSync(folder, 0o1777);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const JOURNAL = fileURLToPath(new URL('journal.ts', import.meta.url));

describe.skipIf(!hasPostgres())('the journal bench', () => {
  it('has a row for each journal, and leaves nothing behind', { timeout: 60_000 }, async () => {
    const child = spawn(process.execPath, [JOURNAL, '--seconds', '0.2'], {
      env: { ...process.env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    expect(await once(child, 'exit')).toEqual([0, null]);
    const text = lines.join('\n');
    expect(text.match(/^\| SQLite \|/gm)).toHaveLength(3);
    expect(text.match(/^\| PostgreSQL, 1 replica \|/gm)).toHaveLength(3);
    expect(text.match(/^\| PostgreSQL, 3 replicas \|/gm)).toHaveLength(2);
    expect(text).not.toMatch(/NaN|undefined/);
    expect(text).toMatch(/^machine: .*PostgreSQL \d/m);
    expect(readdirSync(folder)).toEqual([]);
  });
});
