/* SPDX-License-Identifier: Apache-2.0 */
/* rollups - what many numbers come to: count, sum, min, max and histogram of each series
 *
 * Pure. A series is a metric of a component; both are numbers of the caller's. Count, min, max and
 * histogram are the same in whatever order numbers come; the sum is rounded, so that who wants the
 * same sum again adds in the same order.
 *
 * Memory is bounded. When bytes_max is passed, the upper half of the series (by component, then
 * metric) is given up, and whoever adds goes through all rows once more for those:
 *
 *	rollups_reset(r);
 *	do {
 *		… rollups_add(r, …) for every row, in order
 *		… rollups_sorted(r, …) and use them
 *	} while (rollups_next(r));
 *
 * Ownership: what rollups_sorted() gives is valid until the next call.
 * Errors:    none.
 */
#ifndef HALE_STORE_ROLLUPS_H
#define HALE_STORE_ROLLUPS_H

#include "store/sketch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- One series ---- */

struct rollup { /* zero-initialised is valid and empty; rollup_done() */
	int64_t component, metric;
	uint64_t count;
	double sum, min, max; /* finite; a sum beyond all numbers stays at the greatest */
	struct sketch sketch;
};

void rollup_add(struct rollup *r, double value); /* finite */
/* All but whose they are. */
void rollup_merge(struct rollup *r, const struct rollup *other);
/* Between min and max; NAN if empty. */
double rollup_quantile(const struct rollup *r, double quantile);
void rollup_done(struct rollup *r);

/* ---- Many ---- */

struct rollups;

struct rollups *rollups_new(size_t bytes_max);
void rollups_free(struct rollups *r); /* NULL is fine */

/* Empty, for all series; lists are forgotten. */
void rollups_reset(struct rollups *r);
/* Empty, for the series that were given up; false if none were. */
bool rollups_next(struct rollups *r);

void rollups_add(struct rollups *r, int64_t component, int64_t metric, double value);
void rollups_merge(struct rollups *r, const struct rollup *part);

/* The metrics of rows that have the same ones; equal ids mean equal lists. */
struct rollups_list {
	int64_t id;
	const int64_t *metrics;
	size_t n;
};
/* values[i] belongs to list->metrics[i]; NAN: this row has none. Looks up the series of a component
 * and a list once. */
void rollups_add_row(struct rollups *r, int64_t component, const struct rollups_list *list,
		     const double *values);

/* Series with at least one number, by metric, then component. With `ids`, metric m becomes
 * ids[m]; where that is 0 the series is left out. Nothing may be added until next or reset. */
struct rollup *rollups_sorted(struct rollups *r, const int64_t *ids, size_t *n_r);

#endif
