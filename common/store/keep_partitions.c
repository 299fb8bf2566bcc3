/* SPDX-License-Identifier: Apache-2.0 */
#include "keep_partitions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/strlist.h"
#include "store_postgres.h"
#include "store_private.h"

#define DAY_MS            INT64_C(86400000)
/* Of what stands in the default partition, so many days or weeks are tidied up at once. */
#define STRAY_MAX         8
/* Partitions without statistics that are looked at in one call; each takes well below a second. */
#define ANALYZE_MAX       4
/* What is smaller is read as quickly as an index. */
#define ANALYZE_BYTES_MIN 262144

static const struct partitioned {
	const char *table;
	int64_t days;
	/* A bound, made of the days since 1970; what a row of the default one says of its day. */
	const char *bound, *day;
} tables[] = {
	{"results", 1, "to_timestamp(%lld * 86400.0)",
	 "floor(date_part('epoch', at) / 86400)::bigint"},
	{"metric_rollups_5m", 7, "%lld", "day::bigint"},
};

static int64_t unit_of(int64_t day, int64_t days)
{
	return day - ((day % days) + days) % days;
}

int64_t partitions_unit_ms(const struct db *db, const char *table)
{
	for (size_t i = 0; i < ARRAY_LEN(tables) && db_engine_of(db) == DB_POSTGRES; i++)
		if (strcmp(tables[i].table, table) == 0)
			return tables[i].days * DAY_MS;
	return 0;
}

/* --- transactions that wait for nobody --- */

static int begin(struct db *db, struct err *err)
{
	char sql[64];
	int rc = db_begin(db, err);

	(void)snprintf(sql, sizeof(sql), "SET LOCAL lock_timeout = %d", PARTITION_LOCK_MS);
	return rc == 0 ? db_script(db, sql, err) : rc;
}

/* -EBUSY: not now. */
static int end(struct db *db, int rc, struct err *err)
{
	if (rc == 0)
		rc = db_commit(db, err);
	if (rc != 0)
		db_rollback(db);
	return rc;
}

/* Keepers of several nodes do not do the same thing twice. */
static int lock(struct db *db, struct err *err)
{
	struct db_value arg = DB_V_INT(POSTGRES_LOCK);

	return db_run(db, "SELECT pg_advisory_xact_lock($1::int, 1)", &arg, 1, NULL, err);
}

/* --- making --- */

static int number(struct db *db, const char *sql, int64_t *n_r, struct err *err)
{
	return db_query(db, sql, NULL, 0, store_read_int, n_r, err);
}

static bool read_name(void *ctx, const struct db_row *row)
{
	(void)snprintf(ctx, sizeof(((struct partition *)0)->name), "%s", row->values[0].text);
	return false;
}

static int name_of(struct db *db, const struct partitioned *t, int64_t day, char *name,
		   struct err *err)
{
	struct db_value args[] = {db_v_text(t->table), DB_V_INT(day)};

	return db_query(
		db, "SELECT $1::text || '_' || to_char(DATE '1970-01-01' + $2::int, 'YYYYMMDD')",
		args, ARRAY_LEN(args), read_name, name, err);
}

static int is_there(struct db *db, const char *name, bool *is_r, struct err *err)
{
	struct db_value arg = db_v_text(name);
	int64_t n = 0;
	/* to_regclass() would answer from a cache what was so before we had the lock. */
	int rc = db_query(db,
			  "SELECT count(*) FROM pg_class WHERE relname = $1::text"
			  " AND relnamespace = current_schema()::regnamespace",
			  &arg, 1, store_read_int, &n, err);

	*is_r = n != 0;
	return rc;
}

/* Attaching one, unlike making it in its place, leaves writers and readers of the others alone;
 * only the default one is locked, in which nobody may put a row of ours meanwhile. */
