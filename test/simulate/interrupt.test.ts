// Ctrl-C at any point of a simulation: an end with its own exit code, and nothing is left behind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { hasPrometheus } from '../support/prometheus.ts';

const SHOP = 'test/simulate/shop.yaml';
const LIVE_MS = 60_000;
const WAIT = { timeout: 30_000, interval: 50 };

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'canaryd-interrupt-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The real program, with a folder for temporary files of its own. */
function started(argv: readonly string[], path: readonly string[] = []) {
  const temporary = folder();
  const PATH = [...path, process.env['PATH']].join(delimiter);
  const child = spawn(process.execPath, ['src/main.ts', ...argv], {
    env: { ...process.env, TMPDIR: temporary, PATH },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    said.out += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said.err += chunk.toString('utf8');
  });
  const ended = once(child, 'close');
  const interrupted = async () => {
    child.kill('SIGINT');
    return { end: await ended, left: readdirSync(temporary), said };
  };
  const tells = (text: string) => vi.waitFor(() => expect(said.out).toContain(text), WAIT);
  return { interrupted, tells, said };
}

const INTERRUPTED = {
  end: [130, null],
  left: [],
  said: { err: 'interrupted\n' },
};

describe('an interrupted simulation', () => {
  it.each(['before the deploy.', 'Look at it:'])(
    'ends with 130 and without a trace at "%s"',
    async (moment) => {
      const { tells, interrupted } = started(['simulate', SHOP]);
      await tells(moment);
      expect(await interrupted()).toMatchObject(INTERRUPTED);
    },
    LIVE_MS,
  );

  it.skipIf(!hasPrometheus())(
    'ends its Prometheus, too',
    async () => {
      const { tells, interrupted, said } = started(['simulate', SHOP, '--prometheus']);
      await tells('Look at it:');
      const url = /read from (http:\S+)\./.exec(said.out)?.[1] ?? 'not told';
      expect((await fetch(`${url}/-/ready`)).status).toBe(200);
      expect(await interrupted()).toMatchObject(INTERRUPTED);
      await expect(fetch(`${url}/-/ready`)).rejects.toThrow('fetch failed');
    },
    LIVE_MS,
  );

  it('does not wait for a Prometheus that never becomes ready', async () => {
    const bin = join(folder(), 'bin');
    const pidFile = join(bin, 'pid');
    mkdirSync(bin);
    const script = `#!/bin/sh\necho $$ > '${pidFile}'\nexec sleep 60\n`;
    writeFileSync(join(bin, 'prometheus'), script);
    chmodSync(join(bin, 'prometheus'), 0o755);
    const { interrupted } = started(['simulate', SHOP, '--prometheus'], [bin]);
    await vi.waitFor(() => expect(existsSync(pidFile)).toBe(true), WAIT);
    await vi.waitFor(() => expect(readFileSync(pidFile, 'utf8')).toMatch(/^\d+\n$/), WAIT);
    expect(await interrupted()).toMatchObject(INTERRUPTED);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});

describe('an interrupted demo', () => {
  it(
    'ends the same way',
    async () => {
      const { tells, interrupted } = started(['demo']);
      await tells('canaryd looks at it');
      expect(await interrupted()).toMatchObject(INTERRUPTED);
    },
    LIVE_MS,
  );
});
