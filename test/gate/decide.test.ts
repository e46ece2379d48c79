// The rules of the decision, each as a scenario that reads like the checklist.
import { describe, expect, it } from 'vitest';
import { T0 } from '../support/build.ts';
import { DAY, decided, HOUR, line, signOff } from '../support/gate.ts';

const exempt = (field: string, criterion: string, until: string) =>
  `${field}: [{ criterion: ${criterion}, by: Ada, reason: tracked in OPS-7, until: "${until}" }]`;

describe('all green and no red is GO', () => {
  const AURORA = `
title: Aurora
criteria:
  green: [${line('coverage')}, ${line('unit_tests')}]
  yellow: [${line('latency')}, ${line('memory')}, ${line('flaky')}]
  red: [${line('health_failing')}, ${line('vulnerable')}]
decision: { yellow_unmitigated_max: 2 }
`;

  it('GO when everything passes', () => {
    const { decision, reasons } = decided(AURORA);
    expect(decision).toBe('go');
    expect(reasons).toEqual([
      '2 of 2 green met, no red holds, 0 yellows unmitigated (at most 2 wanted)',
    ]);
  });

  it('NO-GO when one green is not met, with what was found and wanted', () => {
    const { decision, reasons } = decided(AURORA, { found: { coverage: 'fail' } });
    expect(decision).toBe('no_go');
    expect(reasons).toEqual([
      '1 of 2 green met, no red holds, 0 yellows unmitigated (at most 2 wanted)',
      'green coverage is not met: 88 %, at least 90 % wanted',
    ]);
  });

  it('NO-GO when one red holds', () => {
    const { decision, reasons } = decided(AURORA, { found: { health_failing: 'fail' } });
    expect(decision).toBe('no_go');
    expect(reasons[1]).toBe('red health_failing holds: 88 %, at least 90 % wanted');
  });

  it.each(['coverage', 'health_failing'])('NO-GO when %s is unknown', (id) => {
    const { decision, reasons } = decided(AURORA, { found: { [id]: 'unknown' } });
    expect(decision).toBe('no_go');
    expect(reasons[1]).toMatch(`${id} is unknown: no report`);
  });

  it('GO with two yellows that are not met, and names them', () => {
    const found = { latency: 'fail', memory: 'unknown' } as const;
    const { decision, reasons } = decided(AURORA, { found });
    expect(decision).toBe('go');
    expect(reasons.slice(1)).toEqual([
      'yellow latency is not met: 88 %, at least 90 % wanted',
      'yellow memory is unknown: no report',
    ]);
  });

  it('NO-GO with three yellows that are not met; unknown is one of them', () => {
    const found = { latency: 'fail', memory: 'unknown', flaky: 'fail' } as const;
    const { decision, reasons } = decided(AURORA, { found });
    expect(decision).toBe('no_go');
    expect(reasons[0]).toContain('3 yellows unmitigated (at most 2 wanted)');
  });

  it('GO with three yellows of which one is mitigated in writing', () => {
    const found = { latency: 'fail', memory: 'fail', flaky: 'fail' } as const;
    const text = AURORA + exempt('mitigations', 'flaky', '2026-01-02');
    const { decision, reasons } = decided(text, { found });
    expect(decision).toBe('go');
    expect(reasons.at(-1)).toBe(
      'yellow flaky is not met: 88 %, at least 90 % wanted; mitigated by Ada until ' +
        '2026-01-03T00:00:00Z: tracked in OPS-7',
    );
  });

  it('NO-GO when that mitigation has expired, and says since when', () => {
    const found = { latency: 'fail', memory: 'fail', flaky: 'fail' } as const;
    const text = AURORA + exempt('mitigations', 'flaky', '2025-12-31');
    const { decision, reasons, criteria } = decided(text, { found });
    expect(decision).toBe('no_go');
    expect(reasons.find((reason) => reason.includes('flaky'))).toContain(
      'the mitigation by Ada has expired on 2026-01-01T00:00:00Z',
    );
    expect(criteria.every(({ exemption }) => exemption === null)).toBe(true);
  });

  it('GO when the green that is not met has been waived, and says by whom and until when', () => {
    const text = AURORA + exempt('waivers', 'coverage', '2026-01-01T00:00:01Z');
    const { decision, reasons } = decided(text, { found: { coverage: 'fail' } });
    expect(decision).toBe('go');
    expect(reasons[1]).toContain('waived by Ada until 2026-01-01T00:00:01Z: tracked in OPS-7');
  });

  it('NO-GO at the very moment at which the waiver ends', () => {
    const text = AURORA + exempt('waivers', 'coverage', '2026-01-01T00:00:00Z');
    const { decision, reasons } = decided(text, { found: { coverage: 'fail' } });
    expect(decision).toBe('no_go');
    expect(reasons[1]).toContain('the waiver by Ada has expired on 2026-01-01T00:00:00Z');
  });

  it('says first what stops: red, then green, then yellow; unknown after what is known', () => {
    const { reasons } = decided(AURORA, {
      found: {
        ...{ latency: 'fail', coverage: 'unknown', unit_tests: 'fail' },
        ...{ health_failing: 'unknown', vulnerable: 'fail' },
      },
    });
    expect(reasons.slice(1).map((reason) => reason.split(':')[0])).toEqual([
      'red vulnerable holds',
      'red health_failing is unknown',
      'green unit_tests is not met',
      'green coverage is unknown',
      'yellow latency is not met',
    ]);
  });
});

