/* SPDX-License-Identifier: Apache-2.0 */
#include "past_fixture.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/series.h"
#include "store/series_text.h"

#define T0     PAST_T0
#define MINUTE PAST_MINUTE
#define HOUR   PAST_HOUR
#define DAY    PAST_DAY
#define TOOK   1
#define BYTES  2

static json_t *ask(struct past *p, struct series_query q)
{
	json_t *out = NULL;

	q.now_ms = T0;
	past_must(p, series_read(p->s, &q, &out, &p->err));
	return out;
}

static double number(const json_t *object, const char *key)
{
	json_t *v = json_object_get(object, key);

	assert_true(json_is_number(v));
	return json_number_value(v);
}

static void expect_text(const json_t *object, const char *key, const char *text)
{
	assert_string_equal(json_string_value(json_object_get(object, key)), text);
}

static json_t *nth_series(const json_t *answer, size_t i)
{
	return json_array_get(json_object_get(answer, "series"), i);
}

static json_t *points(const json_t *answer, size_t i)
{
	return json_object_get(nth_series(answer, i), "points");
}

static void expect_point(const json_t *point, int64_t at, double count, double min, double avg,
			 double max)
{
	char text[CLOCK_TEXT_MAX];

	expect_text(point, "at", clock_format(at, text));
	assert_true(number(point, "count") == count);
	assert_true(number(point, "min") == min);
	assert_true(fabs(number(point, "avg") - avg) < 1e-6);
	assert_true(number(point, "max") == max);
	assert_true(number(point, "p95") >= min && number(point, "p95") <= max);
}

static void expect_gap(const json_t *point)
{
	assert_true(number(point, "count") == 0);
	assert_true(json_is_null(json_object_get(point, "min")));
	assert_true(json_is_null(json_object_get(point, "avg")));
	assert_true(json_is_null(json_object_get(point, "max")));
	assert_true(json_is_null(json_object_get(point, "p95")));
}

static void fill_names(struct past *p)
{
	past_epoch(p, 1, "web1", T0 - 400 * DAY, T0);
	past_component(p, 1, "web1", "api");
	past_component(p, 2, "web1", "db");
	past_component(p, 3, "web2", "api");
	past_metric(p, TOOK, "took_ms");
	past_metric(p, BYTES, "bytes");
}

/* --- rollups --- */

static void a_day_comes_from_five_minutes_with_gaps(void **state)
{
	struct past *p = *state;
	json_t *out, *v;

	fill_names(p);
	past_rollup(p, "5m", TOOK, 1, T0 - 23 * HOUR, (double[]){1, 2, 6}, 3);
	past_rollup(p, "5m", TOOK, 1, T0 - 23 * HOUR + 10 * MINUTE, (double[]){4}, 1);
	past_rollup(p, "5m", TOOK, 2, T0 - 23 * HOUR, (double[]){100}, 1);
	past_rollup(p, "5m", BYTES, 1, T0 - 23 * HOUR, (double[]){700}, 1);
	past_rollup(p, "5m", TOOK, 1, T0 - 25 * HOUR, (double[]){9}, 1); /* before */
	out = ask(p, (struct series_query){
			     .metric = "took_ms", .component = "db", .from_ms = T0 - DAY});
	assert_int_equal(json_array_size(json_object_get(out, "series")), 1);
	json_decref(out);
	out = ask(p, (struct series_query){.metric = "took_ms",
					   .component = "api",
					   .node = "web1",
					   .from_ms = T0 - DAY});
	expect_text(out, "metric", "took_ms");
	expect_text(out, "source", "5m");
	expect_text(out, "from", "2027-01-14T08:00:00.000Z");
	expect_text(out, "to", "2027-01-15T08:00:00.000Z");
	assert_int_equal(number(out, "step_ms"), 5 * MINUTE);
	assert_true(json_is_false(json_object_get(out, "truncated")));
	expect_text(nth_series(out, 0), "component", "api");
	expect_text(nth_series(out, 0), "node", "web1");
	v = points(out, 0);
	assert_int_equal(json_array_size(v), 3);
	expect_point(json_array_get(v, 0), T0 - 23 * HOUR, 3, 1, 3, 6);
	expect_gap(json_array_get(v, 1));
	expect_point(json_array_get(v, 2), T0 - 23 * HOUR + 10 * MINUTE, 1, 4, 4, 4);
	json_decref(out);
}

