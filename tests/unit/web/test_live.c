/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "live.h"

static const char snapshot_text[] =
	"{\"status\":\"healthy\",\"score\":100.0,\"node\":\"n1\",\"since\":\"2026-01-01T00:00:00."
	"000Z\","
	"\"epoch\":\"e1\",\"head\":10,\"config\":{\"last_reload_ok\":true},\"bus\":{\"lost\":0},"
	"\"components\":[{\"id\":\"b\",\"status\":\"healthy\",\"enabled\":true},"
	"{\"id\":\"a\",\"status\":\"degraded\",\"enabled\":true},"
	"{\"id\":\"off\",\"status\":\"unknown\",\"enabled\":false}],"
	"\"processes\":[{\"name\":\"web\",\"state\":\"ready\",\"restarts\":0}]}";

static json_t *parse(const char *text)
{
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	return json;
}

static struct live *with_snapshot(void)
{
	struct live *l = live_new();
	json_t *snapshot = parse(snapshot_text);
	live_snapshot(l, snapshot);
	json_decref(snapshot);
	return l;
}

static const char *line(struct live *l, const char *topic, uint64_t seq, const char *text)
{
	json_t *object = parse(text);
	const char *event = live_line(l, topic, seq, object);
	json_decref(object);
	return event;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void before_a_snapshot_nothing_is_healthy(void **state)
{
	(void)state;
	struct live *l = live_new();
	assert_false(live_has_snapshot(l));
	assert_int_equal(live_status(l), STATUS_UNKNOWN);
	assert_true(live_score(l) < 0);
	live_free(l);
}

static void a_snapshot_keeps_haleds_order(void **state)
{
	(void)state;
	struct live *l = with_snapshot();
	json_t *array = live_component_array(l);
	assert_int_equal(live_status(l), STATUS_HEALTHY);
	assert_int_equal(live_seq(l), 10);
	assert_int_equal(json_array_size(array), 3);
	assert_string_equal(text_of(json_array_get(array, 0), "id"), "b");
	assert_string_equal(text_of(json_array_get(array, 1), "id"), "a");
	json_decref(array);
	live_free(l);
}

static void a_health_line_replaces_its_component_in_place(void **state)
{
	(void)state;
	struct live *l = with_snapshot();
	uint64_t before = live_revision(l);
	const char *event =
		line(l, "health", 11,
		     "{\"at\":\"2026-01-02T00:00:00.000Z\",\"component\":\"b\",\"transition\":true,"
		     "\"previous\":\"healthy\",\"state\":{\"id\":\"b\",\"status\":\"down\"},"
		     "\"overall\":{\"status\":\"critical\",\"score\":50.0,\"transition\":true}}");
	assert_string_equal(event, "health:update");
	assert_true(live_revision(l) > before);
	assert_int_equal(live_seq(l), 11);
	assert_int_equal(live_status(l), STATUS_CRITICAL);
	assert_true(live_score(l) == 50.0);
	json_t *doc = live_document(l);
	assert_string_equal(
		text_of(json_array_get(json_object_get(doc, "components"), 0), "status"), "down");
	assert_string_equal(text_of(doc, "since"), "2026-01-02T00:00:00.000Z");
	json_decref(doc);
	live_free(l);
}

static void a_removed_component_goes(void **state)
{
	(void)state;
	struct live *l = with_snapshot();
	line(l, "health", 11, "{\"component\":\"a\",\"removed\":true}");
	assert_null(live_component(l, "a"));
	assert_non_null(live_component(l, "b"));
	live_free(l);
}

static void a_process_line_adds_or_replaces_its_process(void **state)
{
	(void)state;
	struct live *l = with_snapshot();
	line(l, "process", 11,
	     "{\"event\":\"start\",\"state\":{\"name\":\"check.tcp\",\"state\":\"starting\"}}");
	line(l, "process", 12,
	     "{\"event\":\"ready\",\"state\":{\"name\":\"check.tcp\",\"state\":\"ready\"}}");
	assert_string_equal(text_of(live_process(l, "check.tcp"), "state"), "ready");
	json_t *array = live_process_array(l);
	assert_int_equal(json_array_size(array), 2);
	json_decref(array);
	live_free(l);
}

static void only_transitions_are_remembered_and_only_so_many(void **state)
{
	(void)state;
	struct live *l = with_snapshot();
	line(l, "health", 11,
	     "{\"transition\":false,\"state\":{\"id\":\"a\",\"status\":\"healthy\"}}");
	assert_int_equal(json_array_size(live_recent(l)), 0);
	for (uint64_t i = 0; i < LIVE_RECENT_MAX + 5; i++)
		line(l, "event", 12 + i, "{\"kind\":\"start\"}");
	assert_int_equal(json_array_size(live_recent(l)), LIVE_RECENT_MAX);
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(live_recent(l), 0), "seq")),
		12 + 5);
	live_free(l);
}

