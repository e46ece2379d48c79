import { describe, expect, it } from 'vitest';
import { carriedOut, problemsOf } from '../../support/gate-check.ts';
import { folderWith, reportOf } from '../../support/report-folder.ts';

function judge(body: string | Uint8Array, fields: object) {
  const folder = folderWith({ 'coverage.out': body });
  return carriedOut({ coverage: { report: 'coverage.out', ...fields } }, { folder });
}

/** Cobertura with so many lines and branches. */
const cobertura = (lines: [number, number], branches: [number, number]) =>
  `<coverage lines-covered="${lines[0]}" lines-valid="${lines[1]}" ` +
  `branches-covered="${branches[0]}" branches-valid="${branches[1]}" timestamp="1"/>`;

describe('the check coverage, on reports of real tools', () => {
  it.each([
    ['coveragepy.xml', '62.5 % (5 of 8)', '50 % (2 of 4)'],
    ['coveragepy.info', '62.5 % (5 of 8)', '50 % (2 of 4)'],
    ['coveragepy.json', '62.5 % (5 of 8)', '50 % (2 of 4)'],
    ['istanbul-cobertura.xml', '75 % (3 of 4)', '66.66 % (4 of 6)'],
    ['istanbul.info', '75 % (3 of 4)', '66.66 % (4 of 6)'],
    ['istanbul-summary.json', '75 % (3 of 4)', '66.66 % (4 of 6)'],
    ['node-test.info', '100 % (4 of 4)', '75 % (3 of 4)'],
  ])('%s', async (name, lines, branches) => {
    const result = await judge(reportOf(name), { lines: '60%', branches: '50%' });
    expect(result).toMatchObject({
      outcome: 'pass',
      text: `lines ${lines}, at least 60% wanted; branches ${branches}, at least 50% wanted`,
    });
  });

  it.each(['istanbul-cobertura.xml', 'istanbul.info', 'istanbul-summary.json'])(
    '%s: each package by itself',
    async (name) => {
      const fields = { lines: '70%', branches: '70%', packages: ['risk', 'src/oms'] };
      expect(await judge(reportOf(name), fields)).toMatchObject({
        outcome: 'fail',
        text:
          'src/oms lines 66.66 % (2 of 3), at least 70% wanted; ' +
          'src/oms branches 50 % (2 of 4), at least 70% wanted',
        details: expect.arrayContaining([
          expect.stringMatching(/src\/oms\/book\.ts: 1 lines and 2 branches not covered$/),
        ]),
      });
    },
  );

  it('the detailed report of Istanbul is unknown, with what to write instead', async () => {
    expect(await judge(reportOf('istanbul-final.json'), { lines: '1%' })).toMatchObject({
      outcome: 'unknown',
      text: 'coverage.out is the detailed report of Istanbul; write the reporter json-summary',
    });
  });
});

