/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proc/tail.h"

static void fill(struct tail *t, uint64_t first, uint64_t last)
{
	for (uint64_t n = first; n <= last; n++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "line %llu", (unsigned long long)n);
		tail_add(t, n, (int64_t)n * 1000, 6, text);
	}
}

static const char *member(const json_t *lines, size_t i, const char *name)
{
	return json_string_value(json_object_get(json_array_get(lines, i), name));
}

static json_int_t number(const json_t *lines, size_t i)
{
	return json_integer_value(json_object_get(json_array_get(lines, i), "n"));
}

static void the_newest_lines_are_kept_oldest_first(void **state)
{
	struct tail t = {0};
	json_t *out = json_array();

	(void)state;
	fill(&t, 1, TAIL_LINES + 50);
	tail_encode(&t, "web", 0, TAIL_LINES, out);
	assert_int_equal(json_array_size(out), TAIL_LINES);
	assert_int_equal(number(out, 0), 51);
	assert_int_equal(number(out, TAIL_LINES - 1), TAIL_LINES + 50);
	assert_string_equal(member(out, 0, "text"), "line 51");
	assert_string_equal(member(out, 0, "at"), "1970-01-01T00:00:51.000Z");
	assert_string_equal(member(out, 0, "process"), "web");
	json_decref(out);
	tail_done(&t);
}

static void whoever_follows_gets_only_what_is_new(void **state)
{
	struct tail t = {0};
	json_t *out = json_array();

	(void)state;
	fill(&t, 1, 10);
	tail_encode(&t, "web", 8, TAIL_LINES, out);
	assert_int_equal(json_array_size(out), 2);
	assert_int_equal(number(out, 0), 9);
	tail_encode(&t, "web", 10, TAIL_LINES, out);
	assert_int_equal(json_array_size(out), 2);
	json_decref(out);
	tail_done(&t);
}

static void a_limit_gives_the_last_ones(void **state)
{
	struct tail t = {0};
	json_t *out = json_array();
	json_t *texts;

	(void)state;
	fill(&t, 1, 10);
	tail_encode(&t, "web", 0, 3, out);
	assert_int_equal(json_array_size(out), 3);
	assert_int_equal(number(out, 0), 8);
	texts = tail_texts(&t, 0, 2);
	assert_int_equal(json_array_size(texts), 2);
	assert_string_equal(json_string_value(json_array_get(texts, 0)), "line 9");
	json_decref(texts);
	json_decref(out);
	tail_done(&t);
}

static void priorities_become_levels(void **state)
{
	static const char *const wanted[] = {"fatal", "fatal", "fatal", "error",
					     "warn",  "info",  "info",  "debug"};
	struct tail t = {0};
	json_t *out = json_array();

	(void)state;
	for (int priority = 0; priority < 8; priority++)
		tail_add(&t, (uint64_t)priority + 1, 0, priority, "x");
	tail_encode(&t, "web", 0, TAIL_LINES, out);
	for (size_t i = 0; i < 8; i++)
		assert_string_equal(member(out, i, "level"), wanted[i]);
	json_decref(out);
	tail_done(&t);
}

static void an_empty_tail_is_an_empty_list(void **state)
{
	struct tail t = {0};
	json_t *texts = tail_texts(&t, 0, 5);

	(void)state;
	assert_true(json_is_array(texts));
	assert_int_equal(json_array_size(texts), 0);
	json_decref(texts);
	tail_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_lines_are_kept_oldest_first),
		cmocka_unit_test(whoever_follows_gets_only_what_is_new),
		cmocka_unit_test(a_limit_gives_the_last_ones),
		cmocka_unit_test(priorities_become_levels),
		cmocka_unit_test(an_empty_tail_is_an_empty_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
