/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ping_limit.h"

static const struct ping_rate rate = {.burst = 3, .refill_ms = 100};

static int setup(void **state)
{
	*state = mem_alloc(sizeof(struct ping_limit));
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void a_burst_is_let_through_then_one_by_one(void **state)
{
	struct ping_limit *l = *state;

	for (int i = 0; i < 3; i++)
		assert_int_equal(ping_limit_take(l, "t", "a", rate, 1000), 0);
	assert_int_equal(ping_limit_take(l, "t", "a", rate, 1000), 100);
	assert_int_equal(ping_limit_take(l, "t", "a", rate, 1040), 60);
	assert_int_equal(ping_limit_take(l, "t", "a", rate, 1100), 0);
	assert_int_equal(ping_limit_take(l, "t", "a", rate, 1100), 100);
	/* After a long silence no more than a burst. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(ping_limit_take(l, "t", "a", rate, 1000000), 0);
	assert_int_equal(ping_limit_take(l, "t", "a", rate, 1000000), 100);
}

static void each_has_a_bucket_of_its_own(void **state)
{
	struct ping_limit *l = *state;

	for (int i = 0; i < 3; i++)
		assert_int_equal(ping_limit_take(l, "t", "a", rate, 1000), 0);
	assert_int_not_equal(ping_limit_take(l, "t", "a", rate, 1000), 0);
	assert_int_equal(ping_limit_take(l, "t", "b", rate, 1000), 0);
	assert_int_equal(ping_limit_take(l, "u", "a", rate, 1000), 0);
}

static void looking_takes_nothing(void **state)
{
	struct ping_limit *l = *state;

	for (int i = 0; i < 10; i++)
		assert_int_equal(ping_limit_peek(l, "t", "a", rate, 1000), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ping_limit_take(l, "t", "a", rate, 1000), 0);
	assert_int_equal(ping_limit_peek(l, "t", "a", rate, 1000), 100);
}

/* Against a bucket that is counted out. */
static void agrees_with_a_naive_bucket(void **state)
{
	struct ping_limit *l = *state;
	double tokens = 3;
	int64_t now = 5000, last = 5000;

	srandom(9);
	for (int i = 0; i < 20000; i++) {
		now += random() % 90;
		tokens += (double)(now - last) / 100;
		tokens = tokens > 3 ? 3 : tokens;
		last = now;
		/* Whole hundredths: what lies on the edge is not compared. */
		if (tokens > 0.999 && tokens < 1.001) {
			tokens = ping_limit_take(l, "t", "a", rate, now) == 0 ? tokens - 1 : tokens;
			continue;
		}
		if ((ping_limit_take(l, "t", "a", rate, now) == 0) != (tokens >= 1))
			fail_msg("step %d: %f tokens", i, tokens);
		if (tokens >= 1)
			tokens -= 1;
	}
}

static void a_flood_of_names_leaves_the_busy_ones_alone(void **state)
{
	struct ping_limit *l = *state;
	size_t refused = 0;

	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 20; i++) {
			char name[32];

			(void)snprintf(name, sizeof(name), "n%d", round * 20 + i);
			(void)ping_limit_take(l, "t", name, rate, 1000);
		}
		for (int i = 0; i < 3; i++)
			refused += ping_limit_take(l, "t", "busy", rate, 1000) != 0;
	}
	/* Of 600 at once three are let through; a few more if others took its place for a while. */
	assert_true(refused > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_burst_is_let_through_then_one_by_one, setup,
						teardown),
		cmocka_unit_test_setup_teardown(each_has_a_bucket_of_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(looking_takes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(agrees_with_a_naive_bucket, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flood_of_names_leaves_the_busy_ones_alone, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
