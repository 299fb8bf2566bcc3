/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <errno.h>

#include "query.h"

#define NOW  INT64_C(1800000000000)
#define HOUR INT64_C(3600000)

static struct read_query good(const struct query_text *text)
{
	struct read_query q;
	struct err err = {0};
	if (query_parse(text, READ_RESULTS, NOW, &q, &err))
		fail_msg("%s", err.text);
	return q;
}

static void bad(const struct query_text *text, const char *parameter)
{
	struct read_query q;
	struct err err = {0};
	assert_int_equal(query_parse(text, READ_RESULTS, NOW, &q, &err), -EINVAL);
	if (strncmp(err.text, parameter, strlen(parameter)) != 0)
		fail_msg("'%s' does not name %s", err.text, parameter);
}

static void nothing_given_is_a_day_and_a_thousand_rows(void **state)
{
	(void)state;
	struct read_query q = good(&(struct query_text){0});
	assert_int_equal(q.from_ms, NOW - 24 * HOUR);
	assert_int_equal(q.to_ms, 0);
	assert_int_equal(q.limit, 1000);
	assert_int_equal(q.what, READ_RESULTS);
	assert_null(q.name);
}

static void hours_may_have_a_fraction(void **state)
{
	(void)state;
	struct read_query q = good(&(struct query_text){.hours = "0.5"});
	assert_int_equal(q.from_ms, NOW - HOUR / 2);
}

static void hours_that_are_none_are_refused(void **state)
{
	(void)state;
	static const char *const rows[] = {"abc", "-1",    "0",   "",       "1h",
					   "nan", "inf",   "1e3", "0x10",   " 1",
					   "1 ",  "1.2.3", ".5",  "999999", "+1"};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		bad(&(struct query_text){.hours = rows[i]}, "hours");
}

static void limits_are_whole_and_bounded(void **state)
{
	(void)state;
	assert_int_equal(good(&(struct query_text){.limit = "1"}).limit, 1);
	assert_int_equal(good(&(struct query_text){.limit = "10000"}).limit, 10000);
	static const char *const rows[] = {"0", "10001", "-5", "2.5", "ten", ""};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		bad(&(struct query_text){.limit = rows[i]}, "limit");
}

static void components_are_ids(void **state)
{
	(void)state;
	assert_string_equal(good(&(struct query_text){.component = "ib_gateway.eu-1"}).name,
			    "ib_gateway.eu-1");
	bad(&(struct query_text){.component = "a'; DROP TABLE results--"}, "component");
	bad(&(struct query_text){.component = ""}, "component");
}

static void what_is_one_of_four(void **state)
{
	(void)state;
	assert_int_equal(good(&(struct query_text){.what = "transitions"}).what, READ_TRANSITIONS);
	bad(&(struct query_text){.what = "everything"}, "what");
}

static void an_empty_cursor_is_refused(void **state)
{
	(void)state;
	bad(&(struct query_text){.cursor = ""}, "cursor");
	assert_string_equal(good(&(struct query_text){.cursor = "x1"}).cursor, "x1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_given_is_a_day_and_a_thousand_rows),
		cmocka_unit_test(hours_may_have_a_fraction),
		cmocka_unit_test(hours_that_are_none_are_refused),
		cmocka_unit_test(limits_are_whole_and_bounded),
		cmocka_unit_test(components_are_ids),
		cmocka_unit_test(what_is_one_of_four),
		cmocka_unit_test(an_empty_cursor_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
