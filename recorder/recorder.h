/* SPDX-License-Identifier: Apache-2.0 */
/* recorder - follows the bus and stores what it says, in batches, one job at a time
 *
 * The store is touched in a worker thread only, by one job at a time: opening, writing a batch,
 * deleting a batch of old rows. A job that fails is tried again with growing delays; lines wait in
 * the queue meanwhile (queue.h), and nothing else of hale notices. The feed is opened once the
 * store has told where it stands: until then haled's ring keeps the lines.
 *
 * Loop: all functions on the loop thread.
 */
#ifndef HALE_RECORDER_RECORDER_H
#define HALE_RECORDER_RECORDER_H

#include "queue.h"
#include "service/service.h"
#include "store/store.h"

#include <jansson.h>

/* About 20,000 lines as parsed JSON: several minutes of a busy system. Beyond it the oldest
 * results go. */
#define RECORDER_QUEUE_MAX ((size_t)32 << 20)

extern const struct service_ops recorder_service_ops;

struct recorder;

struct recorder_status {
	const char *path;
	uint64_t rows_written;  /* lines stored */
	uint64_t lines_skipped; /* not understood */
	uint64_t lines_dropped; /* at the queue's limit */
	uint64_t rows_purged;
	size_t backlog;
	int64_t last_commit_ms; /* wall; 0 never */
	struct feed_cursor cursor;
	const char *error; /* NULL: all is well */
};

/* `options` are taken over (moved out; the caller's are zeroed). */
struct recorder *recorder_new(struct service *s, struct store_options *options);
/* Begins by opening the store. */
void recorder_start(struct recorder *r);
/* Writes what is queued, as far as the store lets it, then calls on_stopped. */
void recorder_stop(struct recorder *r, void (*on_stopped)(struct service *s));
void recorder_free(struct recorder *r);

struct recorder_status recorder_status_get(const struct recorder *r);
/* Purges now; the callback gets what was deleted, or an error text. False if one is under way
 * already. */
typedef void (*recorder_purged_fn)(void *ctx, uint64_t deleted, const char *error);
bool recorder_purge(struct recorder *r, recorder_purged_fn on_purged, void *ctx);

const char *recorder_node(const struct recorder *r);
/* Runs on_store in a worker thread on the store as its keeper, when it has its turn, and then
 * on_done on the loop: always, once, also if the store cannot be used or the recorder stops. */
typedef int (*recorder_work_fn)(struct store *s, void *ctx, struct err *err);
typedef void (*recorder_done_fn)(void *ctx, int rc, const char *error);
void recorder_do(struct recorder *r, recorder_work_fn on_store, recorder_done_fn on_done,
		 void *ctx);

#endif
