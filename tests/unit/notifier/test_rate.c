/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "rate.h"

#define T0 INT64_C(1800000000000)

static void no_limit_never_waits(void **state)
{
	(void)state;
	struct rate r;

	rate_init(&r, 0);
	for (int i = 0; i < 1000; i++) {
		assert_true(rate_when(&r, T0) <= T0);
		rate_take(&r, T0);
	}
	rate_done(&r);
}

static void every_minute_holds_at_most_n(void **state)
{
	(void)state;
	struct rate r;
	int64_t sent[200];
	int64_t now = T0;

	rate_init(&r, 7);
	for (int i = 0; i < 200; i++) {
		int64_t when = rate_when(&r, now);

		now = when > now ? when : now + i % 3 * 500;
		assert_true(rate_when(&r, now) <= now);
		rate_take(&r, now);
		sent[i] = now;
		if (i >= 7)
			assert_true(sent[i] - sent[i - 7] >= RATE_WINDOW_MS);
	}
	rate_done(&r);
}

static void a_clock_set_back_waits_no_longer_than_a_window(void **state)
{
	(void)state;
	struct rate r;

	rate_init(&r, 1);
	rate_take(&r, T0 + 1000000000);
	assert_true(rate_when(&r, T0) <= T0 + RATE_WINDOW_MS);
	rate_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_limit_never_waits),
		cmocka_unit_test(every_minute_holds_at_most_n),
		cmocka_unit_test(a_clock_set_back_waits_no_longer_than_a_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
