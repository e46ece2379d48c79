// The gate as a process of its own: what hangs is ended, and so is all that it began.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** A command that never ends, with a process of its own; its id is written first. */
const gate = (timeout: string) => `
title: Hanging
criteria:
  green:
    - id: hangs
      title: Hangs
      checks:
        - command:
            run: [sh, -c, 'sleep 300 & echo $! > inner.tmp; mv inner.tmp inner; wait']
            timeout: ${timeout}
    - id: set
      title: Is set
      checks: [{ env: { required: [PATH] } }]
decision: { yellow_unmitigated_max: 0 }
`;

function begin(timeout: string) {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-gate-'));
  writeFileSync(join(folder, 'hanging.yaml'), gate(timeout));
  const child = spawn(process.execPath, [MAIN, 'gate', 'hanging.yaml', '--version', '1'], {
    cwd: folder,
    env: { PATH: process.env['PATH'] },
  });
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += String(chunk);
  });
  const closed = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await closed;
    rmSync(folder, { recursive: true, force: true });
  });
  const inner = join(folder, 'inner');
  const pid = () => Number(readFileSync(inner, 'utf8'));
  return { child, folder, closed, out: () => out, hasBegun: () => existsSync(inner), pid };
}

const hasEnded = (pid: number) => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

describe('a command of a gate that never ends', () => {
  it('is cut off with all its processes, and is NO-GO with the reason', async () => {
    const { closed, out, pid, folder } = begin('1s');
    expect(await closed).toEqual([1, null]);
    expect(out()).toMatch(/green hangs is unknown: .* within 1s, ended/);
    expect(out()).toContain('✓ set/env');
    await vi.waitFor(() => expect(hasEnded(pid())).toBe(true), { timeout: 5_000 });
    expect(readdirSync(join(folder, 'evidence'))).toHaveLength(1);
  });

  it('ends with the gate that is interrupted: nothing decided, no evidence', async () => {
    const { child, closed, out, hasBegun, pid, folder } = begin('5m');
    await vi.waitFor(() => expect(hasBegun()).toBe(true), { timeout: 10_000 });
    child.kill('SIGINT');
    expect(await closed).toEqual([3, null]);
    expect(out()).toContain('Nothing decided: interrupted');
    await vi.waitFor(() => expect(hasEnded(pid())).toBe(true), { timeout: 5_000 });
    expect(readdirSync(folder)).not.toContain('evidence');
  });
});
