/* SPDX-License-Identifier: Apache-2.0 */
/* run - a component and its current run, as the runner's own files see it (not for kinds)
 *
 * runner.c makes, plans and ends; runner_run.c begins runs and takes what kinds say; runner_tell.c
 * tells it.
 *
 * A component is in exactly one state; the arrows are
 *   idle -> queued -> running -> idle            the usual way
 *                     running -> overdue -> idle deadline passed; told; waits for the kind
 *
 * There may be tens of thousands of components, and few of them run: what only a run needs is in
 * struct run, which is there as long as it runs.
 */
#ifndef HALE_CHECKERS_RUN_H
#define HALE_CHECKERS_RUN_H

#include "guard.h"
#include "lineup.h"
#include "retry.h"
#include "roll.h"
#include "runner.h"
#include "schedule.h"
#include "threads.h"
#include "timeline.h"

#include <stddef.h>

/* Somebody asked by command and waits for the observation. */
struct run_waiter {
	runner_result_fn on_result;
	void *ctx;
	struct run_waiter *next;
};

struct result;

struct run {
	struct check *check;
	int64_t started_us;
	bool is_overdue;
	bool is_told;      /* whoever waited has the answer */
	bool has_respite;  /* its deadline passed while this process was away */
	bool is_watched;   /* somebody waited for it when it began */
	enum reason stage; /* what a timeout now would mean */
	json_t *metrics;   /* NULL: none yet */
	json_t *details;
	json_t *saw;                /* for who watches; NULL: nothing yet */
	struct run_waiter *waiters; /* for this run; later ones are the check's */
	struct lineup_place place;
	struct timeline_item deadline;
	struct job job; /* its thread, while job.is_out */
	void (*after)(struct check *c);
	max_align_t data[]; /* the kind's */
};

struct check {
	struct runner *runner;
	void *opts;
	void *prep;
	struct run *run; /* NULL: idle or queued */
	struct run_waiter *waiters;
	struct lineup_item item; /* while queued */
	int64_t queued_ms;
	struct timeline_item retry; /* looked into again at that time, off the grid */
	struct retry_rule retry_rule;
	struct retry_state retry_state;
	uint32_t timeout_ms;
	uint32_t index;  /* in the runner and in its schedule */
	uint32_t held;   /* results that wait for the guard */
	bool is_guarded; /* asks another host, which may not be reachable for lack of network */
	bool is_masked;  /* the last result was that this host has no network */
	bool is_queued;
	bool is_ticked;    /* the schedule waits for schedule_idle() */
	bool is_published; /* what the run says goes out; otherwise only to who asked */
	char id[];
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
	size_t checks_cap;
	struct roll by_id;

	struct lineup *lineup;
	struct timeline deadlines;
	struct timeline retries;
	struct guard *guard; /* NULL: none is wanted */
	struct result *held; /* results that wait for its answer */
	struct result **held_end;
	size_t overdue;
	bool is_pumping;
	uint64_t runs;
	uint64_t retried;
	uint64_t timeouts;
	int64_t queued_max_ms;

	uv_timer_t tick;  /* the schedule's */
	uv_timer_t clock; /* all other times: deadlines, retries, the lineup's */
	int64_t clock_ms; /* what it is set to; INT64_MAX: nothing */
	uv_timer_t stop;
	struct threads *threads;
	struct shared *shared;
	int64_t status_ms; /* when the status line was last told */
	char status[RUNNER_STATUS_MAX];
	bool is_stopping;
	bool is_stopped;
	void (*on_stopped)(void *ctx);
	void *stop_ctx;
};

/* ---- runner.c ---- */

/* Nothing runs any more: a stop may end. */
void runner_idle(struct runner *r);
/* Sets the clock to what is due first. */
void runner_arm(struct runner *r);
void runner_tell_status(struct runner *r, bool is_now);

/* ---- runner_run.c ---- */

void run_enqueue(struct check *c);
/* Off the grid, and published. */
void run_at_once(struct check *c);
/* Begins what may begin. */
void run_pump(struct runner *r);
/* The kind has spoken. */
void run_finish(struct check *c, enum outcome outcome, enum reason reason, const char *text);
/* From here on nothing the kind says counts. */
void run_give_up(struct run *run);
/* Deadlines that have passed by now, and retries that are due. */
void run_expire(struct runner *r, int64_t now_ms);

/* ---- runner_tell.c ---- */

/* The result of a run: to who waits for it, and published if it belongs to the schedule. */
void tell_result(struct run *run, enum outcome outcome, enum reason reason, const char *text);
/* The check has not come back since its deadline. New reference. */
json_t *tell_stuck(struct run *run);
/* The same, said once more because it was due again. */
void tell_still_stuck(struct run *run);
/* To who waits for the run after the one that is stuck: it may never come. */
void tell_waiting(struct check *c);
/* The guard's answer. ctx is the runner. */
void tell_held(void *ctx, enum guard_answer word);
void tell_drop_held(struct runner *r);
/* There will be no result. */
void tell_nothing(struct run_waiter *waiters);

#endif
