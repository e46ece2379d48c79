import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandOptions, runCommand } from '../../src/act/command.ts';
import { payload, values } from './sample.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'canaryd-command-'));
});
afterAll(() => rm(folder, { recursive: true }));

function options(argv: readonly string[], more: Partial<CommandOptions> = {}): CommandOptions {
  return {
    via: { kind: 'command', argv, env: {} },
    deliveryId: 'w_1-rollback',
    payload,
    timeoutMs: 10_000,
    env: {},
    secrets: [],
    values,
    signal: new AbortController().signal,
    ...more,
  };
}

const node = (script: string, ...args: string[]) => [process.execPath, '-e', script, ...args];

/** A process that is no more; a zombie counts as gone. */
async function isGone(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat === '' || / Z /.test(stat);
}

describe('runCommand', () => {
  it('is delivered when the program ends with 0, and keeps what it said', async () => {
    const outcome = await runCommand(options(['sh', '-c', 'echo out; echo err >&2']));
    expect(outcome.kind).toBe('delivered');
    expect(outcome.detail).toMatch(/^exit code 0 in \d+ ms: /);
    expect(outcome.detail).toContain('out');
    expect(outcome.detail).toContain('err');
  });

  it('can be repeated when the program ends with another code', async () => {
    expect(await runCommand(options(['sh', '-c', 'echo no such app; exit 3']))).toEqual({
      kind: 'retryable',
      reason: 'exit_code',
      detail: 'exit code 3: no such app',
      retryAfterMs: null,
      maybeDelivered: false,
    });
  });

  it('may have taken effect when something else killed it', async () => {
    expect(await runCommand(options(['sh', '-c', 'kill -9 $$']))).toMatchObject({
      kind: 'retryable',
      reason: 'exit_code',
      detail: 'ended by SIGKILL',
      maybeDelivered: true,
    });
  });

  it('fills each argument by itself and lets no shell see it', async () => {
    const version = '1 2"; echo $HOME `id`';
    const script = 'console.log(JSON.stringify(process.argv.slice(1)))';
    const { detail } = await runCommand(
      options(node(script, 'to=${version}', '${service}', ''), { values: { ...values, version } }),
    );
    expect(detail).toContain(JSON.stringify([`to=${version}`, 'aurora', '']));
  });

  it('gives a small environment and what the action is about', async () => {
    process.env['CANARYD_TEST_LEAK'] = 'must not be passed on';
    const env = { APP: 'x', CANARYD_WATCH: 'forged' };
    const { detail } = await runCommand(
      options(node('console.log(JSON.stringify(process.env))'), { env }),
    );
    delete process.env['CANARYD_TEST_LEAK'];
    const seen = JSON.parse(detail.slice(detail.indexOf('{')));
    expect(
      Object.keys(seen)
        .filter((name) => !['HOME', 'LANG', 'PATH'].includes(name))
        .sort(),
    ).toEqual([
      'APP',
      'CANARYD_ACTION',
      'CANARYD_DELIVERY_ID',
      'CANARYD_ENVIRONMENT',
      'CANARYD_PREVIOUS_VERSION',
      'CANARYD_SERVICE',
      'CANARYD_VERSION',
      'CANARYD_WATCH',
    ]);
    expect(seen).toMatchObject({
      APP: 'x',
      CANARYD_ACTION: 'rollback',
      CANARYD_DELIVERY_ID: 'w_1-rollback',
      CANARYD_PREVIOUS_VERSION: '2.4.0',
      CANARYD_WATCH: 'w_1',
    });
  });

  it('gives the payload on stdin', async () => {
    const { detail } = await runCommand(options(['cat']));
    expect(JSON.parse(detail.slice(detail.indexOf('{')))).toEqual(payload);
  });

  it('does not mind a program that does not read its input', async () => {
    const large = { ...payload, data: { ...payload.data, reason: 'x'.repeat(1_000_000) } };
    const outcome = await runCommand(options(['true'], { payload: large }));
    expect(outcome.kind).toBe('delivered');
  });

  it.each([
    ['is not there', ['/no/such/program'], 'ENOENT'],
    ['is not executable', ['/tmp'], 'EACCES'],
    ['gets an argument that no program can get', ['echo', 'a\u0000b'], 'NUL'],
  ])('is refused when the program %s', async (_, argv, found) => {
    const outcome = await runCommand(options(argv));
    expect(outcome).toMatchObject({ kind: 'refused', reason: 'not_started' });
    expect(outcome.detail).toContain(found);
  });

  it.each([
    ['a placeholder as the program', ['${service}']],
    ['no program', []],
  ])('is misconfigured with %s', async (_, argv) => {
    expect(await runCommand(options(argv))).toMatchObject({ reason: 'misconfigured' });
  });

  it('ends the whole group at the time limit, grandchildren included', async () => {
    const script = 'sleep 600 & echo $!; sh -c "sleep 600 & echo \\$!; wait" & echo $!; wait';
    const outcome = await runCommand(options(['sh', '-c', script], { timeoutMs: 400 }));
    expect(outcome).toMatchObject({ kind: 'retryable', reason: 'timeout', maybeDelivered: true });
    const pids = (/: (.*)$/s.exec(outcome.detail)?.[1] ?? '').split('\n').map(Number);
    expect(pids).toHaveLength(3);
    for (const pid of pids) await expect.poll(() => isGone(pid)).toBe(true);
  });

  it('kills a group that ignores the request to end', async () => {
    const script = 'trap "" TERM; echo $$; while :; do sleep 0.05; done';
    const outcome = await runCommand(options(['sh', '-c', script], { timeoutMs: 300 }));
    expect(outcome).toMatchObject({ reason: 'timeout' });
    const pid = Number(/\d+$/.exec(outcome.detail)?.[0]);
    await expect.poll(() => isGone(pid)).toBe(true);
  });

  it('leaves alone what a successful program left behind', async () => {
    const { kind, detail } = await runCommand(options(['sh', '-c', 'sleep 600 & echo $!']));
    expect(kind).toBe('delivered');
    const pid = Number(/\d+$/.exec(detail)?.[0]);
    expect(await isGone(pid)).toBe(false);
    process.kill(pid, 'SIGKILL');
  });

  it('is interrupted by its signal', async () => {
    const mark = join(folder, 'started');
    const stop = new AbortController();
    const script = 'echo > "$1"; sleep 600';
    const running = runCommand(options(['sh', '-c', script, 'sh', mark], { signal: stop.signal }));
    await expect
      .poll(() =>
        readFile(mark).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    stop.abort();
    expect(await running).toMatchObject({ reason: 'interrupted', maybeDelivered: true });
  });

  it('keeps the end of a huge output', async () => {
    const script = 'for (let i = 0; i < 3e5; i++) console.log("line " + i)';
    const { kind, detail } = await runCommand(options(node(script)));
    expect(kind).toBe('delivered');
    expect(detail.length).toBeLessThan(2_100);
    expect(detail).toContain('line 299999');
    expect(detail).not.toContain('line 290000');
  });

  it('takes out the secrets it was given, also when they come by line or escaped', async () => {
    const pem = '-----BEGIN KEY-----\nMIIBVwIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n';
    const secrets = ['t0p s3cret', pem];
    const file = join(folder, 'secret.sh');
    await writeFile(
      file,
      'echo "curl -H $TOKEN"; echo "$PEM" | grep kqh; echo t0p%20s3cret; exit 1',
    );
    const env = { TOKEN: secrets[0] ?? '', PEM: pem };
    const { detail } = await runCommand(options(['sh', file], { env, secrets }));
    expect(detail).toBe('exit code 1: curl -H [redacted]\n[redacted]\n[redacted]');
  });
});
