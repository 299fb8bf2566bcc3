/* SPDX-License-Identifier: Apache-2.0 */
/* compare_value - one value of a row, from whatever it came, and whether two of them agree
 *
 * Numbers are compared as decimals (1.0 is 1, and 0.1 + 0.2 plays no part), times as points in
 * time, truth values and JSON documents as what they are: two systems seldom write the same thing
 * in the same way.
 *
 * Pure. Ownership: texts are borrowed.
 */
#ifndef HALE_CHECKERS_COMPARE_VALUE_H
#define HALE_CHECKERS_COMPARE_VALUE_H

#include "base/err.h"
#include "model/decimal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cell_type {
	CELL_NULL,
	CELL_NUMBER,
	CELL_TEXT,
	CELL_BOOL,    /* "true" or "false" */
	CELL_UNTYPED, /* of a CSV file: may be meant as anything */
};

struct cell {
	enum cell_type type;
	const char *text; /* NUL-terminated; NULL for CELL_NULL */
	size_t len;
};

/* How a column is compared, from the configuration. */
struct compare_rule {
	enum { COMPARE_AUTO, COMPARE_TEXT, COMPARE_NUMBER, COMPARE_PERCENT, COMPARE_TIME } how;
	struct decimal tolerance; /* COMPARE_NUMBER */
	double percent;           /* of the larger of the two */
	int64_t tolerance_ms;     /* COMPARE_TIME */
};

/* "exact" (by what the values are), "text", "number", "time", or a tolerance: "0.01", "1%", "2s".
 * -EINVAL. */
int compare_rule_parse(const char *text, struct compare_rule *rule_r, struct err *err);

bool compare_values(const struct compare_rule *rule, const struct cell *a, const struct cell *b);

/* -1, 0 or 1; 2 if it is no number. */
int cell_sign(const struct cell *cell);

#endif
