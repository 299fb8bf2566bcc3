/* SPDX-License-Identifier: Apache-2.0 */
#include "sql_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "metric_name.h"
#include "db/pgasync.h"

#define YEAR_MS (366 * 86400000.0)

const struct conf_item sqlite_items[] = {
	CONF_STR(struct sqlite_opts, path,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_READ_BESIDE | CONF_F_TARGET,
		 .help = "Database file, an absolute path; opened read-only, never created"),
	CONF_END,
};

const struct conf_item postgres_items[] = {
	CONF_STR(struct postgres_opts, dsn,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_SECRET | CONF_F_CONNECT |
			  CONF_F_TARGET,
		 .help = "Connection string: key=value pairs or a postgresql:// URI; `sslmode` in "
			 "it says how to use TLS"),
	CONF_STR(struct postgres_opts, ca, .flags = CONF_F_NONEMPTY | CONF_F_READ_FILE,
		 .help = "File of certificates to trust (PEM); the server must then be who it "
			 "says, unless dsn has an sslmode"),
	CONF_STR(struct postgres_opts, cert, .flags = CONF_F_NONEMPTY | CONF_F_READ_FILE,
		 .help = "File with a certificate to show (PEM)"),
	CONF_STR(struct postgres_opts, key, .flags = CONF_F_NONEMPTY | CONF_F_READ_FILE,
		 .help = "File with its key (PEM)"),
	CONF_END,
};

static const struct conf_item freshness_items[] = {
	CONF_STR(struct freshness_opts, table, .flags = CONF_F_NONEMPTY,
		 .help = "Table, or schema.table, whose newest row is looked at"),
	CONF_STR(struct freshness_opts, column, .flags = CONF_F_NONEMPTY,
		 .help = "Its column with the time: a time type, an ISO 8601 text, or a number "
			 "that counts from 1970; without a zone it is UTC"),
	CONF_STR(struct freshness_opts, where, .flags = CONF_F_NONEMPTY,
		 .help = "SQL condition: only such rows"),
	CONF_STR(struct freshness_opts, query, .flags = CONF_F_NONEMPTY,
		 .help = "Instead of table and column: a query whose first value is the time"),
	CONF_DURATION(struct freshness_opts, warn, .def = "30s", .min = 1000, .max = YEAR_MS,
		      .help = "FRESH is younger than this, WARNING is from here on"),
	CONF_DURATION(struct freshness_opts, stale, .def = "60s", .min = 1000, .max = YEAR_MS,
		      .help = "STALE is older than this"),
	CONF_BOOL(struct freshness_opts, bands, .def = "true",
		  .help = "Judge the age; false: only report it"),
	CONF_END,
};

static const struct conf_item activity_items[] = {
	CONF_STR(struct activity_opts, table, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		 .help = "Table, or schema.table, whose recent rows are counted"),
	CONF_STR(struct activity_opts, column, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		 .help = "Its column with the time of a row"),
	CONF_ENUM(struct activity_opts, column_type, .def = "time",
		  .choices = "time|epoch|epoch_ms",
		  .help = "What it holds: a time (SQLite: ISO 8601 text), or seconds or "
			  "milliseconds since 1970"),
	CONF_DURATION(struct activity_opts, window, .def = "1h", .min = 1000, .max = YEAR_MS,
		      .help = "Rows of so long ago until now"),
	CONF_STR(struct activity_opts, where, .flags = CONF_F_NONEMPTY,
		 .help = "SQL condition: only such rows"),
	CONF_STR(struct activity_opts, metric, .flags = CONF_F_NONEMPTY,
		 .help = "Name of the metric; default: `<name>_last_<window>`"),
	CONF_END,
};

const struct conf_item sql_items[] = {
	CONF_MAP(struct sql_opts, sqlite, sqlite_items, .help = "A SQLite database"),
	CONF_MAP(struct sql_opts, postgres, postgres_items, .help = "A PostgreSQL database"),
	CONF_STR(struct sql_opts, query, .def = "SELECT 1", .flags = CONF_F_NONEMPTY,
		 .help = "One statement that reads"),
	CONF_STR(struct sql_opts, expect,
		 .help = "Text the first column of the first row must equal"),
	CONF_INT(struct sql_opts, expect_rows, .def = "-1", .min = SQL_NOT_EXPECTED, .max = 1e15,
		 .help = "Number of rows the query must return; -1: any"),
	CONF_LIST(struct sql_opts, metrics,
		  .help = "Columns of the first row to take as metrics; default: all that are "
			  "numbers"),
	CONF_INT(
		struct sql_opts, keep_rows, .def = "0", .min = 0, .max = SQL_KEEP_ROWS_MAX,
		.help = "So many rows of `query` become the detail `rows`, a list that anybody may "
			"read who sees the component"),
	CONF_STRMAP(struct sql_opts, queries,
		    .help = "Further queries on the same connection, name: statement. The numbers "
			    "of the first row are metrics, its texts details: `<name>` if there is "
			    "one column, else `<name>_<column>`"),
	CONF_DICT(struct sql_opts, freshness, freshness_items, struct freshness_opts,
		  .help = "How old the newest data are, by name"),
	CONF_DICT(struct sql_opts, activity, activity_items, struct activity_opts,
		  .help = "How many rows came lately, by name"),
	CONF_LIST(struct sql_opts, stats,
		  .choices = "size|tables|connections|transactions|replication",
		  .help = "Figures of the database itself"),
	CONF_LIST(struct sql_opts, row_counts,
		  .help = "Tables whose rows are counted; '*': all, the largest 64"),
	CONF_INT(struct sql_opts, estimate_above, .def = "100000", .min = 0, .max = 1e15,
		 .help = "row_counts: tables that PostgreSQL thinks larger are not counted but "
			 "estimated"),
	CONF_END,
};

