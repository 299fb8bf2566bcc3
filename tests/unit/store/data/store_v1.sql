-- SPDX-License-Identifier: Apache-2.0
-- A store as hale wrote it with schema version 1 (sqlite3's .dump).
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES('cursor_epoch','e1');
INSERT INTO meta VALUES('cursor_seq','40');
CREATE TABLE statuses (code INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO statuses VALUES(0,'healthy');
INSERT INTO statuses VALUES(1,'unknown');
INSERT INTO statuses VALUES(2,'degraded');
INSERT INTO statuses VALUES(3,'critical');
INSERT INTO statuses VALUES(4,'down');
CREATE TABLE outcomes (code INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO outcomes VALUES(0,'pass');
INSERT INTO outcomes VALUES(1,'warn');
INSERT INTO outcomes VALUES(2,'fail');
INSERT INTO outcomes VALUES(3,'down');
INSERT INTO outcomes VALUES(4,'error');
CREATE TABLE components (
	id   INTEGER PRIMARY KEY,
	node TEXT NOT NULL,
	name TEXT NOT NULL,
	UNIQUE (node, name)
);
INSERT INTO components VALUES(1,'web1','api');
INSERT INTO components VALUES(2,'web1','overall');
INSERT INTO components VALUES(3,'web1','db');
CREATE TABLE epochs (
	id    INTEGER PRIMARY KEY,
	node  TEXT NOT NULL,
	epoch TEXT NOT NULL,
	UNIQUE (node, epoch)
);
INSERT INTO epochs VALUES(1,'web1','e0');
INSERT INTO epochs VALUES(2,'web1','e1');
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
INSERT INTO results VALUES(1800000001000,1,10,1,0,0,NULL,'200',41200,'{"status_code":200.0}','{"ip":"127.0.0.1"}');
INSERT INTO results VALUES(1800000002000,1,11,1,0,0,NULL,NULL,40100,'{"status_code":200.0}',NULL);
INSERT INTO results VALUES(1800000003000,2,30,1,4,3,'conn_refused','Connection refused',1500,NULL,'{"address":"::1"}');
INSERT INTO results VALUES(1800000004000,2,31,3,0,0,NULL,'ready',NULL,NULL,NULL);
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
INSERT INTO transitions VALUES(1,1800000000000,1,9,1,NULL,0,'ok','200');
INSERT INTO transitions VALUES(2,1800000003000,2,30,1,0,4,'conn_refused','Connection refused');
INSERT INTO transitions VALUES(3,1800000003000,2,30,2,0,3,NULL,'api is down');
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
INSERT INTO process_events VALUES(1,1799999999000,1,1,'check.http','start','starting',4711,1,0,'',NULL);
INSERT INTO process_events VALUES(2,1800000002500,2,1,'check.http','exit','backoff',NULL,1,1,'12 checks','{"signal":"SIGKILL"}');
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
INSERT INTO events VALUES(1,1799999999500,1,2,'event','start','info','haled','started',NULL);
INSERT INTO events VALUES(2,1800000005000,2,32,'alert','opened','critical','api','api is down','{"event":"opened","alert":{"id":"a-1","key":"api/down","rule":"down","severity":"critical","state":"open","component":"api","message":"api is down","opened":"2027-01-15T08:00:05.000Z","resolved":null,"count":1}}');
INSERT INTO events VALUES(3,1800000006000,2,33,'alert','notified','critical','api','api is down','{"event":"notified","alert":{"id":"a-1","key":"api/down","rule":"down","severity":"critical","state":"open","component":"api","message":"api is down","opened":"2027-01-15T08:00:05.000Z","resolved":null,"count":2},"delivery":{"id":"d-1","channel":"ops","attempt":1,"status":"retrying","error":"timeout"}}');
INSERT INTO events VALUES(4,1800000007000,2,34,'alert','notified','critical','api','api is down','{"event":"notified","alert":{"id":"a-1","key":"api/down","rule":"down","severity":"critical","state":"resolved","component":"api","message":"api is down","opened":"2027-01-15T08:00:05.000Z","resolved":"2027-01-15T08:00:06.500Z","count":2},"delivery":{"id":"d-1","channel":"ops","attempt":2,"status":"sent","error":null}}');
INSERT INTO events VALUES(5,1800000008000,2,35,'reconcile','done','info','positions','1 inserted, 0 updated, 0 closed','{"job":"positions","run":"r-1","trigger":"schedule","dry_run":false,"outcome":"done","inserted":1,"updated":0,"closed":0,"skipped":2,"errors":[],"took_ms":41.2}');
INSERT INTO events VALUES(6,1800000009000,2,36,'action','failed','warning','reconnect','503','{"action":"reconnect","run":"r-2","trigger":"manual","outcome":"failed","message":"503","took_ms":12.0}');
INSERT INTO events VALUES(7,1800000010000,2,37,'event','check_restart','warning','gateway','gateway is restarted: api: 503','{"component":"api"}');
INSERT INTO events VALUES(8,1800000011000,2,38,'event','on_failing','critical','worker','worker cannot be kept running','{"exit":{"code":1}}');
CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL);
INSERT INTO schema_migrations VALUES(1,'001_initial',1799999990000);
CREATE INDEX transitions_at ON transitions (at);
CREATE INDEX transitions_component ON transitions (component_id, at);
CREATE INDEX process_events_at ON process_events (at);
CREATE INDEX events_at ON events (at);
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
COMMIT;
