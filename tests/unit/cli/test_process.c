/* SPDX-License-Identifier: Apache-2.0 */
/* restart, stop, start: what is waited for, and how the waiting ends. */
#include "fake.h"

#include <string.h>

#include "base/str.h"
#include "bus/command.h"

/* One process, as status tells it. A since far ahead is after the command, whenever the test runs.
 */
#define PROCESS(state, generation, pid, rest)                                                      \
	"{\"processes\": [{\"name\": \"web\", \"state\": \"" state                                 \
	"\", \"generation\": " #generation ", \"pid\": " #pid rest "}]}"
#define LATER   ", \"since\": \"2150-01-01T00:00:00.000Z\""
#define EARLIER ", \"since\": \"2020-01-01T00:00:00.000Z\""

static void accept_web(struct fake *f, const char *method)
{
	fake_answer(f, "haled", method, "{\"processes\": [\"web\"]}");
}

static void assert_starts(struct fake *f, const char *words, int code, const char *start,
			  const char *end)
{
	assert_int_equal(fake_run(f, words), code);
	if (!str_starts(fake_out(f), start) || !str_ends(fake_out(f), end))
		fail_msg("%s", fake_out(f));
}

static void restart_waits_for_a_younger_generation(void **state)
{
	struct fake *f = *state;

	accept_web(f, "process.restart");
	fake_answer(f, "haled", "status", PROCESS("ready", 3, 10, EARLIER));
	fake_answer(f, "haled", "status", PROCESS("ready", 3, 10, EARLIER));
	fake_answer(f, "haled", "status", PROCESS("stopping", 3, 10, LATER));
	fake_answer(f, "haled", "status", PROCESS("starting", 4, 11, LATER));
	fake_answer(f, "haled", "status", PROCESS("ready", 4, 11, LATER));
	assert_starts(f, "restart w*", 0, "web ready in ", " (pid 11)\n");
	assert_string_equal(fake_asked(f, "haled", "process.restart"), "{\"names\":[\"web\"]}");
}

static void restart_gives_up_when_it_is_held(void **state)
{
	struct fake *f = *state;

	accept_web(f, "process.restart");
	fake_answer(f, "haled", "status", PROCESS("ready", 3, 10, ""));
	fake_answer(
		f, "haled", "status",
		PROCESS("held", 4, null, ", \"last_exit\": {\"code\": 78, \"expected\": false}"));
	fake_answer(f, "haled", "logs",
		    "{\"lines\": [{\"level\": \"fatal\", \"text\": \"bad jq\"}]}");
	assert_run(f, "restart web", 1,
		   "web is not ready but held: exited with code 78 (configuration wrong)\n"
		   "    fatal bad jq\n");
	assert_string_equal(fake_asked(f, "haled", "logs"),
			    "{\"after\":0,\"limit\":5,\"name\":\"web\"}");
}

static void restart_gives_up_in_time_with_the_last_lines(void **state)
{
	struct fake *f = *state;

	accept_web(f, "process.restart");
	fake_answer(f, "haled", "status", PROCESS("ready", 3, 10, ""));
	fake_answer(f, "haled", "status",
		    PROCESS("backoff", 4, null, ", \"last_exit\": {\"signal\": \"SIGSEGV\"}"));
	fake_answer(f, "haled", "logs", "{\"lines\": [{\"text\": \"oops\"}]}");
	assert_run(f, "restart web --timeout 60ms", 1,
		   "web is not ready but backoff: killed by SIGSEGV\n    oops\n");
}

static void restart_without_waiting_names_what_it_told(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "status", "{}");
	fake_answer(f, "haled", "process.restart", "{\"processes\": [\"check.a\", \"check.b\"]}");
	assert_run(f, "restart check.* --no-wait", 0, "check.a\ncheck.b\n");
}

static void each_process_is_told_when_it_is_ready(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "process.restart", "{\"processes\": [\"a\", \"b\"]}");
	fake_answer(f, "haled", "status", "{}");
	fake_answer(f, "haled", "status",
		    "{\"processes\": [{\"name\": \"a\", \"state\": \"starting\"},"
		    " {\"name\": \"b\", \"state\": \"ready\", \"pid\": 2}]}");
	fake_answer(f, "haled", "status",
		    "{\"processes\": [{\"name\": \"a\", \"state\": \"ready\", \"pid\": 1}]}");
	assert_run(f, "restart *", 0, "b is already ready (pid 2)\na is already ready (pid 1)\n");
}

static void a_process_that_vanishes_is_a_failure(void **state)
{
	struct fake *f = *state;

	accept_web(f, "process.restart");
	fake_answer(f, "haled", "status", "{\"processes\": []}");
	fake_answer(f, "haled", "logs", "{}");
	assert_run(f, "restart web", 1, "web is not ready but gone\n");
}

/* Two processes that come back one after the other: a look before each, then one until it is so. */
#define BOTH(web_generation, recorder_generation, recorder_state)                                  \
	"{\"processes\": [{\"name\": \"recorder\", \"stop_stage\": 4, \"state\": "                 \
	"\"" recorder_state "\", \"generation\": " #recorder_generation "},"                       \
	"{\"name\": \"web\", \"stop_stage\": 0, \"state\": \"ready\", "                            \
	"\"generation\": " #web_generation "}]}"

