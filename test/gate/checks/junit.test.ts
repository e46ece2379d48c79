import { spawnSync } from 'node:child_process';
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { carriedOut, problemsOf } from '../../support/gate-check.ts';
import { age, folderWith, reportOf } from '../../support/report-folder.ts';

const suite = (tests: string, attributes = '') =>
  `<?xml version="1.0"?><testsuites ${attributes}><testsuite name="unit">${tests}</testsuite></testsuites>`;
const passing = (name: string, place = 'tests.unit.oms.test_book') =>
  `<testcase classname="${place}" name="${name}" time="0.1"/>`;
const failing = (name: string, place = 'tests.unit.oms.test_book') =>
  `<testcase classname="${place}" name="${name}" time="0.1"><failure message="no"/></testcase>`;
const skipping = (name: string) => `<testcase classname="a" name="${name}"><skipped/></testcase>`;

function judge(body: string | Uint8Array, fields: object = {}) {
  const folder = folderWith({ 'unit.xml': body });
  return carriedOut({ junit: { report: 'unit.xml', ...fields } }, { folder });
}

describe('the check junit, on reports of real tools', () => {
  it('pytest: names what failed, and keeps the report', async () => {
    const result = await judge(reportOf('pytest.xml'));
    expect(result).toMatchObject({
      outcome: 'fail',
      text: '1 of 4 tests failed, at most 0 wanted',
      details: [
        'failed: tests.unit.oms.test_book › test_fails',
        'skipped: tests.unit.oms.test_book › test_exchange',
      ],
    });
    expect(String(result.exhibits[0]?.body)).toBe(reportOf('pytest.xml'));
  });

  it('vitest: passes, skipped tests are told', async () => {
    expect(await judge(reportOf('vitest.xml'))).toMatchObject({
      outcome: 'pass',
      text: '2 tests ran in 7ms: 1 skipped',
    });
  });

  it('node --test: also a test without a suite counts', async () => {
    expect(await judge(reportOf('node-test.xml'))).toMatchObject({
      outcome: 'fail',
      text: '1 of 3 tests failed, at most 0 wanted',
      details: ['failed: test › fails', 'skipped: pick › later'],
    });
  });

  it('surefire: repeated tests are flaky, times have thousands', async () => {
    const limits = { failed_max: 1, flaky_max: 0, runtime_max: '20m' };
    expect(await judge(reportOf('surefire.xml'), limits)).toMatchObject({
      outcome: 'fail',
      text: '1 flaky test, at most 0 wanted; took 20m5s, at most 20m wanted',
    });
  });
});