/* Count, sum, min and max are exact, the percentile is that of all values together. */
static void several_buckets_make_one_step(void **state)
{
	struct past *p = *state;
	double values[100];
	json_t *out, *point;

	fill_names(p);
	for (int i = 0; i < 100; i++)
		values[i] = i < 94 ? 10 + i * 0.01 : 1000;
	past_rollup(p, "1h", TOOK, 1, T0 - 20 * DAY + HOUR, values, 50);
	past_rollup(p, "1h", TOOK, 1, T0 - 20 * DAY + 2 * HOUR, values + 50, 50);
	past_rollup(p, "1h", TOOK, 1, T0 - 20 * DAY + 4 * HOUR, values, 1);
	past_rollup(p, "1d", TOOK, 1, T0 - 20 * DAY, values, 100);
	out = ask(p, (struct series_query){
			     .metric = "took_ms", .component = "api", .from_ms = T0 - 30 * DAY});
	expect_text(out, "source", "1h");
	assert_int_equal(number(out, "step_ms"), 3 * HOUR);
	assert_int_equal(json_array_size(points(out, 0)), 2);
	point = json_array_get(points(out, 0), 0);
	expect_point(point, T0 - 20 * DAY + HOUR, 100, 10, (94 * 10.465 + 6000) / 100, 1000);
	assert_true(fabs(number(point, "p95") - 1000) <= 16);
	json_decref(out);
}

static void all_components_are_series_by_name_and_node(void **state)
{
	struct past *p = *state;
	json_t *out;

	fill_names(p);
	for (int64_t c = 1; c <= 3; c++) {
		past_rollup(p, "1h", BYTES, c, T0 - 3 * HOUR, (double[]){(double)c}, 1);
		past_rollup(p, "1h", BYTES, c, T0 - 2 * HOUR, (double[]){10.5}, 1);
		past_rollup(p, "1d", BYTES, c, T0, (double[]){(double)c, 10.5}, 2);
	}
	out = ask(p, (struct series_query){
			     .metric = "bytes", .from_ms = T0 - 5 * DAY, .step_ms = HOUR});
	assert_int_equal(json_array_size(json_object_get(out, "series")), 3);
	expect_text(nth_series(out, 0), "node", "web1");
	expect_text(nth_series(out, 1), "node", "web2");
	expect_text(nth_series(out, 2), "component", "db");
	expect_point(json_array_get(points(out, 1), 0), T0 - 3 * HOUR, 1, 3, 3, 3);
	json_decref(out);
	out = ask(p, (struct series_query){.metric = "bytes",
					   .node = "web2",
					   .from_ms = T0 - 5 * DAY,
					   .step_ms = HOUR});
	assert_int_equal(json_array_size(json_object_get(out, "series")), 1);
	json_decref(out);
}

/* --- raw rows --- */

