/* SPDX-License-Identifier: Apache-2.0 */
/* A real process as child: what it says, writes and ends with is what haled makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "child.h"
#include "proc/tail.h"

/* Generous, because sanitizers and a busy machine are slow; a passing test never waits for it. */
#define DEADLINE_MS 30000
#define FOREVER_MS  (10 * 60 * 1000)
/* A program that can speak sd_notify(3). */
#define SAY                                                                                        \
	"import os,socket,sys,time,signal\n"                                                       \
	"s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n"                                      \
	"def say(b): s.sendto(b,os.environ['NOTIFY_SOCKET'])\n"

static char service_name[] = "check.test";
static char slice_text[] = "{\"service\":\"check.test\"}";
static char log_level[] = "info";

struct fixture {
	char dir[64];
	char program[128];
	uv_loop_t loop;
	uv_timer_t tick;
	uv_check_t turn;
	uint64_t line_counter;
	struct child_home home;
	struct process_spec spec;
	struct child *child;
	struct str events; /* "start,ready," */
	int lines_in_turn;
	int lines_in_turn_max;
};

static void on_event(void *ctx, struct child *c, const char *event)
{
	struct fixture *f = ctx;
	json_t *told = child_encode(c);

	/* Whatever a child does, this is published. */
	assert_non_null(told);
	json_decref(told);
	str_addf(&f->events, "%s,", event);
}

static void on_line(void *ctx, struct child *c, int priority, const char *text)
{
	struct fixture *f = ctx;

	(void)c;
	(void)priority;
	(void)text;
	f->lines_in_turn++;
}

static void on_crash_loop(void *ctx, struct child *c, bool began)
{
	(void)ctx;
	(void)c;
	(void)began;
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer;
}

static void on_turn(uv_check_t *check)
{
	struct fixture *f = check->data;

	f->lines_in_turn_max = HALE_MAX(f->lines_in_turn_max, f->lines_in_turn);
	f->lines_in_turn = 0;
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/hale-child-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->program, sizeof(f->program), "%s/program", f->dir);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	(void)uv_timer_init(&f->loop, &f->tick);
	(void)uv_timer_start(&f->tick, on_tick, 5, 5);
	(void)uv_check_init(&f->loop, &f->turn);
	f->turn.data = f;
	(void)uv_check_start(&f->turn, on_turn);
	f->home = (struct child_home){.at = {.run_dir = f->dir, .state_dir = f->dir, .node = "n1"},
				      .line_counter = &f->line_counter};
	f->spec = (struct process_spec){
		.name = service_name,
		.program = f->program,
		.slice = slice_text,
		.slice_len = strlen(slice_text),
		.log_level = log_level,
		.is_enabled = true,
		.policy = {.backoff = {.base_ms = 1, .factor = 1, .cap_ms = 1},
			   .fixed_delay_ms = FOREVER_MS,
			   .stable_after_ms = FOREVER_MS,
			   .burst = 5,
			   .window_ms = 60000,
			   .start_timeout_ms = FOREVER_MS,
			   .stop_timeout_ms = FOREVER_MS,
			   .is_held_on_78 = true,
			   .ready_after_ms = -1},
	};
	*state = f;
	return 0;
}

/* haled's reaper, for one child. */
static void reap(struct fixture *f)
{
	pid_t pid = child_pid(f->child);
	int status;

	if (pid != 0 && waitpid(pid, &status, WNOHANG) == pid)
		child_reaped(f->child, status);
}

static void turn(struct fixture *f)
{
	(void)uv_run(&f->loop, UV_RUN_ONCE);
	reap(f);
}

static void until_state(struct fixture *f, enum process_state wanted)
{
	int64_t deadline = clock_mono_ms() + DEADLINE_MS;

	while (child_state_of(f->child) != wanted) {
		if (clock_mono_ms() > deadline)
			fail_msg("state is %s, not %s; events %s",
				 process_state_name(child_state_of(f->child)),
				 process_state_name(wanted), str_text(&f->events));
		turn(f);
	}
}