describe('the check junit', () => {
  it('passes when all pass, and says how many and how long', async () => {
    const body = suite(passing('a') + passing('b'), 'time="64.2"');
    const result = await judge(body, { runtime_max: '15m', max_age: '24h', skipped_max: 0 });
    expect(result).toMatchObject({
      outcome: 'pass',
      text: expect.stringMatching(/^2 tests ran in 1m4s: all passed; \ds old$/),
      details: [],
    });
  });

  it('packages: failures elsewhere do not count, in them they do', async () => {
    const body = suite(passing('a') + failing('b', 'tests.unit.web.test_page'));
    const only = await judge(body, { packages: ['oms'] });
    expect(only).toMatchObject({ outcome: 'pass', text: '1 test ran in 100ms: all passed' });
    expect(await judge(body, { packages: ['oms', 'web'] })).toMatchObject({
      outcome: 'fail',
      text: '1 of 2 tests failed, at most 0 wanted',
    });
  });

  it('packages: one without tests is unknown, not passed', async () => {
    const result = await judge(suite(passing('a')), { packages: ['oms', 'risk'] });
    expect(result).toMatchObject({ outcome: 'unknown', text: 'no test of risk in the report' });
  });

  it('packages: a name that only contains the word does not belong', async () => {
    const result = await judge(suite(passing('a', 'tests.comsat.test_dish')), {
      packages: ['oms'],
    });
    expect(result.outcome).toBe('unknown');
  });

  it('skipped tests have a limit of their own', async () => {
    const body = suite(passing('a') + skipping('b') + skipping('c'));
    expect(await judge(body, { skipped_max: 2 })).toMatchObject({ outcome: 'pass' });
    expect(await judge(body, { skipped_max: 1 })).toMatchObject({
      outcome: 'fail',
      text: '2 skipped tests, at most 1 wanted',
      details: ['skipped: a › b', 'skipped: a › c'],
    });
  });

  it('reruns: the last attempt counts, and the test is flaky', async () => {
    const body = suite(failing('a') + passing('a') + passing('b'));
    expect(await judge(body)).toMatchObject({ outcome: 'fail' });
    expect(await judge(body, { reruns: true, flaky_max: 1 })).toMatchObject({
      outcome: 'pass',
      text: '2 tests ran in 300ms: 1 flaky',
    });
    expect(await judge(body, { reruns: true, flaky_max: 0 })).toMatchObject({ outcome: 'fail' });
    const last = suite(passing('a') + failing('a'));
    expect(await judge(last, { reruns: true })).toMatchObject({ outcome: 'fail' });
  });

  it('several reports count together', async () => {
    const folder = folderWith({
      'out/a.xml': suite(passing('a')),
      'out/b.xml': suite(failing('b')),
      'out/notes.txt': 'no report',
    });
    expect(await carriedOut({ junit: { report: 'out/*.xml' } }, { folder })).toMatchObject({
      outcome: 'fail',
      text: '1 of 2 tests failed, at most 0 wanted',
    });
  });

  it('failures that are counted, but not named, count', async () => {
    const body = suite(passing('a'), 'tests="3" failures="1" errors="1"');
    expect(await judge(body)).toMatchObject({
      outcome: 'fail',
      text: 'the report counts 2 failures and names 0',
    });
    expect(await judge(body, { packages: ['oms'] })).toMatchObject({ outcome: 'unknown' });
  });

  it('failures that are counted, but not named, count with reruns, too', async () => {
    const body = suite(passing('a'), 'tests="1" failures="7" errors="3"');
    expect(await judge(body, { reruns: true })).toMatchObject({
      outcome: 'fail',
      text: 'the report counts 10 failures and names 0',
    });
  });

  it.each([[{}], [{ reruns: true }]])('is unknown when tests are missing: %j', async (fields) => {
    const body = suite(passing('a'), 'tests="412" failures="0"');
    expect(await judge(body, fields)).toMatchObject({
      outcome: 'unknown',
      text: 'unit.xml counts 412 tests and names 1',
    });
  });

  const catch2 = 'hostname="tbd" name="unit" errors="0"';
  const doctest = 'doctest_version="2.4.11" name="unit" errors="0"';
  it.each([
    ['Catch2', catch2, {}],
    ['doctest', doctest, {}],
    ['doctest without its version', 'name="unit"', { counts: 'assertions' }],
  ])('%s counts assertions: no test is missing', async (_, attributes, fields) => {
    const report = (cases: string, counted: string) =>
      `<testsuites><testsuite ${attributes} ${counted}>${cases}</testsuite></testsuites>`;
    expect(await judge(report(passing('a'), 'tests="7" failures="0"'), fields)).toMatchObject({
      outcome: 'pass',
      text: '1 test ran in 100ms: all passed',
    });
    const failed = report(passing('a') + failing('b'), 'tests="7" failures="3"');
    expect(await judge(failed, { ...fields, failed_max: 1 })).toMatchObject({ outcome: 'pass' });
    expect(await judge(failed, fields)).toMatchObject({ outcome: 'fail' });
    const unnamed = report(passing('a'), 'tests="7" failures="3"');
    expect(await judge(unnamed, { ...fields, failed_max: 2 })).toMatchObject({
      outcome: 'fail',
      text: 'the report counts 3 failures and names 0',
    });
    const none = report('', 'tests="7" failures="0"');
    expect(await judge(none, fields)).toMatchObject({ outcome: 'unknown' });
  });

  it('a report of Catch2 beside another one does not speak for it', async () => {
    const [one, other] = [`<testsuite ${catch2} tests="7">`, '<testsuite name="py" tests="9">'];
    const cases = `${passing('a')}</testsuite>`;
    const body = `<testsuites>${one}${cases}${other}${cases}</testsuites>`;
    expect(await judge(body)).toMatchObject({
      outcome: 'unknown',
      text: 'unit.xml counts 16 tests and names 2',
    });
  });

  it.each([['status="failed"'], ['result="error"'], ['status="run" result="Failure"']])(
    'a test that only says %s has failed',
    async (attributes) => {
      const body = suite(`${passing('a')}<testcase name="b" ${attributes}/>`);
      expect(await judge(body)).toMatchObject({ outcome: 'fail', details: ['failed: b'] });
    },
  );

  it('reruns: an attempt that was skipped leaves what was before', async () => {
    const skipped = '<testcase classname="a" name="b"><skipped/></testcase>';
    const body = suite(passing('a') + failing('b', 'a') + skipped);
    expect(await judge(body, { reruns: true })).toMatchObject({
      outcome: 'fail',
      details: ['failed: a › b'],
    });
  });

  it('a suite that broke before its first test has failed', async () => {
    const body = suite(`${passing('a')}<error message="no database"/>`);
    expect(await judge(body)).toMatchObject({ outcome: 'fail', details: ['failed: unit itself'] });
  });

  it('a placeholder in the path takes the version', async () => {
    const folder = folderWith({ 'v2.1.0/unit.xml': suite(passing('a')) });
    const written = { junit: { report: '${version}/unit.xml' } };
    expect(await carriedOut(written, { folder })).toMatchObject({ outcome: 'pass' });
  });

  it.each([['../../etc'], ['/etc'], ['..'], ['*'], ['a\0b'], ['']])(
    'a placeholder may not lead elsewhere: %j',
    async (version) => {
      const folder = folderWith({ 'v2.1.0/unit.xml': suite(passing('a')) });
      const written = { junit: { report: '${version}/unit.xml' } };
      expect(await carriedOut(written, { folder, values: { version } })).toMatchObject({
        outcome: 'unknown',
        text: expect.stringContaining('the value of version cannot be part of a file name'),
      });
      expect(await carriedOut({ junit: { report: '${build}.xml' } }, { folder })).toMatchObject({
        text: '${build}.xml: the deploy has no build',
      });
    },
  );
});

