// The log of a daemon on a real pipe, in a process of its own: one that hangs hangs only itself.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';

const LOGGER = fileURLToPath(new URL('../../src/kit/logger.ts', import.meta.url));

/** Runs the code with an open log; what it tells us goes to standard error. */
function program(code: string): ChildProcess {
  const whole = `
    import { openLog } from ${JSON.stringify(LOGGER)};
    process.stdout.on('error', () => {});
    const { logger, close } = openLog('info', undefined);
    ${code}`;
  const args = ['--input-type=module', '--eval', whole];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function textOf(stream: ChildProcess['stdout']): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream ?? []) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

describe('openLog', () => {
  it('writes at once, not only when there is much to write', async () => {
    const child = program(`logger.info('ready'); setInterval(() => {}, 60_000);`);
    const [chunk] = child.stdout ? await once(child.stdout, 'data') : [];
    expect(String(chunk)).toContain('"msg":"ready"');
  });

  it('loses nothing at a normal end', async () => {
    const child = program(`
      for (let index = 0; index < 5_000; index += 1) logger.info({ index }, 'line');
      await close();`);
    const lines = (await textOf(child.stdout)).trim().split('\n');
    expect(lines).toHaveLength(5_000);
    expect(lines.map((line) => JSON.parse(line).index)).toEqual(lines.map((_, index) => index));
  });

  it('does not let a reader that hangs hold up the program, nor its end', async () => {
    const child = program(`
      const words = 'x'.repeat(1_000);
      for (let index = 0; index < 10_000; index += 1) logger.info({ words }, 'line');
      process.stderr.write('goes on');
      await close();
      logger.info('too late');
      process.exitCode = 7;`);
    const told = textOf(child.stderr);
    const [code] = await once(child, 'exit');
    expect([code, await told]).toEqual([7, 'goes on']);
  });

  it('does not hold up a program that ends at once either', async () => {
    const child = program(`
      const words = 'x'.repeat(1_000);
      for (let index = 0; index < 1_000; index += 1) logger.info({ words }, 'line');
      setInterval(() => process.exit(7), 300);`);
    expect(await once(child, 'exit')).toEqual([7, null]);
  });

  it('says how many lines it dropped when its reader is back', async () => {
    const child = program(`
      const words = 'x'.repeat(1_000);
      for (let index = 0; index < 10_000; index += 1) logger.info({ words }, 'line');
      process.stderr.write('full');
      setInterval(() => {}, 60_000);`);
    await once(child.stderr ?? child, 'data');
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    await expect.poll(() => text).toMatch(/"dropped":\d+,"msg":"log lines were dropped/);
  });

  it('outlives a reader that is gone', async () => {
    const child = program(`
      for (let index = 0; index < 100; index += 1) {
        logger.info('line');
        await new Promise((resolve) => setImmediate(resolve));
      }
      await close();
      process.exitCode = 7;`);
    child.stdout?.destroy();
    expect(await once(child, 'exit')).toEqual([7, null]);
  });
});
