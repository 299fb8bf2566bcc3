/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a process that ended, and what of one that keeps failing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>

#include <cmocka.h>

#include "proc/exit_report.h"

/* As waitpid(2) gives them. */
#define EXITED_WITH(code) ((code) << 8)

static json_t *one_line(const char *text)
{
	return json_pack("[s]", text);
}

static void a_failure_is_told_with_the_last_line(void **state)
{
	struct exit_report r = {0};

	(void)state;
	exit_report_set(&r, EXITED_WITH(1), 1, 5000, false, false, one_line("queue gone"));
	assert_string_equal(r.text, "exit code 1 after 5s");
	assert_string_equal(r.line, "exit code 1 after 5s: queue gone");
	assert_false(r.is_expected);
	exit_report_done(&r);
}

/* A crash loop goes on while somebody restarts what the process requires: why it keeps crashing
 * is not that it was asked to end. */
static void an_end_that_was_asked_for_leaves_the_failure_before_it(void **state)
{
	struct exit_report r = {0};

	(void)state;
	exit_report_set(&r, EXITED_WITH(1), 1, 5000, false, false, one_line("queue gone"));
	exit_report_set(&r, SIGTERM, 2, 1000, false, true, one_line("job 0"));
	assert_string_equal(r.text, "killed by SIGTERM after 1s");
	assert_string_equal(r.line, "exit code 1 after 5s: queue gone");
	assert_true(r.is_expected);
	exit_report_set(&r, SIGSEGV, 3, 1000, false, false, one_line("job 1"));
	assert_string_equal(r.line, "killed by SIGSEGV after 1s: job 1");
	assert_false(r.is_expected);
	exit_report_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_is_told_with_the_last_line),
		cmocka_unit_test(an_end_that_was_asked_for_leaves_the_failure_before_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
