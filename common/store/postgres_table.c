/* SPDX-License-Identifier: Apache-2.0 */
#include "postgres_table.h"

#include "base/mem.h"

/* t timestamptz, q bigint, i int, h smallint, x text, j jsonb. */
static enum pg_type type_of(char letter)
{
	switch (letter) {
	case 't':
		return PG_TYPE_TIMESTAMPTZ;
	case 'q':
		return PG_TYPE_INT8;
	case 'i':
		return PG_TYPE_INT4;
	case 'h':
		return PG_TYPE_INT2;
	case 'j':
		return PG_TYPE_JSONB;
	default:
		HALE_ASSERT(letter == 'x');
		return PG_TYPE_TEXT;
	}
}

/* Of rows of one key in a batch the last holds: ON CONFLICT takes each row once. */
static const struct {
	const char *sql;
	const char *types;
} tables[TABLE_MAX] = {
	[TABLE_NEW_EPOCHS] =
		{"INSERT INTO epochs (node, epoch, last_seq)"
		 " SELECT u.node, u.epoch, -1 FROM unnest($1::text[], $2::text[]) u(node, epoch)"
		 " WHERE NOT EXISTS (SELECT FROM epochs e"
		 " WHERE e.node = u.node AND e.epoch = u.epoch) ON CONFLICT DO NOTHING",
		 "xx"},
	[TABLE_EPOCHS_FOUND] =
		{"SELECT u.i - 1, e.id, e.last_seq"
		 " FROM unnest($1::text[], $2::text[]) WITH ORDINALITY u(node, epoch, i)"
		 " JOIN epochs e ON e.node = u.node AND e.epoch = u.epoch",
		 "xx"},
	[TABLE_NEW_COMPONENTS] =
		{"INSERT INTO components (node, name, used_at)"
		 " SELECT u.node, u.name, now() FROM unnest($1::text[], $2::text[]) u(node, name)"
		 " WHERE NOT EXISTS (SELECT FROM components c"
		 " WHERE c.node = u.node AND c.name = u.name) ON CONFLICT DO NOTHING",
		 "xx"},
	[TABLE_COMPONENTS_FOUND] =
		{"UPDATE components c SET used_at = now()"
		 " FROM unnest($1::text[], $2::text[]) WITH ORDINALITY u(node, name, i)"
		 " WHERE c.node = u.node AND c.name = u.name RETURNING u.i - 1, c.id",
		 "xx"},
	[TABLE_NEW_SETS] =
		{"INSERT INTO metric_sets (names, used_at) SELECT u.names, now()"
		 " FROM unnest($1::text[], $2::int[]) WITH ORDINALITY u(names, most, i)"
		 " WHERE NOT EXISTS (SELECT FROM metric_sets m WHERE m.names = u.names)"
		 " AND (SELECT count(*) FROM metric_sets) + u.i <= u.most ON CONFLICT DO NOTHING",
		 "xi"},
	[TABLE_SETS_FOUND] =
		/* In one order, or two nodes could wait for each other. */
	{"WITH found AS (SELECT u.i, m.id FROM unnest($1::text[]) WITH ORDINALITY u(names, i)"
	 " JOIN metric_sets m ON m.names = u.names ORDER BY m.id FOR UPDATE OF m)"
	 " UPDATE metric_sets m SET used_at = now() FROM found f WHERE m.id = f.id"
	 " RETURNING f.i - 1, m.id",
	 "x"},
	/* Where the store stands must be where we think it stands; if it is not, 1 / 0 ends the
	 * transaction. */
	[TABLE_EPOCHS] = {"WITH moved AS (UPDATE epochs e SET last_seq = u.last_seq,"
			  " first_at = least(e.first_at, u.first_at), last_at = "
			  "greatest(e.last_at, u.last_at)"
			  " FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::timestamptz[],"
			  " $5::timestamptz[]) u(id, was, last_seq, first_at, last_at)"
			  " WHERE e.id = u.id AND e.last_seq = u.was RETURNING 1)"
			  " SELECT 1 / (count(*) = cardinality($1))::int FROM moved",
			  "iqqtt"},
	[TABLE_RESULTS] =
		{"INSERT INTO results (at, seq, took_us, component_id, epoch_id, status, outcome,"
		 " metric_set, reason, message, metrics, details)"
		 " SELECT * FROM unnest($1::timestamptz[], $2::bigint[], $3::bigint[], $4::int[],"
		 " $5::int[], $6::smallint[], $7::smallint[], $8::smallint[], $9::text[],"
		 " $10::text[], $11::text[], $12::jsonb[])",
		 "tqqiihhhxxxj"},
	[TABLE_TRANSITIONS] =
		{"INSERT INTO transitions (at, seq, epoch_id, component_id, from_status, to_status,"
		 " reason, message)"
		 " SELECT * FROM unnest($1::timestamptz[], $2::bigint[], $3::int[], $4::int[],"
		 " $5::smallint[], $6::smallint[], $7::text[], $8::text[])"
		 " ON CONFLICT DO NOTHING",
		 "tqiihhxx"},
	[TABLE_STANDING] =
		{"INSERT INTO transitions (at, seq, epoch_id, component_id, from_status, to_status,"
		 " reason, message)"
		 " SELECT at, seq, epoch_id, component_id,"
		 " CASE WHEN is_standing <> 0 THEN known ELSE from_status END, to_status, reason,"
		 " message FROM ("
		 "SELECT u.*, coalesce("
		 "lag(u.to_status) OVER (PARTITION BY u.component_id ORDER BY u.i),"
		 " CASE WHEN u.is_standing <> 0 THEN (SELECT t.to_status FROM transitions t"
		 " WHERE t.component_id = u.component_id ORDER BY t.at DESC, t.id DESC LIMIT 1) "
		 "END)"
		 " AS known"
		 " FROM unnest($1::timestamptz[], $2::bigint[], $3::int[], $4::int[],"
		 " $5::smallint[], $6::smallint[], $7::text[], $8::text[], $9::smallint[])"
		 " WITH ORDINALITY u(at, seq, epoch_id, component_id, from_status, to_status, "
		 "reason,"
		 " message, is_standing, i)) x"
		 " WHERE is_standing = 0 OR known IS DISTINCT FROM to_status"
		 " ORDER BY i ON CONFLICT DO NOTHING",
		 "tqiihhxxh"},
	[TABLE_PROCESSES] =
		{"INSERT INTO process_events (at, seq, pid, generation, restarts, epoch_id, "
		 "process,"
		 " event, state, status_text, last_exit)"
		 " SELECT * FROM unnest($1::timestamptz[], $2::bigint[], $3::bigint[], "
		 "$4::bigint[],"
		 " $5::bigint[], $6::int[], $7::text[], $8::text[], $9::text[], $10::text[],"
		 " $11::jsonb[]) ON CONFLICT DO NOTHING",
		 "tqqqqixxxxj"},
	[TABLE_EVENTS] =
		{"INSERT INTO events (at, seq, epoch_id, topic, kind, severity, subject, message,"
		 " details)"
		 " SELECT * FROM unnest($1::timestamptz[], $2::bigint[], $3::int[], $4::text[],"
		 " $5::text[], $6::text[], $7::text[], $8::text[], $9::jsonb[])"
		 " ON CONFLICT DO NOTHING",
		 "tqixxxxxj"},
	[TABLE_ALERTS] =
		{"INSERT INTO alerts (opened_at, resolved_at, updated_at, count, id, node, key, "
		 "rule,"
		 " severity, state, component, message)"
		 " SELECT DISTINCT ON (u.id) u.opened_at, u.resolved_at, u.updated_at, u.count, "
		 "u.id,"
		 " u.node, u.key, u.rule, u.severity, u.state, u.component, u.message"
		 " FROM unnest($1::timestamptz[], $2::timestamptz[], $3::timestamptz[], "
		 "$4::bigint[],"
		 " $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],"
		 " $11::text[], $12::text[]) WITH ORDINALITY u(opened_at, resolved_at, updated_at,"
		 " count, id, node, key, rule, severity, state, component, message, i)"
		 " ORDER BY u.id, u.i DESC"
		 " ON CONFLICT (id) DO UPDATE SET node = excluded.node, key = excluded.key,"
		 " rule = excluded.rule, severity = excluded.severity, state = excluded.state,"
		 " component = excluded.component, message = excluded.message,"
		 " opened_at = excluded.opened_at, resolved_at = excluded.resolved_at,"
		 " count = excluded.count, updated_at = excluded.updated_at",
		 "tttqxxxxxxxx"},
	[TABLE_DELIVERIES] =
		{"INSERT INTO notification_deliveries (first_at, last_at, attempts, id, alert_id,"
		 " channel, state, error)"
		 " SELECT DISTINCT ON (u.id) min(u.at) OVER (PARTITION BY u.id), u.at, u.attempts,"
		 " u.id, u.alert_id, u.channel, u.state, u.error"
		 " FROM unnest($1::timestamptz[], $2::bigint[], $3::text[], $4::text[], $5::text[],"
		 " $6::text[], $7::text[]) WITH ORDINALITY u(at, attempts, id, alert_id, channel,"
		 " state, error, i)"
		 " ORDER BY u.id, u.i DESC"
		 " ON CONFLICT (id) DO UPDATE SET state = excluded.state,"
		 " attempts = excluded.attempts, error = excluded.error, last_at = "
		 "excluded.last_at",
		 "tqxxxxx"},
	[TABLE_RUNS] =
		{"INSERT INTO reconciliation_runs (started_at, ended_at, inserted, updated, closed,"
		 " skipped, took_us, dry_run, run, node, job, trigger, outcome, errors)"
		 " SELECT DISTINCT ON (u.run) u.started_at, u.ended_at, u.inserted, u.updated,"
		 " u.closed, u.skipped, u.took_us, u.dry_run, u.run, u.node, u.job, u.trigger,"
		 " u.outcome, u.errors"
		 " FROM unnest($1::timestamptz[], $2::timestamptz[], $3::bigint[], $4::bigint[],"
		 " $5::bigint[], $6::bigint[], $7::bigint[], $8::smallint[], $9::text[], "
		 "$10::text[],"
		 " $11::text[], $12::text[], $13::text[], $14::jsonb[]) WITH ORDINALITY "
		 "u(started_at,"
		 " ended_at, inserted, updated, closed, skipped, took_us, dry_run, run, node, job,"
		 " trigger, outcome, errors, i)"
		 " ORDER BY u.run, u.i DESC"
		 " ON CONFLICT (run) DO UPDATE SET started_at = excluded.started_at,"
		 " ended_at = excluded.ended_at, outcome = excluded.outcome,"
		 " inserted = excluded.inserted, updated = excluded.updated,"
		 " closed = excluded.closed, skipped = excluded.skipped,"
		 " errors = excluded.errors, took_us = excluded.took_us",
		 "ttqqqqqhxxxxxj"},
	[TABLE_RECOVERIES] =
		{"INSERT INTO recovery_attempts (at, seq, took_us, epoch_id, component, action,"
		 " trigger, outcome, message)"
		 " SELECT * FROM unnest($1::timestamptz[], $2::bigint[], $3::bigint[], $4::int[],"
		 " $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])"
		 " ON CONFLICT DO NOTHING",
		 "tqqixxxxx"},
	[TABLE_ABOUT] = {"UPDATE components c SET kind = u.kind, label = u.label"
			 " FROM unnest($1::int[], $2::text[], $3::text[]) u(id, kind, label)"
			 " WHERE c.id = u.id",
			 "ixx"},
	[TABLE_STATES] =
		{"WITH last AS (SELECT DISTINCT ON (u.component_id) u.*"
		 " FROM unnest($1::int[], $2::smallint[], $3::timestamptz[], $4::smallint[],"
		 " $5::timestamptz[], $6::timestamptz[], $7::timestamptz[], $8::bigint[],"
		 " $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::text[],"
		 " $14::text[], $15::jsonb[], $16::jsonb[]) WITH ORDINALITY u(component_id,"
		 " is_removed, at, status, since, last_check, last_success, consecutive_failures,"
		 " error_count, recovery_attempts, took_us, reason, message, last_error, metrics,"
		 " details, i)"
		 " ORDER BY u.component_id, u.i DESC),"
		 " gone AS (DELETE FROM component_states s USING last"
		 " WHERE last.is_removed <> 0 AND s.component_id = last.component_id)"
		 " INSERT INTO component_states (component_id, at, status, since, last_check,"
		 " last_success, consecutive_failures, error_count, recovery_attempts, took_us,"
		 " reason, message, last_error, metrics, details)"
		 " SELECT component_id, at, status, since, last_check, last_success,"
		 " consecutive_failures, error_count, recovery_attempts, took_us, reason, message,"
		 " last_error, metrics, details FROM last WHERE is_removed = 0"
		 " ON CONFLICT (component_id) DO UPDATE SET at = excluded.at,"
		 " status = excluded.status, since = excluded.since,"
		 " last_check = excluded.last_check, last_success = excluded.last_success,"
		 " consecutive_failures = excluded.consecutive_failures,"
		 " error_count = excluded.error_count,"
		 " recovery_attempts = excluded.recovery_attempts, took_us = excluded.took_us,"
		 " reason = excluded.reason, message = excluded.message,"
		 " last_error = excluded.last_error, metrics = excluded.metrics,"
		 " details = excluded.details",
		 "ihthtttqqqqxxxjj"},
	[TABLE_VANISHED] =
		{"WITH gone AS (DELETE FROM component_states s USING components c,"
		 " unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::int[], $5::smallint[],"
		 " $6::text[]) u(node, at, seq, epoch_id, to_status, message)"
		 " WHERE c.id = s.component_id AND c.node = u.node AND s.at < u.at"
		 " RETURNING s.component_id, s.status, u.*)"
		 " INSERT INTO transitions (at, epoch_id, seq, component_id, from_status, "
		 "to_status,"
		 " message) SELECT at, epoch_id, seq, component_id, status, to_status, message"
		 " FROM gone WHERE status <> to_status ON CONFLICT DO NOTHING",
		 "xtqihx"},
	/* In one order, or two nodes could wait for each other. */
	[TABLE_PENDING] =
		{"INSERT INTO rollup_pending (level, start)"
		 " SELECT 0, u.start FROM unnest($1::timestamptz[]) u(start) ORDER BY u.start"
		 " ON CONFLICT (level, start) DO UPDATE SET touched = rollup_pending.touched + 1",
		 "t"},
	[TABLE_CURSOR] =
		{"INSERT INTO cursors (node, epoch, seq)"
		 " SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])"
		 " ON CONFLICT (node) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq",
		 "xxq"},
};