static void until_lines(struct fixture *f, uint64_t wanted)
{
	int64_t deadline = clock_mono_ms() + DEADLINE_MS;

	while (f->line_counter < wanted) {
		assert_true(clock_mono_ms() < deadline);
		turn(f);
	}
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (child_pid(f->child) != 0) {
		child_event(f->child, CHILD_EV_STOP);
		(void)kill(-child_pid(f->child), SIGKILL);
		until_state(f, PROCESS_STOPPED);
	}
	child_close(f->child);
	uv_close((uv_handle_t *)&f->tick, NULL);
	uv_close((uv_handle_t *)&f->turn, NULL);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	(void)unlink(f->program);
	/* Empty: the notify socket is gone. */
	assert_int_equal(rmdir(f->dir), 0);
	str_done(&f->events);
	free(f);
	return 0;
}

static void start(struct fixture *f, const char *interpreter, const char *text)
{
	struct child_hooks hooks = {
		.on_event = on_event, .on_line = on_line, .on_crash_loop = on_crash_loop, .ctx = f};
	HALE_CLEANUP(cleanup_free) char *script = NULL;
	struct err err;

	if (interpreter != NULL) {
		script = mem_printf("#!%s\n%s\n", interpreter, text);
		assert_int_equal(file_write_atomic(f->program, script, strlen(script), 0700, &err),
				 0);
	}
	assert_int_equal(child_new(&f->loop, &f->spec, &f->home, &hooks, NULL, &f->child, &err), 0);
	child_event(f->child, CHILD_EV_START);
}

static json_t *texts(const struct fixture *f)
{
	return tail_texts(child_tail(f->child), 0, TAIL_LINES);
}

static const char *text_at(const json_t *list, size_t i)
{
	return json_string_value(json_array_get(list, i));
}

/* ---- what it ends with ---- */

static void assert_ends(struct fixture *f, const char *script, enum process_state state,
			const char *how, const char *events)
{
	start(f, "/bin/sh", script);
	until_state(f, state);
	assert_true(str_starts(child_last_exit(f->child), how));
	assert_string_equal(str_text(&f->events), events);
}

static void an_end_nobody_asked_for_is_a_failure(void **state)
{
	assert_ends(*state, "exit 0", PROCESS_BACKOFF, "exit code 0 after ", "start,exit,");
}

static void try_again_is_tried_again(void **state)
{
	assert_ends(*state, "exit 75", PROCESS_BACKOFF, "exit code 75 after ", "start,exit,");
}

static void a_wrong_configuration_is_held(void **state)
{
	assert_ends(*state, "exit 78", PROCESS_HELD, "exit code 78 after ", "start,held,");
}

static void a_signal_is_named(void **state)
{
	assert_ends(*state, "kill -KILL $$", PROCESS_BACKOFF, "killed by SIGKILL after ",
		    "start,exit,");
}

static void what_cannot_be_started_is_a_failure_too(void **state)
{
	struct fixture *f = *state;
	json_t *list;

	start(f, NULL, NULL);
	until_state(f, PROCESS_BACKOFF);
#ifdef __SANITIZE_THREAD__
	/* There vfork is fork: the child cannot say why, but its end is a failure all the same. */
	assert_true(str_starts(child_last_exit(f->child), "exit code 127"));
	return;
#endif
	assert_true(str_starts(child_last_exit(f->child), "could not be started: "));
	list = texts(f);
	assert_int_equal(json_array_size(list), 1);
	assert_non_null(strstr(text_at(list, 0), "No such file"));
	json_decref(list);
}

static void the_crash_report_has_the_last_lines(void **state)
{
	struct fixture *f = *state;
	json_t *process, *lines;

	start(f, "/bin/sh",
	      "for i in $(seq 30); do echo line $i; done; printf 'no newline'; exit 3");
	until_state(f, PROCESS_BACKOFF);
	process = child_encode(f->child);
	lines = json_object_get(json_object_get(process, "last_exit"), "last_lines");
	assert_int_equal(json_array_size(lines), CHILD_REPORT_LINES);
	assert_string_equal(text_at(lines, CHILD_REPORT_LINES - 1), "no newline");
	assert_string_equal(text_at(lines, CHILD_REPORT_LINES - 2), "line 30");
	json_decref(process);
}

