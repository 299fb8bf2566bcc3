/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "model/child_state.h"

static const struct process_policy policy = {
	.backoff = {.base_ms = 100,
		    .factor = 2,
		    .cap_ms = 30000,
		    .jitter_percent = 20,
		    .is_first_at_once = true},
	.stable_after_ms = 60000,
	.burst = 5,
	.window_ms = 60000,
	.start_timeout_ms = 30000,
	.stop_timeout_ms = 10000,
	.watchdog_ms = 30000,
	.is_held_on_78 = true,
	.ready_after_ms = -1,
};

static struct child_machine ready_at(int64_t now)
{
	struct child_machine m;

	child_machine_init(&m);
	(void)child_step(&m, &policy, CHILD_EV_START, now, 0);
	(void)child_step(&m, &policy, CHILD_EV_READY, now, 0);
	return m;
}

static void start_spawns_and_ready_settles(void **state)
{
	struct child_machine m;
	struct child_decision d;

	(void)state;
	child_machine_init(&m);
	d = child_step(&m, &policy, CHILD_EV_START, 1000, 0);
	assert_int_equal(d.action, CHILD_DO_SPAWN);
	assert_int_equal(m.state, PROCESS_STARTING);
	assert_int_equal(child_due(&m), 31000);
	d = child_step(&m, &policy, CHILD_EV_READY, 1200, 0);
	assert_int_equal(m.state, PROCESS_READY);
	assert_true(d.has_changed);
	assert_int_equal(m.watchdog_due_ms, 31200);
}

static void first_failure_restarts_at_once_then_delays_grow(void **state)
{
	struct child_machine m = ready_at(0);
	struct child_decision d = child_step(&m, &policy, CHILD_EV_EXIT_FAIL, 500, 0);
	int64_t last = 0;

	(void)state;
	assert_int_equal(d.action, CHILD_DO_SPAWN);
	assert_int_equal(m.state, PROCESS_STARTING);
	for (int i = 0; i < 3; i++) {
		int64_t delay;

		(void)child_step(&m, &policy, CHILD_EV_EXIT_FAIL, 1000, UINT32_MAX / 2);
		assert_int_equal(m.state, PROCESS_BACKOFF);
		delay = child_due(&m) - 1000;
		assert_in_range(delay, (100 << i) * 8 / 10, (100 << i) * 12 / 10);
		assert_true(delay > last);
		last = delay;
		d = child_step(&m, &policy, CHILD_EV_TICK, child_due(&m), 0);
		assert_int_equal(d.action, CHILD_DO_SPAWN);
	}
}

static void a_stable_run_forgets_failures(void **state)
{
	struct child_machine m = ready_at(0);

	(void)state;
	(void)child_step(&m, &policy, CHILD_EV_EXIT_FAIL, 10, 0);
	(void)child_step(&m, &policy, CHILD_EV_READY, 20, 0);
	assert_int_equal(child_expired(&m, 20 + 30000), CHILD_EV_WATCHDOG);
	child_watchdog_fed(&m, &policy, 60000);
	assert_int_equal(child_expired(&m, 20 + 60000), CHILD_EV_TICK);
	(void)child_step(&m, &policy, CHILD_EV_TICK, 60020, 0);
	assert_int_equal(m.failures_in_row, 0);
	(void)child_step(&m, &policy, CHILD_EV_EXIT_FAIL, 70000, 0);
	assert_int_equal(m.state, PROCESS_STARTING);
}

static void more_than_burst_failures_are_a_crash_loop_tried_at_the_cap(void **state)
{
	struct child_machine m = ready_at(0);
	int64_t now = 0;
	int began = 0;

	(void)state;
	for (int i = 0; i < 6; i++) {
		struct child_decision d;

		if (m.state == PROCESS_BACKOFF) {
			now = child_due(&m);
			(void)child_step(&m, &policy, CHILD_EV_TICK, now, 0);
		}
		d = child_step(&m, &policy, CHILD_EV_EXIT_FAIL, now, UINT32_MAX / 2);
		began += d.crash_loop_began;
		assert_int_equal(m.is_crash_looping, i == 5);
	}
	assert_int_equal(began, 1);
	assert_true(child_due(&m) - now >= 30000);
}

static void exit_78_is_held_until_restart(void **state)
{
	struct child_machine m = ready_at(0);

	(void)state;
	(void)child_step(&m, &policy, CHILD_EV_EXIT_CONFIG, 5, 0);
	assert_int_equal(m.state, PROCESS_HELD);
	assert_int_equal(child_due(&m), INT64_MAX);
	assert_int_equal(child_step(&m, &policy, CHILD_EV_RESTART, 6, 0).action, CHILD_DO_SPAWN);
}

