import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FakeGithub, type Run, startFakeGithub } from '../../support/fake-github.ts';
import { carriedOut, made, problemsOf } from '../../support/gate-check.ts';

const HOUR = 3_600_000;
const workflows = ['contract-chaos-tests.yml', 'headers-smoke.yml'];
const repository = 'acme/aurora';
const nowMs = Date.now();

const run = (file: string, hoursAgo: number, more: Partial<Run> = {}): Run => ({
  file,
  createdMs: nowMs - hoursAgo * HOUR,
  ...more,
});
const good = [
  run('contract-chaos-tests.yml', 30, { conclusion: 'failure' }),
  run('contract-chaos-tests.yml', 2),
  run('headers-smoke.yml', 3),
  run('nightly.yml', 5),
];

let github: FakeGithub;
beforeAll(async () => {
  github = await startFakeGithub('/api/v3');
});
afterAll(() => github?.close());
beforeEach(() => {
  github.reset();
  github.setRuns(good);
});

const check = (more: object = {}, env: Record<string, string> = { GITHUB_TOKEN: github.token }) =>
  carriedOut(
    {
      github_runs: {
        ...{ repository, branch: 'main', workflows, max_age: '24h', token: '$GITHUB_TOKEN' },
        ...{ api: `${github.url}/api/v3`, ...more },
      },
    },
    { env },
  );

describe('the check github_runs', () => {
  it.each([
    ['a fork', 'eve/aurora'],
    ['a fork that is gone', null],
  ])('does not count runs of %s whose branch has the same name', async (_, fork) => {
    const foreign = { fork, event: 'pull_request' };
    github.setRuns([
      run('contract-chaos-tests.yml', 1, { ...foreign }),
      run('contract-chaos-tests.yml', 2, { conclusion: 'failure' }),
      run('headers-smoke.yml', 1, { ...foreign, conclusion: 'failure' }),
      run('headers-smoke.yml', 3),
      run('nightly.yml', 1, { ...foreign, conclusion: 'failure' }),
    ]);
    expect(await check()).toMatchObject({
      outcome: 'fail',
      text: 'contract-chaos-tests.yml #2 ended with failure, 2h ago',
    });
  });

  it('looks behind a page full of runs of forks', async () => {
    const many = Array.from({ length: 150 }, (__, at) =>
      run('headers-smoke.yml', at / 100, { fork: 'eve/aurora' }),
    );
    github.setRuns([...good, ...many]);
    expect((await check({ workflows: ['headers-smoke.yml'], none_failed: false })).text).toBe(
      'headers-smoke.yml #3 succeeded 3h ago',
    );
  });

  it('passes when the last run of each workflow succeeded in time', async () => {
    const result = await check();
    expect(result).toMatchObject({
      outcome: 'pass',
      details: [
        'contract-chaos-tests.yml #2 succeeded 2h ago',
        'headers-smoke.yml #3 succeeded 3h ago',
        'none of 1 other workflows on main pending or failed',
      ],
    });
    expect(JSON.parse(String(result.exhibits[0]?.body))).toMatchObject({ repository });
    expect(github.requests[0]?.headers).toMatchObject({
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2022-11-28',
    });
  });

  it.each([
    [
      run('headers-smoke.yml', 1, { conclusion: 'failure' }),
      'headers-smoke.yml #5 ended with failure',
    ],
    [run('headers-smoke.yml', 1, { conclusion: 'timed_out' }), '#5 ended with timed out'],
    [run('headers-smoke.yml', 1, { conclusion: 'cancelled' }), '#5 ended with cancelled'],
    [run('headers-smoke.yml', 1, { conclusion: 'skipped' }), '#5 was skipped, success wanted'],
    [run('headers-smoke.yml', 1, { status: 'in_progress' }), '#5 is in progress'],
    [run('headers-smoke.yml', 1, { status: 'queued' }), '#5 is queued'],
    [run('nightly.yml', 1, { conclusion: 'failure' }), 'nightly.yml #5 ended with failure'],
    [run('other.yml', 1, { status: 'waiting' }), 'other.yml #5 is waiting'],
  ])('fails for the last run %o', async (last, complaint) => {
    github.setRuns([...good, last]);
    const result = await check();
    expect([result.outcome, result.text]).toEqual(['fail', expect.stringContaining(complaint)]);
  });

  it('fails when the last success is too old', async () => {
    github.setRuns([run('contract-chaos-tests.yml', 25), run('headers-smoke.yml', 3)]);
    expect(await check()).toMatchObject({
      outcome: 'fail',
      text: 'contract-chaos-tests.yml #1 succeeded 1d1h ago, within 24h wanted',
    });
    expect(await check({ max_age: '26h' })).toMatchObject({ outcome: 'pass' });
  });

  it('takes the time of the last attempt', async () => {
    const again = run('contract-chaos-tests.yml', 30, { startedMs: nowMs - HOUR });
    github.setRuns([again, run('headers-smoke.yml', 3)]);
    expect(await check()).toMatchObject({ outcome: 'pass' });
  });

  it('fails for a workflow that never ran on the branch', async () => {
    github.setRuns([...good.slice(0, 2), run('headers-smoke.yml', 1, { branch: 'dev' })]);
    const result = await check();
    expect(result).toMatchObject({ outcome: 'fail', text: 'headers-smoke.yml has no run on main' });
  });

  it('looks at runs of a commit, and does not look at others when told so', async () => {
    const failed = run('nightly.yml', 1, { conclusion: 'failure' });
    github.setRuns([...good, failed]);
    expect(await check({ none_failed: false })).toMatchObject({ outcome: 'pass' });
    const result = await check({ commit: '${version}', workflows: ['headers-smoke.yml'] });
    expect(result.text).toBe('headers-smoke.yml has no run on main');
  });

  it('asks which branch is the default one', async () => {
    expect(await check({ branch: undefined })).toMatchObject({ outcome: 'pass' });
    expect(github.requests[0]?.path).toBe('/api/v3/repos/acme/aurora');
  });

  it('looks at every page of other workflows', async () => {
    const many = Array.from({ length: 150 }, () => run('nightly.yml', 1));
    const old = run('rare.yml', 20, { conclusion: 'failure' });
    github.setRuns([...good, ...many, old]);
    const result = await check();
    expect(result).toMatchObject({ outcome: 'fail' });
    expect(result.text).toContain('rare.yml #155 ended with failure');
  });
});