describe('the age of a report', () => {
  it('counts from the file', async () => {
    const folder = folderWith({ 'unit.xml': suite(passing('a')) });
    age(folder, 'unit.xml', 25);
    const junit = { report: 'unit.xml', max_age: '24h' };
    expect(await carriedOut({ junit }, { folder })).toMatchObject({
      outcome: 'fail',
      text: 'unit.xml is 1d1h old, at most 1d wanted',
    });
  });

  it('counts from the report itself, when the file was copied since', async () => {
    const result = await judge(
      '<testsuite name="a" timestamp="2020-01-01T00:00:00Z"><testcase name="b"/></testsuite>',
      { max_age: '24h' },
    );
    expect(result.outcome).toBe('fail');
    expect(result.text).toMatch(/^unit\.xml is \d{4}d(\d+h)? old, at most 1d wanted$/);
  });

  it('a time without a zone is not in the future where it fits in another zone', async () => {
    const at = new Date(Date.now() + 5 * 3_600_000).toISOString().slice(0, 19);
    const body = `<testsuite name="a" timestamp="${at}"><testcase name="b"/></testsuite>`;
    expect(await judge(body, { max_age: '24h' })).toMatchObject({ outcome: 'pass' });
    const zoned = await judge(body.replace(at, `${at}Z`), { max_age: '24h' });
    expect(zoned.text).toContain('in the future');
  });

  it('in the future is unknown', async () => {
    const folder = folderWith({ 'unit.xml': suite(passing('a')) });
    age(folder, 'unit.xml', -3);
    const junit = { report: 'unit.xml', max_age: '24h' };
    const result = await carriedOut({ junit }, { folder });
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain('in the future');
  });
});

const deep = `<testsuites>${'<testsuite name="a">'.repeat(10_000)}`;
const bomb = `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<testsuites><testsuite name="&b;"/></testsuites>`;
const outside = `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite name="&a;"/>`;
const latin = Buffer.from(
  '<?xml version="1.0" encoding="ISO-8859-1"?><testsuite><testcase name="\xe9"/></testsuite>',
  'latin1',
);
const utf16 = Buffer.from(`\ufeff${suite(passing('a'))}`, 'utf16le');

