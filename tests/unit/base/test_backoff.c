/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/backoff.h"

#define POLICIES 2000
#define TRIES    40

static uint32_t random_u32(void)
{
	return (uint32_t)random() << 16 ^ (uint32_t)random();
}

static void first_failure_restarts_at_once(void **state)
{
	struct backoff_policy p = {100, 2.0, 30000, 20, 1};
	struct backoff b = {0};

	(void)state;
	assert_int_equal(backoff_next(&b, &p, UINT32_MAX), 0);
	assert_in_range(backoff_next(&b, &p, UINT32_MAX), 119, 120);
}

static void delays_double_up_to_the_cap(void **state)
{
	const uint32_t want[] = {100, 200, 400, 500, 500};
	struct backoff_policy p = {100, 2.0, 500, 0, 0};
	struct backoff b = {0};

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(backoff_next(&b, &p, random_u32()), want[i]);
}

static void a_stable_run_begins_again(void **state)
{
	struct backoff_policy p = {100, 2.0, 500, 0, 0};
	struct backoff b = {0};

	(void)state;
	(void)backoff_next(&b, &p, 0);
	(void)backoff_next(&b, &p, 0);
	backoff_ok(&b);
	assert_int_equal(b.failures, 0);
	assert_int_equal(backoff_next(&b, &p, 0), 100);
}

static void counting_failures_does_not_wrap(void **state)
{
	struct backoff_policy p = {100, 2.0, 500, 0, 1};
	struct backoff b = {.failures = UINT32_MAX};

	(void)state;
	assert_int_equal(backoff_next(&b, &p, 0), 500);
	assert_int_equal(b.failures, UINT32_MAX);
}

/* Any policy: within the jitter of min(base * factor^step, cap), never falling without jitter. */
static void any_policy_keeps_its_bounds(void **state)
{
	(void)state;
	srandom(1);
	for (int i = 0; i < POLICIES; i++) {
		uint32_t base = random_u32() % 5000;
		struct backoff_policy p = {
			.base_ms = base,
			.factor = 1.0 + (double)(random_u32() % 300) / 100.0,
			.cap_ms = base + random_u32() % 100000,
			.jitter_percent = random_u32() % 101,
			.is_first_at_once = random_u32() % 2,
		};
		struct backoff b = {0};
		double plain = base;

		for (uint32_t n = 0; n < TRIES; n++) {
			double got = backoff_next(&b, &p, random_u32());
			double want = plain < p.cap_ms ? plain : p.cap_ms;
			double slack = want * p.jitter_percent / 100.0 + 1.0;

			assert_int_equal(b.failures, n + 1);
			if (n == 0 && p.is_first_at_once) {
				assert_true(got < 0.5);
				continue;
			}
			assert_true(got >= want - slack && got <= want + slack);
			plain *= p.factor;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_failure_restarts_at_once),
		cmocka_unit_test(delays_double_up_to_the_cap),
		cmocka_unit_test(a_stable_run_begins_again),
		cmocka_unit_test(counting_failures_does_not_wrap),
		cmocka_unit_test(any_policy_keeps_its_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
