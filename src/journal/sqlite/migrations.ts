// The schema of the SQLite journal. Invariants are constraints here, so that a bug above them
// becomes a refused write, not a second rollback. Forward only: a migration that was released is
// never changed, and a newer file is refused rather than guessed at.
import type { DatabaseSync } from 'node:sqlite';

/** "canr": tells our file from any other SQLite database. */
export const APPLICATION_ID = 0x63616e72;

const FIRST = `
  CREATE TABLE watches (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE CHECK (id <> ''),
    service TEXT NOT NULL,
    environment TEXT NOT NULL,
    deploy TEXT NOT NULL,
    policy TEXT NOT NULL,
    policy_hash TEXT NOT NULL,
    idempotency_key TEXT UNIQUE,
    started_at_ms INTEGER NOT NULL,
    phase TEXT NOT NULL CHECK (phase IN
      ('watching', 'stopped', 'passed', 'inconclusive', 'cancelled', 'superseded')),
    is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    closed_at_ms INTEGER,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    CONSTRAINT closed_iff_not_watching CHECK ((phase = 'watching') = (closed_at_ms IS NULL)),
    CONSTRAINT watching_is_active CHECK (phase <> 'watching' OR is_active = 1)
  ) STRICT;
  CREATE UNIQUE INDEX one_open_watch ON watches (service, environment) WHERE phase = 'watching';
  CREATE INDEX watches_newest ON watches (started_at_ms, ordinal);
  CREATE INDEX watches_of_service ON watches (service, environment, started_at_ms, ordinal);
  CREATE INDEX watches_active ON watches (started_at_ms, ordinal) WHERE is_active = 1;
  CREATE INDEX watches_phase ON watches (phase, started_at_ms, ordinal);
  CREATE INDEX watches_closed ON watches (closed_at_ms) WHERE is_active = 0;

  -- J4: the phase of a closed watch never changes.
  CREATE TRIGGER closed_stays_closed BEFORE UPDATE OF phase, closed_at_ms ON watches
  WHEN OLD.phase <> 'watching'
    AND (NEW.phase <> OLD.phase OR NEW.closed_at_ms <> OLD.closed_at_ms)
  BEGIN SELECT RAISE(ABORT, 'a closed watch stays closed (J4)'); END;

  CREATE TABLE events (
    watch_id TEXT NOT NULL REFERENCES watches (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL CHECK (seq >= 1),
    at_ms INTEGER NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (watch_id, seq)
  ) STRICT;
  -- J2: a watch stops once.
  CREATE UNIQUE INDEX one_stop ON events (watch_id) WHERE type = 'watch.stopped';
  CREATE TRIGGER events_are_facts BEFORE UPDATE ON events
  BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END;

  CREATE TABLE deliveries (
    planned INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE CHECK (id <> ''),
    watch_id TEXT NOT NULL REFERENCES watches (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('action', 'message')),
    action TEXT CHECK (action IN ('disarm', 'rollback')),
    content TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'gave_up')),
    attempts INTEGER NOT NULL DEFAULT 0,
    attempted_at_ms INTEGER,
    in_flight INTEGER NOT NULL DEFAULT 0 CHECK (in_flight IN (0, 1)),
    created_at_ms INTEGER NOT NULL,
    not_before_ms INTEGER NOT NULL,
    after_delivery TEXT,
    deadline_at_ms INTEGER NOT NULL,
    attempts_max INTEGER NOT NULL CHECK (attempts_max >= 1),
    last_reason TEXT,
    last_detail TEXT,
    CONSTRAINT action_iff_action CHECK ((kind = 'action') = (action IS NOT NULL)),
    CONSTRAINT attempts_are_bounded CHECK (attempts BETWEEN 0 AND attempts_max),
    CONSTRAINT attempted_iff_attempts CHECK ((attempts = 0) = (attempted_at_ms IS NULL)),
    CONSTRAINT ended_is_not_in_flight CHECK (state = 'pending' OR in_flight = 0)
  ) STRICT;
  -- J2: at most one delivery per watch and action.
  CREATE UNIQUE INDEX one_delivery_per_action ON deliveries (watch_id, action)
    WHERE kind = 'action';
  CREATE INDEX deliveries_of_watch ON deliveries (watch_id, planned);
  CREATE INDEX deliveries_pending ON deliveries (planned) WHERE state = 'pending';
  -- J5: an ended delivery has ended.
  CREATE TRIGGER ended_stays_ended BEFORE UPDATE ON deliveries WHEN OLD.state <> 'pending'
  BEGIN SELECT RAISE(ABORT, 'a delivery that has ended never changes (J5)'); END;

  CREATE TABLE ticks (
    watch_id TEXT NOT NULL REFERENCES watches (id) ON DELETE CASCADE,
    at_ms INTEGER NOT NULL,
    readings TEXT NOT NULL,
    PRIMARY KEY (watch_id, at_ms)
  ) STRICT;

  -- Apart from watches: rewritten with every tick, and the policy beside it would be too.
  CREATE TABLE tracks (
    watch_id TEXT PRIMARY KEY REFERENCES watches (id) ON DELETE CASCADE,
    track TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/** What several replicas need to know of each other; here, so that both stores hold the same. */
const SECOND = `
  ALTER TABLE tracks ADD COLUMN at_ms INTEGER NOT NULL DEFAULT 0;
  -- Rounded up, as every time is written. A damaged row costs its own watch, not the journal.
  UPDATE tracks SET at_ms = CAST(CASE WHEN json_valid(track)
    THEN coalesce(ceil(json_extract(track, '$.atMs')), 0) ELSE 0 END AS INTEGER);
  ALTER TABLE deliveries ADD COLUMN holder TEXT;
