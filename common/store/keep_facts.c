/* SPDX-License-Identifier: Apache-2.0 */
#include "keep_private.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/strlist.h"
#include "sqlite_whole.h"
#include "statement.h"

static int sizes_sqlite(struct db *db, struct keep_facts *f, struct err *err)
{
	int64_t page = 0, pages = 0, free_pages = 0, mode = 0;
	int rc = keep_pragma(db, "page_size", &page, err);

	if (rc == 0)
		rc = keep_pragma(db, "page_count", &pages, err);
	if (rc == 0)
		rc = keep_pragma(db, "freelist_count", &free_pages, err);
	if (rc == 0)
		rc = keep_pragma(db, "auto_vacuum", &mode, err);
	f->bytes = pages * page;
	f->free_bytes = free_pages * page;
	f->keeps_room = mode != KEEP_VACUUM_INCREMENTAL;
	return rc;
}

/* What the role may see: its own schema's tables, partitions and indexes. */
static int sizes_postgres(struct db *db, struct keep_facts *f, struct err *err)
{
	return db_query(db,
			"SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint"
			" FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace"
			" AND c.relkind IN ('r', 'm')",
			NULL, 0, store_read_int, &f->bytes, err);
}

/* --- the oldest result --- */

static bool on_part(void *ctx, const struct db_row *row)
{
	strlist_add(ctx, row->values[0].text);
	return true;
}

/* The first row of the oldest partition that has any: rows lie there in the order they came, and
 * nothing but reading them all would say more. */
static int oldest_in_parts(struct db *db, const struct strlist *parts, int64_t *at_ms_r,
			   struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < parts->n && rc == 0 && *at_ms_r < 0; i++) {
		HALE_CLEANUP(str_done) struct str sql = {0};

		str_addf(&sql, "SELECT @ms{at} FROM %s LIMIT 1", parts->v[i]);
		rc = statement_query(db, str_text(&sql), NULL, 0, store_read_int, at_ms_r, err);
	}
	return rc;
}

/* In the default partition, rows of long ago and of a time to come may stand side by side. */
static int oldest_in_default(struct db *db, int64_t *at_ms_r, struct err *err)
{
	return statement_query(db, "SELECT @ms{min(at)} FROM results_default", NULL, 0,
			       store_read_int, at_ms_r, err);
}

static int oldest_postgres(struct db *db, int64_t *at_ms_r, struct err *err)
{
	HALE_CLEANUP(strlist_done) struct strlist parts = {0};
	int64_t stray_ms = -1;
	int rc = db_query(db,
			  "SELECT c.oid::regclass::text FROM pg_inherits i"
			  " JOIN pg_class c ON c.oid = i.inhrelid"
			  " WHERE i.inhparent = 'results'::regclass"
			  " AND c.oid <> 'results_default'::regclass"
			  " ORDER BY pg_get_expr(c.relpartbound, c.oid)",
			  NULL, 0, on_part, &parts, err);

	if (rc == 0)
		rc = oldest_in_parts(db, &parts, at_ms_r, err);
	if (rc == 0)
		rc = oldest_in_default(db, &stray_ms, err);
	if (rc == 0 && stray_ms >= 0 && (*at_ms_r < 0 || stray_ms < *at_ms_r))
		*at_ms_r = stray_ms;
	return rc;
}

int keep_oldest_result(struct db *db, int64_t *at_ms_r, struct err *err)
{
	*at_ms_r = -1;
	if (db_engine_of(db) == DB_SQLITE)
		return db_query(db, "SELECT min(at) FROM results", NULL, 0, store_read_int, at_ms_r,
				err);
	return oldest_postgres(db, at_ms_r, err);
}

/* For so long somebody is told of it, unless he moves it away before. */
static void find_aside(const struct store *s, struct keep_facts *f)
{
	HALE_CLEANUP(str_done) struct str path = {0};

	sqlite_whole_find_aside(s->path, clock_wall_ms() - DAY_MS, &path);
	(void)snprintf(f->set_aside, sizeof(f->set_aside), "%s", str_text(&path));
}

int keep_facts(struct store *s, struct keep_facts *facts_r, struct err *err)
{
	struct keep_facts f = {.bytes = -1, .free_bytes = -1, .oldest_result_ms = -1};
	int rc = db_engine_of(s->db) == DB_SQLITE ? sizes_sqlite(s->db, &f, err)
						  : sizes_postgres(s->db, &f, err);

	if (rc == 0)
		rc = keep_oldest_result(s->db, &f.oldest_result_ms, err);
	if (rc == 0)
		rc = db_query(s->db, "SELECT count(*) FROM rollup_pending", NULL, 0, store_read_int,
			      &f.rollups_pending, err);
	if (rc == 0)
		rc = db_query(s->db, "SELECT max(version) FROM schema_migrations", NULL, 0,
			      store_read_int, &f.schema_version, err);
	if (db_engine_of(s->db) == DB_SQLITE)
		find_aside(s, &f);
	if (rc == 0)
		*facts_r = f;
	return rc;
}
