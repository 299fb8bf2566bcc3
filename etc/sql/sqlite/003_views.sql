-- SPDX-License-Identifier: Apache-2.0
-- What people and other tools read: every table with words and text times, and the tables of the
-- programs that hale replaces. See docs/store.md. The columns are the same in PostgreSQL.

-- How often something was done to mend the present trouble, or the last.
ALTER TABLE component_states ADD COLUMN recovery_attempts INTEGER NOT NULL DEFAULT 0;

DROP VIEW v_results;
DROP VIEW v_transitions;
DROP VIEW v_process_events;
DROP VIEW v_events;

CREATE VIEW v_results AS
SELECT r.at, strftime('%Y-%m-%dT%H:%M:%fZ', r.at / 1000.0, 'unixepoch') AS at_text,
       c.node, c.name AS component, s.name AS status, o.name AS outcome,
       coalesce(r.reason, 'ok') AS reason, r.message, r.took_us / 1000.0 AS took_ms,
       CASE WHEN r.metric_set IS NULL THEN r.metrics
            ELSE (SELECT json_group_object(n.value, v.value)
                  FROM metric_sets m, json_each(m.names) n
                  JOIN json_each('[' || r.metrics || ']') v ON v.key = n.key
                  WHERE m.id = r.metric_set) END AS metrics,
       r.details, e.epoch, r.seq
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

CREATE VIEW v_states AS
SELECT t.at, strftime('%Y-%m-%dT%H:%M:%fZ', t.at / 1000.0, 'unixepoch') AS at_text,
       c.node, c.name AS component, c.kind, c.label, s.name AS status,
       strftime('%Y-%m-%dT%H:%M:%fZ', t.since / 1000.0, 'unixepoch') AS since,
       strftime('%Y-%m-%dT%H:%M:%fZ', t.last_check / 1000.0, 'unixepoch') AS last_check,
       strftime('%Y-%m-%dT%H:%M:%fZ', t.last_success / 1000.0, 'unixepoch') AS last_success,
       t.consecutive_failures, t.error_count, t.recovery_attempts, t.reason, t.message,
       t.last_error, t.took_us / 1000.0 AS took_ms, t.metrics, t.details
FROM component_states t
JOIN components c ON c.id = t.component_id
JOIN statuses s ON s.code = t.status;

CREATE VIEW v_alerts AS
SELECT a.id, a.node, a.key, a.rule, a.severity, a.state, a.component, a.message,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.opened_at / 1000.0, 'unixepoch') AS opened_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.resolved_at / 1000.0, 'unixepoch') AS resolved_at,
       a.count,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.updated_at / 1000.0, 'unixepoch') AS updated_at
FROM alerts a;

CREATE VIEW v_deliveries AS
SELECT d.id, d.alert_id, a.node, a.component, a.rule, d.channel, d.state, d.attempts, d.error,
       strftime('%Y-%m-%dT%H:%M:%fZ', d.first_at / 1000.0, 'unixepoch') AS first_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', d.last_at / 1000.0, 'unixepoch') AS last_at
FROM notification_deliveries d
LEFT JOIN alerts a ON a.id = d.alert_id;

CREATE VIEW v_runs AS
SELECT r.run, r.node, r.job,
       strftime('%Y-%m-%dT%H:%M:%fZ', r.started_at / 1000.0, 'unixepoch') AS started_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', r.ended_at / 1000.0, 'unixepoch') AS ended_at,
       r.trigger, r.dry_run, r.outcome, r.inserted, r.updated, r.closed, r.skipped, r.errors,
       r.took_us / 1000.0 AS took_ms
FROM reconciliation_runs r;

CREATE VIEW v_recoveries AS
SELECT a.at, strftime('%Y-%m-%dT%H:%M:%fZ', a.at / 1000.0, 'unixepoch') AS at_text,
       e.node, a.component, a.action, a.trigger, a.outcome, a.message,
       a.took_us / 1000.0 AS took_ms, e.epoch, a.seq
FROM recovery_attempts a
JOIN epochs e ON e.id = a.epoch_id;

CREATE VIEW nodes AS
SELECT e.node,
       strftime('%Y-%m-%dT%H:%M:%fZ', min(e.first_at) / 1000.0, 'unixepoch') AS first_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', max(e.last_at) / 1000.0, 'unixepoch') AS last_at,
       count(*) AS starts,
       (SELECT count(*) FROM component_states t JOIN components c ON c.id = t.component_id
        WHERE c.node = e.node) AS components
FROM epochs e GROUP BY e.node;

-- Each metric of each result as a row; took_ms of the check, too.
CREATE VIEW metric_samples AS
SELECT r.at, strftime('%Y-%m-%dT%H:%M:%fZ', r.at / 1000.0, 'unixepoch') AS at_text,
       c.node, c.name AS component, n.value AS metric, v.value AS value
