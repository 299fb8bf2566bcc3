-- SPDX-License-Identifier: Apache-2.0
-- What people and other tools read: every table with words and text times, and the tables of the
-- programs that hale replaces. See docs/store.md. The columns are the same in SQLite, where times
-- are texts.

CREATE VIEW v_results AS
SELECT r.at, to_char(r.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at_text,
       c.node, c.name AS component, s.name AS status, o.name AS outcome,
       coalesce(r.reason, 'ok') AS reason, r.message,
       (r.took_us / 1000.0)::double precision AS took_ms,
       CASE WHEN r.metric_set IS NULL THEN r.metrics::jsonb
            ELSE (SELECT jsonb_object_agg(n.name, v.value::jsonb)
                  FROM metric_sets m,
                       json_array_elements_text(m.names::json) WITH ORDINALITY n(name, i)
                  JOIN unnest(string_to_array(r.metrics, ',')) WITH ORDINALITY v(value, i)
                       USING (i)
                  WHERE m.id = r.metric_set) END AS metrics,
       r.details, e.epoch, r.seq
FROM results r
JOIN components c ON c.id = r.component_id
JOIN epochs e ON e.id = r.epoch_id
JOIN statuses s ON s.code = r.status
JOIN outcomes o ON o.code = r.outcome;

CREATE VIEW v_transitions AS
SELECT t.at, to_char(t.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at_text,
       c.node, c.name AS component, f.name AS from_status, s.name AS to_status,
       t.reason, t.message, e.epoch, t.seq
FROM transitions t
JOIN components c ON c.id = t.component_id
JOIN epochs e ON e.id = t.epoch_id
LEFT JOIN statuses f ON f.code = t.from_status
JOIN statuses s ON s.code = t.to_status;

CREATE VIEW v_process_events AS
SELECT p.at, to_char(p.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at_text,
       e.node, p.process, p.event, p.state, p.pid, p.generation, p.restarts, p.status_text,
       p.last_exit, e.epoch, p.seq
FROM process_events p
JOIN epochs e ON e.id = p.epoch_id;

CREATE VIEW v_events AS
SELECT v.at, to_char(v.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at_text,
       e.node, v.topic, v.kind, v.severity, v.subject, v.message, v.details, e.epoch, v.seq
FROM events v
JOIN epochs e ON e.id = v.epoch_id;

CREATE VIEW v_states AS
SELECT t.at, to_char(t.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at_text,
       c.node, c.name AS component, c.kind, c.label, s.name AS status, t.since, t.last_check,
       t.last_success, t.consecutive_failures, t.error_count, t.recovery_attempts, t.reason,
       t.message, t.last_error, (t.took_us / 1000.0)::double precision AS took_ms, t.metrics,
       t.details
FROM component_states t
JOIN components c ON c.id = t.component_id
JOIN statuses s ON s.code = t.status;

CREATE VIEW v_alerts AS
SELECT a.id, a.node, a.key, a.rule, a.severity, a.state, a.component, a.message, a.opened_at,
       a.resolved_at, a.count, a.updated_at
FROM alerts a;

CREATE VIEW v_deliveries AS
SELECT d.id, d.alert_id, a.node, a.component, a.rule, d.channel, d.state, d.attempts, d.error,
       d.first_at, d.last_at
FROM notification_deliveries d
LEFT JOIN alerts a ON a.id = d.alert_id;

CREATE VIEW v_runs AS
SELECT r.run, r.node, r.job, r.started_at, r.ended_at, r.trigger, r.dry_run, r.outcome,
       r.inserted, r.updated, r.closed, r.skipped, r.errors,
       (r.took_us / 1000.0)::double precision AS took_ms
FROM reconciliation_runs r;

CREATE VIEW v_recoveries AS
SELECT a.at, to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at_text,
       e.node, a.component, a.action, a.trigger, a.outcome, a.message,
       (a.took_us / 1000.0)::double precision AS took_ms, e.epoch, a.seq
FROM recovery_attempts a
JOIN epochs e ON e.id = a.epoch_id;

CREATE VIEW nodes AS
SELECT e.node, min(e.first_at) AS first_at, max(e.last_at) AS last_at, count(*) AS starts,
       (SELECT count(*) FROM component_states t JOIN components c ON c.id = t.component_id
        WHERE c.node = e.node) AS components
FROM epochs e GROUP BY e.node;

-- Each metric of each result as a row; took_ms of the check, too.
CREATE VIEW metric_samples AS
SELECT r.at, to_char(r.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at_text,
       c.node, c.name AS component, n.name AS metric, v.value::double precision AS value
FROM results r
JOIN components c ON c.id = r.component_id
JOIN metric_sets m ON m.id = r.metric_set
CROSS JOIN LATERAL json_array_elements_text(m.names::json) WITH ORDINALITY n(name, i)
JOIN LATERAL unnest(string_to_array(r.metrics, ',')) WITH ORDINALITY v(value, i) ON v.i = n.i
UNION ALL
SELECT r.at, to_char(r.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
       c.node, c.name, v.key, v.value::double precision
FROM results r
JOIN components c ON c.id = r.component_id
CROSS JOIN LATERAL jsonb_each(CASE WHEN r.metric_set IS NULL THEN r.metrics::jsonb END) v
WHERE r.metric_set IS NULL AND jsonb_typeof(v.value) = 'number'
UNION ALL
SELECT r.at, to_char(r.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
       c.node, c.name, 'took_ms', (r.took_us / 1000.0)::double precision
FROM results r
JOIN components c ON c.id = r.component_id
WHERE r.took_us IS NOT NULL;

CREATE VIEW v_metric_rollups_5m AS
SELECT x.at, to_char(x.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at_text,
       c.node, c.name AS component, m.name AS metric, r.count, r.min, r.sum / r.count AS avg,
       r.max, r.p95
FROM metric_rollups_5m r
CROSS JOIN LATERAL (SELECT to_timestamp(r.day * 86400.0 + r.slot * 300) AS at) x
JOIN metrics m ON m.id = r.metric_id
JOIN components c ON c.id = r.component_id;

CREATE VIEW v_metric_rollups_1h AS
SELECT x.at, to_char(x.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at_text,
       c.node, c.name AS component, m.name AS metric, r.count, r.min, r.sum / r.count AS avg,
       r.max, r.p95
FROM metric_rollups_1h r
CROSS JOIN LATERAL (SELECT to_timestamp(r.day * 86400.0 + r.slot * 3600) AS at) x
JOIN metrics m ON m.id = r.metric_id
JOIN components c ON c.id = r.component_id;

CREATE VIEW v_metric_rollups_1d AS
SELECT x.at, to_char(x.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at_text,
       c.node, c.name AS component, m.name AS metric, r.count, r.min, r.sum / r.count AS avg,
       r.max, r.p95
FROM metric_rollups_1d r
CROSS JOIN LATERAL (SELECT to_timestamp(r.day * 86400.0) AS at) x
JOIN metrics m ON m.id = r.metric_id
JOIN components c ON c.id = r.component_id;

-- The tables of the programs that hale replaces. Counters and last_error are those of now.

-- id: a UUID (RFC 9562, version 8) of epoch and number, so that a row keeps it.
-- uptime_seconds: since the component became healthy.
CREATE VIEW health_logs AS
SELECT (lpad(to_hex(r.epoch_id), 8, '0') || '-0000-8000-8000-' || lpad(to_hex(r.seq), 12, '0'))::uuid
           AS id,
       r.at AS timestamp, c.name AS component, s.name AS status,
       round(r.took_us / 1000.0)::int AS response_time, r.details, r.at AS created_at,
       c.kind AS component_type,
       CASE WHEN r.metric_set IS NULL THEN r.metrics::jsonb
            ELSE (SELECT jsonb_object_agg(n.name, v.value::jsonb)
                  FROM metric_sets m,
                       json_array_elements_text(m.names::json) WITH ORDINALITY n(name, i)
                  JOIN unnest(string_to_array(r.metrics, ',')) WITH ORDINALITY v(value, i)
                       USING (i)
                  WHERE m.id = r.metric_set) END AS metrics,
       r.message,
       CASE WHEN r.status <> 0 THEN 0.0
            ELSE date_part('epoch', r.at - (SELECT max(x.at) FROM transitions x
                                            WHERE x.component_id = r.component_id
                                              AND x.at <= r.at)) END AS uptime_seconds,
       coalesce(t.error_count, 0) AS error_count, t.last_error,
       coalesce(t.recovery_attempts, 0) AS recovery_attempts, c.node AS node_id, r.at
FROM results r
JOIN components c ON c.id = r.component_id
JOIN statuses s ON s.code = r.status
LEFT JOIN component_states t ON t.component_id = r.component_id;

CREATE VIEW health_checks AS
SELECT r.epoch_id * 1099511627776 + r.seq AS id, r.at AS timestamp,
       c.name AS component_id, coalesce(c.kind, '') AS component_type, s.name AS status,
       coalesce(CASE WHEN r.metric_set IS NULL THEN r.metrics::jsonb
            ELSE (SELECT jsonb_object_agg(n.name, v.value::jsonb)
                  FROM metric_sets m,
                       json_array_elements_text(m.names::json) WITH ORDINALITY n(name, i)
                  JOIN unnest(string_to_array(r.metrics, ',')) WITH ORDINALITY v(value, i)
                       USING (i)
                  WHERE m.id = r.metric_set) END, '{}'::jsonb) AS metrics,
       CASE WHEN r.status <> 0 THEN 0.0
            ELSE date_part('epoch', r.at - (SELECT max(x.at) FROM transitions x
                                            WHERE x.component_id = r.component_id
                                              AND x.at <= r.at)) END AS uptime_seconds,
       coalesce(t.error_count, 0) AS error_count, t.last_error,
       coalesce(t.recovery_attempts, 0) AS recovery_attempts, c.node AS node_id, r.at
FROM results r
JOIN components c ON c.id = r.component_id
JOIN statuses s ON s.code = r.status
LEFT JOIN component_states t ON t.component_id = r.component_id;

-- One row per component. error_message is about trouble; message is there in any case.
CREATE VIEW service_health AS
SELECT c.name AS service_name, s.name AS status, t.last_check, t.last_success,
       t.consecutive_failures,
       CASE WHEN t.status = 0 THEN NULL ELSE t.message END AS error_message,
       jsonb_build_object('kind', c.kind, 'label', c.label, 'reason', t.reason,
                          'response_time_ms', (t.took_us / 1000.0)::double precision,
                          'metrics', coalesce(t.metrics, '{}'::jsonb),
                          'details', coalesce(t.details, '{}'::jsonb)) AS metadata,
       t.message, c.node AS node_id, t.at
FROM component_states t
JOIN components c ON c.id = t.component_id
JOIN statuses s ON s.code = t.status;

-- Changes of status, recovery, starts and ends, changes of the configuration, and what else
-- happened. Events that tell of a recovery are there as recoveries.
CREATE VIEW system_events AS
SELECT v.id * 4 AS id, v.at AS timestamp,
       CASE v.topic WHEN 'event' THEN v.kind ELSE v.topic || '_' || v.kind END AS event_type,
       v.subject AS component_id, v.severity, coalesce(v.message, v.kind) AS message, v.details,
       v.details ->> 'actor' AS actor, e.node AS node_id, v.at
FROM events v
JOIN epochs e ON e.id = v.epoch_id
WHERE v.topic <> 'action' AND v.kind NOT IN ('on_failing', 'check_restart', 'check_restart_limit')
UNION ALL
SELECT t.id * 4 + 1, t.at, 'status_change', c.name,
       CASE t.to_status WHEN 0 THEN 'info' WHEN 1 THEN 'warning' WHEN 2 THEN 'warning'
            ELSE 'critical' END,
       coalesce(t.message, c.name || ' is ' || s.name),
       jsonb_build_object('from', f.name, 'to', s.name, 'reason', t.reason), NULL, c.node, t.at
FROM transitions t
JOIN components c ON c.id = t.component_id
LEFT JOIN statuses f ON f.code = t.from_status
JOIN statuses s ON s.code = t.to_status
UNION ALL
SELECT p.id * 4 + 2, p.at, 'process_' || p.event, p.process,
       CASE WHEN p.event IN ('exit', 'watchdog', 'start_timeout', 'held') THEN 'warning'
            ELSE 'info' END,
       coalesce(p.process || ': ' || p.event || ', ' || nullif(p.status_text, ''),
                p.process || ': ' || p.event),
       p.last_exit, NULL, e.node, p.at
FROM process_events p
JOIN epochs e ON e.id = p.epoch_id
UNION ALL
SELECT a.id * 4 + 3, a.at, 'recovery', a.component,
       CASE a.outcome WHEN 'done' THEN 'info' ELSE 'warning' END,
       coalesce(a.message, a.action || ': ' || a.outcome),
       jsonb_build_object('action', a.action, 'trigger', a.trigger, 'outcome', a.outcome), NULL,
       e.node, a.at
FROM recovery_attempts a
JOIN epochs e ON e.id = a.epoch_id;