static void a_hung_child_is_aborted_then_killed_then_restarted(void **state)
{
	struct child_machine m = ready_at(0);
	struct child_decision d = child_step(&m, &policy, CHILD_EV_WATCHDOG, 30000, 0);

	(void)state;
	assert_int_equal(d.action, CHILD_DO_ABORT);
	assert_int_equal(child_expired(&m, 30000 + CHILD_ABORT_GRACE_MS), CHILD_EV_TIMEOUT);
	d = child_step(&m, &policy, CHILD_EV_TIMEOUT, 32000, 0);
	assert_int_equal(d.action, CHILD_DO_KILL);
	d = child_step(&m, &policy, CHILD_EV_EXIT_FAIL, 32001, 0);
	assert_int_equal(d.action, CHILD_DO_SPAWN);
}

static void stop_terms_kills_and_stays_stopped(void **state)
{
	struct child_machine m = ready_at(0);

	(void)state;
	assert_int_equal(child_step(&m, &policy, CHILD_EV_STOP, 1, 0).action, CHILD_DO_TERM);
	assert_int_equal(child_due(&m), 10001);
	assert_int_equal(child_step(&m, &policy, CHILD_EV_TIMEOUT, 10001, 0).action, CHILD_DO_KILL);
	(void)child_step(&m, &policy, CHILD_EV_EXIT_FAIL, 10002, 0);
	assert_int_equal(m.state, PROCESS_STOPPED);
	(void)child_step(&m, &policy, CHILD_EV_RESTART, 10003, 0);
	assert_int_equal(m.state, PROCESS_STOPPED);
}

static void a_restart_ordered_while_stopping_starts_again(void **state)
{
	struct child_machine m = ready_at(0);

	(void)state;
	(void)child_step(&m, &policy, CHILD_EV_STOP, 1, 0);
	(void)child_step(&m, &policy, CHILD_EV_START, 2, 0);
	assert_int_equal(child_step(&m, &policy, CHILD_EV_EXIT_OK, 3, 0).action, CHILD_DO_SPAWN);
}

static void give_up_after_holds(void **state)
{
	struct process_policy p = policy;
	struct child_machine m = ready_at(0);

	(void)state;
	p.give_up_after = 2;
	(void)child_step(&m, &p, CHILD_EV_EXIT_FAIL, 1, 0);
	(void)child_step(&m, &p, CHILD_EV_EXIT_FAIL, 2, 0);
	assert_int_equal(m.state, PROCESS_HELD);
}

static void a_fixed_delay_replaces_the_backoff(void **state)
{
	struct process_policy p = policy;
	struct child_machine m = ready_at(0);

	(void)state;
	p.fixed_delay_ms = 10000;
	for (int i = 0; i < 9; i++) {
		(void)child_step(&m, &p, CHILD_EV_EXIT_FAIL, 100, 0);
		assert_int_equal(m.state, PROCESS_BACKOFF);
		assert_int_equal(child_due(&m), 10100);
		(void)child_step(&m, &p, CHILD_EV_TICK, 10100, 0);
	}
}

static struct process_policy program(enum process_restart when)
{
	struct process_policy p = policy;

	p.when = when;
	p.is_held_on_78 = false;
	p.ready_after_ms = 1000;
	return p;
}

static void a_clean_end_is_the_end_unless_it_is_to_run_always(void **state)
{
	static const enum process_restart ways[] = {RESTART_ALWAYS, RESTART_ON_FAILURE,
						    RESTART_NEVER};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct process_policy p = program(ways[i]);
		struct child_machine m = ready_at(0);
		struct child_decision d = child_step(&m, &p, CHILD_EV_EXIT_OK, 10, 0);

		assert_int_equal(d.has_finished, ways[i] != RESTART_ALWAYS);
		assert_int_equal(m.is_finished, ways[i] != RESTART_ALWAYS);
		assert_int_equal(m.state,
				 ways[i] == RESTART_ALWAYS ? PROCESS_STARTING : PROCESS_STOPPED);
	}
}

static void a_failure_is_tried_again_unless_never(void **state)
{
	struct process_policy on_failure = program(RESTART_ON_FAILURE);
	struct process_policy never = program(RESTART_NEVER);
	struct child_machine m = ready_at(0);

	(void)state;
	assert_int_equal(child_step(&m, &on_failure, CHILD_EV_EXIT_FAIL, 10, 0).action,
			 CHILD_DO_SPAWN);
	m = ready_at(0);
	(void)child_step(&m, &never, CHILD_EV_EXIT_FAIL, 10, 0);
	assert_int_equal(m.state, PROCESS_HELD);
	assert_int_equal(child_step(&m, &never, CHILD_EV_START, 20, 0).action, CHILD_DO_SPAWN);
}

static void exit_78_of_a_program_is_a_failure_like_any_other(void **state)
{
	struct process_policy p = program(RESTART_ON_FAILURE);
	struct child_machine m = ready_at(0);

	(void)state;
	(void)child_step(&m, &p, CHILD_EV_EXIT_CONFIG, 10, 0);
	assert_int_equal(m.state, PROCESS_STARTING);
	assert_int_equal(m.failures_in_row, 1);
}

