/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite_batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "sqlite_private.h"

/* How many lines are written before somebody who wants an end is heard. */
#define INTERRUPT_LINES 64

#define INSERT_RESULT                                                                              \
	"INSERT OR IGNORE INTO results (at, epoch_id, seq, component_id, status, outcome, reason," \
	" message, took_us, metrics, details, metric_set) VALUES"

static const char *const statements[SQL_MAX] = {
	[SQL_RESULT] = INSERT_RESULT " ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
	[SQL_TRANSITION] =
		"INSERT OR IGNORE INTO transitions (at, epoch_id, seq, component_id, from_status,"
		" to_status, reason, message) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
	[SQL_PROCESS] =
		"INSERT OR IGNORE INTO process_events (at, epoch_id, seq, process, event, state,"
		" pid, generation, restarts, status_text, last_exit)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
	[SQL_EVENT] =
		"INSERT OR IGNORE INTO events (at, epoch_id, seq, topic, kind, severity, subject,"
		" message, details) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
	[SQL_ALERT] =
		"INSERT INTO alerts (id, node, key, rule, severity, state, component, message,"
		" opened_at, resolved_at, count, updated_at)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
		" ON CONFLICT (id) DO UPDATE SET node = excluded.node, key = excluded.key,"
		" rule = excluded.rule, severity = excluded.severity, state = excluded.state,"
		" component = excluded.component, message = excluded.message,"
		" opened_at = excluded.opened_at, resolved_at = excluded.resolved_at,"
		" count = excluded.count, updated_at = excluded.updated_at",
	[SQL_DELIVERY] =
		"INSERT INTO notification_deliveries (id, alert_id, channel, state, attempts,"
		" error, first_at, last_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)"
		" ON CONFLICT (id) DO UPDATE SET state = excluded.state,"
		" attempts = excluded.attempts, error = excluded.error,"
		" last_at = excluded.last_at",
	[SQL_RUN] =
		"INSERT INTO reconciliation_runs (run, node, job, started_at, ended_at, trigger,"
		" dry_run, outcome, inserted, updated, closed, skipped, errors, took_us)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
		" ON CONFLICT (run) DO UPDATE SET started_at = excluded.started_at,"
		" ended_at = excluded.ended_at, outcome = excluded.outcome,"
		" inserted = excluded.inserted, updated = excluded.updated,"
		" closed = excluded.closed, skipped = excluded.skipped,"
		" errors = excluded.errors, took_us = excluded.took_us",
	[SQL_RECOVERY] =
		"INSERT OR IGNORE INTO recovery_attempts (at, epoch_id, seq, component, action,"
		" trigger, outcome, message, took_us)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
	[SQL_STATE] =
		"INSERT INTO component_states (component_id, at, status, since, last_check,"
		" last_success, consecutive_failures, error_count, reason, message, last_error,"
		" took_us, metrics, details, recovery_attempts)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
		" ON CONFLICT (component_id) DO UPDATE SET at = excluded.at,"
		" status = excluded.status, since = excluded.since,"
		" last_check = excluded.last_check, last_success = excluded.last_success,"
		" consecutive_failures = excluded.consecutive_failures,"
		" error_count = excluded.error_count, reason = excluded.reason,"
		" message = excluded.message, last_error = excluded.last_error,"
		" took_us = excluded.took_us, metrics = excluded.metrics,"
		" details = excluded.details, recovery_attempts = excluded.recovery_attempts",
	[SQL_STATE_REMOVE] = "DELETE FROM component_states WHERE component_id = $1",
	[SQL_VANISHED] =
		"INSERT OR IGNORE INTO transitions (at, epoch_id, seq, component_id, from_status,"
		" to_status, message) SELECT $2, $3, $4, s.component_id, s.status, $5, $6"
		" FROM component_states s JOIN components c ON c.id = s.component_id"
		" WHERE c.node = $1 AND s.at < $2 AND s.status <> $5",
	[SQL_VANISHED_REMOVE] = "DELETE FROM component_states WHERE at < $2"
				" AND component_id IN (SELECT id FROM components WHERE node = $1)",
	[SQL_ABOUT] = "UPDATE components SET kind = $2, label = $3 WHERE id = $1",
	[SQL_PENDING] = "INSERT INTO rollup_pending (level, start) VALUES (0, $1)"
			" ON CONFLICT (level, start) DO UPDATE SET"
			" touched = rollup_pending.touched + 1",
	[SQL_EPOCH] = "UPDATE epochs SET last_seq = $2,"
		      " first_at = min(coalesce(first_at, $3), coalesce($3, first_at)),"
		      " last_at = max(coalesce(last_at, $4), coalesce($4, last_at)) WHERE id = $1",
	[SQL_CURSOR] = "INSERT INTO cursors (node, epoch, seq) VALUES ($1, $2, $3)"
		       " ON CONFLICT (node) DO UPDATE SET epoch = excluded.epoch,"
		       " seq = excluded.seq",
};