static void the_last_hour_comes_from_raw_rows(void **state)
{
	struct past *p = *state;
	json_t *out, *v;

	fill_names(p);
	past_run(p, "INSERT INTO metric_sets (id, names) VALUES (1, '[\"bytes\",\"code\"]')", NULL,
		 0);
	past_result(p, 1, T0 - 50 * MINUTE, 1500, 1, "10,200");
	past_result(p, 1, T0 - 50 * MINUTE + 20000, 2500, 1, "30.5,200");
	past_result(p, 2, T0 - 50 * MINUTE, 9000, 1, "99,200");
	past_result(p, 1, T0 - 48 * MINUTE, -1, 0, "{\"bytes\": 7.0, \"word\": \"x\"}");
	past_result(p, 1, T0 - 47 * MINUTE, -1, 0, NULL);
	out = ask(p, (struct series_query){
			     .metric = "bytes", .component = "api", .from_ms = T0 - HOUR});
	expect_text(out, "source", "raw");
	assert_int_equal(number(out, "step_ms"), 30000);
	v = points(out, 0);
	assert_int_equal(json_array_size(v), 5);
	expect_point(json_array_get(v, 0), T0 - 50 * MINUTE, 2, 10, 20.25, 30.5);
	for (size_t i = 1; i < 4; i++)
		expect_gap(json_array_get(v, i));
	expect_point(json_array_get(v, 4), T0 - 48 * MINUTE, 1, 7, 7, 7);
	json_decref(out);
	out = ask(p, (struct series_query){
			     .metric = "took_ms", .component = "api", .from_ms = T0 - HOUR});
	assert_int_equal(json_array_size(points(out, 0)), 1);
	expect_point(json_array_get(points(out, 0), 0), T0 - 50 * MINUTE, 2, 1.5, 2, 2.5);
	json_decref(out);
	/* A metric that was never rolled up. */
	out = ask(p, (struct series_query){.metric = "code", .from_ms = T0 - HOUR});
	assert_int_equal(json_array_size(json_object_get(out, "series")), 2);
	json_decref(out);
}

static void what_is_not_rolled_up_yet_comes_from_raw_rows(void **state)
{
	struct past *p = *state;
	json_t *out, *v;

	fill_names(p);
	past_rollup(p, "5m", TOOK, 1, T0 - 15 * MINUTE, (double[]){1}, 1);
	past_rollup(p, "5m", TOOK, 1, T0 - 10 * MINUTE, (double[]){2}, 1);
	past_result(p, 1, T0 - 10 * MINUTE, 2000, 0, NULL); /* is in the rollup */
	past_result(p, 1, T0 - 4 * MINUTE, 30000, 0, NULL);
	past_result(p, 1, T0 - MINUTE, 50000, 0, NULL);
	out = ask(p, (struct series_query){
			     .metric = "took_ms", .component = "api", .from_ms = T0 - 6 * HOUR});
	expect_text(out, "source", "5m");
	v = points(out, 0);
	assert_int_equal(json_array_size(v), 3);
	expect_point(json_array_get(v, 1), T0 - 10 * MINUTE, 1, 2, 2, 2);
	expect_point(json_array_get(v, 2), T0 - 5 * MINUTE, 2, 30, 40, 50);
	json_decref(out);
	/* In steps of 15 minutes the last one is of both. */
	out = ask(p, (struct series_query){.metric = "took_ms",
					   .component = "api",
					   .from_ms = T0 - 6 * HOUR,
					   .step_ms = 15 * MINUTE});
	expect_point(json_array_get(points(out, 0), 0), T0 - 15 * MINUTE, 4, 1, 83.0 / 4, 50);
	json_decref(out);
}

/* A check may tell numbers whose sum no double holds; JSON has no word for infinite. */
static void sums_beyond_all_numbers_stay_numbers(void **state)
{
	const struct series_query last_hour = {
		.metric = "bytes", .component = "api", .from_ms = T0 - HOUR, .now_ms = T0};
	struct past *p = *state;
	json_t *out = NULL;

	fill_names(p);
	past_run(p, "INSERT INTO metric_sets (id, names) VALUES (1, '[\"bytes\"]')", NULL, 0);
	past_result(p, 1, T0 - 50 * MINUTE, 1500, 1, "1.5e308");
	past_result(p, 1, T0 - 50 * MINUTE + 1, 1500, 1, "1.7e308");
	past_result(p, 1, T0 - 40 * MINUTE, 1500, 1, "-1.7e308");
	past_result(p, 1, T0 - 40 * MINUTE + 1, 1500, 1, "-1.7e308");
	past_must(p, series_read(p->s, &last_hour, &out, &p->err));
	assert_true(number(json_array_get(points(out, 0), 0), "avg") >= 1.5e308);
	assert_true(number(json_array_get(points(out, 0), 20), "avg") == -1.7e308);
	json_decref(out);
	past_must(p, series_summary(p->s, &last_hour, &out, &p->err));
	assert_int_equal(json_array_size(json_object_get(out, "metrics")), 1);
	json_decref(out);
}