/* ---- what it writes ---- */

static void both_outputs_are_read_with_their_priorities(void **state)
{
	struct fixture *f = *state;
	json_t *out = json_array();
	json_t *line;

	start(f, "/bin/sh", "echo '<3>bad' >&2; echo plain; exec sleep 600");
	until_lines(f, 2);
	tail_encode(child_tail(f->child), "check.test", 0, TAIL_LINES, out);
	line = json_array_get(out, 0);
	assert_string_equal(json_string_value(json_object_get(line, "text")), "bad");
	assert_string_equal(json_string_value(json_object_get(line, "level")), "error");
	line = json_array_get(out, 1);
	assert_string_equal(json_string_value(json_object_get(line, "text")), "plain");
	assert_string_equal(json_string_value(json_object_get(line, "level")), "info");
	json_decref(out);
}

static void what_is_no_utf8_is_shown_all_the_same(void **state)
{
	struct fixture *f = *state;
	json_t *list;

	start(f, "/bin/sh", "printf 'caf\\351 is Latin-1\\n'; exec sleep 600");
	until_lines(f, 1);
	list = texts(f);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(text_at(list, 0), "caf? is Latin-1");
	json_decref(list);
}

static void a_flood_leaves_the_loop_to_others(void **state)
{
	struct fixture *f = *state;

	/* One byte per line is the worst: each line costs more than its bytes. */
	start(f, "/bin/sh", "exec yes ''");
	until_lines(f, 200000);
	assert_in_range(f->lines_in_turn_max, 1, 16384);
}

/* ---- what it is given ---- */

static void it_knows_its_slice_and_where_it_lives(void **state)
{
	struct fixture *f = *state;
	HALE_CLEANUP(cleanup_free) char *notify = mem_printf("%s/check.test.notify", f->dir);
	json_t *list;

	start(f, "/bin/sh",
	      "cat <&3; echo; echo $HALE_SERVICE $HALE_GENERATION $HALE_RUN_DIR $HALE_NODE;"
	      " echo $NOTIFY_SOCKET; ls /proc/self/fd | wc -w; exec sleep 600");
	until_lines(f, 4);
	list = texts(f);
	assert_string_equal(text_at(list, 0), f->spec.slice);
	assert_true(str_starts(text_at(list, 1), "check.test 1 /tmp/hale-child-"));
	assert_string_equal(text_at(list, 2), notify);
	/* 0 to 3, and the one ls reads the list by. */
	assert_string_equal(text_at(list, 3), "5");
	json_decref(list);
}

/* ---- what it says ---- */

static void ready_is_what_it_says(void **state)
{
	struct fixture *f = *state;
	json_t *process;

	start(f, "/usr/bin/python3", SAY "say(b'READY=1\\nSTATUS=12 checks')\ntime.sleep(600)");
	until_state(f, PROCESS_READY);
	/* The rest of the same datagram. */
	turn(f);
	process = child_encode(f->child);
	assert_string_equal(json_string_value(json_object_get(process, "status_text")),
			    "12 checks");
	assert_string_equal(json_string_value(json_object_get(process, "state")), "ready");
	json_decref(process);
	assert_string_equal(str_text(&f->events), "start,ready,");
}

static void a_status_that_is_no_utf8_harms_nobody(void **state)
{
	struct fixture *f = *state;
	json_t *process;

	start(f, "/usr/bin/python3",
	      SAY "say(b'STATUS=caf\\xe9 ' + b'x' * 3000 + b'\\nREADY=1')\ntime.sleep(600)");
	until_state(f, PROCESS_READY);
	process = child_encode(f->child);
	assert_non_null(process);
	assert_true(
		str_starts(json_string_value(json_object_get(process, "status_text")), "caf? xxx"));
	assert_in_range(json_string_length(json_object_get(process, "status_text")), 100, 300);
	json_decref(process);
}

static void a_strangers_word_does_not_count(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	start(f, "/bin/sh", "echo up; exec sleep 600");
	until_lines(f, 1);
	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s/check.test.notify", f->dir);
	assert_int_equal(sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&to, sizeof(to)), 7);
	close(fd);
	for (int i = 0; i < 10; i++)
		turn(f);
	assert_int_equal(child_state_of(f->child), PROCESS_STARTING);
}

