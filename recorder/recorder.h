/* SPDX-License-Identifier: Apache-2.0 */
/* recorder - follows the bus and stores what it says, in batches
 *
 * feed -> backlog (backlog.h) -> writer (store/writer.h), one call at a time; beside it the keeper
 * (keeper.h). A call that fails is made again with growing delays; lines wait meanwhile, in memory
 * and then on disk (pressure.h), and nothing else of hale notices. A writer's error also has the
 * keeper look at the store, which makes a file anew that was deleted.
 *
 * The bus is followed from the newest line that is known to be kept: the spool's, or else the
 * store's; if the store does not answer at once, the one it was last known to have.
 *
 * How it is going is told as the health of hale.recorder (outlook.h).
 *
 * Loop: all functions on the loop thread.
 */
#ifndef HALE_RECORDER_RECORDER_H
#define HALE_RECORDER_RECORDER_H

#include "backlog.h"
#include "keeper.h"
#include "service/service.h"
#include "store/store.h"

#include <jansson.h>

extern const struct service_ops recorder_service_ops;

struct recorder;

struct recorder_status {
	const char *backend;    /* "sqlite", "postgresql" */
	uint64_t rows_written;  /* lines stored */
	uint64_t rows_repeated; /* that were stored before */
	uint64_t lines_skipped; /* not understood */
	struct backlog_status backlog;
	struct keeper_status keeper;
	int64_t last_commit_ms; /* wall; 0 never */
	struct feed_cursor cursor;
	const char *error; /* of the store; NULL: all is well */
};

/* `options` are taken over (moved out; the caller's are zeroed). */
struct recorder *recorder_new(struct service *s, struct store_options *options);
void recorder_start(struct recorder *r);
/* Writes what waits, as far as the store lets it, keeps the rest on disk, then calls on_stopped. */
void recorder_stop(struct recorder *r, void (*on_stopped)(struct service *s));
void recorder_free(struct recorder *r);

struct recorder_status recorder_status_get(const struct recorder *r);
const char *recorder_node(const struct recorder *r);

/* As keeper.h has them. */
bool recorder_purge(struct recorder *r, keeper_purged_fn on_purged, void *ctx);
void recorder_do(struct recorder *r, keeper_work_fn on_store, keeper_done_fn on_done, void *ctx);

#endif
