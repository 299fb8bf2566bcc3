/* SPDX-License-Identifier: Apache-2.0 */
/* plan - what must change so that the table agrees with the source, and whether it may
 *
 * Pure: rows in, decisions out. Both sides are compared as a whole (the union of their keys), so a
 * row is inserted, updated, closed or left alone, and nothing is forgotten. Fail closed: a row that
 * cannot be read is an error and is left alone; as soon as one row of the source cannot be named
 * (no key, or a key that comes twice) nothing is closed, because what looks absent may be the row
 * that could not be read. Keys are compared as texts (numbers by their shortest digits).
 *
 * Ownership: plan_done, plan_spec_done free. Formulas are run, so one thread at a time per spec.
 */
#ifndef HALE_RECONCILER_PLAN_H
#define HALE_RECONCILER_PLAN_H

#include "base/str.h"
#include "base/strlist.h"
#include "mapping.h"
#include "value.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The plan is made in memory: so many rows of five columns on both sides, half of them changing,
 * were measured at 455 MB and 4 s. Larger tables need another way. */
#define PLAN_ROWS_MAX     200000
/* A broken source breaks in every row; nobody reads more than this. */
#define PLAN_ERRORS_MAX   100
/* So few changes of existing rows are always fine by max_change_percent: one of two rows is 50 %.
 */
#define PLAN_PERCENT_FREE 4

enum plan_op { PLAN_INSERT, PLAN_UPDATE, PLAN_CLOSE, PLAN_OP_MAX };
enum plan_close { PLAN_CLOSE_NONE, PLAN_CLOSE_UPDATE, PLAN_CLOSE_DELETE };

struct plan_column {
	char *name; /* in the table */
	struct mapping from;
	enum value_compare compare;
	struct decimal tolerance;
};

struct plan_columns {
	struct plan_column *v;
	size_t n;
};

struct plan_set {
	char *name;
	struct mapping value;
};

struct plan_sets {
	struct plan_set *v;
	size_t n;
};

struct plan_spec {
	struct plan_columns keys;
	struct plan_columns columns;
	struct plan_sets insert, update, close;
	struct jq_expr *skip; /* NULL: no row */
	bool has_insert, has_update;
	enum plan_close close_mode;
	bool allow_empty;
	size_t max_changes;
	double max_change_percent;
};

struct plan_row {
	enum plan_op op;
	char *key;        /* for people: "AAPL", "AAPL/US" */
	json_t *identity; /* array: the key columns as they are in the table; NULL for an insert */
	json_t *before;   /* object; NULL for an insert */
	json_t *after;    /* object: what is written; NULL for a delete */
	char *error;      /* why it could not be carried out; NULL */
};

struct plan {
	struct plan_row *rows;
	size_t n;
	size_t counts[PLAN_OP_MAX];
	size_t skipped;        /* differ, and are left alone because the configuration says so */
	struct strlist errors; /* at most PLAN_ERRORS_MAX */
	size_t errors_n;       /* all */
	size_t source_n, target_n;
	struct strlist refusals; /* one per guard that says no; the plan must not be carried out */
};

const char *plan_op_name(enum plan_op op); /* "insert" "update" "close" */
/* source, target: arrays of objects; vars of mapping_vars. */
void plan_make(const struct plan_spec *spec, const json_t *source, const json_t *target,
	       json_t *vars, struct plan *plan);
void plan_error(struct plan *plan, const char *fmt, ...) HALE_PRINTF(2, 3);
/* [{"op","key","before","after"}], with "error" where there was one; the first `max`. New
 * reference. */
json_t *plan_rows_json(const struct plan *plan, size_t max);
void plan_done(struct plan *plan);
void plan_spec_done(struct plan_spec *spec);

#endif
