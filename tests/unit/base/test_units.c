/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/units.h"

static void durations_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{"0", 0},           {"500ms", 500},
		{"30s", 30000},     {"5m", 300000},
		{"1h30m", 5400000}, {"7d", 604800000},
		{"2w", 1209600000}, {"1d1h1m1s1ms", 90061001},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t ms = -1;

		assert_int_equal(duration_parse(good[i].text, &ms), 0);
		assert_int_equal(ms, good[i].ms);
	}
}

static void doubtful_durations_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"30",
		"s",
		"-5s",
		"1.5s",
		"30m1h",
		"1h1h",
		"1h 30m",
		"30S",
		"5min",
		"0x5s",
		"5s ",
		"9999999999999999999s",
		"1001w1000000d",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t ms = 42;

		if (duration_parse(bad[i], &ms) != -EINVAL)
			fail_msg("accepted: \"%s\"", bad[i]);
		assert_int_equal(ms, 42);
	}
}

static void any_duration_comes_back(void **state)
{
	(void)state;
	srandom(3);
	for (int i = 0; i < 100000; i++) {
		int64_t ms = (int64_t)(((uint64_t)random() << 20 | (uint64_t)random()) %
				       UINT64_C(1000000000000));
		int64_t again = -1;
		char buf[UNITS_TEXT_MAX];

		assert_int_equal(duration_parse(duration_format(ms, buf), &again), 0);
		assert_int_equal(again, ms);
	}
}

static void short_durations_show_two_units(void **state)
{
	char buf[UNITS_TEXT_MAX];

	(void)state;
	assert_string_equal(duration_format_short((3 * 86400 + 4 * 3600 + 59) * INT64_C(1000), buf),
			    "3d4h");
	assert_string_equal(duration_format_short(105000, buf), "1m45s");
	assert_string_equal(duration_format_short(1999, buf), "1s");
	assert_string_equal(duration_format_short(250, buf), "250ms");
	assert_string_equal(duration_format_short(0, buf), "0s");
	assert_string_equal(duration_format_short(86400000 + 5000, buf), "1d");
}

static void sizes_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} good[] = {
		{"0", 0},
		{"512", 512},
		{"512B", 512},
		{"64K", 65536},
		{"64KB", 65536},
		{"64KiB", 65536},
		{"64kb", 65536},
		{"64MB", 67108864},
		{"2GiB", 2147483648},
		{"1T", INT64_C(1) << 40},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t bytes = -1;

		if (size_parse(good[i].text, &bytes) != 0)
			fail_msg("refused: %s", good[i].text);
		assert_int_equal(bytes, good[i].bytes);
	}
}

static void doubtful_sizes_are_refused(void **state)
{
	static const char *const bad[] = {"",      "MB",   "-1",    "1.5MB",
					  "64 MB", "64XB", "64MBB", "10000000TB"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t bytes = 42;

		if (size_parse(bad[i], &bytes) != -EINVAL)
			fail_msg("accepted: \"%s\"", bad[i]);
		assert_int_equal(bytes, 42);
	}
}

static void any_size_comes_back(void **state)
{
	(void)state;
	srandom(4);
	for (int i = 0; i < 100000; i++) {
		int64_t bytes = (int64_t)random() << (random() % 12);
		int64_t again = -1;
		char buf[UNITS_TEXT_MAX];

		assert_int_equal(size_parse(size_format(bytes, buf), &again), 0);
		assert_int_equal(again, bytes);
	}
}

static void numbers_are_short_and_keep_whole_units(void **state)
{
	static const struct {
		double n;
		const char *text;
	} rows[] = {
		{0, "0"},
		{-0.0, "0"},
		{2310, "2310"},
		{123456789, "123456789"},
		{-7, "-7"},
		{0.031, "0.031"},
		{99.95, "99.95"},
		{1234.56789, "1234.57"},
		{1234567.8, "1234568"},
		{1e300, "1e+300"},
	};
	char buf[UNITS_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(number_format(rows[i].n, buf), rows[i].text);
	assert_string_equal(number_format((double)INFINITY, buf), "inf");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_read),
		cmocka_unit_test(doubtful_durations_are_refused),
		cmocka_unit_test(any_duration_comes_back),
		cmocka_unit_test(short_durations_show_two_units),
		cmocka_unit_test(sizes_are_read),
		cmocka_unit_test(doubtful_sizes_are_refused),
		cmocka_unit_test(any_size_comes_back),
		cmocka_unit_test(numbers_are_short_and_keep_whole_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
