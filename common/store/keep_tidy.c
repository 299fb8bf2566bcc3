/* SPDX-License-Identifier: Apache-2.0 */
#include "keep_private.h"

#include <stdio.h>

#include "base/str.h"
#include "keep_partitions.h"

/* Free room up to this share is wanted again soon; moving pages about for it gains nothing. */
#define FREE_SHARE_MAX 4 /* one in … */
#define FREE_PAGES_MIN 4096
/* Pages that one transaction gives back: a few milliseconds. */
#define VACUUM_PAGES   256
/* Transactions of one call: 32 MB. */
#define VACUUM_STEPS   32
/* A log beyond this had a reader that kept it from being used again. */
#define WAL_BYTES_MAX  INT64_C(67108864)
/* Somebody asked for it and waits; a file of many gigabytes takes minutes. */
#define COMPACT_MS     HOUR_MS
/* How often planner statistics are looked at; they hardly change. */
#define OPTIMIZE_MS    DAY_MS

int keep_pragma(struct db *db, const char *name, int64_t *value_r, struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};

	str_addf(&sql, "PRAGMA %s", name);
	return db_query(db, str_text(&sql), NULL, 0, store_read_int, value_r, err);
}

/* --- SQLite --- */

static bool has_much_room(int64_t free_pages, int64_t pages)
{
	return free_pages > FREE_PAGES_MIN && free_pages > pages / FREE_SHARE_MAX;
}

static int give_back_room(struct db *db, struct err *err)
{
	int64_t mode = 0, pages = 0, free_pages = 0;
	char step[48];
	int rc = keep_pragma(db, "auto_vacuum", &mode, err);

	(void)snprintf(step, sizeof(step), "PRAGMA incremental_vacuum(%d)", VACUUM_PAGES);
	for (int i = 0; i < VACUUM_STEPS && rc == 0 && mode == KEEP_VACUUM_INCREMENTAL; i++) {
		rc = keep_pragma(db, "page_count", &pages, err);
		if (rc == 0)
			rc = keep_pragma(db, "freelist_count", &free_pages, err);
		if (rc != 0 || !has_much_room(free_pages, pages))
			break;
		rc = db_script(db, step, err);
		keep_yield(db);
	}
	return rc;
}

struct checkpoint {
	int64_t busy, frames, done;
};

static bool on_checkpoint(void *ctx, const struct db_row *row)
{
	*(struct checkpoint *)ctx = (struct checkpoint){
		row->values[0].integer, row->values[1].integer, row->values[2].integer};
	return false;
}

/* To cut the log off, writers are kept away; so it is done when nothing is left to copy. */
static int cut_log(struct db *db, struct err *err)
{
	struct checkpoint c = {0};
	int64_t page = 0;
	int rc = keep_pragma(db, "page_size", &page, err);

	if (rc == 0)
		rc = db_query(db, "PRAGMA wal_checkpoint(PASSIVE)", NULL, 0, on_checkpoint, &c,
			      err);
	if (rc != 0 || c.busy != 0 || c.done < c.frames || c.frames * page <= WAL_BYTES_MAX)
		return rc;
	return db_query(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, 0, on_checkpoint, &c, err);
}

static int tidy_sqlite(struct store *s, int64_t now_ms, struct err *err)
{
	struct keep *k = keep_of(s);
	int rc = give_back_room(s->db, err);

	if (rc == 0)
		rc = cut_log(s->db, err);
	if (rc == 0 && now_ms - k->optimized_ms >= OPTIMIZE_MS) {
		rc = db_script(s->db, "PRAGMA analysis_limit = 400; PRAGMA optimize", err);
		k->optimized_ms = now_ms;
	}
	return rc;
}

static int tidy_postgres(struct store *s, int64_t now_ms, struct err *err)
{
	int rc = partitions_make(s->db, now_ms, err);

	return rc == 0 ? partitions_analyze(s->db, err) : rc;
}

int keep_tidy(struct store *s, int64_t now_ms, struct err *err)
{
	return db_engine_of(s->db) == DB_SQLITE ? tidy_sqlite(s, now_ms, err)
						: tidy_postgres(s, now_ms, err);
}

int keep_compact(struct store *s, struct err *err)
{
	struct checkpoint c = {0};
	int rc;

	if (db_engine_of(s->db) != DB_SQLITE)
		return 0;
	db_set_timeout(s->db, COMPACT_MS);
	rc = db_script(s->db, "PRAGMA auto_vacuum = INCREMENTAL; VACUUM", err);
	/* All of the new file is in the log now. */
	if (rc == 0)
		rc = db_query(s->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, 0, on_checkpoint, &c,
			      err);
	db_set_timeout(s->db, STORE_TIMEOUT_MS);
	return rc;
}
