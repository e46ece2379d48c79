import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { GateRecord } from '../../src/core/gate-record.ts';
import { type EvidenceParts, writeEvidence } from '../../src/gate/evidence.ts';
import { keepExhibits, sha256 } from '../../src/gate/exhibits.ts';
import { verifyEvidence } from '../../src/gate/manifest.ts';
import { checkRecord, decided, gateFile, line, signOff } from '../support/gate.ts';

/** While set, a write of the exhibit fails with this code, after a part of the others is there. */
const disk = vi.hoisted(() => ({ refuses: null as string | null }));

vi.mock('node:fs/promises', async (actual) => {
  const real = await actual<typeof import('node:fs/promises')>();
  const open: typeof real.open = async (path, flags, mode) => {
    const file = await real.open(path, flags, mode);
    const code = String(path).endsWith('coverage.xml') ? disk.refuses : null;
    if (code === null) return file;
    file.writeFile = async () => Promise.reject(Object.assign(new Error(code), { code }));
    return file;
  };
  return { ...real, open };
});

const TEXT = `
title: Release
criteria: { green: [${line('coverage')}] }
decision: { yellow_unmitigated_max: 0 }
next: start \${version}
`;

function parts(): EvidenceParts {
  const { gate, deploy, source } = gateFile(TEXT);
  const exhibits = [{ name: 'coverage.xml', body: '<coverage/>', isCut: false }];
  const kept = keepExhibits('checks/coverage/env', exhibits, 1_000);
  const { criteria, ...rest } = decided(TEXT, { found: { coverage: 'fail' } });
  const check = { ...checkRecord('env', 'fail', '88 % | <b>'), exhibits: kept.records };
  const record: GateRecord = {
    ...{ id: 'g_0123456789abcdef', gate: gate.name, title: gate.title, deploy },
    ...{ startedAt: '2026-01-01T00:00:00.000Z', endedAt: '2026-01-01T00:00:05.000Z' },
    ...rest,
    criteria: criteria.map((one) => ({ ...one, checks: [check] })),
    ...{ next: gate.next, gateHash: gate.hash, tools: { canaryd: '0' }, version: '0' },
  };
  const signOffs = [signOff('coverage', 'lead', 'Ada')];
  return { record, source, signOffs, files: kept.files };
}

