/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jtext.h"
#include "base/rnd.h"

static struct jtext checked(const char *text)
{
	struct jtext v;

	if (!jtext_check(text, strlen(text), &v))
		fail_msg("no JSON: %s", text);
	return v;
}

static void json_is_told_from_what_is_none(void **state)
{
	static const char *const good[] = {
		"{}",
		"[]",
		"\"\"",
		"0",
		"-0",
		"1.5e+10",
		"1e-999",
		"9223372036854775807",
		"-9223372036854775808",
		"123456789012345678901234567890.0",
		"true",
		" null ",
		"[1,[2,{\"a\":[]}]]",
		"\"\\u00e9\\ud83d\\ude00\"",
		"\"\xc3\xa9\"",
		"{ \"a\" : 1 }",
	};
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"}",
		"[1,]",
		"{\"a\"}",
		"{\"a\":}",
		"{a:1}",
		"01",
		"1.",
		".5",
		"+1",
		"1e",
		"nul",
		"truee",
		"\"",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\udc00\"",
		"\"\\ud800\"",
		"\"\\ud800\\u0041\"",
		"\"\n\"",
		"\"\xc3\"",
		"\"\xc0\x80\"",
		"\"\xed\xa0\x80\"",
		"[1 2]",
		"{\"a\":1,}",
		"1 1",
		"[}",
		"{]",
		/* What jansson does not read. */
		"\"a\\u0000\"",
		"9223372036854775808",
		"-9223372036854775809",
		"[123456789012345678901234567890]",
		"1e999",
		"[-1.5E+400]",
	};
	struct jtext v;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		(void)checked(good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (jtext_check(bad[i], strlen(bad[i]), &v))
			fail_msg("taken for JSON: %s", bad[i]);
	}
}

static void nesting_has_a_limit(void **state)
{
	char text[2 * JTEXT_DEPTH_MAX + 3];
	struct jtext v;

	(void)state;
	memset(text, '[', JTEXT_DEPTH_MAX);
	memset(text + JTEXT_DEPTH_MAX, ']', JTEXT_DEPTH_MAX);
	assert_true(jtext_check(text, (size_t)2 * JTEXT_DEPTH_MAX, &v));
	memset(text, '[', JTEXT_DEPTH_MAX + 1);
	memset(text + JTEXT_DEPTH_MAX + 1, ']', JTEXT_DEPTH_MAX + 1);
	assert_false(jtext_check(text, (size_t)2 * JTEXT_DEPTH_MAX + 2, &v));
}

static void members_are_found_in_order(void **state)
{
	struct jtext v =
		checked("{\"a\": {\"b\": \"}\"}, \"x\\\"y\" : [1, {\"c\": 2}] ,\"z\":-1.5}");
	struct jtext name, value;
	size_t at = 0;
	double number;

	(void)state;
	assert_true(jtext_next(v, &at, &name, &value));
	assert_int_equal(name.len, 1);
	assert_true(jtext_eq(jtext_get(value, "b"), "}"));
	assert_true(jtext_next(v, &at, &name, &value));
	assert_memory_equal(name.text, "x\\\"y", name.len);
	assert_true(jtext_is(value, "[1, {\"c\": 2}]"));
	assert_true(jtext_next(v, &at, &name, &value));
	assert_true(jtext_number(value, &number));
	assert_true(number <= -1.5 && number >= -1.5);
	assert_false(jtext_next(v, &at, &name, &value));
}

static void what_is_not_there_is_nothing(void **state)
{
	struct jtext v = checked("{\"a\": 1}"), none = jtext_get(v, "b");
	char buf[8] = "x";
	double number;
	size_t at = 0;

	(void)state;
	assert_null(none.text);
	assert_false(jtext_is_object(none) || jtext_is_string(none) || jtext_is_number(none));
	assert_false(jtext_eq(none, "") || jtext_is(none, "null"));
	assert_false(jtext_number(none, &number));
	assert_false(jtext_string(none, buf, sizeof(buf)));
	assert_string_equal(buf, "");
	assert_null(jtext_get(none, "c").text);
	assert_false(jtext_next(none, &at, &v, &v));
}

static void strings_are_decoded_into_their_room(void **state)
{
	char buf[9];

	(void)state;
	assert_true(jtext_string(checked("\"a\\n\\u00e9\\ud83d\\ude00\""), buf, sizeof(buf)));
	assert_string_equal(buf, "a\n\xc3\xa9\xf0\x9f\x98\x80");
	assert_false(jtext_string(checked("\"123456789\""), buf, sizeof(buf)));
	assert_string_equal(buf, "");
	assert_false(jtext_string((struct jtext){"\"a\\u0000\"", 9}, buf, sizeof(buf)));
}

/* Any text that jansson writes is read back the same. */
static void jansson_is_understood(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		json_t *object = json_object();
		char name[8], value[64];
		char *text;
		struct jtext v;

		for (unsigned i = 0; i < rnd_u32() % 8; i++) {
			(void)snprintf(name, sizeof(name), "n%u", i);
			for (size_t k = 0; k + 1 < sizeof(value); k++)
				value[k] = (char)(1 + rnd_u32() % 127);
			value[sizeof(value) - 1] = '\0';
			(void)json_object_set_new(object, name, json_string(value));
		}
		text = json_dumps(object, rnd_u32() % 2 ? JSON_COMPACT : JSON_INDENT(2));
		v = checked(text);
		for (unsigned i = 0; i < json_object_size(object); i++) {
			char got[128];

			(void)snprintf(name, sizeof(name), "n%u", i);
			assert_true(jtext_string(jtext_get(v, name), got, sizeof(got)));
			assert_string_equal(got, json_string_value(json_object_get(object, name)));
		}
		free(text);
		json_decref(object);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_told_from_what_is_none),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(members_are_found_in_order),
		cmocka_unit_test(what_is_not_there_is_nothing),
		cmocka_unit_test(strings_are_decoded_into_their_room),
		cmocka_unit_test(jansson_is_understood),
	};

	return cmocka_run_group_tests_name("base.jtext", tests, NULL, NULL);
}
