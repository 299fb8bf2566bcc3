/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "event_view.h"

#define AT "\"at\": \"2026-11-22T01:30:37.123Z\", "

static json_t *load(const char *json)
{
	json_t *object = json_loads(json, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(object);
	return object;
}

static void assert_formatted(const struct event *e, const char *expected)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	event_format(&out, e, false, 0);
	assert_string_equal(str_text(&out), expected);
}

static void assert_line(const char *topic, const char *json, const char *expected)
{
	json_t *line = load(json);
	struct event e;

	assert_true(event_of_line(topic, line, &e));
	assert_formatted(&e, expected);
	event_done(&e);
	json_decref(line);
}

static void assert_silent(const char *topic, const char *json)
{
	json_t *line = load(json);
	struct event e;

	assert_false(event_of_line(topic, line, &e));
	json_decref(line);
}

static void assert_row(enum read_what what, const char *json, const char *expected)
{
	json_t *row = load(json);
	struct event e;

	assert_true(event_of_row(what, row, &e));
	assert_formatted(&e, expected);
	event_done(&e);
	json_decref(row);
}

static void a_change_of_status_is_told_from_bus_and_store_alike(void **state)
{
	(void)state;
	assert_line("health",
		    "{" AT
		    "\"component\": \"api\", \"transition\": true, \"previous\": \"healthy\","
		    " \"state\": {\"status\": \"degraded\", \"message\": \"took_ms 2310 > 2000\"}}",
		    "2026-11-22 01:30:37  health     api                 "
		    "healthy → degraded: took_ms 2310 > 2000\n");
	assert_row(READ_TRANSITIONS,
		   "{" AT "\"component\": \"api\", \"from\": \"healthy\", \"to\": \"degraded\","
		   " \"message\": \"took_ms 2310 > 2000\"}",
		   "2026-11-22 01:30:37  health     api                 "
		   "healthy → degraded: took_ms 2310 > 2000\n");
}

static void a_check_that_found_nothing_new_is_no_event(void **state)
{
	(void)state;
	assert_silent("health", "{" AT "\"component\": \"api\", \"transition\": false}");
	assert_silent("health", "{\"component\": \"api\", \"transition\": true}");
}

static void a_component_that_left_is_told(void **state)
{
	(void)state;
	assert_line("health", "{" AT "\"component\": \"api\", \"removed\": true}",
		    "2026-11-22 01:30:37  health     api                 "
		    "removed from the configuration\n");
}

static void a_crash_is_told_with_its_cause(void **state)
{
	(void)state;
	assert_line(
		"process",
		"{" AT "\"event\": \"exit\", \"state\": {\"name\": \"check.http\","
		" \"last_exit\": {\"signal\": \"SIGKILL\", \"code\": null, \"uptime_ms\": 5123}}}",
		"2026-11-22 01:30:37  process    check.http          "
		"exit: killed by SIGKILL after 5.12 s\n");
	assert_row(READ_PROCESSES,
		   "{" AT "\"process\": \"check.http\", \"event\": \"ready\", \"pid\": 7}",
		   "2026-11-22 01:30:37  process    check.http          ready, pid 7\n");
}

static void alerts_runs_and_events_have_their_words(void **state)
{
	(void)state;
	assert_line("alert",
		    "{" AT "\"event\": \"failed\", \"alert\": {\"component\": \"api\","
		    " \"severity\": \"critical\", \"message\": \"down\"}, \"delivery\": "
		    "{\"channel\": \"ops\","
		    " \"status\": \"failed\", \"error\": \"HTTP 500\"}}",
		    "2026-11-22 01:30:37  alert      api                 "
		    "critical failed (ops: failed): HTTP 500: down\n");
	assert_line("reconcile",
		    "{" AT "\"job\": \"positions\", \"outcome\": \"done\", \"dry_run\": true,"
		    " \"inserted\": 1, \"updated\": 0, \"closed\": 2, \"errors\": [], \"took_ms\": "
		    "41.2}",
		    "2026-11-22 01:30:37  reconcile  positions           "
		    "dry run done, 1 inserted, 2 closed in 41 ms\n");
	assert_line(
		"action",
		"{" AT
		"\"action\": \"reconnect\", \"outcome\": \"failed\", \"message\": \"HTTP 502\"}",
		"2026-11-22 01:30:37  action     reconnect           failed: HTTP 502\n");
	assert_line("event",
		    "{" AT "\"kind\": \"reload\", \"severity\": \"info\", \"subject\": \"config\","
		    " \"message\": \"configuration reloaded\"}",
		    "2026-11-22 01:30:37  event      config              "
		    "reload: configuration reloaded\n");
}

static void stored_rows_of_other_topics_read_as_they_came(void **state)
{
	(void)state;
	assert_row(READ_EVENTS,
		   "{" AT
		   "\"topic\": \"reconcile\", \"kind\": \"refused\", \"subject\": \"positions\","
		   " \"details\": {\"job\": \"positions\", \"outcome\": \"refused\","
		   " \"errors\": [\"the source is empty\"]}}",
		   "2026-11-22 01:30:37  reconcile  positions           refused: the source is "
		   "empty\n");
	assert_row(READ_EVENTS,
		   "{" AT "\"topic\": \"event\", \"kind\": \"stop\", \"subject\": \"haled\","
		   " \"message\": null, \"details\": {\"a\": 1}}",
		   "2026-11-22 01:30:37  event      haled               stop\n");
}

static void missing_members_are_no_trouble(void **state)
{
	static const char *const topics[] = {"health", "process", "alert", "reconcile",
					     "action", "event",   "news"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
		json_t *line = load("{" AT "\"transition\": true, \"state\": null, \"alert\": 3}");
		HALE_CLEANUP(str_done) struct str out = {0};
		struct event e;

		assert_true(event_of_line(topics[i], line, &e));
		event_format(&out, &e, true, 60);
		assert_true(out.len > 0);
		event_done(&e);
		json_decref(line);
	}
}

static void a_long_text_is_cut_at_the_terminal(void **state)
{
	json_t *line = load("{" AT "\"kind\": \"reload_failed\", \"subject\": \"config\","
			    "\"message\": \"etc/hale.yaml:14:5: unknown key\"}");
	HALE_CLEANUP(str_done) struct str out = {0};
	struct event e;

	(void)state;
	assert_true(event_of_line("event", line, &e));
	event_format(&out, &e, false, 80);
	assert_string_equal(str_text(&out), "2026-11-22 01:30:37  event      config              "
					    "reload_failed: etc/hale.yam…\n");
	event_done(&e);
	json_decref(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_of_status_is_told_from_bus_and_store_alike),
		cmocka_unit_test(a_check_that_found_nothing_new_is_no_event),
		cmocka_unit_test(a_component_that_left_is_told),
		cmocka_unit_test(a_crash_is_told_with_its_cause),
		cmocka_unit_test(alerts_runs_and_events_have_their_words),
		cmocka_unit_test(stored_rows_of_other_topics_read_as_they_came),
		cmocka_unit_test(missing_members_are_no_trouble),
		cmocka_unit_test(a_long_text_is_cut_at_the_terminal),
	};

	(void)setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests_name("cli.event_view", tests, NULL, NULL);
}
