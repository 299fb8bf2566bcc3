-- SPDX-License-Identifier: Apache-2.0
-- Rollups of metrics, the present state of each component, alerts and runs as rows of their own,
-- and the views that other tools' tables map to. See docs/store.md.

-- kind and label as the configuration has them; they may change.
ALTER TABLE components ADD COLUMN kind TEXT;
ALTER TABLE components ADD COLUMN label TEXT;

-- last_seq: up to where this start's lines are stored; a line is stored once, because what is not
-- above it is passed over. first_at, last_at: while somebody watched.
ALTER TABLE epochs ADD COLUMN last_seq INTEGER NOT NULL DEFAULT 9223372036854775807;
ALTER TABLE epochs ADD COLUMN first_at INTEGER;
ALTER TABLE epochs ADD COLUMN last_at INTEGER;
UPDATE epochs SET first_at = (SELECT min(at) FROM process_events p WHERE p.epoch_id = epochs.id);
-- What an older hale wrote does not tell when it ended: taken as watched until the next began.
UPDATE epochs SET last_at = coalesce(
	(SELECT min(n.first_at) FROM epochs n WHERE n.node = epochs.node AND n.first_at > epochs.first_at),
	(SELECT max(at) FROM results), first_at);

-- How far each node's bus is stored.
CREATE TABLE cursors (
	node  TEXT PRIMARY KEY,
	epoch TEXT NOT NULL,
	seq   INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO cursors (node, epoch, seq)
	SELECT e.node, e.epoch, CAST((SELECT value FROM meta WHERE key = 'cursor_seq') AS INTEGER)
	FROM epochs e WHERE e.epoch = (SELECT value FROM meta WHERE key = 'cursor_epoch');
UPDATE epochs SET last_seq = (SELECT seq FROM cursors c WHERE c.node = epochs.node)
	WHERE EXISTS (SELECT 1 FROM cursors c WHERE c.node = epochs.node AND c.epoch = epochs.epoch);
DELETE FROM meta WHERE key IN ('cursor_epoch', 'cursor_seq');

-- The names of a result's metrics, in the order of its values: ["bytes","status_code"].
CREATE TABLE metric_sets (
	id    INTEGER PRIMARY KEY,
	names TEXT NOT NULL UNIQUE
);
-- results.metrics: with a set, the values as text, 612,200; without one a JSON object, as before.
ALTER TABLE results ADD COLUMN metric_set INTEGER;

CREATE TABLE metrics (
	id   INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
);

-- What a metric was over 5 minutes, an hour, a day (UTC). day: days since 1970; slot: the number
-- of the bucket within it. The key begins with the time, so that a bucket's rows are appended and
-- go in one piece; by metric first, each bucket would touch a page per series (50 times the
-- writing). One series is read slot by slot: name day and slot of each, do not filter a range.
-- `took_ms` of the check is rolled up like a metric. sketch: its histogram (store/sketch.h).
CREATE TABLE metric_rollups_5m (
	day INTEGER NOT NULL, metric_id INTEGER NOT NULL, component_id INTEGER NOT NULL,
	slot INTEGER NOT NULL, count INTEGER NOT NULL, sum REAL NOT NULL, min REAL NOT NULL,
	max REAL NOT NULL, p95 REAL NOT NULL, sketch TEXT NOT NULL,
	PRIMARY KEY (day, slot, metric_id, component_id)
) WITHOUT ROWID;
CREATE TABLE metric_rollups_1h (
	day INTEGER NOT NULL, metric_id INTEGER NOT NULL, component_id INTEGER NOT NULL,
	slot INTEGER NOT NULL, count INTEGER NOT NULL, sum REAL NOT NULL, min REAL NOT NULL,
	max REAL NOT NULL, p95 REAL NOT NULL, sketch TEXT NOT NULL,
	PRIMARY KEY (day, slot, metric_id, component_id)
) WITHOUT ROWID;
CREATE TABLE metric_rollups_1d (
	day INTEGER NOT NULL, metric_id INTEGER NOT NULL, component_id INTEGER NOT NULL,
	slot INTEGER NOT NULL, count INTEGER NOT NULL, sum REAL NOT NULL, min REAL NOT NULL,
	max REAL NOT NULL, p95 REAL NOT NULL, sketch TEXT NOT NULL,
	PRIMARY KEY (day, slot, metric_id, component_id)
) WITHOUT ROWID;
-- Buckets in which rows were stored since they were last computed. level 0: 5 minutes, 1: hour,
-- 2: an hour that its day must learn of; start in ms. touched counts how often, so that who
-- computes sees that more came meanwhile.
CREATE TABLE rollup_pending (
	level   INTEGER NOT NULL,
	start   INTEGER NOT NULL,
	touched INTEGER NOT NULL DEFAULT 1,
	PRIMARY KEY (level, start)
) WITHOUT ROWID;
-- What raw results there are is rolled up once.
INSERT INTO rollup_pending (level, start) SELECT DISTINCT 0, at / 300000 * 300000 FROM results;

-- The last state of each component; written at every change of status, else every few seconds.
CREATE TABLE component_states (
	component_id         INTEGER PRIMARY KEY,
	at                   INTEGER NOT NULL,
	status               INTEGER NOT NULL,
	since                INTEGER,
	last_check           INTEGER,
	last_success         INTEGER,
	consecutive_failures INTEGER NOT NULL DEFAULT 0,
	error_count          INTEGER NOT NULL DEFAULT 0, -- observations that were not healthy
	reason               TEXT,
	message              TEXT,
	last_error           TEXT, -- the last message that came with trouble
	took_us              INTEGER,
	metrics              TEXT, -- JSON object
	details              TEXT  -- JSON object
);

CREATE TABLE alerts (
	id          TEXT PRIMARY KEY, -- UUID
	node        TEXT NOT NULL,
	key         TEXT,
	rule        TEXT,
	severity    TEXT NOT NULL,
	state       TEXT NOT NULL,
	component   TEXT,
	message     TEXT,
	opened_at   INTEGER NOT NULL,
	resolved_at INTEGER,
	count       INTEGER NOT NULL DEFAULT 1,
	updated_at  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX alerts_opened ON alerts (opened_at);

CREATE TABLE notification_deliveries (
	id       TEXT PRIMARY KEY, -- UUID
	alert_id TEXT NOT NULL,
	channel  TEXT NOT NULL,
	state    TEXT NOT NULL, -- sent, retrying, failed
	attempts INTEGER NOT NULL,
	error    TEXT,
	first_at INTEGER NOT NULL,
	last_at  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX deliveries_first ON notification_deliveries (first_at);

CREATE TABLE reconciliation_runs (
	run        TEXT PRIMARY KEY, -- UUID
	node       TEXT NOT NULL,
	job        TEXT NOT NULL,
	started_at INTEGER,
	ended_at   INTEGER NOT NULL,
	trigger    TEXT,
	dry_run    INTEGER NOT NULL,
	outcome    TEXT NOT NULL,
	inserted   INTEGER NOT NULL,
	updated    INTEGER NOT NULL,
	closed     INTEGER NOT NULL,
	skipped    INTEGER NOT NULL,
	errors     TEXT, -- JSON array
	took_us    INTEGER
) WITHOUT ROWID;
CREATE INDEX runs_ended ON reconciliation_runs (ended_at);

-- Recovery: actions of the reconciler, commands of on_failing, restarts by a check.
CREATE TABLE recovery_attempts (
	id        INTEGER PRIMARY KEY,
	at        INTEGER NOT NULL,
	epoch_id  INTEGER NOT NULL,
	seq       INTEGER NOT NULL,
	component TEXT,
	action    TEXT NOT NULL,
	trigger   TEXT,
	outcome   TEXT NOT NULL,
	message   TEXT,
	took_us   INTEGER,
	UNIQUE (epoch_id, seq)
);
CREATE INDEX recovery_attempts_at ON recovery_attempts (at);
