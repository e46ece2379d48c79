// What people are told of a decision of a gate, whom, and when.
import { describe, expect, it } from 'vitest';
import { gateMessage, planGateMessages } from '../../src/core/gate-message.ts';
import type { SignOff } from '../../src/core/gate-record.ts';
import { NO_ROUTING, type Route } from '../../src/core/route.ts';
import { T0 } from '../support/build.ts';
import { signOff } from '../support/gate.ts';
import { aDecision, type Decided } from '../support/gate-decision.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const told = (decided: Decided = {}) => gateMessage(aDecision(decided), null);
const fail = ['fail', 'lines 88 %, at least 90 % wanted'] as const;
const unknown = ['unknown', 'no report'] as const;

const bySpark = (criterion: string, role: string, name: string, note: string | null = null) =>
  signOff(criterion, role, name, { gate: 'spark', environment: 'production', note });
const OVERRIDE: readonly SignOff[] = [
  bySpark('override', 'cto', 'Carol', 'the headers are set at the edge'),
  bySpark('override', 'senior_engineer', 'Dave', 'small'),
  bySpark('override', 'senior_engineer', 'Erin', 'small'),
];

describe('the message of a decision', () => {
  it('says GO with how much was met and what comes next, without noise', () => {
    expect(told()).toMatchObject({
      kind: 'gate.decided',
      severity: 'info',
      headline: 'GO aurora 2.1.0 (testnet): all 47 criteria met',
      next: 'canaryd start aurora --environment testnet --version 2.1.0 --wait --param deploy_capital=100000 --param expected_positions=10',
      watchId: '',
      gate: { name: 'aurora-testnet', decision: 'go', isOverridden: false },
    });
  });

  it('says first, and not quietly, which signatures nobody has given here', () => {
    const notSignedHere = [bySpark('review', 'cto', 'Carol'), bySpark('csp', 'qa_lead', 'Dave')];
    const message = gateMessage(aDecision({}, { notSignedHere }), null);
    expect(message.severity).toBe('warning');
    expect(message.lines[0]).toBe('Not signed here: Carol (cto, review), Dave (qa_lead, csp)');
  });

  it('says NO-GO with how much is missing, why, and what to do', () => {
    expect(told({ found: { test_coverage: fail, xai_log_integrity: unknown } })).toMatchObject({
      severity: 'warning',
      headline: 'NO-GO aurora 2.1.0 (testnet): 2 of 47 criteria not met',
      lines: [
        '21 of 23 green met, no red holds, 0 yellows unmitigated (at most 2 wanted)',
        'green test_coverage is not met: lines 88 %, at least 90 % wanted',
        'green xai_log_integrity is unknown: no report',
      ],
      next: 'Do not deploy. Mend or sign what is named above, then carry aurora-testnet out again.',
    });
  });

  it('names red and yellow ones in the headline, red first in the lines', () => {
    const found = { test_coverage: fail, flaky_tests: fail, vulnerability: fail };
    const message = told({ found });
    expect(message.headline).toBe(
      'NO-GO aurora 2.1.0 (testnet): 3 of 47 criteria not met (1 red, 1 yellow)',
    );
    expect(message.lines[1]).toMatch(/^red vulnerability holds/);
  });

  it('says of a review that it is no GO yet', () => {
    const message = told({ gate: 'spark', found: { csp: fail } });
    expect(message).toMatchObject({
      severity: 'warning',
      headline: 'REVIEW spark 2.1.0 (production): 1 of 49 criteria not met',
      next: 'Do not deploy before the review is approved: sign it, then carry spark out again.',
    });
    expect(message.lines).toContain('review: approval wanted of 1 cto');
  });

  it('says of an approved review that people made it a GO', () => {
    const signed = [bySpark('review', 'cto', 'Carol')];
    expect(told({ gate: 'spark', found: { csp: fail }, signed })).toMatchObject({
      severity: 'info',
      headline: 'GO AFTER REVIEW spark 2.1.0 (production): 1 of 49 criteria not met',
    });
  });

  it('is a warning when an override made it a GO, with who took which risk', () => {
    const found = { csp: fail, artifacts_exist: fail, api_latency: fail };
    const message = told({ gate: 'spark', found, signed: OVERRIDE });
    expect(message).toMatchObject({
      severity: 'warning',
      headline: expect.stringContaining('GO BY OVERRIDE spark 2.1.0 (production)'),
      gate: { decision: 'go', isOverridden: true },
    });
    expect(message.lines[0]).toBe(
      'OVERRIDE by Carol (cto), Dave (senior_engineer), Erin (senior_engineer); risk: the headers are set at the edge (Carol); small (Dave); small (Erin)',
    );
  });

  it('names eight reasons, and says how many are left out', () => {
    const reasons = Array.from({ length: 15 }, (_, index) => `reason ${index + 1} `.repeat(80));
    const { lines } = gateMessage(aDecision({}, { reasons }), null);
    expect(lines).toHaveLength(9);
    expect(lines.at(-1)).toBe('… and 7 more');
    expect(lines[0]).toHaveLength(300);
  });

  it('keeps the figures on a lock screen, whatever the service and the version are called', () => {
    const record = aDecision({ found: { test_coverage: fail } });
    const deploy = { ...record.deploy, service: 's'.repeat(200), version: 'v 1\n2 '.repeat(50) };
    const { headline } = gateMessage({ ...record, deploy }, null);
    expect(headline).toMatch(/^NO-GO s{39}… v 1 2 v .*: 1 of 47 criteria not met$/);
    expect([...headline].length).toBeLessThanOrEqual(150);
  });

  it('has the place where it was decided, and links to its page', () => {
    expect(gateMessage(aDecision(), 'https://canaryd.example.com')).toMatchObject({
      fields: [
        ['Gate', 'aurora-testnet'],
        ['Version', '2.1.0'],
        ['Environment', 'testnet'],
        ['Decided', '2026-01-01 00:00:00 UTC'],
        ['Evidence', 'sha256 c0ffee000000…'],
        ['Reported by', 'ci'],
      ],
      links: [{ label: 'Gate', url: 'https://canaryd.example.com/gates/g_example' }],
    });
  });

  it('says the time in UTC, whatever the offset of the machine that decided', () => {
    const { fields } = gateMessage(aDecision({}, { endedAt: '2026-01-01T02:00:00+02:00' }), null);
    expect(fields).toContainEqual(['Decided', '2026-01-01 00:00:00 UTC']);
  });

  it('says that there is no evidence, and links nowhere without an address', () => {
    const message = gateMessage(aDecision({}, { evidenceHash: null, reportedBy: null }), null);
    expect(message.fields.slice(4)).toEqual([['Evidence', 'none']]);
    expect(message.links).toEqual([]);
  });
});

