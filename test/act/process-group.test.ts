import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { run } from '../../src/act/process-group.ts';

/** Nothing else goes on meanwhile, as on a machine that is busy. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe('a program that ends while the machine is busy', () => {
  it('is told with all that it has said', async () => {
    const running = run({
      ...{ argv: ['sh', '-c', 'sleep 0.4; echo the last word'], env: { PATH: '/usr/bin:/bin' } },
      ...{ stdin: '', timeoutMs: 10_000, outputBytesMax: 1_000 },
      signal: new AbortController().signal,
    });
    // Its end is seen together with that of the other one, before its words have been read.
    const other = spawn('sh', ['-c', 'echo done'], { stdio: ['ignore', 'pipe', 'ignore'] });
    other.stdout.once('data', () => {
      setImmediate(() => block(500));
      block(900);
    });
    block(150);
    await once(other, 'close');
    expect(await running).toEqual({ kind: 'exited', code: 0, output: 'the last word\n' });
  });
});
