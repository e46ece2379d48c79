import { describe, expect, it } from 'vitest';
import { gateFile, line, problemLines, readText } from '../support/gate.ts';

const GOOD = `
title: Release
service: aurora
criteria:
  green:
    - id: reports
      title: Reports
      section: Quality
      checks: [{ env: { required: [A] } }, { env: { equals: { B: "\${version}" } } }]
    - { id: lead, title: Lead says so, sign_off: { role: engineering_lead } }
  red: [${line('outage')}]
decision: { yellow_unmitigated_max: 2 }
next: canaryd start aurora --version \${version} --wait
`;
const problems = (text: string) => problemLines(readText(text));

describe('a gate', () => {
  it('has its defaults, the deploy it is for, and the next step filled', () => {
    const { gate, deploy } = gateFile(GOOD);
    expect(gate).toMatchObject({
      ...{ name: 'release', service: 'aurora', environment: 'testnet' },
      ...{ timeoutMs: 1_800_000, checksAtOnce: 8, override: null, exemptions: [] },
      rule: { kind: 'levels', unmitigatedYellowsMax: 2 },
      next: 'canaryd start aurora --version 2.1.0 --wait',
    });
    expect(deploy).toEqual({
      ...{ service: 'aurora', environment: 'testnet', version: '2.1.0', parameters: {} },
    });
  });

  it('numbers the checks of one kind in a criterion, with placeholders filled', () => {
    const { checks = [] } = gateFile(GOOD).gate.criteria[0] ?? {};
    expect(checks.map(({ id, wants }) => `${id}: ${wants}`)).toEqual([
      'env: environment: A set',
      'env_2: environment: B = 2.1.0',
    ]);
  });

  it('takes the title as the statement, and a day as the time a signature counts', () => {
    const { signOffs } = gateFile(GOOD).gate.criteria[1] ?? {};
    expect(signOffs).toEqual([
      { role: 'engineering_lead', statement: 'Lead says so', validForMs: 86_400_000 },
    ]);
  });

  it('may use the range of an indicator in its PromQL, and nowhere else', () => {
    const promql = 'source: p, promql: "sum(rate(a[${range}]))", over: 5m, below: 1';
    const found = (url: string) =>
      problems(
        GOOD.replace(
          '{ env: { required: [A] } }',
          `{ indicator: { ${promql} } }, { http: { url: "http://h/${url}" } }`,
        ),
      );
    expect(found('ok').filter((line) => line.includes('placeholder'))).toEqual([]);
    expect(found('${range}').filter((line) => line.includes('placeholder'))).toEqual([
      expect.stringContaining('checks[1].http.url'),
    ]);
  });

  it('has another hash when one byte of the file is another', () => {
    const hash = gateFile(GOOD).gate.hash;
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(gateFile(`${GOOD} `).gate.hash).not.toBe(hash);
  });

  it('quotes a version that would be a command in the next step', () => {
    const read = readText(GOOD.replace('${version} --wait', '${tag} --wait'), {
      tag: "1; rm -rf '$HOME'",
    });
    expect(read).toMatchObject({
      gate: { next: `canaryd start aurora --version '1; rm -rf '\\''$HOME'\\''' --wait` },
    });
  });
});

describe('mistakes in a gate', () => {
  it('are told all at once, each with its place and what to do', () => {
    const text = `
title: Release
criteria:
  green:
    - { id: twin, title: One, checks: [{ env: { required: [] } }] }
    - { id: twin, title: Two, checks: [{ env: { required: [A], equals: { B: "\${colour}" } } }] }
    - { id: review, title: Three }
  red: [${line('outage')}]
decision: { count: sections, go: 9 }
waivers:
  - { criterion: outage, by: Ada, reason: no, until: 2026-12-01 }
  - { criterion: twim, by: Ada, reason: no, until: tomorrow }
`;
    expect(problems(text)).toEqual([
      'criteria.green[0].checks[0].env.required: found a list of 0; wanted a list of 1 to 100 names ' +
        'of environment variables',
      'criteria.green[2]: found a mapping; wanted checks, sign_off or sign_offs; add what shows ' +
        'that it is met',
      'waivers[1].until: found "tomorrow"; wanted a day such as 2026-12-01, or a time with ' +
        'offset such as 2026-12-01T12:00:00Z',
      'criteria.green[1].id: found "twin" a second time; wanted each id once; rename it',
      'criteria.green[2].id: found "review"; wanted another id: this one names approvals; ' +
        'rename it',
      'decision.go: found 9; wanted at most 2: there are no more green sections; correct it',
      'waivers[0].criterion: found "outage", which is red; wanted a green one; nothing waives a ' +
        'red one; remove it',
      'waivers[1].criterion: found "twim"; wanted the id of a green criterion (twin, review)' +
        '; did you mean twin?',
      'criteria.green[1].checks[0].env.equals.B: found the placeholder ${colour}; wanted one of ' +
        'service, environment, version; give it with --param colour=…, or correct it',
    ]);
  });

  it.each([
    ['decision: { yellow_unmitigated_max: 2, go: 3 }', 'decision.go: found it without count'],
    ['decision: { count: criteria }', 'decision.go: found nothing; wanted how many are GO'],
    [
      'decision: { count: criteria, go: 2, review: { from: 2, approvals: { cto: 1 } } }',
      'decision.review.from: found 2; wanted less than go (2)',
    ],
    ['decision: { count: criteria, go: 2, review: { from: 1, approvals: {} } }', '1 to 20 roles'],
    ['override: { approvals: { cto: 0 } }', 'override.approvals.cto: found 0; wanted a whole'],
    ['mitigations: [{ criterion: reports, by: A, reason: b, until: 2026-12-01 }]', 'under waivers'],
    ['criteria: {}', 'criteria: found no criteria; wanted at least one'],
    ['next: start ${versoin}', 'next: found the placeholder ${versoin}'],
    ['surprise: 1', 'surprise: found a field that does not exist here'],
  ])('%s', (written, said) => {
    const [field = ''] = written.split(':');
    const without = GOOD.replace(new RegExp(`^${field}:.*\\n(?: .*\\n)*`, 'm'), '');
    expect(problems(`${without}${written}\n`).join('\n')).toContain(said);
  });

  it('in the name of the file are told, unless the gate has a name', () => {
    const of = (text: string) => problemLines(readText(text, {}, 'go no-go'));
    expect(of(GOOD)).toEqual([
      'name: found the name of the file, "go no-go"; wanted letters, digits, dots, dashes and ' +
        'underscores; set "name" or rename the file',
    ]);
    expect(of(`name: release\n${GOOD}`)).toEqual([]);
  });

  it('in the YAML are told with their line', () => {
    expect(problems('title: [')[0]).toMatch(/^line 1, column \d+: found broken YAML/);
  });
});