FROM results r
JOIN components c ON c.id = r.component_id
JOIN metric_sets m ON m.id = r.metric_set
JOIN json_each(m.names) n
JOIN json_each('[' || r.metrics || ']') v ON v.key = n.key
UNION ALL
SELECT r.at, strftime('%Y-%m-%dT%H:%M:%fZ', r.at / 1000.0, 'unixepoch'),
       c.node, c.name, v.key, v.value
FROM results r
JOIN components c ON c.id = r.component_id
JOIN json_each(r.metrics) v ON v.type IN ('integer', 'real')
WHERE r.metric_set IS NULL AND r.metrics IS NOT NULL
UNION ALL
SELECT r.at, strftime('%Y-%m-%dT%H:%M:%fZ', r.at / 1000.0, 'unixepoch'),
       c.node, c.name, 'took_ms', r.took_us / 1000.0
FROM results r
JOIN components c ON c.id = r.component_id
WHERE r.took_us IS NOT NULL;

CREATE VIEW v_metric_rollups_5m AS
SELECT r.day * 86400000 + r.slot * 300000 AS at,
       strftime('%Y-%m-%dT%H:%M:%fZ', r.day * 86400.0 + r.slot * 300, 'unixepoch') AS at_text,
       c.node, c.name AS component, m.name AS metric, r.count, r.min, r.sum / r.count AS avg,
       r.max, r.p95
FROM metric_rollups_5m r
JOIN metrics m ON m.id = r.metric_id
JOIN components c ON c.id = r.component_id;

CREATE VIEW v_metric_rollups_1h AS
SELECT r.day * 86400000 + r.slot * 3600000 AS at,
       strftime('%Y-%m-%dT%H:%M:%fZ', r.day * 86400.0 + r.slot * 3600, 'unixepoch') AS at_text,
       c.node, c.name AS component, m.name AS metric, r.count, r.min, r.sum / r.count AS avg,
       r.max, r.p95
FROM metric_rollups_1h r
JOIN metrics m ON m.id = r.metric_id
JOIN components c ON c.id = r.component_id;

CREATE VIEW v_metric_rollups_1d AS
SELECT r.day * 86400000 AS at,
       strftime('%Y-%m-%dT%H:%M:%fZ', r.day * 86400.0, 'unixepoch') AS at_text,
       c.node, c.name AS component, m.name AS metric, r.count, r.min, r.sum / r.count AS avg,
       r.max, r.p95
FROM metric_rollups_1d r
JOIN metrics m ON m.id = r.metric_id
JOIN components c ON c.id = r.component_id;

-- The tables of the programs that hale replaces. `at` is there for asking with a range of time: a
-- comparison with timestamp reads all rows. Counters and last_error are those of now.

-- id: a UUID (RFC 9562, version 8) of epoch and number, so that a row keeps it.
-- uptime_seconds: since the component became healthy.
CREATE VIEW health_logs AS
SELECT printf('%08x-0000-8000-8000-%012x', r.epoch_id, r.seq) AS id,
       strftime('%Y-%m-%dT%H:%M:%fZ', r.at / 1000.0, 'unixepoch') AS timestamp,
       c.name AS component, s.name AS status,
       CAST(round(r.took_us / 1000.0) AS INTEGER) AS response_time, r.details,
       strftime('%Y-%m-%dT%H:%M:%fZ', r.at / 1000.0, 'unixepoch') AS created_at,
       c.kind AS component_type,
       CASE WHEN r.metric_set IS NULL THEN r.metrics
            ELSE (SELECT json_group_object(n.value, v.value)
                  FROM metric_sets m, json_each(m.names) n
                  JOIN json_each('[' || r.metrics || ']') v ON v.key = n.key
                  WHERE m.id = r.metric_set) END AS metrics,
       r.message,
       CASE WHEN r.status <> 0 THEN 0.0
            ELSE (r.at - (SELECT max(x.at) FROM transitions x
                          WHERE x.component_id = r.component_id AND x.at <= r.at)) / 1000.0
       END AS uptime_seconds,
       coalesce(t.error_count, 0) AS error_count, t.last_error,
       coalesce(t.recovery_attempts, 0) AS recovery_attempts, c.node AS node_id, r.at
FROM results r
JOIN components c ON c.id = r.component_id
JOIN statuses s ON s.code = r.status
LEFT JOIN component_states t ON t.component_id = r.component_id;

