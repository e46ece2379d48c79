import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { dayIn } from '../../../src/gate/report/document.ts';
import { carriedOut, problemsOf } from '../../support/gate-check.ts';
import { age, folderWith } from '../../support/report-folder.ts';

function judge(files: Readonly<Record<string, string | Uint8Array>>, fields: object) {
  return carriedOut({ file: fields }, { folder: folderWith(files) });
}
const inDoc = (text: string | Uint8Array, fields: object) =>
  judge({ 'doc.md': text }, { path: 'doc.md', ...fields });

const daysAgo = (days: number) =>
  new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);

describe('the check file: there, and how old', () => {
  it('passes when all files are there', async () => {
    const files = { 'a.txt': 'a', 'docs/b.md': 'b' };
    expect(await judge(files, { path: ['a.txt', 'docs/b.md'] })).toMatchObject({
      outcome: 'pass',
      text: '2 files are there',
      exhibits: [],
    });
    expect(await judge(files, { path: 'a.txt' })).toMatchObject({ text: 'a.txt is there' });
  });

  it('fails for each that is missing', async () => {
    expect(await judge({ 'a.txt': 'a' }, { path: ['a.txt', 'b.txt', 'no/c.txt'] })).toMatchObject({
      outcome: 'fail',
      text: 'b.txt is missing; no/c.txt is missing',
      details: ['b.txt is missing', 'no/c.txt is missing'],
    });
    expect(await judge({}, { path: 'pacts/*.json' })).toMatchObject({
      outcome: 'fail',
      text: 'no file matches pacts/*.json',
    });
  });

  it('a folder and a link that leads to itself are no file', async () => {
    const folder = folderWith({});
    mkdirSync(join(folder, 'docs'));
    symlinkSync('loop', join(folder, 'loop'));
    expect((await carriedOut({ file: { path: 'docs' } }, { folder })).outcome).toBe('fail');
    expect(await carriedOut({ file: { path: 'loop' } }, { folder })).toMatchObject({
      outcome: 'unknown',
      text: 'loop is a link that leads to itself; correct it',
    });
  });

  it('max_age: of each file, or only of the newest', async () => {
    const folder = folderWith({ 'pacts/a.json': '{}', 'pacts/b.json': '{}' });
    age(folder, 'pacts/a.json', 40);
    const file = { path: 'pacts/*.json', max_age: '24h' };
    expect(await carriedOut({ file }, { folder })).toMatchObject({
      outcome: 'fail',
      text: 'pacts/a.json is 1d16h old, at most 1d wanted',
    });
    expect(await carriedOut({ file: { ...file, newest: true } }, { folder })).toMatchObject({
      outcome: 'pass',
      text: expect.stringMatching(/^pacts\/b\.json is there; pacts\/b\.json \ds old$/),
    });
    age(folder, 'pacts/b.json', 30);
    const late = await carriedOut({ file: { ...file, newest: true } }, { folder });
    expect(late.text).toBe('pacts/b.json is 1d6h old, at most 1d wanted');
  });

  it('so many files, each so large', async () => {
    const files = { 'b/1.dump': 'x'.repeat(2_000), 'b/2.dump': 'x' };
    expect(await judge(files, { path: 'b/*', files_min: 3 })).toMatchObject({
      outcome: 'fail',
      text: '2 files, at least 3 wanted',
    });
    expect(await judge(files, { path: 'b/*', size_min: '1kB' })).toMatchObject({
      outcome: 'fail',
      text: 'b/2.dump has 1 B, at least 1kB wanted',
    });
    expect(await judge({ 'b/1.dump': 'x' }, { path: 'b/*', files_min: 2 })).toMatchObject({
      text: '1 file, at least 2 wanted',
    });
  });
});

