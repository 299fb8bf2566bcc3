/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "schedule.h"

#define START 1000003 /* no round number: slots count from the start */

static void add_many(struct schedule *s, size_t n, int64_t interval_ms)
{
	char id[32];

	for (size_t i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "component-%zu", i);
		assert_int_equal(schedule_add(s, id, interval_ms), i);
	}
}

/* Takes one tick and ends its run at once. */
static size_t take_and_end(struct schedule *s, int64_t now_ms)
{
	size_t index = SIZE_MAX;

	assert_int_equal(schedule_take(s, now_ms, &index), SCHEDULE_RUN);
	schedule_idle(s, index);
	return index;
}

static void an_empty_schedule_is_never_due(void **state)
{
	struct schedule *s = schedule_new(START);
	size_t index;

	(void)state;
	assert_true(schedule_next(s) == INT64_MAX);
	assert_int_equal(schedule_take(s, INT64_MAX - 1, &index), SCHEDULE_NONE);
	schedule_free(s);
}

/* Every first run within min(interval, 1 s), in at least half of the slots there are. */
static void check_first_runs(int64_t interval_ms, int64_t within_ms, int64_t step_ms)
{
	struct schedule *s = schedule_new(START);
	size_t slots = (size_t)(within_ms / step_ms);
	HALE_CLEANUP(cleanup_free) size_t *seen = mem_array(slots, sizeof(*seen));
	size_t used = 0;

	add_many(s, 1000, interval_ms);
	for (size_t i = 0; i < 1000; i++) {
		int64_t due = schedule_next(s);

		assert_in_range(due, START, START + within_ms - 1);
		seen[(size_t)((due - START) / step_ms)]++;
		take_and_end(s, due);
	}
	for (size_t i = 0; i < slots; i++)
		used += seen[i] > 0;
	assert_true(used >= (slots + 1) / 2);
	schedule_free(s);
}

static void first_runs_are_soon_and_spread(void **state)
{
	(void)state;
	check_first_runs(60000, 1000, 100);
	check_first_runs(1000, 1000, 100);
	check_first_runs(500, 500, 10);
	check_first_runs(50, 50, 10);
}

static void ten_thousand_components_are_spread_over_their_interval(void **state)
{
	struct schedule *s = schedule_new(START);
	size_t slots[10] = {0};
	size_t wakes = 0;
	size_t runs = 0;

	(void)state;
	add_many(s, 10000, 10000);
	/* After one and a half intervals all are on their grids; then one interval is looked at. */
	while (schedule_next(s) < START + 16000)
		take_and_end(s, schedule_next(s));
	for (int64_t due = schedule_next(s); due < START + 26000; due = schedule_next(s)) {
		size_t index;

		wakes++;
		while (schedule_take(s, due, &index) == SCHEDULE_RUN) {
			schedule_idle(s, index);
			slots[(due - START) / 1000 % 10]++;
			runs++;
		}
	}
	for (size_t i = 0; i < 10; i++)
		assert_in_range(slots[i], 900, 1100);
	assert_int_equal(runs, 10000);
	assert_int_equal(wakes, 10); /* one a second, and not one a check */
	assert_true(schedule_skipped(s) == 0);
	schedule_free(s);
}

static void the_second_run_comes_half_to_one_and_a_half_intervals_after_the_first(void **state)
{
	struct schedule *s = schedule_new(START);
	int64_t first[1000];

	(void)state;
	add_many(s, 1000, 60000);
	for (size_t i = 0; i < 1000; i++) {
		int64_t due = schedule_next(s);

		first[take_and_end(s, due)] = due;
	}
	for (size_t i = 0; i < 1000; i++) {
		int64_t due = schedule_next(s);
		size_t index = take_and_end(s, due);

		assert_in_range(due - first[index], 30000 - 1000, 90000 + 1000);
	}
	schedule_free(s);
}

static void lateness_does_not_move_the_grid(void **state)
{
	struct schedule *s = schedule_new(START);
	int64_t base;

	(void)state;
	schedule_add(s, "a", 10000);
	take_and_end(s, schedule_next(s));
	base = schedule_next(s);
	for (int64_t k = 0; k < 10000; k++) {
		assert_true(schedule_next(s) == base + k * 10000);
		take_and_end(s, schedule_next(s) + k * 7919 % 9999);
	}
	assert_true(schedule_skipped(s) == 0);
	assert_in_range(schedule_late_max_ms(s), 9900, 9998);
	schedule_free(s);
}

static void an_interval_of_no_whole_slots_does_not_drift(void **state)
{
	struct schedule *s = schedule_new(START);
	int64_t base;

	(void)state;
	schedule_add(s, "a", 7300);
	take_and_end(s, schedule_next(s));
	base = schedule_next(s);
	for (int64_t k = 0; k < 10000; k++) {
		int64_t due = schedule_next(s);

		assert_in_range(due, base + k * 7300 - 1000, base + k * 7300 + 1000);
		assert_int_equal((due - START) % 1000, 0);
		take_and_end(s, due);
	}
	schedule_free(s);
}

