/* SPDX-License-Identifier: Apache-2.0 */
#include "child_state.h"

#include <string.h>

#include "base/cleanup.h"

/* What a cell asks for beside its action. */
enum cell_kind {
	IGNORE, /* nothing to do, and that is right */
	GO,     /* to `next`, with `action` */
	FAILED, /* a failure: backoff, or held if it is time to give up */
	RESUME, /* stopping is over: where `after` says */
	STABLE, /* ready long enough: forget failures */
};

struct cell {
	enum cell_kind kind;
	enum process_state next;
	enum child_action action;
	enum child_after after;
};

/* The table is to be read as one; the formatter would tear its rows apart. */
/* clang-format off */
#define TO(state, what) {.kind = GO, .next = PROCESS_##state, .action = CHILD_DO_##what}
#define DOWN(what, then)                                                                           \
	{.kind = GO, .next = PROCESS_STOPPING, .action = CHILD_DO_##what, .after = CHILD_AFTER_##then}
#define NONE {.kind = IGNORE}
#define FAIL {.kind = FAILED}
#define BACK {.kind = RESUME}

static const struct cell table[PROCESS_STATE_MAX][CHILD_EV_MAX] = {
	[PROCESS_STOPPED] = {
		[CHILD_EV_START] = TO(STARTING, SPAWN),
		[CHILD_EV_READY] = NONE,
		[CHILD_EV_EXIT_OK] = NONE,
		[CHILD_EV_EXIT_CONFIG] = NONE,
		[CHILD_EV_EXIT_FAIL] = NONE,
		[CHILD_EV_TIMEOUT] = NONE,
		[CHILD_EV_WATCHDOG] = NONE,
		[CHILD_EV_STOP] = NONE,
		[CHILD_EV_RESTART] = NONE, /* stopped by command stays stopped */
		[CHILD_EV_TICK] = NONE,
	},
	[PROCESS_STARTING] = {
		[CHILD_EV_START] = NONE,
		[CHILD_EV_READY] = TO(READY, NOTHING),
		[CHILD_EV_EXIT_OK] = FAIL, /* nobody asked it to end */
		[CHILD_EV_EXIT_CONFIG] = TO(HELD, NOTHING),
		[CHILD_EV_EXIT_FAIL] = FAIL,
		[CHILD_EV_TIMEOUT] = DOWN(ABORT, BACKOFF),
		[CHILD_EV_WATCHDOG] = DOWN(ABORT, BACKOFF),
		[CHILD_EV_STOP] = DOWN(TERM, STOPPED),
		[CHILD_EV_RESTART] = DOWN(TERM, START),
		[CHILD_EV_TICK] = NONE,
	},
	[PROCESS_READY] = {
		[CHILD_EV_START] = NONE,
		[CHILD_EV_READY] = NONE,
		[CHILD_EV_EXIT_OK] = FAIL,
		[CHILD_EV_EXIT_CONFIG] = TO(HELD, NOTHING),
		[CHILD_EV_EXIT_FAIL] = FAIL,
		[CHILD_EV_TIMEOUT] = NONE,
		[CHILD_EV_WATCHDOG] = DOWN(ABORT, BACKOFF),
		[CHILD_EV_STOP] = DOWN(TERM, STOPPED),
		[CHILD_EV_RESTART] = DOWN(TERM, START),
		[CHILD_EV_TICK] = {.kind = STABLE},
	},
	[PROCESS_STOPPING] = {
		[CHILD_EV_START] = DOWN(NOTHING, START),
		[CHILD_EV_READY] = NONE,
		[CHILD_EV_EXIT_OK] = BACK,
		[CHILD_EV_EXIT_CONFIG] = BACK,
		[CHILD_EV_EXIT_FAIL] = BACK,
		[CHILD_EV_TIMEOUT] = {.kind = GO, .next = PROCESS_STOPPING, .action = CHILD_DO_KILL},
		[CHILD_EV_WATCHDOG] = NONE,
		[CHILD_EV_STOP] = DOWN(NOTHING, STOPPED),
		[CHILD_EV_RESTART] = DOWN(NOTHING, START),
		[CHILD_EV_TICK] = NONE,
	},
	[PROCESS_BACKOFF] = {
		[CHILD_EV_START] = TO(STARTING, SPAWN), /* the operator need not wait */
		[CHILD_EV_READY] = NONE,
		[CHILD_EV_EXIT_OK] = NONE,
		[CHILD_EV_EXIT_CONFIG] = NONE,
		[CHILD_EV_EXIT_FAIL] = NONE,
		[CHILD_EV_TIMEOUT] = NONE,
		[CHILD_EV_WATCHDOG] = NONE,
		[CHILD_EV_STOP] = TO(STOPPED, NOTHING),
		[CHILD_EV_RESTART] = TO(STARTING, SPAWN),
		[CHILD_EV_TICK] = TO(STARTING, SPAWN),
	},
	[PROCESS_HELD] = {
		[CHILD_EV_START] = TO(STARTING, SPAWN),
		[CHILD_EV_READY] = NONE,
		[CHILD_EV_EXIT_OK] = NONE,
		[CHILD_EV_EXIT_CONFIG] = NONE,
		[CHILD_EV_EXIT_FAIL] = NONE,
		[CHILD_EV_TIMEOUT] = NONE,
		[CHILD_EV_WATCHDOG] = NONE,
		[CHILD_EV_STOP] = TO(STOPPED, NOTHING),
		[CHILD_EV_RESTART] = TO(STARTING, SPAWN),
		[CHILD_EV_TICK] = NONE,
	},
};
/* clang-format on */

static const char *const event_names[CHILD_EV_MAX] = {
	[CHILD_EV_START] = "start",         [CHILD_EV_READY] = "ready",
	[CHILD_EV_EXIT_OK] = "exit_ok",     [CHILD_EV_EXIT_CONFIG] = "exit_config",
	[CHILD_EV_EXIT_FAIL] = "exit_fail", [CHILD_EV_TIMEOUT] = "timeout",
	[CHILD_EV_WATCHDOG] = "watchdog",   [CHILD_EV_STOP] = "stop",
	[CHILD_EV_RESTART] = "restart",     [CHILD_EV_TICK] = "tick",
};

const char *child_event_name(enum child_event ev)
{
	return event_names[ev];
}

void child_machine_init(struct child_machine *m)
{
	*m = (struct child_machine){
		.state = PROCESS_STOPPED, .deadline_ms = INT64_MAX, .watchdog_due_ms = INT64_MAX};
}

static void enter(struct child_machine *m, const struct process_policy *policy,
		  enum process_state next, enum child_action action, int64_t now_ms)
{
	m->state = next;
	m->watchdog_due_ms = INT64_MAX;
	switch (next) {
	case PROCESS_STARTING:
		m->deadline_ms = now_ms + policy->start_timeout_ms;
		break;
	case PROCESS_READY:
		m->deadline_ms = now_ms + policy->stable_after_ms;
		if (policy->watchdog_ms > 0)
			m->watchdog_due_ms = now_ms + policy->watchdog_ms;
		break;
	case PROCESS_STOPPING:
		m->deadline_ms = now_ms + (action == CHILD_DO_ABORT ? CHILD_ABORT_GRACE_MS
								    : policy->stop_timeout_ms);
		break;
	case PROCESS_STOPPED:
	case PROCESS_BACKOFF: /* its deadline comes with the failure */
	case PROCESS_HELD:
	case PROCESS_STATE_MAX:
		m->deadline_ms = INT64_MAX;
		break;
	}
}

/* True if this failure makes more than `burst` within the window. */
static bool note_failure(struct child_machine *m, const struct process_policy *policy,
			 int64_t now_ms)
{
	uint32_t burst = HALE_MIN(policy->burst, PROCESS_BURST_MAX - 1);
	uint32_t recent = 0;

	m->fails_ms[m->fails_n % PROCESS_BURST_MAX] = now_ms;
	m->fails_n++;
	m->failures_total++;
	m->failures_in_row++;
	for (uint32_t i = 0; i < HALE_MIN(m->fails_n, PROCESS_BURST_MAX); i++) {
		if (m->fails_ms[i] > now_ms - policy->window_ms)
			recent++;
	}
	return recent > burst;
}

static void fail(struct child_machine *m, const struct process_policy *policy, int64_t now_ms,
		 uint32_t rnd, struct child_decision *d)
{
	int64_t delay;

	if (note_failure(m, policy, now_ms) && !m->is_crash_looping) {
		m->is_crash_looping = true;
		d->crash_loop_began = true;
	}
	if (policy->give_up_after > 0 && m->failures_in_row >= policy->give_up_after) {
		enter(m, policy, PROCESS_HELD, CHILD_DO_NOTHING, now_ms);
		return;
	}
	delay = backoff_next(&m->backoff, &policy->backoff, rnd);
	if (policy->fixed_delay_ms > 0)
		delay = policy->fixed_delay_ms;
	else if (m->is_crash_looping)
		delay = HALE_MAX(delay, (int64_t)policy->backoff.cap_ms);
	if (delay == 0) {
		enter(m, policy, PROCESS_STARTING, CHILD_DO_SPAWN, now_ms);
		d->action = CHILD_DO_SPAWN;
		return;
	}
	enter(m, policy, PROCESS_BACKOFF, CHILD_DO_NOTHING, now_ms);
	m->deadline_ms = now_ms + delay;
}

static void resume(struct child_machine *m, const struct process_policy *policy,
		   enum child_event ev, int64_t now_ms, uint32_t rnd, struct child_decision *d)
{
	switch (m->after) {
	case CHILD_AFTER_STOPPED:
		enter(m, policy, PROCESS_STOPPED, CHILD_DO_NOTHING, now_ms);
		break;
	case CHILD_AFTER_START:
		enter(m, policy, PROCESS_STARTING, CHILD_DO_SPAWN, now_ms);
		d->action = CHILD_DO_SPAWN;
		break;
	case CHILD_AFTER_BACKOFF:
		if (ev == CHILD_EV_EXIT_CONFIG)
			enter(m, policy, PROCESS_HELD, CHILD_DO_NOTHING, now_ms);
		else
			fail(m, policy, now_ms, rnd, d);
		break;
	}
}

static void settle(struct child_machine *m, struct child_decision *d)
{
	backoff_ok(&m->backoff);
	m->failures_in_row = 0;
	m->fails_n = 0;
	d->crash_loop_ended = m->is_crash_looping;
	m->is_crash_looping = false;
	m->deadline_ms = INT64_MAX;
}

struct child_decision child_step(struct child_machine *m, const struct process_policy *policy,
				 enum child_event ev, int64_t now_ms, uint32_t rnd)
{
	const struct cell *cell = &table[m->state][ev];
	enum process_state before = m->state;
	struct child_decision d = {.action = CHILD_DO_NOTHING};

	switch (cell->kind) {
	case IGNORE:
		break;
	case GO:
		d.action = cell->action;
		if (cell->next == PROCESS_STOPPING && cell->action != CHILD_DO_KILL)
			m->after = cell->after;
		/* A change of mind while stopping leaves the clock of the stop running; a kill
		 * that did not help is repeated. */
		if (m->state == PROCESS_STOPPING && cell->next == PROCESS_STOPPING) {
			if (cell->action == CHILD_DO_KILL)
				m->deadline_ms = now_ms + policy->stop_timeout_ms;
			break;
		}
		enter(m, policy, cell->next, cell->action, now_ms);
		break;
	case FAILED:
		fail(m, policy, now_ms, rnd, &d);
		break;
	case RESUME:
		resume(m, policy, ev, now_ms, rnd, &d);
		break;
	case STABLE:
		settle(m, &d);
		break;
	}
	d.has_changed = m->state != before || d.action == CHILD_DO_SPAWN;
	return d;
}

void child_watchdog_fed(struct child_machine *m, const struct process_policy *policy,
			int64_t now_ms)
{
	if (m->watchdog_due_ms != INT64_MAX)
		m->watchdog_due_ms = now_ms + policy->watchdog_ms;
}

int64_t child_due(const struct child_machine *m)
{
	return HALE_MIN(m->deadline_ms, m->watchdog_due_ms);
}

enum child_event child_expired(const struct child_machine *m, int64_t now_ms)
{
	if (m->watchdog_due_ms <= now_ms)
		return CHILD_EV_WATCHDOG;
	if (m->deadline_ms > now_ms)
		return CHILD_EV_MAX;
	switch (m->state) {
	case PROCESS_STARTING:
	case PROCESS_STOPPING:
		return CHILD_EV_TIMEOUT;
	case PROCESS_READY:
	case PROCESS_BACKOFF:
		return CHILD_EV_TICK;
	case PROCESS_STOPPED:
	case PROCESS_HELD:
	case PROCESS_STATE_MAX:
		break;
	}
	return CHILD_EV_MAX;
}
