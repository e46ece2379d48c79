// One append, inside the caller's transaction: whatever is thrown here undoes all. The watches are
// locked first, in one order for everybody, so that two replicas can wait for each other but never
// in a circle.
import type { NewDelivery } from '../../core/delivery.ts';
import { encodeContent, encodeDeploy, encodeEvent, encodePolicy, encodeTrack } from '../codec.ts';
import type { Append, DecidedTick, NewWatch } from '../journal.ts';
import { checkPhase, Refused } from '../refusal.ts';
import { wholeMs } from '../rows.ts';
import { encodeReadings } from '../tick-codec.ts';
import type { Session } from './database.ts';
import { MAY_WRITE } from './migrations.ts';

/** A watch as it stands in this transaction. */
type Standing = {
  readonly phase: string;
  readonly isActive: boolean;
  readonly revision: number;
  readonly closedAtMs: number | null;
};

/** How other replicas are told. */
export type Sender = { readonly channel: string; readonly payload: (watchId: string) => string };

/** PostgreSQL keeps no NUL in a text; JSON writes it as an escape, so that only names can hold it. */
export function name(text: string, what: string): string {
  if (!text.includes('\0')) return text;
  throw new Error(`${what} holds a NUL character, which PostgreSQL cannot keep; leave it out`);
}

/** What a receiver answered is told as well as it can be. */
export const told = (text: string) => text.replaceAll('\0', '\ufffd');

export async function write(session: Session, batches: readonly Append[], sender: Sender) {
  const ids = [...new Set(batches.map(({ watchId }) => watchId))];
  const rows = await session.all(
    `SELECT id, phase, is_active, revision, closed_at_ms FROM watches
     WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE`,
    ids,
  );
  const standing = new Map<string, Standing>();
  for (const row of rows) {
    standing.set(row.text('id'), {
      phase: row.text('phase'),
      isActive: row.flag('is_active'),
      revision: row.integer('revision'),
      closedAtMs: row.integerOrNull('closed_at_ms'),
    });
  }
  for (const batch of batches) {
    if (batch.create !== undefined) {
      await create(session, batch.create, batch);
      const fresh = { phase: 'watching', isActive: true, revision: 0, closedAtMs: null };
      standing.set(batch.watchId, fresh);
    }
    const watch = standing.get(batch.watchId);
    if (watch === undefined) throw new Refused();
    standing.set(batch.watchId, await writeBatch(session, batch, watch, sender));
  }
}

async function writeBatch(
  session: Session,
  batch: Append,
  watch: Standing,
  sender: Sender,
): Promise<Standing> {
  if (watch.revision !== batch.expectedRevision) throw new Refused();
  checkPhase(watch.phase, batch);
  await writeEvents(session, batch);
  await plan(session, batch);
  await writeOutcomes(session, batch);
  if (batch.tick !== undefined) {
    const isWritten = await writeTick(session, batch.watchId, batch.tick, watch);
    if (!isWritten) throw new Refused();
  }
  const { phase, isActive, events, atMs } = batch;
  const next: Standing = {
    phase,
    isActive,
    revision: watch.revision + events.length,
    closedAtMs: phase === 'watching' ? null : (watch.closedAtMs ?? wholeMs(atMs)),
  };
  // A tick without events leaves this row, with the policy in it, unwritten.
  const isSame = watch.phase === phase && watch.isActive === isActive && events.length === 0;
  if (isSame) return watch;
  await session.run(
    `UPDATE watches SET phase = $2, is_active = $3, closed_at_ms = $4, revision = $5
     WHERE id = $1`,
    batch.watchId,
    phase,
    isActive,
    next.closedAtMs,
    next.revision,
  );
  if (events.length > 0) {
    await session.run('SELECT pg_notify($1, $2)', sender.channel, sender.payload(batch.watchId));
  }
  return next;
}

async function create(session: Session, watch: NewWatch, batch: Append): Promise<void> {
  if (watch.id !== batch.watchId) {
    throw new Error(`creates watch ${watch.id} in an append to ${batch.watchId}`);
  }
  const { idempotencyKey: key } = watch;
  await session.run(
    `INSERT INTO watches (id, service, environment, deploy, policy, policy_hash, idempotency_key,
       started_at_ms, phase, is_active, revision)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'watching', true, 0)`,
    name(watch.id, 'the id of the watch'),
    name(watch.deploy.service, 'the service'),
    name(watch.deploy.environment, 'the environment'),
    encodeDeploy(watch.deploy),
    encodePolicy(watch.policy),
    watch.policyHash,
    key === null ? null : name(key, 'the idempotency key'),
    wholeMs(watch.startedAtMs),
  );
}

async function writeEvents(session: Session, batch: Append): Promise<void> {
  if (batch.events.length === 0) return;
  const events = batch.events.map(encodeEvent);
  await session.run(
    `INSERT INTO events (watch_id, seq, at_ms, type, body)
     SELECT $1, $2::int + place, $3::bigint, type, body
     FROM unnest($4::text[], $5::text[]) WITH ORDINALITY AS new (type, body, place)`,
    batch.watchId,
    batch.expectedRevision,
    wholeMs(batch.atMs),
    events.map(({ type }) => type),
    events.map(({ body }) => body),
  );
}

