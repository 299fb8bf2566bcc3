/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/confine.h"

/* In a process of its own, because nothing of it can be taken back. */
struct seen {
	int no_new_privs;
	int dumpable;
	struct rlimit nofile;
	char report[512];
};

static struct seen confine(const char *service)
{
	struct seen seen = {0};
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		HALE_CLEANUP(str_done) struct str report = {0};

		service_confine(service, &report);
		seen.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
		seen.dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
		getrlimit(RLIMIT_NOFILE, &seen.nofile);
		strncpy(seen.report, str_text(&report), sizeof(seen.report) - 1);
		_exit(write(fds[1], &seen, sizeof(seen)) == sizeof(seen) ? 0 : 1);
	}
	assert_int_equal(read(fds[0], &seen, sizeof(seen)), sizeof(seen));
	waitpid(pid, NULL, 0);
	close(fds[0]);
	close(fds[1]);
	return seen;
}

static void a_checker_gains_no_privileges_and_no_more_files_than_the_table_says(void **state)
{
	struct seen seen = confine("check.http");

	(void)state;
	assert_int_equal(seen.no_new_privs, 1);
	assert_int_equal(seen.dumpable, 1);
	assert_true(seen.nofile.rlim_max <= 8192);
	assert_non_null(strstr(seen.report, "no_new_privs: on\n"));
	assert_non_null(strstr(seen.report, "rlimit nofile: "));
}

static void a_plugin_may_still_be_setuid(void **state)
{
	(void)state;
	assert_int_equal(confine("check.exec").no_new_privs, 0);
	assert_int_equal(confine("check.exec.slow").no_new_privs, 0);
}

static void who_holds_secrets_leaves_no_core(void **state)
{
	struct seen seen = confine("notifier");

	(void)state;
	assert_int_equal(seen.dumpable, 0);
	assert_non_null(strstr(seen.report, "dumpable: off\n"));
}

static void an_unknown_service_gets_the_last_row(void **state)
{
	struct seen seen = confine("something.else");

	(void)state;
	assert_int_equal(seen.no_new_privs, 1);
	assert_true(seen.nofile.rlim_cur <= 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_checker_gains_no_privileges_and_no_more_files_than_the_table_says),
		cmocka_unit_test(a_plugin_may_still_be_setuid),
		cmocka_unit_test(who_holds_secrets_leaves_no_core),
		cmocka_unit_test(an_unknown_service_gets_the_last_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
