/* SPDX-License-Identifier: Apache-2.0 */
/* keeper - keeps the store in order beside the writing: schema, rollups, retention, errands
 *
 * Works through what is due in small steps (store/keep.h), one at a time, in worker threads, on a
 * connection of its own. A step that fails is tried again with growing delays; nothing of it holds
 * up the writing, except that the store must have been opened here first (keeper_prepare).
 *
 * Loop: all functions on the loop thread.
 */
#ifndef HALE_RECORDER_KEEPER_H
#define HALE_RECORDER_KEEPER_H

#include "service/service.h"
#include "store/keep.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct keeper;

struct keeper_status {
	const char *where; /* NULL: the store was never open */
	const char *error; /* of the last step; NULL: it went well */
	uint64_t rows_purged;
	bool has_facts;
	struct keep_facts facts;
};

/* rc < 0: error says why. */
typedef int (*keeper_work_fn)(struct store *s, void *ctx, struct err *err);
typedef void (*keeper_done_fn)(void *ctx, int rc, const char *error);

/* `o` is borrowed. */
struct keeper *keeper_new(struct service *s, const struct store_options *o);
/* Opens the store and brings it up to date, or looks whether it is still good. One at a time. */
void keeper_prepare(struct keeper *k, keeper_done_fn on_done, void *ctx);
/* Begins the rounds. None of their steps begins while the store is in trouble (NULL: it is not). */
void keeper_start(struct keeper *k);
void keeper_hold(struct keeper *k, const char *trouble);

/* Deletes what is beyond its retention, now; the callback gets how many rows went, or an error.
 * False if one was asked for already. */
typedef void (*keeper_purged_fn)(void *ctx, uint64_t deleted, const char *error);
bool keeper_purge(struct keeper *k, keeper_purged_fn on_purged, void *ctx);
/* Runs `work` in a worker thread on the store, when it has its turn, and then on_done on the loop:
 * always, once, also if the store cannot be used or the recorder stops. */
void keeper_do(struct keeper *k, keeper_work_fn work, keeper_done_fn on_done, void *ctx);

struct keeper_status keeper_status_get(const struct keeper *k);

/* Interrupts what is under way, closes the store, then on_stopped. Who waits for an answer gets an
 * error. */
void keeper_stop(struct keeper *k, void (*on_stopped)(void *ctx), void *ctx);
void keeper_free(struct keeper *k);

#endif
