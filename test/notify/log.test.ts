import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/kit/logger.ts';
import { createLogChannel } from '../../src/notify/log.ts';
import { aStopMessage } from './sample.ts';

describe('createLogChannel', () => {
  it.each([
    ['critical', 50],
    ['warning', 40],
    ['info', 30],
  ] as const)('writes a %s message as one line of level %i', async (severity, level) => {
    const written: string[] = [];
    const logger = createLogger('info', { write: (line) => void written.push(line) });
    const outcome = await createLogChannel(logger)(
      aStopMessage({ severity }),
      new AbortController().signal,
    );
    expect(outcome.kind).toBe('delivered');
    expect(written).toHaveLength(1);
    expect(JSON.parse(written[0] ?? '')).toMatchObject({
      level,
      msg: 'message',
      watchId: 'w_1',
      severity,
      headline: aStopMessage().headline,
      fields: ['Deploy: 2.4.0 → 2.4.1 by ci, 3m ago', 'Disarm: accepted, HTTP 202 in 35 ms'],
      links: ['watch: https://canaryd.test/w_1', 'runbook: https://runbooks.test/aurora'],
    });
  });
});
