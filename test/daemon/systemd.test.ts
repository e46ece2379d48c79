// What systemd is told: with a `systemd-notify` of our own on the PATH, with the real one and a real
// datagram socket where the machine has both, and the unit that is shipped.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Systemd } from '../../src/daemon/systemd.ts';
import type { Vitals } from '../../src/engine/vitals.ts';
import {
  MIGRATE_WITHIN_MS,
  MIGRATION_LOCK_WITHIN_MS,
} from '../../src/journal/postgres/migrations.ts';
import { until } from '../support/until.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const UNIT = fileURLToPath(new URL('../../config/systemd/canaryd.service', import.meta.url));
const WELL: Vitals = {
  isLive: true,
  checks: { evaluation: 'ok', watches: 'ok', deliveries: 'ok', journal_answers: 'ok' },
  journal: { failingForMs: null, failure: null, writtenAgoMs: 0, silentForMs: null },
};
const has = (program: string, ...args: readonly string[]) =>
  spawnSync(program, args, { stdio: 'ignore' }).status === 0;

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'canaryd-systemd-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A `systemd-notify` that writes its arguments down, or does what `script` says. */
function faked(script = 'echo "$@" >> "$NOTIFY_SOCKET"') {
  const path = folder();
  const told = join(path, 'told');
  writeFileSync(told, '');
  writeFileSync(join(path, 'systemd-notify'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(path, 'systemd-notify'), 0o755);
  const env = { PATH: `${path}:/usr/bin:/bin`, NOTIFY_SOCKET: told };
  return { env, told: () => readFileSync(told, 'utf8').trim().split('\n').filter(Boolean) };
}

function systemd(env: Record<string, string>) {
  const clock = new VirtualClock();
  const world = { vitals: WELL };
  const warnings: unknown[] = [];
  const told = new Systemd({
    env,
    pid: 42,
    clock,
    vitals: () => world.vitals,
    watches: () => 3,
    logger: { warn: (fields: object) => void warnings.push(fields) },
  });
  onTestFinished(() => told.stopping());
  return { clock, world, warnings, told };
}

describe('Systemd', () => {
  it('starts no program without NOTIFY_SOCKET', async () => {
    const { env, told: lines } = faked();
    const { told, warnings, clock } = systemd({ PATH: env.PATH });
    await told.ready();
    await told.stopping();
    expect([lines(), warnings, clock.sleeping]).toEqual([[], [], 0]);
  });

  it('says ready, feeds the watchdog at half its time, and says that it ends', async () => {
    const { env, told: lines } = faked();
    const { told, clock } = systemd({ ...env, WATCHDOG_USEC: '60000000', WATCHDOG_PID: '42' });
    await told.ready();
    await until(() => expect(clock.sleeping).toBe(1));
    await clock.advance(29_999);
    expect(lines()).toEqual([
      'READY=1 STATUS=watching 3 deploys',
      'WATCHDOG=1 STATUS=watching 3 deploys',
    ]);
    await clock.advance(1);
    await until(() => expect(lines()).toHaveLength(3));
    await told.stopping();
    expect(lines().at(-1)).toBe('STOPPING=1 STATUS=shutting down');
  });

  it('feeds it only while nothing hangs, and says what does', async () => {
    const { env, told: lines } = faked();
    const { told, world } = systemd({ ...env, WATCHDOG_USEC: '60000000' });
    const checks = { ...WELL.checks, watches: 'no tick has ended: w_1' };
    world.vitals = { ...WELL, isLive: false, checks };
    await told.ready();
    await until(() => expect(lines()).toHaveLength(2));
    expect(lines()[1]).toBe('STATUS=hangs: watches: no tick has ended: w_1');
  });

  it.each([
    ['is off', {}],
    ['is meant for another process', { WATCHDOG_USEC: '60000000', WATCHDOG_PID: '1' }],
    ['is no number', { WATCHDOG_USEC: 'soon' }],
  ])('feeds no watchdog that %s', async (_, more) => {
    const { env, told: lines } = faked();
    const { told } = systemd({ ...env, ...more });
    await told.ready();
    await until(() => expect(lines()).toHaveLength(2));
    expect(lines().join()).not.toContain('WATCHDOG');
  });

  it.each([
    ['is missing', () => ({ PATH: folder(), NOTIFY_SOCKET: '/nowhere' })],
    ['fails', () => faked('exit 1').env],
  ])('says once that systemd-notify %s, and goes on', async (_, environment) => {
    const { told, warnings } = systemd(environment());
    await told.ready();
    await told.stopping();
    expect(warnings).toHaveLength(1);
  });

  const hasSocket = has('systemd-notify', '--version') && has('python3', '--version');
  it.skipIf(!hasSocket)(
    'is understood by a real datagram socket (systemd-notify, python3)',
    async () => {
      const path = join(folder(), 'notify');
      const script = [
        'import socket, sys',
        's = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)',
        's.bind(sys.argv[1])',
        'print("bound", flush=True)',
        'while True:',
        '    data, fds, *_ = socket.recv_fds(s, 4096, 4)',
        '    print(data.decode().strip().replace("\\n", " "), flush=True)',
        '    import os',
        '    [os.close(fd) for fd in fds]',
      ].join('\n');
      const receiver = spawn('python3', ['-c', script, path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      onTestFinished(async () => {
        const exited = once(receiver, 'exit');
        receiver.kill('SIGKILL');
        await exited;
      });
      const lines: string[] = [];
      createInterface({ input: receiver.stdout }).on('line', (line) => void lines.push(line));
      await until(() => expect(lines).toContain('bound'));
      const env = {
        PATH: process.env['PATH'] ?? '',
        NOTIFY_SOCKET: path,
        WATCHDOG_USEC: '60000000',
      };
      const { told, warnings } = systemd(env);
      await told.ready();
      await told.stopping();
      const said = () => lines.filter((line) => line.includes('STATUS='));
      await until(() => expect(said()).toHaveLength(3));
      expect(said()).toEqual([
        expect.stringContaining('READY=1'),
        expect.stringContaining('WATCHDOG=1'),
        expect.stringContaining('STOPPING=1'),
      ]);
      expect(warnings).toEqual([]);
    },
  );
});

describe('config/systemd/canaryd.service', () => {
  const hasAnalyze = has('systemd-analyze', '--version');
  it.skipIf(!hasAnalyze)('is a unit that systemd-analyze takes without a word', async () => {
    const unit = join(folder(), 'canaryd.service');
    // Where the program is on this machine; the unit says where it is on the operator's.
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const here = readFileSync(UNIT, 'utf8')
      .replaceAll('/opt/canaryd/node_modules/.bin/node', process.execPath)
      .replaceAll('/opt/canaryd/', root);
    writeFileSync(unit, here);
    const said = await new Promise<string>((resolve) => {
      execFile('systemd-analyze', ['verify', unit], (error, out, err) =>
        resolve(`${error?.code ?? 0} ${out}${err}`),
      );
    });
    expect(said).toBe('0 ');
  });

  it('lets start and shutdown take their time, and the watchdog wait for several feeds', () => {
    const unit = readFileSync(UNIT, 'utf8');
    const seconds = (name: string) => Number(new RegExp(`^${name}=(\\d+)$`, 'm').exec(unit)?.[1]);
    expect(seconds('TimeoutStopSec')).toBeGreaterThan(20);
    const migration = MIGRATE_WITHIN_MS + MIGRATION_LOCK_WITHIN_MS;
    expect(seconds('TimeoutStartSec') * 1_000).toBeGreaterThan(migration);
    expect(seconds('WatchdogSec')).toBeGreaterThanOrEqual(40);
    expect(unit).toMatch(/^NotifyAccess=all$/m);
    expect(unit).toMatch(/^Restart=always$/m);
  });
});
