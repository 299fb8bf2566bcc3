/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/cleanup.h"
#include "nagios_range.h"

/* The table of the guidelines, and its corners. */
static const struct {
	const char *text;
	double alerts[3], passes[3];
	const char *words;
} ranges[] = {
	{"10", {-1, 10.5, 11}, {0, 5, 10}, "below 0 or above 10"},
	{"10:", {9.9, 0, -1}, {10, 11, 1e300}, "below 10"},
	{"~:10", {10.1, 11, 1e300}, {10, 0, -1e300}, "above 10"},
	{"10:20", {9, 21, -1}, {10, 15, 20}, "below 10 or above 20"},
	{"@10:20", {10, 15, 20}, {9, 21, -1}, "from 10 to 20"},
	{"@~:3", {3, 0, -9}, {3.5, 4, 5}, "3 or less"},
	{"@3:", {3, 4, 1e9}, {2, 0, -1}, "3 or more"},
	{"-5:-1.5", {-6, 0, 1}, {-5, -2, -1.5}, "below -5 or above -1.5"},
	{":7", {-1, 8, 9}, {0, 1, 7}, "below 0 or above 7"},
};

static void ranges_are_as_the_guidelines_have_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		HALE_CLEANUP(str_done) struct str words = {0};
		struct nagios_range range;

		assert_int_equal(nagios_range_parse(ranges[i].text, &range), 0);
		for (size_t j = 0; j < 3; j++) {
			assert_true(nagios_range_alerts(&range, ranges[i].alerts[j]));
			assert_false(nagios_range_alerts(&range, ranges[i].passes[j]));
		}
		nagios_range_describe(&range, &words);
		assert_string_equal(str_text(&words), ranges[i].words);
	}
}

static void what_is_no_range_is_none(void **state)
{
	static const char *const wrong[] = {"",    "@",    "x",   "1:2:3", "20:10", "~",   "1x",
					    "nan", "inf:", "0x1", "1: 2",  "@~",    "~~:", "--1"};
	struct nagios_range range = {.from = 42};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(nagios_range_parse(wrong[i], &range), -EINVAL);
	assert_true(range.from == 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_as_the_guidelines_have_them),
		cmocka_unit_test(what_is_no_range_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
