/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_batch - lines into SQLite, one transaction after another (private to this layer)
 *
 * Blocking, one thread at a time. Numbers of names are kept from batch to batch.
 */
#ifndef HALE_STORE_SQLITE_BATCH_H
#define HALE_STORE_SQLITE_BATCH_H

#include "db/db.h"
#include "store/line.h"

#include <stdatomic.h>

struct sqlite_batch;

/* db is borrowed, and has the newest schema. -EINTR once *interrupted is true. */
struct sqlite_batch *sqlite_batch_new(struct db *db, const char *node,
				      const atomic_bool *interrupted);
void sqlite_batch_free(struct sqlite_batch *b);
/* All lines, what they make necessary, and the cursor in one transaction. */
int sqlite_batch_write(struct sqlite_batch *b, const struct store_line *lines, size_t n,
		       size_t *skipped_r, size_t *repeated_r, struct err *err);
/* The states that wait for their time are stored now. */
int sqlite_batch_flush(struct sqlite_batch *b, struct err *err);

#endif
