import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { cli } from '../support/cli.ts';

const GATE = `
title: Aurora testnet GO / NO-GO
service: aurora
environment: testnet
criteria:
  green:
    - id: variables
      title: Configuration
      checks: [{ env: { required: [AURORA_MODE] } }]
    - { id: review_done, title: Code review complete, sign_off: { role: engineering_lead } }
  yellow:
    - { id: docs, title: "Docs @team", checks: [{ env: { required: [DOCS] } }] }
decision: { yellow_unmitigated_max: 2 }
override: { approvals: { cto: 1, senior_engineer: 2 } }
next: canaryd start aurora --version \${version} --wait
`;

const COUNTED = '{ count: criteria, go: 2, review: { from: 1, approvals: { cto: 1 } } }';

let folder = '';
let gate = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'canaryd-gate-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  gate = join(folder, 'aurora.yaml');
  writeFileSync(gate, GATE);
});

type Setup = Partial<Parameters<typeof cli>[0]>;

async function run(argv: readonly string[], setup: Setup = {}) {
  const one = cli({ server: 'http://127.0.0.1:1', clock: systemClock, ...setup });
  const code = await one.run('gate', ...argv, '--evidence', join(folder, 'evidence'));
  return { code, out: one.out(), err: one.err(), json: one.json };
}

const decide = (more: readonly string[] = [], setup: Setup = {}) =>
  run([gate, '--version', '2.1.0', ...more], { env: { AURORA_MODE: 'testnet' }, ...setup });
const sign = (...more: readonly string[]) =>
  run(['sign', gate, 'review_done', '--name', 'Ada', '--version', '2.1.0', ...more]);
const asLead = ['--role', 'engineering_lead'];
const folders = () => {
  const names = readdirSync(join(folder, 'evidence')).filter((name) => name !== 'sign-offs.jsonl');
  return names.map((name) => join(folder, 'evidence', name));
};

