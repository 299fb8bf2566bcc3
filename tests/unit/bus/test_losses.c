/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/losses.h"

static int setup(void **state)
{
	*state = losses_new();
	return 0;
}

static int teardown(void **state)
{
	losses_free(*state);
	return 0;
}

static void assert_told(struct losses *l, int64_t now, const char *process, uint64_t lines,
			uint64_t total)
{
	struct loss_report r;

	assert_true(losses_take(l, now, &r));
	assert_string_equal(r.process, process);
	assert_int_equal(r.lines, lines);
	assert_int_equal(r.total, total);
}

static void assert_silent(struct losses *l, int64_t now)
{
	struct loss_report r;

	assert_false(losses_take(l, now, &r));
}

static void an_episode_is_gathered_and_told_once(void **state)
{
	struct losses *l = *state;

	assert_true(losses_due(l) == INT64_MAX);
	losses_add(l, LOSS_IN, "check.http", 3, 5000);
	losses_add(l, LOSS_IN, "check.http", 4, 5900);
	assert_int_equal(losses_due(l), 5000 + LOSSES_GATHER_MS);
	assert_silent(l, 5999);
	assert_told(l, 6000, "check.http", 7, 7);
	assert_silent(l, 1000000);
	assert_true(losses_due(l) == INT64_MAX);
}

static void what_goes_on_is_told_no_more_often_than_allowed(void **state)
{
	struct losses *l = *state;
	struct loss_report r;
	int64_t last = 0;
	uint64_t told = 0;
	unsigned times = 0;

	for (int64_t now = 0; now < 10 * LOSSES_QUIET_MS; now += 500) {
		losses_add(l, LOSS_OUT, "web", 2, now);
		if (!losses_take(l, now, &r))
			continue;
		assert_true(times == 0 || now - last >= LOSSES_QUIET_MS);
		last = now;
		told += r.lines;
		times++;
		assert_int_equal(r.total, told);
	}
	assert_int_equal(times, 10);
}

static void processes_and_legs_are_told_apart(void **state)
{
	struct losses *l = *state;
	json_t *all;
	char *text;

	losses_add(l, LOSS_IN, "recorder", 1, 0);
	losses_add(l, LOSS_OUT, "recorder", 2, 0);
	losses_add(l, LOSS_OUT, "web", 3, 0);
	losses_add(l, LOSS_OUT, "web", 3, 0);
	assert_int_equal(losses_total(l, LOSS_IN), 1);
	assert_int_equal(losses_total(l, LOSS_OUT), 8);
	all = losses_encode(l);
	text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text,
			    "[{\"leg\":\"in\",\"lines\":1,\"process\":\"recorder\",\"times\":1},"
			    "{\"leg\":\"out\",\"lines\":2,\"process\":\"recorder\",\"times\":1},"
			    "{\"leg\":\"out\",\"lines\":6,\"process\":\"web\",\"times\":2}]");
	free(text);
	json_decref(all);
	assert_told(l, LOSSES_GATHER_MS, "recorder", 1, 1);
	assert_told(l, LOSSES_GATHER_MS, "recorder", 2, 2);
	assert_told(l, LOSSES_GATHER_MS, "web", 6, 6);
	assert_silent(l, LOSSES_GATHER_MS);
}

static void strange_names_and_too_many_of_them_share_one(void **state)
{
	struct losses *l = *state;
	char name[LOSSES_NAME_MAX + 8];
	json_t *all;

	losses_add(l, LOSS_OUT, "", 1, 0);
	losses_add(l, LOSS_OUT, "a b", 1, 0);
	losses_add(l, LOSS_OUT, "\"}", 1, 0);
	memset(name, 'x', sizeof(name));
	name[LOSSES_NAME_MAX] = '\0';
	losses_add(l, LOSS_OUT, name, 1, 0);
	for (int i = 0; i < 2 * LOSSES_NAMES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "p%d", i);
		losses_add(l, LOSS_OUT, name, 1, 0);
	}
	all = losses_encode(l);
	assert_int_equal(json_array_size(all), LOSSES_NAMES_MAX);
	json_decref(all);
	assert_told(l, LOSSES_GATHER_MS, LOSSES_OTHER, 4 + LOSSES_NAMES_MAX + 1,
		    4 + LOSSES_NAMES_MAX + 1);
	assert_int_equal(losses_total(l, LOSS_OUT), 4 + 2 * LOSSES_NAMES_MAX);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_episode_is_gathered_and_told_once),
		T(what_goes_on_is_told_no_more_often_than_allowed),
		T(processes_and_legs_are_told_apart),
		T(strange_names_and_too_many_of_them_share_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