void postgres_tables_init(struct postgres_tables *t)
{
	for (size_t i = 0; i < TABLE_MAX; i++) {
		struct postgres_column_set *set = &t->set[i];

		for (const char *type = tables[i].types; *type != '\0'; type++)
			pg_array_init(&set->column[set->columns++], type_of(*type));
		HALE_ASSERT(set->columns <= PG_PIPE_PARAMS_MAX);
	}
}

void postgres_tables_done(struct postgres_tables *t)
{
	for (size_t i = 0; i < TABLE_MAX; i++)
		for (size_t c = 0; c < t->set[i].columns; c++)
			pg_array_done(&t->set[i].column[c]);
}

void postgres_tables_clear(struct postgres_tables *t)
{
	for (size_t i = 0; i < TABLE_MAX; i++) {
		struct postgres_column_set *set = &t->set[i];

		if (set->rows == 0 && set->next == 0)
			continue;
		for (size_t c = 0; c < set->columns; c++)
			pg_array_clear(&set->column[c]);
		set->rows = set->next = 0;
	}
}

static struct pg_array *next_of(struct postgres_tables *t, enum postgres_table table)
{
	struct postgres_column_set *set = &t->set[table];
	struct pg_array *column = &set->column[set->next++];

	if (set->next == set->columns) {
		set->next = 0;
		set->rows++;
	}
	return column;
}

