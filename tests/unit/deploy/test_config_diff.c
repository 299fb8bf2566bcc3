/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "deploy/config_diff.h"

static const char *const units_text =
	"{'components': {'*': {'interval': 'ms', 'http': {'limit': 'bytes'}}},"
	" 'alerts': {'rules': {'*': {'for': 'ms'}}, 'waits': 'ms'}}";

static json_t *parse(const char *text)
{
	HALE_CLEANUP(cleanup_free) char *copy = mem_dup(text);
	json_t *json;

	for (char *p = copy; *p != '\0'; p++) {
		if (*p == '\'')
			*p = '"';
	}
	json = json_loads(copy, 0, NULL);
	assert_non_null(json);
	return json;
}

static json_t *diff_masked(const char *from, const char *from_masked, const char *to,
			   const char *to_masked, size_t *more_r)
{
	json_t *units = parse(units_text);
	json_t *a = parse(from), *am = parse(from_masked), *b = parse(to), *bm = parse(to_masked);
	json_t *out = config_diff(&(struct config_side){a, am}, &(struct config_side){b, bm}, units,
				  more_r);

	json_decref(units);
	json_decref(a);
	json_decref(am);
	json_decref(b);
	json_decref(bm);
	return out;
}

static void expect(json_t *got /* taken */, const char *wanted)
{
	json_t *want = parse(wanted);

	if (!json_equal(got, want)) {
		char *text = json_dumps(got, JSON_INDENT(1));

		print_error("got %s\n", text);
		free(text);
	}
	assert_true(json_equal(got, want));
	json_decref(got);
	json_decref(want);
}

static void check(const char *from, const char *to, const char *wanted)
{
	size_t more = 99;

	expect(diff_masked(from, from, to, to, &more), wanted);
	assert_int_equal(more, 0);
}

static void test_nothing_differs(void **state)
{
	(void)state;
	check("{'a': {'b': [1, {'c': null}]}}", "{'a': {'b': [1, {'c': null}]}}", "[]");
}

static void test_durations_and_sizes_read_as_written(void **state)
{
	(void)state;
	check("{'components': {'api': {'interval': 30000, 'http': {'limit': 1024}}}}",
	      "{'components': {'api': {'interval': 5400000, 'http': {'limit': 67108864}}}}",
	      "[{'path': 'components.api.interval', 'change': 'changed', 'old': '30s', 'new': "
	      "'1h30m'},"
	      " {'path': 'components.api.http.limit', 'change': 'changed', 'old': '1KB', 'new': "
	      "'64MB'}]");
}

static void test_added_and_removed_come_whole(void **state)
{
	(void)state;
	check("{'components': {'old': {'interval': 1000}, 'web.1': {'interval': 1}}}",
	      "{'components': {'new': {'interval': 2000}, 'web.1': {'interval': 1, 'x': true}}}",
	      "[{'path': 'components.new', 'change': 'added', 'new': {'interval': '2s'}},"
	      " {'path': 'components[\\\"web.1\\\"].x', 'change': 'added', 'new': true},"
	      " {'path': 'components.old', 'change': 'removed', 'old': {'interval': '1s'}}]");
}

static void test_null_is_a_value(void **state)
{
	(void)state;
	check("{'a': null}", "{'a': 1}",
	      "[{'path': 'a', 'change': 'changed', 'old': null, 'new': 1}]");
	check("{'a': null}", "{}", "[{'path': 'a', 'change': 'removed', 'old': null}]");
}

static void test_a_list_goes_by_the_names_of_its_members(void **state)
{
	(void)state;
	check("{'alerts': {'rules': [{'name': 'a', 'for': 1000}, {'name': 'b b'}, {'name': 'c'}]}}",
	      "{'alerts': {'rules': [{'name': 'b b', 'for': 2000}, {'name': 'a', 'for': 60000}]}}",
	      "[{'path': 'alerts.rules[\\\"b b\\\"].for', 'change': 'added', 'new': '2s'},"
	      " {'path': 'alerts.rules.a.for', 'change': 'changed', 'old': '1s', 'new': '1m'},"
	      " {'path': 'alerts.rules.c', 'change': 'removed', 'old': {'name': 'c'}}]");
}

static void test_only_the_order_of_names_is_a_change_too(void **state)
{
	(void)state;
	check("{'r': [{'name': 'a'}, {'name': 'b'}]}", "{'r': [{'name': 'b'}, {'name': 'a'}]}",
	      "[{'path': 'r[0].name', 'change': 'changed', 'old': 'a', 'new': 'b'},"
	      " {'path': 'r[1].name', 'change': 'changed', 'old': 'b', 'new': 'a'}]");
}

static void test_lists_without_names(void **state)
{
	(void)state;
	check("{'l': [{'x': 1}, {'x': 2}]}", "{'l': [{'x': 1}, {'x': 3}]}",
	      "[{'path': 'l[1].x', 'change': 'changed', 'old': 2, 'new': 3}]");
	check("{'l': [1, 2]}", "{'l': [1, 3]}",
	      "[{'path': 'l', 'change': 'changed', 'old': [1, 2], 'new': [1, 3]}]");
	check("{'l': [1]}", "{'l': {'x': 1}}",
	      "[{'path': 'l', 'change': 'changed', 'old': [1], 'new': {'x': 1}}]");
}

