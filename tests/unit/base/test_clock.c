/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

static int64_t parsed(const char *text)
{
	int64_t ms = -1;

	if (clock_parse(text, &ms) != 0)
		fail_msg("refused: %s", text);
	return ms;
}

static void known_moments_are_written_and_read(void **state)
{
	char buf[CLOCK_TEXT_MAX];

	(void)state;
	assert_string_equal(clock_format(0, buf), "1970-01-01T00:00:00.000Z");
	assert_string_equal(clock_format(-1, buf), "1969-12-31T23:59:59.999Z");
	assert_string_equal(clock_format(1709210096789, buf), "2024-02-29T12:34:56.789Z");
	assert_int_equal(parsed("2024-02-29T12:34:56.789Z"), 1709210096789);
}

static void zones_and_fractions_are_understood(void **state)
{
	int64_t noon = parsed("2026-11-22T12:00:00Z");

	(void)state;
	assert_int_equal(parsed("2026-11-22T07:00:00-05:00"), noon);
	assert_int_equal(parsed("2026-11-22T17:30:00+0530"), noon);
	assert_int_equal(parsed("2026-11-22T14:00:00+02"), noon);
	assert_int_equal(parsed("2026-11-22 12:00:00"), noon);
	assert_int_equal(parsed("2026-11-22t12:00:00z"), noon);
	assert_int_equal(parsed("2026-11-22T12:00:00.1Z"), noon + 100);
	assert_int_equal(parsed("2026-11-22T12:00:00.0129999Z"), noon + 12);
	assert_int_equal(parsed("2026-11-22T12:00:00.123456789Z"), noon + 123);
}

static void any_moment_comes_back(void **state)
{
	(void)state;
	srandom(2);
	for (int i = 0; i < 100000; i++) {
		/* Years 0001 to 9999. */
		int64_t ms = -62135596800000 +
			     (int64_t)(((uint64_t)random() << 31 | (uint64_t)random()) %
				       UINT64_C(315537897600000));
		char buf[CLOCK_TEXT_MAX];

		assert_int_equal(parsed(clock_format(ms, buf)), ms);
	}
}

static void nonsense_is_refused_and_touches_nothing(void **state)
{
	static const char *const bad[] = {
		"",
		"now",
		"2026",
		"2026-11-22",
		"2026-11-22T",
		"2026-11-22T12:00Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2026-04-31T00:00:00Z",
		"2026-11-00T00:00:00Z",
		"2026-11-22T24:00:00Z",
		"2026-11-22T12:60:00Z",
		"2026-11-22T12:00:61Z",
		"2026-11-22T12:00:00.Z",
		"2026-11-22T12:00:00.1234567890Z",
		"2026-11-22T12:00:00+",
		"2026-11-22T12:00:00+5",
		"2026-11-22T12:00:00+05:",
		"2026-11-22T12:00:00+24:00",
		"2026-11-22T12:00:00+05:60",
		"2026-11-22T12:00:00Z ",
		"2026-11-22T12:00:00ZZ",
		" 2026-11-22T12:00:00Z",
		"-026-11-22T12:00:00Z",
		"2026-11-22X12:00:00Z",
		"2026-1-22T12:00:00Z",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t ms = 42;

		if (clock_parse(bad[i], &ms) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(ms, 42);
	}
}

static void years_beyond_four_digits_do_not_overflow(void **state)
{
	char buf[CLOCK_TEXT_MAX];

	(void)state;
	assert_string_equal(clock_format(INT64_MAX, buf), "0000-00-00T00:00:00.000Z");
	assert_string_equal(clock_format(INT64_MIN, buf), "0000-00-00T00:00:00.000Z");
}

static void monotonic_time_does_not_fall(void **state)
{
	int64_t last = clock_mono_us();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_mono_us();

		assert_true(now >= last);
		last = now;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_moments_are_written_and_read),
		cmocka_unit_test(zones_and_fractions_are_understood),
		cmocka_unit_test(any_moment_comes_back),
		cmocka_unit_test(nonsense_is_refused_and_touches_nothing),
		cmocka_unit_test(years_beyond_four_digits_do_not_overflow),
		cmocka_unit_test(monotonic_time_does_not_fall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
