/* SPDX-License-Identifier: Apache-2.0 */
/* series - a metric over time
 *
 * Answered from the coarsest rows that give the step asked for: raw results for the last hours,
 * rollups of 5 minutes, an hour or a day beyond, several buckets merged where the step is a
 * multiple. Where nothing was stored there is a gap, not a zero and not a line across.
 */
#ifndef HALE_STORE_SERIES_H
#define HALE_STORE_SERIES_H

#include "base/str.h"
#include "store/store.h"

#include <jansson.h>
#include <stddef.h>

#define SERIES_POINTS_DEFAULT 300   /* that a chart shows */
#define SERIES_POINTS_MAX     2000  /* of one component */
#define SERIES_ALL_MAX        50000 /* of all components together; the step grows until it fits */

struct series_query {
	const char *metric;     /* "took_ms": how long the check took */
	const char *component;  /* NULL: every component that has it, each a series */
	const char *node;       /* NULL: all */
	int64_t from_ms, to_ms; /* [from, to); to 0: now_ms */
	int64_t now_ms;
	int64_t step_ms;   /* 0: chosen, so that about points_max points come */
	size_t points_max; /* 0: SERIES_POINTS_DEFAULT */
};

/* {"metric","from","to","step_ms","source": "raw|5m|1h|1d","truncated": bool,
 *  "series": [{"component","node","points": [{"at","count","min","avg","max","p95"}]}]}
 * Points ascend, one for every step between the first and the last that has data; in a gap count
 * is 0 and the others are null. p95 is right to 1.6 % (sketch.h). step_ms: 10 s, 30 s, 1, 5, 15,
 * 30 minutes, 1, 3, 6, 12 hours, a day, a week, in UTC: the least that is not below the one asked
 * for and gives not too many points. from is no earlier than what is stored, to no later than that
 * or now. truncated: there are more series. -EINVAL: a bad range or step, -ENOENT: no such metric
 * or component. */
int series_read(struct store *s, const struct series_query *q, json_t **out_r, struct err *err);
/* The same as JSON text, appended: of all components it is quicker than a tree. */
int series_write(struct store *s, const struct series_query *q, struct str *out, struct err *err);

/* min, avg, max, last per metric of a component (or of all) over a range; metric NULL: all.
 * {"from","to","source","metrics":[{"component","node","metric","count","min","avg","max","p95",
 *  "last": number or null}],"truncated"}
 * from is where the first bucket begins. last: the newest value, if it is of this range. */
int series_summary(struct store *s, const struct series_query *q, json_t **out_r, struct err *err);

#endif