/* --- questions --- */

static void bad_questions_are_refused(void **state)
{
	struct past *p = *state;
	const struct {
		struct series_query q;
		int rc;
	} bad[] = {
		{{.metric = "took_ms", .from_ms = T0, .to_ms = T0, .now_ms = T0}, -EINVAL},
		{{.metric = "took_ms", .from_ms = T0 + 1, .now_ms = T0}, -EINVAL},
		{{.metric = "took_ms", .from_ms = -1, .now_ms = T0}, -EINVAL},
		{{.metric = "took_ms", .now_ms = T0, .step_ms = -1}, -EINVAL},
		{{.now_ms = T0}, -EINVAL},
		{{.metric = "nothing", .now_ms = T0}, -ENOENT},
		{{.metric = "took_ms", .component = "nobody", .now_ms = T0}, -ENOENT},
	};
	json_t *out = NULL;

	fill_names(p);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(series_read(p->s, &bad[i].q, &out, &p->err), bad[i].rc);
	assert_null(out);
}

static void an_empty_store_has_an_empty_series(void **state)
{
	struct past *p = *state;
	json_t *out = ask(p, (struct series_query){.metric = "took_ms"});

	assert_int_equal(json_array_size(json_object_get(out, "series")), 0);
	json_decref(out);
}

/* Of everything there is: the range begins where the store does. */
static void an_open_range_begins_with_the_store(void **state)
{
	struct past *p = *state;
	json_t *out;

	past_epoch(p, 1, "web1", T0 - 10 * DAY, T0);
	past_component(p, 1, "web1", "api");
	past_metric(p, TOOK, "took_ms");
	past_rollup(p, "1h", TOOK, 1, T0 - 10 * DAY, (double[]){5}, 1);
	past_rollup(p, "1d", TOOK, 1, T0 - 10 * DAY, (double[]){5}, 1);
	out = ask(p, (struct series_query){.metric = "took_ms"});
	assert_int_equal(number(out, "step_ms"), HOUR);
	expect_text(out, "from", "2027-01-05T00:00:00.000Z");
	json_decref(out);
}

/* Steps to come would be nothing but memory, and a statement that names each day of them. */
static void a_range_ends_with_what_can_be_known(void **state)
{
	struct past *p = *state;
	const struct series_query ever = {
		.metric = "took_ms", .to_ms = INT64_C(253402300799999), .now_ms = T0};
	struct series_query to_come = {
		.metric = "took_ms", .from_ms = T0 + DAY, .to_ms = T0 + 2 * DAY, .now_ms = T0};
	json_t *out = NULL;

	fill_names(p);
	past_rollup(p, "1d", TOOK, 1, T0 - 100 * DAY, (double[]){5}, 1);
	past_must(p, series_read(p->s, &ever, &out, &p->err));
	/* Just behind the newest line. */
	expect_text(out, "to", "2027-01-15T08:00:00.001Z");
	assert_int_equal(json_array_size(points(out, 0)), 1);
	json_decref(out);
	past_must(p, series_read(p->s, &to_come, &out, &p->err));
	assert_int_equal(json_array_size(json_object_get(out, "series")), 0);
	json_decref(out);
	/* A clock that was set back hides nothing. */
	past_rollup(p, "5m", TOOK, 1, T0 + DAY, (double[]){7}, 1);
	past_epoch(p, 2, "web2", T0, T0 + DAY + HOUR);
	past_must(p, series_read(p->s, &to_come, &out, &p->err));
	expect_point(json_array_get(points(out, 0), 0), T0 + DAY, 1, 7, 7, 7);
	json_decref(out);
}

/* --- summary --- */