describe('the check github_runs is unknown', () => {
  it.each([
    [401, { message: 'Bad credentials' }, {}, 'HTTP 401: the token was refused (Bad credentials)'],
    [403, { message: 'Resource not accessible' }, {}, 'HTTP 403: the token may not read Actions'],
    [403, {}, { 'x-ratelimit-remaining': '0' }, 'the rate limit is used up'],
    [429, {}, { 'retry-after': '120' }, 'the rate limit is used up; again in 2m'],
    [502, '<html>', {}, 'HTTP 502'],
    [200, '<html>sign in</html>', {}, 'no JSON of the API: is the base URL right?'],
    [200, { workflow_runs: [{ id: 1 }] }, {}, 'the answer is no list of runs'],
  ])('for HTTP %i %o', async (status, body, headers, reason) => {
    github.respondOnce(status, body, headers as Record<string, string>);
    const result = await check({ none_failed: false, workflows: ['headers-smoke.yml'] });
    expect([result.outcome, result.text]).toEqual(['unknown', expect.stringContaining(reason)]);
  });

  it('for a token that is wrong, missing or not there, which it does not show', async () => {
    const wrong = ['ghp', 'wrong0123456789'].join('_');
    const refused = await check({}, { GITHUB_TOKEN: wrong });
    expect(refused).toMatchObject({ outcome: 'unknown' });
    expect(JSON.stringify(refused)).not.toContain(wrong);
    const missing = await check({}, {});
    expect(missing.text).toContain('the secret $GITHUB_TOKEN has no value');
    const none = await check({ token: undefined });
    expect(none.text).toContain('or it is private: give a token');
  });

  it('for a workflow that is not there', async () => {
    const result = await check({ workflows: ['nobody.yml'] });
    expect(result).toMatchObject({ outcome: 'unknown' });
    expect(result.text).toContain('there is no workflow nobody.yml, or the token may not see it');
  });

  it('when GitHub is silent, cuts the connection or is not reachable', async () => {
    github.hang();
    const silent = await check({ timeout: '150ms', workflows: ['headers-smoke.yml'] });
    expect(silent).toMatchObject({ outcome: 'unknown' });
    expect(silent.text).toMatch(/no answer/);
    github.down();
    expect(await check()).toMatchObject({ outcome: 'unknown' });
    const result = await check({ api: 'http://127.0.0.1:1' });
    expect(result.text).toContain('127.0.0.1:1: connection refused');
  });

  it('when nothing at all has run', async () => {
    github.setRuns([]);
    const result = await check({ workflows: undefined });
    expect(result).toMatchObject({ outcome: 'unknown', text: 'no workflow has run on main' });
  });
});

describe('the check github_runs as it is written', () => {
  it('says in a sentence what is wanted', () => {
    const github_runs = { repository, branch: 'main', workflows, max_age: '24h' };
    expect(made({ github_runs }).wants).toBe(
      'acme/aurora on main: contract-chaos-tests.yml, headers-smoke.yml succeeded within 24h, ' +
        'none pending or failed',
    );
  });

  it.each([
    [{ repository: 'aurora' }, 'repository: found "aurora"; wanted a repository as owner/name'],
    [{ repository: 'a/..' }, 'wanted a repository as owner/name'],
    [{ repository, none_failed: false }, 'wanted workflows, or none_failed: true; add one'],
    [{ repository, workflows: ['../a.yml'] }, 'wanted the file name of a workflow'],
    [{ repository, token: 'abc' }, 'found a value that is not shown here; wanted the name of a'],
  ])('refuses %o', (github_runs, problem) => {
    expect(problemsOf({ github_runs }).join('\n')).toContain(problem);
  });
});
