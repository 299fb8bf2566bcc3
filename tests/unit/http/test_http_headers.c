/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "http_headers.h"

static void add(json_t *headers, const char *name, const char *value)
{
	char name_bytes[64], value_bytes[64];

	memcpy(name_bytes, name, strlen(name));
	memcpy(value_bytes, value, strlen(value));
	http_headers_add(headers, name_bytes, strlen(name), value_bytes, strlen(value));
}

static const char *text_of(const json_t *headers, const char *name)
{
	return json_string_value(json_object_get(headers, name));
}

static void test_values_of_one_name_are_joined_in_their_order(void **state)
{
	json_t *headers = json_object();

	(void)state;
	add(headers, "Vary", " a ");
	add(headers, "VARY", "b\r\n");
	add(headers, "x", "\xff");
	assert_string_equal(text_of(headers, "vary"), "a, b");
	assert_string_equal(text_of(headers, "x"), "?");
	json_decref(headers);
}

/* Each would copy all before it: a quarter of a megabyte of them held the loop for half a minute.
 */
static void test_what_is_joined_is_bounded(void **state)
{
	json_t *headers = json_object();

	(void)state;
	for (int i = 0; i < 20000; i++)
		add(headers, "a", "");
	add(headers, "b", "still taken");
	assert_true(strlen(text_of(headers, "a")) > HTTP_HEADER_JOINED_MAX / 2);
	assert_true(strlen(text_of(headers, "a")) <= HTTP_HEADER_JOINED_MAX);
	assert_string_equal(text_of(headers, "b"), "still taken");
	json_decref(headers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_of_one_name_are_joined_in_their_order),
		cmocka_unit_test(test_what_is_joined_is_bounded),
	};

	return cmocka_run_group_tests_name("http headers", tests, NULL, NULL);
}
