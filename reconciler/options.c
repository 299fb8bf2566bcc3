/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include "plan.h"

/* A program answers or is not there; an hour is for queries that read everything. */
#define TIMEOUT_MIN_MS 10
#define TIMEOUT_MAX_MS 3600000
/* 200,000 rows of 300 bytes. */
#define BODY_MAX_BYTES 67108864

#define SQLITE_ITEMS(name, access)                                                                 \
	static const struct conf_item name[] = {                                                   \
		CONF_STR(struct sqlite_options, path,                                              \
			 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | (access),                    \
			 .help = "database file; it must exist"),                                  \
		CONF_END,                                                                          \
	}

SQLITE_ITEMS(sqlite_source_items, CONF_F_READ_BESIDE);
SQLITE_ITEMS(sqlite_target_items, CONF_F_WRITE);

static const struct conf_item postgres_items[] = {
	CONF_STR(struct postgres_options, dsn,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_SECRET | CONF_F_CONNECT,
		 .help = "connection string or postgresql:// URI"),
	CONF_END,
};

static const struct conf_item http_source_items[] = {
	CONF_STR(struct http_source_options, url, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		 .help = "where the rows are asked for"),
	CONF_ENUM(struct http_source_options, method, .def = "GET", .choices = "GET|POST",
		  .help = "HTTP method"),
	CONF_STRMAP(struct http_source_options, headers, .help = "headers to send"),
	CONF_STR(struct http_source_options, body, .help = "body to send"),
	CONF_DURATION(struct http_source_options, timeout_ms, .name = "timeout", .def = "30s",
		      .min = TIMEOUT_MIN_MS, .max = TIMEOUT_MAX_MS,
		      .help = "for the whole request"),
	CONF_SIZE(struct http_source_options, max_bytes, .def = "16MB", .min = 1024,
		  .max = BODY_MAX_BYTES, .help = "a longer answer is refused"),
	CONF_STR(struct http_source_options, ca_file, .flags = CONF_F_READ_FILE,
		 .help = "certificates to trust instead of the system's"),
	CONF_JQ(struct http_source_options, expect,
		.help = "must be true of the whole answer, or the run is refused: '.connected'"),
	CONF_JQ(struct http_source_options, rows, .def = ".[]",
		.help = "gives the rows, one object each: '.positions[]'"),
	CONF_END,
};

static const struct conf_item sql_source_items[] = {
	CONF_MAP(struct sql_source_options, sqlite, sqlite_source_items,
		 .help = "ask a SQLite file"),
	CONF_MAP(struct sql_source_options, postgres, postgres_items, .help = "ask PostgreSQL"),
	CONF_STR(struct sql_source_options, query, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		 .help = "SELECT that gives the rows; run read-only"),
	CONF_DURATION(struct sql_source_options, timeout_ms, .name = "timeout", .def = "30s",
		      .min = TIMEOUT_MIN_MS, .max = TIMEOUT_MAX_MS,
		      .help = "for connecting and for the query, each"),
	CONF_END,
};

static const struct conf_item source_items[] = {
	CONF_MAP(struct source_options, http, http_source_items, .help = "rows from an HTTP API"),
	CONF_MAP(struct source_options, sql, sql_source_items, .help = "rows from a database"),
	CONF_END,
};

static const struct conf_item target_items[] = {
	CONF_MAP(struct target_options, sqlite, sqlite_target_items,
		 .help = "the table is in a SQLite file"),
	CONF_MAP(struct target_options, postgres, postgres_items,
		 .help = "the table is in PostgreSQL"),
	CONF_STR(struct target_options, table, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		 .help = "the table to put right: name or schema.name"),
	CONF_DURATION(struct target_options, timeout_ms, .name = "timeout", .def = "10s",
		      .min = TIMEOUT_MIN_MS, .max = TIMEOUT_MAX_MS,
		      .help = "for connecting and for each statement"),
	CONF_END,
};

static const struct conf_item column_items[] = {
	CONF_STR(struct column_options, from,
		 .help = "member of the source row, or '= formula'; the column's own name if "
			 "absent"),
	CONF_ENUM(struct column_options, compare, .def = "auto", .choices = "auto|number|text|time",
		  .help = "how two values are compared"),
	CONF_NUM(struct column_options, tolerance, .def = "0", .min = 0, .max = 1e15,
		 .help = "numbers that differ by no more than this are equal"),
	CONF_END,
};

static const struct conf_item insert_items[] = {
	CONF_BOOL(struct insert_options, is_enabled, .name = "enabled", .def = "true",
		  .help = "insert what only the source has"),
	CONF_STRMAP(struct insert_options, values,
		    .help = "further columns of a new row: text, or '= formula' on the source row"),
	CONF_END,
};

static const struct conf_item update_items[] = {
	CONF_BOOL(struct update_options, is_enabled, .name = "enabled", .def = "true",
		  .help = "update what differs"),
	CONF_STRMAP(struct update_options, set,
		    .help = "further columns to set: text, or '= formula' on the source row"),
	CONF_END,
};

