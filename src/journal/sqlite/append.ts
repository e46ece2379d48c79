// One batch of an append, inside the caller's transaction: whatever is thrown here undoes all.
import type { NewDelivery } from '../../core/delivery.ts';
import type { EventBody } from '../../core/event.ts';
import { encodeContent, encodeDeploy, encodeEvent, encodePolicy, encodeTrack } from '../codec.ts';
import type { Append, NewWatch } from '../journal.ts';
import { checkPhase, Refused } from '../refusal.ts';
import { wholeMs } from '../rows.ts';
import { encodeReadings } from '../tick-codec.ts';
import type { Connection } from './sql.ts';

export function write(sql: Connection, batch: Append): void {
  const { watchId, atMs } = batch;
  if (batch.create !== undefined) create(sql, batch.create, batch);
  const watch = sql.one('SELECT phase, revision, closed_at_ms FROM watches WHERE id = ?', watchId);
  if (watch === null || watch.integer('revision') !== batch.expectedRevision) throw new Refused();
  checkPhase(watch.text('phase'), batch);

  writeEvents(sql, batch);
  const plannedBefore = sql.one('SELECT coalesce(max(planned), 0) AS last FROM deliveries');
  for (const delivery of batch.deliveries) plan(sql, delivery, watchId);
  writeOutcomes(sql, batch, plannedBefore?.integer('last') ?? 0);
  if (batch.tick !== undefined) writeTick(sql, watchId, batch.tick);

  const closedAtMs =
    batch.phase === 'watching' ? null : (watch.integerOrNull('closed_at_ms') ?? wholeMs(atMs));
  // A tick without events leaves this row, with the policy in it, unwritten.
  sql.run(
    `UPDATE watches SET phase = ?1, is_active = ?2, closed_at_ms = ?3, revision = ?4
     WHERE id = ?5 AND (phase <> ?1 OR is_active <> ?2 OR revision <> ?4)`,
    batch.phase,
    batch.isActive ? 1 : 0,
    closedAtMs,
    batch.expectedRevision + batch.events.length,
    watchId,
  );
}

function create(sql: Connection, watch: NewWatch, batch: Append): void {
  if (watch.id !== batch.watchId) {
    throw new Error(`creates watch ${watch.id} in an append to ${batch.watchId}`);
  }
  sql.run(
    `INSERT INTO watches (id, service, environment, deploy, policy, policy_hash, idempotency_key,
       started_at_ms, phase, is_active, revision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'watching', 1, 0)`,
    watch.id,
    watch.deploy.service,
    watch.deploy.environment,
    encodeDeploy(watch.deploy),
    encodePolicy(watch.policy),
    watch.policyHash,
    watch.idempotencyKey,
    wholeMs(watch.startedAtMs),
  );
}

function writeEvents(sql: Connection, batch: Append): void {
  batch.events.forEach((event: EventBody, index) => {
    const { type, body } = encodeEvent(event);
    sql.run(
      'INSERT INTO events (watch_id, seq, at_ms, type, body) VALUES (?, ?, ?, ?, ?)',
      batch.watchId,
      batch.expectedRevision + index + 1,
      wholeMs(batch.atMs),
      type,
      body,
    );
  });
}

function plan(sql: Connection, delivery: NewDelivery, watchId: string): void {
  if (delivery.watchId !== watchId) {
    throw new Error(`plans delivery ${delivery.id} of ${delivery.watchId} in watch ${watchId}`);
  }
  const { content } = delivery;
  sql.run(
    `INSERT INTO deliveries (id, watch_id, kind, action, content, created_at_ms, not_before_ms,
       after_delivery, deadline_at_ms, attempts_max) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    delivery.id,
    watchId,
    content.kind,
    content.kind === 'action' ? content.action : null,
    encodeContent(content),
    wholeMs(delivery.createdAtMs),
    wholeMs(delivery.notBeforeMs),
    delivery.afterDelivery,
    wholeMs(delivery.deadlineAtMs),
    delivery.attemptsMax,
  );
}

/** Giving up spares what this very batch planned, and what it says has been delivered. */
function writeOutcomes(sql: Connection, batch: Append, plannedBefore: number): void {
  for (const update of batch.updates ?? []) {
    const changes = sql.run(
      `UPDATE deliveries SET state = ?, not_before_ms = ?, last_reason = ?, last_detail = ?,
         receipt = COALESCE(?, receipt), in_flight = 0 WHERE id = ? AND watch_id = ? AND state = 'pending'
         AND (attempts = ? OR ? = 'delivered')`,
      update.state,
      wholeMs(update.notBeforeMs),
      update.reason,
      update.detail,
      update.receipt ?? null,
      update.id,
      batch.watchId,
      update.attempt,
      update.state,
    );
    if (changes !== 1) throw new Refused();
  }
  if (batch.giveUpActions === undefined) return;
  sql.run(
    `UPDATE deliveries SET state = 'gave_up', last_reason = ?, last_detail = ?, in_flight = 0
     WHERE watch_id = ? AND kind = 'action' AND state = 'pending' AND planned <= ?`,
    batch.giveUpActions.reason,
    batch.giveUpActions.detail,
    batch.watchId,
    plannedBefore,
  );
}

/** A tick of the same time stays as it was first written. */
function writeTick(sql: Connection, watchId: string, written: NonNullable<Append['tick']>): void {
  const { tick, track, previousAtMs } = written;
  const stored = sql.one('SELECT at_ms FROM tracks WHERE watch_id = ?', watchId);
  const storedAtMs = stored?.integer('at_ms') ?? null;
  // Two replicas read at about the same time: the second one goes on from the first one's state.
  if (storedAtMs !== (previousAtMs === null ? null : wholeMs(previousAtMs))) throw new Refused();
  sql.run(
    `INSERT INTO ticks (watch_id, at_ms, readings) VALUES (?, ?, ?)
     ON CONFLICT (watch_id, at_ms) DO NOTHING`,
    watchId,
    wholeMs(tick.atMs),
    encodeReadings(tick.readings),
  );
  sql.run(
    `INSERT INTO tracks (watch_id, at_ms, track) VALUES (?, ?, ?)
     ON CONFLICT (watch_id) DO UPDATE SET at_ms = excluded.at_ms, track = excluded.track`,
    watchId,
    wholeMs(track.atMs),
    encodeTrack(track),
  );
}
