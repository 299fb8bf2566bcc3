/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/rnd.h"
#include "model/decimal.h"

static struct decimal dec(const char *text)
{
	struct decimal d;

	if (!decimal_parse(text, &d))
		fail_msg("no number: %s", text);
	return d;
}

static bool within(const char *a, const char *b, const char *tolerance)
{
	return decimal_is_within(dec(a), dec(b), dec(tolerance));
}

static void what_is_written_counts_not_its_binary_neighbour(void **state)
{
	(void)state;
	/* 100.01 - 100.00 is 0.010000000000005116 in binary. */
	assert_true(within("100.01", "100.00", "0.01"));
	assert_true(within("100.00", "100.01", "0.01"));
	assert_false(within("100.011", "100.00", "0.01"));
	assert_true(within("-0.005", "0.005", "0.01"));
	assert_false(within("-0.005", "0.0051", "0.01"));
}

static void other_spellings_of_a_number_are_the_same_number(void **state)
{
	static const char *const pairs[][2] = {
		{"10", "10.000"}, {"1e1", "10"},      {"1E-2", "0.01"}, {"+5", "5"},
		{" 7 ", "7"},     {".5", "0.5"},      {"5.", "5"},      {"-0", "0"},
		{"0e300", "0"},   {"12.30e1", "123"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		if (!within(pairs[i][0], pairs[i][1], "0"))
			fail_msg("%s and %s", pairs[i][0], pairs[i][1]);
	}
}

static void a_number_has_one_text(void **state)
{
	static const char *const pairs[][2] = {
		{"10.000", "10"},
		{"10e-1", "1"},
		{"-.50", "-0.5"},
		{"0.0", "0"},
		{"1e20", "100000000000000000000"},
		{"0.007", "0.007"},
		{"-0", "0"},
		{"1200e-302", "12e-300"},
		{"9999999999999999999999999999999999999", "9999999999999999999999999999999999999"},
		{"0.0000000000000000000000000000000000001",
		 "0.0000000000000000000000000000000000001"},
	};
	char buf[DECIMAL_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		assert_string_equal(decimal_text(dec(pairs[i][0]), buf), pairs[i][1]);
}

static void what_is_no_decimal_number_is_refused(void **state)
{
	static const char *const bad[] = {
		"",      " ",      "-",   ".",
		"1.2.3", "1e",     "1e+", "0x10",
		"nan",   "1a",     "1 2", "inf",
		"--1",   "1e9999", "e5",  "123456789012345678901234567890123456789012345"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct decimal d;

		if (decimal_parse(bad[i], &d))
			fail_msg("took '%s'", bad[i]);
	}
}

static void numbers_too_far_apart_to_align_are_compared_all_the_same(void **state)
{
	(void)state;
	assert_false(within("1e30", "0", "1e-30"));
	assert_true(within("1e-30", "2e-30", "1e30"));
	assert_false(within("99999999999999999999999999999999999", "1e-20", "1"));
}

static void a_json_real_is_read_by_its_shortest_digits(void **state)
{
	json_t *real = json_real(100.01), *text = json_string("100.0100");
	struct decimal a, b;

	(void)state;
	assert_true(decimal_from_json(real, &a));
	assert_true(decimal_from_json(text, &b));
	assert_true(decimal_is_within(a, b, (struct decimal){0}));
	json_decref(real);
	json_decref(text);
}

static void the_text_of_a_real_reads_back_as_the_same_real(void **state)
{
	char buf[DECIMAL_TEXT_MAX];

	(void)state;
	assert_string_equal(decimal_real_text(0.1, buf), "0.1");
	assert_string_equal(decimal_real_text(10, buf), "10");
	for (int i = 0; i < 20000; i++) {
		double real = (double)rnd_u32() / (double)(rnd_u32() | 1u);
		double back;

		assert_int_equal(sscanf(decimal_real_text(real, buf), "%lf", &back), 1);
		assert_true(back == real);
	}
}

/* Against the naive model: cents as integers. */
static void random_cents_agree_with_integer_arithmetic(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		int a = (int)(rnd_u32() % 4000) - 2000, b = (int)(rnd_u32() % 4000) - 2000;
		int t = (int)(rnd_u32() % 1000);
		int diff = a > b ? a - b : b - a;
		char x[32], y[32], z[32];

		(void)snprintf(x, sizeof(x), "%s%d.%02d", a < 0 ? "-" : "", abs(a) / 100,
			       abs(a) % 100);
		(void)snprintf(y, sizeof(y), "%de-2", b);
		(void)snprintf(z, sizeof(z), "%d.%02d", t / 100, t % 100);
		assert_int_equal(within(x, y, z), diff <= t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_counts_not_its_binary_neighbour),
		cmocka_unit_test(other_spellings_of_a_number_are_the_same_number),
		cmocka_unit_test(a_number_has_one_text),
		cmocka_unit_test(what_is_no_decimal_number_is_refused),
		cmocka_unit_test(numbers_too_far_apart_to_align_are_compared_all_the_same),
		cmocka_unit_test(a_json_real_is_read_by_its_shortest_digits),
		cmocka_unit_test(the_text_of_a_real_reads_back_as_the_same_real),
		cmocka_unit_test(random_cents_agree_with_integer_arithmetic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