CREATE VIEW health_checks AS
SELECT r.epoch_id * 1099511627776 + r.seq AS id,
       strftime('%Y-%m-%dT%H:%M:%fZ', r.at / 1000.0, 'unixepoch') AS timestamp,
       c.name AS component_id, coalesce(c.kind, '') AS component_type, s.name AS status,
       coalesce(CASE WHEN r.metric_set IS NULL THEN r.metrics
            ELSE (SELECT json_group_object(n.value, v.value)
                  FROM metric_sets m, json_each(m.names) n
                  JOIN json_each('[' || r.metrics || ']') v ON v.key = n.key
                  WHERE m.id = r.metric_set) END, '{}') AS metrics,
       CASE WHEN r.status <> 0 THEN 0.0
            ELSE (r.at - (SELECT max(x.at) FROM transitions x
                          WHERE x.component_id = r.component_id AND x.at <= r.at)) / 1000.0
       END AS uptime_seconds,
       coalesce(t.error_count, 0) AS error_count, t.last_error,
       coalesce(t.recovery_attempts, 0) AS recovery_attempts, c.node AS node_id, r.at
FROM results r
JOIN components c ON c.id = r.component_id
JOIN statuses s ON s.code = r.status
LEFT JOIN component_states t ON t.component_id = r.component_id;

-- One row per component. error_message is about trouble; message is there in any case.
CREATE VIEW service_health AS
SELECT c.name AS service_name, s.name AS status,
       strftime('%Y-%m-%dT%H:%M:%fZ', t.last_check / 1000.0, 'unixepoch') AS last_check,
       strftime('%Y-%m-%dT%H:%M:%fZ', t.last_success / 1000.0, 'unixepoch') AS last_success,
       t.consecutive_failures,
       CASE WHEN t.status = 0 THEN NULL ELSE t.message END AS error_message,
       json_object('kind', c.kind, 'label', c.label, 'reason', t.reason,
                   'response_time_ms', t.took_us / 1000.0,
                   'metrics', json(coalesce(t.metrics, '{}')),
                   'details', json(coalesce(t.details, '{}'))) AS metadata,
       t.message, c.node AS node_id, t.at
FROM component_states t
JOIN components c ON c.id = t.component_id
JOIN statuses s ON s.code = t.status;

-- Changes of status, recovery, starts and ends, changes of the configuration, and what else
-- happened. Events that tell of a recovery are there as recoveries.
CREATE VIEW system_events AS
SELECT v.id * 4 AS id, strftime('%Y-%m-%dT%H:%M:%fZ', v.at / 1000.0, 'unixepoch') AS timestamp,
       CASE v.topic WHEN 'event' THEN v.kind ELSE v.topic || '_' || v.kind END AS event_type,
       v.subject AS component_id, v.severity, coalesce(v.message, v.kind) AS message, v.details,
       json_extract(v.details, '$.actor') AS actor, e.node AS node_id, v.at
FROM events v
JOIN epochs e ON e.id = v.epoch_id
WHERE v.topic <> 'action' AND v.kind NOT IN ('on_failing', 'check_restart', 'check_restart_limit')
UNION ALL
SELECT t.id * 4 + 1, strftime('%Y-%m-%dT%H:%M:%fZ', t.at / 1000.0, 'unixepoch'), 'status_change', c.name,
       CASE t.to_status WHEN 0 THEN 'info' WHEN 1 THEN 'warning' WHEN 2 THEN 'warning'
            ELSE 'critical' END,
       coalesce(t.message, c.name || ' is ' || s.name),
       json_object('from', f.name, 'to', s.name, 'reason', t.reason), NULL, c.node, t.at
FROM transitions t
JOIN components c ON c.id = t.component_id
LEFT JOIN statuses f ON f.code = t.from_status
JOIN statuses s ON s.code = t.to_status
UNION ALL
SELECT p.id * 4 + 2, strftime('%Y-%m-%dT%H:%M:%fZ', p.at / 1000.0, 'unixepoch'), 'process_' || p.event, p.process,
       CASE WHEN p.event IN ('exit', 'watchdog', 'start_timeout', 'held') THEN 'warning'
            ELSE 'info' END,
       coalesce(p.process || ': ' || p.event || ', ' || nullif(p.status_text, ''),
                p.process || ': ' || p.event),
       p.last_exit, NULL, e.node, p.at
FROM process_events p
JOIN epochs e ON e.id = p.epoch_id
UNION ALL
SELECT a.id * 4 + 3, strftime('%Y-%m-%dT%H:%M:%fZ', a.at / 1000.0, 'unixepoch'), 'recovery', a.component,
       CASE a.outcome WHEN 'done' THEN 'info' ELSE 'warning' END,
       coalesce(a.message, a.action || ': ' || a.outcome),
       json_object('action', a.action, 'trigger', a.trigger, 'outcome', a.outcome), NULL, e.node,
       a.at
