-- SPDX-License-Identifier: Apache-2.0
-- hale's history. Times are integers, milliseconds since 1970 UTC. See docs/store.md.

-- What the store knows of itself: cursor_epoch and cursor_seq name the last bus line stored.
CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL
) WITHOUT ROWID;

-- Words of the wire as small numbers. They never change meaning; new ones come by migration.
CREATE TABLE statuses (code INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO statuses (code, name) VALUES
	(0, 'healthy'), (1, 'unknown'), (2, 'degraded'), (3, 'critical'), (4, 'down');
CREATE TABLE outcomes (code INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO outcomes (code, name) VALUES
	(0, 'pass'), (1, 'warn'), (2, 'fail'), (3, 'down'), (4, 'error');

CREATE TABLE components (
	id   INTEGER PRIMARY KEY,
	node TEXT NOT NULL,
	name TEXT NOT NULL,
	UNIQUE (node, name)
);

-- One start of a node's haled; (epoch_id, seq) names one line of the bus.
CREATE TABLE epochs (
	id    INTEGER PRIMARY KEY,
	node  TEXT NOT NULL,
	epoch TEXT NOT NULL,
	UNIQUE (node, epoch)
);

-- One row per observation. The key begins with the time, so that rows are appended: keyed by
-- component first, inserting costs twenty times as much. A line always has the same time, so the
-- key is as unique as (epoch_id, seq).
CREATE TABLE results (
	at           INTEGER NOT NULL,
	epoch_id     INTEGER NOT NULL,
	seq          INTEGER NOT NULL,
	component_id INTEGER NOT NULL,
	status       INTEGER NOT NULL,
	outcome      INTEGER NOT NULL,
	reason       TEXT,    -- NULL: ok
	message      TEXT,    -- NULL: healthy, and as in the component's row before
	took_us      INTEGER,
	metrics      TEXT,    -- JSON object
	details      TEXT,    -- JSON object; as message
	PRIMARY KEY (at, epoch_id, seq)
) WITHOUT ROWID;

-- One row per change of status, of components and of 'overall'.
CREATE TABLE transitions (
	id           INTEGER PRIMARY KEY,
	at           INTEGER NOT NULL,
	epoch_id     INTEGER NOT NULL,
	seq          INTEGER NOT NULL,
	component_id INTEGER NOT NULL,
	from_status  INTEGER, -- NULL: not known
	to_status    INTEGER NOT NULL,
	reason       TEXT,
	message      TEXT,
	UNIQUE (epoch_id, seq, component_id)
);
CREATE INDEX transitions_at ON transitions (at);
CREATE INDEX transitions_component ON transitions (component_id, at);

CREATE TABLE process_events (
	id          INTEGER PRIMARY KEY,
	at          INTEGER NOT NULL,
	epoch_id    INTEGER NOT NULL,
	seq         INTEGER NOT NULL,
	process     TEXT NOT NULL,
	event       TEXT NOT NULL,
	state       TEXT NOT NULL,
	pid         INTEGER,
	generation  INTEGER,
	restarts    INTEGER,
	status_text TEXT,
	last_exit   TEXT, -- JSON object, with event 'exit'
	UNIQUE (epoch_id, seq)
);
CREATE INDEX process_events_at ON process_events (at);

-- What else the bus told: topic event, alert, reconcile, action.
CREATE TABLE events (
	id       INTEGER PRIMARY KEY,
	at       INTEGER NOT NULL,
	epoch_id INTEGER NOT NULL,
	seq      INTEGER NOT NULL,
	topic    TEXT NOT NULL,
	kind     TEXT NOT NULL,
	severity TEXT NOT NULL,
	subject  TEXT,
	message  TEXT,
	details  TEXT, -- JSON object: the rest of the line
	UNIQUE (epoch_id, seq)
);
CREATE INDEX events_at ON events (at);

-- The same with words instead of numbers, for people and other tools.
CREATE VIEW v_results AS
SELECT r.at, strftime('%Y-%m-%dT%H:%M:%fZ', r.at / 1000.0, 'unixepoch') AS at_text,
       c.node, c.name AS component, s.name AS status, o.name AS outcome,
       coalesce(r.reason, 'ok') AS reason, r.message, r.took_us / 1000.0 AS took_ms,
       r.metrics, r.details, e.epoch, r.seq
FROM results r
JOIN components c ON c.id = r.component_id
JOIN epochs e ON e.id = r.epoch_id
JOIN statuses s ON s.code = r.status
JOIN outcomes o ON o.code = r.outcome;

CREATE VIEW v_transitions AS
SELECT t.at, strftime('%Y-%m-%dT%H:%M:%fZ', t.at / 1000.0, 'unixepoch') AS at_text,
       c.node, c.name AS component, f.name AS from_status, s.name AS to_status,
       t.reason, t.message, e.epoch, t.seq
FROM transitions t
JOIN components c ON c.id = t.component_id
JOIN epochs e ON e.id = t.epoch_id
LEFT JOIN statuses f ON f.code = t.from_status
JOIN statuses s ON s.code = t.to_status;

CREATE VIEW v_process_events AS
SELECT p.at, strftime('%Y-%m-%dT%H:%M:%fZ', p.at / 1000.0, 'unixepoch') AS at_text,
       e.node, p.process, p.event, p.state, p.pid, p.generation, p.restarts, p.status_text,
       p.last_exit, e.epoch, p.seq
FROM process_events p
JOIN epochs e ON e.id = p.epoch_id;

CREATE VIEW v_events AS
SELECT v.at, strftime('%Y-%m-%dT%H:%M:%fZ', v.at / 1000.0, 'unixepoch') AS at_text,
       e.node, v.topic, v.kind, v.severity, v.subject, v.message, v.details, e.epoch, v.seq
FROM events v
JOIN epochs e ON e.id = v.epoch_id;