static void a_tick_while_busy_is_told_and_counted(void **state)
{
	struct schedule *s = schedule_new(START);
	size_t index;

	(void)state;
	schedule_add(s, "a", 1000);
	assert_int_equal(schedule_take(s, schedule_next(s), &index), SCHEDULE_RUN);
	assert_int_equal(schedule_take(s, schedule_next(s), &index), SCHEDULE_BUSY);
	assert_int_equal(schedule_take(s, schedule_next(s), &index), SCHEDULE_BUSY);
	assert_true(schedule_skipped(s) == 2);
	schedule_idle(s, index);
	assert_int_equal(schedule_take(s, schedule_next(s), &index), SCHEDULE_RUN);
	assert_true(schedule_skipped(s) == 2);
	schedule_free(s);
}

static void ticks_nobody_asked_for_are_counted_and_run_once(void **state)
{
	struct schedule *s = schedule_new(START);
	size_t index;
	int64_t due;

	(void)state;
	schedule_add(s, "a", 1000);
	due = schedule_next(s);
	take_and_end(s, due + 5500);
	assert_true(schedule_skipped(s) == 5);
	assert_true(schedule_next(s) == due + 6000);
	assert_int_equal(schedule_take(s, due + 5999, &index), SCHEDULE_NONE);
	schedule_free(s);
}

/* ---- Against a naive model ---- */

struct model_entry {
	int64_t interval_ms;
	int64_t due_ms;
	bool is_busy;
	bool was_taken;
};

#define MODEL_N 300

/* The phases are the schedule's own choice: they are read off a second schedule. */
static void learn_phases(struct model_entry *m)
{
	struct schedule *s = schedule_new(START);
	size_t left = MODEL_N;
	char id[32];

	for (size_t i = 0; i < MODEL_N; i++) {
		snprintf(id, sizeof(id), "c%zu", i);
		schedule_add(s, id, m[i].interval_ms);
	}
	while (left > 0) {
		int64_t due = schedule_next(s);
		size_t i = take_and_end(s, due);

		left -= m[i].due_ms == 0;
		if (m[i].due_ms == 0)
			m[i].due_ms = due;
	}
	schedule_free(s);
}

/* The distance from the first tick to the second is the only irregular one. */
static void learn_seconds(struct model_entry *m, int64_t *second)
{
	struct schedule *s = schedule_new(START);
	HALE_CLEANUP(cleanup_free) int *seen = mem_array(MODEL_N, sizeof(*seen));
	size_t left = MODEL_N;
	char id[32];

	for (size_t i = 0; i < MODEL_N; i++) {
		snprintf(id, sizeof(id), "c%zu", i);
		schedule_add(s, id, m[i].interval_ms);
	}
	while (left > 0) {
		int64_t due = schedule_next(s);
		size_t i = take_and_end(s, due);

		if (++seen[i] == 2) {
			second[i] = due;
			left--;
		}
	}
	schedule_free(s);
}

static void it_agrees_with_a_naive_model(void **state)
{
	static const int64_t intervals[] = {10, 50, 200, 990, 1000, 1500, 4900, 5000, 30000, 60000};
	struct schedule *s = schedule_new(START);
	struct model_entry m[MODEL_N] = {0};
	int64_t second[MODEL_N];
	bool is_first[MODEL_N];
	uint64_t skipped = 0;
	int64_t now = START;
	unsigned seed = 42;
	char id[32];

	(void)state;
	for (size_t i = 0; i < MODEL_N; i++) {
		m[i].interval_ms = intervals[i % ARRAY_LEN(intervals)];
		is_first[i] = true;
		snprintf(id, sizeof(id), "c%zu", i);
		schedule_add(s, id, m[i].interval_ms);
	}
	learn_phases(m);
	learn_seconds(m, second);
	for (int step = 0; step < 20000; step++) {
		enum schedule_tick tick;
		size_t index;

		now += rand_r(&seed) % 100 == 0 ? rand_r(&seed) % 70000 : rand_r(&seed) % 30;
		while ((tick = schedule_take(s, now, &index)) != SCHEDULE_NONE) {
			struct model_entry *e = &m[index];

			assert_true(e->due_ms <= now);
			assert_int_equal(tick, e->is_busy ? SCHEDULE_BUSY : SCHEDULE_RUN);
			skipped += e->is_busy;
			e->is_busy = true;
			e->due_ms = is_first[index] ? second[index] : e->due_ms + e->interval_ms;
			is_first[index] = false;
			while (e->due_ms <= now) {
				e->due_ms += e->interval_ms;
				skipped++;
			}
		}
		for (size_t i = 0; i < MODEL_N; i++) {
			assert_true(m[i].due_ms > now);
			assert_true(m[i].due_ms >= schedule_next(s));
			if (m[i].is_busy && rand_r(&seed) % 3 == 0) {
				m[i].is_busy = false;
				schedule_idle(s, i);
			}
		}
		assert_true(schedule_skipped(s) == skipped);
	}
	schedule_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_schedule_is_never_due),
		cmocka_unit_test(first_runs_are_soon_and_spread),
		cmocka_unit_test(ten_thousand_components_are_spread_over_their_interval),
		cmocka_unit_test(
			the_second_run_comes_half_to_one_and_a_half_intervals_after_the_first),
		cmocka_unit_test(lateness_does_not_move_the_grid),
		cmocka_unit_test(an_interval_of_no_whole_slots_does_not_drift),
		cmocka_unit_test(a_tick_while_busy_is_told_and_counted),
		cmocka_unit_test(ticks_nobody_asked_for_are_counted_and_run_once),
		cmocka_unit_test(it_agrees_with_a_naive_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
