// Retention, once a night. In UTC: a local zone has a night without 02:30.
import { schedule } from 'node-cron';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';

const NIGHTLY = '17 3 * * *';

export type Retention = { readonly samplesMs: number; readonly watchesMs: number };

/** @returns stops it */
export function startHousekeeping(
  journal: Journal,
  retention: Retention,
  clock: Clock,
  logger: Logger,
): () => Promise<void> {
  const work = async () => {
    try {
      logger.info(await tidy(journal, retention, clock.now()), 'retention applied');
    } catch (error) {
      logger.error({ err: error }, 'retention failed; it is tried again tomorrow');
    }
  };
  const task = schedule(NIGHTLY, work, { timezone: 'UTC', noOverlap: true });
  return async () => {
    await task.destroy();
  };
}

/** Drops what is older than its retention allows. */
export function tidy(journal: Journal, retention: Retention, nowMs: number) {
  return journal.prune(nowMs - retention.samplesMs, nowMs - retention.watchesMs);
}
