/* SPDX-License-Identifier: Apache-2.0 */
/* value - one cell of a row: as JSON between the parts, as a bound value in a database
 *
 * Rows travel as JSON objects, whatever they came from. NULL is json_null.
 *
 * Pure. Ownership: value_bind borrows from the JSON value and from the struct it fills.
 */
#ifndef HALE_RECONCILER_VALUE_H
#define HALE_RECONCILER_VALUE_H

#include "base/err.h"
#include "base/str.h"
#include "model/decimal.h"
#include "db/db.h"

#include <jansson.h>
#include <stdbool.h>

/* How two values of a column are held against each other. */
enum value_compare {
	VALUE_AUTO,   /* as numbers if one of them is a number and the other reads as one, else as
			 text */
	VALUE_NUMBER, /* as numbers, within the tolerance */
	VALUE_TEXT,
	VALUE_TIME, /* as points in time, to the millisecond */
	VALUE_COMPARE_MAX
};

/* "auto", "number" … ; VALUE_COMPARE_MAX if it is none. */
enum value_compare value_compare_from_name(const char *name);

/* 1 equal, 0 different, -EINVAL: the source's value is not what the comparison needs. */
int value_is_equal(enum value_compare how, const json_t *source, const json_t *target,
		   struct decimal tolerance, struct err *err);

/* As text: strings as they are, numbers by their shortest digits, the rest as compact JSON. */
void value_text(const json_t *value, struct str *out);

struct value_bound {
	struct db_value value;
	char *owned; /* free() */
};

/* For a placeholder. PostgreSQL takes numbers as decimal text, so that 100.01 stays 100.01 in a
 * numeric column; SQLite takes them as they are. */
void value_bind(enum db_engine engine, const json_t *value, struct value_bound *b_r);
/* A row of a result as an object. New reference; NULL if a text is no UTF-8. */
json_t *value_row(const struct db_row *row);

#endif