static const struct conf_item close_items[] = {
	CONF_ENUM(struct close_options, mode, .def = "none", .choices = "update|delete|none",
		  .help = "what is done with rows in scope that the source does not have"),
	CONF_STRMAP(struct close_options, set,
		    .help = "update: columns to set: text, or '= formula' on the table's row"),
	CONF_END,
};

static const struct conf_item guard_items[] = {
	CONF_BOOL(struct guard_options, allow_empty, .def = "false",
		  .help = "believe a source without any row"),
	CONF_INT(struct guard_options, max_changes, .def = "50", .min = 1, .max = PLAN_ROWS_MAX,
		 .help = "refuse a run that would change more rows"),
	CONF_NUM(struct guard_options, max_change_percent, .def = "50", .min = 0, .max = 100,
		 .help = "refuse a run that would update or close a larger share of the rows in "
			 "scope "
			 "(and more than 4)"),
	CONF_LIST(struct guard_options, require_healthy, .ref = "components",
		  .help = "components that must be healthy, or the run is refused"),
	CONF_DURATION(struct guard_options, min_interval_ms, .name = "min_interval", .def = "60s",
		      .min = 0, .max = 86400000.0 * 31, .help = "least time between two runs"),
	CONF_END,
};

static const struct conf_item audit_items[] = {
	CONF_STR(struct audit_options, runs_table, .def = "hale_reconcile_runs",
		 .help = "table of runs, made if missing"),
	CONF_STR(struct audit_options, changes_table, .def = "hale_reconcile_changes",
		 .help = "table of changes, with the row before and after; made if missing"),
	CONF_END,
};

const struct conf_item job_items[] = {
	CONF_MAP(struct job_options, source, source_items, .flags = CONF_F_REQUIRED,
		 .help = "what is true: one of http, sql"),
	CONF_MAP(struct job_options, target, target_items, .flags = CONF_F_REQUIRED,
		 .help = "the table that must agree: one of sqlite, postgres"),
	CONF_LIST(struct job_options, key, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		  .help = "columns of the table that tell its rows apart"),
	CONF_DICT(struct job_options, columns, column_items, struct column_options,
		  .help = "columns that must agree, by name; a key column may stand here for its "
			  "`from`"),
	CONF_JQ(struct job_options, skip,
		.help = "rows of the source this is true of are left alone, in the table too"),
	CONF_STR(struct job_options, scope, .flags = CONF_F_NONEMPTY,
		 .help = "SQL condition: only such rows of the table take part; all if absent"),
	CONF_MAP(struct job_options, insert, insert_items, .def = "{}", .help = "rows to add"),
	CONF_MAP(struct job_options, update, update_items, .def = "{}", .help = "rows to change"),
	CONF_MAP(struct job_options, close, close_items, .def = "{}", .help = "rows to close"),
	CONF_MAP(struct job_options, guards, guard_items, .def = "{}", .help = "when not to act"),
	CONF_CRON(struct job_options, schedule, .help = "when it runs, as crontab(5)"),
	CONF_DURATION(struct job_options, every_ms, .name = "every", .min = 1000,
		      .max = 86400000.0 * 31, .help = "runs in this rhythm, instead of a schedule"),
	CONF_DURATION(struct job_options, on_start_ms, .name = "on_start", .min = 1,
		      .max = 86400000, .help = "runs once so long after the start"),
	CONF_MAP(struct job_options, audit, audit_items, .def = "{}",
		 .help = "where runs and changes are kept, in the target's database"),
	CONF_END,
};

static const struct conf_item http_action_items[] = {
	CONF_STR(struct http_action_options, url, .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY,
		 .help = "what is asked"),
	CONF_ENUM(struct http_action_options, method, .def = "POST",
		  .choices = "GET|POST|PUT|PATCH|DELETE", .help = "HTTP method"),
	CONF_STRMAP(struct http_action_options, headers, .help = "headers to send"),
	CONF_STR(struct http_action_options, body, .help = "body to send"),
	CONF_DURATION(struct http_action_options, timeout_ms, .name = "timeout", .def = "30s",
		      .min = TIMEOUT_MIN_MS, .max = TIMEOUT_MAX_MS,
		      .help = "for the whole request"),
	CONF_STR(struct http_action_options, ca_file, .flags = CONF_F_READ_FILE,
		 .help = "certificates to trust instead of the system's"),
	CONF_END,
};

const struct conf_item action_items[] = {
	CONF_MAP(struct action_options, http, http_action_items, .flags = CONF_F_REQUIRED,
		 .help = "an HTTP request; any 2xx answer is success"),
	CONF_END,
};

const struct conf_section reconciler_sections[] = {
	{"reconcile", job_items, CONF_T_DICT,
	 "Jobs that make a table agree with a source of truth"},
	{"actions", action_items, CONF_T_DICT, "Recovery actions, run by hand"},
	{NULL, NULL, CONF_T_END, NULL},
};