const NIGHT = { fromMinute: 1_320, untilMinute: 360, zone: 'UTC' };

function route(over: Partial<Route>): Route {
  const all = { severities: null, kinds: null, services: null, environments: null };
  return { ...all, channels: ['ops'], quietHours: 'hold', ...over };
}

function planned(routing: Partial<typeof NO_ROUTING>, decided: Decided = {}) {
  return planGateMessages(aDecision(decided), {
    publicUrl: null,
    channels: ['chat', 'pager'],
    routing: { ...NO_ROUTING, ...routing },
  });
}

describe('who is told of a decision', () => {
  it('is every channel, at once and for an hour, without routing', () => {
    const at = { notBeforeMs: T0 + 1_000, deadlineAtMs: T0 + 1_000 + HOUR, recordId: 'g_example' };
    expect(planned({})).toMatchObject([
      { id: 'g_example-chat', channel: 'chat', ...at },
      { id: 'g_example-pager', channel: 'pager', ...at },
    ]);
  });

  it.each([
    ['kind', { kinds: ['gate.decided'] }, { kinds: ['watch.stopped'] }],
    ['severity', { severities: ['info'] as const }, { severities: ['critical'] as const }],
    ['service', { services: ['aurora'] }, { services: ['shop'] }],
    ['environment', { environments: ['testnet'] }, { environments: ['production'] }],
  ])('is whom a route names by %s', (_, fits, fitsNot) => {
    const routes = [route({ ...fitsNot, channels: ['other'] }), route(fits)];
    expect(planned({ routes }).map(({ channel }) => channel)).toEqual(['ops']);
  });

  it('is as loud as the config wants', () => {
    const [message] = planned({ severities: { 'gate.decided': 'critical' } });
    expect(message).toMatchObject({
      message: { severity: 'critical' },
      deadlineAtMs: T0 + 1_000 + 24 * HOUR,
    });
  });

  it('waits for the end of the quiet hours, and has its hour from there', () => {
    const plan = planned({ quietHours: NIGHT });
    expect(plan.map(({ notBeforeMs, deadlineAtMs }) => [notBeforeMs, deadlineAtMs])).toEqual([
      [T0 + 6 * HOUR, T0 + 7 * HOUR],
      [T0 + 6 * HOUR, T0 + 7 * HOUR],
    ]);
  });

  it('comes at once and without a sound where a route wants it silent', () => {
    const routes = [route({ quietHours: 'silent' })];
    expect(planned({ routes, quietHours: NIGHT })).toMatchObject([
      { notBeforeMs: T0 + 1_000, message: { isSilent: true } },
    ]);
  });

  it('is never held for a channel that keeps quiet by itself or keeps incidents', () => {
    const quiet = { quietHours: NIGHT, neverQuiet: ['chat'], incidentChannels: ['pager'] };
    expect(planned(quiet).map(({ notBeforeMs }) => notBeforeMs - T0)).toEqual([1_000, 1_000]);
  });
});
