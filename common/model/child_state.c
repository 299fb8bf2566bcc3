/* SPDX-License-Identifier: Apache-2.0 */
#include "model/child_state.h"

#include <string.h>

#include "base/cleanup.h"

/* What a cell asks for beside its action. */
enum cell_kind {
	IGNORE, /* nothing to do, and that is right */
	GO,     /* to `next`, with `action` */
	FAILED, /* a failure: backoff, or held if it is time to give up */
	ENDED,  /* a clean end: finished, or a failure if it is to run always */
	MISSET, /* exit 78: held, or a failure like any other if that is not its contract */
	RESUME, /* stopping is over: where `after` says */
	STABLE, /* ready long enough: forget failures */
	FORGET, /* stopped on purpose from now on, even if it had finished */
	RENEW,  /* what has finished runs again; what was stopped stays so */
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
#define END {.kind = ENDED}
#define HOLD {.kind = MISSET}
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
		[CHILD_EV_STOP] = {.kind = FORGET},
		[CHILD_EV_RESTART] = {.kind = RENEW}, /* stopped by command stays stopped */
		[CHILD_EV_TICK] = NONE,
		[CHILD_EV_WAIT] = TO(WAITING, NOTHING),
	},
	[PROCESS_STARTING] = {
		[CHILD_EV_START] = NONE,
		[CHILD_EV_READY] = TO(READY, NOTHING),
		[CHILD_EV_EXIT_OK] = END,
		[CHILD_EV_EXIT_CONFIG] = HOLD,
		[CHILD_EV_EXIT_FAIL] = FAIL,
		[CHILD_EV_TIMEOUT] = DOWN(ABORT, BACKOFF),
		[CHILD_EV_WATCHDOG] = DOWN(ABORT, BACKOFF),
		[CHILD_EV_STOP] = DOWN(TERM, STOPPED),
		[CHILD_EV_RESTART] = DOWN(TERM, START),
		[CHILD_EV_TICK] = NONE,
		[CHILD_EV_WAIT] = DOWN(TERM, WAITING),
	},
	[PROCESS_READY] = {
		[CHILD_EV_START] = NONE,
		[CHILD_EV_READY] = NONE,
		[CHILD_EV_EXIT_OK] = END,
		[CHILD_EV_EXIT_CONFIG] = HOLD,
		[CHILD_EV_EXIT_FAIL] = FAIL,
		[CHILD_EV_TIMEOUT] = NONE,
		[CHILD_EV_WATCHDOG] = DOWN(ABORT, BACKOFF),
		[CHILD_EV_STOP] = DOWN(TERM, STOPPED),
		[CHILD_EV_RESTART] = DOWN(TERM, START),
		[CHILD_EV_TICK] = {.kind = STABLE},
		[CHILD_EV_WAIT] = DOWN(TERM, WAITING),
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
		[CHILD_EV_WAIT] = DOWN(NOTHING, WAITING),
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
		[CHILD_EV_WAIT] = TO(WAITING, NOTHING),
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
		[CHILD_EV_WAIT] = TO(WAITING, NOTHING),
	},
	[PROCESS_WAITING] = {
		[CHILD_EV_START] = TO(STARTING, SPAWN),
		[CHILD_EV_READY] = NONE,
		[CHILD_EV_EXIT_OK] = NONE,
		[CHILD_EV_EXIT_CONFIG] = NONE,
		[CHILD_EV_EXIT_FAIL] = NONE,
		[CHILD_EV_TIMEOUT] = NONE,
		[CHILD_EV_WATCHDOG] = NONE,
		[CHILD_EV_STOP] = TO(STOPPED, NOTHING),
		[CHILD_EV_RESTART] = NONE, /* it will start as it is now */
		[CHILD_EV_TICK] = NONE,
		[CHILD_EV_WAIT] = NONE,
	},
};
/* clang-format on */

