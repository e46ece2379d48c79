import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startHousekeeping, tidy } from '../../src/daemon/housekeeping.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { createLogger } from '../../src/kit/logger.ts';
import { T0 } from '../support/build.ts';
import { anEngine, changed, tempJournal } from '../support/engine.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const DAY = 24 * 3_600_000;
const RETENTION = { samplesMs: 30 * DAY, watchesMs: 400 * DAY };

describe('tidy', () => {
  it('prunes samples and watches, each by its own time', async () => {
    const asked: (readonly [number, number])[] = [];
    const journal = changed(tempJournal(), {
      prune: async (samplesBeforeMs, watchesBeforeMs) => {
        asked.push([samplesBeforeMs, watchesBeforeMs]);
        return { samples: 3, watches: 1, decisions: 2, signatures: 5 };
      },
    });
    expect(await tidy(journal, RETENTION, T0)).toMatchObject({ samples: 3, watches: 1 });
    expect(asked).toEqual([[T0 - 30 * DAY, T0 - 400 * DAY]]);
  });

  it('keeps an open watch for ever, and a closed one for its time', async () => {
    const engine = anEngine();
    engine.start();
    await engine.watch();
    await engine.watch({ environment: 'staging' });
    await engine.clock.advance(6_000);
    await engine.commands.cancel('w_1', { by: 'ann', reason: 'test' });
    await engine.clock.advance(6_000);
    await engine.stop();
    const { journal } = engine;
    const closedAtMs = T0 + 6_000;
    const sampled = async (id: string) => (await journal.ticks(id, 0, T0 + DAY, 99)).length > 0;
    await tidy(journal, RETENTION, closedAtMs + 30 * DAY);
    expect([await sampled('w_1'), await sampled('w_2')]).toEqual([true, true]);
    await tidy(journal, RETENTION, closedAtMs + 30 * DAY + 1);
    expect([await sampled('w_1'), await sampled('w_2')]).toEqual([false, true]);
    await tidy(journal, RETENTION, closedAtMs + 400 * DAY);
    expect(await journal.watch('w_1')).not.toBe(null);
    await tidy(journal, RETENTION, closedAtMs + 400 * DAY + 1);
    expect(await journal.watch('w_1')).toBe(null);
    expect(await journal.watch('w_2')).not.toBe(null);
  });
});

describe('startHousekeeping', () => {
  beforeEach(() => void vi.useFakeTimers({ now: T0 }));
  afterEach(() => void vi.useRealTimers());

  function keeping(prune: Journal['prune']) {
    const log: string[] = [];
    const logger = createLogger('info', { write: (line: string) => void log.push(line) });
    // Nothing else of the journal is asked for.
    const journal = { prune } as Journal;
    return { log, stop: startHousekeeping(journal, RETENTION, new VirtualClock(), logger) };
  }

  it('works once a night, in UTC', async () => {
    vi.stubEnv('TZ', 'America/New_York');
    const times: string[] = [];
    const { stop, log } = keeping(async () => {
      times.push(new Date().toISOString().slice(0, 16));
      return { samples: 0, watches: 0, decisions: 0, signatures: 0 };
    });
    await vi.advanceTimersByTimeAsync(2 * DAY);
    expect(times).toEqual(['2026-01-01T03:17', '2026-01-02T03:17']);
    expect(log.join('')).toContain('retention applied');
    await stop();
    await vi.advanceTimersByTimeAsync(2 * DAY);
    expect(times).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tries again the next night after a night that failed', async () => {
    let nights = 0;
    const { stop, log } = keeping(async () => {
      nights += 1;
      throw new Error('the disk is full');
    });
    await vi.advanceTimersByTimeAsync(2 * DAY);
    expect(nights).toBe(2);
    expect(log.join('')).toContain('the disk is full');
    await stop();
  });
});
