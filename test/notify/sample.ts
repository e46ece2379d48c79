// A message as on-call gets it when a watch has stopped.
import type { Message } from '../../src/core/delivery.ts';

export function aStopMessage(over: Partial<Message> = {}): Message {
  return {
    kind: 'watch.stopped',
    severity: 'critical',
    headline: 'CRITICAL aurora 2.4.1 (production): order fill rate 12 % < 80 %; rolling back',
    lines: [
      'Order fill rate 12 % of 1,204 in 1m, must not be below 80 % (3 samples since 22:04:50)',
      'Was 97 % before the deploy.',
    ],
    fields: [
      ['Deploy', '2.4.0 → 2.4.1 by ci, 3m ago'],
      ['Disarm', 'accepted, HTTP 202 in 35 ms'],
    ],
    next: 'canaryd verifies the rollback for 10m and tells you.',
    links: [
      { label: 'watch', url: 'https://canaryd.test/w_1' },
      { label: 'runbook', url: 'https://runbooks.test/aurora' },
    ],
    watchId: 'w_1',
    atMs: Date.UTC(2026, 10, 21, 22, 5, 10),
    ...over,
  };
}
