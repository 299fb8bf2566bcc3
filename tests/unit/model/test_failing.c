/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "model/failing.h"

#define SECOND ((int64_t)1000)

static const struct failing_view healthy = {
	.is_wanted = true, .is_ready = true, .failing_after_ms = 60 * SECOND};
static const struct failing_view starting = {.is_wanted = true, .failing_after_ms = 60 * SECOND};
static const struct failing_view looping = {
	.is_wanted = true, .is_hopeless = true, .failing_after_ms = 60 * SECOND};
static const struct failing_view stopped = {.failing_after_ms = 60 * SECOND};

static void a_crash_loop_is_told_at_once_and_once(void **state)
{
	struct failing f = {0};

	(void)state;
	assert_false(failing_step(&f, &healthy, 1 * SECOND));
	assert_true(failing_step(&f, &looping, 2 * SECOND));
	failing_ended(&f);
	assert_false(failing_step(&f, &looping, 3600 * SECOND));
	assert_int_equal(failing_due(&f, &looping), INT64_MAX);
}

static void not_ready_for_long_is_failing_too(void **state)
{
	struct failing f = {0};

	(void)state;
	assert_false(failing_step(&f, &starting, 10 * SECOND));
	assert_int_equal(failing_due(&f, &starting), 70 * SECOND);
	assert_false(failing_step(&f, &starting, 70 * SECOND - 1));
	assert_true(failing_step(&f, &starting, 70 * SECOND));
}

static void readiness_in_between_starts_the_time_anew(void **state)
{
	struct failing f = {0};

	(void)state;
	(void)failing_step(&f, &starting, 10 * SECOND);
	(void)failing_step(&f, &healthy, 60 * SECOND);
	assert_false(failing_step(&f, &starting, 71 * SECOND));
	assert_int_equal(failing_due(&f, &starting), 131 * SECOND);
}

static void the_next_episode_waits_until_the_pause_is_over(void **state)
{
	struct failing f = {0};

	(void)state;
	assert_true(failing_step(&f, &looping, 1 * SECOND));
	failing_ended(&f);
	assert_false(failing_step(&f, &healthy, 2 * SECOND));
	assert_false(failing_step(&f, &looping, 3 * SECOND));
	assert_int_equal(failing_due(&f, &looping), 1 * SECOND + FAILING_PAUSE_MS);
	assert_true(failing_step(&f, &looping, 1 * SECOND + FAILING_PAUSE_MS));
}

static void a_short_episode_within_the_pause_is_never_told(void **state)
{
	struct failing f = {0};

	(void)state;
	assert_true(failing_step(&f, &looping, 1 * SECOND));
	failing_ended(&f);
	(void)failing_step(&f, &healthy, 2 * SECOND);
	(void)failing_step(&f, &looping, 3 * SECOND);
	(void)failing_step(&f, &healthy, 4 * SECOND);
	assert_int_equal(failing_due(&f, &healthy), INT64_MAX);
	assert_false(failing_step(&f, &healthy, FAILING_PAUSE_MS * 2));
}

static void one_command_at_a_time(void **state)
{
	struct failing f = {0};
	int64_t later = 1 * SECOND + FAILING_PAUSE_MS;

	(void)state;
	assert_true(failing_step(&f, &looping, 1 * SECOND));
	(void)failing_step(&f, &healthy, 2 * SECOND);
	assert_false(failing_step(&f, &looping, later));
	failing_ended(&f);
	assert_true(failing_step(&f, &looping, later + 1));
}

static void what_is_stopped_on_purpose_does_not_fail(void **state)
{
	struct failing f = {0};

	(void)state;
	(void)failing_step(&f, &starting, 1 * SECOND);
	assert_false(failing_step(&f, &stopped, 3600 * SECOND));
	assert_int_equal(failing_due(&f, &stopped), INT64_MAX);
}

static void who_was_told_is_not_told_again_after_an_upgrade(void **state)
{
	struct failing f = {0}, after = {0};
	json_t *o;

	(void)state;
	assert_true(failing_step(&f, &looping, 1 * SECOND));
	o = failing_hand_over(&f);
	failing_take_over(&after, o);
	json_decref(o);
	assert_false(failing_step(&after, &looping, 3600 * SECOND));
	(void)failing_step(&after, &healthy, 3601 * SECOND);
	assert_true(failing_step(&after, &looping, 3602 * SECOND));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crash_loop_is_told_at_once_and_once),
		cmocka_unit_test(not_ready_for_long_is_failing_too),
		cmocka_unit_test(readiness_in_between_starts_the_time_anew),
		cmocka_unit_test(the_next_episode_waits_until_the_pause_is_over),
		cmocka_unit_test(a_short_episode_within_the_pause_is_never_told),
		cmocka_unit_test(one_command_at_a_time),
		cmocka_unit_test(what_is_stopped_on_purpose_does_not_fail),
		cmocka_unit_test(who_was_told_is_not_told_again_after_an_upgrade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