static const json_t *line_of(const json_t *summary, const char *component, const char *metric)
{
	json_t *line;
	size_t i;

	json_array_foreach (json_object_get(summary, "metrics"), i, line)
		if (strcmp(json_string_value(json_object_get(line, "component")), component) == 0 &&
		    strcmp(json_string_value(json_object_get(line, "metric")), metric) == 0)
			return line;
	fail_msg("no line of %s %s", component, metric);
	return NULL;
}

static void a_summary_tells_each_metric_once(void **state)
{
	struct past *p = *state;
	const struct series_query all = {.from_ms = T0 - DAY, .now_ms = T0};
	struct series_query one = {.component = "db", .from_ms = T0 - DAY, .now_ms = T0};
	json_t *out = NULL;
	const json_t *line;

	fill_names(p);
	past_rollup(p, "5m", TOOK, 1, T0 - 3 * HOUR, (double[]){1, 2, 3}, 3);
	past_rollup(p, "5m", TOOK, 1, T0 - 2 * HOUR, (double[]){10}, 1);
	past_rollup(p, "5m", BYTES, 2, T0 - 2 * HOUR, (double[]){-5}, 1);
	past_run(p,
		 "INSERT INTO component_states (component_id, at, status, took_us, metrics)"
		 " VALUES (1, @at{$1}, 0, 12500, NULL), (2, @at{$1}, 0, NULL, @jsonb{$2})",
		 (struct db_value[]){DB_V_INT(T0 - 1), db_v_text("{\"bytes\": 8}")}, 2);
	past_must(p, series_summary(p->s, &all, &out, &p->err));
	assert_int_equal(json_array_size(json_object_get(out, "metrics")), 2);
	line = line_of(out, "api", "took_ms");
	assert_int_equal(number(line, "count"), 4);
	assert_true(number(line, "min") == 1 && number(line, "avg") == 4);
	assert_true(number(line, "max") == 10 && number(line, "last") == 12.5);
	assert_true(fabs(number(line, "p95") - 10) < 0.2);
	json_decref(out);
	past_must(p, series_summary(p->s, &one, &out, &p->err));
	assert_int_equal(json_array_size(json_object_get(out, "metrics")), 1);
	line = line_of(out, "db", "bytes");
	assert_true(number(line, "p95") == -5 && number(line, "last") == 8);
	json_decref(out);
	one.to_ms = T0 - HOUR; /* the newest value came later */
	past_must(p, series_summary(p->s, &one, &out, &p->err));
	assert_true(json_is_null(json_object_get(line_of(out, "db", "bytes"), "last")));
	json_decref(out);
}

/* --- numbers as text --- */

static void numbers_are_short_and_right(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {{0, "0"},
		     {-0.0, "0"},
		     {12, "12"},
		     {-12, "-12"},
		     {0.1, "0.1"},
		     {-0.25, "-0.25"},
		     {2.0 / 3, "0.666667"},
		     {99.9999999, "100"},
		     {1234567.891, "1234567.891"},
		     {9007199254740992.0, "9007199254740992"},
		     {1e20, "1e+20"},
		     {0.000123456, "0.000123456"},
		     {1234567890.5, "1234567890.5"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str s = {0};

		series_text_number(&s, cases[i].value);
		assert_string_equal(str_text(&s), cases[i].text);
		str_done(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAST_TESTS(a_day_comes_from_five_minutes_with_gaps),
		PAST_TESTS(several_buckets_make_one_step),
		PAST_TESTS(all_components_are_series_by_name_and_node),
		PAST_TESTS(the_last_hour_comes_from_raw_rows),
		PAST_TESTS(what_is_not_rolled_up_yet_comes_from_raw_rows),
		PAST_TESTS(sums_beyond_all_numbers_stay_numbers),
		PAST_TESTS(bad_questions_are_refused),
		PAST_TESTS(an_empty_store_has_an_empty_series),
		PAST_TESTS(an_open_range_begins_with_the_store),
		PAST_TESTS(a_range_ends_with_what_can_be_known),
		PAST_TESTS(a_summary_tells_each_metric_once),
		cmocka_unit_test(numbers_are_short_and_right),
	};

	return cmocka_run_group_tests(tests, past_group_setup, past_group_teardown);
}
