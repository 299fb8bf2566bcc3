/* SPDX-License-Identifier: Apache-2.0 */
/* reader - history queries in the thread pool, one at a time
 *
 * One read-only connection, opened at the first query and again after it broke. A store that is
 * slow or gone delays and fails these queries and nothing else.
 */
#ifndef HALE_WEB_READER_H
#define HALE_WEB_READER_H

#include "store/read.h"

#include <stdbool.h>

/* Waiting queries; more are answered "busy" at once. */
#define READER_QUEUE_MAX 32

struct reader;
struct web_backend;

/* out is borrowed, NULL on error; rc 0 or negative errno (-EAGAIN: busy), text in err. */
typedef void (*reader_done_fn)(void *ctx, const json_t *out, int rc, const struct err *err);

struct reader *reader_new(const struct store_options *store, const struct web_backend *backend);
/* Everything in q is copied. on_done is called once, later or at once. */
void reader_query(struct reader *r, const struct read_query *q, reader_done_fn on_done, void *ctx);
bool reader_is_idle(const struct reader *r);
void reader_free(struct reader *r); /* only when idle; NULL is fine */

#endif
