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
		    "cannot run true: No such file or directory");
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
		TEST(a_signal_is_told),
		TEST(what_cannot_be_run_is_exec_failed),
		TEST(the_program_is_found_in_path),
		TEST(environment_and_directory_are_as_told),
		TEST(the_command_gets_three_descriptors_and_clean_signals),
		TEST(a_flood_is_cut),
		TEST(bytes_that_are_no_text_do_not_hurt),
		TEST(a_timeout_kills_the_whole_group),
		TEST(what_the_command_left_behind_is_killed),
		TEST(no_child_and_no_descriptor_is_left),
		TEST(validation_says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
