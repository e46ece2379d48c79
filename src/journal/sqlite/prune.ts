// What is old is removed in small transactions, and ticks are let in between.
import type { Pruned } from '../journal.ts';

/** Rows that one transaction removes: ticks of open watches wait at most that long. */
const ROWS = 5_000;
/** Removing a watch removes its events, deliveries and the samples that are left. */
const WATCHES = 20;
/** Of up to a megabyte each. */
const DECISIONS = 20;

const TICKS = `
  DELETE FROM ticks WHERE rowid IN (
    SELECT ticks.rowid FROM ticks JOIN watches ON watches.id = ticks.watch_id
    WHERE is_active = 0 AND closed_at_ms < ? LIMIT ?)`;

// A message that is still on its way keeps its watch: every delivery ends (J5).
const WHOLE_WATCHES = `
  DELETE FROM watches WHERE ordinal IN (
    SELECT ordinal FROM watches WHERE is_active = 0 AND closed_at_ms < ?
    AND NOT EXISTS (SELECT 1 FROM deliveries
                    WHERE watch_id = watches.id AND state = 'pending') LIMIT ?)`;

const GATE_RECORDS = `
  DELETE FROM gate_records WHERE ordinal IN (
    SELECT ordinal FROM gate_records WHERE received_at_ms < ?
    AND NOT EXISTS (SELECT 1 FROM gate_messages
                    WHERE record_id = gate_records.id AND state = 'pending') LIMIT ?)`;

// In the order in which they came: what takes a signature back never goes before the signature.
const SIGN_OFFS = `
  DELETE FROM gate_sign_offs WHERE ordinal IN (
    SELECT ordinal FROM gate_sign_offs AS old WHERE at_ms < ?1
    AND NOT EXISTS (
      SELECT 1 FROM gate_sign_offs AS kept WHERE kept.gate = old.gate
      AND kept.environment = old.environment AND kept.version = old.version
      AND kept.ordinal < old.ordinal AND kept.at_ms >= ?1)
    ORDER BY ordinal LIMIT ?2)`;

/** @param step removes at most `rows` in a transaction of its own, and says how many */
export async function prune(
  step: (sql: string, beforeMs: number, rows: number) => number,
  samplesBeforeMs: number,
  watchesBeforeMs: number,
): Promise<Pruned> {
  const inSteps = async (rows: number, sql: string, beforeMs: number) => {
    let removed = 0;
    for (;;) {
      const changes = step(sql, beforeMs, rows);
      removed += changes;
      if (changes < rows) return removed;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return {
    samples: await inSteps(ROWS, TICKS, samplesBeforeMs),
    watches: await inSteps(WATCHES, WHOLE_WATCHES, watchesBeforeMs),
    decisions: await inSteps(DECISIONS, GATE_RECORDS, watchesBeforeMs),
    signatures: await inSteps(ROWS, SIGN_OFFS, watchesBeforeMs),
  };
}
