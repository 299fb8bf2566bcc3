/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/cleanup.h"
#include "timeline.h"

static void an_empty_one_has_nothing_to_wait_for(void **state)
{
	struct timeline t = {0};

	(void)state;
	assert_true(timeline_next(&t) == INT64_MAX);
	assert_null(timeline_take(&t, INT64_MAX - 1));
	timeline_done(&t);
}

static void what_is_due_comes_in_order_and_what_is_not_stays(void **state)
{
	struct timeline t = {0};
	struct timeline_item a = {0}, b = {0}, c = {0};

	(void)state;
	timeline_set(&t, &a, 30);
	timeline_set(&t, &b, 10);
	timeline_set(&t, &c, 20);
	assert_true(timeline_next(&t) == 10);
	assert_ptr_equal(timeline_take(&t, 20), &b);
	assert_ptr_equal(timeline_take(&t, 20), &c);
	assert_null(timeline_take(&t, 29));
	assert_true(timeline_has(&a) && !timeline_has(&b));
	timeline_done(&t);
}

static void what_is_dropped_or_moved_is_not_due_as_it_was(void **state)
{
	struct timeline t = {0};
	struct timeline_item a = {0}, b = {0};

	(void)state;
	timeline_set(&t, &a, 10);
	timeline_set(&t, &b, 20);
	timeline_set(&t, &a, 40);
	assert_ptr_equal(timeline_take(&t, 30), &b);
	timeline_drop(&t, &a);
	timeline_drop(&t, &a);
	assert_true(timeline_next(&t) == INT64_MAX);
	timeline_done(&t);
}

/* ---- Against a naive model: a list that is searched ---- */

#define MODEL_N 200

static size_t earliest(const int64_t *at)
{
	size_t found = MODEL_N;

	for (size_t i = 0; i < MODEL_N; i++) {
		if (at[i] >= 0 && (found == MODEL_N || at[i] < at[found]))
			found = i;
	}
	return found;
}

static void it_agrees_with_a_naive_model(void **state)
{
	struct timeline_item items[MODEL_N] = {0};
	struct timeline t = {0};
	int64_t at[MODEL_N];
	unsigned seed = 7;
	int64_t now = 0;

	(void)state;
	for (size_t i = 0; i < MODEL_N; i++)
		at[i] = -1;
	for (int step = 0; step < 50000; step++) {
		size_t i = (size_t)rand_r(&seed) % MODEL_N;
		struct timeline_item *item;

		switch (rand_r(&seed) % 4) {
		case 0:
			timeline_drop(&t, &items[i]);
			at[i] = -1;
			break;
		case 1:
			now += rand_r(&seed) % 50;
			while ((item = timeline_take(&t, now)) != NULL) {
				i = (size_t)(item - items);
				assert_true(at[i] <= now && at[i] == at[earliest(at)]);
				at[i] = -1;
			}
			assert_true(earliest(at) == MODEL_N || at[earliest(at)] > now);
			break;
		default:
			at[i] = now + rand_r(&seed) % 1000;
			timeline_set(&t, &items[i], at[i]);
		}
		i = earliest(at);
		assert_true(timeline_next(&t) == (i == MODEL_N ? INT64_MAX : at[i]));
	}
	timeline_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_one_has_nothing_to_wait_for),
		cmocka_unit_test(what_is_due_comes_in_order_and_what_is_not_stays),
		cmocka_unit_test(what_is_dropped_or_moved_is_not_due_as_it_was),
		cmocka_unit_test(it_agrees_with_a_naive_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
