/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "unit_judge.h"
#include "unit_name.h"

static struct unit_seen seen(const char *name, const char *load, const char *active,
			     const char *sub, const char *result)
{
	struct unit_seen unit = {.name = name};

	(void)snprintf(unit.status.load, UNIT_WORD_MAX, "%s", load);
	(void)snprintf(unit.status.active, UNIT_WORD_MAX, "%s", active);
	(void)snprintf(unit.status.sub, UNIT_WORD_MAX, "%s", sub);
	(void)snprintf(unit.status.result, UNIT_WORD_MAX, "%s", result);
	return unit;
}

static void expect(struct unit_seen *units, size_t n, const char *wanted, enum reason reason,
		   const char *message)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	HALE_CLEANUP(strlist_done) struct strlist list = {0};

	strlist_add(&list, wanted);
	for (size_t i = 0; i < n; i++)
		units[i].verdict = unit_verdict_of(&units[i].status, &list);
	assert_int_equal(unit_judge(units, n, &list, &text), reason);
	assert_string_equal(str_text(&text), message);
}

static void one_unit_reads_naturally(void **state)
{
	struct unit_seen running = seen("a", "loaded", "active", "running", "success");
	struct unit_seen exited = seen("a", "loaded", "active", "exited", "success");
	struct unit_seen failed = seen("a", "loaded", "failed", "failed", "oom-kill");
	struct unit_seen dead = seen("a", "loaded", "inactive", "dead", "success");
	struct unit_seen none = seen("a", "not-found", "inactive", "dead", "");
	struct unit_seen masked = seen("a", "masked", "inactive", "dead", "");
	struct unit_seen loops = seen("a", "loaded", "activating", "auto-restart", "exit-code");
	struct unit_seen turns = seen("a", "loaded", "reloading", "reload", "success");

	(void)state;
	expect(&running, 1, "active", REASON_OK, "a is active (running)");
	expect(&exited, 1, "active", REASON_OK, "a is active (exited)");
	expect(&failed, 1, "active", REASON_UNIT_DOWN, "a is failed (oom-kill)");
	expect(&failed, 1, "failed", REASON_OK, "a is failed (oom-kill)");
	expect(&dead, 1, "active", REASON_UNIT_DOWN, "a is inactive");
	expect(&dead, 1, "inactive", REASON_OK, "a is inactive");
	expect(&running, 1, "inactive", REASON_UNIT_DOWN,
	       "a is active (running), expected inactive");
	expect(&none, 1, "active", REASON_UNIT_DOWN, "a is not found");
	expect(&none, 1, "inactive", REASON_UNIT_DOWN, "a is not found, expected inactive");
	expect(&masked, 1, "active", REASON_UNIT_DOWN, "a is inactive (masked)");
	expect(&loops, 1, "active", REASON_UNIT_CHANGING, "a is activating (auto-restart)");
	expect(&turns, 1, "active", REASON_OK, "a is reloading (reload)");
}

static void several_are_counted(void **state)
{
	struct unit_seen up = seen("a", "loaded", "active", "running", "success");
	struct unit_seen down = seen("b", "loaded", "failed", "failed", "exit-code");
	struct unit_seen boot = seen("c.timer", "loaded", "activating", "start", "success");
	struct unit_seen none = seen("d", "not-found", "inactive", "dead", "");
	struct unit_seen all[] = {up, up, up};
	struct unit_seen some[] = {up, down, none};
	struct unit_seen dead[] = {down, down};
	struct unit_seen starting[] = {up, boot};
	struct unit_seen mixed[] = {boot, down};

	(void)state;
	expect(all, 3, "active", REASON_OK, "All 3 services running");
	expect(all, 3, "inactive", REASON_UNIT_DOWN, "All services not as expected");
	expect(some, 3, "active", REASON_UNITS_DOWN, "2 services down: b, d (not found)");
	expect(dead, 2, "active", REASON_UNIT_DOWN, "All services down");
	expect(dead, 2, "failed", REASON_OK, "All 2 services as expected");
	expect(starting, 2, "active", REASON_UNIT_CHANGING,
	       "1 units changing: c.timer (activating (start))");
	expect(mixed, 2, "active", REASON_UNITS_DOWN, "1 units down: b");
}

static void names_are_completed_or_refused(void **state)
{
	static const char *const wrong[] = {"",    ".service", "a b",
					    "a/b", "getty@",   "getty@.service"};
	char name[UNIT_NAME_SIZE], longest[300];
	struct err err;

	(void)state;
	assert_int_equal(unit_name_complete("nginx", name, &err), 0);
	assert_string_equal(name, "nginx.service");
	assert_int_equal(unit_name_complete("a.b", name, &err), 0);
	assert_string_equal(name, "a.b.service");
	assert_int_equal(unit_name_complete("backup.timer", name, &err), 0);
	assert_string_equal(name, "backup.timer");
	assert_string_equal(unit_name_type(name), "timer");
	assert_string_equal(unit_name_type("nginx"), "");
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(unit_name_complete(wrong[i], name, &err), -EINVAL);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(unit_name_complete(longest, name, &err), -EINVAL);
	assert_string_equal(name, "backup.timer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_unit_reads_naturally),
		cmocka_unit_test(several_are_counted),
		cmocka_unit_test(names_are_completed_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