static void test_a_secret_is_told_of_and_never_told(void **state)
{
	size_t more;

	(void)state;
	expect(diff_masked("{'c': {'token': 'sw0rd', 'x': 1}}", "{'c': {'token': '****', 'x': 1}}",
			   "{'c': {'token': 'f1sh', 'x': 2}}", "{'c': {'token': '****', 'x': 2}}",
			   &more),
	       "[{'path': 'c.token', 'change': 'changed', 'secret': true},"
	       " {'path': 'c.x', 'change': 'changed', 'old': 1, 'new': 2}]");
	/* A whole list may hide behind one mask. */
	expect(diff_masked("{'l': ['sw0rd']}", "{'l': '****'}", "{'l': ['f1sh', 'x']}",
			   "{'l': '****'}", &more),
	       "[{'path': 'l', 'change': 'changed', 'secret': true}]");
	expect(diff_masked("{}", "{}", "{'c': {'token': 'f1sh'}}", "{'c': {'token': '****'}}",
			   &more),
	       "[{'path': 'c', 'change': 'added', 'new': {'token': '****'}}]");
	/* Names that are secret name nothing. */
	expect(diff_masked("{'l': [{'name': 'sw0rd'}]}", "{'l': [{'name': '****'}]}",
			   "{'l': [{'name': 'f1sh'}]}", "{'l': [{'name': '****'}]}", &more),
	       "[{'path': 'l[\\\"****\\\"].name', 'change': 'changed', 'secret': true}]");
}

static void test_what_is_long_is_told_by_its_size(void **state)
{
	HALE_CLEANUP(str_done) struct str to = {0};
	size_t more;

	(void)state;
	str_add(&to, "{'a': '");
	for (size_t i = 0; i < 2000; i++)
		str_addc(&to, 'x');
	str_add(&to, "'}");
	expect(diff_masked("{'a': 1}", "{'a': 1}", str_text(&to), str_text(&to), &more),
	       "[{'path': 'a', 'change': 'changed', 'old': 1, 'new': '(2002 bytes)'}]");
}

static void test_what_is_too_many_is_counted(void **state)
{
	HALE_CLEANUP(str_done) struct str to = {0};
	size_t more;
	json_t *diff;

	(void)state;
	str_add(&to, "{'a': {}");
	for (size_t i = 0; i < CONFIG_DIFF_MAX + 7; i++)
		str_addf(&to, ", 'k%zu': %zu", i, i);
	str_add(&to, "}");
	diff = diff_masked("{'a': {}}", "{'a': {}}", str_text(&to), str_text(&to), &more);
	assert_int_equal(json_array_size(diff), CONFIG_DIFF_MAX);
	assert_int_equal(more, 7);
	json_decref(diff);
}

/* Against the naive model: two random trees have a diff exactly when they differ, every entry names
 * another place, and the diff of the other direction swaps added and removed. */
static uint32_t draw(uint64_t *rnd)
{
	*rnd = *rnd * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*rnd >> 33);
}

static json_t *random_tree(uint64_t *rnd, unsigned depth)
{
	uint32_t what = draw(rnd) % (depth > 3 ? 3 : 5);
	json_t *out;

	if (what < 3)
		return json_integer(what);
	out = what == 3 ? json_object() : json_array();
	for (uint32_t n = draw(rnd) % 4; n > 0; n--) {
		char key[2] = {(char)('a' + draw(rnd) % 4), '\0'};

		if (what == 3)
			json_object_set_new(out, key, random_tree(rnd, depth + 1));
		else
			json_array_append_new(out, random_tree(rnd, depth + 1));
	}
	return out;
}

static size_t count(const json_t *diff, const char *change)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(diff); i++)
		n += str_eq(json_string_value(json_object_get(json_array_get(diff, i), "change")),
			    change);
	return n;
}

static void test_random_trees(void **state)
{
	uint64_t rnd = 42;

	(void)state;
	for (size_t i = 0; i < 20000; i++) {
		json_t *a = json_pack("{s:o}", "r", random_tree(&rnd, 0));
		json_t *b = json_pack("{s:o}", "r", random_tree(&rnd, 0));
		struct config_side from = {a, a}, to = {b, b};
		json_t *paths = json_object();
		size_t more;
		json_t *there = config_diff(&from, &to, NULL, &more);
		json_t *back = config_diff(&to, &from, NULL, &more);

		assert_true((json_array_size(there) == 0) == (json_equal(a, b) == 1));
		assert_int_equal(json_array_size(there), json_array_size(back));
		assert_int_equal(count(there, "added"), count(back, "removed"));
		for (size_t j = 0; j < json_array_size(there); j++)
			json_object_set_new(paths,
					    json_string_value(json_object_get(
						    json_array_get(there, j), "path")),
					    json_true());
		assert_int_equal(json_object_size(paths), json_array_size(there));
		json_decref(a);
		json_decref(b);
		json_decref(paths);
		json_decref(there);
		json_decref(back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_differs),
		cmocka_unit_test(test_durations_and_sizes_read_as_written),
		cmocka_unit_test(test_added_and_removed_come_whole),
		cmocka_unit_test(test_null_is_a_value),
		cmocka_unit_test(test_a_list_goes_by_the_names_of_its_members),
		cmocka_unit_test(test_only_the_order_of_names_is_a_change_too),
		cmocka_unit_test(test_lists_without_names),
		cmocka_unit_test(test_a_secret_is_told_of_and_never_told),
		cmocka_unit_test(test_what_is_long_is_told_by_its_size),
		cmocka_unit_test(test_what_is_too_many_is_counted),
		cmocka_unit_test(test_random_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
