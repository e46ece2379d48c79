import { beforeAll, describe, expect, it } from 'vitest';
import { hasPostgres } from '../../support/postgres.ts';
import { hasPrometheus } from '../../support/prometheus.ts';
import type { Also, Environment } from './environment.ts';
import { describeGate } from './gate-suite.ts';
import { fillDatabase, SPARK, type SparkOwn } from './spark.ts';
import { SPARK_TURNS } from './spark-turns.ts';
import type { Change } from './world.ts';

const RISK = 'rollback by hand is ready; losses are bounded by the limit';
const CTO: Also = { criterion: 'override', role: 'cto', name: 'Ada King', note: RISK };
const SENIOR: Also = { ...CTO, role: 'senior_engineer', name: 'Grace Moore' };
const OTHER: Also = { ...CTO, role: 'senior_engineer', name: 'Joan Clarke' };
const REVIEW: Also = { criterion: 'review', role: 'cto', name: 'Ada King' };

/** Section 5 is not met; with the second one, neither is section 6. */
const ONE: Change = { sites: { web: { 'POST /api/csp-report': { status: 500 } } } };
const TWO: Change = {
  sites: { ...ONE.sites, api: { 'GET /api/features/status': { status: 500, body: '{}' } } },
};

describe.skipIf(!hasPostgres() || !hasPrometheus())('the gate spark', () => {
  describeGate<SparkOwn>({
    setup: SPARK,
    turns: SPARK_TURNS,
    withoutOne: 'review',
    more: (environment) => {
      beforeAll(() => fillDatabase(environment().at.postgres));
      describeDecisions(environment);
    },
  });
});

function describeDecisions(environment: () => Environment<SparkOwn>): void {
  const run = (change: Change, also: readonly Also[]) => environment().run(change, { also });

  it('is a review with 9 of 10 sections, and GO when the CTO approves', async () => {
    expect(await run(ONE, [])).toMatchObject({
      decision: 'review',
      reasons: [
        '9 of 10 sections met (GO from 10, review from 9)',
        'review: approval wanted of 1 cto',
        expect.stringMatching(/^green csp_report is not met: .* status 500, status 204 wanted$/),
      ],
    });
    const approved = await run(ONE, [REVIEW]);
    expect(approved).toMatchObject({ decision: 'go', approvals: [{ name: 'Ada King' }] });
    expect(approved.reasons[1]).toBe('review approved by Ada King (cto)');
  });

  it.each([
    ['somebody else', { ...REVIEW, role: 'release_manager' }, '0 of 1 cto'],
    ['a CTO who approved two days ago', { ...REVIEW, hoursAgo: 48 }, 'Ada King has expired'],
  ])('stays a review when %s approves', async (_, approval, text) => {
    const record = await run(ONE, [approval]);
    expect(record.decision).toBe('review');
    expect(record.reasons[1]).toContain(text);
  });

  it('is NO-GO with 8 of 10 sections, whoever approves a review', async () => {
    const record = await run(TWO, [REVIEW]);
    expect(record).toMatchObject({ decision: 'no_go', override: null, next: expect.any(String) });
    expect(record.reasons[0]).toBe('8 of 10 sections met (GO from 10, review from 9)');
  });

  it('is GO in an emergency, with three approvals and the risk in words', async () => {
    const record = await run(TWO, [CTO, SENIOR, OTHER]);
    expect(record).toMatchObject({
      decision: 'go',
      override: {
        approvals: [{}, {}, {}],
        risk: `${RISK} (Ada King); ${RISK} (Grace Moore); ${RISK} (Joan Clarke)`,
      },
    });
    expect(record.reasons[0]).toBe(
      'OVERRIDE by Ada King (cto), Grace Moore (senior_engineer), ' +
        `Joan Clarke (senior_engineer); risk: ${record.override?.risk}`,
    );
  });

  it.each([
    ['two of the three approve', [CTO, SENIOR], '1 of 1 cto, 1 of 2 senior_engineer'],
    [
      'one person signs for two',
      [CTO, SENIOR, { ...SENIOR, name: 'grace  moore' }],
      '1 of 1 cto, 1 of 2 senior_engineer (each a different person)',
    ],
    [
      'the CTO signs as an engineer, too',
      [CTO, SENIOR, { ...SENIOR, name: 'Ada King' }],
      'each a different person',
    ],
    [
      'one of them has not written what is risked',
      [{ criterion: 'override', role: 'cto', name: 'Ada King' }, SENIOR, OTHER],
      'Ada King has written no risk assessment',
    ],
    ['an approval is two days old', [CTO, SENIOR, { ...OTHER, hoursAgo: 48 }], 'has expired'],
  ])('stays NO-GO in an emergency when %s', async (_, also: readonly Also[], text) => {
    const record = await run(TWO, also);
    expect(record).toMatchObject({ decision: 'no_go', override: null });
    expect(record.reasons[1]).toMatch(/^override not complete: /);
    expect(record.reasons[1]).toContain(text);
  });
}
