/* SPDX-License-Identifier: Apache-2.0 */
/* What the writer does, the same with both databases. */
#include "store_fixture.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "base/str.h"

/* --- what becomes a row --- */

static void an_observation_is_a_result_and_no_transition(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	assert_int_equal(put(f, "health", 1, HEALTHY("")), 0);
	expect(f,
	       "SELECT node||' '||component||' '||status||' '||outcome||' '||reason||' '||message||"
	       "' '||took_ms||' '||metrics||' '||at_text||' '||epoch||' '||seq FROM v_results",
	       "web1 api healthy pass ok 200 41.2 {\"status_code\":200} 2027-01-15T08:00:01.000Z "
	       "e1 1;");
	assert_int_equal(count(f, "transitions"), 0);
}

/* As an object it would be the row of an_observation_is_a_result_and_no_transition. */
static void a_routine_line_as_text_is_the_same_row(void **state)
{
	static char text[] =
		"{\"at\":\"2027-01-15T08:00:01.000Z\",\"node\":\"web1\",\"component\":\"api\","
		"\"transition\":false,\"previous\":\"healthy\",\"no_data\":false,\"state\":{"
		"\"status\":\"healthy\",\"outcome\":\"pass\",\"reason\":\"ok\",\"message\":"
		"\"2\\u0030\\\"\","
		"\"took_ms\":41.2,\"metrics\":{\"status_code\":200.0},\"details\":{\"a\":\"b\"}}}";
	struct fixture *f = *state;
	struct store_line line = {
		.topic = "health", .epoch = "e1", .seq = 1, .text = text, .len = strlen(text)};

	open_writer(f);
	must(f, write_lines(f, &line, 1));
	assert_int_equal(f->skipped, 0);
	expect(f,
	       "SELECT node||' '||component||' '||status||' '||outcome||' '||reason||' '||message||"
	       "' '||took_ms||' '||metrics||' '||details||' '||at_text||' '||epoch||' '||seq FROM "
	       "v_results",
	       "web1 api healthy pass ok 20\" 41.2 {\"status_code\":200} {\"a\":\"b\"} "
	       "2027-01-15T08:00:01.000Z e1 1;");
	assert_int_equal(count(f, "transitions"), 0);
	text[0] = ' ';
	line.seq = 2;
	must(f, write_lines(f, &line, 1));
	text[0] = '{';
	assert_int_equal(f->skipped, 1);
}

static void a_change_is_a_result_a_transition_and_the_overalls(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	assert_int_equal(put(f, "health", 1, DOWN), 0);
	expect(f, "SELECT status||' '||reason||' '||message||' '||details FROM v_results",
	       "down conn_refused Connection refused {\"address\":\"::1\"};");
	expect(f,
	       "SELECT component||' '||from_status||' '||to_status||' '||message FROM v_transitions"
	       " ORDER BY component",
	       "api healthy down Connection refused;overall healthy critical api is down;");
}

static void silence_is_a_transition_without_a_result(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	assert_int_equal(
		put(f, "health", 1,
		    "{\"component\":\"api\",\"transition\":true,\"previous\":\"healthy\","
		    "\"no_data\":true,\"state\":{\"status\":\"unknown\",\"outcome\":\"pass\","
		    "\"reason\":\"no_data\",\"message\":\"No data\"}}"),
		0);
	assert_int_equal(count(f, "results"), 0);
	expect(f, "SELECT to_status||' '||reason FROM v_transitions", "unknown no_data;");
}

static void a_removed_component_leaves_no_result_and_is_unknown(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	assert_int_equal(put(f, "health", 1,
			     "{\"component\":\"api\",\"transition\":false,\"removed\":true,"
			     "\"state\":{\"status\":\"healthy\",\"outcome\":\"pass\"}}"),
			 0);
	assert_int_equal(count(f, "results"), 0);
	expect(f, "SELECT from_status||' '||to_status||' '||message FROM v_transitions",
	       "healthy unknown Removed from the configuration;");
	assert_int_equal(put(f, "health", 2,
			     "{\"component\":\"db\",\"transition\":false,\"removed\":true,"
			     "\"state\":{\"status\":\"unknown\",\"outcome\":null}}"),
			 0);
	assert_int_equal(count(f, "transitions"), 1);
}