static int prepare_results(struct sqlite_batch *b)
{
	HALE_CLEANUP(str_done) struct str sql = {0};

	str_add(&sql, INSERT_RESULT);
	for (int i = 0; i < RESULTS_AT_ONCE * RESULT_COLUMNS; i++)
		str_addf(&sql, "%s$%d%s",
			 i % RESULT_COLUMNS > 0 ? ","
			 : i > 0                ? ",("
						: "(",
			 i + 1, i % RESULT_COLUMNS == RESULT_COLUMNS - 1 ? ")" : "");
	return db_prepare(b->db, sql.data, &b->statements[SQL_RESULTS], b->err);
}

int sqlite_run(struct sqlite_batch *b, enum sqlite_statement_id id, const struct db_value *args,
	       size_t n)
{
	int rc = 0;

	if (b->statements[id] == NULL && id == SQL_RESULTS)
		rc = prepare_results(b);
	else if (b->statements[id] == NULL)
		rc = db_prepare(b->db, statements[id], &b->statements[id], b->err);
	return rc == 0 ? db_statement_run(b->statements[id], args, n, b->err) : rc;
}

struct sqlite_batch *sqlite_batch_new(struct db *db, const char *node,
				      const atomic_bool *interrupted)
{
	struct sqlite_batch *b = mem_alloc(sizeof(*b));

	b->db = db;
	b->node = mem_dup(node);
	b->interrupted = interrupted;
	b->reader = rows_reader_new();
	return b;
}

void sqlite_batch_free(struct sqlite_batch *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < SQL_MAX; i++)
		db_statement_free(b->statements[i]);
	rows_reader_free(b->reader);
	known_done(&b->known);
	map_done(&b->metric_sets);
	str_done(&b->texts);
	free(b->epochs);
	free(b->buckets);
	free(b->node);
	free(b);
}

/* --- one batch --- */

static int write_line(struct sqlite_batch *b, const struct store_line *line)
{
	int rc;

	b->line = line;
	b->ref = NULL;
	b->line_ms = -1;
	rc = rows_read(b->reader, line, &sqlite_rows, b);
	if (rc != 0 || b->ref == NULL)
		return rc;
	b->ref->last_seq = (int64_t)line->seq;
	b->ref->is_changed = true;
	if (b->line_ms < 0)
		return 0;
	if (b->ref->first_ms < 0 || b->line_ms < b->ref->first_ms)
		b->ref->first_ms = b->line_ms;
	b->ref->last_ms = HALE_MAX(b->ref->last_ms, b->line_ms);
	return 0;
}

static int write_lines(struct sqlite_batch *b, const struct store_line *lines, size_t n,
		       size_t *skipped, size_t *repeated)
{
	for (size_t i = 0; i < n; i++) {
		int rc;

		if (i % INTERRUPT_LINES == 0 && atomic_load(b->interrupted))
			return err_set(b->err, -EINTR, "interrupted");
		rc = write_line(b, &lines[i]);
		if (rc == ROWS_NOT_UNDERSTOOD)
			(*skipped)++;
		else if (rc == LINE_REPEATED)
			(*repeated)++;
		else if (rc != 0)
			return rc;
	}
	return 0;
}

