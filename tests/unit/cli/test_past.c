/* SPDX-License-Identifier: Apache-2.0 */
/* history and events, from a store that the recorder's own writer has filled. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bus/command.h"
#include "store/write.h"

#define HEALTH(at, component, previous, status, message)                                           \
	"{\"at\": \"2026-11-22T" at "Z\", \"node\": \"web1\", \"component\": \"" component "\","   \
	" \"transition\": true, \"previous\": \"" previous "\", \"state\": {\"id\": \"" component  \
	"\", \"status\": \"" status                                                                \
	"\", \"outcome\": \"pass\", \"reason\": \"ok\", \"message\": \"" message                   \
	"\", \"took_ms\": 41.2, \"last_check\": \"2026-11-22T" at "Z\"}}"

static const struct stored {
	const char *topic, *json;
} lines[] = {
	{"health", HEALTH("01:00:00.000", "api", "unknown", "healthy", "HTTP 200")},
	{"health", HEALTH("01:10:00.000", "api", "healthy", "degraded", "slow")},
	{"health", HEALTH("01:10:00.000", "db", "unknown", "healthy", "ok")},
	{"process", "{\"at\": \"2026-11-22T01:20:00.000Z\", \"node\": \"web1\", \"process\": "
		    "\"web\", \"event\": \"exit\","
		    " \"state\": {\"name\": \"web\", \"state\": \"backoff\", \"pid\": null, "
		    "\"generation\": 1, \"restarts\": 0,"
		    " \"last_exit\": {\"signal\": \"SIGKILL\", \"expected\": false}}}"},
	{"event",
	 "{\"at\": \"2026-11-22T01:30:00.000Z\", \"node\": \"web1\", \"kind\": \"reload\", "
	 "\"severity\": \"info\","
	 " \"subject\": \"config\", \"message\": \"configuration reloaded\", \"details\": {}}"},
};

static char *store_path(struct fake *f)
{
	return mem_printf("%s/history.db", fake_dir(f));
}

static void fill_store(struct fake *f)
{
	HALE_CLEANUP(cleanup_free) char *path = store_path(f);
	struct store_options o = {.sqlite = {.path = path}};
	struct store_entry v[ARRAY_LEN(lines)];
	char epoch[] = "e1";
	struct store *h = NULL;
	struct err err = {0};
	size_t skipped = 0;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		v[i] = (struct store_entry){.topic = (char *)(uintptr_t)lines[i].topic,
					    .epoch = epoch,
					    .seq = i + 1,
					    .object = json_loads(lines[i].json, 0, NULL)};
		assert_non_null(v[i].object);
	}
	if (store_open(&o, STORE_KEEPER, &h, &err) != 0 ||
	    store_write(h, v, ARRAY_LEN(v), epoch, ARRAY_LEN(v), &skipped, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(skipped, 0);
	store_close(h);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		json_decref(v[i].object);
}

static void tell_section(struct fake *f)
{
	HALE_CLEANUP(cleanup_free) char *path = store_path(f);
	HALE_CLEANUP(cleanup_free)
	char *json = mem_printf("{\"sqlite\": {\"path\": \"%s\"}}", path);

	fake_answer(f, "haled", "config.section", json);
}

static int setup_store(void **state)
{
	assert_int_equal(fake_setup(state), 0);
	fill_store(*state);
	tell_section(*state);
	return 0;
}

/* ---- history ---- */

static void history_of_a_component_is_its_changes(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "show", "{\"component\": {}}");
	assert_run(f, "history api", 0,
		   "AT                   CHANGE              REASON  MESSAGE\n"
		   "2026-11-22 01:00:00  unknown → healthy   ok      HTTP 200\n"
		   "2026-11-22 01:10:00  healthy → degraded  ok      slow\n");
	assert_run(f, "history api -n 1", 0,
		   "AT                   CHANGE              REASON  MESSAGE\n"
		   "2026-11-22 01:10:00  healthy → degraded  ok      slow\n");
	assert_run(f, "history api --since 30m", 0, "no change of status of api in the last 30m\n");
	assert_string_equal(fake_asked(f, "haled", "config.section"), "{\"name\":\"store\"}");
}

static void history_with_results_has_each_check(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "show", "{\"component\": {}}");
	assert_int_equal(fake_run(f, "history api --results"), 0);
	assert_non_null(strstr(fake_out(f), "● degraded  pass   41 ms  ok      slow\n"));
}

static void history_of_a_process_is_its_events(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "show", "{\"process\": {}}");
	assert_run(f, "history web", 0,
		   "AT                   EVENT  RESTARTS  EXIT\n"
		   "2026-11-22 01:20:00  exit          0  killed by SIGKILL\n");
}