static void the_first_change_has_no_known_before(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	assert_int_equal(put(f, "health", 1,
			     "{\"component\":\"api\",\"transition\":true,\"previous\":null,"
			     "\"state\":{\"status\":\"healthy\",\"outcome\":null}}"),
			 0);
	expect(f, "SELECT CAST(from_status IS NULL AS INTEGER) FROM v_transitions", "1;");
}

static void a_healthy_message_is_stored_when_it_changes(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	(void)put(f, "health", 1, HEALTHY(""));
	(void)put(f, "health", 2, HEALTHY(""));
	(void)put(f, "health", 3, HEALTHY(",\"details\":{\"a\":1}"));
	(void)put(f, "health", 4, HEALTHY(",\"details\":{\"a\":1}"));
	(void)put(f, "health", 5, DOWN);
	(void)put(f, "health", 6, DOWN);
	(void)put(f, "health", 7, HEALTHY(""));
	expect(f, "SELECT coalesce(message, '-') FROM v_results ORDER BY seq",
	       "200;-;-;-;Connection refused;Connection refused;200;");
	expect(f, "SELECT coalesce(CAST(details AS TEXT), '-') FROM v_results ORDER BY seq",
	       "-;-;{\"a\":1};-;{\"address\":\"::1\"};{\"address\":\"::1\"};-;");
}

static void long_details_are_replaced_by_their_size(void **state)
{
	struct fixture *f = *state;
	char *filler = mem_alloc(20001), *json;

	open_writer(f);
	memset(filler, 'x', 20000);
	json = mem_printf("{\"kind\":\"reload\",\"severity\":\"info\",\"details\":{\"a\":\"%s\"}}",
			  filler);
	assert_int_equal(put(f, "event", 1, json), 0);
	/* PostgreSQL sorts the members. */
	expect(f, "SELECT details FROM events",
	       f->is_postgres ? "{\"bytes\":20008,\"truncated\":true};"
			      : "{\"truncated\":true,\"bytes\":20008};");
	free(filler);
	free(json);
}

/* So deep that a database would not read it as JSON any more: one row would spoil every view. */
static void details_nested_beyond_reason_are_replaced_by_their_size(void **state)
{
	enum { DEPTH = 2020 };
	struct fixture *f = *state;
	char deep[2 * DEPTH + 1], *json;

	open_writer(f);
	memset(deep, '[', DEPTH);
	memset(deep + DEPTH, ']', DEPTH);
	deep[2 * DEPTH] = '\0';
	json = mem_printf("{\"component\":\"api\",\"transition\":true,\"state\":{\"status\":"
			  "\"down\",\"outcome\":\"down\",\"details\":{\"a\":%s}}}",
			  deep);
	assert_int_equal(put(f, "health", 1, json), 0);
	expect(f, "SELECT count(metadata) FROM service_health", "1;");
	expect(f, "SELECT count(*) FROM results WHERE details IS NOT NULL", "1;");
	free(json);
}

static void processes_events_alerts_and_runs_have_their_rows(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	assert_int_equal(
		put(f, "process", 1,
		    "{\"event\":\"exit\",\"state\":{\"name\":\"check.http\",\"state\":\"backoff\","
		    "\"pid\":null,\"generation\":3,\"restarts\":2,\"status_text\":\"12 checks\","
		    "\"last_exit\":{\"signal\":\"SIGKILL\",\"last_lines\":[\"boom\"]}}}"),
		0);
	assert_int_equal(put(f, "event", 2,
			     "{\"kind\":\"reload\",\"severity\":\"info\",\"subject\":\"config\","
			     "\"message\":\"3 changed\",\"details\":{}}"),
			 0);
	assert_int_equal(
		put(f, "alert", 3,
		    "{\"event\":\"opened\",\"alert\":{\"id\":\"u\",\"severity\":\"critical\","
		    "\"component\":\"api\",\"message\":\"api is down\"}}"),
		0);
	assert_int_equal(
		put(f, "reconcile", 4,
		    "{\"job\":\"positions\",\"outcome\":\"done\",\"inserted\":1,\"updated\":2,"
		    "\"closed\":0,\"errors\":[],\"plan\":[1,2,3]}"),
		0);
	assert_int_equal(
		put(f, "action", 5,
		    "{\"action\":\"reconnect\",\"outcome\":\"failed\",\"message\":\"503\"}"),
		0);
	expect(f,
	       "SELECT process||' '||event||' '||state||' '||generation||' '||last_exit"
	       " FROM v_process_events",
	       "check.http exit backoff 3 {\"signal\":\"SIGKILL\",\"last_lines\":[\"boom\"]};");
	expect(f,
	       "SELECT topic||' '||kind||' '||severity||' '||subject||' '||message FROM v_events"
	       " ORDER BY seq",
	       "event reload info config 3 changed;alert opened critical api api is down;"
	       "reconcile done info positions 1 inserted, 2 updated, 0 closed;"
	       "action failed warning reconnect 503;");
	expect(f,
	       "SELECT CAST(CAST(details AS TEXT) LIKE '%plan%' AS INTEGER) FROM v_events WHERE "
	       "topic = 'reconcile'",
	       "0;");
}