describe('the check file: files that say nothing', () => {
  it.each([
    [{}, 'fail', 'a.dump is empty'],
    [{ size_min: '1B' }, 'fail', 'a.dump has 0 B, at least 1B wanted'],
    [{ size_min: 0 }, 'pass', 'a.dump is there'],
  ])('an empty file with %j: %s', async (more, outcome, text) => {
    expect(await judge({ 'a.dump': '' }, { path: 'a.dump', ...more })).toMatchObject({
      ...{ outcome, text },
    });
  });

  it('the newest files_min are looked at, not those before', async () => {
    const names = [1, 2, 3, 4].map((day) => `r/${day}.html`);
    const folder = folderWith(Object.fromEntries(names.map((name) => [name, 'x'])));
    for (const [index, name] of names.entries()) age(folder, name, 24 * (index + 1));
    const file = { path: 'r/*.html', newest: true, max_age: '3d' };
    const looked = (files_min: number) =>
      carriedOut({ file: { ...file, files_min, max_age: '80h' } }, { folder });
    expect(await looked(3)).toMatchObject({ outcome: 'pass' });
    expect(await looked(4)).toMatchObject({
      outcome: 'fail',
      text: 'r/4.html is 4d old, at most 3d8h wanted',
    });
  });

  it.each([
    ['retention_days: 30 # a month\n', 'pass'],
    ['a: 1\r\nretention_days: 30', 'pass'],
    ['# retention_days: 30\n', 'fail'],
    ['retention_days: 300\n', 'fail'],
  ])('a line matches: %j: %s', async (text, outcome) => {
    const matches = '^retention_days: 30[ \t\r]*(#.*)?$';
    expect((await inDoc(text, { matches })).outcome).toBe(outcome);
  });

  it.each([
    ['## v2.1.0\n', 'pass'],
    ['## [2.1.0] - today\n', 'pass'],
    ['Released 2.1.0.\n', 'pass'],
    ['Released 2.1.0.', 'pass'],
    ['Released 2.1.0, at last', 'pass'],
    ['## v2.1.0-rc1\n', 'fail'],
    ['## 2.1.0.1\n', 'fail'],
    ['## 2.1.01\n', 'fail'],
    ['## 12.1.0\n', 'fail'],
  ])('the release notes of mech-exo for 2.1.0: %j: %s', async (text, outcome) => {
    const gate = readFileSync(
      new URL('../../../config/gates/mech-exo.yaml', import.meta.url),
      'utf8',
    );
    const matches = /path: CHANGELOG\.md, matches: '(.*)'/.exec(gate)?.[1];
    const setup = { folder: folderWith({ 'doc.md': text }), values: { version: '2.1.0' } };
    const result = await carriedOut({ file: { path: 'doc.md', matches } }, setup);
    expect(result.outcome).toBe(outcome);
  });

  it('a version in a pattern is its text', async () => {
    const matches = ['(^|[^\\w.+-])${version}([^\\w.+-]|$)'];
    expect(await inDoc('## [v2.1.0] - today\n', { matches })).toMatchObject({ outcome: 'pass' });
    for (const text of ['v2.1.0-rc1', 'v2x1y0', 'vv2.1.0', 'v2.1.01']) {
      expect(await inDoc(`## ${text}\n`, { matches })).toMatchObject({ outcome: 'fail' });
    }
  });

  it('a pattern that is none is told when the gate is read', () => {
    expect(problemsOf({ file: { path: 'a', matches: '(' } })[0]).toContain('regular expression');
  });
});

