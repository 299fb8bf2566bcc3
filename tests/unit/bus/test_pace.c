/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "bus/pace.h"

/* Virtual time: lines at the given moments, and every sync as soon as it is due. */
static size_t run(const int64_t *lines_ms, size_t n, int64_t until_ms, int64_t *syncs_r, size_t max)
{
	struct pace p = {0};
	size_t syncs = 0, next = 0;
	int64_t now = lines_ms[0];

	while (now <= until_ms) {
		while (next < n && lines_ms[next] <= now)
			pace_line(&p, lines_ms[next++]);
		if (pace_wait(&p, now) == 0) {
			pace_sync(&p, now);
			if (syncs < max)
				syncs_r[syncs] = now;
			syncs++;
			assert_true(pace_wait(&p, now) >= PACE_MIN_MS);
		}
		now += (int64_t)pace_wait(&p, now);
		if (next < n && lines_ms[next] < now)
			now = lines_ms[next];
	}
	return syncs;
}

static void after_a_line_at_once_then_ever_more_seldom(void **state)
{
	static const int64_t lines[] = {1000};
	static const int64_t expected[] = {1000, 2000, 11000, 71000, 131000};
	int64_t syncs[8];

	(void)state;
	assert_int_equal(run(lines, 1, 140000, syncs, 8), ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_int_equal(syncs[i], expected[i]);
}

static void lines_close_together_share_one(void **state)
{
	static const int64_t lines[] = {1000, 1010, 1099, 1100, 1150};
	static const int64_t expected[] = {1000, 1100, 1200, 2150};
	int64_t syncs[8];

	(void)state;
	assert_int_equal(run(lines, ARRAY_LEN(lines), 2200, syncs, 8), ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_int_equal(syncs[i], expected[i]);
}

static void a_line_a_second_costs_one_sync_each(void **state)
{
	int64_t lines[60], syncs[1];

	(void)state;
	for (int i = 0; i < 60; i++)
		lines[i] = 1000 + i * 999;
	assert_int_equal(run(lines, 60, lines[59], syncs, 1), 60);
}

/* However lines come: each is followed by a sync within PACE_MIN_MS, two syncs are never closer
 * than that, and silence is never longer than PACE_IDLE_MS. */
static void the_promises_hold_for_any_lines(void **state)
{
	int64_t lines[200], syncs[4000];

	(void)state;
	srandom(5);
	for (int round = 0; round < 200; round++) {
		size_t n = 1 + (size_t)random() % ARRAY_LEN(lines), count, s = 0;
		int64_t at = 1000;

		for (size_t i = 0; i < n; i++)
			lines[i] = at += random() % (round % 2 == 0 ? 150 : 30000);
		count = run(lines, n, at + 200000, syncs, ARRAY_LEN(syncs));
		assert_true(count <= ARRAY_LEN(syncs));
		for (size_t i = 1; i < count; i++)
			assert_in_range(syncs[i] - syncs[i - 1], PACE_MIN_MS, PACE_IDLE_MS);
		for (size_t i = 0; i < n; i++) {
			while (s < count && syncs[s] < lines[i])
				s++;
			assert_true(s < count && syncs[s] - lines[i] <= PACE_MIN_MS);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_a_line_at_once_then_ever_more_seldom),
		cmocka_unit_test(lines_close_together_share_one),
		cmocka_unit_test(a_line_a_second_costs_one_sync_each),
		cmocka_unit_test(the_promises_hold_for_any_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
