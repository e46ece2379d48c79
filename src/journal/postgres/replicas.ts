// Who lives, by the clock of the server. What an announcement finds of the schema says whether this
// canaryd may still write.
import type { Replica } from '../journal.ts';
import type { Row } from '../row.ts';
import type { Session } from './database.ts';
import { SCHEMA_VERSION } from './migrations.ts';

const ANNOUNCE = `
  WITH schema AS (
    SELECT version, compatible_from FROM schema_versions ORDER BY version DESC LIMIT 1
  ), known AS (
    SELECT 1 FROM replicas
    WHERE id = $1 AND takes_work = $2 AND lives_until > clock_timestamp()
  ), mine AS (
    INSERT INTO replicas (id, takes_work, lives_until)
    SELECT $1, $2, clock_timestamp() + $3::float8 * interval '1 millisecond' FROM schema
    WHERE compatible_from <= $4
    ON CONFLICT (id) DO UPDATE
    SET takes_work = excluded.takes_work, lives_until = excluded.lives_until
  ), news AS (SELECT pg_notify($5, $6) WHERE NOT EXISTS (SELECT FROM known))
  SELECT $1::text AS id, $2::boolean AS takes_work, version, compatible_from,
    (SELECT count(*) FROM news) AS told FROM schema
  UNION ALL
  SELECT id, takes_work, version, compatible_from, 0 FROM replicas, schema
  WHERE id <> $1 AND lives_until > clock_timestamp()`;

/** How other replicas are told: channel and payload of the hint. */
export type News = readonly [channel: string, payload: string];

/** The first row is one's own; none: the schema is gone. */
export function announce(
  session: Session,
  { id, takesWork }: Replica,
  ttlMs: number,
  news: News,
): Promise<Row[]> {
  return session.all(ANNOUNCE, id, takesWork, ttlMs, SCHEMA_VERSION, ...news);
}

export function retire(session: Session, replicaId: string, news: News): Promise<number> {
  const sql = `WITH gone AS (DELETE FROM replicas WHERE id = $1 RETURNING id)
    SELECT pg_notify($2, $3) FROM gone`;
  return session.run(sql, replicaId, ...news);
}

/** In one order for everybody. */
export function living(rows: readonly Row[]): readonly Replica[] {
  return rows
    .map((row) => ({ id: row.text('id'), takesWork: row.flag('takes_work') }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** Those that nobody has heard of for long. */
export function forget(session: Session): Promise<number> {
  return session.run(
    "DELETE FROM replicas WHERE lives_until < clock_timestamp() - interval '1 day'",
  );
}
