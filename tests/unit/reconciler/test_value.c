/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "value.h"

struct row {
	enum value_compare how;
	const char *source, *target; /* JSON with ' */
	const char *tolerance;
	int equal; /* 1, 0 or negative */
};

static void comparison_follows_the_table(void **state)
{
	/* clang-format off */
	static const struct row rows[] = {
		{VALUE_AUTO, "10", "10", "0", 1},
		{VALUE_AUTO, "10", "'10.0000'", "0", 1}, /* numeric of PostgreSQL */
		{VALUE_AUTO, "'10'", "10", "0", 1},
		{VALUE_AUTO, "'10'", "'10.0'", "0", 0},
		{VALUE_AUTO, "10.5", "10.5", "0", 1},
		{VALUE_AUTO, "10.5", "10.4", "0", 0},
		{VALUE_AUTO, "'a'", "'a'", "0", 1},
		{VALUE_AUTO, "'a'", "'A'", "0", 0},
		{VALUE_AUTO, "'a'", "5", "0", 0},
		{VALUE_AUTO, "null", "null", "0", 1},
		{VALUE_AUTO, "null", "0", "0", 0},
		{VALUE_AUTO, "0", "null", "0", 0},
		{VALUE_AUTO, "true", "1", "0", 1},
		{VALUE_AUTO, "true", "'t'", "0", 1},
		{VALUE_AUTO, "false", "'t'", "0", 0},
		{VALUE_AUTO, "false", "'maybe'", "0", 0},
		{VALUE_NUMBER, "100.01", "'100.00'", "0.01", 1},
		{VALUE_NUMBER, "100.011", "'100.00'", "0.01", 0},
		{VALUE_NUMBER, "'1e2'", "100", "0", 1},
		{VALUE_NUMBER, "'many'", "100", "0", -EINVAL},
		{VALUE_NUMBER, "100", "'many'", "0", 0},
		{VALUE_TEXT, "10", "'10'", "0", 1},
		{VALUE_TEXT, "10", "'10.0'", "0", 0},
		{VALUE_TIME, "'2026-11-22T01:30:37Z'", "'2026-11-22 02:30:37.000+01'", "0", 1},
		{VALUE_TIME, "'2026-11-22T01:30:37Z'", "'2026-11-22 01:30:38'", "0", 0},
		{VALUE_TIME, "'yesterday'", "'2026-11-22 01:30:38'", "0", -EINVAL},
		{VALUE_TIME, "'2026-11-22T01:30:37Z'", "'yesterday'", "0", 0},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct decimal tolerance;
		struct err err = {0};
		json_t *a, *b;

		a = fixture_json(r->source);
		b = fixture_json(r->target);
		assert_true(decimal_parse(r->tolerance, &tolerance));
		if (value_is_equal(r->how, a, b, tolerance, &err) != r->equal)
			fail_msg("row %zu: %s against %s", i, r->source, r->target);
		json_decref(a);
		json_decref(b);
	}
}

static void a_document_equals_its_text_in_any_layout(void **state)
{
	json_t *a = fixture_json("{'a': 1, 'b': [2, 3]}");
	json_t *b = json_string("{\"b\": [2,3],\n \"a\": 1}");
	json_t *c = json_string("{\"b\": [2,4], \"a\": 1}");

	(void)state;
	assert_int_equal(value_is_equal(VALUE_AUTO, a, b, (struct decimal){0}, NULL), 1);
	assert_int_equal(value_is_equal(VALUE_AUTO, a, c, (struct decimal){0}, NULL), 0);
	json_decref(a);
	json_decref(b);
	json_decref(c);
}

static void reals_go_to_postgres_as_their_shortest_digits(void **state)
{
	json_t *real = json_real(100.01);
	struct value_bound b;

	(void)state;
	value_bind(DB_POSTGRES, real, &b);
	assert_int_equal(b.value.type, DB_TEXT);
	assert_string_equal(b.value.text, "100.01");
	free(b.owned);
	value_bind(DB_SQLITE, real, &b);
	assert_int_equal(b.value.type, DB_REAL);
	assert_null(b.owned);
	json_decref(real);
}

static void truth_goes_to_each_engine_in_its_own_words(void **state)
{
	json_t *yes = json_true();
	struct value_bound b;

	(void)state;
	value_bind(DB_SQLITE, yes, &b);
	assert_int_equal(b.value.type, DB_INT);
	assert_int_equal(b.value.integer, 1);
	value_bind(DB_POSTGRES, yes, &b);
	assert_string_equal(b.value.text, "true");
	free(b.owned);
	value_bind(DB_POSTGRES, NULL, &b);
	assert_int_equal(b.value.type, DB_NULL);
}

static void a_row_whose_text_is_not_utf8_is_no_row(void **state)
{
	const char *name = "a";
	struct db_value bad = {.type = DB_TEXT, .text = "\xff\xfe", .len = 2};
	struct db_row row = {.columns = 1, .names = &name, .values = &bad};

	(void)state;
	assert_null(value_row(&row));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparison_follows_the_table),
		cmocka_unit_test(a_document_equals_its_text_in_any_layout),
		cmocka_unit_test(reals_go_to_postgres_as_their_shortest_digits),
		cmocka_unit_test(truth_goes_to_each_engine_in_its_own_words),
		cmocka_unit_test(a_row_whose_text_is_not_utf8_is_no_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