describe('a hostile or broken report is unknown, with the reason', () => {
  it.each([
    ['nothing in it', '', 'has no XML element'],
    ['cut off', reportOf('pytest.xml').slice(0, 900), 'is truncated'],
    ['cut between elements', reportOf('vitest.xml').slice(0, 420), 'is truncated'],
    ['no XML', '{"tests": 3}', 'is no well-formed XML'],
    ['HTML of a login page', '<html><body>Sign in<br></body></html>', 'is no well-formed XML'],
    ['another report', reportOf('coveragepy.xml'), 'is no JUnit report: it begins with <coverage>'],
    ['entities that grow', bomb, 'declares entities'],
    ['an entity of another file', outside, 'declares entities'],
    ['an entity that nobody declared', '<testsuite name="&x;"/>', 'is no well-formed XML'],
    ['nested without end', deep, 'is nested deeper than 200'],
    ['bytes of an image', Buffer.from([0x89, 0x50, 0xff, 0x00, 0x0a]), 'not in the encoding'],
    ['a strange encoding', '<?xml version="1.0" encoding="x-none"?><a/>', 'not in the encoding'],
    ['no test', suite(''), '0 tests ran, at least 1 wanted'],
    ['only skipped tests', suite(skipping('a')), '0 tests ran, at least 1 wanted'],
  ])('%s', async (_, body, reason) => {
    const result = await judge(body);
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain(reason);
  });

  it('missing, a folder, and a pattern that matches nothing', async () => {
    const folder = folderWith({ 'out/a.txt': '' });
    const run = (report: string) => carriedOut({ junit: { report } }, { folder });
    expect((await run('unit.xml')).text).toContain('unit.xml is missing; write the report');
    expect((await run('out')).text).toBe('out is no regular file; name the report itself');
    expect((await run('out/*.xml')).text).toContain('no file matches out/*.xml');
    expect((await run('out/*.xml')).outcome).toBe('unknown');
  });

  it('of two gigabytes, without reading it', async () => {
    const folder = folderWith({ 'unit.xml': '' });
    truncateSync(join(folder, 'unit.xml'), 2_000_000_000);
    const result = await carriedOut({ junit: { report: 'unit.xml' } }, { folder });
    expect(result).toMatchObject({
      outcome: 'unknown',
      text: 'unit.xml is too large: 2 GB; at most 100 MB of reports are read',
    });
  });

  it('a pipe that nobody writes to does not hang', async () => {
    const folder = folderWith({});
    expect(spawnSync('mkfifo', [join(folder, 'unit.xml')]).status).toBe(0);
    const result = await carriedOut({ junit: { report: 'unit.xml' } }, { folder });
    expect(result).toMatchObject({
      outcome: 'unknown',
      text: 'unit.xml is no regular file; name the report itself',
    });
  });

  it('a name with terminal commands loses them', async () => {
    const body = suite(failing('a&#10;b').replaceAll('no', 'n\u001b]0;o'));
    const result = await judge(suite(failing('a&#10;b')));
    expect(result.details).toEqual(['failed: tests.unit.oms.test_book › a b']);
    expect((await judge(body)).outcome).toBe('fail');
  });

  it('a test named __proto__ is a test', async () => {
    const body = suite('<testcase name="__proto__" __proto__="x" constructor="y"/>');
    expect(await judge(body)).toMatchObject({ outcome: 'pass' });
  });

  it.each([
    ['Latin-1 as declared', latin],
    ['UTF-16 as a Windows shell writes it', utf16],
  ])('but another encoding is read: %s', async (_, body) => {
    expect(await judge(body)).toMatchObject({ outcome: 'pass' });
  });

  it('cut off, when its time is over', async () => {
    const folder = folderWith({ 'unit.xml': suite(passing('a')) });
    const signal = AbortSignal.abort();
    const result = await carriedOut({ junit: { report: 'unit.xml' } }, { folder, signal });
    expect(result).toMatchObject({ outcome: 'unknown', text: 'unit.xml: cut off while reading' });
  });
});

describe('a mistake in junit', () => {
  it.each([
    [{}, 'junit.report: found nothing; wanted a path such as artifacts/unit.xml'],
    [{ report: 'a', tests_min: 0 }, 'junit.tests_min: found 0; wanted a whole number from 1'],
    [{ report: 'a', packages: [] }, 'junit.packages: found a list of 0; wanted a list of 1 to 50'],
    [{ report: 'a', max_age: 24 }, 'junit.max_age: found 24; wanted a duration from 1s'],
    [{ report: 'a', failures: 0 }, 'junit.failures: found a field that does not exist here'],
  ])('%j', (written, problem) => {
    expect(problemsOf({ junit: written })[0]).toContain(problem);
  });
});
