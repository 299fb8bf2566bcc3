/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kind.h"

/* {"command": ["/bin/sh", "-c", script]}; the caller frees. */
static char *sh(const char *script)
{
	json_t *options = json_pack("{s:[s,s,s]}", "command", "/bin/sh", "-c", script);
	char *text = json_dumps(options, JSON_COMPACT);

	json_decref(options);
	return text;
}

static void expect_sh(const char *script, const char *outcome, const char *reason,
		      const char *message)
{
	char *options = sh(script);

	kind_expect(options, outcome, reason, message);
	free(options);
}

static json_t *ask_sh(const char *script, int64_t timeout_ms)
{
	char *options = sh(script);
	json_t *o = kind_ask(options, timeout_ms);

	free(options);
	return o;
}

static void exit_codes_are_outcomes(void **state)
{
	(void)state;
	expect_sh("echo OK fine", "pass", "ok", "OK fine");
	expect_sh("echo WARN soft; exit 1", "warn", "exec_warning", "WARN soft");
	expect_sh("echo CRIT hard; exit 2", "fail", "exec_critical", "CRIT hard");
	expect_sh("echo who knows; exit 3", "error", "exec_unknown", "who knows");
	expect_sh("echo odd; exit 42", "error", "exec_unknown", "exit code 42: odd");
	expect_sh("exit 2", "fail", "exec_critical", "Plugin says critical");
}

static void stderr_speaks_where_stdout_is_silent(void **state)
{
	(void)state;
	expect_sh("echo no such option >&2; echo more >&2; exit 3", "error", "exec_unknown",
		  "no such option");
}

static void measurements_are_metrics_and_their_ranges_details(void **state)
{
	json_t *o = ask_sh("echo 'OK | time=0.5s;1;2;0; used=41%'; echo second line", 20000);
	const json_t *details = json_object_get(o, "details");

	(void)state;
	assert_string_equal(kind_text(o, "message"), "OK");
	assert_true(kind_metric(o, "time_seconds") == 0.5);
	assert_true(kind_metric(o, "used_percent") == 41);
	assert_string_equal(kind_text(details, "output"), "second line\n");
	details = json_object_get(json_object_get(details, "thresholds"), "time_seconds");
	assert_string_equal(kind_text(details, "warning"), "1");
	assert_string_equal(kind_text(details, "critical"), "2");
	assert_string_equal(kind_text(details, "min"), "0");
	assert_null(kind_text(details, "crossed"));
	json_decref(o);
}

static void a_long_text_is_cut_between_two_letters(void **state)
{
	/* 5,001 letters of two bytes behind one of one: the limit falls into a letter. */
	json_t *o =
		ask_sh("echo fine; printf x; printf 'ж%.0s' $(seq 5001); printf '\\377'", 20000);
	const char *output = kind_text(json_object_get(o, "details"), "output");

	(void)state;
	assert_non_null(output);
	assert_null(strchr(output, '?'));
	assert_int_equal(strlen(output), 4095);
	json_decref(o);
	o = ask_sh("echo fine; printf 'ж\\377ж'", 20000);
	assert_string_equal(kind_text(json_object_get(o, "details"), "output"), "ж?ж");
	json_decref(o);
}

static void a_signal_is_told(void **state)
{
	(void)state;
	expect_sh("kill -SEGV $$", "error", "exec_signal", "killed by signal 11, SIGSEGV");
}

static void what_cannot_be_run_is_exec_failed(void **state)
{
	(void)state;
	kind_expect("{\"command\": \"/nosuch/plugin\"}", "error", "exec_failed",
		    "cannot run /nosuch/plugin: No such file or directory");
	kind_expect("{\"command\": [\"true\"], \"directory\": \"/nosuch\"}", "error", "exec_failed",
		    "cannot enter directory /nosuch to run /usr/bin/true: "
		    "No such file or directory");
	kind_expect("{\"command\": [\"nosuch-plugin\"]}", "error", "exec_failed",
		    "cannot run nosuch-plugin: it is neither in PATH nor among the plugins");
}

static void expect_as(const char *format, const char *script, const char *outcome,
		      const char *reason, const char *message)
{
	json_t *options =
		json_pack("{s:[s,s,s], s:s}", "command", "/bin/sh", "-c", script, "format", format);
	char *text = json_dumps(options, JSON_COMPACT);

	kind_expect(text, outcome, reason, message);
	json_decref(options);
	free(text);
}

