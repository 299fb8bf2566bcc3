/* SPDX-License-Identifier: Apache-2.0 */
/* writer - lines of the bus into the store, a batch at a time, without blocking the loop
 *
 * SQLite is written in a worker thread, PostgreSQL by libpq on the loop. One batch is one
 * transaction, together with the cursor. A line is stored once: what is not above last_seq of its
 * epoch was stored before and is passed over, so that any batch may be handed in again after an
 * error whose outcome is not known. With PostgreSQL one writer per node holds an advisory lock.
 *
 * Open the store as its keeper first (store.h): the schema must be up to date.
 *
 * Ownership: lines and their texts must stay as they are until on_done.
 * Loop:      the loop's thread. One call at a time; on_done never comes from within the call.
 * Errors:    on_done gets a negative errno as db.h has them. Nothing was stored then, or, if the
 *            connection broke in the commit, all; the next call connects again.
 */
#ifndef HALE_STORE_WRITER_H
#define HALE_STORE_WRITER_H

#include "store/line.h"
#include "store/store.h"

#include <uv.h>

/* More lines in one batch gain nothing and hold the write lock for longer. */
#define WRITER_BATCH_MAX 4096

struct writer;

struct writer_done {
	int rc;
	const struct err *err; /* if rc < 0 */
	/* Of open: up to where this node's lines are stored; epoch "" if none are. */
	const char *epoch;
	uint64_t seq;
	/* Of write: lines that were not understood; that were stored before. */
	size_t skipped, repeated;
};
typedef void (*writer_done_fn)(void *ctx, const struct writer_done *done);

/* `o` is borrowed until writer_close's on_closed. */
struct writer *writer_new(uv_loop_t *loop, const struct store_options *o, const char *node);
/* Connects, and tells where the store stands. */
void writer_open(struct writer *w, writer_done_fn on_done, void *ctx);
void writer_write(struct writer *w, const struct store_line *lines, size_t n,
		  writer_done_fn on_done, void *ctx);
/* The call in hand ends soon, with -EINTR. */
void writer_interrupt(struct writer *w);
/* Interrupts, closes, frees; on_done of a call in hand comes before on_closed (may be NULL). */
void writer_close(struct writer *w, void (*on_closed)(void *ctx), void *ctx);

#endif
