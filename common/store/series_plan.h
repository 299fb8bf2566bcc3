/* SPDX-License-Identifier: Apache-2.0 */
/* series_plan - which rows answer a question about a metric, and in which steps
 *
 * Pure. Steps are those that people know, aligned to UTC (weeks to Monday). The finest is taken of
 * which not too many points come, whose rows are still kept, and which does not make the database
 * read more than it can in a moment.
 */
#ifndef HALE_STORE_SERIES_PLAN_H
#define HALE_STORE_SERIES_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows of one answer: some tens of milliseconds in both databases. Of raw ones most are passed over
 * quickly; as many come from 1,000 components in an hour. */
#define SERIES_ROWS_MAX     60000
#define SERIES_RAW_ROWS_MAX 500000
/* Of longer ranges raw rows are too many for what they tell. */
#define SERIES_RAW_RANGE_MS 21600000

enum series_source { SERIES_RAW, SERIES_5M, SERIES_1H, SERIES_1D, SERIES_SOURCE_MAX };

const char *series_source_name(enum series_source s); /* "raw", "5m", "1h", "1d" */
const char *series_source_table(enum series_source s);
int64_t series_source_ms(enum series_source s); /* 0: raw */

struct series_scope {
	int64_t from_ms, to_ms;
	int64_t step_ms;                      /* at least; 0: any */
	size_t points_max;                    /* of one series */
	size_t all_max;                       /* of all together */
	size_t series;                        /* how many there will be, about */
	double raw_rows_per_ms;               /* stored of late, of all components */
	int64_t oldest_ms[SERIES_SOURCE_MAX]; /* that is there; INT64_MAX: nothing */
};

struct series_plan {
	enum series_source source;
	int64_t step_ms;
	int64_t first_ms; /* where the first step begins, at from_ms or before */
	size_t steps;
};

void series_plan_make(const struct series_scope *scope, struct series_plan *plan_r);
/* One step for all of it: of the finest rows that are not too many. */
void series_plan_whole(const struct series_scope *scope, struct series_plan *plan_r);
/* The step that a time falls into; it must not lie before first_ms. */
size_t series_plan_step(const struct series_plan *plan, int64_t at_ms);

#endif
