/* SPDX-License-Identifier: Apache-2.0 */
/* sql_options - what can be configured under components.<id>.sql
 *
 * Pure. See also: docs/checks.md "sql"
 */
#ifndef HALE_CHECKERS_SQL_OPTIONS_H
#define HALE_CHECKERS_SQL_OPTIONS_H

#include "check.h"

/* Of queries, freshness and activity each: a component is one thing that is watched. */
#define SQL_ENTRIES_MAX    64
#define SQL_ROW_COUNTS_MAX 64
/* An observation travels over the bus and into the history, with every check. */
#define SQL_KEEP_ROWS_MAX  200

#define SQL_NOT_EXPECTED (-1) /* expect_rows: any number */

struct sqlite_opts {
	char *path;
};

struct postgres_opts {
	char *dsn;
	char *ca;
	char *cert;
	char *key;
};

struct freshness_opts {
	char *name;
	char *table;
	char *column;
	char *where;
	char *query;
	int64_t warn;
	int64_t stale;
	bool bands;
};

struct activity_opts {
	char *name;
	char *table;
	char *column;
	char *column_type;
	int64_t window;
	char *where;
	char *metric;
};

struct sql_opts {
	struct sqlite_opts sqlite;
	struct postgres_opts postgres;
	char *query;
	char *expect;
	int64_t expect_rows;
	struct strlist metrics;
	int64_t keep_rows;
	json_t *queries;
	struct conf_vec freshness; /* of struct freshness_opts */
	struct conf_vec activity;  /* of struct activity_opts */
	struct strlist stats;
	struct strlist row_counts;
	int64_t estimate_above;
};

extern const struct conf_item sql_items[];
/* Also of other kinds that ask a database. */
extern const struct conf_item sqlite_items[];
extern const struct conf_item postgres_items[];

/* validate() of the kind. */
void sql_validate(const void *opts, service_problem_fn problem, void *ctx);

/* Exactly one of them, and that one as it must be. `path` names where they stand. */
void sql_place_validate(const struct sqlite_opts *sqlite, const struct postgres_opts *postgres,
			const char *path, service_problem_fn problem, void *ctx);

#endif
