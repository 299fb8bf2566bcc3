/* SPDX-License-Identifier: Apache-2.0 */
/* keep_partitions - PostgreSQL's partitions: made ahead, dropped whole (private to this layer)
 *
 * results has one per day, metric_rollups_5m one per week, both by UTC and named by their first
 * day, and each a default one for what has none. Blocking. What is locked by others is waited for
 * briefly (PARTITION_LOCK_MS) and left for the next time: whoever writes never waits longer for us.
 */
#ifndef HALE_STORE_KEEP_PARTITIONS_H
#define HALE_STORE_KEEP_PARTITIONS_H

#include "db/db.h"

#include <stdbool.h>
#include <stdint.h>

/* Who wants the table meanwhile queues behind us. */
#define PARTITION_LOCK_MS  200
/* Days ahead: a keeper that is away for a weekend leaves nothing undone. */
#define PARTITION_AHEAD    3
/* Rows that are moved out of the default partition at once; what has more of them stays there. */
#define PARTITION_MOVE_MAX 1000000

struct partition {
	char name[64];
	int64_t from_ms, to_ms;
	int64_t rows; /* an estimate, if they are many */
};

/* Those that are wanted at now_ms, and some of those whose rows stand in the default one. */
int partitions_make(struct db *db, int64_t now_ms, struct err *err);
/* Those with rows of which the planner knows nothing yet: it would read all of them rather than use
 * an index by blocks, until PostgreSQL itself comes to look. */
int partitions_analyze(struct db *db, struct err *err);
/* 0: `table` has none. */
int64_t partitions_unit_ms(const struct db *db, const char *table);
/* The oldest that ends at before_ms or earlier; *found_r false if there is none. */
int partitions_oldest(struct db *db, const char *table, int64_t before_ms, struct partition *part_r,
		      bool *found_r, struct err *err);
/* Within a transaction, which waits for locks PARTITION_LOCK_MS at most: -EBUSY then. Once it is
 * locked, no row comes any more, and what is said of it holds. */
int partitions_lock(struct db *db, const struct partition *part, struct err *err);
int partitions_drop(struct db *db, const struct partition *part, struct err *err);

#endif
