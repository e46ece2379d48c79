// Runs the examples of docs/testing.md: each file of cases, with the policy above it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cli } from '../support/cli.ts';
import { fencesOf } from './markdown.ts';

const fences = fencesOf('docs/testing.md');
const policy = fences.find(({ text }) => text.startsWith('# shop.yaml'))?.text ?? '';
const [first, full, unwell] = fences
  .filter(({ text }) => text.startsWith('# shop.test.yaml'))
  .map(({ text }) => text);
const [firstSaid, fullSaid] = fences
  .filter(({ language }) => language === 'text')
  .map(({ text }) => text.trim());

async function run(cases: string | undefined, ...options: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-testing-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'shop.yaml'), policy);
  writeFileSync(join(folder, 'shop.test.yaml'), cases ?? '');
  const shell = cli({ server: 'http://127.0.0.1:1' });
  const code = await shell.run('test', join(folder, 'shop.test.yaml'), ...options);
  const said = shell.out().replaceAll(`${folder}/`, '');
  return { code, said: said.replaceAll(/ \(\d+\.\d s\)|, \d+\.\d s$/gm, '').trim() };
}

describe('docs/testing.md', () => {
  it('shows what canaryd says of the first case, which fails', async () => {
    expect(await run(first)).toEqual({ code: 1, said: firstSaid });
  });

  it('shows what canaryd says of the full file', async () => {
    expect(await run(full, '--coverage=required')).toEqual({ code: 0, said: fullSaid });
  });

  it('has an unwell world in which all cases pass', async () => {
    const { code, said } = await run(unwell);
    expect(said).toContain('5 passed, 0 failed');
    expect(code).toBe(0);
  });
});
