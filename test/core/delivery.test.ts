import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ACTION_BACKOFF_MAX_MS,
  type Delivery,
  isDue,
  nextAttemptAtMs,
  type Outcome,
} from '../../src/core/delivery.ts';
import { aMessageDelivery, anActionDelivery, T0 } from '../support/build.ts';

const action = anActionDelivery('rollback', 'w_1');
const message = aMessageDelivery('m', 'w_1');

function failed(retryAfterMs: number | null = null): Extract<Outcome, { kind: 'retryable' }> {
  const detail = 'no answer';
  return { kind: 'retryable', reason: 'timeout', detail, retryAfterMs, maybeDelivered: true };
}

function waitMs(
  delivery: typeof action,
  attempts: number,
  jitter: number,
  retryAfterMs: number | null = null,
): number {
  return nextAttemptAtMs({ ...delivery, attempts }, failed(retryAfterMs), T0, jitter) - T0;
}

describe('the wait before the next attempt', () => {
  test('doubles from one second, with jitter in its upper half', () => {
    const least = [1, 2, 3, 4].map((attempts) => waitMs(action, attempts, 0));
    const most = [1, 2, 3, 4].map((attempts) => waitMs(action, attempts, 1));
    expect(least).toEqual([500, 1_000, 2_000, 4_000]);
    expect(most).toEqual([1_000, 2_000, 4_000, 8_000]);
  });

  test('of an action never exceeds its cap, whatever the receiver asks', () => {
    expect(waitMs(action, 1, 0, 3_600_000)).toBe(ACTION_BACKOFF_MAX_MS);
    const attempts = fc.integer({ min: 1, max: 1_000 });
    const asked = fc.option(fc.integer({ min: 0, max: 1e9 }));
    fc.assert(
      fc.property(
        attempts,
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        asked,
        (n, jitter, ms) => {
          const wait = waitMs(action, n, jitter, ms);
          expect(wait).toBeGreaterThanOrEqual(500);
          expect(wait).toBeLessThanOrEqual(ACTION_BACKOFF_MAX_MS);
        },
      ),
    );
  });

  test('of a message honours what the receiver asks, up to five minutes', () => {
    expect(waitMs(message, 1, 0, 90_000)).toBe(90_000);
    expect(waitMs(message, 1, 0, 3_600_000)).toBe(300_000);
  });
});

describe('the time of a delivery', () => {
  const planned: Delivery = {
    ...{ ...message, createdAtMs: T0, notBeforeMs: T0 + 3_000, attempts: 0, order: 1 },
    ...{ state: 'pending', attemptedAtMs: null, inFlight: false, holder: null },
    ...{ lastReason: null, lastDetail: null, receipt: null },
  };

  test('comes when its wait is over', () => {
    expect(isDue(planned, T0 + 2_999)).toBe(false);
    expect(isDue(planned, T0 + 3_000)).toBe(true);
  });

  test('is not awaited twice when the wall clock is set back meanwhile', () => {
    expect(isDue(planned, T0 - 60_000)).toBe(true);
    expect(isDue({ ...planned, attempts: 1 }, T0 - 600_000)).toBe(true);
  });

  test('is awaited by a replica whose clock is a little behind', () => {
    expect(isDue(planned, T0 - 5_000)).toBe(false);
  });

  test('is awaited when somebody asked for a longer wait', () => {
    expect(isDue({ ...planned, attempts: 1 }, T0 - 60_000)).toBe(false);
  });
});
