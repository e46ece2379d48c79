// Attempts of deliveries are marked as begun, inside the caller's transaction.
import type { AttemptStart } from '../journal.ts';
import { wholeMs } from '../rows.ts';
import type { Connection } from './sql.ts';

/** Returns the ids of those that were begun: neither ended nor begun by somebody else. */
export function begin(
  sql: Connection,
  starts: readonly AttemptStart[],
  atMs: number,
  holder: string,
): readonly string[] {
  const begun = starts.filter(({ id, attempt }) => {
    const changes = sql.run(
      `UPDATE deliveries
       SET attempts = attempts + 1, attempted_at_ms = ?, in_flight = 1, holder = ?
       WHERE id = ? AND state = 'pending' AND attempts + 1 = ? AND attempts < attempts_max`,
      wholeMs(atMs),
      holder,
      id,
      attempt,
    );
    return changes === 1;
  });
  return begun.map(({ id }) => id);
}
