/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "proc_text.h"

#define REST                                                                                       \
	" 1 7 7 0 -1 4194304 101 0 0 0 30 12 0 0 20 0 5 0 2690561 3133440 413 "                    \
	"18446744073709551615 9"

static void a_stat_is_read_whatever_the_name(void **state)
{
	struct proc_stat s;

	(void)state;
	assert_int_equal(proc_stat_parse("23362 (cat) R" REST "\n", &s), 0);
	assert_int_equal(s.pid, 23362);
	assert_int_equal(s.parent, 1);
	assert_string_equal(s.name, "cat");
	assert_int_equal(s.state, 'R');
	assert_int_equal(s.cpu_ticks, 42);
	assert_int_equal(s.start_ticks, 2690561);
	assert_int_equal(s.threads, 5);
	assert_int_equal(s.rss_pages, 413);
	assert_int_equal(proc_stat_parse("7 (a) R 1 () Z" REST, &s), 0);
	assert_string_equal(s.name, "a) R 1 (");
	assert_int_equal(s.state, 'Z');
}

static void what_is_no_stat_changes_nothing(void **state)
{
	static const char *const wrong[] = {"",
					    "1",
					    "1 (x",
					    "1 (x) ",
					    "1 )x( R" REST,
					    "(x) R" REST,
					    "1 (x) R 1 2 3",
					    "1 (x) R 1 7 7 0 -1 4194304 101 0 0 0 a 12 0 0",
					    "0 (x) R" REST};
	struct proc_stat s = {.pid = 42};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(proc_stat_parse(wrong[i], &s), -EINVAL);
	assert_int_equal(s.pid, 42);
}

static void user_io_and_share_are_found(void **state)
{
	struct proc_io io;
	uint64_t bytes;
	uid_t uid;

	(void)state;
	assert_int_equal(proc_uid_parse("Name:\tUid:\nUid:\t1000\t1001\t1000\t1000\n", &uid), 0);
	assert_int_equal(uid, 1001);
	assert_int_equal(proc_uid_parse("Name:\tx\n", &uid), -EINVAL);
	assert_int_equal(proc_uid_parse("Uid:\t1000\n", &uid), -EINVAL);
	assert_int_equal(proc_io_parse("rchar: 9\nread_bytes: 1\nwrite_bytes: 2\n", &io), 0);
	assert_int_equal(io.read_bytes, 1);
	assert_int_equal(io.written_bytes, 2);
	assert_int_equal(proc_io_parse("read_bytes: 1\n", &io), -EINVAL);
	assert_int_equal(proc_pss_parse("5-6 ---p [rollup]\nRss: 9 kB\nPss:   3 kB\n", &bytes), 0);
	assert_int_equal(bytes, 3072);
	assert_int_equal(proc_pss_parse("Rss: 9 kB\n", &bytes), -EINVAL);
}

static void arguments_become_words(void **state)
{
	HALE_CLEANUP(str_done) struct str line = {0};

	(void)state;
	proc_command_add("python3\0-m\0bot.trader\n\0\0", 25, &line);
	assert_string_equal(str_text(&line), "python3 -m bot.trader ");
	str_clear(&line);
	proc_command_add("", 0, &line);
	assert_string_equal(str_text(&line), "");
}

static void groups_are_matched_by_whole_names(void **state)
{
	static const char groups[] = "4:memory:/a\n0::/system.slice/shop.slice/nginx.service/sub\n";

	(void)state;
	assert_true(proc_is_in_group(groups, "nginx.service"));
	assert_true(proc_is_in_group(groups, "shop.slice"));
	assert_true(proc_is_in_group(groups, "/system.slice/shop.slice"));
	assert_true(proc_is_in_group(groups, "/a"));
	assert_false(proc_is_in_group(groups, "ginx.service"));
	assert_false(proc_is_in_group(groups, "nginx.serv"));
	assert_false(proc_is_in_group(groups, "/shop.slice"));
	assert_false(proc_is_in_group(groups, ""));
	assert_false(proc_is_in_group("", "x"));
	assert_false(proc_is_in_group("0::", "x"));
}

static void a_pidfile_holds_a_number(void **state)
{
	pid_t pid = 0;

	(void)state;
	assert_int_equal(proc_pid_parse("123\n", &pid), 0);
	assert_int_equal(pid, 123);
	assert_int_equal(proc_pid_parse(" 77\n/var/lib/postgresql\n", &pid), 0);
	assert_int_equal(pid, 77);
	assert_int_equal(proc_pid_parse("", &pid), -EINVAL);
	assert_int_equal(proc_pid_parse("0\n", &pid), -EINVAL);
	assert_int_equal(proc_pid_parse("-1\n", &pid), -EINVAL);
	assert_int_equal(proc_pid_parse("12x\n", &pid), -EINVAL);
	assert_int_equal(proc_pid_parse("99999999999\n", &pid), -EINVAL);
	assert_int_equal(pid, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stat_is_read_whatever_the_name),
		cmocka_unit_test(what_is_no_stat_changes_nothing),
		cmocka_unit_test(user_io_and_share_are_found),
		cmocka_unit_test(arguments_become_words),
		cmocka_unit_test(groups_are_matched_by_whole_names),
		cmocka_unit_test(a_pidfile_holds_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
