/* SPDX-License-Identifier: Apache-2.0 */
/* compare_rows - the rows of two sources, held compactly, and how they differ
 *
 * A side keeps of each row its key and the compared values, packed into one block: a million rows
 * of a few values are some tens of megabytes. The difference is found by sorting both by key and
 * going through them once.
 *
 * Two keys are the same if their parts are: numbers by their shortest decimal text, all else as it
 * is written.
 *
 * Pure; from any thread, one at a time per side.
 * Errors: -EFBIG more rows or bytes than a side holds; -EINVAL a row without a key.
 */
#ifndef HALE_CHECKERS_COMPARE_ROWS_H
#define HALE_CHECKERS_COMPARE_ROWS_H

#include "base/err.h"
#include "compare_value.h"

#include <stdbool.h>
#include <stddef.h>

/* Differences named one by one; beyond that they are counted. */
#define COMPARE_LISTED_MAX  20
/* Of one side: 8192 files and 1 GiB are the process's, and both sides and their sorting share it.
 */
#define COMPARE_BYTES_MAX   (128u << 20)
#define COMPARE_ROWS_MAX    1000000
#define COMPARE_KEY_MAX     16
#define COMPARE_COLUMNS_MAX 64

struct compare_spec {
	size_t key_n;
	const struct compare_rule *rules; /* of each column */
	size_t columns_n;
	bool has_quantity;   /* one more value, which says whether a row counts */
	bool zero_is_absent; /* a position of nothing is no position */
	bool skips_negative;
	size_t rows_max;
};

/* Values of a row: the key's parts, the columns', the quantity. */
#define COMPARE_CELLS_MAX (COMPARE_KEY_MAX + COMPARE_COLUMNS_MAX + 1)
static inline size_t compare_cells(const struct compare_spec *s)
{
	return s->key_n + s->columns_n + (s->has_quantity ? 1 : 0);
}

struct compare_side;

/* The spec is borrowed. */
struct compare_side *compare_side_new(const struct compare_spec *spec);
void compare_side_free(struct compare_side *side); /* NULL is fine */
int compare_side_add(struct compare_side *side, const struct cell *cells, struct err *err);

enum compare_what {
	COMPARE_MISSING_A,
	COMPARE_MISSING_B,
	COMPARE_DIFFERENT,
	COMPARE_DUPLICATE_A,
	COMPARE_DUPLICATE_B,
	COMPARE_WHAT_MAX
};

struct compare_found {
	enum compare_what what;
	const char *key;  /* for people: "AAPL/7"; valid during the call */
	size_t column;    /* COMPARE_DIFFERENT: the first that differs */
	struct cell a, b; /* its values */
};

struct compare_result {
	size_t rows_a, rows_b;          /* that took part */
	size_t skipped_a, skipped_b;    /* negative */
	size_t absent_a, absent_b;      /* zero */
	size_t found[COMPARE_WHAT_MAX]; /* keys */
};

/* on_found is called for the first COMPARE_LISTED_MAX of each sort, in the order of keys. Of
 * several rows with one key the first is compared. Sorts the sides. */
void compare_sides(struct compare_side *a, struct compare_side *b, struct compare_result *r,
		   void (*on_found)(void *ctx, const struct compare_found *f), void *ctx);

/* True if nothing was found. */
bool compare_is_same(const struct compare_result *r);

#endif