describe('the check coverage', () => {
  it.each([
    [[90, 100], [90, 100], 'pass'],
    [[89, 100], [90, 100], 'fail'],
    [[90, 100], [89, 100], 'fail'],
    // 89.9999 % is not rounded up.
    [[899_999, 1_000_000], [90, 100], 'fail'],
    // 9/10 as a fraction is exactly 90 %.
    [[9, 10], [9, 10], 'pass'],
  ] as const)('%j lines and %j branches at 90%%: %s', async (lines, branches, outcome) => {
    const body = cobertura([...lines], [...branches]);
    expect(await judge(body, { lines: '90%', branches: '90%' })).toMatchObject({ outcome });
  });

  it('shows no figure that is rounded up to the limit', async () => {
    const body = cobertura([899_999, 1_000_000], [0, 0]);
    expect((await judge(body, { lines: '90%' })).text).toBe(
      'lines 89.99 % (899999 of 1000000), at least 90% wanted',
    );
  });

  it('a report without branches says nothing about branches', async () => {
    const body = cobertura([95, 100], [0, 0]);
    expect(await judge(body, { lines: '90%', branches: '90%' })).toMatchObject({
      outcome: 'unknown',
      text: 'the report has no branches; measure branches with it',
    });
    expect(await judge(body, { lines: '90%' })).toMatchObject({ outcome: 'pass' });
  });

  it('a package that is not in the report is unknown', async () => {
    const fields = { lines: '1%', packages: ['oms', 'positions'] };
    expect(await judge(reportOf('coveragepy.xml'), fields)).toMatchObject({
      outcome: 'unknown',
      text: 'no file of positions in the report',
    });
  });

  it('reports of the same file are joined', async () => {
    const record = (first: number, second: number) =>
      `TN:\nSF:src/a.ts\nDA:1,${first}\nDA:2,${second}\nLF:2\nLH:1\nend_of_record\n`;
    const folder = folderWith({ 'a.info': record(1, 0), 'b.info': record(0, 1) });
    const coverage = { report: ['a.info', 'b.info'], lines: '100%' };
    expect(await carriedOut({ coverage }, { folder })).toMatchObject({
      outcome: 'pass',
      text: 'lines 100 % (2 of 2), at least 100% wanted',
    });
  });

  it('above 50 % is not met by exactly 50 %, at least 50 % is', async () => {
    const at = (lines: string | object) => judge(cobertura([1, 2], [1, 1]), { lines });
    expect(await at({ above: '50%' })).toMatchObject({
      outcome: 'fail',
      text: 'lines 50 % (1 of 2), above 50% wanted',
    });
    expect(await at({ above: '49.9%' })).toMatchObject({ outcome: 'pass' });
    expect(await at({ at_least: '50%' })).toMatchObject({ outcome: 'pass' });
    expect(await at('50%')).toMatchObject({ outcome: 'pass' });
  });

  it('an old report is refused by its own time', async () => {
    const result = await judge(cobertura([1, 1], [1, 1]).replace('"1"/>', '"1600000000000"/>'), {
      lines: '90%',
      max_age: '24h',
    });
    expect(result.outcome).toBe('fail');
    expect(result.text).toContain('old, at most 1d wanted');
  });
});

describe('a hostile or broken coverage report is unknown, with the reason', () => {
  it.each([
    ['nothing in it', ' \n', 'is empty'],
    ['truncated XML', reportOf('coveragepy.xml').slice(0, 1_200), 'is truncated'],
    ['truncated lcov', reportOf('istanbul.info').slice(0, 100), 'is truncated: its last record'],
    ['truncated JSON', reportOf('istanbul-summary.json').slice(0, 200), 'is truncated JSON'],
    ['lcov of nothing', 'TN:\n', 'the report has no lines'],
    ['no report at all', 'All files | 97 | 95', 'is no coverage report that is known here'],
    ['another JSON', '{"coverage": 99}', 'is no coverage report that is known here'],
    ['another XML', reportOf('pytest.xml'), 'is no Cobertura report: it begins with <testsuites>'],
    ['counts that are none', '{"total":{"lines":{"total":"9","covered":9}}}', 'has no lines'],
    ['less than nothing', '{"total":{"lines":{"total":1,"covered":-9}}}', 'has no lines'],
    ['more than all', '{"total":{"lines":{"total":1,"covered":9}}}', 'counts more lines covered'],
    ['deep JSON', `{"total":${'['.repeat(200_000)}`, 'is truncated JSON'],
    ['deep JSON that ends', `{"a":${'['.repeat(9_999)}${']'.repeat(9_999)}}`, 'is no coverage'],
  ])('%s', async (_, body, reason) => {
    const result = await judge(body, { lines: '1%' });
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain(reason);
  });
});

describe('a mistake in coverage', () => {
  it.each([
    [{ report: 'a' }, 'lines, branches or both; add one'],
    [{ report: 'a', lines: '190%' }, 'coverage.lines: found "190%"; wanted a share from 0% to'],
    [{ report: 'a', lines: { above: 2 } }, 'wanted a share'],
    [{ report: 'a', lines: { above: '1%', at_least: '1%' } }, 'wanted exactly one of at_least'],
    [{ report: [], lines: '1%' }, 'coverage.report: found a list of 0'],
  ])('%j', (written, problem) => {
    expect(problemsOf({ coverage: written })[0]).toContain(problem);
  });
});
