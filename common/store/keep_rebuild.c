/* SPDX-License-Identifier: Apache-2.0 */
#include "keep_private.h"

#include "statement.h"

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

static int has_results(struct db *db, int64_t from_ms, int64_t to_ms, bool *has_r, struct err *err)
{
	struct db_value args[] = {DB_V_INT(from_ms), DB_V_INT(to_ms)};
	int64_t has = 0;
	int rc = statement_query(db,
				 "SELECT count(*) FROM (SELECT 1 FROM results"
				 " WHERE at >= @at{$1} AND at < @at{$2} LIMIT 1) one",
				 args, ARRAY_LEN(args), store_read_int, &has, err);

	*has_r = has > 0;
	return rc;
}

/* What is left of a day, from at_ms. */
static int mark_day(struct db *db, int64_t at_ms, int64_t end_ms, uint64_t *buckets,
		    struct err *err)
{
	bool has = false;
	int rc = has_results(db, at_ms, end_ms, &has, err);

	if (rc != 0 || !has)
		return rc;
	rc = db_begin(db, err);
	for (; at_ms < end_ms && rc == 0; at_ms += keep_levels[KEEP_5M].bucket_ms)
		rc = mark(db, at_ms, buckets, err);
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
	for (int64_t next; oldest >= 0 && at < newest && rc == 0; at = next) {
		next = HALE_MIN(keep_floor(at, DAY_MS) + DAY_MS, newest);
		rc = mark_day(s->db, at, next, &buckets, err);
	}
	if (rc == 0)
		*buckets_r = buckets;
	return rc;
}
