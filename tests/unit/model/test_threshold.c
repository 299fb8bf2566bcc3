/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "model/threshold.h"

static void each_operator_has_its_own_boundary(void **state)
{
	static const struct {
		const char *text;
		bool below, at, above; /* of 90 */
	} rows[] = {
		{"> 90", false, false, true},  {">= 90", false, true, true},
		{"< 90", true, false, false},  {"<= 90", true, true, false},
		{"== 90", false, true, false}, {"!= 90", true, false, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct threshold t;

		assert_int_equal(threshold_parse(rows[i].text, &t, NULL), 0);
		assert_int_equal(threshold_crossed(&t, 89.9), rows[i].below);
		assert_int_equal(threshold_crossed(&t, 90), rows[i].at);
		assert_int_equal(threshold_crossed(&t, 90.1), rows[i].above);
		assert_false(threshold_crossed(&t, (double)NAN));
	}
}

static void an_unset_threshold_is_never_crossed(void **state)
{
	struct threshold t = {0};

	(void)state;
	assert_false(threshold_crossed(&t, 0));
	assert_false(threshold_crossed(&t, (double)INFINITY));
}

static void spelling_may_vary_and_is_written_one_way(void **state)
{
	static const char *const rows[][2] = {
		{">2000", "> 2000"},
		{"  >=  90 ", ">= 90"},
		{"<.5", "< 0.5"},
		{"!= -1", "!= -1"},
		{"> 1e3", "> 1000"},
		{"< 99.95", "< 99.95"},
		{"> 1234567.5", "> 1234567.5"},
		{"== 0", "== 0"},
		{"> 5368709120", "> 5368709120"},
		{"> 0.1234567891", "> 0.1234567891"},
	};
	char buf[48];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct threshold t, again;

		assert_int_equal(threshold_parse(rows[i][0], &t, NULL), 0);
		assert_string_equal(threshold_format(&t, buf, sizeof(buf)), rows[i][1]);
		assert_int_equal(threshold_parse(buf, &again, NULL), 0);
		assert_true(again.op == t.op && !(again.value < t.value || again.value > t.value));
	}
}

static void what_is_no_threshold_is_told_why(void **state)
{
	static const char *const bad[] = {"",        "2000",   "=> 5",  "= 5",   ">",     "> ",
					  "> five",  "> 5 ms", "> 5 6", "> nan", "> inf", "> 0x10",
					  "> 1e999", "> 5e",   ">> 5",  "> -",   "~ 3"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct threshold t = {.op = OP_LT, .value = 42};
		struct err err = {0};

		if (threshold_parse(bad[i], &t, &err) != -EINVAL)
			fail_msg("accepted: \"%s\"", bad[i]);
		assert_non_null(strstr(err.text, "is not a"));
		assert_int_equal(t.op, OP_LT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_operator_has_its_own_boundary),
		cmocka_unit_test(an_unset_threshold_is_never_crossed),
		cmocka_unit_test(spelling_may_vary_and_is_written_one_way),
		cmocka_unit_test(what_is_no_threshold_is_told_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
