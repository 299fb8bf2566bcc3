/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc_usage.h"
#include "procinfo.h"

static void a_stat_line_is_read(void **state)
{
	struct procinfo_stat s;

	(void)state;
	assert_int_equal(procinfo_stat_parse("1234 (hale-web) S 1 1234 1234 0 -1 4194560 100 0 0 0 "
					     "250 50 0 0 20 0 14 0 98765 1000000 512 18446744073\n",
					     &s),
			 0);
	assert_int_equal(s.cpu_ticks, 300);
	assert_int_equal(s.threads, 14);
	assert_int_equal(s.start_ticks, 98765);
	assert_int_equal(s.rss_pages, 512);
}

static void a_name_may_look_like_fields(void **state)
{
	struct procinfo_stat s;

	(void)state;
	assert_int_equal(procinfo_stat_parse("7 (a) R 1 (b) S 1 7 7 0 -1 0 0 0 0 0 1 2 0 0 20 0 3 "
					     "0 4 5 6 7\n",
					     &s),
			 0);
	assert_int_equal(s.cpu_ticks, 3);
	assert_int_equal(s.threads, 3);
	assert_int_equal(s.start_ticks, 4);
	assert_int_equal(s.rss_pages, 6);
}

static void what_is_no_stat_line_is_refused(void **state)
{
	static const char *const texts[] = {"", "7", "7 (a", "7 (a) S 1 2 3",
					    "7 (a) S 1 7 7 0 -1 0 0 0 0 0 x 2 0 0 20 0 3 0 4 5 6"};
	struct procinfo_stat s = {.threads = 99};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_true(procinfo_stat_parse(texts[i], &s) < 0);
	assert_int_equal(s.threads, 99);
}

static void pss_is_the_line_of_that_name(void **state)
{
	int64_t bytes = -5;

	(void)state;
	assert_int_equal(procinfo_pss_parse("55d0-7ffd ---p 00000000 00:00 0    [rollup]\n"
					    "Rss:                5120 kB\n"
					    "Pss:                1044 kB\n"
					    "Pss_Anon:            900 kB\n",
					    &bytes),
			 0);
	assert_int_equal(bytes, 1044 * 1024);
	bytes = -5;
	assert_true(procinfo_pss_parse("Rss: 1 kB\nPss_Anon: 900 kB\n", &bytes) < 0);
	assert_true(procinfo_pss_parse("x\nPss: -1 kB\n", &bytes) < 0);
	assert_true(procinfo_pss_parse("x\nPss: 9223372036854775807 kB\n", &bytes) < 0);
	assert_true(procinfo_pss_parse("", &bytes) < 0);
	assert_int_equal(bytes, -5);
}

static void percent_is_of_one_processor(void **state)
{
	struct procinfo_stat before = {.cpu_ticks = 100, .start_ticks = 7};
	struct procinfo_stat now = {.cpu_ticks = 150, .start_ticks = 7};

	(void)state;
	assert_float_equal(procinfo_cpu_percent(&before, &now, 1000, 100), 50, 0.001);
	assert_float_equal(procinfo_cpu_percent(&before, &now, 250, 100), 200, 0.001);
	assert_float_equal(procinfo_cpu_percent(&now, &now, 1000, 100), 0, 0.001);
}

static void percent_of_two_processes_is_unknown(void **state)
{
	struct procinfo_stat before = {.cpu_ticks = 100, .start_ticks = 7};
	struct procinfo_stat other = {.cpu_ticks = 150, .start_ticks = 8};
	struct procinfo_stat less = {.cpu_ticks = 50, .start_ticks = 7};

	(void)state;
	assert_true(procinfo_cpu_percent(&before, &other, 1000, 100) < 0);
	assert_true(procinfo_cpu_percent(&before, &less, 1000, 100) < 0);
	assert_true(procinfo_cpu_percent(&before, &before, 0, 100) < 0);
}

static void this_process_uses_something(void **state)
{
	struct proc_usage usage;

	(void)state;
	assert_int_equal(proc_usage_read(getpid(), &usage), 0);
	assert_true(usage.rss_bytes > 100000);
	assert_true(usage.pss_bytes > 0 && usage.pss_bytes <= usage.rss_bytes * 2);
	assert_true(usage.fds >= 3);
	assert_true(usage.stat.threads >= 1);
	assert_true(proc_usage_read(0x7ffffff0, &usage) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stat_line_is_read),
		cmocka_unit_test(a_name_may_look_like_fields),
		cmocka_unit_test(what_is_no_stat_line_is_refused),
		cmocka_unit_test(pss_is_the_line_of_that_name),
		cmocka_unit_test(percent_is_of_one_processor),
		cmocka_unit_test(percent_of_two_processes_is_unknown),
		cmocka_unit_test(this_process_uses_something),
	};

	return cmocka_run_group_tests_name("cli.procinfo", tests, NULL, NULL);
}