describe('blocking and non-blocking groups', () => {
  const MECH = `
title: Mech-Exo
criteria:
  green: [${line('backup_tested')}]
  yellow: [${line('dashboards')}, ${line('training')}, ${line('docs')}, ${line('load')}]
decision: { yellow_unmitigated_max: any }
`;
  const nothing = { dashboards: 'fail', training: 'fail', docs: 'unknown', load: 'fail' } as const;

  it('GO although no non-blocking one is met; they are named', () => {
    const { decision, reasons } = decided(MECH, { found: nothing });
    expect(decision).toBe('go');
    expect(reasons[0]).toBe('1 of 1 green met, 4 yellows unmitigated (which do not stop)');
    expect(reasons).toHaveLength(5);
  });

  it('NO-GO when a blocking one is not met', () => {
    expect(decided(MECH, { found: { backup_tested: 'fail' } }).decision).toBe('no_go');
  });
});

const TEN = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
const SPARK = `
title: Spark
criteria:
  green: [${TEN.map((id) => line(id)).join(', ')}, ${line('a_too', 'a')}]
decision: { count: sections, go: 10, review: { from: 9, approvals: { cto: 1 } } }
override: { approvals: { cto: 1, senior_engineer: 2 } }
`;

describe('10 of 10 is GO, 9 of 10 a review', () => {
  const cto = signOff('review', 'cto', 'Grace');

  it('GO with 10 of 10', () => {
    const { decision, reasons } = decided(SPARK);
    expect([decision, ...reasons]).toEqual([
      'go',
      '10 of 10 sections met (GO from 10, review from 9)',
    ]);
  });

  it('a section counts only when all its lines are met', () => {
    const { decision, reasons } = decided(SPARK, { found: { a_too: 'fail' } });
    expect(decision).toBe('review');
    expect(reasons).toEqual([
      '9 of 10 sections met (GO from 10, review from 9)',
      'review: approval wanted of 1 cto',
      'green a_too is not met: 88 %, at least 90 % wanted',
    ]);
  });

  it('unknown counts as not met', () => {
    expect(decided(SPARK, { found: { b: 'unknown' } }).decision).toBe('review');
  });

  it('GO with 9 of 10 and the approval of the CTO, who is named', () => {
    const { decision, reasons, approvals } = decided(SPARK, {
      found: { b: 'fail' },
      signed: [cto],
    });
    expect(decision).toBe('go');
    expect(reasons[1]).toBe('review approved by Grace (cto)');
    expect(approvals).toEqual([cto]);
  });

  it.each([
    [
      'another role',
      signOff('review', 'senior_engineer', 'Bob'),
      'approval wanted of 1 cto: 0 of 1',
    ],
    ['another version', { ...cto, version: '2.0.9' }, 'Grace has signed version 2.0.9'],
    ['another environment', { ...cto, environment: 'production' }, 'signed for production'],
    ['another gate', { ...cto, gate: 'other' }, 'approval wanted of 1 cto'],
    ['a day ago', { ...cto, atMs: T0 - DAY }, 'has expired: valid 1d, until 2026-01-01T00:00:00Z'],
    ['in the future', { ...cto, atMs: T0 + HOUR }, 'in the future: 2026-01-01T01:00:00Z'],
  ])('stays a review with an approval that does not count: %s', (_, signed, said) => {
    const { decision, reasons } = decided(SPARK, { found: { b: 'fail' }, signed: [signed] });
    expect(decision).toBe('review');
    expect(reasons[1]).toContain(said);
  });

  it('NO-GO with 8 of 10, also with the approval of the CTO', () => {
    const { decision } = decided(SPARK, { found: { b: 'fail', c: 'fail' }, signed: [cto] });
    expect(decision).toBe('no_go');
  });

  it('NO-GO with 10 of 10 while a red one holds', () => {
    const text = SPARK.replace('decision:', `  red: [${line('outage')}]\ndecision:`);
    const { decision, reasons } = decided(text, { found: { outage: 'fail' } });
    expect(decision).toBe('no_go');
    expect(reasons[0]).toBe('10 of 10 sections met (GO from 10, review from 9), 1 red not clear');
  });
});

