/* SPDX-License-Identifier: Apache-2.0 */
/* child_state - what to do with a supervised process: one state x event table
 *
 * Pure: no clock, no pid, no timer. The shell (child.c) reports what happened with the time, does
 * what the decision says, and arms one timer for child_due().
 *
 * Ownership: caller owns struct child_machine; child_machine_init() first.
 * Errors:    none. Every state answers every event; a cell that does nothing says so.
 * See also:  DESIGN section 4, hale.yaml(5) "processes"
 */
#ifndef HALE_MODEL_CHILD_STATE_H
#define HALE_MODEL_CHILD_STATE_H

#include "model/process.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum child_event {
	CHILD_EV_START,       /* operator or boot wants it up */
	CHILD_EV_READY,       /* it said READY=1 */
	CHILD_EV_EXIT_OK,     /* exit code 0 */
	CHILD_EV_EXIT_CONFIG, /* exit code 78 */
	CHILD_EV_EXIT_FAIL,   /* any other end, or it could not be started */
	CHILD_EV_TIMEOUT,     /* start_timeout or stop_timeout passed */
	CHILD_EV_WATCHDOG,    /* no WATCHDOG=1 within its interval */
	CHILD_EV_STOP,        /* operator or shutdown wants it down */
	CHILD_EV_RESTART,     /* its configuration changed, or the operator asks */
	CHILD_EV_TICK,        /* backoff is over; or it has been ready for stable_after */
	CHILD_EV_WAIT,        /* wanted up, but not before others are: down until START */
	CHILD_EV_MAX
};

enum child_action {
	CHILD_DO_NOTHING,
	CHILD_DO_SPAWN,
	CHILD_DO_TERM,  /* its stop signal */
	CHILD_DO_ABORT, /* SIGABRT: leaves a core of what hung */
	CHILD_DO_KILL,  /* SIGKILL to the process group */
};

/* After SIGABRT a core may take a while to write; then SIGKILL. */
#define CHILD_ABORT_GRACE_MS 2000
struct child_machine {
	enum process_state state;
	enum child_after {
		CHILD_AFTER_STOPPED,
		CHILD_AFTER_START,
		CHILD_AFTER_BACKOFF,
		CHILD_AFTER_WAITING,
	} after; /* what follows stopping */
	struct backoff backoff;
	bool is_crash_looping;
	bool is_finished;        /* stopped, because it ended well and is not to run again */
	bool is_ready_by_time;   /* this start: nobody says READY, having lived so long is it */
	int64_t deadline_ms;     /* of the state: start, stop, backoff, stable; INT64_MAX none */
	int64_t watchdog_due_ms; /* INT64_MAX none */
	int64_t fails_ms[PROCESS_BURST_MAX]; /* times of the latest failures, a ring */
	uint32_t fails_n;
	uint32_t failures_total;
	uint32_t failures_in_row; /* since the last stable run */
};

struct child_decision {
	enum child_action action;
	bool has_changed; /* state is another than before */
	bool crash_loop_began;
	bool crash_loop_ended;
	bool has_finished;
};

void child_machine_init(struct child_machine *m);
/* `now_ms` monotonic; `rnd` any random bits for the jitter. */
struct child_decision child_step(struct child_machine *m, const struct process_policy *policy,
				 enum child_event ev, int64_t now_ms, uint32_t rnd);
/* WATCHDOG=1 came. */
void child_watchdog_fed(struct child_machine *m, const struct process_policy *policy,
			int64_t now_ms);
/* When child_expired() is worth asking; INT64_MAX never. */
int64_t child_due(const struct child_machine *m);
/* The event that time itself brings at now, or CHILD_EV_MAX. */
enum child_event child_expired(const struct child_machine *m, int64_t now_ms);
/* All of it, for another program of the same process on the same machine; and back. What is not
 * understood leaves the machine as it is. */
json_t *child_machine_hand_over(const struct child_machine *m);
void child_machine_take_over(struct child_machine *m, const json_t *former);
/* What of it holds for a process that is started anew, by another haled, maybe after a boot: that
 * it keeps crashing, until it has run stably. */
void child_machine_recall(struct child_machine *m, const json_t *former);
const char *child_event_name(enum child_event ev);

#endif
