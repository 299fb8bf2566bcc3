/* SPDX-License-Identifier: Apache-2.0 */
/* run - one run of a job: what it is, how it ended, and how that is told
 *
 * Ownership: run_result_done frees.
 */
#ifndef HALE_RECONCILER_RUN_H
#define HALE_RECONCILER_RUN_H

#include "plan.h"

#include <stdint.h>

/* An answer to a command carries so many rows of the plan at most. */
#define RUN_ROWS_MAX 1000

enum run_trigger { RUN_SCHEDULE, RUN_STARTUP, RUN_MANUAL };
enum run_outcome { RUN_DONE, RUN_FAILED, RUN_REFUSED };

struct run_info {
	char id[37];
	const char *job;  /* borrowed */
	const char *node; /* borrowed */
	enum run_trigger trigger;
	bool is_dry;
	int64_t started_ms; /* wall */
	int64_t mono_us;    /* the same moment, monotonic */
};

struct run_result {
	enum run_outcome outcome;
	struct plan plan;         /* with the errors of rows */
	size_t done[PLAN_OP_MAX]; /* rows changed, in a dry run those that would be */
	char message[768];        /* why it failed or was refused; else "" */
	double took_ms;
	int64_t ended_ms; /* wall */
};

const char *run_trigger_name(enum run_trigger t); /* "schedule" "startup" "manual" */
const char *run_outcome_name(enum run_outcome o); /* "done" "failed" "refused" */
void run_info_init(struct run_info *info, const char *job, const char *node,
		   enum run_trigger trigger, bool is_dry);
/* Ends the run so, unless it has ended badly already. The message becomes an error too. */
void run_fail(struct run_result *r, enum run_outcome outcome, const char *message);
/* Takes the time. */
void run_end(const struct run_info *info, struct run_result *r);
/* As docs/bus.md has it; with_plan adds "plan" and "truncated". New reference. */
json_t *run_encode(const struct run_info *info, const struct run_result *r, bool with_plan);
/* All errors as an array; the last says how many more there were. New reference. */
json_t *run_errors(const struct run_result *r);
void run_result_done(struct run_result *r);

#endif
