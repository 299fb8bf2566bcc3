/* SPDX-License-Identifier: Apache-2.0 */
/* history - what hale remembers: the schema, its writer and its readers
 *
 * The recorder writes, web and CLI read. Blocking; runs in worker threads. Tables (docs/store.md):
 * meta, components, results, transitions, process_events, events. Times are integers, ms since
 * 1970 UTC. The bus cursor (epoch, seq) is written in the same transaction as the rows made of
 * those lines, and (node, epoch, seq) is unique per table: nothing is stored twice.
 */
#ifndef HALE_STORE_STORE_H
#define HALE_STORE_STORE_H

#include "base/err.h"
#include "conf/option.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define STORE_ROWS_MAX 1000 /* default limit of a query (C-38) */

/* The `store:` section. */
struct store_options {
	struct {
		char *path; /* default: <state-dir>/history.db, filled in by haled */
	} sqlite;
	struct {
		int64_t results_ms;     /* raw results, default 7d1h (C-14) */
		int64_t transitions_ms; /* default 400d */
		int64_t events_ms;      /* default 400d */
	} retention;
	int64_t purge_every_ms; /* default 1h */
};
extern const struct conf_item store_items[];

struct store;

/* The writer applies migrations; readers open read-only and fail with -ENOENT text if the store
 * does not exist yet. */
int store_open(const struct store_options *o, bool is_writer, struct store **h_r,
		 struct err *err);
void store_close(struct store *h);
void store_interrupt(struct store *h); /* from any thread */
/* The file broke, or was deleted or replaced: close and open again. */
bool store_is_broken(const struct store *h);

/* Cursor of the last batch written; epoch "" if none. */
int store_cursor(struct store *h, char *epoch, size_t epoch_size, uint64_t *seq_r,
		   struct err *err);

/* One line as it came from the bus; or, with topic STORE_TOPIC_SNAPSHOT, haled's status that
 * stands in for lines that were lost: what differs from the last transition known becomes one. */
#define STORE_TOPIC_SNAPSHOT "snapshot"
struct store_line {
	char *topic;
	char *epoch;
	uint64_t seq;
	json_t *object;
	char *text; /* instead of an object: a routine line of health (model/health_line.h) */
};
/* All lines and the cursor in one transaction. Lines whose shape is not understood are counted in
 * *skipped_r and passed over. */
int store_write(struct store *h, const struct store_line *lines, size_t n, const char *epoch,
		  uint64_t seq, size_t *skipped_r, struct err *err);
/* Deletes up to `rows_max` rows older than retention says; *deleted_r < rows_max means done. */
int store_purge(struct store *h, const struct store_options *o, int64_t now_ms,
		  size_t rows_max, size_t *deleted_r, struct err *err);

enum store_what { STORE_RESULTS, STORE_TRANSITIONS, STORE_EVENTS, STORE_PROCESSES };

struct store_query {
	enum store_what what;
	const char *component;  /* or process; NULL all */
	int64_t from_ms, to_ms; /* [from, to); 0: open */
	size_t limit;           /* 0: STORE_ROWS_MAX */
	const char *cursor;     /* from a former answer, or NULL */
};
/* {"rows": [newest first], "truncated": bool, "cursor": text or null}. Row shapes are documented
 * in docs/store.md. -EINVAL for a bad cursor. */
int store_read(struct store *h, const struct store_query *q, json_t **out_r, struct err *err);

#endif
