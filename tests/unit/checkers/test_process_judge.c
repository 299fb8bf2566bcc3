/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "process_judge.h"

/* count, zombies, stopped, blocked; min, max; what is said. */
static const struct {
	int64_t count, zombies, stopped, blocked, min, max;
	const char *missing;
	bool is_unreadable;
	enum reason reason;
	const char *message;
} cases[] = {
	{1, 0, 0, 0, 1, -1, NULL, false, REASON_OK, "x is running, pid 7, up 1m30s"},
	{3, 0, 0, 0, 1, -1, NULL, false, REASON_OK, "x is running, 3 processes, up 1m30s"},
	{3, 1, 1, 2, 1, 3, NULL, false, REASON_OK,
	 "x is running, 3 processes, up 1m30s, 1 zombie, 2 waiting for a disk"},
	{0, 0, 0, 0, 1, -1, NULL, false, REASON_PROCESS_DOWN, "x is not running"},
	{0, 0, 0, 0, 1, -1, "no file", false, REASON_PROCESS_DOWN, "x is not running: no file"},
	{0, 0, 0, 0, 0, 0, "no right", true, REASON_FILE_UNREADABLE, "no right"},
	{0, 2, 0, 0, 1, -1, NULL, false, REASON_PROCESS_DOWN,
	 "x is dead, its parent has not noticed (zombie)"},
	{2, 0, 2, 0, 1, -1, NULL, false, REASON_PROCESS_DOWN,
	 "x is stopped (SIGSTOP, or a debugger)"},
	{2, 0, 0, 0, 3, -1, NULL, false, REASON_PROCESS_COUNT,
	 "2 processes of x, expected at least 3"},
	{2, 0, 0, 0, 1, 1, NULL, false, REASON_PROCESS_COUNT,
	 "2 processes of x, expected at most 1"},
	{1, 0, 0, 0, 0, 0, NULL, false, REASON_PROCESS_COUNT, "1 process of x, expected none"},
	{0, 0, 0, 0, 0, 0, NULL, false, REASON_OK, "x is not running, as expected"},
	{0, 0, 0, 0, 0, 5, NULL, false, REASON_OK, "x is not running, as expected"},
};

static void numbers_and_states_decide(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		HALE_CLEANUP(str_done) struct str message = {0};
		const struct process_tally t = {.what = "x",
						.min = cases[i].min,
						.max = cases[i].max,
						.count = cases[i].count,
						.zombies = cases[i].zombies,
						.stopped = cases[i].stopped,
						.blocked = cases[i].blocked,
						.first_pid = 7,
						.uptime_seconds = 90.5,
						.missing = cases[i].missing,
						.is_unreadable = cases[i].is_unreadable};

		assert_int_equal(process_judge(&t, &message), cases[i].reason);
		assert_string_equal(str_text(&message), cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_and_states_decide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