describe('canaryd gate', () => {
  it('is NO-GO and exits with 1 while a signature is missing, and says whose', async () => {
    const { code, out } = await decide();
    expect(code).toBe(1);
    expect(out).toContain('✓ variables/env: AURORA_MODE is set');
    expect(out).toContain('NO-GO: aurora 2.1.0 (testnet)');
    expect(out).toContain('green review_done is unknown: nobody has signed as engineering_lead');
    expect(out).not.toContain('Next:');
  });

  it('is GO and exits with 0 once it is signed, names the next step, and keeps evidence', async () => {
    expect((await sign(...asLead)).code).toBe(0);
    const { code, out } = await decide();
    expect(code).toBe(0);
    expect(out).toContain('GO: aurora 2.1.0 (testnet)');
    expect(out).toContain('Next: canaryd start aurora --version 2.1.0 --wait');
    const [kept = ''] = folders();
    expect(out).toContain(`Evidence: ${kept}`);
    expect(readFileSync(join(kept, 'sign-offs.json'), 'utf8')).toContain('"Ada"');
  });

  it('does not count a signature for another version', async () => {
    await sign(...asLead);
    const { code, out } = await run([gate, '--version', '2.1.1'], { env: { AURORA_MODE: 'x' } });
    expect(code).toBe(1);
    expect(out).toContain('Ada has signed version 2.1.0, not this one');
  });

  it('prints the record as JSON, with where the evidence is; progress goes to stderr', async () => {
    await sign(...asLead);
    const { json, err } = await decide(['--json']);
    expect(json()).toMatchObject({
      decision: 'go',
      deploy: { service: 'aurora', environment: 'testnet', version: '2.1.0' },
      criteria: [{ id: 'variables' }, { id: 'review_done' }, { id: 'docs', outcome: 'fail' }],
      evidence: { folder: folders()[0], sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(err).toContain('✗ docs/env: DOCS is not set');
  });

  it('says what a gate wants, and carries out nothing', async () => {
    const { code, out } = await run([gate, '--explain']);
    expect(code).toBe(0);
    expect(out).toContain('environment: AURORA_MODE set (at most 5s)');
    expect(out).toContain('signed by engineering_lead, valid 1d: Code review complete');
    expect(out).toContain('GO: all green met, no red holds, at most 2 yellow');
    expect(out).toContain('1 cto and 2 senior_engineer, valid 1d');
    expect(out).toContain('next: canaryd start aurora --version ${version} --wait');
    expect(readdirSync(folder)).toEqual(['aurora.yaml']);
  });

  it('decides nothing for a part of the gate: 3, or 1 when the part is not met', async () => {
    const good = await decide(['--only', 'variables']);
    expect([good.code, good.out]).toEqual([3, expect.stringContaining('Nothing decided: only a')]);
    const bad = await decide(['--only', 'variables, docs']);
    expect([bad.code, bad.out]).toEqual([1, expect.stringContaining('yellow docs: NOT MET')]);
    expect(readdirSync(folder)).toEqual(['aurora.yaml']);
  });

  it('decides nothing when interrupted, exits with 3 and leaves no evidence', async () => {
    const interrupted = AbortSignal.abort();
    const { code, out } = await decide([], { signal: interrupted });
    expect(code).toBe(3);
    expect(out).toContain('Nothing decided: interrupted');
    expect(readdirSync(folder)).toEqual(['aurora.yaml']);
  });

  it('is no GO when the evidence cannot be written, which is told', async () => {
    const signOffs = join(folder, 'signed.jsonl');
    await sign(...asLead, '--sign-offs', signOffs);
    writeFileSync(join(folder, 'evidence'), '');
    const { code, err } = await decide(['--sign-offs', signOffs]);
    expect(code).toBe(3);
    expect(err).toContain('the evidence cannot be written');
    expect(err).toContain('without it nothing is GO');
  });

  it('decides nothing when a signature cannot be read', async () => {
    const signOffs = join(folder, 'signed.jsonl');
    writeFileSync(signOffs, 'torn');
    const { code, err } = await decide(['--sign-offs', signOffs]);
    expect(code).toBe(2);
    expect(err).toContain(`${signOffs}: line 1 is no sign-off`);
  });

  it.each([
    [[], '--version: found nothing, wanted the version'],
    [['--version', ''], '--version: found ""; wanted 1 to 200 printable characters'],
    [['--version', ' \u00a0'], '--version: found " \u00a0"; wanted'],
    [['--version', '2.1.0 '], '--version: found "2.1.0 "; wanted'],
    [['--version', '1', '--service', ''], '--service: found ""; wanted'],
    [['--version', '1', '--environment', '  '], '--environment: found "  "; wanted'],
    [['--version', '1', '--only', 'vraiables'], '--only: found "vraiables"; wanted one of'],
  ])('refuses %j with 2', async (more, said) => {
    const { code, err } = await run([gate, ...more]);
    expect([code, err]).toEqual([2, expect.stringContaining(said)]);
  });

  it('refuses a gate with mistakes, all of them, with 2', async () => {
    writeFileSync(gate, `${GATE.replace('id: docs', 'id: variables')}surprise: 1\n`);
    const { code, err } = await decide();
    expect(code).toBe(2);
    expect(err).toContain('2 problems');
    expect(err).toContain('criteria.yellow[0].id: found "variables" a second time');
    expect(err).toContain('surprise: found a field that does not exist here');
  });

  it('looks for a name in config/gates', async () => {
    const { code, err } = await run(['aurora-nowhere', '--version', '1']);
    expect([code, err]).toEqual([2, expect.stringContaining('config/gates/aurora-nowhere.yaml')]);
  });

  it('draws what runs on a terminal, and plain lines elsewhere', async () => {
    expect((await decide([], { isTTY: true })).out).toContain('running: variables/env');
    expect((await decide()).out).not.toContain('running:');
  });
});

describe('the summary for GitHub', () => {
  const inGitHub = (more: Record<string, string> = {}) => ({
    env: {
      GITHUB_STEP_SUMMARY: join(folder, 'summary.md'),
      GITHUB_OUTPUT: join(folder, 'output'),
      ...more,
    },
  });

  it('is written in Actions, with an annotation; names of people notify nobody', async () => {
    const { err } = await decide([], inGitHub({ GITHUB_ACTIONS: 'true' }));
    const text = readFileSync(join(folder, 'summary.md'), 'utf8');
    expect(text).toContain('### canaryd gate: NO-GO: aurora 2.1.0 (testnet)');
    expect(text).toContain('| yellow | NOT MET | Docs &#64;team | docs |');
    expect(text).toContain('- green variables is not met: AURORA\\_MODE is not set');
    expect(err).toContain('::error title=canaryd gate::NO-GO: aurora 2.1.0 (testnet): 0 of 2');
    expect(readFileSync(join(folder, 'output'), 'utf8')).toBe(
      `decision=no_go\nevidence=${folders()[0]}\n`,
    );
  });

  it('is written elsewhere when it is asked for', async () => {
    const { err } = await decide(['--github-summary'], inGitHub());
    expect(readFileSync(join(folder, 'summary.md'), 'utf8')).toContain('NO-GO');
    expect(err).toBe('');
  });

  it('is not written elsewhere, and one that cannot be is told', async () => {
    await decide([], inGitHub());
    expect(readdirSync(folder)).not.toContain('summary.md');
    const { err, code } = await decide(['--github-summary']);
    expect([code, err]).toEqual([1, 'not written: GITHUB_STEP_SUMMARY is not set\n']);
  });
});

describe('canaryd gate sign and override', () => {
  it.each([
    [['sign', 'variables', '--role', 'x'], 'wanted one that is signed: review_done'],
    [['sign', 'review_done', '--role', 'cto'], 'that signs review_done: engineering_lead'],
    [['sign', 'review', '--role', 'cto'], 'has no review'],
    [['sign', 'override', '--role', 'cto'], 'wanted `canaryd gate override`'],
    [['override', '--role', 'qa', '--risk', 'none'], 'that signs override: cto, senior_engineer'],
    [['override', '--role', 'cto', '--risk', ' '], '--risk: found nothing'],
  ])('refuses %j', async ([verb = '', ...rest], said) => {
    const argv = [verb, gate, ...rest, '--name', 'Ada', '--version', '2.1.0'];
    const { code, err } = await run(argv);
    expect([code, err]).toEqual([2, expect.stringContaining(said)]);
    expect(readdirSync(folder)).toEqual(['aurora.yaml']);
  });

  it.each([
    ['', ''],
    ['v1', '  '],
  ])('signs no version %j in environment %j', async (version, environment) => {
    const who = ['--role', 'engineering_lead', '--name', 'Ada', '--version', version];
    const { code, err } = await run([
      ...['sign', gate, 'review_done', ...who],
      ...(environment === '' ? [] : ['--environment', environment]),
    ]);
    expect([code, err]).toEqual([2, expect.stringContaining('printable characters')]);
  });

  it('takes no name in two scripts', async () => {
    const { code, err } = await sign(...asLead, '--name', '\u0410da');
    expect([code, err]).toEqual([2, expect.stringContaining('letters of Latin and Cyrillic')]);
  });

  it('keeps the words that were signed', async () => {
    expect((await sign(...asLead)).code).toBe(0);
    const [line = ''] = readFileSync(join(folder, 'evidence', 'sign-offs.jsonl'), 'utf8').split(
      '\n',
    );
    expect(JSON.parse(line)).toMatchObject({ statement: 'Code review complete' });
  });

  it('takes no name without letters', async () => {
    const { code, err } = await sign(...asLead, '--name', '\u0007');
    expect([code, err]).toEqual([2, expect.stringContaining('--name: found 0 characters')]);
    const unseen = await sign(...asLead, '--name', '\u3164');
    expect([unseen.code, unseen.err]).toEqual([2, expect.stringContaining('which has no letters')]);
  });

  it.each([
    ['--version', '1  2'],
    ['--version', ' 2.1.0'],
    ['--service', 'auro\u200bra'],
    ['--environment', 'test\tnet'],
  ])('signs nothing else than what was written: %s %j', async (option, value) => {
    const { code, err } = await sign(...asLead, option, value);
    expect([code, err]).toEqual([2, expect.stringContaining(`${option}: found`)]);
    expect(readdirSync(folder)).toEqual(['aurora.yaml']);
  });

  it('an approval of a review names what it covers, and covers nothing else', async () => {
    const counted = GATE.replace('{ yellow_unmitigated_max: 2 }', COUNTED);
    writeFileSync(gate, counted);
    const approve = (...more: readonly string[]) =>
      run([
        'sign',
        gate,
        'review',
        '--role',
        'cto',
        '--name',
        'Ada',
        '--version',
        '2.1.0',
        ...more,
      ]);
    expect(await approve()).toMatchObject({
      ...{ code: 2, err: expect.stringContaining('--covers: found nothing, wanted the criteria') },
    });
    expect((await approve('--covers', 'docs')).err).toContain('--covers: found "docs"');
    expect((await approve('--covers', 'variables')).code).toBe(0);
    const { code, out } = await decide();
    expect([code, out]).toEqual([
      1,
      expect.stringContaining('Ada has approved variables, not review_done'),
    ]);
    expect((await approve('--covers', 'variables, review_done')).code).toBe(0);
    expect((await decide()).code).toBe(0);
  });

  it('three people with the risk in words turn NO-GO into GO', async () => {
    const people = [
      ['cto', 'Grace'],
      ['senior_engineer', 'Bob'],
      ['senior_engineer', 'Eve'],
    ];
    for (const [role = '', name = ''] of people) {
      expect((await decide()).code).toBe(1);
      const who = ['--role', role, '--name', name, '--version', '2.1.0'];
      expect((await run(['override', gate, ...who, '--risk', 'we lose more'])).code).toBe(0);
    }
    const { code, out } = await decide();
    expect(code).toBe(0);
    expect(out).toContain(
      'OVERRIDE by Grace (cto), Bob (senior_engineer), Eve (senior_engineer); risk: we lose more',
    );
  });
});

describe('canaryd gate verify', () => {
  const verify = (...more: readonly string[]) => {
    const one = cli({ server: 'http://127.0.0.1:1', clock: systemClock });
    const code = one.run('gate', 'verify', folders()[0] ?? '', ...more);
    return code.then((is) => ({ code: is, out: one.out(), err: one.err() }));
  };

  it('exits with 0 when nothing was changed, and with 1 when one byte was', async () => {
    const { out } = await decide();
    const hash = /Its hash: (\w+)/.exec(out)?.[1] ?? '';
    expect(await verify('--hash', hash)).toEqual({
      ...{ code: 0, err: '' },
      out: `4 files are as they were written; sha256 ${hash}\n`,
    });
    const path = join(folders()[0] ?? '', 'decision.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('no_go', 'no_gO'));
    expect(await verify()).toEqual({
      ...{ code: 1, out: '' },
      err: 'changed: decision.json has other bytes\n',
    });
  });

  it('exits with 1 when the whole is another than the one whose hash was kept', async () => {
    await decide();
    const { code, err } = await verify('--hash', '0'.repeat(64));
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/^changed: manifest\.json has the hash/),
    ]);
  });
});
