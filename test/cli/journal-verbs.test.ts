// `journal export` and `journal import`, on the store that the config names.
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openJournal } from '../../src/journal/open.ts';
import { changed } from '../config/sample-policy.ts';
import { create } from '../journal/contract.ts';
import { cli } from '../support/cli.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'canaryd-journal-verbs-'));
  writeFileSync(join(dir, 'shop.yaml'), JSON.stringify(changed()));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const file = (name: string) => join(dir, name);

/** A config with a journal of its own; returns its path. */
function config(name: string): string {
  const content = {
    journal: { sqlite: { path: `${name}.db` } },
    policies: ['shop.yaml'],
    sources: { prometheus: { prometheus: { url: 'http://127.0.0.1:9090' } } },
  };
  writeFileSync(file(`${name}.yaml`), JSON.stringify(content));
  return file(`${name}.yaml`);
}

async function run(...argv: readonly string[]) {
  const program = cli({ server: 'http://127.0.0.1:9' });
  const code = await program.run('journal', ...argv);
  return { code, out: program.out(), err: program.err() };
}

async function written(name: string): Promise<string> {
  const path = config(name);
  await using journal = await openJournal({ sqlite: { path: file(`${name}.db`) } });
  await journal.append([create('w_1'), create('w_2')]);
  return path;
}

describe('journal export and import', () => {
  test('move a journal through a private file, and warn of watches that are active', async () => {
    const from = await written('old');
    const exported = await run('export', '--config', from, '--to', file('journal.jsonl'));
    expect(exported).toMatchObject({ code: 0, out: '' });
    expect(exported.err).toContain(
      'Exported 2 watches, 2 events, 0 deliveries, 0 tracks, 0 ticks, 0 gate sign offs, ',
    );
    expect(exported.err).toContain('2 watches are active. A canaryd that still runs goes on');
    expect(statSync(file('journal.jsonl')).mode & 0o777).toBe(0o600);

    const imported = await run('import', file('journal.jsonl'), '--config', config('new'));
    expect(imported).toMatchObject({ code: 0, err: '' });
    expect(imported.out).toContain('Imported 2 watches, 2 events');
    await using journal = await openJournal({ sqlite: { path: file('new.db') } });
    expect(await journal.activeIds(9)).toEqual(['w_1', 'w_2']);
  });

  test('write to standard output nothing but the export', async () => {
    const { code, out } = await run('export', '--config', await written('old'), '--to', '-');
    expect(code).toBe(0);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => Object.keys(JSON.parse(line))[0]),
    ).toEqual(['canaryd_journal', 'watches', 'watches', 'events', 'events', 'end']);
  });

  test('leave a file alone that is there', async () => {
    writeFileSync(file('mine'), 'mine');
    const result = await run('export', '--config', await written('old'), '--to', file('mine'));
    expect(result).toMatchObject({ code: 2, out: '' });
    expect(result.err).toContain(`Cannot create ${file('mine')}: EEXIST`);
    expect(readFileSync(file('mine'), 'utf8')).toBe('mine');
  });

  test('name a file that cannot be read, and leave no empty journal behind', async () => {
    const { code, err } = await run('import', file('no.jsonl'), '--config', config('new'));
    expect(code).toBe(2);
    expect(err).toMatch(/^Cannot read \S+no\.jsonl: ENOENT\b.*; nothing was imported\.\n$/);
    expect(existsSync(file('new.db'))).toBe(false);
  });

  test('refuse a journal that has watches, one in use, and a file that is not there', async () => {
    const from = await written('old');
    await run('export', '--config', from, '--to', file('journal.jsonl'));
    const again = await run('import', file('journal.jsonl'), '--config', from);
    expect(again).toMatchObject({ code: 2 });
    expect(again.err).toContain('there are watches in it already');

    const to = config('new');
    await using _inUse = await openJournal({ sqlite: { path: file('new.db') } });
    const used = await run('import', file('journal.jsonl'), '--config', to);
    expect(used.err).toContain('another canaryd is using it');
    const absent = await run('import', file('nothing'), '--config', config('newer'));
    expect(absent).toMatchObject({ code: 2 });
    expect(absent.err).toContain(`Cannot read ${file('nothing')}: ENOENT`);
  });
});