describe('the approval of a review', () => {
  const approval = (covers: readonly string[]) => signOff('review', 'cto', 'Grace', { covers });

  it('is for the lines that it names, and for fewer', () => {
    expect(decided(SPARK, { found: { b: 'fail' }, signed: [approval(['b'])] }).decision).toBe('go');
    const both = approval(['a', 'b']);
    expect(decided(SPARK, { found: { b: 'unknown' }, signed: [both] }).decision).toBe('go');
  });

  it('is for no other line that has failed since', () => {
    const { decision, reasons } = decided(SPARK, {
      ...{ found: { c: 'fail' }, signed: [approval(['b'])] },
    });
    expect(decision).toBe('review');
    expect(reasons[1]).toContain('Grace has approved b, not c');
  });
});

describe('emergency override', () => {
  const risk = { note: 'we lose more by waiting' };
  const cto = signOff('override', 'cto', 'Grace', risk);
  const bob = signOff('override', 'senior_engineer', 'Bob', { note: 'orders may wait' });
  const eve = signOff('override', 'senior_engineer', 'Eve', { note: 'none seen' });
  const found = { b: 'fail', c: 'unknown' } as const;

  it('CTO and two senior engineers turn NO-GO into GO; they and the risk are named', () => {
    const { decision, reasons, override } = decided(SPARK, { found, signed: [cto, bob, eve] });
    expect(decision).toBe('go');
    expect(reasons[0]).toBe(
      'OVERRIDE by Grace (cto), Bob (senior_engineer), Eve (senior_engineer); ' +
        'risk: we lose more by waiting (Grace); orders may wait (Bob); none seen (Eve)',
    );
    expect(reasons[1]).toContain('8 of 10 sections met');
    expect(override?.approvals).toEqual([cto, bob, eve]);
  });

  it.each([
    ['one senior engineer', [cto, bob], '1 of 1 cto, 1 of 2 senior_engineer'],
    ['the same one twice', [cto, bob, { ...bob, name: ' bob' }], '1 of 2 senior_engineer'],
    [
      'the CTO as a senior engineer, too',
      [cto, bob, signOff('override', 'senior_engineer', 'GRACE.', risk)],
      '1 of 2 senior_engineer',
    ],
    ['no CTO', [bob, eve], '0 of 1 cto, 2 of 2 senior_engineer'],
    ['one that has expired', [cto, bob, { ...eve, atMs: T0 - 2 * DAY }], 'of Eve has expired'],
    ['no risk assessment', [{ ...cto, note: ' ' }, bob, eve], 'Grace has written no risk'],
    ['one risk for three', [cto, bob, { ...eve, note: null }], 'Eve has written no risk'],
    ['Bob in two spellings', [cto, bob, { ...bob, name: 'B.ob ' }], '1 of 2 senior_engineer'],
    ['Bob in two scripts', [cto, bob, { ...bob, name: 'B\u043eb' }], 'Latin and Cyrillic'],
  ])('is not complete with %s', (_, signed, said) => {
    const { decision, reasons, override } = decided(SPARK, { found, signed });
    expect(decision).toBe('no_go');
    expect(override).toBeNull();
    expect(reasons.find((reason) => reason.startsWith('override not complete'))).toContain(said);
  });

  it('finds the places of people who have signed for two roles', () => {
    const also = signOff('override', 'cto', 'Bob', { ...risk, atMs: T0 - 1_000 });
    const { decision } = decided(SPARK, { found, signed: [also, cto, bob, eve] });
    expect(decision).toBe('go');
  });

  it('does nothing to a red one, nor to one that is unknown', () => {
    const text = SPARK.replace('decision:', `  red: [${line('outage')}]\ndecision:`);
    const signed = [cto, bob, eve];
    const { decision, reasons } = decided(text, { found: { outage: 'unknown' }, signed });
    expect(decision).toBe('no_go');
    expect(reasons).toContain('override without effect: a red criterion cannot be overridden');
  });

  it('is not there when the gate has none', () => {
    const text = SPARK.replace(/^override.*$/m, '');
    expect(decided(text, { found, signed: [cto, bob, eve] }).decision).toBe('no_go');
  });
});