static void a_plain_program_is_well_or_not(void **state)
{
	(void)state;
	expect_as("text", "echo; echo ' active '; echo more", "pass", "ok", "active");
	expect_as("text", "echo inactive; exit 3", "fail", "exec_critical", "inactive");
	expect_as("text", "echo 'a | b=1' >&2; exit 1", "fail", "exec_critical", "a | b=1");
	expect_as("text", "exit 7", "fail", "exec_critical", "exit code 7");
	/* S3-27: one that raises. */
	expect_as("text",
		  "printf 'Traceback (most recent call last):\\n  File x\\nValueError: no\\n' >&2;"
		  "exit 1",
		  "fail", "exec_critical", "ValueError: no");
	expect_as("text", "echo half done; kill -TERM $$", "error", "exec_signal",
		  "killed by signal 15, SIGTERM: half done");
}

static void json_says_it_all(void **state)
{
	json_t *o, *options;
	char *text;

	(void)state;
	expect_as("json", "echo '{\"status\": \"degraded\", \"message\": \"slow\"}'", "warn",
		  "exec_warning", "slow");
	expect_as("json", "echo '{\"outcome\": \"down\"}'; exit 2", "down", "exec_critical",
		  "Plugin says critical");
	expect_as("json", "echo '{\"message\": \"by code\"}'; exit 1", "fail", "exec_critical",
		  "by code");
	expect_as("json", "echo '{\"status\": \"odd\"}'", "fail", "unexpected_reply",
		  "status 'odd' is none of pass, warn, fail, down, unknown");
	expect_as("json", "echo '[1]'", "fail", "body_not_json",
		  "expected a JSON object, got: [1]");
	expect_as("json", "echo boom >&2; exit 1", "fail", "exec_critical", "boom");
	expect_as("json", "echo '{\"status\": \"pass\"}'; kill -KILL $$", "error", "exec_signal",
		  "killed by signal 9, SIGKILL");
	options = json_pack(
		"{s:[s,s,s], s:s}", "command", "/bin/sh", "-c",
		"echo '{\"status\": \"ok\", \"metrics\": {\"Queue Depth\": 7, \"on\": true, \"x\": "
		"\"y\"}, \"details\": {\"who\": [1]}}'",
		"format", "json");
	text = json_dumps(options, JSON_COMPACT);
	o = kind_ask(text, 20000);
	assert_string_equal(kind_text(o, "reason"), "ok");
	assert_true(kind_metric(o, "queue_depth") == 7 && kind_metric(o, "on") == 1);
	assert_int_equal(json_array_size(json_object_get(json_object_get(o, "details"), "who")), 1);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "details"),
							    "metrics_unreadable")),
			 1);
	json_decref(o);
	json_decref(options);
	free(text);
}

static void exit_codes_mean_what_they_are_told_to(void **state)
{
	(void)state;
	kind_expect("{\"command\": [\"sh\", \"-c\", \"echo x; exit 3\"], \"codes\": {\"3\": "
		    "\"fail\"}}",
		    "fail", "exec_critical", "x");
	kind_expect("{\"command\": [\"sh\", \"-c\", \"exit 77\"], \"codes\": {\"70-79\": "
		    "\"warn\", \"0\": \"down\"}}",
		    "warn", "exec_warning", "Plugin says warning");
	kind_expect("{\"command\": [\"true\"], \"codes\": {\"0\": \"down\"}}", "down",
		    "exec_critical", NULL);
}

