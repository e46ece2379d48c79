// What the worlds of Aurora's gates have in common: its audit log, its tests, changes of files.
import { jsonLines, type TestCase } from './reports.ts';
import type { Change } from './world.ts';

export const LOG = 'logs/testnet_session_20261122/aurora_events.jsonl';
export const SCHEMA = {
  type: 'object',
  required: ['timestamp', 'event_type', 'trace_id'],
  properties: {
    timestamp: { type: 'string' },
    event_type: { enum: ['ORDER_SUBMITTED', 'ORDER_FILLED', 'HEARTBEAT'] },
    trace_id: { type: ['string', 'null'] },
    order_id: { type: 'string' },
    price: { type: 'number' },
  },
};

export type Event = Readonly<Record<string, unknown>>;

/** An order that was submitted and filled. */
export const flow = (number: number, more: Event = {}): readonly Event[] =>
  ['ORDER_SUBMITTED', 'ORDER_FILLED'].map((type) => ({
    timestamp: new Date().toISOString(),
    event_type: type,
    trace_id: `trace-${number}`,
    order_id: `order-${number}`,
    ...{ price: 50_000.5, quantity: 0.01, filled_quantity: 0.01, pnl: -0.2, ...more },
  }));
export const FLOWS = Array.from({ length: 20 }, (_, number) => flow(number)).flat();

export const SCORES = { oms: 86, positions: 84, risk: 90 };

/** Two tests, of which the first may fail. */
export const twoTests = (kind: string, failed = false): readonly TestCase[] => [
  { in: `tests.${kind}.test_orders`, name: 'test_submit', failed },
  { in: `tests.${kind}.test_orders`, name: 'test_cancel' },
];

export const file = (path: string, body: string): Change => ({ files: { [path]: body } });
export const gone = (path: string): Change => ({ files: { [path]: null } });
/** Written so many hours ago. */
export const old = (path: string, body: string, ageHours = 25): Change => ({
  files: { [path]: { body, ageHours } },
});
export const events = (...more: readonly Event[]): Change =>
  file(LOG, jsonLines([...FLOWS, ...more]));
