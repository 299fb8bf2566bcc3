/* SPDX-License-Identifier: Apache-2.0 */
/* reader - questions to the store, answered in the thread pool
 *
 * READER_CONNECTIONS questions are answered at a time, each on a connection of its own, the rest
 * wait in order, at most READER_QUEUE_MAX of them. One that takes longer than READER_MS is
 * interrupted, so that slow ones never hold up the others for good. A store that is slow or gone
 * delays and fails these questions and nothing else; after any trouble the next question begins
 * with a new connection.
 *
 * Loop thread; only the work itself runs in another.
 */
#ifndef HALE_WEB_READER_H
#define HALE_WEB_READER_H

#include "base/str.h"
#include "store/store.h"

#include <stdbool.h>
#include <uv.h>

/* Two, so that a year's chart does not keep the event list waiting; more would only make each other
 * slower, and leave the pool without threads for others. */
#define READER_CONNECTIONS 2
/* Waiting questions; more are answered "busy" at once. */
#define READER_QUEUE_MAX   32
/* What has not been answered by then will not be for many times that. */
#define READER_MS          20000

struct reader;
struct web_backend;

struct reader_question {
	/* In a thread: appends the answer, JSON. 0 or negative errno, with text. */
	int (*ask)(void *arg, struct store *s, struct str *out, struct err *err);
	/* On the loop, once, later or at once. `text` is the JSON (taken), NULL on error: -EAGAIN
	 * busy, -ETIMEDOUT interrupted, else as ask() or reader_open() said. */
	void (*on_done)(void *arg, char *text, int rc, const struct err *err);
	void *arg; /* on_done's to free */
};

/* `limit_ms`: READER_MS, but in tests. */
struct reader *reader_new(uv_loop_t *loop, const struct store_options *store,
			  const struct web_backend *backend, int64_t limit_ms);
void reader_ask(struct reader *r, const struct reader_question *q);
/* store_open() for reading, in a thread. That there is no store, or not yet one of our version, is
 * nobody's mistake in asking: -ENODATA. */
int reader_open(const struct store_options *o, struct store **s_r, struct err *err);
bool reader_is_idle(const struct reader *r);
void reader_close(struct reader *r); /* before the loop ends; only when idle */
void reader_free(struct reader *r);  /* NULL is fine */

#endif
