/* SPDX-License-Identifier: Apache-2.0 */
/* run - a component and its current run, as the runner's own files see it (not for kinds)
 *
 * A component is in exactly one state; the arrows are
 *   idle -> queued -> running -> idle            the usual way
 *                     running -> overdue -> idle deadline passed; published; waits for the kind
 */
#ifndef HALE_CHECKERS_RUN_H
#define HALE_CHECKERS_RUN_H

#include "base/map.h"
#include "runner.h"
#include "schedule.h"
#include "threads.h"

enum run_state { RUN_IDLE, RUN_QUEUED, RUN_RUNNING, RUN_OVERDUE };

/* Somebody asked by command and waits for the observation. */
struct run_waiter {
	runner_result_fn on_result;
	void *ctx;
	struct run_waiter *next;
};

struct check {
	struct runner *runner;
	size_t index; /* in the runner and in its schedule */
	char *id;
	int64_t timeout_ms;
	void *opts;
	void *prep;
	void *run_data;

	enum run_state state;
	bool is_scheduled; /* the current run belongs to a tick: publish it, free the tick */
	int64_t started_us;
	bool has_respite;  /* its deadline passed while this process was away */
	enum reason stage; /* what a timeout now would mean */
	json_t *metrics;   /* NULL: none yet */
	json_t *details;
	bool is_watched; /* somebody waited for it when it began */
	json_t *saw;     /* for who watches; NULL: nothing yet */
	uv_timer_t deadline;
	struct run_waiter *waiters;
	struct check *next; /* in the queue */
	struct job job;     /* its thread, while job.is_out */
	void (*after)(struct check *c);
};

/* See check_shared(). */
struct shared {
	void *(*make)(const struct check *c);
	void (*close)(void *thing); /* NULL: has no handles */
	void (*free_it)(void *thing);
	void *thing;
	struct shared *next;
};

struct runner {
	const struct check_ops *ops;
	struct runner_host host;
	struct schedule *schedule;
	struct check **checks;
	size_t checks_n;
	struct map by_id;

	struct check *queue;
	struct check **queue_end;
	size_t queued;
	size_t running;
	size_t overdue;
	bool is_pumping;
	uint64_t runs;
	uint64_t timeouts;

	uv_timer_t tick;
	uv_timer_t stop;
	struct threads *threads;
	struct shared *shared;
	int64_t status_ms; /* when the status line was last told */
	bool is_stopping;
	bool is_stopped;
	void (*on_stopped)(void *ctx);
	void *stop_ctx;
};

/* The kind has spoken. */
void run_finish(struct check *c, enum outcome outcome, enum reason reason, const char *text);

#endif
