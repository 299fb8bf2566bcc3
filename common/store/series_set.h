/* SPDX-License-Identifier: Apache-2.0 */
/* series_set - points of components and metrics while they are put together (private to this layer)
 *
 * Pure. count, sum, min and max of several rows are exact, the percentile comes from their merged
 * sketches. Parts of a line must come in order of time, for only one sketch is kept of it; rows
 * that are whole may come in any.
 *
 * Ownership: the caller owns struct series_set; zero-initialise, series_set_done().
 */
#ifndef HALE_STORE_SERIES_SET_H
#define HALE_STORE_SERIES_SET_H

#include "store/sketch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct series_point {
	uint64_t count;            /* 0: nothing was stored */
	double sum, min, max, p95; /* finite; a sum beyond all numbers stays at the greatest */
};
/* Never outside min … max, however the sum was rounded or cut. */
double series_point_avg(const struct series_point *p);

struct series_line {
	struct series_point *v; /* by step */
	size_t first, last;     /* that have data */
	bool has_data;
	struct sketch sketch; /* of step `last`, if count says so */
	uint64_t sketch_count;
};

struct series_component {
	int64_t id;
	char *node, *name;
	struct series_line **lines; /* by metric; NULL: none */
};

struct series_metric {
	int64_t id; /* 0: never rolled up */
	char *name;
};

struct series_set {
	struct series_component *components; /* ascending by id */
	size_t components_n, components_cap;
	struct series_metric *metrics;
	size_t metrics_n, metrics_cap;
	size_t steps;
	size_t lines_n, lines_max;
	bool is_truncated; /* there were more lines */
	struct sketch scratch;
	size_t guess; /* the component that was wanted last */
};

/* All components, in order of id, and all metrics before the first line. */
void series_set_component(struct series_set *s, int64_t id, const char *node, const char *name);
void series_set_metric(struct series_set *s, int64_t id, const char *name);
/* -1: none. */
int series_metric_find(const struct series_set *s, const char *name, size_t len);
int series_metric_find_id(const struct series_set *s, int64_t id);
/* NULL: no such component, or there are too many lines. */
struct series_line *series_line_get(struct series_set *s, int64_t component_id, size_t metric);

/* A row that is a step of its own. */
void series_line_put(struct series_line *l, size_t step, const struct series_point *row);
/* A row that is a part of one; its p95 is not looked at. */
void series_line_merge(struct series_set *s, struct series_line *l, size_t step,
		       const struct series_point *row, const char *sketch, size_t sketch_len);
void series_line_value(struct series_line *l, size_t step, double value);
/* After the last of them. */
void series_line_end(struct series_line *l);

void series_set_done(struct series_set *s);

#endif
