import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type CheckSetup, carriedOut, made, problemsOf } from '../../support/gate-check.ts';

const env = { PATH: process.env['PATH'] };
const sh = (script: string, more: object = {}) => ({
  command: { run: ['sh', '-c', script], ...more },
});
const check = (written: object, setup: CheckSetup = {}) => carriedOut(written, { env, ...setup });

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-command-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe('the check command', () => {
  it('passes on exit code 0, and keeps the output', async () => {
    const result = await check(sh('echo all good'));
    expect(result).toMatchObject({ outcome: 'pass', text: 'exit code 0' });
    expect(result.exhibits).toEqual([{ name: 'output.txt', body: 'all good\n', isCut: false }]);
  });

  it('fails on another one, and says what the program said last', async () => {
    const result = await check(sh('echo "2 failed, 8 passed" >&2; exit 1'));
    expect(result).toMatchObject({
      outcome: 'fail',
      text: 'exit code 1, 0 wanted: 2 failed, 8 passed',
    });
  });

  it('takes other exit codes when they are wanted', async () => {
    expect(await check(sh('exit 5', { exit: [0, 5] }))).toMatchObject({ outcome: 'pass' });
    expect(await check(sh('exit 0', { exit: 5 }))).toMatchObject({ outcome: 'fail' });
  });

  it('runs without a shell: an argument is one argument', async () => {
    const run = ['printf', '%s|', '$HOME; exit 1', '${version}'];
    const result = await check({ command: { run } }, { values: { version: 'v2 $(exit 1)' } });
    expect(String(result.exhibits[0]?.body)).toBe('$HOME; exit 1|v2 $(exit 1)|');
  });

  it('runs in the folder of the gate, or in one beside it', async () => {
    const folder = newFolder();
    mkdirSync(join(folder, 'tools'));
    const result = await check(sh('pwd', { match: '/tools$', folder: 'tools' }), { folder });
    expect(result).toMatchObject({ outcome: 'pass' });
    const other = await check(sh('pwd', { match: '/tools$' }), { folder });
    expect(other).toMatchObject({ outcome: 'fail' });
  });

  it.each([
    [{ match: '^All configs loaded$' }, 'pass'],
    [{ match: '^configs' }, 'fail'],
    [{ match: ['^All configs', 'loaded$'] }, 'pass'],
    [{ match: ['^All configs', '^nothing$'] }, 'fail'],
    [{ not_match: ['WARNING', 'ERROR'] }, 'pass'],
    [{ not_match: ['WARNING', 'loaded$'] }, 'fail'],
    [{ not_match: 'WARNING' }, 'pass'],
    [{ not_match: 'loaded$' }, 'fail'],
    [{ number: { pattern: 'score: ([0-9.]+%)', at_least: '80%' } }, 'pass'],
    [{ number: { pattern: 'score: ([0-9.]+%)', at_least: '84%' } }, 'fail'],
    [{ number: { pattern: 'score: ([0-9.]+)%', at_least: 80 } }, 'pass'],
    [{ number: { pattern: 'score: ([0-9.]+)%', at_least: '80%' } }, 'unknown'],
    [{ number: { pattern: '[0-9]+ms', below: '200ms' } }, 'pass'],
    [{ number: { pattern: 'took ([a-z]+)', below: '200ms' } }, 'unknown'],
    [{ number: { pattern: 'speed: ([0-9]+)', below: 1 } }, 'unknown'],
  ])('judges the output by %o: %s', async (more, outcome) => {
    const script = 'echo "score: 12%"; echo "All configs loaded"; echo "score: 83%, 150ms"';
    const took = `${script}; echo took long`;
    expect(await check(sh(took, more))).toMatchObject({ outcome });
  });

  it('fails when it takes longer than wanted', async () => {
    const result = await check(sh('sleep 0.05', { within: '10ms' }));
    expect(result.outcome).toBe('fail');
    expect(result.text).toMatch(/^it took .*, within 10ms wanted$/);
  });
});

