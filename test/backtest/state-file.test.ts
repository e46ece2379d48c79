import * as fs from 'node:fs';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { NO_LOAD } from '../../src/backtest/asker.ts';
import { openStateFile } from '../../src/backtest/state-file.ts';
import { aDeployResult, aPastDeploy } from '../support/backtest-result.ts';

vi.mock('node:fs', async (original) => ({ ...(await original<typeof fs>()) }));

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'canaryd-state-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function opened(path: string, onLost: (detail: string) => void = () => {}) {
  const one = openStateFile(path, 'here', onLost);
  if (one.kind === 'failed') throw new Error(one.detail);
  return one.state;
}

function fullDisk() {
  const error = Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
  });
  const write = vi.spyOn(fs, 'writeSync').mockImplementation(() => {
    throw error;
  });
  onTestFinished(() => write.mockRestore());
}

const deploy = aPastDeploy();
const result = aDeployResult({ deploy });

describe('the state of a backtest', () => {
  it('finds again what it kept', () => {
    const path = join(folder(), 'state');
    const state = opened(path);
    state.keep('h', deploy, result, NO_LOAD);
    state.close();
    const again = opened(path);
    expect(again.found).toBe(1);
    expect(again.find('h', { ...deploy, label: 'bad' })?.result).toEqual(result);
    expect(again.find('other', deploy)).toBeNull();
  });

  it('is given up when the disk is full, which is said once', () => {
    const path = join(folder(), 'state');
    const said: string[] = [];
    const state = opened(path, (detail) => void said.push(detail));
    const before = readFileSync(path, 'utf8');
    fullDisk();
    state.keep('h', deploy, result, NO_LOAD);
    state.keep('h', aPastDeploy({ version: '3' }), result, NO_LOAD);
    state.close();
    expect(said).toEqual(['it cannot be written: ENOSPC: no space left on device, write']);
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it('is refused when not even its first line can be written', () => {
    const path = join(folder(), 'state');
    fullDisk();
    const detail = expect.stringContaining('ENOSPC');
    expect(openStateFile(path, 'here', () => {})).toEqual({ kind: 'failed', detail });
  });

  it.each([
    ['a device', () => '/dev/zero', /it is no file/],
    ['a folder', folder, /it is no file/],
    ['a file of another kind', () => written('mine\n'), /it is no state of a backtest/],
    ['a file of an older kind', () => written('{"canaryd_backtest":1}\n'), /no state/],
    ['a file beyond all bounds', () => sized(300_000_000), /300000000 bytes, at most 256000000/],
  ])('is not read out of %s', (_, pathOf, why) => {
    expect(JSON.stringify(openStateFile(pathOf(), 'here', () => {}))).toMatch(why);
  });
});

function written(text: string): string {
  const path = join(folder(), 'state');
  writeFileSync(path, text);
  return path;
}

/** Without taking that much room. */
function sized(bytes: number): string {
  const path = written('');
  truncateSync(path, bytes);
  return path;
}