static int make(struct db *db, const struct partitioned *t, int64_t day, const char *name,
		struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	char from[64], to[64];
	int64_t strays = 0;
	int rc;

	/* The format is one of the table's above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(from, sizeof(from), t->bound, (long long)day);
	(void)snprintf(to, sizeof(to), t->bound, (long long)(day + t->days));
#pragma GCC diagnostic pop
	str_addf(&sql, "LOCK TABLE %s_default IN ACCESS EXCLUSIVE MODE", t->table);
	rc = db_script(db, str_text(&sql), err);
	if (rc != 0)
		return rc;
	str_clear(&sql);
	str_addf(&sql,
		 "SELECT count(*) FROM (SELECT FROM %s_default WHERE %s >= %lld AND %s < %lld"
		 " LIMIT %d) x",
		 t->table, t->day, (long long)day, t->day, (long long)(day + t->days),
		 PARTITION_MOVE_MAX + 1);
	rc = number(db, str_text(&sql), &strays, err);
	if (rc != 0 || strays > PARTITION_MOVE_MAX)
		return rc;
	str_clear(&sql);
	str_addf(&sql, "CREATE TABLE %s (LIKE %s INCLUDING ALL);", name, t->table);
	if (strays > 0)
		str_addf(&sql,
			 "WITH moved AS (DELETE FROM %s_default WHERE %s >= %lld AND %s < %lld"
			 " RETURNING *) INSERT INTO %s SELECT * FROM moved;",
			 t->table, t->day, (long long)day, t->day, (long long)(day + t->days),
			 name);
	str_addf(&sql, "ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s)", t->table,
		 name, from, to);
	return db_script(db, str_text(&sql), err);
}

static int make_one(struct db *db, const struct partitioned *t, int64_t day, struct err *err)
{
	char name[sizeof(((struct partition *)0)->name)] = "";
	bool is_made = false;
	int rc = name_of(db, t, day, name, err);

	if (rc == 0)
		rc = is_there(db, name, &is_made, err);
	if (rc != 0 || is_made)
		return rc;
	rc = begin(db, err);
	if (rc == 0)
		rc = lock(db, err);
	if (rc == 0)
		rc = is_there(db, name, &is_made, err);
	if (rc == 0 && !is_made)
		rc = make(db, t, day, name, err);
	rc = end(db, rc, err);
	/* Somebody has it locked: the next time. */
	return rc == -EBUSY ? 0 : rc;
}

struct days {
	int64_t v[STRAY_MAX];
	size_t n;
};

static bool add_day(void *ctx, const struct db_row *row)
{
	struct days *d = ctx;

	d->v[d->n++] = row->values[0].integer;
	return d->n < STRAY_MAX;
}

/* What came late, or by import. Times to come wait for their day. */
static int make_for_strays(struct db *db, const struct partitioned *t, int64_t today,
			   struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	struct days strays = {0};
	int rc;

	str_addf(&sql,
		 "SELECT DISTINCT %s AS d FROM %s_default WHERE %s <= %lld AND %s > 0"
		 " ORDER BY d LIMIT %d",
		 t->day, t->table, t->day, (long long)today, t->day, STRAY_MAX);
	rc = db_query(db, str_text(&sql), NULL, 0, add_day, &strays, err);
	for (size_t i = 0; i < strays.n && rc == 0; i++)
		rc = make_one(db, t, unit_of(strays.v[i], t->days), err);
	return rc;
}

int partitions_make(struct db *db, int64_t now_ms, struct err *err)
{
	int64_t today = now_ms / DAY_MS;
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(tables) && rc == 0; i++) {
		const struct partitioned *t = &tables[i];

		for (int64_t day = unit_of(today, t->days);
		     day <= today + PARTITION_AHEAD && rc == 0; day += t->days)
			rc = make_one(db, t, day, err);
		if (rc == 0)
			rc = make_for_strays(db, t, today, err);
	}
	return rc;
}

/* --- looking at --- */

static bool add_name(void *ctx, const struct db_row *row)
{
	strlist_add(ctx, row->values[0].text);
	return true;
}