/** The manifest, and its hash beside it. */
function rewritten(folder: string, change: (text: string) => string): void {
  const text = change(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  writeFileSync(join(folder, 'manifest.json'), text);
  writeFileSync(join(folder, 'manifest.sha256'), `${sha256(Buffer.from(text))}  manifest.json\n`);
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-evidence-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function written(parent = newFolder()) {
  const evidence = await writeEvidence(parent, parts());
  if (evidence.kind === 'failed') throw new Error(evidence.reason);
  return evidence;
}

const list = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

const FILES = [
  ...['checks/coverage/env/coverage.xml', 'decision.json', 'decision.md', 'gate.yaml'],
  ...['manifest.json', 'manifest.sha256', 'sign-offs.json'],
];

describe('the evidence of a gate', () => {
  it('is a folder named by gate and time, with the decision, the gate, and what was looked at', async () => {
    const { folder } = await written();
    expect(folder).toMatch(/release-20260101T000000Z$/);
    expect(list(folder)).toEqual(FILES);
    expect(readFileSync(join(folder, 'gate.yaml'), 'utf8')).toBe(TEXT);
    expect(JSON.parse(readFileSync(join(folder, 'decision.json'), 'utf8'))).toMatchObject({
      decision: 'no_go',
      deploy: { version: '2.1.0' },
      criteria: [{ id: 'coverage', checks: [{ outcome: 'fail', took_ms: 5 }] }],
    });
    expect(JSON.parse(readFileSync(join(folder, 'sign-offs.json'), 'utf8'))).toMatchObject([
      { name: 'Ada', at: '2025-12-31T23:00:00.000Z' },
    ]);
  });

  it('says the decision to people; what was found cannot break the table', async () => {
    const { folder } = await written();
    const text = readFileSync(join(folder, 'decision.md'), 'utf8');
    expect(text).toContain('# NO-GO: release 2.1.0 (testnet)');
    expect(text).toContain('- green coverage is not met: 88 %, at least 90 % wanted');
    expect(text).toContain('88 % \\| &lt;b&gt;');
    expect(text).not.toContain('## Next');
  });

  it('of a second run in the same second stands beside the first', async () => {
    const parent = newFolder();
    const [first, second] = [await written(parent), await written(parent)];
    expect(second.folder).toBe(`${first.folder}-2`);
    expect(await verifyEvidence(first.folder, first.hash)).toMatchObject({ flaws: [] });
  });

  it.each([
    ['ENOSPC', 'the disk is full (ENOSPC)'],
    ['EROFS', 'the disk is read-only (EROFS)'],
  ])('is not there at all after %s in the middle, which is told', async (code, said) => {
    const parent = newFolder();
    onTestFinished(() => {
      disk.refuses = null;
    });
    disk.refuses = code;
    const result = await writeEvidence(parent, parts());
    expect(result).toEqual({ kind: 'failed', reason: `${parent}: ${said}` });
    expect(readdirSync(parent)).toEqual([]);
  });

  it('cannot go where a file is, which is told', async () => {
    const path = join(newFolder(), 'evidence');
    writeFileSync(path, '');
    expect(await writeEvidence(path, parts())).toMatchObject({ kind: 'failed' });
  });
});

/** Places in a file, the first and the last among them. */
const spread = (length: number, count: number) => [
  ...new Set(Array.from({ length: count }, (_, n) => Math.floor((n * (length - 1)) / (count - 1)))),
];

describe('verifying evidence', () => {
  let folder = '';
  let hash = '';
  beforeEach(async () => {
    ({ folder, hash } = await written());
  });
  const flaws = async (known: string | null = null) => {
    const found = (await verifyEvidence(folder, known)).flaws;
    return found.map(({ kind, file }) => `${kind} ${file}`).sort();
  };

  it('finds nothing when nothing was changed', async () => {
    expect(await verifyEvidence(folder, hash)).toEqual({ flaws: [], hash, files: 5 });
  });

  it.each(FILES)('finds one byte that is another in %s, wherever it is', async (file) => {
    const path = join(folder, file);
    const bytes = readFileSync(path);
    const unseen: number[] = [];
    for (const at of spread(bytes.length, 60)) {
      const other = Buffer.from(bytes);
      other[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(path, other);
      const found = await flaws();
      if (found.length === 0) unseen.push(at);
    }
    expect(unseen).toEqual([]);
    writeFileSync(path, bytes);
    expect(await flaws()).toEqual([]);
  });

  it.each(FILES)('finds a byte added to %s, and one taken away', async (file) => {
    const path = join(folder, file);
    const bytes = readFileSync(path);
    appendFileSync(path, '\n');
    expect(await flaws()).not.toEqual([]);
    writeFileSync(path, bytes.subarray(0, -1));
    expect(await flaws()).not.toEqual([]);
  });

  it.each(FILES)('finds that %s is missing', async (file) => {
    rmSync(join(folder, file));
    expect(await flaws()).not.toEqual([]);
  });

  it('finds what was added: a file, an empty folder, a link', async () => {
    writeFileSync(join(folder, 'checks', 'more.txt'), '');
    mkdirSync(join(folder, 'empty'));
    symlinkSync(join(folder, 'gate.yaml'), join(folder, 'link.yaml'));
    expect(await flaws()).toEqual(['added checks/more.txt', 'added empty', 'added link.yaml']);
  });

  it('finds a link to the same bytes in the place of a file', async () => {
    const outside = join(newFolder(), 'gate.yaml');
    renameSync(join(folder, 'gate.yaml'), outside);
    symlinkSync(outside, join(folder, 'gate.yaml'));
    expect(await flaws()).toEqual(['added gate.yaml', 'missing gate.yaml']);
  });

  it('finds a folder that was made anew as a whole, by the hash that was kept', async () => {
    const other = { ...parts(), signOffs: [] };
    const anew = await writeEvidence(newFolder(), other);
    folder = anew.kind === 'written' ? anew.folder : '';
    expect(await flaws()).toEqual([]);
    expect(await flaws(hash)).toEqual(['changed manifest.json']);
  });

  it.each([
    [
      'the decision of the manifest',
      'no_go',
      'go',
      'says decision "go", decision.json says "no_go"',
    ],
    ['its id', 'g_0123456789abcdef', 'g_1', 'says id "g_1"'],
  ])('finds without the hash that %s is another one', async (_, from, to, said) => {
    rewritten(folder, (text) => text.replace(from, to));
    expect((await verifyEvidence(folder, null)).flaws).toMatchObject([
      { file: 'manifest.json', kind: 'changed', text: expect.stringContaining(said) },
    ]);
  });

  it('finds without the hash a gate that is not the one of the decision', async () => {
    const path = join(folder, 'gate.yaml');
    const before = readFileSync(path, 'utf8');
    const after = before.replace('Release', 'release');
    writeFileSync(path, after);
    rewritten(folder, (text) =>
      text.replace(sha256(Buffer.from(before)), sha256(Buffer.from(after))),
    );
    expect((await verifyEvidence(folder, null)).flaws).toMatchObject([
      { file: 'gate.yaml', kind: 'changed' },
    ]);
  });

  it('opens nothing outside, whatever a manifest names', async () => {
    const path = join(folder, 'manifest.json');
    const text = readFileSync(path, 'utf8').replace('"decision.md"', '"../../etc/hosts"');
    writeFileSync(path, text);
    expect(await flaws()).toContain('missing ../../etc/hosts');
  });

  it('says of any other folder that it is no evidence', async () => {
    folder = newFolder();
    expect(await flaws()).toEqual(['unreadable manifest.json']);
    folder = join(folder, 'nowhere');
    expect(await flaws()).toEqual(['unreadable manifest.json']);
  });
});
