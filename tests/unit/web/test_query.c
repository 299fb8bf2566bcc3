/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <errno.h>
#include <math.h>

#include "query.h"

#define NOW  INT64_C(1800000000000)
#define HOUR INT64_C(3600000)

static struct read_query good(const struct query_text *text)
{
	struct read_query q;
	struct err err = {0};
	if (query_rows(text, READ_RESULTS, NOW, &q, &err))
		fail_msg("%s", err.text);
	return q;
}

static void bad(const struct query_text *text, const char *parameter)
{
	struct read_query q;
	struct err err = {0};
	assert_int_equal(query_rows(text, READ_RESULTS, NOW, &q, &err), -EINVAL);
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

static void what_is_a_kind_of_row(void **state)
{
	(void)state;
	assert_int_equal(good(&(struct query_text){.what = "transitions"}).what, READ_TRANSITIONS);
	assert_int_equal(good(&(struct query_text){.what = "deliveries"}).what, READ_DELIVERIES);
	bad(&(struct query_text){.what = "everything"}, "what");
}

static void an_empty_cursor_is_refused(void **state)
{
	(void)state;
	bad(&(struct query_text){.cursor = ""}, "cursor");
	assert_string_equal(good(&(struct query_text){.cursor = "x1"}).cursor, "x1");
}

/* ---- times ---- */

static struct query_range range(const struct query_text *text)
{
	struct query_range r;
	struct err err = {0};
	if (query_range(text, NOW, &r, &err))
		fail_msg("%s", err.text);
	return r;
}

static void a_time_range_is_a_duration_until_now(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t span;
	} rows[] = {{"30m", HOUR / 2},
		    {"24h", 24 * HOUR},
		    {"7d", 7 * 24 * HOUR},
		    {"1h30m", 3 * HOUR / 2},
		    {"400d", 400 * 24 * HOUR}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct query_range r = range(&(struct query_text){.time_range = rows[i].text});
		assert_int_equal(r.to_ms - r.from_ms, rows[i].span);
		assert_int_equal(r.to_ms, NOW);
		assert_true(r.is_open);
	}
	static const char *const none[] = {"", "0", "7", "-1h", "1y", "7 d", "4000d", "week"};
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		bad(&(struct query_text){.time_range = none[i]}, "timeRange");
}

static void times_may_be_written_in_several_ways(void **state)
{
	(void)state;
	/* All of them the first of January 2026, one in the morning, UTC. */
	static const char *const rows[] = {"2026-01-01T01:00:00Z",
					   "2026-01-01T02:00:00+01:00",
					   "2026-01-01T02:00:00 01:00",
					   "2026-01-01T01:00:00.000Z",
					   "1767229200",
					   "1767229200000"};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct query_range r =
			range(&(struct query_text){.from = rows[i], .to = "2026-01-02"});
		assert_int_equal(r.from_ms, INT64_C(1767229200000));
		assert_int_equal(r.to_ms, INT64_C(1767312000000));
		assert_false(r.is_open);
	}
	static const char *const none[] = {
		"",    "yesterday", "2026-13-01",          "2026-01-01T25:00:00Z",
		"1e9", "-1",        "12345678901234567890"};
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		bad(&(struct query_text){.from = none[i]}, "from");
		bad(&(struct query_text){.to = none[i]}, "to");
	}
}

static void one_end_of_a_time_is_enough(void **state)
{
	(void)state;
	struct query_range r = range(&(struct query_text){.from = "2027-01-01"});
	assert_int_equal(r.to_ms, NOW);
	assert_true(r.is_open);
	r = range(&(struct query_text){.to = "2026-01-02"});
	assert_int_equal(r.to_ms - r.from_ms, 24 * HOUR);
	assert_false(r.is_open);
	r = range(&(struct query_text){.from = "2027-01-01", .to = "2030-01-01"});
	assert_true(r.is_open);
}

static void times_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	bad(&(struct query_text){.from = "2026-01-02", .to = "2026-01-01"}, "from");
	bad(&(struct query_text){.from = "2026-01-02", .to = "2026-01-02"}, "from");
	bad(&(struct query_text){.from = "2001-01-01", .to = "2026-01-02"}, "from");
	/* Not "open", as 0 is in the store. */
	bad(&(struct query_text){.to = "0"}, "to");
	bad(&(struct query_text){.from = "1960-01-01", .to = "1961-01-01"}, "to");
	bad(&(struct query_text){.hours = "1", .time_range = "1h"}, "hours, timeRange");
	bad(&(struct query_text){.hours = "1", .from = "2026-01-02"}, "hours, timeRange");
	bad(&(struct query_text){.time_range = "1h", .to = "2026-01-02"}, "hours, timeRange");
}

static void nothing_was_before_1970(void **state)
{
	(void)state;
	assert_int_equal(good(&(struct query_text){.to = "3600"}).from_ms, 0);
	assert_int_equal(good(&(struct query_text){.from = "1969-12-31", .to = "3600"}).from_ms, 0);
}

