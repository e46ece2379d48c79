import { describe, expect, it } from 'vitest';
import { carriedOut, problemsOf } from '../../support/gate-check.ts';
import { age, folderWith } from '../../support/report-folder.ts';

type Counts = Readonly<Record<string, number>>;

/** As Stryker's json reporter writes it (mutation-testing-report-schema 2). */
function stryker(files: Readonly<Record<string, Counts>>): string {
  const entries = Object.entries(files).map(([path, counts]) => {
    const mutants = Object.entries(counts).flatMap(([status, count]) =>
      Array.from({ length: count }, (_, at) => ({
        id: `${status}${at}`,
        mutatorName: 'ConditionalExpression',
        replacement: 'false',
        status,
        static: false,
        testsCompleted: 3,
        location: { end: { column: 20, line: 4 }, start: { column: 7, line: 4 } },
      })),
    );
    return [path, { language: 'typescript', source: 'export {};', mutants }];
  });
  return JSON.stringify({
    schemaVersion: '1.0',
    thresholds: { high: 80, low: 60, break: null },
    projectRoot: '/srv/build',
    framework: { name: 'StrykerJS', version: '9.2.0' },
    files: Object.fromEntries(entries),
  });
}

/** As `mutmut export-cicd-stats` writes it. */
const mutmut = (counts: Counts) =>
  JSON.stringify({
    ...{ killed: 0, survived: 0, total: 0, no_tests: 0, skipped: 0, suspicious: 0, timeout: 0 },
    ...{ check_was_interrupted_by_user: 0, segfault: 0 },
    ...counts,
  });

function judge(files: Readonly<Record<string, string>>, fields: object) {
  const folder = folderWith(files);
  return carriedOut({ mutation: { report: 'now.json', ...fields } }, { folder });
}

describe('the check mutation', () => {
  it.each([
    [{ Killed: 70, Timeout: 10, Survived: 15, NoCoverage: 5 }, 'pass', '80 % (80 of 100 '],
    [{ Killed: 79, Survived: 21 }, 'fail', '79 % (79 of 100 mutants found), at least 80% wanted'],
    [{ Killed: 8, Survived: 2, CompileError: 9, Ignored: 9 }, 'pass', '80 % (8 of 10 '],
  ] as const)('Stryker: %j: %s', async (counts, outcome, text) => {
    const result = await judge(
      { 'now.json': stryker({ 'src/oms.ts': counts }) },
      { at_least: 0.8 },
    );
    expect(result.outcome).toBe(outcome);
    expect(result.text).toContain(text.replace('80%', '0.8'));
  });

  it.each([
    [{ killed: 70, timeout: 9, segfault: 1, survived: 20, total: 100 }, 'pass'],
    [{ killed: 70, suspicious: 10, survived: 20, total: 100 }, 'fail'],
    [{ killed: 80, survived: 20, skipped: 50, total: 150 }, 'pass'],
    [{ killed: 80, survived: 5, no_tests: 20, total: 105 }, 'fail'],
  ])('mutmut: %j: %s', async (counts, outcome) => {
    const result = await judge({ 'now.json': mutmut(counts) }, { at_least: '80%' });
    expect(result.outcome).toBe(outcome);
  });

  it.each([
    [{ at_least: '80%' }, 'pass', '80 % (80 of 100 mutants found), at least 80% wanted'],
    [{ above: '80%' }, 'fail', '80 % (80 of 100 mutants found), above 80% wanted'],
    [{ above: '79.9%' }, 'pass', '80 % (80 of 100 mutants found), above 79.9% wanted'],
  ])('%j against exactly 80: %s', async (limit, outcome, text) => {
    const result = await judge(
      { 'now.json': mutmut({ killed: 80, survived: 20, total: 100 }) },
      limit,
    );
    expect([result.outcome, result.text]).toEqual([outcome, expect.stringContaining(text)]);
  });

  it('a baseline: points below it, not percent of it', async () => {
    const fields = { baseline: 'before.json', drop_max: '5%' };
    const before = mutmut({ killed: 90, total: 100 });
    const at = (killed: number) =>
      judge({ 'now.json': mutmut({ killed, total: 100 }), 'before.json': before }, fields);
    expect(await at(85)).toMatchObject({
      outcome: 'pass',
      text: '85 % (85 of 100 mutants found), 90 % before, at most 5 points less wanted',
    });
    expect(await at(84)).toMatchObject({ outcome: 'fail' });
    expect(await at(99)).toMatchObject({ outcome: 'pass' });
  });

  it('each critical package by itself, also when the whole is better', async () => {
    const now = stryker({
      'src/oms/book.ts': { Killed: 84, Survived: 16 },
      'src/risk/limit.ts': { Killed: 90, Survived: 10 },
      'src/web/page.ts': { Killed: 1_000 },
    });
    const before = stryker({
      'src/oms/book.ts': { Killed: 90, Survived: 10 },
      'src/risk/limit.ts': { Killed: 90, Survived: 10 },
    });
    const fields = { baseline: 'before.json', drop_max: '5%', packages: ['oms', 'risk'] };
    expect(await judge({ 'now.json': now, 'before.json': before }, fields)).toMatchObject({
      outcome: 'fail',
      text: 'oms 84 % (84 of 100 mutants found), 90 % before, at most 5 points less wanted',
    });
    const more = { ...fields, packages: ['oms', 'risk', 'positions'] };
    expect((await judge({ 'now.json': now, 'before.json': now }, more)).text).toBe(
      'now.json has no mutants of positions',
    );
  });

  it('a score anywhere in a JSON, by package', async () => {
    const now = JSON.stringify({ packages: { oms: { score: 81.5 }, risk: { score: '79.9' } } });
    const fields = {
      score: 'packages.{package}.score',
      packages: ['oms', 'risk'],
      at_least: '80%',
    };
    expect(await judge({ 'now.json': now }, fields)).toMatchObject({
      outcome: 'fail',
      text: 'risk 79.9 %, at least 80% wanted',
    });
  });

  it.each([
    ['{"score": 0.81}', { score: 'score' }, 'unknown', 'may be a share; write scale: share'],
    ['{"score": 0.81}', { score: 'score', scale: 'share' }, 'pass', '81 %, at least 80% wanted'],
    ['{"score": 81}', { score: 'score', scale: 'share' }, 'unknown', 'or write scale: percent'],
    ['{"score": 810}', { score: 'score' }, 'unknown', 'wanted a score from 0 to 100'],
    ['{"score": null}', { score: 'score' }, 'unknown', 'has no number at score'],
    ['{"score": 0}', { score: 'score' }, 'fail', '0 %, at least 80% wanted'],
  ])('%s with %j: %s', async (now, fields, outcome, text) => {
    const result = await judge({ 'now.json': now }, { ...fields, at_least: '80%' });
    expect(result.outcome).toBe(outcome);
    expect(result.text).toContain(text);
  });

  it('an old report fails, whatever it says', async () => {
    const folder = folderWith({ 'now.json': mutmut({ killed: 1, total: 1 }) });
    age(folder, 'now.json', 30);
    const mutation = { report: 'now.json', at_least: '80%', max_age: '24h' };
    expect(await carriedOut({ mutation }, { folder })).toMatchObject({
      outcome: 'fail',
      text: 'now.json is 1d6h old, at most 1d wanted',
    });
  });
});

