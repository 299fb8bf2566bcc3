/* SPDX-License-Identifier: Apache-2.0 */
#include "keep_private.h"

#include "base/str.h"
#include "statement.h"

/* Names without rows: components, metric sets and epochs.
 *
 * To look through the rows for a number would take minutes. It is not needed: who stores rows under
 * a number looked the name up less than a day before (known.h), which sets used_at in the same
 * transaction or an earlier one, so a row's time is no more than a day beyond it. When rows up to
 * then have all gone, none has the number; and who looks the name up just now either finds it, with
 * used_at of now, or makes it anew. What is left of the margin is for clocks that differ.
 *
 * The newest number stays, for SQLite would give it out again: should a row have a time from the
 * future, it loses its name, but never gets another's. */
#define SWEEP_EVERY_MS DAY_MS
#define MARGIN_MS      (3 * DAY_MS)
/* Rows go by whole partitions: of results a day, of rollups a week. */
#define RESULTS_LAG_MS (2 * DAY_MS)
#define ROLLUPS_LAG_MS (8 * DAY_MS)

#define OLDER_NAMES(table)                                                                         \
	"DELETE FROM " table " WHERE id IN (SELECT n.id FROM " table " n"                          \
	" WHERE n.used_at < @at{$1} AND n.id < (SELECT max(id) FROM " table ")"

static const char sets_sql[] = OLDER_NAMES("metric_sets") " LIMIT $2)";

/* Changes of status and the present state are found by component. */
static const char components_sql[] = OLDER_NAMES(
	"components") " AND NOT EXISTS (SELECT 1 FROM transitions t WHERE t.component_id = n.id)"
		      " AND NOT EXISTS (SELECT 1 FROM component_states s WHERE s.component_id = "
		      "n.id)"
		      " LIMIT $2)";

/* last_at is the time of the newest row, and uptime asks for it as long as there are transitions.
 * Writers find an epoch that went while they knew it (its last_seq is not as it was). */
static const char epochs_sql[] =
	"DELETE FROM epochs WHERE id IN (SELECT e.id FROM epochs e"
	" WHERE coalesce(e.last_at, @at{0}) < @at{$1}"
	" AND e.id < (SELECT max(n.id) FROM epochs n WHERE n.node = e.node)"
	" AND e.id < (SELECT max(id) FROM epochs)"
	" AND NOT EXISTS (SELECT 1 FROM cursors c WHERE c.node = e.node AND c.epoch = e.epoch)"
	" AND NOT EXISTS (SELECT 1 FROM transitions r WHERE r.epoch_id = e.id)"
	" AND NOT EXISTS (SELECT 1 FROM process_events r WHERE r.epoch_id = e.id)"
	" AND NOT EXISTS (SELECT 1 FROM events r WHERE r.epoch_id = e.id)"
	" AND NOT EXISTS (SELECT 1 FROM recovery_attempts r WHERE r.epoch_id = e.id)"
	" LIMIT $2)";

/* The keeper may lag behind what the retention says. */
static int has_older(struct store *s, const char *sql, struct db_value before, bool *has_r,
		     struct err *err)
{
	int64_t has = 0;
	int rc = statement_query(s->db, sql, &before, 1, store_read_int, &has, err);

	*has_r = *has_r || has != 0;
	return rc;
}

static int has_older_results(struct store *s, int64_t before_ms, bool *has_r, struct err *err)
{
	return has_older(s, "SELECT 1 FROM results WHERE at < @at{$1} LIMIT 1", DB_V_INT(before_ms),
			 has_r, err);
}

static int has_older_rollups(struct store *s, int64_t before_ms, bool *has_r, struct err *err)
{
	int rc = 0;

	for (int level = 0; level < KEEP_LEVELS && rc == 0; level++) {
		HALE_CLEANUP(str_done) struct str sql = {0};

		str_addf(&sql, "SELECT 1 FROM %s WHERE day < $1 LIMIT 1", keep_levels[level].table);
		rc = has_older(s, str_text(&sql), DB_V_INT(keep_floor(before_ms, DAY_MS) / DAY_MS),
			       has_r, err);
	}
	return rc;
}

static int sweep(struct store *s, const char *sql, int64_t before_ms, bool *more_r, struct err *err)
{
	const struct db_value args[] = {DB_V_INT(before_ms), DB_V_INT(KEEP_PURGE_ROWS)};
	int64_t deleted = 0;
	int rc = statement_run(s->db, sql, args, ARRAY_LEN(args), &deleted, err);

	*more_r = *more_r || deleted >= KEEP_PURGE_ROWS;
	return rc;
}

static int sweep_sets(struct store *s, int64_t before_ms, bool *more_r, struct err *err)
{
	bool has_rows = false;
	int rc = has_older_results(s, before_ms, &has_rows, err);

	if (rc != 0 || has_rows)
		return rc;
	rc = sweep(s, sets_sql, before_ms - MARGIN_MS, more_r, err);
	/* Their numbers may be given out again. */
	keep_names_clear(&keep_of(s)->names);
	return rc;
}

static int sweep_others(struct store *s, int64_t before_ms, bool *more_r, struct err *err)
{
	bool has_rows = false;
	int rc = has_older_results(s, before_ms, &has_rows, err);

	if (rc == 0)
		rc = has_older_rollups(s, before_ms, &has_rows, err);
	if (rc != 0 || has_rows)
		return rc;
	rc = sweep(s, components_sql, before_ms - MARGIN_MS, more_r, err);
	return rc == 0 ? sweep(s, epochs_sql, before_ms - MARGIN_MS, more_r, err) : rc;
}

int keep_sweep(struct store *s, int64_t now_ms, const struct keep_retention *r, bool *more_r,
	       struct err *err)
{
	struct keep *k = keep_of(s);
	int rc;

	*more_r = false;
	if (k->swept_ms != 0 && now_ms >= k->swept_ms && now_ms - k->swept_ms < SWEEP_EVERY_MS)
		return 0;
	rc = sweep_sets(s, now_ms - r->results_ms - RESULTS_LAG_MS, more_r, err);
	if (rc == 0)
		rc = sweep_others(s, now_ms - r->longest_ms - ROLLUPS_LAG_MS, more_r, err);
	if (rc == 0 && !*more_r)
		k->swept_ms = now_ms;
	return rc;
}
