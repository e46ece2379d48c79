// Spoilt policies of the findings about limits against each other, windows, times and actions.
import { one, PASS, type Spoilt, STOP, WARN } from './spoilt-one.ts';

const gauge = (metric: string) => ({ gauge: { metric, aggregate: 'max' } });

export const SPOILT_LIMITS: readonly Spoilt[] = [
  one(
    'always-holds',
    'a stop at any rate',
    [
      [`${STOP}.orders`, { at_least: 0 }],
      [`${PASS}.orders`, undefined],
    ],
    'immediate.stop.orders',
    'which always fires',
    [
      [`${STOP}.orders`, { at_least: 1000 }],
      [`${PASS}.orders`, undefined],
    ],
  ),
  one(
    'always-holds',
    'a pass at any rate',
    [[`${PASS}.orders`, { at_least: 0 }]],
    'success.pass.orders',
    'which proves nothing',
    [[`${PASS}.orders`, { at_least: 1 }]],
  ),
  one(
    'never-holds',
    'a negative count',
    [[`${PASS}.log_errors`, { below: 0 }]],
    'success.pass.log_errors',
    'which can never be met',
    [[`${PASS}.log_errors`, { below: 1 }]],
  ),
  one(
    'never-holds',
    'a stop below nothing',
    [
      [`${STOP}.orders`, { below: 0 }],
      [`${PASS}.orders`, undefined],
    ],
    'immediate.stop.orders',
    'which never fires',
    [[`${STOP}.orders`, { at_most: 0 }]],
  ),
  one(
    'warn-looser-than-stop',
    'a later warning',
    [[`${WARN}.errors.above`, '8%']],
    'success.warn.errors',
    'looser than stop above 5% in immediate',
    [[`${WARN}.errors.above`, '5%']],
  ),
  one(
    'warn-looser-than-stop',
    'a later warning of health',
    [[`${WARN}.health`, { failing: 4 }]],
    'success.warn.health',
    'looser',
    [[`${WARN}.health`, { failing: 3 }]],
  ),
  one(
    'pass-inside-stop',
    'a pass of the same series',
    [[`${PASS}.pnl.within`, '0.6%']],
    'success.pass.pnl',
    'also holds where loss calls for stop',
    [[`${PASS}.pnl.within`, '0.4%']],
  ),
  one(
    'unchanged-value-fires',
    'a share for a growth',
    [[`${STOP}.latency`, { above: '20%', of: 'baseline' }]],
    'immediate.stop.latency',
    'an unchanged value breaches',
    [[`${STOP}.latency`, { above: '120%', of: 'baseline' }]],
  ),
  one(
    'unchanged-value-fires',
    'a fall of nothing',
    [[`${STOP}.fill_rate`, { at_most: '100%', of: 'baseline' }]],
    'immediate.stop.fill_rate',
    'less with below',
    [[`${STOP}.fill_rate`, { at_most: '99%', of: 'baseline' }]],
  ),
  one(
    'zero-baseline',
    'errors against none',
    [[`${STOP}.errors`, { above: '200%', of: 'baseline' }]],
    'immediate.stop.errors',
    'may be 0 before the deploy',
    [[`${STOP}.latency`, { above: '200%', of: 'baseline' }]],
  ),
  one(
    'zero-baseline',
    'a gauge of errors',
    [
      ['indicators.failures', gauge('jobs_failed')],
      [`${STOP}.failures`, { above: '200%', of: 'baseline' }],
    ],
    'immediate.stop.failures',
    'an absolute limit',
    [
      ['indicators.delay', gauge('delay_seconds')],
      [`${STOP}.delay`, { above: '200%', of: 'baseline' }],
    ],
  ),
  one(
    'no-baseline',
    'a count since the deploy',
    [
      [`${WARN}.log_errors`, { above: '200%', of: 'baseline' }],
      [`${PASS}.log_errors`, undefined],
    ],
    'success.warn.log_errors',
    'a count since the deploy',
    [
      [`${WARN}.log_errors`, { above: 200 }],
      [`${PASS}.log_errors`, undefined],
    ],
  ),
  one(
    'zero-parameter',
    'without bounds',
    [['parameters.capital.above', undefined]],
    'capital',
    'the limit of immediate.stop.loss, success.pass.pnl',
    [['parameters.capital', { type: 'number', at_least: 1 }]],
  ),
  one(
    'single-check-stops',
    'one failed check',
    [[`${STOP}.health`, { failing: 1 }]],
    'immediate.stop.health',
    'such as 3',
    [[`${STOP}.health`, { failing: 2 }]],
  ),
  one(
    'no-early-stop',
    'stops only later',
    [
      [STOP, undefined],
      [
        'windows.0.warn',
        { latency: { above: '1s' }, health: { failing: 3 }, loss: { above: '1%', of: 'capital' } },
      ],
      ['windows.1.stop', { errors: { above: '5%' } }],
    ],
    'immediate',
    'until 15m nothing stops',
    [
      [STOP, undefined],
      [
        'windows.0.warn',
        { latency: { above: '1s' }, health: { failing: 3 }, loss: { above: '1%', of: 'capital' } },
      ],
      ['always', { stop: { errors: { above: '5%' } } }],
    ],
  ),
  one(
    'window-too-short',
    'three ticks',
    [['windows.0.until', '15s']],
    'immediate',
    'wanted at least 20s',
    [['windows.0.until', '20s']],
  ),
  one(
    'long-wait',
    'half of the window',
    [
      ['indicators.latency.over', '8m'],
      ['indicators.latency.early', 'wait'],
    ],
    'immediate.stop.latency',
    'blind for the first 8m of 15m',
    [
      ['indicators.latency.over', '7m'],
      ['indicators.latency.early', 'wait'],
    ],
  ),
  one(
    'no-time-to-fire',
    'wait and hold',
    [
      ['indicators.latency.early', 'wait'],
      [`${STOP}.latency.for`, '10m'],
    ],
    'immediate.stop.latency',
    'first value at 5m and must hold 10m',
    [
      ['indicators.latency.early', 'wait'],
      [`${STOP}.latency.for`, '9m'],
    ],
  ),
  one(
    'no-time-to-fire',
    'more checks than ticks',
    [[`${STOP}.health`, { failing: 200 }]],
    'immediate.stop.health',
    'must hold 16m35s',
    [[`${STOP}.health`, { failing: 100 }]],
  ),
  one(
    'no-time-to-pass',
    'holds after holds',
    [
      ['windows.1.for', '23h'],
      [`${PASS}.fill_rate.for`, '45m'],
    ],
    'success',
    'at 1d at the earliest',
    [
      ['windows.1.for', '22h'],
      [`${PASS}.fill_rate.for`, '45m'],
    ],
  ),
  one(
    'low-coverage',
    'nothing must be seen',
    [['coverage', '0%']],
    'coverage',
    'better the default',
    [['coverage', '10%']],
  ),
  one(
    'no-action',
    'nothing happens',
    [['on_stop', undefined]],
    'on_stop',
    'stops that do nothing',
    [
      ['on_stop', undefined],
      ['mode', 'observe'],
    ],
  ),
  one(
    'no-rollback',
    'disarm alone',
    [['on_stop', [disarm(), verify()]]],
    'disarm',
    'disarm alone',
    [['windows.0.until', '16m']],
  ),
  one(
    'no-verify',
    'no proof',
    [['on_stop', [{ rollback: { command: ['x'] } }]]],
    'rollback',
    'rollback without verify',
    [['on_stop', [{ rollback: { command: ['x'] } }, verify()]]],
  ),
  one(
    'verify-too-short',
    'a hold as long as the time',
    [['on_stop.2.verify.pass.memory', { below: '1GB', for: '10m' }]],
    'verify.verify.memory',
    'takes at least 10m',
    [['on_stop.2.verify.pass.memory', { below: '1GB', for: '9m' }]],
  ),
  one(
    'verify-too-short',
    'a range as long as the time',
    [
      ['indicators.queue.promql', 'max_over_time(q[10m])'],
      ['on_stop.2.verify.pass.queue', { below: 10 }],
    ],
    'verify.verify.queue',
    'takes at least 10m',
    [
      ['indicators.queue.promql', 'max_over_time(q[5m])'],
      ['on_stop.2.verify.pass.queue', { below: 10 }],
    ],
  ),
  one(
    'verify-without-traffic',
    'fills after a disarm',
    [['on_stop.2.verify.pass.fill_rate', { above: '90%' }]],
    'verify.verify.fill_rate',
    'needs traffic, after a disarm',
    [
      [
        'on_stop',
        [
          { rollback: { command: ['x'] } },
          { verify: { within: '10m', pass: { fill_rate: { above: '90%' } } } },
        ],
      ],
    ],
  ),
  one('observes-only', 'a trial', [['mode', 'observe']], 'mode', 'nothing is done', [
    ['mode', 'act'],
  ]),
];

function disarm() {
  return { disarm: { command: ['/bin/disarm'] } };
}

function verify() {
  return { verify: { within: '10m', pass: { health: { passing: 3 } } } };
}
