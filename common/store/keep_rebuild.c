/* SPDX-License-Identifier: Apache-2.0 */
#include "keep_private.h"

#include "statement.h"

/* Marked in one transaction. */
#define MARK_BUCKETS 256

/* Only if results are left in it. */
static int mark(struct db *db, int64_t start_ms, uint64_t *buckets, struct err *err)
{
	struct db_value args[] = {DB_V_INT(start_ms),
				  DB_V_INT(start_ms + keep_levels[KEEP_5M].bucket_ms)};
	int64_t marked = 0;
	int rc = statement_run(
		db,
		"INSERT INTO rollup_pending (level, start) SELECT 0, @at{$1} WHERE EXISTS"
		" (SELECT 1 FROM results WHERE at >= @at{$1} AND at < @at{$2})"
		" ON CONFLICT (level, start) DO UPDATE SET touched = rollup_pending.touched + 1",
		args, ARRAY_LEN(args), &marked, err);

	*buckets += (uint64_t)marked;
	return rc;
}

static int mark_some(struct db *db, int64_t *at_ms, int64_t to_ms, uint64_t *buckets,
		     struct err *err)
{
	int rc = db_begin(db, err);

	for (int i = 0; i < MARK_BUCKETS && *at_ms < to_ms && rc == 0; i++) {
		rc = mark(db, *at_ms, buckets, err);
		*at_ms += keep_levels[KEEP_5M].bucket_ms;
	}
	if (rc == 0)
		rc = db_commit(db, err);
	if (rc != 0)
		db_rollback(db);
	return rc;
}

static int newest_result(struct db *db, int64_t *at_ms_r, struct err *err)
{
	return statement_query(db, "SELECT @ms{max(last_at)} FROM epochs", NULL, 0, store_read_int,
			       at_ms_r, err);
}

/* What was computed from results that have gone stays: nothing could tell it anew. */
int keep_rebuild(struct store *s, int64_t from_ms, int64_t to_ms, uint64_t *buckets_r,
		 struct err *err)
{
	int64_t bucket_ms = keep_levels[KEEP_5M].bucket_ms, oldest = -1, newest = -1, at;
	struct keep_gone gone;
	uint64_t buckets = 0;
	int rc = keep_oldest_result(s->db, &oldest, err);

	if (rc == 0)
		rc = newest_result(s->db, &newest, err);
	if (rc == 0)
		rc = keep_gone_read(s->db, KEEP_5M, &gone, err);
	if (rc != 0)
		return rc;
	/* Rows that came late may lie before the first that came on their day. */
	at = HALE_MAX(HALE_MAX(from_ms, keep_floor(oldest, DAY_MS)), gone.before_ms);
	at = keep_floor(at, bucket_ms);
	newest = to_ms > 0 && to_ms <= newest ? to_ms : newest + 1;
	while (oldest >= 0 && at < newest && rc == 0)
		rc = mark_some(s->db, &at, newest, &buckets, err);
	if (rc == 0)
		*buckets_r = buckets;
	return rc;
}