static void history_of_nobody_is_refused(void **state)
{
	struct fake *f = *state;

	fake_refuse(f, "haled", "show", COMMAND_E_NOT_FOUND, "no", NULL);
	assert_refused(f, "history xyz", 2, "hale: nothing is known of 'xyz' (see: hale status)\n");
	/* What left the configuration is still history. */
	assert_int_equal(fake_run(f, "history db"), 0);
}

static void history_as_json_is_rows(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "show", "{\"component\": {}}");
	assert_int_equal(fake_run(f, "history db -o json"), 0);
	assert_true(str_starts(fake_out(f),
			       "{\"at\":\"2026-11-22T01:10:00.000Z\",\"node\":\"web1\","
			       "\"component\":\"db\",\"from\":\"unknown\",\"to\":\"healthy\""));
}

static void without_a_store_history_says_so(void **state)
{
	struct fake *f = *state;
	HALE_CLEANUP(cleanup_free) char *path = store_path(f);
	HALE_CLEANUP(cleanup_free)
	char *expected = mem_printf("hale: %s: there is no store yet\n", path);

	fake_refuse(f, "haled", "config.section", COMMAND_E_NOT_FOUND, "no such section", NULL);
	tell_section(f);
	assert_refused(
		f, "history api", 1,
		"hale: this hale keeps no history: there is no store in its configuration\n");
	assert_refused(f, "history api", 1, expected);
}

/* ---- events ---- */

static void events_of_all_topics_come_in_their_order(void **state)
{
	assert_run(
		*state, "events", 0,
		"2026-11-22 01:00:00  health     api                 unknown → healthy: HTTP 200\n"
		"2026-11-22 01:10:00  health     api                 healthy → degraded: slow\n"
		"2026-11-22 01:10:00  health     db                  unknown → healthy: ok\n"
		"2026-11-22 01:20:00  process    web                 exit: killed by SIGKILL\n"
		"2026-11-22 01:30:00  event      config              reload: configuration "
		"reloaded\n");
	assert_run(*state, "events -n 1", 0,
		   "2026-11-22 01:30:00  event      config              reload: configuration "
		   "reloaded\n");
}

static void events_of_one_topic_are_chosen(void **state)
{
	assert_run(*state, "events --topic process", 0,
		   "2026-11-22 01:20:00  process    web                 exit: killed by SIGKILL\n");
	assert_run(*state, "events -t alert", 0, "");
	assert_refused(*state, "events -t helth", 2,
		       "hale: no topic 'helth' (did you mean 'health'?)\n");
}

static void events_as_json_carry_their_topic(void **state)
{
	assert_int_equal(fake_run(*state, "events -n 1 -o json"), 0);
	assert_non_null(strstr(fake_out(*state), "\"topic\":\"event\",\"kind\":\"reload\""));
	assert_int_equal(fake_run(*state, "events -n 1 -o json -t health"), 0);
	assert_non_null(strstr(fake_out(*state), "\"to\":\"healthy\""));
	assert_non_null(strstr(fake_out(*state), "\"topic\":\"health\"}\n"));
}

/* Followed from the store's own cursor: the bus is asked for what came behind the last row. */
static void following_goes_on_where_the_store_ends(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "status", "{\"node\": \"web1\"}");
	fake_answer(f, "haled", "bus.replay",
		    "{\"frames\": [\"event e1 6 1\\n{\\\"at\\\": \\\"2026-11-22T01:40:00.000Z\\\","
		    " \\\"kind\\\": \\\"stop\\\", \\\"subject\\\": \\\"haled\\\"}\\n\"], \"more\": "
		    "false,"
		    " \"epoch\": \"e1\", \"head\": 6}");
	/* One write for the past, one for the event; then the terminal is gone. */
	fake_fail_output_after(f, 1);
	(void)fake_run(f, "events -f -n 1");
	assert_string_equal(fake_out(f), "2026-11-22 01:30:00  event      config              "
					 "reload: configuration reloaded\n");
	assert_string_equal(fake_asked(f, "haled", "bus.replay"),
			    "{\"after\":5,\"epoch\":\"e1\",\"name\":\"hale\"}");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_store, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(history_of_a_component_is_its_changes),
		T(history_with_results_has_each_check),
		T(history_of_a_process_is_its_events),
		T(history_of_nobody_is_refused),
		T(history_as_json_is_rows),
		cmocka_unit_test_setup_teardown(without_a_store_history_says_so, fake_setup,
						fake_teardown),
		T(events_of_all_topics_come_in_their_order),
		T(events_of_one_topic_are_chosen),
		T(events_as_json_carry_their_topic),
		T(following_goes_on_where_the_store_ends),
	};

	return cmocka_run_group_tests_name("cli.past", tests, NULL, NULL);
}