void postgres_put_int(struct postgres_tables *t, enum postgres_table table, int64_t n)
{
	pg_array_int(next_of(t, table), n);
}

void postgres_put_time(struct postgres_tables *t, enum postgres_table table, int64_t ms)
{
	pg_array_time(next_of(t, table), ms);
}

void postgres_put_int_or_null(struct postgres_tables *t, enum postgres_table table, int64_t n)
{
	struct pg_array *column = next_of(t, table);

	if (n < 0)
		pg_array_null(column);
	else
		pg_array_int(column, n);
}

void postgres_put_time_or_null(struct postgres_tables *t, enum postgres_table table, int64_t ms)
{
	struct pg_array *column = next_of(t, table);

	if (ms < 0)
		pg_array_null(column);
	else
		pg_array_time(column, ms);
}

void postgres_put_text(struct postgres_tables *t, enum postgres_table table, struct row_text text)
{
	struct pg_array *column = next_of(t, table);

	if (text.text == NULL)
		pg_array_null(column);
	else
		pg_array_text(column, text.text, text.len);
}

struct pg_step postgres_step(struct postgres_tables *t, enum postgres_table table)
{
	struct postgres_column_set *set = &t->set[table];

	HALE_ASSERT(set->next == 0);
	for (size_t c = 0; c < set->columns; c++)
		pg_array_bytes(&set->column[c], &set->params[c].data, &set->params[c].len);
	return (struct pg_step){.sql = tables[table].sql, .params = set->params, .n = set->columns};
}