static void who_says_nothing_is_ready_after_a_while(void **state)
{
	struct process_policy p = program(RESTART_ALWAYS);
	struct child_machine m;

	(void)state;
	child_machine_init(&m);
	(void)child_step(&m, &p, CHILD_EV_START, 500, 0);
	assert_int_equal(child_due(&m), 1500);
	assert_int_equal(child_expired(&m, 1499), CHILD_EV_MAX);
	assert_int_equal(child_expired(&m, 1500), CHILD_EV_READY);
	p.ready_after_ms = 0;
	child_machine_init(&m);
	(void)child_step(&m, &p, CHILD_EV_START, 500, 0);
	assert_int_equal(child_expired(&m, 500), CHILD_EV_READY);
}

static void what_waits_is_wanted_and_down(void **state)
{
	struct child_machine m = ready_at(0);

	(void)state;
	assert_int_equal(child_step(&m, &policy, CHILD_EV_WAIT, 10, 0).action, CHILD_DO_TERM);
	(void)child_step(&m, &policy, CHILD_EV_EXIT_OK, 20, 0);
	assert_int_equal(m.state, PROCESS_WAITING);
	assert_int_equal(child_due(&m), INT64_MAX);
	/* A restart must not get it past those it waits for. */
	assert_int_equal(child_step(&m, &policy, CHILD_EV_RESTART, 30, 0).action, CHILD_DO_NOTHING);
	assert_int_equal(child_step(&m, &policy, CHILD_EV_START, 40, 0).action, CHILD_DO_SPAWN);
}

static void what_has_finished_runs_again_when_it_changes_but_not_once_stopped(void **state)
{
	struct process_policy p = program(RESTART_ON_FAILURE);
	struct child_machine m = ready_at(0);

	(void)state;
	(void)child_step(&m, &p, CHILD_EV_EXIT_OK, 10, 0);
	assert_int_equal(child_step(&m, &p, CHILD_EV_RESTART, 20, 0).action, CHILD_DO_SPAWN);
	(void)child_step(&m, &p, CHILD_EV_EXIT_OK, 30, 0);
	(void)child_step(&m, &p, CHILD_EV_STOP, 40, 0);
	assert_false(m.is_finished);
	assert_int_equal(child_step(&m, &p, CHILD_EV_RESTART, 50, 0).action, CHILD_DO_NOTHING);
}

/* Else a restarted haled would call off an alert that is due again a second later. */
static void what_kept_crashing_before_a_restart_of_haled_must_run_stably_first(void **state)
{
	struct child_machine before = ready_at(0), m;
	struct child_decision d = {0};
	json_t *saved;

	(void)state;
	for (int64_t i = 0; i < 5 && !before.is_crash_looping; i++) {
		(void)child_step(&before, &policy, CHILD_EV_EXIT_FAIL, 10 * i, 0);
		(void)child_step(&before, &policy, CHILD_EV_TICK, 10 * i + 5, 0);
	}
	(void)child_step(&before, &policy, CHILD_EV_EXIT_FAIL, 100, 0);
	assert_true(before.is_crash_looping);
	saved = child_machine_hand_over(&before);
	child_machine_init(&m);
	child_machine_recall(&m, saved);
	json_decref(saved);
	assert_int_equal(m.state, PROCESS_STOPPED);
	assert_true(m.is_crash_looping);
	assert_int_equal(m.failures_in_row, before.failures_in_row);
	d = child_step(&m, &policy, CHILD_EV_START, 1000, 0);
	assert_int_equal(d.action, CHILD_DO_SPAWN);
	d = child_step(&m, &policy, CHILD_EV_READY, 1100, 0);
	assert_true(m.is_crash_looping);
	assert_false(d.crash_loop_ended);
	d = child_step(&m, &policy, CHILD_EV_TICK, 61100, 0);
	assert_true(d.crash_loop_ended);
	assert_int_equal(m.failures_in_row, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_spawns_and_ready_settles),
		cmocka_unit_test(first_failure_restarts_at_once_then_delays_grow),
		cmocka_unit_test(a_stable_run_forgets_failures),
		cmocka_unit_test(more_than_burst_failures_are_a_crash_loop_tried_at_the_cap),
		cmocka_unit_test(exit_78_is_held_until_restart),
		cmocka_unit_test(a_hung_child_is_aborted_then_killed_then_restarted),
		cmocka_unit_test(stop_terms_kills_and_stays_stopped),
		cmocka_unit_test(a_restart_ordered_while_stopping_starts_again),
		cmocka_unit_test(give_up_after_holds),
		cmocka_unit_test(a_fixed_delay_replaces_the_backoff),
		cmocka_unit_test(a_clean_end_is_the_end_unless_it_is_to_run_always),
		cmocka_unit_test(a_failure_is_tried_again_unless_never),
		cmocka_unit_test(exit_78_of_a_program_is_a_failure_like_any_other),
		cmocka_unit_test(who_says_nothing_is_ready_after_a_while),
		cmocka_unit_test(what_waits_is_wanted_and_down),
		cmocka_unit_test(what_has_finished_runs_again_when_it_changes_but_not_once_stopped),
		cmocka_unit_test(
			what_kept_crashing_before_a_restart_of_haled_must_run_stably_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
