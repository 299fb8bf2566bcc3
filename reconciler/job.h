/* SPDX-License-Identifier: Apache-2.0 */
/* job - one job at work: its timers, its one run at a time, its last result
 *
 * A run asks the http source on the loop, does the rest in a worker thread (execute.h), and ends on
 * the loop again: logged, published on the topic "reconcile", told to whoever asked for it.
 *
 * Thread: loop only.
 */
#ifndef HALE_RECONCILER_JOB_H
#define HALE_RECONCILER_JOB_H

#include "gate.h"
#include "run.h"
#include "service/service.h"
#include "spec.h"

struct job_run;

struct job {
	struct service *service;
	const struct gate *gate;
	struct job_spec spec;
	struct job_run *running; /* NULL: none */
	uv_timer_t timer;        /* schedule or rhythm */
	uv_timer_t startup;
	int64_t next_ms;      /* wall; 0: manual only */
	int64_t last_real_ms; /* wall: start of the last run that was carried out */
	int64_t last_dry_ms;
	json_t *last_run; /* or NULL */
	bool is_stopping;
	void (*on_idle)(void *ctx); /* after job_stop, once nothing runs */
	void *idle_ctx;
};

/* `result` is borrowed: the run object with its plan. */
typedef void (*job_done_fn)(void *ctx, const json_t *result);

/* Takes the spec over. Timers start with job_start. */
void job_init(struct job *j, struct service *s, const struct gate *gate, struct job_spec *spec);
void job_start(struct job *j);
/* NULL, and on_done follows, perhaps at once; or the run object of a run that was not begun
 * (already running, too early, stopping), a new reference, and on_done is not called. */
json_t *job_run(struct job *j, enum run_trigger trigger, bool is_dry, job_done_fn on_done,
		void *ctx);
/* Stops what runs, closes the timers; on_idle may be called at once. */
void job_stop(struct job *j, void (*on_idle)(void *ctx), void *ctx);
void job_done(struct job *j);
/* Does a run in a worker thread still make steps? */
bool job_is_alive(struct job *j);
/* For reconcile.jobs. New reference. */
json_t *job_encode(const struct job *j);

#endif