static void what_is_not_understood_is_counted_and_passed_over(void **state)
{
	static const struct {
		const char *topic, *json;
	} bad[] = {
		{"health", "{}"},
		{"health", "{\"component\":\"\",\"state\":{\"status\":\"healthy\"}}"},
		{"health", "{\"component\":\"a\",\"state\":{\"status\":\"purple\"}}"},
		{"health", "{\"component\":7,\"state\":[]}"},
		{"health", "{\"component\":\"a\",\"state\":{\"status\":\"down\"},\"at\":\"noon\"}"},
		{"health", "{\"component\":\"a\",\"state\":{\"status\":\"down\"},\"node\":\"\"}"},
		{"process", "{\"event\":\"exit\"}"},
		{"event", "{\"kind\":\"x\"}"},
		{"alert", "{\"event\":\"opened\"}"},
		{"weather", "{}"},
	};
	struct fixture *f = *state;
	char *long_name = mem_alloc(301), *json;

	open_writer(f);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(put(f, bad[i].topic, i + 1, bad[i].json), 1);
	memset(long_name, 'n', 300);
	json = mem_printf("{\"component\":\"%s\",\"state\":{\"status\":\"down\"}}", long_name);
	assert_int_equal(put(f, "health", 50, json), 1);
	assert_int_equal(count(f, "results") + count(f, "transitions") + count(f, "events"), 0);
	expect(f, "SELECT max(seq) FROM cursors", "50;");
	free(long_name);
	free(json);
}

static void a_snapshot_tells_only_what_differs(void **state)
{
	struct fixture *f = *state;
	const char *snapshot =
		"{\"status\":\"critical\",\"components\":["
		"{\"id\":\"api\",\"status\":\"down\",\"since\":\"2027-01-15T07:00:00.000Z\"},"
		"{\"id\":\"db\",\"status\":\"degraded\",\"since\":\"2027-01-15T09:00:00.000Z\","
		"\"message\":\"slow\"}]}";

	open_writer(f);
	(void)put(f, "health", 1, DOWN);
	assert_int_equal(put(f, STORE_TOPIC_SNAPSHOT, 90, snapshot), 0);
	assert_int_equal(put(f, STORE_TOPIC_SNAPSHOT, 90, snapshot), 0);
	expect(f,
	       "SELECT component||' '||coalesce(from_status,'-')||' '||to_status||' '||at_text"
	       " FROM v_transitions WHERE seq = 90",
	       "db - degraded 2027-01-15T09:00:00.000Z;");
}