describe('the check command and its environment', () => {
  it('passes on little, what is named, and secrets by name', async () => {
    const token = ['t0ken', 'value', '42'].join('-');
    const written = sh('env', {
      inherit: ['VIRTUAL_ENV'],
      env: { AURORA_MODE: '${environment}', API_TOKEN: '$GATE_TOKEN' },
    });
    const result = await check(written, {
      env: { ...env, VIRTUAL_ENV: '/venv', GATE_TOKEN: token, OTHER: 'x', SLACK_TOKEN: 'y' },
    });
    const output = String(result.exhibits[0]?.body);
    const names = output.split('\n').map((line) => line.split('=')[0]);
    expect(names).toEqual(expect.arrayContaining(['PATH', 'VIRTUAL_ENV', 'AURORA_MODE']));
    expect(names).not.toEqual(expect.arrayContaining(['OTHER']));
    expect(output).not.toContain('SLACK_TOKEN');
    expect(output).toContain('AURORA_MODE=testnet');
    expect(output).toContain('API_TOKEN=[redacted]');
    expect(JSON.stringify(result)).not.toContain(token);
  });

  it('is unknown when a secret has no value', async () => {
    const result = await check(sh('env', { env: { API_TOKEN: '$GATE_TOKEN' } }));
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain('the secret $GATE_TOKEN has no value');
  });
});

describe('the check command is unknown', () => {
  it('when the program does not exist, or its folder', async () => {
    const result = await check({ command: { run: ['no-such-program'] } });
    expect(result).toMatchObject({ outcome: 'unknown' });
    expect(result.text).toContain('no-such-program: cannot start: no such program');
    expect(await check(sh('exit 0', { folder: 'nowhere' }))).toMatchObject({ outcome: 'unknown' });
  });

  it('when it hangs: it is ended with all its children', async () => {
    const folder = newFolder();
    const script = 'sleep 300 & echo $! > child; echo waiting; wait';
    const result = await check(sh(script, { timeout: '300ms' }), { folder });
    expect(result).toMatchObject({ outcome: 'unknown' });
    expect(result.text).toContain(
      'not finished within 300ms, ended with all its children: waiting',
    );
    const child = Number(readFileSync(join(folder, 'child'), 'utf8'));
    await vi.waitFor(() => expect(isGone(child)).toBe(true));
  });

  it('when it is ended by a signal', async () => {
    const result = await check(sh('kill -9 $$'));
    expect(result).toMatchObject({ outcome: 'unknown', text: 'sh: ended by SIGKILL' });
  });

  it('when the gate is interrupted', async () => {
    const result = await check(sh('sleep 300'), { signal: AbortSignal.abort() });
    expect(result.text).toContain('cut off with the check');
  });

  it('when there is more output than is kept, and what is sought may be in the rest', async () => {
    const script = 'echo ERROR; head -c 2000000 /dev/zero | tr "\\0" x; echo done';
    for (const more of [{ not_match: 'ERROR' }, { match: 'ERROR' }]) {
      const result = await check(sh(script, more));
      expect(result).toMatchObject({ outcome: 'unknown', exhibits: [{ isCut: true }] });
      expect(result.text).toContain('larger than 1000000 bytes');
    }
    expect(await check(sh(script, { match: 'done$' }))).toMatchObject({ outcome: 'pass' });
  });
});

/** A zombie has ended, too. */
function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return /^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
}

describe('the check command as it is written', () => {
  it('says in a sentence what is wanted', () => {
    const written = sh('x', { within: '5m', number: { pattern: 's: ([0-9]+)', above: 3 } });
    expect(made(written).wants).toBe('sh -c x: exit code 0, s: ([0-9]+) above 3, within 5m');
  });

  it.each([
    [{}, 'command.run: found nothing; wanted a list of 1 to 100 texts'],
    [{ run: 'pytest -q' }, 'command.run: found "pytest -q"; wanted a list'],
    [{ run: ['${version}'] }, 'wanted a fixed program'],
    [{ run: ['a'], exit: 256 }, 'command.exit: found 256; wanted an exit code from 0 to 255'],
    [{ run: ['a'], inherit: ['API_TOKEN'] }, 'give a secret as env: { NAME: $NAME }'],
    [{ run: ['a'], env: { API_TOKEN: 'x' } }, 'wanted the name of a secret as $NAME'],
    [{ run: ['a'], number: { pattern: 'a' } }, 'wanted exactly one of above, below'],
  ])('refuses %o', (command, problem) => {
    expect(problemsOf({ command }).join('\n')).toContain(problem);
  });
});
