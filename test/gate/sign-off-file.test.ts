import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { signOffFile } from '../../src/gate/sign-off-file.ts';
import { signOff } from '../support/gate.ts';

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-signed-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'deeper', 'sign-offs.jsonl');
}

const ada = signOff('review_done', 'engineering_lead', 'Ada', { note: 'looked at "all"\nof it' });
const kim = signOff('review_done', 'qa_lead', 'Kim', { atMs: ada.atMs - 1 });

const written = {
  ...{ gate: 'release', criterion: 'review_done', role: 'qa_lead', name: 'Eve' },
  ...{ environment: 'testnet', version: '2.1.0', at: '2026-01-01T00:00:00Z', note: null },
};

describe('a file of sign-offs', () => {
  it('is empty before the first one', async () => {
    expect(await signOffFile(newPath()).list('release')).toEqual({
      kind: 'sign_offs',
      signOffs: [],
    });
  });

  it('gives back what was added, oldest first, of this gate only', async () => {
    const store = signOffFile(newPath());
    for (const one of [ada, kim, { ...kim, gate: 'other' }]) {
      expect(await store.add(one)).toEqual({ kind: 'added' });
    }
    expect(await store.list('release')).toEqual({ kind: 'sign_offs', signOffs: [kim, ada] });
  });

  it('keeps what takes one back, the service, what was signed, and the token by which it came', async () => {
    const store = signOffFile(newPath());
    const back = { ...ada, atMs: ada.atMs + 1, isWithdrawn: true } as const;
    const full = {
      ...{ ...kim, service: 'aurora', via: 'oncall' },
      ...{ statement: 'Tests pass', covers: ['a', 'b'] },
    };
    for (const one of [ada, back, full]) await store.add(one);
    const read = await store.list('release');
    expect(read).toEqual({ kind: 'sign_offs', signOffs: [full, ada, back] });
  });

  it('takes all that many add at one time', async () => {
    const store = signOffFile(newPath());
    const names = Array.from({ length: 30 }, (_, index) => `Person ${index}`);
    await Promise.all(names.map((name) => store.add({ ...ada, name })));
    const read = await store.list('release');
    const signed = read.kind === 'sign_offs' ? read.signOffs.map(({ name }) => name) : [];
    expect(signed.toSorted()).toEqual(names.toSorted());
  });

  it.each([
    ['what a crash cut off', '{"gate":"release","crit'],
    ['no sign-off', '{"gate":"release"}'],
    ['a time without an offset', '{"at":"2026-01-01T00:00:00"}'],
    ['a list', '[]'],
    ['a word that is neither yes nor no', JSON.stringify({ ...written, withdrawn: 'yes' })],
    ['a service that is no text', JSON.stringify({ ...written, service: 5 })],
  ])('tells a line that is %s, and does not pass over it', async (_, torn) => {
    const path = newPath();
    const store = signOffFile(path);
    await store.add(ada);
    appendFileSync(path, torn);
    await store.add(kim);
    const reason = `${path}: line 2 is no sign-off; mend or remove it`;
    expect(await store.list('release')).toEqual({ kind: 'failed', reason });
    const lines = readFileSync(path, 'utf8').split('\n');
    writeFileSync(path, lines.filter((line) => line !== torn).join('\n'));
    expect(await store.list('release')).toEqual({ kind: 'sign_offs', signOffs: [kim, ada] });
  });

  it('says why nothing can be added', async () => {
    const store = signOffFile('/dev/null/sign-offs.jsonl');
    expect(await store.add(ada)).toMatchObject({
      kind: 'failed',
      reason: expect.stringMatching(/^\/dev\/null\/sign-offs\.jsonl: /),
    });
  });
});