/* That they were removed was told in lines that were lost. */
static void what_a_snapshot_does_not_have_is_removed(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	(void)put(f, "health", 1, DOWN);
	(void)put(f, "health", 2,
		  "{\"component\":\"db\",\"transition\":false,\"previous\":\"healthy\","
		  "\"no_data\":false,\"state\":{\"status\":\"healthy\",\"outcome\":\"pass\","
		  "\"reason\":\"ok\",\"message\":\"fine\",\"metrics\":{}}}");
	/* Another one of that, which waits for its time. */
	(void)put(f, "health", 3,
		  "{\"component\":\"db\",\"transition\":false,\"previous\":\"healthy\","
		  "\"no_data\":false,\"state\":{\"status\":\"healthy\",\"outcome\":\"pass\","
		  "\"reason\":\"ok\",\"message\":\"fine\",\"metrics\":{}}}");
	assert_int_equal(count(f, "component_states"), 2);
	assert_int_equal(put(f, STORE_TOPIC_SNAPSHOT, 90,
			     "{\"status\":\"healthy\",\"components\":[{\"id\":\"web\",\"status\":"
			     "\"healthy\",\"since\":\"2027-01-15T07:00:00.000Z\"}]}"),
			 0);
	expect(f, "SELECT component FROM v_states", "web;");
	expect(f,
	       "SELECT component||' '||from_status||' '||to_status||' '||message FROM v_transitions"
	       " WHERE seq = 90 AND component IN ('api', 'db') ORDER BY component",
	       "api down unknown Removed from the configuration;"
	       "db healthy unknown Removed from the configuration;");
	close_writer(f); /* which stores the states that wait */
	expect(f, "SELECT component FROM v_states", "web;");
}

/* --- exactly once --- */

static void a_failed_batch_leaves_nothing_and_can_be_written_again(void **state)
{
	struct fixture *f = *state;
	struct store_line lines[2] = {make_line("health", 1, HEALTHY("")),
				      make_line("health", 2, DOWN)};

	open_writer(f);
	raw_script(f, f->is_postgres
			      ? "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
				" $$BEGIN RAISE 'disk on fire'; END$$;"
				" CREATE TRIGGER refuse BEFORE INSERT ON transitions"
				" FOR EACH ROW EXECUTE FUNCTION refuse()"
			      : "CREATE TRIGGER refuse BEFORE INSERT ON transitions"
				" BEGIN SELECT RAISE(ABORT, 'disk on fire'); END");
	assert_int_not_equal(write_lines(f, lines, 2), 0);
	assert_non_null(strstr(f->err.text, "disk on fire"));
	assert_int_equal(count(f, "results") + count(f, "cursors") + count(f, "rollup_pending"), 0);
	/* With PostgreSQL names have got their numbers, no line is stored. */
	expect(f, "SELECT count(*) FROM epochs WHERE last_seq >= 0", "0;");
	raw_script(f,
		   f->is_postgres ? "DROP TRIGGER refuse ON transitions" : "DROP TRIGGER refuse");
	must(f, write_lines(f, lines, 2));
	assert_int_equal(count(f, "results"), 2);
	/* The message cache did not believe the failed batch. */
	expect(f, "SELECT message FROM v_results WHERE seq = 1", "200;");
	free_line(&lines[0]);
	free_line(&lines[1]);
}

/* Lines 1..n are there, each once, and nothing else. */
static void expect_exactly(struct fixture *f, uint64_t n)
{
	uint64_t fives = n / 5, rest = n % 5;
	uint64_t results = fives * 3 + (rest > 2 ? rest - 2 : 0);

	assert_int_equal(count(f, "results"), results);
	assert_int_equal(count(f, "transitions"), fives * 2);
	assert_int_equal(count(f, "process_events"), fives + (rest >= 1));
	assert_int_equal(count(f, "events"), fives + (rest >= 2));
}

static void lines_handed_in_again_are_stored_once(void **state)
{
	struct fixture *f = *state;
	uint64_t head = 0;

	open_writer(f);
	for (int round = 0; round < 60; round++) {
		uint64_t from = head - rnd_u32() % (head + 1) + 1;
		uint64_t to = HALE_MAX(from, head) + rnd_u32() % 7;

		if (rnd_u32() % 8 == 0)
			open_writer(f);
		must(f, write_range(f, from, to));
		assert_int_equal(f->repeated, HALE_MIN(to, head) - from + 1);
		head = to;
	}
	expect_exactly(f, head);
}

/* Writes until it is killed; tells each committed seq on fd. */
static void write_for_ever(struct fixture *f, int fd)
{
	uint64_t seq;

	if (try_open_writer(f) != 0)
		_exit(1);
	for (seq = f->seq;;) {
		uint64_t to = seq + 1 + rnd_u32() % 40;

		if (write_range(f, seq + 1, to) != 0)
			_exit(2);
		seq = to;
		if (write(fd, &seq, sizeof(seq)) != (ssize_t)sizeof(seq))
			_exit(3);
	}
}