static void limits_hold(void **state)
{
	json_t *o;

	(void)state;
	o = kind_ask("{\"command\": [\"sh\", \"-c\", \"ulimit -t; ulimit -n; ulimit -c; ulimit -d;"
		     " ulimit -f\"], \"format\": \"text\", \"limits\": {\"cpu\": 1500, "
		     "\"nofile\": 20, \"memory\": 67108864, \"file_size\": 1024}}",
		     20000);
	assert_string_equal(kind_text(o, "message"), "2");
	assert_string_equal(kind_text(json_object_get(o, "details"), "output"),
			    "20\n0\n65536\n2\n");
	json_decref(o);
	o = kind_ask("{\"command\": [\"sh\", \"-c\", \"head -c 5000 /dev/zero | tr '\\\\0' a\"], "
		     "\"format\": \"text\", \"limits\": {\"output\": 300}}",
		     20000);
	assert_true(json_is_true(json_object_get(json_object_get(o, "details"), "output_cut")));
	assert_int_equal(strlen(kind_text(o, "message")), 300);
	json_decref(o);
	o = kind_ask("{\"command\": [\"sh\", \"-c\", \"while :; do :; done\"], \"limits\": "
		     "{\"cpu\": 1000}}",
		     20000);
	assert_string_equal(kind_text(o, "reason"), "exec_signal");
	json_decref(o);
}

static void it_may_run_as_somebody_else(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		char *problem = kind_problem("{\"command\": \"id\", \"user\": \"nobody\"}");

		assert_string_equal(problem, "/user: only root can run it as nobody");
		free(problem);
		return;
	}
	kind_expect("{\"command\": [\"sh\", \"-c\", \"echo $(id -un) $USER\"], \"user\": "
		    "\"nobody\"}",
		    "pass", "ok", "nobody nobody");
}

static void the_program_is_found_in_path(void **state)
{
	(void)state;
	kind_expect("{\"command\": [\"echo\", \"a  b\"]}", "pass", "ok", "a  b");
}

static void environment_and_directory_are_as_told(void **state)
{
	(void)state;
	assert_int_equal(setenv("HALE_TEST_SECRET", "x", 1), 0);
	kind_expect(
		"{\"command\": [\"/bin/sh\", \"-c\", \"echo $A,$HALE_TEST_SECRET,$LANG,$(pwd)\"],"
		" \"environment\": {\"A\": \"1 2\", \"LANG\": \"C\"}, \"directory\": \"/usr\"}",
		"pass", "ok", "1 2,,C,/usr");
}

static void the_command_gets_three_descriptors_and_clean_signals(void **state)
{
	sigset_t usr1;

	(void)state;
	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	assert_int_equal(sigprocmask(SIG_BLOCK, &usr1, NULL), 0);
	assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	/* The last seven digits are the signals 1 to 28; libc keeps 32 and 33 for itself. */
	expect_sh("sed -n 's/^Sig\\(Blk\\|Ign\\):.*\\(.......\\)$/\\1\\2/p' /proc/self/status |"
		  " tr '\\n' ' '",
		  "pass", "ok", "Blk0000000 Ign0000000");
	assert_int_equal(sigprocmask(SIG_UNBLOCK, &usr1, NULL), 0);
	/* The fourth is ls's own, of the directory. */
	expect_sh("ls /proc/self/fd | tr -d '\\n'", "pass", "ok", "0123");
}

static void a_flood_is_cut(void **state)
{
	json_t *o = ask_sh("yes x | head -c 10000000; exit 1", 20000);

	(void)state;
	assert_string_equal(kind_text(o, "reason"), "exec_warning");
	assert_true(strlen(kind_text(json_object_get(o, "details"), "output")) <= 4096);
	json_decref(o);
}

static void bytes_that_are_no_text_do_not_hurt(void **state)
{
	json_t *o = ask_sh("printf 'a\\0b\\377c\\nd\\377\\n'", 20000);

	(void)state;
	assert_string_equal(kind_text(o, "reason"), "ok");
	assert_string_equal(kind_text(json_object_get(o, "details"), "output"), "d?\n");
	json_decref(o);
}

