import { describe, expect, it } from 'vitest';
import { hasPostgres } from '../../support/postgres.ts';
import { hasPrometheus } from '../../support/prometheus.ts';
import { dayAgo } from '../../support/tool-reports.ts';
import type { Environment } from './environment.ts';
import { describeGate } from './gate-suite.ts';
import { LUNIA, type LuniaOwn } from './lunia.ts';
import { LUNIA_TURNS } from './lunia-turns.ts';
import type { Change } from './world.ts';

describe.skipIf(!hasPostgres() || !hasPrometheus())('the gate lunia', () => {
  describeGate<LuniaOwn>({ setup: LUNIA, turns: LUNIA_TURNS, more: describeDecisions });
});

/** Written into the gate, until so many days ago. */
function waived(daysAgo: number): Change {
  const waiver = {
    ...{ criterion: 'playwright', by: 'Ada King', until: dayAgo(daysAgo) },
    reason: 'no Chromium on this host; run by hand, OPS-7',
  };
  return {
    files: { 'artifacts/junit/playwright.xml': null },
    gate: [['\ndecision: ', `\nwaivers: [${JSON.stringify(waiver)}]\ndecision: `]],
  };
}

function describeDecisions(environment: () => Environment<LuniaOwn>): void {
  it('names each role that has not signed, and the next step', async () => {
    const roles = ['release_manager', 'security_lead', 'product_owner'];
    const record = await environment().run({}, { unsigned: roles });
    expect(record.decision).toBe('no_go');
    expect(record.reasons.slice(1)).toEqual(
      roles.map((role) => `green ${role} is unknown: nobody has signed as ${role}`),
    );
    expect(record.next).toBe('canaryd start lunia --version v3.2.0 --wait');
  });

  it('is GO without Chromium while a waiver holds, and tells who waived it', async () => {
    const record = await environment().run(waived(-7));
    expect(record.decision).toBe('go');
    expect(record.reasons.at(-1)).toMatch(
      /^green playwright is unknown: .* is missing.*; waived by Ada King until .*: no Chromium/,
    );
  });

  it('is NO-GO when the waiver has expired, and says since when', async () => {
    const record = await environment().run(waived(1));
    expect(record.decision).toBe('no_go');
    expect(record.reasons[1]).toMatch(
      /^green playwright is unknown: .*; the waiver by Ada King has expired on \d{4}-/,
    );
  });
}