export function isCritical({ content }: Pick<NewDelivery, 'content'>): boolean {
  return content.kind === 'message' && content.message.severity === 'critical';
}

async function plan(session: Session, { watchId, deliveries }: Append): Promise<void> {
  if (deliveries.length === 0) return;
  for (const delivery of deliveries) {
    if (delivery.watchId === watchId) continue;
    throw new Error(`plans delivery ${delivery.id} of ${delivery.watchId} in watch ${watchId}`);
  }
  const column = <Value>(of: (delivery: NewDelivery) => Value) => deliveries.map(of);
  await session.run(
    `INSERT INTO deliveries (id, watch_id, kind, action, content, is_critical, created_at_ms,
       not_before_ms, after_delivery, deadline_at_ms, attempts_max)
     SELECT id, $1, kind, action, content, is_critical, created_at_ms,
       not_before_ms, after_delivery, deadline_at_ms, attempts_max
     FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::bigint[],
       $8::bigint[], $9::text[], $10::bigint[], $11::int[]) WITH ORDINALITY
       AS new (id, kind, action, content, is_critical, created_at_ms,
         not_before_ms, after_delivery, deadline_at_ms, attempts_max, place)
     ORDER BY place`,
    watchId,
    column(({ id }) => name(id, 'the id of a delivery')),
    column(({ content }) => content.kind),
    column(({ content }) => (content.kind === 'action' ? content.action : null)),
    column(({ content }) => encodeContent(content)),
    column(isCritical),
    column(({ createdAtMs }) => wholeMs(createdAtMs)),
    column(({ notBeforeMs }) => wholeMs(notBeforeMs)),
    column(({ afterDelivery }) => afterDelivery),
    column(({ deadlineAtMs }) => wholeMs(deadlineAtMs)),
    column(({ attemptsMax }) => attemptsMax),
  );
}

/** Giving up spares what this very batch planned, and what it says has been delivered. */
async function writeOutcomes(session: Session, batch: Append): Promise<void> {
  for (const update of batch.updates ?? []) {
    const changes = await session.run(
      `UPDATE deliveries SET state = $1, not_before_ms = $2, last_reason = $3, last_detail = $4,
         receipt = COALESCE($8, receipt), in_flight = false
       WHERE id = $5 AND watch_id = $6 AND state = 'pending'
         AND (attempts = $7 OR $1 = 'delivered')`,
      update.state,
      wholeMs(update.notBeforeMs),
      update.reason,
      told(update.detail),
      update.id,
      batch.watchId,
      update.attempt,
      update.receipt === undefined ? null : told(update.receipt),
    );
    if (changes !== 1) throw new Refused();
  }
  if (batch.giveUpActions === undefined) return;
  await session.run(
    `UPDATE deliveries SET state = 'gave_up', last_reason = $2, last_detail = $3,
       in_flight = false
     WHERE watch_id = $1 AND kind = 'action' AND state = 'pending' AND id <> ALL ($4::text[])`,
    batch.watchId,
    batch.giveUpActions.reason,
    told(batch.giveUpActions.detail),
    batch.deliveries.map(({ id }) => id),
  );
}

// The lock waits for whoever writes to the watch, and then looks at what that one left: so does the
// time of the track. A tick of the same time stays as it was first written.
const tickSql = (track: string) => `
  WITH watch AS (
    SELECT id FROM watches
    WHERE id = $1 AND revision = $2 AND phase = $3 AND is_active = $4 AND ${MAY_WRITE}
    FOR NO KEY UPDATE
  ), moved AS (${track}), written AS (
    INSERT INTO ticks (watch_id, at_ms, readings) SELECT watch_id, $7::bigint, $8 FROM moved
    ON CONFLICT (watch_id, at_ms) DO NOTHING
  ) SELECT watch_id FROM moved`;

const FIRST_TICK = tickSql(`
  INSERT INTO tracks (watch_id, at_ms, track) SELECT id, $5::bigint, $6 FROM watch
  ON CONFLICT (watch_id) DO NOTHING RETURNING watch_id`);

const LATER_TICK = tickSql(`
  UPDATE tracks SET at_ms = $5::bigint, track = $6 FROM watch
  WHERE tracks.watch_id = watch.id AND tracks.at_ms = $9::bigint RETURNING tracks.watch_id`);

/** One statement; false when the watch or its track is not as it should be: nothing is written. */
export async function writeTick(
  session: Session,
  watchId: string,
  { tick, track, previousAtMs }: DecidedTick,
  { revision, phase, isActive }: Pick<Standing, 'revision' | 'phase' | 'isActive'>,
): Promise<boolean> {
  const values = [
    ...[watchId, revision, phase, isActive, wholeMs(track.atMs), encodeTrack(track)],
    ...[wholeMs(tick.atMs), encodeReadings(tick.readings)],
  ];
  const rows =
    previousAtMs === null
      ? await session.all(FIRST_TICK, ...values)
      : await session.all(LATER_TICK, ...values, wholeMs(previousAtMs));
  return rows.length === 1;
}