static const char *const event_names[CHILD_EV_MAX] = {
	[CHILD_EV_START] = "start",         [CHILD_EV_READY] = "ready",
	[CHILD_EV_EXIT_OK] = "exit_ok",     [CHILD_EV_EXIT_CONFIG] = "exit_config",
	[CHILD_EV_EXIT_FAIL] = "exit_fail", [CHILD_EV_TIMEOUT] = "timeout",
	[CHILD_EV_WATCHDOG] = "watchdog",   [CHILD_EV_STOP] = "stop",
	[CHILD_EV_RESTART] = "restart",     [CHILD_EV_TICK] = "tick",
	[CHILD_EV_WAIT] = "wait",
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
	m->is_finished = false;
	m->watchdog_due_ms = INT64_MAX;
	switch (next) {
	case PROCESS_STARTING:
		m->is_ready_by_time = policy->ready_after_ms >= 0;
		m->deadline_ms = now_ms + (m->is_ready_by_time ? policy->ready_after_ms
							       : policy->start_timeout_ms);
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
	case PROCESS_WAITING:
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

static void start(struct child_machine *m, const struct process_policy *policy, int64_t now_ms,
		  struct child_decision *d)
{
	enter(m, policy, PROCESS_STARTING, CHILD_DO_SPAWN, now_ms);
	d->action = CHILD_DO_SPAWN;
}

static void fail(struct child_machine *m, const struct process_policy *policy, int64_t now_ms,
		 uint32_t rnd, struct child_decision *d)
{
	int64_t delay;

	if (note_failure(m, policy, now_ms) && !m->is_crash_looping) {
		m->is_crash_looping = true;
		d->crash_loop_began = true;
	}
	if (policy->when == RESTART_NEVER ||
	    (policy->give_up_after > 0 && m->failures_in_row >= policy->give_up_after)) {
		enter(m, policy, PROCESS_HELD, CHILD_DO_NOTHING, now_ms);
		return;
	}
	delay = backoff_next(&m->backoff, &policy->backoff, rnd);
	if (policy->fixed_delay_ms > 0)
		delay = policy->fixed_delay_ms;
	else if (m->is_crash_looping)
		delay = HALE_MAX(delay, (int64_t)policy->backoff.cap_ms);
	if (delay == 0) {
		start(m, policy, now_ms, d);
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
		start(m, policy, now_ms, d);
		break;
	case CHILD_AFTER_BACKOFF:
		if (ev == CHILD_EV_EXIT_CONFIG && policy->is_held_on_78)
			enter(m, policy, PROCESS_HELD, CHILD_DO_NOTHING, now_ms);
		else
			fail(m, policy, now_ms, rnd, d);
		break;
	case CHILD_AFTER_WAITING:
		enter(m, policy, PROCESS_WAITING, CHILD_DO_NOTHING, now_ms);
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

/* It did what it was for: earlier failures are forgotten, too. */
static void finish(struct child_machine *m, const struct process_policy *policy, int64_t now_ms,
		   struct child_decision *d)
{
	settle(m, d);
	enter(m, policy, PROCESS_STOPPED, CHILD_DO_NOTHING, now_ms);
	m->is_finished = true;
	d->has_finished = true;
}

/* A change of mind while stopping leaves the clock of the stop running; a kill that did not help
 * is repeated. */
static void go(struct child_machine *m, const struct process_policy *policy,
	       const struct cell *cell, int64_t now_ms, struct child_decision *d)
{
	bool is_kill = cell->action == CHILD_DO_KILL;

	d->action = cell->action;
	if (cell->next == PROCESS_STOPPING && !is_kill)
		m->after = cell->after;
	if (m->state != PROCESS_STOPPING || cell->next != PROCESS_STOPPING)
		enter(m, policy, cell->next, cell->action, now_ms);
	else if (is_kill)
		m->deadline_ms = now_ms + policy->stop_timeout_ms;
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
		go(m, policy, cell, now_ms, &d);
		break;
	case ENDED:
		if (policy->when == RESTART_ALWAYS)
			fail(m, policy, now_ms, rnd, &d);
		else
			finish(m, policy, now_ms, &d);
		break;
	case MISSET:
		if (policy->is_held_on_78)
			enter(m, policy, PROCESS_HELD, CHILD_DO_NOTHING, now_ms);
		else
			fail(m, policy, now_ms, rnd, &d);
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
	case FORGET:
		m->is_finished = false;
		break;
	case RENEW:
		if (m->is_finished)
			start(m, policy, now_ms, &d);
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
		return m->is_ready_by_time ? CHILD_EV_READY : CHILD_EV_TIMEOUT;
	case PROCESS_STOPPING:
		return CHILD_EV_TIMEOUT;
	case PROCESS_READY:
	case PROCESS_BACKOFF:
		return CHILD_EV_TICK;
	case PROCESS_STOPPED:
	case PROCESS_HELD:
	case PROCESS_WAITING:
	case PROCESS_STATE_MAX:
		break;
	}
	return CHILD_EV_MAX;
}

/* ---- over an exec ---- */

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool flag(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

json_t *child_machine_hand_over(const struct child_machine *m)
{
	json_t *fails = json_array();

	for (size_t i = 0; i < PROCESS_BURST_MAX; i++)
		json_array_append_new(fails, json_integer(m->fails_ms[i]));
	return json_pack("{s:s, s:i, s:I, s:b, s:b, s:b, s:I, s:I, s:o, s:I, s:I, s:I}", "state",
			 process_state_name(m->state), "after", (int)m->after, "backoff",
			 (json_int_t)m->backoff.failures, "crash_looping", m->is_crash_looping,
			 "finished", m->is_finished, "ready_by_time", m->is_ready_by_time,
			 "deadline", (json_int_t)m->deadline_ms, "watchdog",
			 (json_int_t)m->watchdog_due_ms, "fails", fails, "fails_n",
			 (json_int_t)m->fails_n, "failures", (json_int_t)m->failures_total,
			 "in_row", (json_int_t)m->failures_in_row);
}

void child_machine_take_over(struct child_machine *m, const json_t *former)
{
	json_t *fails = json_object_get(former, "fails");

	if (!process_state_from_name(json_string_value(json_object_get(former, "state")),
				     &m->state))
		return;
	m->after = (enum child_after)number(former, "after");
	m->backoff.failures = (uint32_t)number(former, "backoff");
	m->is_crash_looping = flag(former, "crash_looping");
	m->is_finished = flag(former, "finished");
	m->is_ready_by_time = flag(former, "ready_by_time");
	m->deadline_ms = number(former, "deadline");
	m->watchdog_due_ms = number(former, "watchdog");
	for (size_t i = 0; i < PROCESS_BURST_MAX; i++)
		m->fails_ms[i] = json_integer_value(json_array_get(fails, i));
	m->fails_n = (uint32_t)number(former, "fails_n");
	m->failures_total = (uint32_t)number(former, "failures");
	m->failures_in_row = (uint32_t)number(former, "in_row");
}

void child_machine_recall(struct child_machine *m, const json_t *former)
{
	m->is_crash_looping = flag(former, "crash_looping");
	m->failures_total = (uint32_t)number(former, "failures");
	m->failures_in_row = (uint32_t)number(former, "in_row");
}
