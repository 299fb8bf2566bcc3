/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "outlook.h"

static void expect(struct outlook_view v, enum outcome outcome, enum reason reason,
		   const char *part)
{
	HALE_CLEANUP(str_done) struct str message = {0};
	struct outlook o = outlook_of(&v, &message);

	assert_int_equal(o.outcome, outcome);
	assert_int_equal(o.reason, reason);
	if (strstr(str_text(&message), part) == NULL)
		fail_msg("'%s' is not in '%s'", part, str_text(&message));
}

#define NEVER .dropped_ms = -1
#define FINE  .trouble_ms = -1, .dropped_ms = -1

static void a_single_try_that_failed_is_not_worth_a_word(void **state)
{
	(void)state;
	expect((struct outlook_view){FINE, .lines = 0}, OUTCOME_PASS, REASON_OK, "Running");
	expect((struct outlook_view){NEVER, .trouble_ms = OUTLOOK_GRACE_MS - 1,
				     .error = "no route"},
	       OUTCOME_PASS, REASON_OK, "Running");
	expect((struct outlook_view){NEVER, .trouble_ms = OUTLOOK_GRACE_MS, .error = "no route"},
	       OUTCOME_WARN, REASON_STORE_UNAVAILABLE, "no route; 0 lines wait");
}

static void what_was_dropped_is_told_for_a_while(void **state)
{
	(void)state;
	expect((struct outlook_view){.trouble_ms = -1,
				     .dropped_ms = OUTLOOK_DROPPED_MS - 1,
				     .dropped = {[LINE_RESULT] = 2}},
	       OUTCOME_WARN, REASON_STORE_LOST, "dropped for want of room: 2 results");
	expect((struct outlook_view){.trouble_ms = -1,
				     .dropped_ms = OUTLOOK_DROPPED_MS,
				     .dropped = {[LINE_RESULT] = 2}},
	       OUTCOME_PASS, REASON_OK, "Running");
}

static void a_store_that_was_set_aside_is_told_with_what_to_do(void **state)
{
	(void)state;
	expect((struct outlook_view){FINE, .set_aside = "/s/a.broken-1"}, OUTCOME_WARN,
	       REASON_STORE_LOST, "'hale export --store /s/a.broken-1 | hale import -'");
	/* What is the matter now comes first. */
	expect((struct outlook_view){NEVER, .set_aside = "/s/a.broken-1",
				     .trouble_ms = OUTLOOK_GRACE_MS, .error = "full"},
	       OUTCOME_WARN, REASON_STORE_UNAVAILABLE, "full");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_single_try_that_failed_is_not_worth_a_word),
		cmocka_unit_test(what_was_dropped_is_told_for_a_while),
		cmocka_unit_test(a_store_that_was_set_aside_is_told_with_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