describe('the check file: what stands in it', () => {
  it('texts that must be there, and that must not', async () => {
    const text = '# Release\nAPPROVED FOR PRODUCTION v2.1.0\n- [ ] Backups\n';
    const contains = ['APPROVED FOR PRODUCTION', '${version}'];
    expect(await inDoc(text, { contains })).toMatchObject({ outcome: 'pass' });
    expect(await inDoc(text, { contains: 'Sign-off:' })).toMatchObject({
      outcome: 'fail',
      text: 'doc.md lacks "Sign-off:"',
    });
    const result = await inDoc(text, { contains, lacks: '- [ ]' });
    expect(result).toMatchObject({ outcome: 'fail', text: 'doc.md contains "- [ ]"' });
    expect(String(result.exhibits[0]?.body)).toBe(text);
  });

  it.each([
    [`**Date:** ${daysAgo(2)}`, 'pass', `doc.md is there; dated ${daysAgo(2)}`],
    [`| Date | ${daysAgo(7)} |`, 'pass', 'dated'],
    [`Date: ${daysAgo(9)}`, 'fail', `is dated ${daysAgo(9)}, 9d`],
    ['Date: November 2, 2020', 'fail', 'is dated 2020-11-02'],
    ['Date: ________', 'fail', 'has no date behind "Date"; write it as 2026-11-20'],
    ['Date: 11/02/2026', 'fail', 'has no date behind "Date"'],
    [`Last update ${daysAgo(2)}\nDate: 2020-01-02`, 'fail', 'is dated 2020-01-02'],
    [`Updated ${daysAgo(2)}, validated ${daysAgo(2)}`, 'fail', 'has no date behind "Date"'],
    [`Update and date: ${daysAgo(2)}`, 'pass', 'dated'],
    [`Signed ${daysAgo(2)}`, 'fail', 'has no date behind "Date"'],
    [`Date: ${daysAgo(-9)}`, 'unknown', 'in the future'],
    [`Date: (see below)\nDate: ${daysAgo(1)}`, 'pass', 'dated'],
  ])('a date: %s: %s', async (text, outcome, words) => {
    const result = await inDoc(text, { date: { max_age: '7d' } });
    expect(result.outcome).toBe(outcome);
    expect(result.text).toContain(words);
  });

  it.each([
    ['2026-02-29', null],
    ['2028-02-29T10:00Z', '2028-02-29'],
    ['on 3 Sept 2026.', '2026-09-03'],
    ['Sep. 3rd, 2026', '2026-09-03'],
    ['3.9.2026', '2026-09-03'],
    ['version 2.1.20260', null],
    ['build 12026-11-20', null],
    ['May 99, 2026', null],
  ])('reads %s as %s', (text, day) => {
    const found = dayIn(text);
    expect(found === null ? null : new Date(found.startMs).toISOString().slice(0, 10)).toBe(day);
  });

  it.each([
    ['CTO: Ada King', 'open'],
    ['## Approvals\n\nCTO: Ada King, 2026-11-20', 'approved'],
    ['Sign-off:\n- CTO: Ada King, approved\n- DevOps Lead: Grace Moore', 'approved'],
    ['CTO: Ada King, approved on 2026-11-20', 'approved'],
    ['CTO: yes', 'approved'],
    ['CTO: no', 'open'],
    ['## Sign-off\nCTO: no', 'open'],
    ['## Sign-off\nCTO: N/A', 'open'],
    ['## Sign-off\nCTO: vetoed', 'open'],
    ['## Sign-off\nCTO: asks why?', 'open'],
    ['## Sign-off\n| CTO | Ada King | disapproved |', 'open'],
    ['## Sign-off\nCTO: on vacation', 'open'],
    ['## Sign-off\nCTO: Ada King\n\n- [ ] CTO', 'open'],
    ['## Sign-off\nCTO: Ada King\n## Review\nCTO: rejected', 'open'],
    ['## Sign-off\nCTO: Ada King, ok\n## Contacts\n| CTO | Ada King | +49 30 123456 |', 'approved'],
    ['## Sign-off\nGrace\n## Contacts\nCTO: Ada King', 'open'],
    ['## Sign-off contacts\nCTO: Ada King, +49 30 123456', 'open'],
    ['## Sign-off contacts\nCTO: ada@example.org', 'open'],
    ['## Approvals pending\nCTO: Ada King', 'open'],
    ['| Role | Name | Phone |\n|---|---|---|\n| CTO | Ada King | 4711 |', 'open'],
    ['| Role | Name | Signed |\n|---|---|---|\n| CTO | Ada King | 2026-11-20 |', 'approved'],
    ['The CTO is needed for approval.\n## Sign-off\nCTO: Ada King, ok', 'approved'],
    ['- [x] **CTO:** Ada King, 2026-11-20', 'approved'],
    ['Approved by: CTO, DevOps Lead, Product Owner', 'approved'],
    ['## Sign-off\n| **CTO** | Ada King | 2026-11-20 | AK |', 'approved'],
    ['CTO approval: ✅', 'approved'],
    ['CTO: ________________', 'open'],
    ['CTO:', 'open'],
    ['- [ ] **CTO:** Ada King', 'open'],
    ['- [ ] Approved by: CTO, DevOps Lead', 'open'],
    ['| **CTO** | Ada King | | |', 'open'],
    ['| **CTO** | [Name, Phone] | [Name, Phone] |', 'open'],
    ['CTO: [Name]', 'open'],
    ['CTO: Name: ____ Date: ____', 'open'],
    ['CTO: pending', 'open'],
    ['CTO: rejected, see below', 'open'],
    ['Not approved by the CTO', 'open'],
    ['Approval of the CTO is required', 'open'],
    ['Call the CTO at night', 'open'],
    ['The directors: Ada King', 'absent'],
    ['DOCTOR: Ada King', 'absent'],
  ])('an approval of the CTO: %s: %s', async (text, state) => {
    const result = await inDoc(text, { approved_by: ['CTO'] });
    const texts = {
      approved: 'doc.md is there; approved by CTO',
      open: 'doc.md: the approval of CTO is open',
      absent: 'doc.md has no approval of CTO',
    };
    expect(result.text).toBe(texts[state as keyof typeof texts]);
    expect(result.outcome).toBe(state === 'approved' ? 'pass' : 'fail');
  });

  it('an approval by name', async () => {
    const approved_by = [{ role: 'CTO', name: 'Ada King' }];
    expect(await inDoc('CTO: ada king, approved', { approved_by })).toMatchObject({
      outcome: 'pass',
    });
    expect(await inDoc('CTO: Bob Roe, approved', { approved_by })).toMatchObject({
      outcome: 'fail',
      text: 'doc.md: the approval of CTO is not by Ada King',
    });
  });

  it('the sha256', async () => {
    const sha256 = '2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824';
    expect(await inDoc('hello', { sha256 })).toMatchObject({ outcome: 'pass' });
    expect(await inDoc('hello!', { sha256 })).toMatchObject({ outcome: 'fail' });
  });

  it('bytes that are no text are unknown; a pattern of hostile length ends', async () => {
    const binary = Buffer.from([0xff, 0xd8, 0xff, 0xe0]);
    expect(await inDoc(binary, { contains: 'a' })).toMatchObject({
      outcome: 'unknown',
      text: 'doc.md is no text in UTF-8 or UTF-16',
    });
    const long = `CTO${' '.repeat(200_000)}\n${'['.repeat(200_000)}\nDate${'1'.repeat(200_000)}`;
    const fields = { approved_by: ['CTO'], date: { max_age: '7d' } };
    expect(await inDoc(long, fields)).toMatchObject({ outcome: 'fail' });
  });
});

