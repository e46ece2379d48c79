// Attempts of deliveries are marked as begun: one statement, however many they are.
import type { AttemptStart } from '../journal.ts';
import { wholeMs } from '../rows.ts';
import type { Session } from './database.ts';
import { MAY_WRITE } from './migrations.ts';

type Begin = {
  readonly starts: readonly AttemptStart[];
  readonly atMs: number;
  readonly holder: string;
};

function values({ starts, atMs, holder }: Begin) {
  const ids = starts.map(({ id }) => id);
  const attempts = starts.map(({ attempt }) => attempt);
  return [ids, attempts, wholeMs(atMs), holder] as const;
}

/** Returns the ids of those that were begun: neither ended nor begun by somebody else. */
export async function begin(session: Session, what: Begin): Promise<readonly string[]> {
  const rows = await session.all(
    `UPDATE deliveries
     SET attempts = attempts + 1, attempted_at_ms = $3, in_flight = true, holder = $4
     FROM unnest($1::text[], $2::int[]) AS start (delivery, attempt)
     WHERE id = delivery AND state = 'pending' AND attempts + 1 = attempt
       AND attempts < attempts_max AND ${MAY_WRITE}
     RETURNING id`,
    ...values(what),
  );
  return rows.map((row) => row.text('id'));
}

/**
 * After an answer that was lost; null: it was not written. Begun and not sent would be taken for
 * sent and perhaps arrived.
 */
export async function begunBefore(
  session: Session,
  what: Begin,
): Promise<readonly string[] | null> {
  const rows = await session.all(
    `SELECT id FROM deliveries
     JOIN unnest($1::text[], $2::int[]) AS start (delivery, attempt) ON id = delivery
     WHERE attempts = attempt AND attempted_at_ms = $3 AND holder = $4 AND in_flight`,
    ...values(what),
  );
  return rows.length === 0 ? null : rows.map((row) => row.text('id'));
}
