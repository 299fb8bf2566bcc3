/* SPDX-License-Identifier: Apache-2.0 */
/* control - the loop's hold on a run that is in a worker thread
 *
 * The worker reports each step and asks whether to go on; the loop sees that steps are made, and
 * stops the run, also in the middle of a statement.
 *
 * Thread: control_stop and control_steps from any thread, the rest by the worker.
 */
#ifndef HALE_RECONCILER_CONTROL_H
#define HALE_RECONCILER_CONTROL_H

#include "db/db.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum control_step {
	CONTROL_READ,   /* a side was read, or is about to be */
	CONTROL_ROW,    /* before a row is changed */
	CONTROL_COMMIT, /* everything is done but the commit */
};

struct control {
	pthread_mutex_t lock; /* of db */
	struct db *db;        /* in use by the worker, or NULL */
	atomic_bool is_stopped;
	atomic_uint_fast64_t steps;
	/* Told of each step, in the worker; may be NULL. */
	void (*on_step)(void *ctx, enum control_step step);
	void *ctx;
};

void control_init(struct control *c);
void control_done(struct control *c);
/* Opens a connection that control_stop can interrupt. One at a time. */
int control_open(struct control *c, const struct db_target *target, struct db **db_r,
		 struct err *err);
void control_close(struct control *c, struct db *db); /* NULL is fine */
/* 0, or -EINTR once the run was stopped. */
int control_step(struct control *c, enum control_step step, struct err *err);
void control_stop(struct control *c);
uint64_t control_steps(const struct control *c);

#endif
