/* SPDX-License-Identifier: Apache-2.0 */
/* sql_plan - the statements of one run of a sql check, and what was answered to each
 *
 * The plan writes the SQL and keeps the answers; sql_judge.h says what they mean. No I/O, no loop:
 * the session (sql_session.h) takes sql_plan_next(), gives rows and answers, perhaps in a thread.
 *
 * Bounded: steps by the options' limits, columns and the length of values by what is here.
 * Ownership: the options are borrowed and must outlive the plan.
 */
#ifndef HALE_CHECKERS_SQL_PLAN_H
#define HALE_CHECKERS_SQL_PLAN_H

#include "sql_options.h"
#include "db/pgasync.h"

/* A check looks at a few values, not at a table's width. */
#define SQL_COLUMNS_MAX     64
/* Values are compared and shown, not stored. */
#define SQL_VALUE_MAX_BYTES 4096
/* Rows shown to who looks on. */
#define SQL_SHOWN_ROWS_MAX  10
/* Rows that are kept travel with every observation, and lie in the history. */
#define SQL_KEPT_BYTES_MAX  65536

enum sql_use {
	SQL_MAIN,      /* the component's `query` */
	SQL_NAMED,     /* one of `queries` */
	SQL_STAT,      /* columns are metrics as they are named */
	SQL_FRESHNESS, /* the first value is a time */
	SQL_ACTIVITY,  /* the first value is a count */
	SQL_TABLES,    /* rows are tables to be counted */
	SQL_COUNT,     /* a count, and whether it is an estimate */
};

struct sql_column {
	char *name;
	char *text; /* NULL: SQL NULL */
	bool is_number;
	double number;
};

struct sql_step {
	enum sql_use use;
	char *name; /* what its metrics begin with; "" for SQL_MAIN and SQL_STAT */
	char *sql;
	const struct freshness_opts *freshness;
	/* The answer. */
	bool is_answered;
	enum reason reason;
	char *error;
	double query_ms;
	size_t rows;
	struct sql_column *columns; /* of the first row */
	size_t columns_n;
	json_t *shown; /* the first rows, if somebody looks on */
	json_t *kept;  /* the first rows that become a detail; NULL: none are asked for */
	size_t kept_bytes;
};

struct sql_plan {
	struct sql_step *v;
	size_t n;
	size_t at;       /* the step that runs or runs next */
	bool is_watched; /* keep rows to be shown */
	bool is_sqlite;
	int64_t estimate_above;
	size_t keep_rows;
	size_t tables; /* found by "*" */
	bool is_cut;   /* there are more */
};

void sql_plan_init(struct sql_plan *plan, const struct sql_opts *o, bool is_watched);
void sql_plan_done(struct sql_plan *plan);

/* struct pg_script's, with the plan as ctx. */
const char *sql_plan_next(void *plan);
bool sql_plan_row(void *plan, const struct db_row *row);
void sql_plan_answer(void *plan, const struct pg_answer *a);

#define SQL_NAME_MAX 64
/* "count(*)" is the metric "count", "Max Age" is "max_age"; what has no letter is "value". */
void sql_metric_name(const char *column, char out[SQL_NAME_MAX]);

#endif
