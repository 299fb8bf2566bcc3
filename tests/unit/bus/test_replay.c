/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>

#include "bus/replay.h"

static json_t *snapshot(void *ctx)
{
	(void)ctx;
	return json_pack("{s:s}", "status", "healthy");
}

static struct ring *three_lines(void)
{
	struct ring *r = ring_new(1 << 20);

	ring_add(r, "e", 1, "health", "{}", 2);
	ring_add(r, "e", 2, "health", "{}", 2);
	ring_add(r, "e", 3, "alert", "{}", 2);
	return r;
}

static void assert_answer(const char *params_text, const char *expected)
{
	struct ring *r = three_lines();
	struct err err = {.text = ""};
	json_t *params = json_loads(params_text, 0, NULL);
	json_t *answer = replay_answer(r, params, "e", 3, snapshot, NULL, &err);
	char *text = answer == NULL ? NULL : json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(text == NULL ? err.text : text, expected);
	free(text);
	json_decref(answer);
	json_decref(params);
	ring_free(r);
}

static void lines_after_the_cursor_are_answered_as_frames(void **state)
{
	(void)state;
	assert_answer(
		"{\"epoch\":\"e\",\"after\":1}",
		"{\"epoch\":\"e\",\"frames\":[\"health e 2 1\\n{}\\n\",\"alert e 3 1\\n{}\\n\"],"
		"\"head\":3,\"more\":false}");
	assert_answer("{\"epoch\":null,\"after\":0}",
		      "{\"epoch\":\"e\",\"frames\":[\"health e 1 2\\n{}\\n{}\\n\","
		      "\"alert e 3 1\\n{}\\n\"],\"head\":3,\"more\":false}");
}

static void who_is_at_the_head_misses_nothing_whatever_the_ring_holds(void **state)
{
	struct ring *r = ring_new(1 << 20);
	json_t *params = json_pack("{s:s, s:i}", "epoch", "e", "after", 0);
	struct err err;
	json_t *answer = replay_answer(r, params, "e", 0, snapshot, NULL, &err);

	(void)state;
	assert_int_equal(json_array_size(json_object_get(answer, "frames")), 0);
	assert_null(json_object_get(answer, "snapshot"));
	json_decref(answer);
	json_decref(params);
	ring_free(r);
	assert_answer("{\"epoch\":\"e\",\"after\":3}",
		      "{\"epoch\":\"e\",\"frames\":[],\"head\":3,\"more\":false}");
}

static void what_the_ring_cannot_tell_is_answered_by_a_snapshot(void **state)
{
	const char *expected = "{\"epoch\":\"e\",\"head\":3,\"snapshot\":{\"status\":\"healthy\"}}";

	(void)state;
	assert_answer("{\"epoch\":\"unheard of\",\"after\":1}", expected);
	assert_answer("{\"epoch\":\"e\",\"after\":3,\"snapshot\":true}", expected);
}

static void wrong_parameters_are_named(void **state)
{
	(void)state;
	assert_answer("{\"epoch\":5}", "epoch: must be text or null");
	assert_answer("{\"epoch\":\"e\",\"after\":-1}",
		      "after: must be a seq: a number, 0 or more");
	assert_answer("{\"epoch\":\"e\",\"after\":\"1\"}",
		      "after: must be a seq: a number, 0 or more");
}

static void assert_lost(const char *params_text, uint64_t lost, const char *who)
{
	struct ring *r = ring_new(100);
	struct err err;
	json_t *params = json_loads(params_text, 0, NULL);
	const char *name = NULL;
	json_t *answer;

	for (uint64_t seq = 1; seq <= 50; seq++)
		ring_add(r, "e", seq, "health", "{}", 2);
	answer = replay_answer(r, params, "e", 50, snapshot, NULL, &err);
	assert_int_equal(replay_lost(params, answer, &name), lost);
	if (lost > 0)
		assert_string_equal(name, who);
	json_decref(answer);
	json_decref(params);
	ring_free(r);
}

static void lines_that_a_snapshot_stands_in_for_are_counted(void **state)
{
	(void)state;
	assert_lost("{\"epoch\":\"e\",\"after\":10,\"name\":\"recorder\"}", 40, "recorder");
	assert_lost("{\"epoch\":\"e\",\"after\":10}", 40, "other");
	assert_lost("{\"epoch\":\"former\",\"after\":10,\"name\":\"web\"}", 50, "web");
	assert_lost("{\"epoch\":\"e\",\"after\":70,\"name\":\"web\"}", 50, "web");
	assert_lost("{\"epoch\":\"e\",\"after\":49}", 0, NULL);
	assert_lost("{\"epoch\":\"e\",\"after\":0,\"snapshot\":true}", 0, NULL);
	assert_lost("{\"epoch\":null,\"after\":0}", 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_after_the_cursor_are_answered_as_frames),
		cmocka_unit_test(who_is_at_the_head_misses_nothing_whatever_the_ring_holds),
		cmocka_unit_test(what_the_ring_cannot_tell_is_answered_by_a_snapshot),
		cmocka_unit_test(lines_that_a_snapshot_stands_in_for_are_counted),
		cmocka_unit_test(wrong_parameters_are_named),
	};

	return cmocka_run_group_tests_name("bus.replay", tests, NULL, NULL);
}
