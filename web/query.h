/* SPDX-License-Identifier: Apache-2.0 */
/* query - the parameters of the routes that ask the store
 *
 * Bad input is an answer 400 that says which parameter and what it may be (C-38), never a default
 * taken in silence. Pure: now is an argument.
 *
 * A time in the past: `hours=24` (fractions allowed), `timeRange=7d`, or `from` and `to`, each an
 * RFC 3339 time, a date (its beginning, UTC) or seconds since 1970 (milliseconds from 12 digits
 * on). Only `from` lasts until now, only `to` begins a day before.
 */
#ifndef HALE_WEB_QUERY_H
#define HALE_WEB_QUERY_H

#include "base/err.h"
#include "store/read.h"
#include "store/series.h"
#include "store/uptime.h"

#include <stdint.h>

#define QUERY_HOURS_DEFAULT  24.0
/* Longer than the longest retention there is by default (400 days) would only mean "all". */
#define QUERY_DAYS_MAX       3660
/* One answer is built in memory: this many rows are some five megabytes. */
#define QUERY_LIMIT_MAX      READ_ROWS_MAX
#define QUERY_CURSOR_LEN_MAX 256
/* As names in the store. */
#define QUERY_NAME_LEN_MAX   255

struct query_text { /* as they came; NULL: not given */
	const char *hours, *time_range, *from, *to;
	const char *what, *limit, *cursor, *component, *node;
	const char *metric, *step, *points, *sla, *format;
};

struct query_range { /* [from, to) */
	int64_t from_ms, to_ms;
	bool is_open; /* it ends now */
};

/* All: strings in the result are borrowed from text. -EINVAL. */
int query_range(const struct query_text *text, int64_t now_ms, struct query_range *r_r,
		struct err *err);
/* component and node alone, of whatever kind. */
int query_names(const struct query_text *text, struct err *err);
int query_rows(const struct query_text *text, enum read_what what, int64_t now_ms,
	       struct read_query *q_r, struct err *err);
int query_series(const struct query_text *text, int64_t now_ms, struct series_query *q_r,
		 struct err *err);
int query_uptime(const struct query_text *text, int64_t now_ms, struct uptime_query *q_r,
		 struct err *err);

#endif
