/* SPDX-License-Identifier: Apache-2.0 */
/* query - the parameters of the history and event routes
 *
 * Bad input is an answer 400 that says which parameter and what it may be (C-38), never a default
 * taken in silence. Pure: now is an argument.
 */
#ifndef HALE_WEB_QUERY_H
#define HALE_WEB_QUERY_H

#include "base/err.h"
#include "store/read.h"

#include <stdint.h>

#define QUERY_HOURS_DEFAULT  24.0
/* Longer than the longest retention there is by default (400 days) would only mean "all". */
#define QUERY_HOURS_MAX      (24.0 * 3660)
/* One answer is built in memory: this many rows are some five megabytes. */
#define QUERY_LIMIT_MAX      10000
#define QUERY_CURSOR_LEN_MAX 256

struct query_text { /* as they came; NULL: not given */
	const char *hours, *limit, *component, *cursor, *what;
};

/* Strings in q_r are borrowed from text. -EINVAL. */
int query_parse(const struct query_text *text, enum read_what what, int64_t now_ms,
		struct read_query *q_r, struct err *err);
/* "results", "transitions", "events", "processes". */
bool query_what_parse(const char *name, enum read_what *what_r);

#endif