/* Waits until the process is gone, which a kill makes certain but not instant. */
static void assert_dies(pid_t pid)
{
	int64_t give_up_ms = clock_mono_ms() + 10000;

	while (kill(pid, 0) == 0) {
		char path[64];
		char status[256] = "";
		FILE *f;

		/* Nobody may reap it here: a zombie is dead enough. */
		(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		f = fopen(path, "r");
		if (f != NULL) {
			(void)!fgets(status, sizeof(status), f);
			fclose(f);
		}
		if (strstr(status, ") Z ") != NULL)
			return;
		assert_true(clock_mono_ms() < give_up_ms);
	}
	assert_int_equal(errno, ESRCH);
}

static pid_t pid_from(FILE *f)
{
	int pid = 0;

	rewind(f);
	assert_int_equal(fscanf(f, "%d", &pid), 1);
	return (pid_t)pid;
}

static void a_timeout_kills_the_whole_group(void **state)
{
	FILE *f = tmpfile();
	char *script =
		mem_printf("sleep 600 & echo $! > /proc/%d/fd/%d; wait", (int)getpid(), fileno(f));
	json_t *o = ask_sh(script, 500);

	(void)state;
	assert_string_equal(kind_text(o, "reason"), "timeout");
	assert_dies(pid_from(f));
	json_decref(o);
	free(script);
	fclose(f);
}

static void what_the_command_left_behind_is_killed(void **state)
{
	FILE *f = tmpfile();
	char *script = mem_printf("sleep 600 & echo $! > /proc/%d/fd/%d; echo done", (int)getpid(),
				  fileno(f));

	(void)state;
	expect_sh(script, "pass", "ok", "done");
	assert_dies(pid_from(f));
	free(script);
	fclose(f);
}

/* One that leaves the session, twice forked, as daemons do. */
static void a_daemon_does_not_get_away(void **state)
{
	FILE *f = tmpfile();
	char *script =
		mem_printf("(setsid sh -c 'echo $$ > /proc/%d/fd/%d; exec sleep 600' "
			   "</dev/null >/dev/null 2>&1 &); until [ -s /proc/%d/fd/%d ]; do :; "
			   "done; echo done",
			   (int)getpid(), fileno(f), (int)getpid(), fileno(f));

	(void)state;
	expect_sh(script, "pass", "ok", "done");
	assert_dies(pid_from(f));
	free(script);
	fclose(f);
}

static void no_child_and_no_descriptor_is_left(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++)
		expect_sh("exit 0", "pass", "ok", "OK");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_true(dup(0) < 40);
}

static void validation_says_what_is_wrong(void **state)
{
	char *problem;

	(void)state;
	problem = kind_problem("{\"command\": [\"\"]}");
	assert_string_equal(problem, "/command: the program's name is empty");
	free(problem);
	problem = kind_problem("{\"command\": \"a\", \"directory\": \"b\"}");
	assert_string_equal(problem, "/directory: expected an absolute path");
	free(problem);
	problem = kind_problem("{\"command\": \"a\", \"codes\": {\"300\": \"fail\"}}");
	assert_string_equal(problem, "/codes: '300': expected an exit code, 0 to 255, or a range "
				     "like 3-255");
	free(problem);
	problem = kind_problem("{\"command\": \"a\", \"codes\": {\"3\": \"bad\"}}");
	assert_string_equal(problem,
			    "/codes: 3: expected pass, warn, fail, down or error, not 'bad'");
	free(problem);
	problem = kind_problem("{\"command\": \"a\", \"user\": \"nosuchuser\"}");
	assert_string_equal(problem, "/user: there is no user nosuchuser here");
	free(problem);
	problem = kind_problem("{\"command\": \"a\", \"environment\": {\"a=b\": \"c\"}}");
	assert_string_equal(problem, "/environment: a name may not be empty or contain '='");
	free(problem);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kind_setup, kind_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exit_codes_are_outcomes),
		TEST(stderr_speaks_where_stdout_is_silent),
		TEST(measurements_are_metrics_and_their_ranges_details),
		TEST(a_long_text_is_cut_between_two_letters),
		TEST(a_signal_is_told),
		TEST(what_cannot_be_run_is_exec_failed),
		TEST(a_plain_program_is_well_or_not),
		TEST(json_says_it_all),
		TEST(exit_codes_mean_what_they_are_told_to),
		TEST(limits_hold),
		TEST(it_may_run_as_somebody_else),
		TEST(the_program_is_found_in_path),
		TEST(environment_and_directory_are_as_told),
		TEST(the_command_gets_three_descriptors_and_clean_signals),
		TEST(a_flood_is_cut),
		TEST(bytes_that_are_no_text_do_not_hurt),
		TEST(a_timeout_kills_the_whole_group),
		TEST(what_the_command_left_behind_is_killed),
		TEST(a_daemon_does_not_get_away),
		TEST(no_child_and_no_descriptor_is_left),
		TEST(validation_says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