static void rows_of_a_time_that_ends_now_have_no_end(void **state)
{
	(void)state;
	assert_int_equal(good(&(struct query_text){.time_range = "1h"}).to_ms, 0);
	assert_int_equal(good(&(struct query_text){.to = "2026-01-02"}).to_ms,
			 INT64_C(1767312000000));
}

/* ---- names ---- */

static void names_of_events_may_be_anything_printable(void **state)
{
	(void)state;
	const struct query_text text = {.what = "alerts", .component = "rule:API \xc3\xa9/1"};
	assert_string_equal(good(&text).name, text.component);
	bad(&(struct query_text){.what = "alerts", .component = "a\nb"}, "component");
	bad(&(struct query_text){.what = "alerts", .component = "\xff"}, "component");
	bad(&(struct query_text){.node = ""}, "node");
	assert_string_equal(good(&(struct query_text){.node = "web1"}).node, "web1");
}

/* ---- series and uptime ---- */

static void a_series_has_its_step_or_points(void **state)
{
	(void)state;
	struct series_query q;
	struct err err = {0};
	struct query_text text = {.metric = "took_ms", .time_range = "7d", .step = "1h"};
	assert_int_equal(query_series(&text, NOW, &q, &err), 0);
	assert_int_equal(q.step_ms, HOUR);
	assert_int_equal(q.points_max, SERIES_POINTS_DEFAULT);
	assert_int_equal(q.to_ms, NOW);
	text.step = NULL;
	text.points = "50";
	assert_int_equal(query_series(&text, NOW, &q, &err), 0);
	assert_int_equal(q.points_max, 50);
	static const struct {
		struct query_text text;
		const char *what;
	} rows[] = {
		{{.metric = "a", .step = "1s"}, "step"},
		{{.metric = "a", .step = "0"}, "step"},
		{{.metric = "a", .step = "x"}, "step"},
		{{.metric = "a", .points = "0"}, "points"},
		{{.metric = "a", .points = "2001"}, "points"},
		{{.metric = ""}, "metric"},
		{{.metric = "a", .component = "B"}, "component"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(query_series(&rows[i].text, NOW, &q, &err), -EINVAL);
		if (strncmp(err.text, rows[i].what, strlen(rows[i].what)) != 0)
			fail_msg("'%s' does not name %s", err.text, rows[i].what);
	}
}

/* Nobody watched what is to come. */
static void uptime_ends_now(void **state)
{
	(void)state;
	struct uptime_query q;
	struct err err = {0};
	struct query_text text = {.from = "2027-01-15", .to = "2027-01-30"};
	assert_int_equal(query_uptime(&text, NOW, &q, &err), 0);
	assert_int_equal(q.to_ms, NOW);
	text.from = "2027-01-29";
	assert_int_equal(query_uptime(&text, NOW, &q, &err), -EINVAL);
	if (strncmp(err.text, "from", 4) != 0)
		fail_msg("'%s' does not name from", err.text);
}

static void an_sla_is_a_percentage(void **state)
{
	(void)state;
	struct uptime_query q;
	struct err err = {0};
	struct query_text text = {.component = "api", .sla = "99.95"};
	assert_int_equal(query_uptime(&text, NOW, &q, &err), 0);
	assert_true(q.sla_percent > 99.94 && q.sla_percent < 99.96);
	text.sla = NULL;
	assert_int_equal(query_uptime(&text, NOW, &q, &err), 0);
	assert_true(isnan(q.sla_percent));
	static const char *const none[] = {"", "0", "100.1", "99,9", "nan", "-1"};
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		text.sla = none[i];
		assert_int_equal(query_uptime(&text, NOW, &q, &err), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_given_is_a_day_and_a_thousand_rows),
		cmocka_unit_test(hours_may_have_a_fraction),
		cmocka_unit_test(hours_that_are_none_are_refused),
		cmocka_unit_test(limits_are_whole_and_bounded),
		cmocka_unit_test(components_are_ids),
		cmocka_unit_test(what_is_a_kind_of_row),
		cmocka_unit_test(an_empty_cursor_is_refused),
		cmocka_unit_test(a_time_range_is_a_duration_until_now),
		cmocka_unit_test(times_may_be_written_in_several_ways),
		cmocka_unit_test(one_end_of_a_time_is_enough),
		cmocka_unit_test(times_that_make_no_sense_are_refused),
		cmocka_unit_test(nothing_was_before_1970),
		cmocka_unit_test(rows_of_a_time_that_ends_now_have_no_end),
		cmocka_unit_test(names_of_events_may_be_anything_printable),
		cmocka_unit_test(a_series_has_its_step_or_points),
		cmocka_unit_test(uptime_ends_now),
		cmocka_unit_test(an_sla_is_a_percentage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
