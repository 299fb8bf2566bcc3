/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/cleanup.h"
#include "compare_value.h"

/* "n:1.0" a number, "t:" a text, "u:" of a CSV file, "b:" a truth value, "0:" no value. */
static struct cell cell(const char *text)
{
	static const struct {
		char letter;
		enum cell_type type;
	} types[] = {{'n', CELL_NUMBER}, {'t', CELL_TEXT}, {'u', CELL_UNTYPED}, {'b', CELL_BOOL}};

	const char *colon = strchr(text, ':');

	for (size_t i = 0; colon != NULL && i < ARRAY_LEN(types); i++)
		if (text[0] == types[i].letter)
			return (struct cell){
				.type = types[i].type, .text = colon + 1, .len = strlen(colon + 1)};
	return (struct cell){.type = CELL_NULL};
}

static bool same(const char *how, const char *a, const char *b)
{
	struct cell x = cell(a), y = cell(b);
	struct compare_rule rule;
	struct err err;
	bool is_same;

	if (compare_rule_parse(how, &rule, &err) != 0)
		fail_msg("%s", err.text);
	is_same = compare_values(&rule, &x, &y);
	/* Whichever side it is on. */
	assert_int_equal(compare_values(&rule, &y, &x), is_same);
	return is_same;
}

static void what_is_written_differently_is_not_different(void **state)
{
	static const char *const pairs[][2] = {
		{"n:1", "n:1.0"},
		{"n:100.010", "t:100.01"},
		{"u:1.0", "n:1"},
		{"u:1.0", "u:1"},
		{"n:0.30000000000000004", "n:0.30000000000000004"},
		{"t:2026-11-22T08:00:00Z", "t:2026-11-22 09:00:00+01"},
		{"t:2026-11-22 08:00:00", "u:2026-11-22T08:00:00.000Z"},
		{"b:true", "t:t"},
		{"b:false", "n:0"},
		{"b:true", "u:TRUE"},
		{"t:{\"a\":1,\"b\":[2]}", "t:{\"b\": [2], \"a\": 1}"},
		{"0:", "0:"},
		{"t:", "t:"},
		{"t:NaN", "t:NaN"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (!same("exact", pairs[i][0], pairs[i][1]))
			fail_msg("%s and %s", pairs[i][0], pairs[i][1]);
}

static void what_differs_differs(void **state)
{
	static const char *const pairs[][2] = {
		{"n:1", "n:1.0001"},
		{"t:1.10", "t:1.1"}, /* versions, say */
		{"t:007", "t:7"},    /* or numbers of parts */
		{"n:1", "t:one"},
		{"0:", "t:"},
		{"0:", "n:0"},
		{"b:true", "n:2"},
		{"b:true", "b:false"},
		{"t:2026-11-22T08:00:00Z", "t:2026-11-22T08:00:00.001Z"},
		{"t:20261122", "t:1795334400"},
		{"t:{\"a\":1}", "t:{\"a\":2}"},
		{"t:{\"a\":1}", "t:[1]"},
		{"t:abc", "t:abd"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (same("exact", pairs[i][0], pairs[i][1]))
			fail_msg("%s and %s", pairs[i][0], pairs[i][1]);
}

static void a_tolerance_is_exact(void **state)
{
	(void)state;
	assert_true(same("0.01", "n:100.01", "n:100.00"));
	assert_false(same("0.01", "n:100.011", "n:100.00"));
	assert_true(same("0.01", "t:100.01", "t:100"));
	assert_false(same("0.01", "n:1", "t:about 1"));
	assert_false(same("0.01", "n:0", "0:"));
	assert_true(same("1%", "n:100", "n:99"));
	assert_false(same("1%", "n:100", "n:98.99"));
	assert_true(same("10%", "n:-1.1", "n:-1"));
	assert_false(same("10%", "n:-1", "n:1"));
	assert_true(same("0%", "n:0", "n:0.0"));
	assert_true(same("2s", "t:2026-11-22T08:00:00Z", "t:2026-11-22 08:00:02"));
	assert_false(same("2s", "t:2026-11-22T08:00:00Z", "t:2026-11-22 08:00:02.001"));
	assert_true(same("time", "n:1795334400", "t:2026-11-22T08:00:00Z"));
	assert_false(same("text", "n:1", "n:1.0"));
	assert_true(same("number", "t:1.10", "t:1.1"));
}

static void what_is_no_rule_is_refused(void **state)
{
	static const char *const bad[] = {"", "exactly", "-1", "1%%", "-1%", "101%", "nan%", "2x"};
	struct compare_rule rule;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (compare_rule_parse(bad[i], &rule, &err) == 0)
			fail_msg("took '%s'", bad[i]);
		assert_non_null(strstr(err.text, "exact, text, number, time"));
	}
}

static void the_sign_of_a_quantity_is_read_from_numbers_and_texts(void **state)
{
	struct cell cells[] = {cell("n:5"),  cell("t:-0.5"), cell("u:0.00"),
			       cell("t:-0"), cell("t:long"), cell("0:")};
	static const int signs[] = {1, -1, 0, 0, 2, 2};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cells); i++)
		assert_int_equal(cell_sign(&cells[i]), signs[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_differently_is_not_different),
		cmocka_unit_test(what_differs_differs),
		cmocka_unit_test(a_tolerance_is_exact),
		cmocka_unit_test(what_is_no_rule_is_refused),
		cmocka_unit_test(the_sign_of_a_quantity_is_read_from_numbers_and_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
