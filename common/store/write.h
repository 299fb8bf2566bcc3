/* SPDX-License-Identifier: Apache-2.0 */
/* write - lines of the bus into the store, blocking
 */
#ifndef HALE_STORE_WRITE_H
#define HALE_STORE_WRITE_H

#include "store/store.h"

#include <jansson.h>

/* One line as it came from the bus; or, with topic STORE_TOPIC_SNAPSHOT, haled's status that
 * stands in for lines that were lost: what differs from the last transition known becomes one. */
#define STORE_TOPIC_SNAPSHOT "snapshot"
struct store_entry {
	char *topic;
	char *epoch;
	uint64_t seq;
	json_t *object;
	char *text; /* instead of an object: a routine line of health (model/health_line.h) */
};
/* All lines and the cursor in one transaction. Lines whose shape is not understood are counted in
 * *skipped_r and passed over. */
int store_write(struct store *h, const struct store_entry *lines, size_t n, const char *epoch,
		uint64_t seq, size_t *skipped_r, struct err *err);

/* Cursor of the last batch written; epoch "" if none. */
int store_cursor(struct store *h, char *epoch, size_t epoch_size, uint64_t *seq_r, struct err *err);

/* Deletes up to `rows_max` rows older than retention says; *deleted_r < rows_max means done. */
int store_purge(struct store *h, const struct store_options *o, int64_t now_ms, size_t rows_max,
		size_t *deleted_r, struct err *err);

#endif
