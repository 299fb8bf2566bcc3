/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "db/pgarray.h"

static void expect_bytes(struct pg_array *a, const char *expected, size_t len)
{
	const char *data;
	size_t got;

	pg_array_bytes(a, &data, &got);
	assert_int_equal(got, len);
	assert_memory_equal(data, expected, len);
	pg_array_done(a);
}
#define EXPECT(a, text) expect_bytes((a), (text), sizeof(text) - 1)

static void numbers_are_in_network_order(void **state)
{
	struct pg_array a = {0};

	(void)state;
	pg_array_init(&a, PG_TYPE_INT4);
	pg_array_int(&a, 1);
	pg_array_int(&a, -2);
	EXPECT(&a, "\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\2\0\0\0\1"
		   "\0\0\0\4\0\0\0\1\0\0\0\4\xff\xff\xff\xfe");
	pg_array_init(&a, PG_TYPE_INT2);
	pg_array_int(&a, 258);
	EXPECT(&a, "\0\0\0\1\0\0\0\0\0\0\0\x15\0\0\0\1\0\0\0\1\0\0\0\2\1\2");
}

static void null_is_told_in_the_head(void **state)
{
	struct pg_array a = {0};

	(void)state;
	pg_array_init(&a, PG_TYPE_INT8);
	pg_array_null(&a);
	pg_array_int(&a, 7);
	EXPECT(&a, "\0\0\0\1\0\0\0\1\0\0\0\x14\0\0\0\2\0\0\0\1"
		   "\xff\xff\xff\xff\0\0\0\x8\0\0\0\0\0\0\0\7");
}

static void nothing_but_null_is_an_empty_array(void **state)
{
	struct pg_array a = {0};

	(void)state;
	pg_array_init(&a, PG_TYPE_TEXT);
	pg_array_null(&a);
	pg_array_null(&a);
	EXPECT(&a, "\0\0\0\0\0\0\0\0\0\0\0\x19");
}

static void times_count_from_2000(void **state)
{
	struct pg_array a = {0};

	(void)state;
	assert_int_equal(pg_time_of_ms(INT64_C(946684800000)), 0);
	assert_int_equal(pg_time_of_ms(INT64_C(946684800001)), 1000);
	assert_int_equal(pg_time_of_ms(0), INT64_C(-946684800000000));
	assert_true(pg_time_of_ms(INT64_MAX) > 0);
	assert_true(pg_time_of_ms(INT64_MIN) < 0);
	pg_array_init(&a, PG_TYPE_TIMESTAMPTZ);
	pg_array_time(&a, INT64_C(946684800001));
	EXPECT(&a, "\0\0\0\1\0\0\0\0\0\0\x4\xa0\0\0\0\1\0\0\0\1\0\0\0\x8\0\0\0\0\0\0\x3\xe8");
}

/* The one element's bytes. */
static void expect_text(enum pg_type type, const char *text, size_t len, const char *expected)
{
	struct pg_array a = {0};
	size_t form = type == PG_TYPE_JSONB ? 1 : 0, got;
	const char *data;

	pg_array_init(&a, type);
	pg_array_text(&a, text, len);
	pg_array_bytes(&a, &data, &got);
	assert_int_equal(got, 24 + form + strlen(expected));
	assert_int_equal((unsigned char)data[23], form + strlen(expected));
	if (form != 0)
		assert_int_equal(data[24], 1);
	assert_memory_equal(data + 24 + form, expected, strlen(expected));
	pg_array_done(&a);
}

static void a_text_is_made_fit(void **state)
{
	static const char nul[] = "a\0b", long_bad[] = "0123456789abcdef\xff tail";

	(void)state;
	expect_text(PG_TYPE_TEXT, "", 0, "");
	expect_text(PG_TYPE_TEXT, "plain ascii of any length, 0-9", 30,
		    "plain ascii of any length, 0-9");
	expect_text(PG_TYPE_TEXT, "gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f");
	expect_text(PG_TYPE_TEXT, nul, 3,
		    "a\xEF\xBF\xBD"
		    "b");
	expect_text(PG_TYPE_TEXT, long_bad, sizeof(long_bad) - 1,
		    "0123456789abcdef\xEF\xBF\xBD tail");
	/* Cut in the middle of a character; a backslash is nothing special in a text. */
	expect_text(PG_TYPE_TEXT, "x\xc3", 2, "x\xEF\xBF\xBD");
	expect_text(PG_TYPE_TEXT, "\\u0000", 6, "\\u0000");
}

static void json_loses_the_escapes_that_jsonb_refuses(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"{\"a\":1}", "{\"a\":1}"},
		{"\"\\u0000\"", "\"\xEF\xBF\xBD\""},
		{"\"\\u00e4\\n\\\\u0000\"", "\"\\u00e4\\n\\\\u0000\""},
		{"\"\\ud83d\\ude00\"", "\"\\ud83d\\ude00\""},
		{"\"\\ud83d\"", "\"\xEF\xBF\xBD\""},
		{"\"\\ud83d\\u0041\"", "\"\xEF\xBF\xBD\\u0041\""},
		{"\"\\ude00\"", "\"\xEF\xBF\xBD\""},
		{"\\", "\\"},
		{"\\u00", "\\u00"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_text(PG_TYPE_JSONB, cases[i].text, strlen(cases[i].text), cases[i].expected);
}

static void a_cleared_array_begins_anew(void **state)
{
	struct pg_array a = {0};

	(void)state;
	pg_array_init(&a, PG_TYPE_INT2);
	pg_array_null(&a);
	pg_array_clear(&a);
	pg_array_int(&a, 1);
	EXPECT(&a, "\0\0\0\1\0\0\0\0\0\0\0\x15\0\0\0\1\0\0\0\1\0\0\0\2\0\1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_in_network_order),
		cmocka_unit_test(null_is_told_in_the_head),
		cmocka_unit_test(nothing_but_null_is_an_empty_array),
		cmocka_unit_test(times_count_from_2000),
		cmocka_unit_test(a_text_is_made_fit),
		cmocka_unit_test(json_loses_the_escapes_that_jsonb_refuses),
		cmocka_unit_test(a_cleared_array_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
