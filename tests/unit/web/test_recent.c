/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "recent.h"

static void expect(enum read_what what, const char *row_json, const char *want)
{
	json_t *row = json_loads(row_json, 0, NULL);
	assert_non_null(row);
	json_t *frame = recent_frame(what, row);
	char *text = frame ? json_dumps(frame, JSON_COMPACT) : NULL;
	if (want)
		assert_string_equal(text, want);
	else
		assert_null(text);
	free(text);
	json_decref(frame);
	json_decref(row);
}

static void a_change_of_status_is_a_health_line(void **state)
{
	(void)state;
	expect(READ_TRANSITIONS,
	       "{\"at\":\"t\",\"node\":\"n\",\"component\":\"api\",\"from\":\"healthy\","
	       "\"to\":\"down\",\"reason\":\"told\",\"message\":\"gone\",\"epoch\":\"e\",\"seq\":"
	       "7}",
	       "{\"event\":\"health:update\",\"seq\":7,\"data\":{\"at\":\"t\",\"node\":\"n\","
	       "\"component\":\"api\",\"transition\":true,\"previous\":\"healthy\","
	       "\"state\":{\"id\":\"api\",\"status\":\"down\",\"message\":\"gone\","
	       "\"reason\":\"told\",\"since\":\"t\"}}}");
	expect(READ_TRANSITIONS,
	       "{\"at\":\"t\",\"node\":\"n\",\"component\":\"overall\",\"from\":null,"
	       "\"to\":\"down\",\"reason\":null,\"message\":null}",
	       NULL);
}

static void a_process_event_is_a_process_line(void **state)
{
	(void)state;
	expect(READ_PROCESSES,
	       "{\"at\":\"t\",\"node\":\"n\",\"process\":\"web\",\"event\":\"exit\","
	       "\"state\":\"backoff\",\"pid\":null,\"generation\":3,\"restarts\":2,"
	       "\"status_text\":null,\"last_exit\":{\"code\":1}}",
	       "{\"event\":\"process:update\",\"seq\":0,\"data\":{\"at\":\"t\",\"node\":\"n\","
	       "\"process\":\"web\",\"event\":\"exit\",\"state\":{\"name\":\"web\","
	       "\"state\":\"backoff\",\"pid\":null,\"generation\":3,\"restarts\":2,"
	       "\"status_text\":null,\"last_exit\":{\"code\":1}}}}");
}

static void events_are_lines_of_their_topic(void **state)
{
	(void)state;
	expect(READ_EVENTS,
	       "{\"at\":\"t\",\"node\":\"n\",\"topic\":\"event\",\"kind\":\"reload\","
	       "\"severity\":\"info\",\"subject\":\"config\",\"message\":\"m\",\"details\":{}}",
	       "{\"event\":\"event:new\",\"seq\":0,\"data\":{\"at\":\"t\",\"node\":\"n\","
	       "\"kind\":\"reload\",\"severity\":\"info\",\"subject\":\"config\",\"message\":\"m\","
	       "\"details\":{}}}");
	expect(READ_EVENTS,
	       "{\"at\":\"t\",\"node\":\"n\",\"topic\":\"alert\",\"kind\":\"opened\","
	       "\"severity\":\"critical\",\"subject\":\"api\",\"message\":\"m\",\"details\":null}",
	       "{\"event\":\"alert:update\",\"seq\":0,\"data\":{\"at\":\"t\",\"node\":\"n\","
	       "\"event\":\"opened\",\"alert\":{\"component\":\"api\",\"severity\":\"critical\","
	       "\"message\":\"m\"}}}");
	expect(READ_EVENTS,
	       "{\"at\":\"t\",\"node\":\"n\",\"topic\":\"reconcile\",\"kind\":\"done\","
	       "\"severity\":\"info\",\"subject\":\"positions\",\"message\":\"m\","
	       "\"details\":{\"inserted\":2,\"job\":\"x\"}}",
	       "{\"event\":\"reconcile:new\",\"seq\":0,\"data\":{\"at\":\"t\",\"node\":\"n\","
	       "\"job\":\"positions\",\"outcome\":\"done\",\"message\":\"m\",\"inserted\":2}}");
	expect(READ_EVENTS,
	       "{\"at\":\"t\",\"node\":\"n\",\"topic\":\"action\",\"kind\":\"failed\","
	       "\"severity\":\"warning\",\"subject\":\"reconnect\",\"message\":\"m\","
	       "\"details\":null}",
	       "{\"event\":\"action:new\",\"seq\":0,\"data\":{\"at\":\"t\",\"node\":\"n\","
	       "\"action\":\"reconnect\",\"outcome\":\"failed\",\"message\":\"m\"}}");
}

static void a_row_that_is_none_is_passed_over(void **state)
{
	(void)state;
	expect(READ_TRANSITIONS, "{}", NULL);
	expect(READ_PROCESSES, "{\"at\":\"t\"}", NULL);
	expect(READ_EVENTS, "{\"topic\":\"event\"}", NULL);
}

static void add(json_t *frames, const char *at, const char *epoch, int seq)
{
	json_t *rows = json_pack("[{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i}]", "at", at, "node", "n",
				 "topic", "event", "kind", "k", "severity", "info", "message", at,
				 "epoch", epoch, "seq", seq);
	recent_add(frames, READ_EVENTS, rows, "now", 10);
	json_decref(rows);
}

static void the_newest_are_picked_and_in_order(void **state)
{
	(void)state;
	json_t *frames = json_array();
	add(frames, "2026-01-01T00:00:03.000Z", "now", 9);
	add(frames, "2026-01-01T00:00:01.000Z", "before", 900);
	add(frames, "2026-01-01T00:00:03.000Z", "now", 8);
	add(frames, "2026-01-01T00:00:04.000Z", "now", 11); /* the bus has it yet to tell */
	add(frames, "2026-01-01T00:00:02.000Z", "now", 7);
	assert_int_equal(json_array_size(frames), 4);
	json_t *picked = recent_pick(frames, 3);
	static const int want[] = {7, 8, 9};
	assert_int_equal(json_array_size(picked), 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
			json_integer_value(json_object_get(json_array_get(picked, i), "seq")),
			want[i]);
	json_decref(picked);
	json_decref(frames);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_of_status_is_a_health_line),
		cmocka_unit_test(a_process_event_is_a_process_line),
		cmocka_unit_test(events_are_lines_of_their_topic),
		cmocka_unit_test(a_row_that_is_none_is_passed_over),
		cmocka_unit_test(the_newest_are_picked_and_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
