// Aurora's runbook, when the watch has passed: its world, and what turns each line. All are NO-GO.
import { TESTNET } from './aurora-live-world.ts';
import { gone, old } from './aurora-parts.ts';
import type { Suite, Turn } from './gate-suite.ts';
import type { Change } from './world.ts';

const PERFORMANCE = 'artifacts/baselines/performance_baseline.json';
const COVERAGE = 'artifacts/baselines/coverage_baseline.json';

const turn = (name: string, change: Change, turns: Turn['turns'], more = {}): Turn => ({
  ...{ name, change, turns, decision: 'no_go' },
  ...more,
});
const UNKNOWN = { outcome: 'unknown' } as const;
const rules = (named: NonNullable<typeof TESTNET.rules>): Change => ({
  telemetry: { aurora_testnet: { rules: named } },
});

export const auroraAfter: Suite = {
  setup: {
    gate: 'aurora-runbook-after',
    version: 'v2.1.0',
    world: () => ({
      files: { [PERFORMANCE]: '{}\n', [COVERAGE]: '{}\n' },
      programs: {
        canaryd: [{ args: 'notify test', out: 'slack: delivered\npagerduty: delivered\n' }],
      },
      env: {},
      sites: {},
      telemetry: { aurora_testnet: TESTNET },
      gate: [],
    }),
  },
  turns: [
    turn('there is no baseline of performance', gone(PERFORMANCE), {
      baselines: `${PERFORMANCE} is missing`,
    }),
    turn('the baseline of coverage is that of the last deploy', old(COVERAGE, '{}\n'), {
      baselines: `${COVERAGE} is 1d1h old, at most 1d wanted`,
    }),
    turn(
      'an alert is missing',
      {
        telemetry: {
          aurora_testnet: {
            rules: {
              'aurora.critical/XAIMissing': null,
            },
          },
        },
      },
      {
        alerts_work: '4 alerting rules, at least 5 wanted',
      },
    ),
    turn(
      'an alert is broken',
      rules({
        'aurora.critical/XAIMissing': {
          // Several series on both sides.
          expr: 'http_requests_total / on(job) http_requests_total > 0',
        },
      }),
      { alerts_work: 'XAIMissing (aurora.critical) is broken: ' },
    ),
    turn('HighLatency is firing', rules({ 'aurora.critical/HighLatency': { expr: 'vector(1)' } }), {
      alerts_work: 'HighLatency is firing (1 alert)',
    }),
    turn(
      'Prometheus is dead',
      { telemetry: { aurora_testnet: 'down' } },
      {
        alerts_work: 'connection refused',
      },
      UNKNOWN,
    ),
    turn(
      'Slack refuses the message',
      {
        programs: { canaryd: [{ args: 'notify test', exit: 1, err: 'slack: HTTP 403' }] },
      },
      { notifications_tested: 'exit code 1, 0 wanted: slack: HTTP 403' },
    ),
    turn(
      'the message to Slack hangs',
      {
        programs: { canaryd: [{ args: 'notify test', seconds: 60 }] },
        gate: [['timeout: 1m', 'timeout: 500ms']],
      },
      { notifications_tested: 'not finished within 500ms' },
      UNKNOWN,
    ),
  ],
};
