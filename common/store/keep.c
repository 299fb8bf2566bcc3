/* SPDX-License-Identifier: Apache-2.0 */
#include "keep_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "store_postgres.h"

/* Series of one bucket that are added up at once; 5,000 are some 3 MB. What does not fit is added
 * up in a further pass over the bucket. */
#define KEEP_BYTES_MAX ((size_t)32 << 20)
/* Batches that were under way when a bucket ended have arrived by then, as a rule. */
#define SETTLE_MS      15000

const struct keep_level keep_levels[KEEP_LEVELS] = {
	[KEEP_5M] = {.table = "metric_rollups_5m",
		     .source = "results",
		     .bucket_ms = 5 * MINUTE_MS,
		     .pending_ms = 5 * MINUTE_MS,
		     .settle_ms = 5 * MINUTE_MS + SETTLE_MS},
	[KEEP_1H] = {.table = "metric_rollups_1h",
		     .source = "metric_rollups_5m",
		     .bucket_ms = HOUR_MS,
		     .source_ms = 5 * MINUTE_MS,
		     .pending_ms = HOUR_MS},
	[KEEP_1D] = {.table = "metric_rollups_1d",
		     .source = "metric_rollups_1h",
		     .bucket_ms = DAY_MS,
		     .source_ms = HOUR_MS,
		     .pending_ms = HOUR_MS,
		     .settle_ms = HOUR_MS + SETTLE_MS},
};

struct keep *keep_of(struct store *s)
{
	if (s->keep == NULL) {
		s->keep = mem_alloc(sizeof(*s->keep));
		s->keep->rollups = rollups_new(KEEP_BYTES_MAX);
	}
	return s->keep;
}

void keep_free(struct keep *k)
{
	if (k == NULL)
		return;
	keep_names_clear(&k->names);
	rollups_free(k->rollups);
	rollup_done(&k->part);
	free(k);
}

int64_t keep_floor(int64_t ms, int64_t unit_ms)
{
	int64_t rest = ms % unit_ms;

	return ms - (rest < 0 ? rest + unit_ms : rest);
}

/* --- one keeper at a time --- */

/* Several nodes may share a database in PostgreSQL. Two keepers at the same bucket could each take
 * the other's rows for its own; so the first one keeps for all, until its connection ends. */
int keep_claim(struct store *s, bool *is_ours_r, struct err *err)
{
	struct keep *k = keep_of(s);
	struct db_value lock = DB_V_INT(POSTGRES_LOCK);
	int64_t is_ours = 0;
	int rc;

	*is_ours_r = k->is_claimed || db_engine_of(s->db) == DB_SQLITE;
	if (*is_ours_r)
		return 0;
	rc = db_query(s->db,
		      "SELECT CASE WHEN pg_try_advisory_lock($1::int,"
		      " hashtext('keep ' || current_schema())) THEN 1 ELSE 0 END",
		      &lock, 1, store_read_int, &is_ours, err);
	*is_ours_r = k->is_claimed = rc == 0 && is_ours == 1;
	return rc;
}

/* --- letting others in --- */

/* SQLite's lock has no queue: who finds it taken looks again after a pause. Steps in a row would
 * leave the writer hardly a gap to look into. */
#define YIELD_NS 2000000

void keep_yield(const struct db *db)
{
	const struct timespec pause = {.tv_nsec = YIELD_NS};

	if (db_engine_of(db) == DB_SQLITE)
		(void)nanosleep(&pause, NULL);
}

/* --- what has gone --- */

static void gone_key(int level, char key[64])
{
	(void)snprintf(key, 64, "gone_%s", keep_levels[level].source);
}

static bool on_gone(void *ctx, const struct db_row *row)
{
	struct keep_gone *gone = ctx;
	char *end;

	gone->before_ms = strtoll(row->values[0].text, &end, 10);
	gone->is_partly = str_eq(end, " partly");
	return false;
}

int keep_gone_read(struct db *db, int level, struct keep_gone *gone_r, struct err *err)
{
	char key[64];
	struct db_value arg;

	gone_key(level, key);
	arg = db_v_text(key);
	*gone_r = (struct keep_gone){.before_ms = INT64_MIN};
	return db_query(db, "SELECT value FROM meta WHERE key = $1", &arg, 1, on_gone, gone_r, err);
}

int keep_gone_write(struct db *db, int level, const struct keep_gone *gone, struct err *err)
{
	char key[64], value[64];
	struct db_value args[2];

	gone_key(level, key);
	(void)snprintf(value, sizeof(value), "%lld%s", (long long)gone->before_ms,
		       gone->is_partly ? " partly" : "");
	args[0] = db_v_text(key);
	args[1] = db_v_text(value);
	return db_run(db,
		      "INSERT INTO meta (key, value) VALUES ($1, $2)"
		      " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
		      args, ARRAY_LEN(args), NULL, err);
}
