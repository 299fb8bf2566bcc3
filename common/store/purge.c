/* SPDX-License-Identifier: Apache-2.0 */
#include "store_private.h"

/* Used where the configuration says nothing (a reader run by hand); as in store_items. */
#define DAY_MS             ((int64_t)86400000)
#define RESULTS_DEFAULT_MS (7 * DAY_MS + 3600000)
#define OTHERS_DEFAULT_MS  (400 * DAY_MS)

static int delete_some(struct store *h, const char *sql, int64_t before_ms, size_t *left,
		       struct err *err)
{
	struct db_value args[] = {DB_V_INT(before_ms), DB_V_INT((int64_t)*left)};
	int64_t changed = 0;
	int rc;

	if (*left == 0)
		return 0;
	rc = db_run(h->db, sql, args, ARRAY_LEN(args), &changed, err);
	if (rc == 0)
		*left -= (size_t)changed;
	return rc;
}

int store_purge(struct store *h, const struct store_options *o, int64_t now_ms, size_t rows_max,
		size_t *deleted_r, struct err *err)
{
	const struct {
		int64_t keep_ms;
		int64_t default_ms;
		const char *sql;
	} steps[] = {
		{o->retention.results_ms, RESULTS_DEFAULT_MS,
		 "DELETE FROM results WHERE (at, epoch_id, seq) IN"
		 " (SELECT at, epoch_id, seq FROM results WHERE at < $1 ORDER BY at LIMIT $2)"},
		{o->retention.transitions_ms, OTHERS_DEFAULT_MS,
		 "DELETE FROM transitions WHERE id IN"
		 " (SELECT id FROM transitions WHERE at < $1 ORDER BY at LIMIT $2)"},
		{o->retention.events_ms, OTHERS_DEFAULT_MS,
		 "DELETE FROM process_events WHERE id IN"
		 " (SELECT id FROM process_events WHERE at < $1 ORDER BY at LIMIT $2)"},
		{o->retention.events_ms, OTHERS_DEFAULT_MS,
		 "DELETE FROM events WHERE id IN"
		 " (SELECT id FROM events WHERE at < $1 ORDER BY at LIMIT $2)"},
	};
	size_t left = rows_max;
	int rc = db_begin(h->db, err);

	for (size_t i = 0; i < ARRAY_LEN(steps) && rc == 0; i++) {
		int64_t keep_ms = steps[i].keep_ms > 0 ? steps[i].keep_ms : steps[i].default_ms;

		rc = delete_some(h, steps[i].sql, now_ms - keep_ms, &left, err);
	}
	if (rc == 0)
		rc = db_commit(h->db, err);
	if (rc != 0) {
		db_rollback(h->db);
		return rc;
	}
	*deleted_r = rows_max - left;
	return 0;
}