static int analyze(struct db *db, const char *name, struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	int rc = begin(db, err);

	str_addf(&sql, "ANALYZE %s", name);
	if (rc == 0)
		rc = db_script(db, str_text(&sql), err);
	return end(db, rc, err);
}

int partitions_analyze(struct db *db, struct err *err)
{
	HALE_CLEANUP(strlist_done) struct strlist names = {0};
	struct db_value args[] = {DB_V_INT(ANALYZE_BYTES_MIN), DB_V_INT(ANALYZE_MAX)};
	int rc = db_query(db,
			  "SELECT c.oid::regclass::text FROM pg_inherits i"
			  " JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent IN"
			  " ('results'::regclass, 'metric_rollups_5m'::regclass)"
			  " AND pg_relation_size(c.oid) >= $1::bigint AND NOT EXISTS"
			  " (SELECT FROM pg_stats s WHERE s.schemaname = current_schema()"
			  " AND s.tablename = c.relname) ORDER BY c.relname DESC LIMIT $2::int",
			  args, ARRAY_LEN(args), add_name, &names, err);

	for (size_t i = 0; i < names.n && rc == 0; i++)
		rc = analyze(db, names.v[i], err);
	/* PostgreSQL is at it itself. */
	return rc == -EBUSY ? 0 : rc;
}

/* --- dropping --- */

struct oldest {
	struct partition *part;
	int64_t unit_ms;
	bool is_found;
};

static bool on_oldest(void *ctx, const struct db_row *row)
{
	struct oldest *o = ctx;

	(void)snprintf(o->part->name, sizeof(o->part->name), "%s", row->values[0].text);
	o->part->from_ms = row->values[1].integer * DAY_MS;
	o->part->to_ms = o->part->from_ms + o->unit_ms;
	o->part->rows = row->values[2].integer;
	o->is_found = true;
	return false;
}

/* Few rows may have been counted by nobody yet. */
static int count_rows(struct db *db, struct partition *part, struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};

	str_addf(&sql, "SELECT count(*) FROM %s", part->name);
	return part->rows >= 0 ? 0 : number(db, str_text(&sql), &part->rows, err);
}

int partitions_oldest(struct db *db, const char *table, int64_t before_ms, struct partition *part_r,
		      bool *found_r, struct err *err)
{
	struct oldest o = {.part = part_r, .unit_ms = partitions_unit_ms(db, table)};
	struct db_value args[] = {db_v_text(table), DB_V_INT(before_ms / DAY_MS),
				  DB_V_INT(o.unit_ms / DAY_MS)};
	int rc = db_query(db,
			  "SELECT p.name, p.day, p.rows FROM (SELECT c.relname::text AS name,"
			  " c.reltuples::bigint AS rows,"
			  " to_date(right(c.relname, 8), 'YYYYMMDD') - DATE '1970-01-01' AS day"
			  " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
			  " WHERE i.inhparent = to_regclass($1::text)"
			  " AND c.relname ~ ('^' || $1::text || '_[0-9]{8}$')) p"
			  " WHERE p.day + $3::int <= $2::int ORDER BY p.day LIMIT 1",
			  args, ARRAY_LEN(args), on_oldest, &o, err);

	*found_r = o.is_found;
	return rc == 0 && o.is_found ? count_rows(db, part_r, err) : rc;
}

int partitions_lock(struct db *db, const struct partition *part, struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};

	/* By itself, it would wait for readers as long as a statement may take. */
	str_addf(&sql, "SET LOCAL lock_timeout = %d; LOCK TABLE %s IN ACCESS EXCLUSIVE MODE",
		 PARTITION_LOCK_MS, part->name);
	return db_script(db, str_text(&sql), err);
}

int partitions_drop(struct db *db, const struct partition *part, struct err *err)
{
	HALE_CLEANUP(str_done) struct str sql = {0};

	str_addf(&sql, "SET LOCAL lock_timeout = %d; DROP TABLE %s", PARTITION_LOCK_MS, part->name);
	return db_script(db, str_text(&sql), err);
}
