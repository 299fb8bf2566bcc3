/* SPDX-License-Identifier: Apache-2.0 */
/* read - rows of the store, page by page
 */
#ifndef HALE_STORE_READ_H
#define HALE_STORE_READ_H

#include "store/store.h"

#include <jansson.h>
#include <stddef.h>

#define READ_ROWS_DEFAULT 1000 /* of a query that names no limit (C-38) */
/* More rows than this in one answer would fill the reader's memory; the cursor gives the rest. */
#define READ_ROWS_MAX     10000

enum read_what {
	READ_RESULTS,
	READ_TRANSITIONS,
	READ_EVENTS,
	READ_PROCESSES,
	READ_ALERTS,
	READ_DELIVERIES,
	READ_RUNS,
	READ_RECOVERIES,
	READ_WHAT_MAX
};
/* "results", "transitions" …; -1 if it is none. */
int read_what_of(const char *name);
const char *read_what_name(enum read_what what);

struct read_query {
	enum read_what what;
	const char *name;       /* component, subject, process, alert, job; NULL all */
	const char *node;       /* NULL all */
	int64_t from_ms, to_ms; /* [from, to); 0: open */
	size_t limit;           /* 0: READ_ROWS_DEFAULT */
	const char *cursor;     /* from a former answer, or NULL */
	bool is_oldest_first;   /* exports; a cursor belongs to one direction */
};
/* {"rows": […], "truncated": bool, "cursor": text or null}, newest first. Row shapes are in
 * docs/store.md. -EINVAL for a bad cursor. */
int read_rows(struct store *s, const struct read_query *q, json_t **out_r, struct err *err);

/* One row at a time, never more than one in memory: for exports. Return false to stop. */
typedef bool (*read_row_fn)(void *ctx, json_t *row /* borrowed */);
int read_each(struct store *s, const struct read_query *q, read_row_fn on_row, void *ctx,
	      struct err *err);

/* Where this node's lines are stored up to; "" if none are. */
int read_cursor(struct store *s, const char *node, char *epoch, size_t epoch_size, uint64_t *seq_r,
		struct err *err);

#endif