static void all_are_restarted_one_after_the_other(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "process.restart", "{\"processes\": [\"web\"]}");
	fake_answer(f, "haled", "process.restart", "{\"processes\": [\"recorder\"]}");
	fake_answer(f, "haled", "status", BOTH(1, 1, "ready"));
	fake_answer(f, "haled", "status", BOTH(1, 1, "ready"));
	fake_answer(f, "haled", "status", BOTH(2, 1, "ready"));
	fake_answer(f, "haled", "status", BOTH(2, 1, "ready"));
	fake_answer(f, "haled", "status", BOTH(2, 2, "starting"));
	fake_answer(f, "haled", "status", BOTH(2, 2, "ready"));
	assert_run(f, "restart --all", 0, "web      is already ready\nrecorder is already ready\n");
	assert_string_equal(fake_asked(f, "haled", "process.restart"),
			    "{\"names\":[\"recorder\"]}");
}

static void the_first_failure_ends_it_and_tells_what_was_left(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "process.restart", "{\"processes\": [\"web\"]}");
	fake_answer(f, "haled", "status", BOTH(1, 1, "ready"));
	fake_answer(f, "haled", "logs", "{}");
	assert_run(f, "restart --all --timeout 50ms", 1,
		   "web      has not restarted: it is still the one from before\nleft alone: "
		   "recorder\n");
	assert_string_equal(fake_asked(f, "haled", "process.restart"), "{\"names\":[\"web\"]}");
	assert_run(
		f, "restart --all --timeout 50ms -o json", 1,
		"{\"name\":\"web\",\"done\":false,\"process\":{\"name\":\"web\",\"stop_stage\":0,"
		"\"state\":\"ready\",\"generation\":1}}\n"
		"{\"name\":\"recorder\",\"done\":false,\"skipped\":true}\n");
}

static void what_is_stopped_stays_so_when_all_restart(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "status", PROCESS("stopped", 3, null, EARLIER));
	/* Nobody is told anything: no answer is prepared for that. */
	assert_run(f, "restart --all", 0, "web is stopped and stays so\n");
}

static void names_and_all_do_not_go_together(void **state)
{
	struct fake *f = *state;

	assert_refused(f, "restart", 2, "hale: restart: name processes, or say --all\n");
	assert_refused(f, "stop web --all", 2, "hale: stop: name processes, or say --all\n");
	assert_refused(f, "restart a b --in-turn --no-wait", 2,
		       "hale: restart: --in-turn has to wait for each\n");
}

static void a_component_is_no_process(void **state)
{
	struct fake *f = *state;

	fake_answer(f, "haled", "status",
		    "{\"components\": [{\"id\": \"api\", \"process\": \"check.http\"}]}");
	assert_refused(
		f, "restart api", 2,
		"hale: api is no process but a component, which check.http checks (say: hale "
		"restart check.http, or hale check api)\n");
}

static void stop_waits_until_there_is_no_process(void **state)
{
	struct fake *f = *state;

	accept_web(f, "process.stop");
	fake_answer(f, "haled", "status", PROCESS("ready", 3, 10, EARLIER));
	fake_answer(f, "haled", "status", PROCESS("stopping", 3, 10, LATER));
	fake_answer(f, "haled", "status", PROCESS("stopped", 3, 10, LATER));
	fake_answer(f, "haled", "status", PROCESS("stopped", 3, null, LATER));
	assert_starts(f, "stop web", 0, "web stopped in ", "\n");
	assert_null(strstr(fake_out(f), "pid"));
}

static void start_of_what_runs_is_done_already(void **state)
{
	struct fake *f = *state;

	accept_web(f, "process.start");
	fake_answer(f, "haled", "status", PROCESS("ready", 3, 10, EARLIER));
	assert_run(f, "start web", 0, "web is already ready (pid 10)\n");
}

static void start_of_what_was_held_waits_for_the_next_try(void **state)
{
	struct fake *f = *state;

	accept_web(f, "process.start");
	fake_answer(f, "haled", "status", PROCESS("held", 3, null, EARLIER));
	fake_answer(f, "haled", "status", PROCESS("held", 3, null, EARLIER));
	fake_answer(f, "haled", "status", PROCESS("ready", 4, 11, LATER));
	assert_starts(f, "start web", 0, "web ready in ", " (pid 11)\n");
}

static void json_has_a_line_for_each(void **state)
{
	struct fake *f = *state;

	accept_web(f, "process.start");
	fake_answer(f, "haled", "status", PROCESS("ready", 3, 10, ""));
	assert_run(
		f, "start web -o json", 0,
		"{\"name\":\"web\",\"done\":true,\"process\":{\"name\":\"web\",\"state\":\"ready\","
		"\"generation\":3,\"pid\":10}}\n");
}

static void haled_going_away_ends_the_waiting(void **state)
{
	struct fake *f = *state;

	accept_web(f, "process.restart");
	fake_answer(f, "haled", "status", PROCESS("ready", 3, 10, ""));
	fake_refuse(f, "haled", "status", COMMAND_E_REFUSED, "shutting down", NULL);
	assert_refused(f, "restart web", 1, "hale: shutting down\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(restart_waits_for_a_younger_generation),
		T(restart_gives_up_when_it_is_held),
		T(restart_gives_up_in_time_with_the_last_lines),
		T(restart_without_waiting_names_what_it_told),
		T(each_process_is_told_when_it_is_ready),
		T(a_process_that_vanishes_is_a_failure),
		T(all_are_restarted_one_after_the_other),
		T(the_first_failure_ends_it_and_tells_what_was_left),
		T(what_is_stopped_stays_so_when_all_restart),
		T(names_and_all_do_not_go_together),
		T(a_component_is_no_process),
		T(stop_waits_until_there_is_no_process),
		T(start_of_what_runs_is_done_already),
		T(start_of_what_was_held_waits_for_the_next_try),
		T(json_has_a_line_for_each),
		T(haled_going_away_ends_the_waiting),
	};

	return cmocka_run_group_tests_name("cli.process", tests, NULL, NULL);
}
