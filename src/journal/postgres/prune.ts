// What is old is removed in small steps, beside replicas that write.
import type { Session } from './database.ts';

/** Rows that one step removes: ticks of open watches wait at most that long. */
const ROWS = 5_000;
/** Removing a watch removes its events, deliveries and the samples that are left. */
const WATCHES = 20;
/** Of up to a megabyte each. */
const DECISIONS = 20;

export type Step = {
  readonly removed: number;
  /** There are no more that may be removed now. */
  readonly isLast: boolean;
};

export async function pruneTicks(session: Session, beforeMs: number): Promise<Step> {
  const removed = await session.run(
    `DELETE FROM ticks WHERE (watch_id, at_ms) IN (
       SELECT watch_id, at_ms FROM ticks JOIN watches ON id = watch_id
       WHERE NOT is_active AND closed_at_ms < $1 LIMIT $2)`,
    Math.ceil(beforeMs),
    ROWS,
  );
  return { removed, isLast: removed < ROWS };
}

// A message that is still on its way keeps its watch: every delivery ends (J5).
const HAS_NONE_PENDING = `NOT EXISTS (
  SELECT 1 FROM deliveries WHERE watch_id = watches.id AND state = 'pending')`;

/**
 * In a transaction. Who writes to a watch has locked it and may plan a message: such a watch is
 * left for another time. Once they are locked here, a second statement sees what was planned last.
 */
export async function pruneWatches(session: Session, beforeMs: number): Promise<Step> {
  const rows = await session.all(
    `SELECT ordinal FROM watches
     WHERE NOT is_active AND closed_at_ms < $1 AND ${HAS_NONE_PENDING}
     LIMIT $2 FOR UPDATE SKIP LOCKED`,
    Math.ceil(beforeMs),
    WATCHES,
  );
  if (rows.length === 0) return { removed: 0, isLast: true };
  const removed = await session.run(
    `DELETE FROM watches WHERE ordinal = ANY ($1::bigint[]) AND ${HAS_NONE_PENDING}`,
    rows.map((row) => row.integer('ordinal')),
  );
  return { removed, isLast: rows.length < WATCHES };
}

/** Its messages were written with it: none can come later. */
export async function pruneGateRecords(session: Session, beforeMs: number): Promise<Step> {
  const removed = await session.run(
    `DELETE FROM gate_records WHERE ordinal IN (
       SELECT ordinal FROM gate_records WHERE received_at_ms < $1
       AND NOT EXISTS (
         SELECT 1 FROM gate_messages WHERE record_id = gate_records.id AND state = 'pending')
       LIMIT $2)`,
    Math.ceil(beforeMs),
    DECISIONS,
  );
  return { removed, isLast: removed < DECISIONS };
}

/** In the order in which they came: what takes a signature back never goes before the signature. */
export async function pruneSignOffs(session: Session, beforeMs: number): Promise<Step> {
  const removed = await session.run(
    `DELETE FROM gate_sign_offs WHERE ordinal IN (
       SELECT ordinal FROM gate_sign_offs AS old WHERE at_ms < $1
       AND NOT EXISTS (
         SELECT 1 FROM gate_sign_offs AS kept WHERE kept.gate = old.gate
         AND kept.environment = old.environment AND kept.version = old.version
         AND kept.ordinal < old.ordinal AND kept.at_ms >= $1)
       ORDER BY ordinal LIMIT $2)`,
    Math.ceil(beforeMs),
    ROWS,
  );
  return { removed, isLast: removed < ROWS };
}