describe('a mutation report that cannot be judged is unknown', () => {
  it.each([
    ['of a run that goes on', stryker({ 'a.ts': { Killed: 9, Pending: 1 } }), '1 mutants without'],
    ['without mutants', stryker({ 'a.ts': {} }), 'has no mutants'],
    ['without results', mutmut({}), 'has no mutants'],
    ['that was interrupted', mutmut({ check_was_interrupted_by_user: 2, total: 9 }), 'interrupted'],
    ['that counts wrong', mutmut({ killed: 9, total: 3 }), 'counts more mutants found'],
    ['of something else', '{"passed": true}', 'is no mutation report that is known here'],
    ['that is a list', '[]', 'is no mutation report that is known here'],
    ['that is cut off', stryker({ 'a.ts': { Killed: 9 } }).slice(0, 300), 'is truncated JSON'],
    ['with NaN', '{"score": NaN}', 'holds NaN or Infinity, which is no JSON'],
    [
      'with a foreign status',
      stryker({ 'a.ts': { Killed: 9, __proto__x: 1 } }),
      'without a result',
    ],
  ])('%s', async (_, body, reason) => {
    const result = await judge({ 'now.json': body }, { at_least: '1%' });
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain(reason);
  });

  it('a baseline that is missing', async () => {
    const fields = { baseline: 'before.json', drop_max: '5%' };
    const result = await judge({ 'now.json': mutmut({ killed: 1, total: 1 }) }, fields);
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain('the baseline before.json is missing');
  });

  it('packages in a report that has none', async () => {
    const fields = { at_least: '1%', packages: ['oms'] };
    const result = await judge({ 'now.json': mutmut({ killed: 1, total: 1 }) }, fields);
    expect(result.text).toContain('has no packages, as mutmut counts the whole');
  });
});

describe('a mistake in mutation', () => {
  it.each([
    [{ report: 'a' }, 'at_least or above, drop_max or both; add one'],
    [{ report: 'a', at_least: '5%', above: '5%' }, 'one of at_least and above; keep one'],
    [{ report: 'a', drop_max: '5%' }, 'baseline and drop_max together; add the other one'],
    [{ report: 'a', at_least: '5%', baseline: 'b' }, 'baseline and drop_max together'],
    [{ report: 'a', at_least: 1, score: 's', packages: ['x'] }, 'a path with {package} in it'],
  ])('%j', (written, problem) => {
    expect(problemsOf({ mutation: written })[0]).toContain(problem);
  });
});