/* ---- Deeper validation ---- */

void sql_place_validate(const struct sqlite_opts *sqlite, const struct postgres_opts *postgres,
			const char *path, service_problem_fn problem, void *ctx)
{
	HALE_CLEANUP(cleanup_free) char *at_path = mem_printf("%s/sqlite/path", path);
	HALE_CLEANUP(cleanup_free) char *at_dsn = mem_printf("%s/postgres/dsn", path);
	struct err err = {0};

	if (sqlite->path == NULL && postgres->dsn == NULL)
		problem(ctx, path, "needs 'sqlite' or 'postgres'");
	if (sqlite->path != NULL && postgres->dsn != NULL)
		problem(ctx, path, "has both 'sqlite' and 'postgres', but asks one database");
	/* Relative to what? haled's directory is a matter of how it was started. */
	if (sqlite->path != NULL && sqlite->path[0] != '/' && sqlite->path[0] != '\0')
		problem(ctx, at_path, "must be an absolute path");
	if (postgres->dsn != NULL && pg_conninfo_check(postgres->dsn, &err) != 0)
		problem(ctx, at_dsn, err.text);
}

struct report {
	service_problem_fn problem;
	void *ctx;
};

static void complain(const struct report *r, const char *section, const char *name,
		     const char *member, const char *text)
{
	HALE_CLEANUP(cleanup_free)
	char *path = mem_printf("/%s%s%s%s%s", section, name[0] != '\0' ? "/" : "", name,
				member[0] != '\0' ? "/" : "", member);

	r->problem(r->ctx, path, text);
}

static void check_name(const struct report *r, const char *section, const char *name)
{
	if (!metric_name_is_good(name))
		complain(r, section, name, "", METRIC_NAME_RULE);
}

static void check_freshness(const struct report *r, const struct freshness_opts *f)
{
	bool has_table = f->table != NULL && f->column != NULL;

	check_name(r, "freshness", f->name);
	if (f->query == NULL && !has_table)
		complain(r, "freshness", f->name, "", "needs 'table' and 'column', or 'query'");
	if (f->query != NULL && (f->table != NULL || f->column != NULL || f->where != NULL))
		complain(r, "freshness", f->name, "",
			 "has 'query', which stands for 'table', 'column' and 'where'");
	if (f->warn > f->stale)
		complain(r, "freshness", f->name, "warn", "must not be longer than 'stale'");
}

static void check_stats(const struct report *r, const struct sql_opts *o)
{
	if (o->sqlite.path == NULL)
		return;
	for (size_t i = 0; i < o->stats.n; i++)
		if (strcmp(o->stats.v[i], "size") != 0 && strcmp(o->stats.v[i], "tables") != 0)
			complain(r, "stats", "", "", "SQLite has only 'size' and 'tables'");
}

static void check_entries(const struct report *r, const struct sql_opts *o)
{
	const struct freshness_opts *freshness = o->freshness.v;
	const struct activity_opts *activity = o->activity.v;
	const char *name;
	json_t *query;

	json_object_foreach (o->queries, name, query)
		check_name(r, "queries", name);
	for (size_t i = 0; i < o->freshness.n; i++)
		check_freshness(r, &freshness[i]);
	for (size_t i = 0; i < o->activity.n; i++) {
		check_name(r, "activity", activity[i].name);
		if (activity[i].metric != NULL && !metric_name_is_good(activity[i].metric))
			complain(r, "activity", activity[i].name, "metric", METRIC_NAME_RULE);
	}
	if (json_object_size(o->queries) > SQL_ENTRIES_MAX)
		complain(r, "queries", "", "", "at most 64 queries in one component");
	if (o->freshness.n > SQL_ENTRIES_MAX)
		complain(r, "freshness", "", "", "at most 64 entries in one component");
	if (o->activity.n > SQL_ENTRIES_MAX)
		complain(r, "activity", "", "", "at most 64 entries in one component");
	if (o->row_counts.n > SQL_ROW_COUNTS_MAX)
		complain(r, "row_counts", "", "", "at most 64 tables in one component");
}

void sql_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct sql_opts *o = opts;
	struct report r = {.problem = problem, .ctx = ctx};

	sql_place_validate(&o->sqlite, &o->postgres, "", problem, ctx);
	check_stats(&r, o);
	check_entries(&r, o);
}
