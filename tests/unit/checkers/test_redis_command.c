/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "redis_command.h"

/* Words separated by one blank each. */
static int check(const char *text, struct err *err)
{
	HALE_CLEANUP(strlist_done) struct strlist command = {0};
	char copy[64], *rest = copy, *word;

	assert_true(strlen(text) < sizeof(copy));
	strcpy(copy, text);
	while ((word = strsep(&rest, " ")) != NULL)
		strlist_add(&command, word);
	return redis_command_check(&command, err);
}

static void what_only_looks_is_allowed(void **state)
{
	static const char *const good[] = {
		"GET a",          "llen jobs",           "ZCARD z", "memory usage a",
		"XINFO GROUPS s", "SENTINEL ckquorum m", "DBSIZE",  "XPENDING s g"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(check(good[i], NULL), 0);
}

static void what_changes_or_hangs_or_walks_is_not(void **state)
{
	static const char *const bad[] = {"SET a 1",
					  "DEL a",
					  "FLUSHALL",
					  "BLPOP a 0",
					  "KEYS *",
					  "SCAN 0",
					  "EVAL x 0",
					  "MONITOR",
					  "SUBSCRIBE a",
					  "MEMORY PURGE",
					  "CLUSTER RESET",
					  "CONFIG GET requirepass",
					  "SLOWLOG RESET",
					  "SENTINEL FAILOVER m",
					  "DEBUG SLEEP 1",
					  "SHUTDOWN",
					  "MEMORY",
					  "XREAD BLOCK 0 STREAMS s 0",
					  "CLUSTER",
					  "GETDEL a",
					  "GETEX a",
					  "OBJECT",
					  ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(check(bad[i], NULL), -EINVAL);
}

static void a_misspelt_one_is_suggested(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(check("LLENS jobs", &err), -EINVAL);
	assert_non_null(strstr(err.text, "did you mean LLEN?"));
	assert_int_equal(check("CLUSTER NODES", &err), -EINVAL);
	assert_non_null(strstr(err.text, "of CLUSTER a check may only ask INFO|"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_only_looks_is_allowed),
		cmocka_unit_test(what_changes_or_hangs_or_walks_is_not),
		cmocka_unit_test(a_misspelt_one_is_suggested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
