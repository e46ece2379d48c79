import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { carriedOut, made, problemsOf } from '../../support/gate-check.ts';

/** A `systemctl` that prints this; its arguments stand in `asked`. */
function systemctl(script: string) {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-systemctl-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'systemctl');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return { env: { PATH: `${folder}:/usr/bin:/bin` }, folder };
}

const block = (id: string, state: Partial<Record<string, string>> = {}) =>
  Object.entries({
    ...{ Id: id, LoadState: 'loaded', ActiveState: 'active', SubState: 'running' },
    ...{ UnitFileState: 'enabled', ...state },
  })
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');

const printing = (...blocks: readonly string[]) =>
  systemctl(`cat <<'END'\n${blocks.join('\n\n')}\nEND`);

const units = ['lunia_core', 'lunia_api.service'];

describe('the check systemd', () => {
  it('passes when each unit is active and enabled', async () => {
    const setup = printing(block('lunia_core.service'), block('lunia_api.service'));
    const result = await carriedOut({ systemd: { units } }, setup);
    expect(result).toMatchObject({
      outcome: 'pass',
      details: [
        'lunia_core.service is active and enabled',
        'lunia_api.service is active and enabled',
      ],
    });
  });

  it('asks once, for all units by their full names', async () => {
    const setup = systemctl('echo "ActiveState=active"; echo "UnitFileState=$*"');
    const result = await carriedOut({ systemd: { units: ['a', 'b.timer', 'a'] } }, setup);
    expect(String(result.exhibits[0]?.body)).toContain(
      'show --property=Id,LoadState,ActiveState,SubState,UnitFileState -- a.service b.timer',
    );
    expect(result).toMatchObject({
      outcome: 'unknown',
      text: 'systemctl told of 1 units where 2 were asked',
    });
  });

  it.each([
    [{ ActiveState: 'failed', SubState: 'failed' }, 'is failed (failed)'],
    [{ ActiveState: 'activating', SubState: 'auto-restart' }, 'is activating (auto-restart)'],
    [{ UnitFileState: 'disabled' }, 'is disabled'],
    [{ UnitFileState: 'enabled-runtime' }, 'is enabled-runtime'],
    [{ UnitFileState: '' }, 'is not enabled'],
    [{ LoadState: 'masked', UnitFileState: 'masked' }, 'is masked'],
    [{ LoadState: 'not-found', ActiveState: 'inactive', UnitFileState: '' }, 'does not exist'],
  ])('fails for %o', async (state, complaint) => {
    const setup = printing(block('lunia_core.service', state));
    const result = await carriedOut({ systemd: { units: ['lunia_core'] } }, setup);
    expect(result).toMatchObject({
      outcome: 'fail',
      text: `lunia_core.service ${complaint}`,
    });
  });

  it('looks only at what is wanted', async () => {
    const setup = printing(block('a.service', { UnitFileState: 'disabled' }));
    const check = { systemd: { units: ['a'], enabled: false } };
    expect(await carriedOut(check, setup)).toMatchObject({ outcome: 'pass' });
  });
});

describe('the check systemd is unknown', () => {
  it('where there is no systemctl', async () => {
    const result = await carriedOut({ systemd: { units } }, { env: { PATH: '/nonexistent' } });
    expect(result).toMatchObject({ outcome: 'unknown' });
    expect(result.text).toContain('is there systemd on this machine?');
  });

  it('where systemd is not what runs the machine', async () => {
    const setup = systemctl(
      'echo "System has not been booted with systemd as init system (PID 1)." >&2; exit 1',
    );
    const result = await carriedOut({ systemd: { units } }, setup);
    expect(result.text).toContain('systemctl: System has not been booted with systemd');
    expect(result.outcome).toBe('unknown');
  });

  it('when systemctl hangs, or says nonsense', async () => {
    const hangs = { systemd: { units, timeout: '100ms' } };
    const result = await carriedOut(hangs, systemctl('sleep 60'));
    expect(result).toMatchObject({ outcome: 'unknown' });
    expect(result.text).toContain('not finished');
    const nonsense = await carriedOut({ systemd: { units } }, systemctl('echo hello'));
    expect(nonsense).toMatchObject({ outcome: 'unknown' });
  });
});

describe('the check systemd as it is written', () => {
  it('says in a sentence what is wanted', () => {
    expect(made({ systemd: { units } }).wants).toBe(
      'active and enabled: lunia_core.service, lunia_api.service',
    );
  });

  it.each([
    [{ units: [] }, 'systemd.units: found a list of 0; wanted a list of 1 to 100'],
    [{ units: ['--all'] }, 'systemd.units[0]: found "--all"; wanted the name of a systemd unit'],
    [{ units, active: false, enabled: false }, 'leave one of them true'],
  ])('refuses %o', (systemd, problem) => {
    expect(problemsOf({ systemd }).join('\n')).toContain(problem);
  });
});
