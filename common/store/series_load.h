/* SPDX-License-Identifier: Apache-2.0 */
/* series_load - what a store knows about a question, and its rows (private to this layer)
 */
#ifndef HALE_STORE_SERIES_LOAD_H
#define HALE_STORE_SERIES_LOAD_H

#include "series_plan.h"
#include "series_set.h"
#include "store/series.h"

/* A question, its range bounded by what is stored. */
struct series_load {
	struct store *s;
	const struct series_query *q;
	int64_t from_ms, to_ms;
	struct series_set set;
	struct series_scope scope;
	struct series_plan plan;
};

/* Components, metrics and scope; -EINVAL, -ENOENT as series.h says. */
int series_load_begin(struct series_load *l, struct err *err);
/* The rows of l->plan, and raw ones of what is not rolled up yet if those are few. */
int series_load_rows(struct series_load *l, struct err *err);
void series_load_done(struct series_load *l);

/* series_raw.c: raw rows of [from, to). */
int series_raw_load(struct series_load *l, int64_t from_ms, int64_t to_ms, struct err *err);

#endif
