/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "store/series_plan.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define NOW    INT64_C(1800000000000) /* 2027-01-15T08:00:00Z, a Friday */

/* A store that is old enough for everything. */
static struct series_scope scope(int64_t range_ms)
{
	return (struct series_scope){.from_ms = NOW - range_ms,
				     .to_ms = NOW,
				     .points_max = 300,
				     .all_max = 50000,
				     .series = 1,
				     .raw_rows_per_ms = 0.1,
				     .oldest_ms = {[SERIES_RAW] = NOW - range_ms,
						   [SERIES_5M] = NOW - 90 * DAY,
						   [SERIES_1H] = NOW - 400 * DAY,
						   [SERIES_1D] = NOW - 400 * DAY}};
}

static struct series_plan plan(const struct series_scope *c)
{
	struct series_plan p = {0};

	series_plan_make(c, &p);
	return p;
}

static void expect_plan(int64_t range_ms, int64_t step_ms, enum series_source source, size_t steps)
{
	struct series_scope c = scope(range_ms);
	struct series_plan p = plan(&c);

	assert_int_equal(p.step_ms, step_ms);
	assert_int_equal(p.source, source);
	assert_int_equal(p.steps, steps);
	assert_int_equal(p.first_ms, NOW - range_ms);
}

static void ranges_that_people_ask_for(void **state)
{
	(void)state;
	expect_plan(HOUR / 2, 10000, SERIES_RAW, 180);
	expect_plan(HOUR, 30000, SERIES_RAW, 120);
	expect_plan(6 * HOUR, 5 * MINUTE, SERIES_5M, 72);
	expect_plan(DAY, 5 * MINUTE, SERIES_5M, 288);
	expect_plan(7 * DAY, HOUR, SERIES_1H, 168);
}

static void steps_are_aligned_to_utc(void **state)
{
	struct series_scope c = scope(30 * DAY);
	struct series_plan p = plan(&c);

	(void)state;
	assert_int_equal(p.step_ms, 3 * HOUR);
	assert_int_equal(p.first_ms, NOW - 30 * DAY - 2 * HOUR); /* 06:00 */
	assert_int_equal(p.steps, 241);
	assert_int_equal(p.source, SERIES_1H);
	c.step_ms = 2 * DAY; /* the next one is a week, from Monday on */
	p = plan(&c);
	assert_int_equal(p.step_ms, 7 * DAY);
	assert_int_equal((p.first_ms / DAY + 3) % 7, 0);
	assert_in_range(c.from_ms - p.first_ms, 0, 7 * DAY - 1);
}

static void raw_rows_only_where_that_is_quick(void **state)
{
	struct series_scope c = scope(HOUR);

	(void)state;
	c.raw_rows_per_ms = 20; /* 72 million in an hour */
	assert_int_equal(plan(&c).source, SERIES_5M);
	assert_int_equal(plan(&c).step_ms, 5 * MINUTE);
	c = scope(4 * HOUR); /* 1.4 million */
	assert_int_equal(plan(&c).source, SERIES_5M);
	c.raw_rows_per_ms = 0.01;
	assert_int_equal(plan(&c).source, SERIES_RAW);
	assert_int_equal(plan(&c).step_ms, MINUTE);
	c = scope(HOUR);
	c.oldest_ms[SERIES_RAW] = INT64_MAX; /* beyond their retention */
	assert_int_equal(plan(&c).source, SERIES_5M);
	/* A store too young for rollups has raw rows only. */
	c = scope(8 * HOUR);
	c.step_ms = MINUTE;
	c.points_max = 1000;
	c.oldest_ms[SERIES_5M] = c.oldest_ms[SERIES_1H] = c.oldest_ms[SERIES_1D] = INT64_MAX;
	c.raw_rows_per_ms = 0.001;
	assert_int_equal(plan(&c).source, SERIES_RAW);
	assert_int_equal(plan(&c).step_ms, MINUTE);
}