`;

/** So that a message of a watch finds the earlier ones after a restart. */
const THIRD = `
  ALTER TABLE deliveries ADD COLUMN receipt TEXT;
`;

/** What is kept of gates. */
const FOURTH = `
  CREATE TABLE gate_sign_offs (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    gate TEXT NOT NULL,
    environment TEXT NOT NULL,
    version TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX sign_offs_of_gate ON gate_sign_offs (gate, environment, version, ordinal);
  CREATE INDEX sign_offs_given ON gate_sign_offs (at_ms);
  CREATE TRIGGER sign_offs_are_facts BEFORE UPDATE ON gate_sign_offs
  BEGIN SELECT RAISE(ABORT, 'a signature is never changed'); END;

  CREATE TABLE gate_records (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE CHECK (id <> ''),
    gate TEXT NOT NULL,
    service TEXT NOT NULL,
    environment TEXT NOT NULL,
    version TEXT NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('go', 'no_go', 'review')),
    received_at_ms INTEGER NOT NULL,
    -- What lists show: the body may be a megabyte.
    head TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX gate_records_of_gate ON gate_records
    (gate, service, environment, version, ordinal);
  CREATE INDEX gate_records_of_service ON gate_records (service, environment, ordinal);
  CREATE INDEX gate_records_received ON gate_records (received_at_ms);
  CREATE TRIGGER gate_records_are_facts BEFORE UPDATE ON gate_records
  BEGIN SELECT RAISE(ABORT, 'a decision of a gate is never changed'); END;

  CREATE TABLE gate_messages (
    planned INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE CHECK (id <> ''),
    record_id TEXT NOT NULL REFERENCES gate_records (id) ON DELETE CASCADE,
    channel TEXT NOT NULL,
    message TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'gave_up')),
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    attempted_at_ms INTEGER,
    not_before_ms INTEGER NOT NULL,
    deadline_at_ms INTEGER NOT NULL,
    last_reason TEXT,
    last_detail TEXT,
    CONSTRAINT once_to_each_channel UNIQUE (record_id, channel),
    CONSTRAINT attempted_iff_attempts CHECK ((attempts = 0) = (attempted_at_ms IS NULL))
  ) STRICT;
  CREATE INDEX gate_messages_pending ON gate_messages (planned) WHERE state = 'pending';
  CREATE TRIGGER gate_message_ended_stays_ended BEFORE UPDATE ON gate_messages
  WHEN OLD.state <> 'pending'
  BEGIN SELECT RAISE(ABORT, 'a message that has ended never changes (J5)'); END;
  CREATE TRIGGER gate_attempts_count_upward BEFORE UPDATE ON gate_messages
  WHEN NEW.attempts NOT IN (OLD.attempts, OLD.attempts + 1)
  BEGIN SELECT RAISE(ABORT, 'attempts count upward, one by one'); END;
`;

export const MIGRATIONS: readonly string[] = [FIRST, SECOND, THIRD, FOURTH];

export const SCHEMA_VERSION = MIGRATIONS.length;

/** Each step with its version in one transaction: a crash in between repeats it from the start. */
export function migrate(db: DatabaseSync, from: number): void {
  for (const [index, migration] of MIGRATIONS.entries()) {
    if (index < from) continue;
    db.exec('BEGIN IMMEDIATE');
    try {
      db.exec(migration);
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
      db.exec(`PRAGMA user_version = ${index + 1}`);
      db.exec('COMMIT');
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
}