static void silence_ends_in_sigabrt(void **state)
{
	struct fixture *f = *state;

	f->spec.policy.watchdog_ms = 100;
	start(f, "/usr/bin/python3", SAY "say(b'READY=1')\ntime.sleep(600)");
	until_state(f, PROCESS_BACKOFF);
	assert_true(str_starts(child_last_exit(f->child), "killed by SIGABRT"));
	assert_non_null(strstr(child_last_exit(f->child), "did not respond"));
	assert_string_equal(str_text(&f->events), "start,ready,watchdog,stop,exit,");
}

static void progress_keeps_it_alive(void **state)
{
	struct fixture *f = *state;

	f->spec.policy.watchdog_ms = 1000;
	start(f, "/usr/bin/python3",
	      SAY "say(b'READY=1')\n"
		  "for i in range(30):\n say(b'WATCHDOG=1')\n time.sleep(0.05)\n"
		  "print('done', flush=True)\ntime.sleep(600)");
	until_lines(f, 1);
	assert_string_equal(str_text(&f->events), "start,ready,");
}

static void never_ready_is_a_timeout(void **state)
{
	struct fixture *f = *state;

	f->spec.policy.start_timeout_ms = 100;
	start(f, "/bin/sh", "exec sleep 600");
	until_state(f, PROCESS_BACKOFF);
	assert_string_equal(str_text(&f->events), "start,start_timeout,stop,exit,");
}

/* ---- stopping ---- */

static void asked_to_stop_it_stops(void **state)
{
	struct fixture *f = *state;
	json_t *process;

	start(f, "/bin/sh", "trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done");
	until_lines(f, 1);
	child_event(f->child, CHILD_EV_STOP);
	until_state(f, PROCESS_STOPPED);
	assert_true(str_starts(child_last_exit(f->child), "exit code 0"));
	process = child_encode(f->child);
	assert_true(
		json_is_true(json_object_get(json_object_get(process, "last_exit"), "expected")));
	json_decref(process);
}

static void who_does_not_listen_is_killed(void **state)
{
	struct fixture *f = *state;

	f->spec.policy.stop_timeout_ms = 100;
	start(f, "/bin/sh", "trap '' TERM; echo up; while :; do sleep 0.01; done");
	until_lines(f, 1);
	child_event(f->child, CHILD_EV_STOP);
	until_state(f, PROCESS_STOPPED);
	assert_true(str_starts(child_last_exit(f->child), "killed by SIGKILL"));
}

static void output_held_open_by_a_grandchild_stops_nothing(void **state)
{
	struct fixture *f = *state;
	json_t *list;

	start(f, "/bin/sh", "echo first; setsid sleep 5 & exit 1");
	until_state(f, PROCESS_BACKOFF);
	child_event(f->child, CHILD_EV_START);
	until_state(f, PROCESS_BACKOFF);
	assert_int_equal(child_generation(f->child), 2);
	list = texts(f);
	assert_int_equal(json_array_size(list), 2);
	json_decref(list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_end_nobody_asked_for_is_a_failure),
		TEST(try_again_is_tried_again),
		TEST(a_wrong_configuration_is_held),
		TEST(a_signal_is_named),
		TEST(what_cannot_be_started_is_a_failure_too),
		TEST(the_crash_report_has_the_last_lines),
		TEST(both_outputs_are_read_with_their_priorities),
		TEST(what_is_no_utf8_is_shown_all_the_same),
		TEST(a_flood_leaves_the_loop_to_others),
		TEST(it_knows_its_slice_and_where_it_lives),
		TEST(ready_is_what_it_says),
		TEST(a_status_that_is_no_utf8_harms_nobody),
		TEST(a_strangers_word_does_not_count),
		TEST(silence_ends_in_sigabrt),
		TEST(progress_keeps_it_alive),
		TEST(never_ready_is_a_timeout),
		TEST(asked_to_stop_it_stops),
		TEST(who_does_not_listen_is_killed),
		TEST(output_held_open_by_a_grandchild_stops_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