static int write_states(struct sqlite_batch *b, bool is_all)
{
	struct known_entry *e;
	struct store_line line;
	int rc = 0;

	for (size_t at = 0; rc == 0 && (e = known_due(&b->known, &at, is_all, &line)) != NULL;)
		rc = sqlite_state_of_line(b, e, &line);
	return rc;
}

static int write_epochs(struct sqlite_batch *b)
{
	int rc = 0;

	for (size_t i = 0; i < b->epochs_n && rc == 0; i++) {
		const struct epoch_ref *e = &b->epochs[i];
		const struct db_value args[] = {
			DB_V_INT(e->id),
			DB_V_INT(e->last_seq),
			e->first_ms >= 0 ? DB_V_INT(e->first_ms) : DB_V_NULL,
			e->last_ms >= 0 ? DB_V_INT(e->last_ms) : DB_V_NULL,
		};

		if (e->is_changed)
			rc = sqlite_run(b, SQL_EPOCH, args, ARRAY_LEN(args));
	}
	return rc;
}

static int write_buckets(struct sqlite_batch *b)
{
	int rc = 0;

	for (size_t i = 0; i < b->buckets_n && rc == 0; i++) {
		const struct db_value arg = DB_V_INT(b->buckets[i]);

		rc = sqlite_run(b, SQL_PENDING, &arg, 1);
	}
	return rc;
}

static int write_cursor(struct sqlite_batch *b, const struct store_line *last)
{
	const struct db_value args[] = {db_v_text(b->node), db_v_text(last->epoch),
					DB_V_INT((int64_t)HALE_MIN(last->seq, INT64_MAX))};

	return sqlite_run(b, SQL_CURSOR, args, ARRAY_LEN(args));
}

static void forget_names(struct sqlite_batch *b)
{
	map_done(&b->metric_sets);
	b->metric_sets = (struct map){0};
	memset(b->memos, 0, sizeof(b->memos));
}

static void begin(struct sqlite_batch *b, struct err *err)
{
	b->wall_ms = clock_wall_ms();
	if (known_is_old(&b->known, b->wall_ms)) {
		known_done(&b->known);
		forget_names(b);
	}
	b->err = err;
	b->epochs_n = 0;
	b->buckets_n = 0;
	b->results_n = 0;
	str_clear(&b->texts);
	b->known.now_ms = clock_mono_ms();
}

static int end(struct sqlite_batch *b, int rc)
{
	if (rc == 0)
		rc = db_commit(b->db, b->err);
	if (rc == 0) {
		known_commit(&b->known);
		return 0;
	}
	db_rollback(b->db);
	/* Numbers given out in the transaction are gone with it. */
	known_rollback(&b->known);
	forget_names(b);
	return rc;
}

int sqlite_batch_write(struct sqlite_batch *b, const struct store_line *lines, size_t n,
		       size_t *skipped_r, size_t *repeated_r, struct err *err)
{
	size_t skipped = 0, repeated = 0;
	int rc;

	begin(b, err);
	rc = db_begin(b->db, err);
	if (rc == 0)
		rc = write_lines(b, lines, n, &skipped, &repeated);
	if (rc == 0)
		rc = sqlite_results_flush(b);
	if (rc == 0)
		rc = write_states(b, false);
	if (rc == 0)
		rc = write_buckets(b);
	if (rc == 0)
		rc = write_epochs(b);
	if (rc == 0)
		rc = write_cursor(b, &lines[n - 1]);
	rc = end(b, rc);
	if (rc == 0) {
		*skipped_r = skipped;
		*repeated_r = repeated;
	}
	return rc;
}

int sqlite_batch_flush(struct sqlite_batch *b, struct err *err)
{
	int rc;

	begin(b, err);
	if (b->known.open.n == 0)
		return 0;
	rc = db_begin(b->db, err);
	if (rc == 0)
		rc = write_states(b, true);
	return end(b, rc);
}
