// Examples for the OpenAPI document; a test holds each against its schema.
import type { WatchView } from '../engine/control.ts';
import type { Wire } from './wire.ts';

export const EXAMPLE_WATCH: Wire<WatchView> = {
  id: 'w_0123456789abcdef',
  service: 'aurora',
  environment: 'production',
  version: '1.4.0',
  previous_version: '1.3.9',
  policy: 'aurora',
  policy_hash: '5f2b8c',
  mode: 'act',
  phase: 'watching',
  active: true,
  deployed_at: '2026-03-01T12:00:00.000Z',
  started_at: '2026-03-01T12:00:05.000Z',
  closed_at: null,
  deadline_at: '2026-03-02T12:00:00.000Z',
  window: 'immediate',
  armed: { seen: 1, total: 1 },
  reason: null,
  verification: 'none',
  acknowledged_by: null,
  rollback_of: null,
  last_tick_at: '2026-03-01T12:03:00.000Z',
  url: 'https://ci.example/runs/42',
  parameters: { deploy_capital: 100_000, expected_positions: 10 },
  conditions: [
    {
      condition: 'immediate.stop.fill_rate',
      indicator: 'fill_rate',
      title: 'Order fill rate',
      window: 'immediate',
      role: 'stop',
      due: true,
      state: 'inactive',
      state_since: '2026-03-01T12:00:10.000Z',
      value: 0.982,
      limit: 0.8,
      unit: 'ratio',
      limit_text: 'below 80 %',
      text: '98.2 % of 1,204 in 1m, must not be below 80 %',
      blind_reason: null,
      pre_existing: false,
      query: 'sum(increase(orders_filled_total[1m])) / sum(increase(orders_submitted_total[1m]))',
    },
  ],
  actions: [{ action: 'rollback', state: 'pending', attempts: 0, detail: null }],
};

export const EXAMPLE_EVENT = {
  seq: 4,
  at_ms: 1_772_366_400_000,
  type: 'watch.armed',
  armed: 6,
  total: 6,
};
