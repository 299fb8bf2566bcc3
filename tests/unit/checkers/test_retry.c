/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "retry.h"

/* "F" and "P" as they come; after each, whether it is looked into again: "+" or "-". */
static void check_row(const struct retry_rule *rule, const char *results, const char *wanted)
{
	struct retry_state s = {0};

	for (size_t i = 0; results[i] != '\0'; i++) {
		bool is_wanted = retry_wanted(rule, &s, results[i] == 'P');

		if (is_wanted != (wanted[i] == '+'))
			fail_msg("%s at %zu: not as in %s", results, i, wanted);
	}
}

static void without_an_interval_nothing_is_looked_into_again(void **state)
{
	const struct retry_rule rule = {
		.interval_ms = 0, .bad_from = 1, .failures = 3, .passes = 2};

	(void)state;
	check_row(&rule, "PFFFFPP", "-------");
}

static void failures_are_confirmed_and_then_left_to_the_grid(void **state)
{
	const struct retry_rule rule = {
		.interval_ms = 1, .bad_from = 1, .failures = 3, .passes = 1};

	(void)state;
	check_row(&rule, "PFFFFFF", "-++----");
	check_row(&rule, "PFPFFPFFF", "-+-++-++-");
	check_row(&rule, "FFF", "++-"); /* the first thing that was ever seen */
}

static void the_first_failure_of_one_needs_no_other(void **state)
{
	const struct retry_rule rule = {
		.interval_ms = 1, .bad_from = 1, .failures = 1, .passes = 1};

	(void)state;
	check_row(&rule, "PFFPF", "-----");
}

static void passes_are_confirmed_after_it_was_bad(void **state)
{
	const struct retry_rule rule = {
		.interval_ms = 1, .bad_from = 1, .failures = 2, .passes = 3};

	(void)state;
	check_row(&rule, "PPPP", "----");
	check_row(&rule, "FFPPPPP", "+-++---");
	check_row(&rule, "FPPPPF", "+++--+");
	check_row(&rule, "FFPFFPPP", "+-++-++-");
}

static void too_few_failures_are_nothing_to_recover_from(void **state)
{
	const struct retry_rule rule = {
		.interval_ms = 1, .bad_from = 3, .failures = 3, .passes = 3};

	(void)state;
	check_row(&rule, "FFPPP", "++---");
	check_row(&rule, "FFFPPP", "++-++-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_an_interval_nothing_is_looked_into_again),
		cmocka_unit_test(failures_are_confirmed_and_then_left_to_the_grid),
		cmocka_unit_test(the_first_failure_of_one_needs_no_other),
		cmocka_unit_test(passes_are_confirmed_after_it_was_bad),
		cmocka_unit_test(too_few_failures_are_nothing_to_recover_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
