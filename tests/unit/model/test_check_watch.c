/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "model/check_watch.h"

static const struct check_watch_rule rule = {.after_ms = 1000, .limit = 2, .window_ms = 60000};

static int setup(void **state)
{
	static struct check_watch w;

	check_watch_init(&w, 2);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	check_watch_done(*state);
	return 0;
}

static void bad_for_so_long_restarts_and_names_the_check(void **state)
{
	struct check_watch *w = *state;
	size_t which = 9;

	assert_true(check_watch_feed(w, 1, true, 100));
	assert_false(check_watch_feed(w, 1, true, 500)); /* nothing new */
	assert_int_equal(check_watch_due(w, &rule, 50), 1100);
	assert_int_equal(check_watch_step(w, &rule, 50, 1099, &which), CHECK_WATCH_NOTHING);
	assert_int_equal(check_watch_step(w, &rule, 50, 1100, &which), CHECK_WATCH_RESTART);
	assert_int_equal(which, 1);
}

static void a_good_result_in_between_starts_the_time_anew(void **state)
{
	struct check_watch *w = *state;
	size_t which;

	(void)check_watch_feed(w, 0, true, 100);
	(void)check_watch_feed(w, 0, false, 900);
	assert_int_equal(check_watch_due(w, &rule, 50), INT64_MAX);
	(void)check_watch_feed(w, 0, true, 1000);
	assert_int_equal(check_watch_step(w, &rule, 50, 1500, &which), CHECK_WATCH_NOTHING);
	assert_int_equal(check_watch_due(w, &rule, 50), 2000);
}

static void two_that_take_turns_are_not_one_without_a_break(void **state)
{
	struct check_watch *w = *state;
	size_t which;

	for (int64_t now = 100; now < 10000; now += 800) {
		size_t bad = (size_t)(now / 800) % 2;

		(void)check_watch_feed(w, bad, true, now);
		(void)check_watch_feed(w, 1 - bad, false, now);
		assert_int_equal(check_watch_step(w, &rule, 50, now + 799, &which),
				 CHECK_WATCH_NOTHING);
	}
}

static void the_time_a_program_takes_to_start_does_not_count(void **state)
{
	struct check_watch *w = *state;
	size_t which;

	(void)check_watch_feed(w, 0, true, 100);
	assert_int_equal(check_watch_step(w, &rule, 0, 5000, &which), CHECK_WATCH_NOTHING);
	assert_int_equal(check_watch_due(w, &rule, 0), INT64_MAX);
	assert_int_equal(check_watch_due(w, &rule, 6000), 7000);
	assert_int_equal(check_watch_step(w, &rule, 6000, 6999, &which), CHECK_WATCH_NOTHING);
	assert_int_equal(check_watch_step(w, &rule, 6000, 7000, &which), CHECK_WATCH_RESTART);
}

static void a_restart_is_followed_by_as_long_again(void **state)
{
	struct check_watch *w = *state;
	size_t which;

	(void)check_watch_feed(w, 0, true, 100);
	assert_int_equal(check_watch_step(w, &rule, 50, 1100, &which), CHECK_WATCH_RESTART);
	/* It has not even gone down yet. */
	assert_int_equal(check_watch_step(w, &rule, 50, 1101, &which), CHECK_WATCH_NOTHING);
	assert_int_equal(check_watch_step(w, &rule, 2000, 2999, &which), CHECK_WATCH_NOTHING);
	assert_int_equal(check_watch_step(w, &rule, 2000, 3000, &which), CHECK_WATCH_RESTART);
}

static void the_limit_is_told_once_until_recovery(void **state)
{
	struct check_watch *w = *state;
	size_t which;

	(void)check_watch_feed(w, 0, true, 100);
	assert_int_equal(check_watch_step(w, &rule, 50, 1100, &which), CHECK_WATCH_RESTART);
	assert_int_equal(check_watch_step(w, &rule, 50, 2100, &which), CHECK_WATCH_RESTART);
	assert_int_equal(check_watch_step(w, &rule, 50, 3100, &which), CHECK_WATCH_GIVE_UP);
	assert_int_equal(check_watch_due(w, &rule, 50), INT64_MAX);
	/* Not even when the window has passed. */
	assert_int_equal(check_watch_step(w, &rule, 50, 900000, &which), CHECK_WATCH_NOTHING);
	(void)check_watch_feed(w, 0, false, 900001);
	(void)check_watch_feed(w, 0, true, 900002);
	assert_int_equal(check_watch_step(w, &rule, 50, 901002, &which), CHECK_WATCH_RESTART);
}

static void recovery_within_the_window_does_not_renew_the_limit(void **state)
{
	struct check_watch *w = *state;
	size_t which;
	int64_t now = 100;

	for (int i = 0; i < 3; i++) {
		(void)check_watch_feed(w, 0, true, now);
		now += 1000;
		assert_int_equal(check_watch_step(w, &rule, 50, now, &which),
				 i < 2 ? CHECK_WATCH_RESTART : CHECK_WATCH_GIVE_UP);
		(void)check_watch_feed(w, 0, false, ++now);
	}
}

static void only_restarts_within_the_window_count(void **state)
{
	struct check_watch *w = *state;
	size_t which;

	(void)check_watch_feed(w, 0, true, 100);
	for (int64_t i = 0; i < 40; i++)
		assert_int_equal(check_watch_step(w, &rule, 50, 1100 + i * 30000, &which),
				 CHECK_WATCH_RESTART);
}

static void the_limit_goes_on_counting_after_an_upgrade(void **state)
{
	struct check_watch *w = *state;
	struct check_watch after = {0};
	size_t which;
	json_t *o;

	(void)check_watch_feed(w, 0, true, 100);
	for (int64_t i = 0; i < 40; i++) /* more than the ring holds */
		(void)check_watch_step(w, &rule, 50, 1100 + i * 31000, &which);
	o = check_watch_hand_over(w);
	check_watch_init(&after, 2);
	check_watch_take_over(&after, o);
	json_decref(o);
	(void)check_watch_feed(&after, 0, true, 1220000);
	assert_int_equal(check_watch_step(&after, &rule, 50, 1221000, &which), CHECK_WATCH_GIVE_UP);
	check_watch_done(&after);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(bad_for_so_long_restarts_and_names_the_check),
		TEST(a_good_result_in_between_starts_the_time_anew),
		TEST(two_that_take_turns_are_not_one_without_a_break),
		TEST(the_time_a_program_takes_to_start_does_not_count),
		TEST(a_restart_is_followed_by_as_long_again),
		TEST(the_limit_is_told_once_until_recovery),
		TEST(recovery_within_the_window_does_not_renew_the_limit),
		TEST(only_restarts_within_the_window_count),
		TEST(the_limit_goes_on_counting_after_an_upgrade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