FROM recovery_attempts a
JOIN epochs e ON e.id = a.epoch_id;

-- What an older hale kept as events alone.
INSERT OR REPLACE INTO alerts (id, node, key, rule, severity, state, component, message, opened_at,
		resolved_at, count, updated_at)
	SELECT json_extract(v.details, '$.alert.id'), e.node, json_extract(v.details, '$.alert.key'),
	       json_extract(v.details, '$.alert.rule'), v.severity,
	       coalesce(json_extract(v.details, '$.alert.state'), 'open'),
	       json_extract(v.details, '$.alert.component'), v.message,
	       coalesce(CAST(round((julianday(json_extract(v.details, '$.alert.opened'))
	                            - 2440587.5) * 86400000) AS INTEGER), v.at),
	       CAST(round((julianday(json_extract(v.details, '$.alert.resolved'))
	                   - 2440587.5) * 86400000) AS INTEGER),
	       coalesce(json_extract(v.details, '$.alert.count'), 1), v.at
	FROM events v JOIN epochs e ON e.id = v.epoch_id
	WHERE v.topic = 'alert' AND json_extract(v.details, '$.alert.id') IS NOT NULL
	ORDER BY v.at, v.id;
INSERT INTO notification_deliveries (id, alert_id, channel, state, attempts, error, first_at, last_at)
	SELECT json_extract(v.details, '$.delivery.id'), json_extract(v.details, '$.alert.id'),
	       json_extract(v.details, '$.delivery.channel'),
	       json_extract(v.details, '$.delivery.status'),
	       coalesce(json_extract(v.details, '$.delivery.attempt'), 1),
	       json_extract(v.details, '$.delivery.error'), v.at, v.at
	FROM events v
	WHERE v.topic = 'alert' AND json_extract(v.details, '$.delivery.id') IS NOT NULL
	  AND json_extract(v.details, '$.alert.id') IS NOT NULL
	  AND json_extract(v.details, '$.delivery.channel') IS NOT NULL
	  AND json_extract(v.details, '$.delivery.status') IS NOT NULL
	ORDER BY v.at, v.id
	ON CONFLICT (id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
		error = excluded.error, last_at = excluded.last_at;
INSERT OR REPLACE INTO reconciliation_runs (run, node, job, started_at, ended_at, trigger, dry_run,
		outcome, inserted, updated, closed, skipped, errors, took_us)
	SELECT json_extract(v.details, '$.run'), e.node, v.subject,
	       v.at - CAST(coalesce(json_extract(v.details, '$.took_ms'), 0) AS INTEGER), v.at,
	       json_extract(v.details, '$.trigger'),
	       coalesce(json_extract(v.details, '$.dry_run'), 0), v.kind,
	       coalesce(json_extract(v.details, '$.inserted'), 0),
	       coalesce(json_extract(v.details, '$.updated'), 0),
	       coalesce(json_extract(v.details, '$.closed'), 0),
	       coalesce(json_extract(v.details, '$.skipped'), 0),
	       nullif(json_extract(v.details, '$.errors'), '[]'),
	       CAST(round(json_extract(v.details, '$.took_ms') * 1000) AS INTEGER)
	FROM events v JOIN epochs e ON e.id = v.epoch_id
	WHERE v.topic = 'reconcile' AND json_extract(v.details, '$.run') IS NOT NULL
	  AND v.subject IS NOT NULL
	ORDER BY v.at, v.id;
INSERT OR IGNORE INTO recovery_attempts (at, epoch_id, seq, component, action, trigger, outcome,
		message, took_us)
	SELECT v.at, v.epoch_id, v.seq, NULL, v.subject, json_extract(v.details, '$.trigger'),
	       v.kind, v.message,
	       CAST(round(json_extract(v.details, '$.took_ms') * 1000) AS INTEGER)
	FROM events v WHERE v.topic = 'action' AND v.subject IS NOT NULL;
INSERT OR IGNORE INTO recovery_attempts (at, epoch_id, seq, component, action, trigger, outcome,
		message)
	SELECT v.at, v.epoch_id, v.seq,
	       CASE v.kind WHEN 'on_failing' THEN v.subject
	            ELSE json_extract(v.details, '$.component') END,
	       CASE v.kind WHEN 'on_failing' THEN v.kind ELSE 'restart' END,
	       CASE v.kind WHEN 'on_failing' THEN 'crash_loop' ELSE 'check' END,
	       CASE WHEN v.kind = 'check_restart_limit' THEN 'refused'
	            WHEN v.severity = 'critical' THEN 'failed' ELSE 'done' END,
	       v.message
	FROM events v WHERE v.kind IN ('on_failing', 'check_restart', 'check_restart_limit')
	                AND v.topic = 'event';