static void what_is_kept_no_longer_is_told_in_coarser_steps(void **state)
{
	struct series_scope c = scope(DAY);

	(void)state;
	c.from_ms = NOW - 100 * DAY;
	c.to_ms = NOW - 99 * DAY;
	c.oldest_ms[SERIES_RAW] = INT64_MAX;
	assert_int_equal(plan(&c).source, SERIES_1H);
	assert_int_equal(plan(&c).step_ms, HOUR);
	/* Where no level has more, the finer one is as good. */
	c.oldest_ms[SERIES_5M] = c.oldest_ms[SERIES_1H] = c.oldest_ms[SERIES_1D] = NOW - 99 * DAY;
	assert_int_equal(plan(&c).source, SERIES_5M);
}

static void many_series_get_fewer_points(void **state)
{
	struct series_scope c = scope(30 * DAY);

	(void)state;
	c.series = 1000;
	assert_int_equal(plan(&c).step_ms, DAY);
	assert_int_equal(plan(&c).source, SERIES_1D);
	c = scope(DAY);
	c.series = 1000;
	assert_int_equal(plan(&c).step_ms, HOUR);
	c.series = 1000000;
	assert_int_equal(plan(&c).step_ms, 7 * DAY); /* as coarse as can be */
}

/* Whatever is asked: bounds hold, and every time of the range has its step. */
static void any_plan_is_within_its_bounds(void **state)
{
	static const size_t counts[] = {1, 3, 40, 1000};

	(void)state;
	srandom(7);
	for (int round = 0; round < 20000; round++) {
		struct series_scope c =
			scope(1 + ((int64_t)random() * 1000 + random()) % (400 * DAY));
		struct series_plan p, whole;

		c.to_ms += random() % DAY;
		c.points_max = 2 + (size_t)(random() % 2000);
		c.series = counts[random() % 4];
		c.step_ms = random() % 3 == 0 ? random() % (2 * DAY) : 0;
		p = plan(&c);
		assert_true(p.first_ms <= c.from_ms && c.from_ms - p.first_ms < p.step_ms);
		assert_int_equal(series_plan_step(&p, c.to_ms - 1), p.steps - 1);
		assert_true(p.step_ms >= c.step_ms);
		assert_true(p.source == SERIES_RAW || p.step_ms % series_source_ms(p.source) == 0);
		if (p.step_ms < 7 * DAY) {
			assert_true(p.steps <= c.points_max);
			assert_true(p.steps * c.series <= c.all_max);
		}
		series_plan_whole(&c, &whole);
		assert_int_equal(whole.steps, 1);
		assert_int_equal(series_plan_step(&whole, c.to_ms - 1), 0);
		assert_true(whole.first_ms <= c.from_ms);
	}
}

/* The first hour of a large store: not all fit, but those that do have something to show. */
static void too_many_series_come_from_what_there_is(void **state)
{
	struct series_scope c = scope(HOUR);
	struct series_plan p;

	(void)state;
	c.series = 60000;
	c.oldest_ms[SERIES_5M] = c.oldest_ms[SERIES_1H] = c.oldest_ms[SERIES_1D] = INT64_MAX;
	p = plan(&c);
	assert_int_equal(p.source, SERIES_RAW);
	assert_int_equal(p.step_ms, 7 * DAY);
	c.oldest_ms[SERIES_5M] = NOW - HOUR;
	assert_int_equal(plan(&c).source, SERIES_5M);
	/* More than can be read in a moment. */
	c.oldest_ms[SERIES_5M] = INT64_MAX;
	c.raw_rows_per_ms = 20;
	assert_int_equal(plan(&c).source, SERIES_1D);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_that_people_ask_for),
		cmocka_unit_test(steps_are_aligned_to_utc),
		cmocka_unit_test(raw_rows_only_where_that_is_quick),
		cmocka_unit_test(what_is_kept_no_longer_is_told_in_coarser_steps),
		cmocka_unit_test(many_series_get_fewer_points),
		cmocka_unit_test(too_many_series_come_from_what_there_is),
		cmocka_unit_test(any_plan_is_within_its_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