/** Signed with ssh-keygen -Y sign, openssl pkeyutl and openssl dgst, as cosign sign-blob does. */
const folder = fileURLToPath(new URL('./reports/signed', import.meta.url));
const signedBy = (signature: string, key: string, parts: object = {}) =>
  carriedOut({ file: { path: 'approval.md', signed: { signature, key, ...parts } } }, { folder });

describe('the check file: signatures', () => {
  it.each([
    ['approval.md.sig', 'ada.pub'],
    ['approval.ed25519', 'ed25519.pub'],
    ['approval.cosign', 'cosign.pub'],
  ])('%s with %s is valid', async (signature, key) => {
    const result = await signedBy(signature, key);
    expect(result.outcome).toBe('pass');
    expect(result.text).toMatch(/^approval\.md is there; signed with key SHA256:[\w+/]{43}$/);
  });

  it.each([
    ['approval.md.sig', 'ada.pub'],
    ['approval.ed25519', 'ed25519.pub'],
    ['approval.cosign', 'cosign.pub'],
  ])('%s: one byte more in the file, and it is not', async (signature, key) => {
    const read = (name: string) => readFileSync(join(folder, name));
    const files = { 'a.md': `${read('approval.md')}.`, sig: read(signature), key: read(key) };
    const result = await judge(files, { path: 'a.md', signed: { signature: 'sig', key: 'key' } });
    expect(result.outcome).toBe('fail');
    expect(result.text).toContain('a.md is not what was signed, or not with this key');
  });

  it('another key, another namespace', async () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const files = {
      'a.md': 'a',
      sig: Buffer.alloc(64, 7),
      key: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    };
    const signed = { signature: 'sig', key: 'key' };
    expect((await judge(files, { path: 'a.md', signed })).outcome).toBe('fail');
    const other = await signedBy('approval.md.sig', 'ada.pub', { namespace: 'git' });
    expect(other.outcome).toBe('fail');
  });

  it.each([
    ['approval.md.sig', 'none.pub', 'none.pub is missing'],
    ['approval.md.sig', 'ecdsa.pub', 'the key holds no ssh-ed25519 key'],
    ['approval.cosign', 'ada.pub', 'the key is no public key in PEM'],
    ['approval.md', 'ed25519.pub', null],
  ])('%s with %s is not taken for valid', async (signature, key, reason) => {
    const result = await signedBy(signature, key);
    expect(result.outcome).toBe(reason === null ? 'fail' : 'unknown');
    expect(result.text).toContain(reason ?? 'is not what was signed');
  });

  it('a key of another kind, a private key and a broken signature are unknown', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const run = async (key: string, sig = 'AAAA') => {
      const signed = { signature: 'sig', key: 'key' };
      return (await judge({ 'a.md': 'a', sig, key }, { path: 'a.md', signed })).text;
    };
    const pem = { type: 'spki', format: 'pem' } as const;
    expect(await run(rsa.publicKey.export(pem).toString())).toContain('are not verified here');
    const own = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(await run(own)).toBe('a.md: the key is a private one; name the public key');
    const broken = '-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----';
    expect(await run('ssh-ed25519 AAAA', broken)).toContain('the SSH signature is broken');
  });
});

describe('a mistake in file', () => {
  it.each([
    [{}, 'file.path: found nothing; wanted a path such as docs/RELEASE_REPORT.md'],
    [{ path: 'a', sha256: 'abc' }, 'file.sha256: found "abc"; wanted 64 hexadecimal digits'],
    [{ path: 'a', contains: [] }, 'file.contains: found a list of 0'],
    [{ path: 'a', approved_by: [] }, 'file.approved_by: found a list of 0; wanted a list of 1'],
    [{ path: 'a', date: {} }, 'file.date.max_age: found nothing; wanted a duration'],
  ])('%j', (written, problem) => {
    expect(problemsOf({ file: written }).join('\n')).toContain(problem);
  });
});