describe('a line that people sign', () => {
  const SIGNED = `
title: Release
criteria:
  green:
    - id: review_done
      title: Code review complete
      sign_offs: [{ role: engineering_lead, valid_for: 2h }, { role: qa_lead }]
decision: { yellow_unmitigated_max: 0 }
`;
  const ada = signOff('review_done', 'engineering_lead', 'Ada');
  const kim = signOff('review_done', 'qa_lead', 'Kim');

  it('is not signed by whoever has signed other words', () => {
    const words = 'Code  review complete';
    const same = decided(SIGNED, { signed: [{ ...ada, statement: words }, kim] });
    expect(same.decision).toBe('go');
    const text = SIGNED.replace('Code review complete', 'Code review of all services complete');
    const { decision, reasons } = decided(text, { signed: [{ ...ada, statement: words }, kim] });
    expect(decision).toBe('no_go');
    expect(reasons[1]).toContain(
      'nobody has signed as engineering_lead: Ada has signed other words: "Code review complete"',
    );
  });

  it('is met when all have signed, and the record has who and until when', () => {
    const { decision, criteria } = decided(SIGNED, { signed: [ada, kim] });
    expect(decision).toBe('go');
    expect(criteria[0]?.signOffs[0]).toMatchObject({
      signed: ada,
      text: 'signed by Ada as engineering_lead, valid until 2026-01-01T01:00:00Z',
    });
  });

  it('is unknown while one has not', () => {
    const { decision, reasons } = decided(SIGNED, { signed: [kim] });
    expect(decision).toBe('no_go');
    expect(reasons[1]).toBe('green review_done is unknown: nobody has signed as engineering_lead');
  });

  it('is unknown once a signature has expired, and says whose and when', () => {
    const old = { ...ada, atMs: T0 - 2 * HOUR };
    const { decision, reasons, criteria } = decided(SIGNED, { signed: [old, kim] });
    expect(decision).toBe('no_go');
    expect(reasons[1]).toContain(
      'the signature of Ada has expired: valid 2h, until 2026-01-01T00:00:00Z',
    );
    expect(criteria[0]?.signOffs[0]?.signed).toBeNull();
  });

  it('counts when somebody has signed again', () => {
    const old = { ...ada, atMs: T0 - 5 * HOUR };
    expect(decided(SIGNED, { signed: [ada, old, kim] }).decision).toBe('go');
  });
});