static void unknown_topics_and_broken_lines_change_nothing(void **state)
{
	(void)state;
	struct live *l = with_snapshot();
	assert_null(line(l, "weather", 11, "{\"state\":{\"id\":\"a\"}}"));
	line(l, "health", 12, "{}");
	line(l, "health", 13, "{\"state\":[1,2]}");
	line(l, "process", 14, "{\"state\":{\"name\":7}}");
	assert_string_equal(text_of(live_component(l, "a"), "status"), "degraded");
	live_free(l);
}

static void counts_leave_out_what_is_disabled(void **state)
{
	(void)state;
	struct live *l = with_snapshot();
	json_t *doc = live_document(l);
	const json_t *counts = json_object_get(doc, "counts");
	assert_int_equal(json_integer_value(json_object_get(counts, "total")), 2);
	assert_int_equal(json_integer_value(json_object_get(counts, "healthy")), 1);
	assert_int_equal(json_integer_value(json_object_get(counts, "unknown")), 0);
	json_decref(doc);
	live_free(l);
}

static void when_haled_is_silent_the_whole_is_unknown_until_it_speaks(void **state)
{
	(void)state;
	struct live *l = with_snapshot();
	live_set_stale(l, true, 1800000000000);
	assert_int_equal(live_status(l), STATUS_UNKNOWN);
	json_t *doc = live_document(l);
	assert_string_equal(text_of(doc, "status"), "unknown");
	assert_true(json_is_true(json_object_get(doc, "stale")));
	assert_string_equal(text_of(doc, "stale_since"), "2027-01-15T08:00:00.000Z");
	json_decref(doc);
	line(l, "event", 11, "{\"kind\":\"start\"}");
	assert_int_equal(live_status(l), STATUS_HEALTHY);
	live_free(l);
}

static void reload_events_tell_whether_the_file_is_in_force(void **state)
{
	(void)state;
	struct live *l = with_snapshot();
	line(l, "event", 11, "{\"kind\":\"reload_failed\",\"message\":\"line 3\"}");
	const json_t *config = json_object_get(live_base(l), "config");
	assert_true(json_is_false(json_object_get(config, "last_reload_ok")));
	assert_string_equal(text_of(config, "last_reload_error"), "line 3");
	line(l, "event", 12, "{\"kind\":\"reload\"}");
	config = json_object_get(live_base(l), "config");
	assert_true(json_is_true(json_object_get(config, "last_reload_ok")));
	live_free(l);
}

static void an_old_status_answer_does_not_undo_newer_lines(void **state)
{
	(void)state;
	struct live *l = with_snapshot();
	line(l, "health", 11, "{\"state\":{\"id\":\"a\",\"status\":\"down\"}}");
	json_t *status = parse(snapshot_text); /* head 10 */
	json_object_set_new(status, "bus", parse("{\"lost\":3}"));
	live_refresh(l, status);
	assert_string_equal(text_of(live_component(l, "a"), "status"), "down");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(live_base(l), "bus"), "lost")),
		3);
	json_object_set_new(status, "head", json_integer(12));
	live_refresh(l, status);
	assert_string_equal(text_of(live_component(l, "a"), "status"), "degraded");
	json_decref(status);
	live_free(l);
}

static void a_routine_line_is_read_when_somebody_looks(void **state)
{
	static const char text[] =
		"{\"component\":\"a\",\"transition\":false,\"no_data\":false,"
		"\"state\":{\"id\":\"a\",\"status\":\"degraded\",\"message\":\"newer\"}}";
	struct live *l = with_snapshot();
	struct health_line line_of_a, unknown;
	json_t *array;
	(void)state;
	assert_true(health_line_is_routine(text, strlen(text), &line_of_a));
	unknown = line_of_a;
	unknown.component = (struct jtext){"\"x\"", 3};
	assert_false(live_routine(l, 11, &unknown));
	assert_int_equal(live_seq(l), 10);
	assert_true(live_routine(l, 11, &line_of_a));
	assert_int_equal(live_seq(l), 11);
	assert_string_equal(text_of(live_component(l, "a"), "message"), "newer");
	assert_true(live_routine(l, 12, &line_of_a));
	array = live_component_array(l);
	assert_string_equal(text_of(json_array_get(array, 0), "id"), "b");
	assert_string_equal(text_of(json_array_get(array, 1), "message"), "newer");
	json_decref(array);
	assert_true(live_routine(l, 13, &line_of_a));
	json_decref(live_document(l));
	live_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_a_snapshot_nothing_is_healthy),
		cmocka_unit_test(a_snapshot_keeps_haleds_order),
		cmocka_unit_test(a_health_line_replaces_its_component_in_place),
		cmocka_unit_test(a_removed_component_goes),
		cmocka_unit_test(a_process_line_adds_or_replaces_its_process),
		cmocka_unit_test(only_transitions_are_remembered_and_only_so_many),
		cmocka_unit_test(unknown_topics_and_broken_lines_change_nothing),
		cmocka_unit_test(counts_leave_out_what_is_disabled),
		cmocka_unit_test(when_haled_is_silent_the_whole_is_unknown_until_it_speaks),
		cmocka_unit_test(reload_events_tell_whether_the_file_is_in_force),
		cmocka_unit_test(an_old_status_answer_does_not_undo_newer_lines),
		cmocka_unit_test(a_routine_line_is_read_when_somebody_looks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
