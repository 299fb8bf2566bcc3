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
	const char *name;       /* component, subject, process; of alerts also rule, key or id,
				 * of deliveries alert or channel, of runs job, of recoveries
				 * also action; NULL all */
	const char *node;       /* NULL all */
	int64_t from_ms, to_ms; /* [from, to); 0: open */
	size_t limit;           /* 0: READ_ROWS_DEFAULT; read_each: all */
	const char *cursor;     /* from a former answer, or NULL */
	bool is_oldest_first;   /* exports; a cursor belongs to one direction */
	bool has_origin;        /* rows also have "epoch" and "seq", the key of their line */
};

/* Looking for the results of one component in a large store may take long. After this long an
 * answer has what was found by then, and a cursor to go on from. */
#define READ_PATIENCE_MS 3000

/* {"rows": […], "truncated": bool, "cursor": text or null}, newest first. Row shapes are in
 * docs/store.md. -EINVAL for a bad cursor. */
int read_rows(struct store *s, const struct read_query *q, json_t **out_r, struct err *err);

/* Row after row, with never more than READ_PAGE_ROWS in memory and no statement open meanwhile: for
 * exports, however slowly they are taken. Rows that come while it runs are read too, if they are
 * ahead. Return false to stop. */
#define READ_PAGE_ROWS 1000
typedef bool (*read_row_fn)(void *ctx, json_t *row /* borrowed */);
int read_each(struct store *s, const struct read_query *q, read_row_fn on_row, void *ctx,
	      struct err *err);

/* Where this node's lines are stored up to; "" if none are. */
int read_cursor(struct store *s, const char *node, char *epoch, size_t epoch_size, uint64_t *seq_r,
		struct err *err);

#endif