static void kill_a_writer(struct fixture *f, uint64_t *acknowledged)
{
	struct timespec pause;
	uint64_t seq = 0;
	int fds[2], status = 0;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		write_for_ever(f, fds[1]);
	(void)close(fds[1]);
	/* From the first commit on, at any moment. */
	assert_int_equal(read(fds[0], &seq, sizeof(seq)), sizeof(seq));
	pause = (struct timespec){.tv_nsec = (long)(rnd_u32() % 30) * 1000000};
	(void)nanosleep(&pause, NULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	do
		*acknowledged = seq;
	while (read(fds[0], &seq, sizeof(seq)) == (ssize_t)sizeof(seq));
	(void)close(fds[0]);
}

static void kill_9_in_the_middle_loses_and_repeats_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t acknowledged = 0;

	for (int round = 0; round < 12; round++) {
		kill_a_writer(f, &acknowledged);
		open_writer(f);
		if (!f->is_postgres)
			expect(f, "PRAGMA integrity_check", "ok;");
		assert_string_equal(f->epoch, "e1");
		assert_true(f->seq >= acknowledged);
		expect_exactly(f, f->seq);
		close_writer(f);
		store_close(TAKE_PTR(f->h));
	}
}

/* --- names --- */

static void a_check_that_makes_up_names_does_not_fill_the_store(void **state)
{
	struct fixture *f = *state;
	struct store_line lines[200];

	open_writer(f);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		HALE_CLEANUP(cleanup_free)
		char *json = mem_printf(
			"{\"component\":\"api\",\"transition\":false,\"previous\":\"healthy\","
			"\"no_data\":false,\"state\":{\"status\":\"healthy\",\"outcome\":\"pass\","
			"\"reason\":\"ok\",\"message\":\"fine\",\"metrics\":{\"run_%zu\":%zu}}}",
			i, i);

		lines[i] = make_line("health", i + 1, json);
	}
	for (size_t i = 0; i < ARRAY_LEN(lines); i += 50)
		must(f, write_lines(f, lines + i, 50));
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		free_line(&lines[i]);
	assert_int_equal(count(f, "results"), ARRAY_LEN(lines));
	assert_int_equal(count(f, "metric_sets"), 64);
	/* Those of another component are not kept out. */
	assert_int_equal(
		put(f, "health", 201,
		    "{\"component\":\"db\",\"transition\":false,\"previous\":\"healthy\","
		    "\"no_data\":false,\"state\":{\"status\":\"healthy\",\"outcome\":\"pass\","
		    "\"reason\":\"ok\",\"message\":\"fine\",\"metrics\":{\"rows\":1}}}"),
		0);
	assert_int_equal(count(f, "metric_sets"), 65);
	expect(f, "SELECT metrics FROM v_results WHERE seq IN (1, 64, 65, 200) ORDER BY seq",
	       "{\"run_0\":0};{\"run_63\":63};{\"run_64\":64};{\"run_199\":199};");
}

#define TEST(name)                                                                                 \
	{#name "_sqlite", name, store_setup, store_teardown, NULL},                                \
	{                                                                                          \
#name "_postgres", name, store_setup_postgres, store_teardown, NULL                \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_observation_is_a_result_and_no_transition),
		TEST(a_routine_line_as_text_is_the_same_row),
		TEST(a_change_is_a_result_a_transition_and_the_overalls),
		TEST(silence_is_a_transition_without_a_result),
		TEST(a_removed_component_leaves_no_result_and_is_unknown),
		TEST(the_first_change_has_no_known_before),
		TEST(a_healthy_message_is_stored_when_it_changes),
		TEST(long_details_are_replaced_by_their_size),
		TEST(details_nested_beyond_reason_are_replaced_by_their_size),
		TEST(processes_events_alerts_and_runs_have_their_rows),
		TEST(what_is_not_understood_is_counted_and_passed_over),
		TEST(a_snapshot_tells_only_what_differs),
		TEST(what_a_snapshot_does_not_have_is_removed),
		TEST(a_failed_batch_leaves_nothing_and_can_be_written_again),
		TEST(lines_handed_in_again_are_stored_once),
		TEST(a_check_that_makes_up_names_does_not_fill_the_store),
		TEST(kill_9_in_the_middle_loses_and_repeats_nothing),
	};

	return cmocka_run_group_tests(tests, store_start_server, store_stop_server);
}
