// A policy without any finding, as plain data: each test spoils one place of it.

import type { Subject } from '../../src/check/subject.ts';
import { subjectOf } from '../../src/check/subject.ts';
import { readPolicy } from '../../src/config/to-policy.ts';
import { withChanges } from '../config/sample-policy.ts';

export const CLEAN = {
  service: 'shop',
  source: 'prometheus',
  interval: '5s',
  parameters: { capital: { type: 'number', above: 0, unit: 'USD' } },
  indicators: {
    errors: {
      ratio: { bad: 'http_requests_total{status=~"5.."}', total: 'http_requests_total' },
      over: '1m',
      min_total: 100,
    },
    fill_rate: { ratio: { good: 'filled_total', total: 'submitted_total' }, min_total: 100 },
    latency: { quantile: { q: 0.99, histogram: 'request_seconds' }, over: '5m' },
    orders: { rate: { counter: 'submitted_total' }, over: '1m' },
    log_errors: { increase: { counter: 'log_errors_total' } },
    memory: { gauge: { metric: 'process_resident_memory_bytes', aggregate: 'max' } },
    loss: { gauge: { metric: 'pnl_usd', aggregate: 'sum', negate: true } },
    pnl: { gauge: { metric: 'pnl_usd', aggregate: 'sum' } },
    queue: { promql: 'max(queue_length{queue="orders"})' },
    health: { http: { url: 'http://127.0.0.1:1/health' } },
  },
  windows: [
    {
      name: 'immediate',
      until: '15m',
      stop: {
        errors: { above: '5%' },
        fill_rate: { below: '80%' },
        latency: { above: '2s' },
        loss: { above: '0.5%', of: 'capital' },
        health: { failing: 3 },
      },
    },
    {
      name: 'success',
      until: '24h',
      warn: { memory: { above: '1GB' }, errors: { above: '2%' }, queue: { above: 1000 } },
      pass: {
        fill_rate: { above: '95%' },
        orders: { above: 0 },
        log_errors: { at_most: 0 },
        pnl: { within: '0.2%', of: 'capital' },
      },
      for: '5m',
    },
  ],
  on_stop: [
    { disarm: { command: ['/bin/disarm'] } },
    { rollback: { command: ['/bin/rollback', '${previous_version}'] } },
    { verify: { within: '10m', pass: { health: { passing: 3 } } } },
  ],
} as const;

export type Change = readonly [path: string, value: unknown];

/** The clean policy with some places changed; throws when the validator refuses it. */
export function subjectWith(...changes: readonly Change[]): Subject {
  const raw = withChanges(CLEAN, changes);
  const result = readPolicy(raw, 'shop');
  if (result.kind === 'problems') throw new Error(JSON.stringify(result.problems));
  return subjectOf(result.policy, raw);
}
