/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/cleanup.h"
#include "saw_view.h"

static void check_view(const char *json, const char *expected)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *saw = json_loads(json, 0, NULL);

	assert_true(json == NULL || saw != NULL);
	saw_view(&out, saw, false);
	assert_string_equal(str_text(&out), expected);
	json_decref(saw);
}

static void nothing_seen_is_nothing_shown(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	(void)state;
	saw_view(&out, NULL, false);
	assert_int_equal(out.len, 0);
	check_view("{}", "");
}

static void short_values_stand_in_a_column(void **state)
{
	(void)state;
	check_view("{\"request\": \"GET /\", \"status\": 200, \"ok\": true, \"body\": null}",
		   "  request  GET /\n"
		   "  status   200\n"
		   "  ok       true\n"
		   "  body     null\n");
}

static void sections_are_indented_below_their_name(void **state)
{
	(void)state;
	check_view("{\"http\": {\"answer\": \"HTTP/1.1 200\", \"headers\":"
		   " {\"server\": \"nginx\", \"content-length\": \"7\"}, \"body\": \"{}\"}}",
		   "  http\n"
		   "    answer  HTTP/1.1 200\n"
		   "    headers\n"
		   "      server          nginx\n"
		   "      content-length  7\n"
		   "    body  {}\n");
}

static void rows_are_a_table(void **state)
{
	(void)state;
	check_view("{\"first\": [{\"id\": 7, \"symbol\": \"AAPL\"}, {\"id\": 12, \"note\": null}]}",
		   "  first\n"
		   "    id  symbol  note\n"
		   "     7  AAPL\n"
		   "    12          null\n");
}

static void lists_and_long_texts_are_lines(void **state)
{
	(void)state;
	check_view("{\"dialogue\": [\"< 220 ready\", \"> QUIT\"], \"log\": \"one\\ntwo\\n\"}",
		   "  dialogue\n"
		   "    < 220 ready\n"
		   "    > QUIT\n"
		   "  log\n"
		   "    one\n"
		   "    two\n");
}

static void things_of_several_levels_stand_one_by_one(void **state)
{
	(void)state;
	check_view(
		"{\"endpoints\": [{\"name\": \"a\", \"headers\": {\"x\": 1}}, {\"name\": \"b\"}]}",
		"  endpoints\n"
		"    name  a\n"
		"    headers\n"
		"      x  1\n"
		"\n"
		"    name  b\n");
}

static void phases_are_a_timeline(void **state)
{
	(void)state;
	check_view("{\"phases\": {\"dns_ms\": 10, \"connect_ms\": 5, \"wait_ms\": 15,"
		   " \"total_ms\": 30}}",
		   "  phases\n"
		   "    dns      10 ms  ━━━━━━━━━━\n"
		   "    connect   5 ms            ━━━━━\n"
		   "    wait     15 ms                 ━━━━━━━━━━━━━━━\n"
		   "    total    30 ms\n");
}

static void phases_of_something_else_are_names_and_values(void **state)
{
	(void)state;
	check_view("{\"phases\": {\"moon\": \"full\"}}", "  phases\n"
							 "    moon  full\n");
	check_view("{\"phases\": {\"a_ms\": 1, \"total_ms\": 0}}", "  phases\n"
								   "    a_ms      1\n"
								   "    total_ms  0\n");
}

static void a_terminal_is_not_steered_by_what_was_seen(void **state)
{
	(void)state;
	check_view("{\"x\\u001b[2J\": \"a\\u001b]0;b\"}", "  x [2J  a ]0;b\n");
}

static void what_is_too_much_is_counted(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *list = json_array(), *rows = json_array(), *saw;

	(void)state;
	for (int i = 0; i < 43; i++) {
		json_array_append_new(list, json_string("line"));
		json_array_append_new(rows, json_pack("{s:i}", "n", i));
	}
	saw = json_pack("{s:o, s:o}", "lines", list, "rows", rows);
	saw_view(&out, saw, false);
	assert_non_null(strstr(str_text(&out), "    … 3 more of them\n"));
	assert_non_null(strstr(str_text(&out), "    … 23 more rows\n"));
	json_decref(saw);
}

static void deep_things_end_in_one_line(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *saw = json_object();

	(void)state;
	for (int i = 0; i < 100; i++)
		saw = json_pack("{s:o}", "in", saw);
	saw_view(&out, saw, false);
	assert_non_null(strstr(str_text(&out), "{\"in\": {\"in\": "));
	json_decref(saw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_seen_is_nothing_shown),
		cmocka_unit_test(short_values_stand_in_a_column),
		cmocka_unit_test(sections_are_indented_below_their_name),
		cmocka_unit_test(rows_are_a_table),
		cmocka_unit_test(lists_and_long_texts_are_lines),
		cmocka_unit_test(things_of_several_levels_stand_one_by_one),
		cmocka_unit_test(phases_are_a_timeline),
		cmocka_unit_test(phases_of_something_else_are_names_and_values),
		cmocka_unit_test(a_terminal_is_not_steered_by_what_was_seen),
		cmocka_unit_test(what_is_too_much_is_counted),
		cmocka_unit_test(deep_things_end_in_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
