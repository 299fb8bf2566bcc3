/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fixture.h"

#define PROGRAM "programs: {a: {command: [sleep, 1], environment: {A: 1, B: 2}"

/* Are the programs "a" of these two files the same when they run? `more` follows the options. */
static bool is_alike(const char *file, const char *other)
{
	struct deployment one, two;
	bool is_same;

	deployment_init(&one, file);
	deployment_init(&two, other);
	is_same = process_spec_runs_alike(deployment_program(&one, "a"),
					  deployment_program(&two, "a"));
	deployment_done(&one);
	deployment_done(&two);
	return is_same;
}

static void a_copy_owns_all_it_has(void **state)
{
	struct deployment d;
	struct process_spec copy;

	(void)state;
	deployment_init(&d, "components: {api: {null: {}}}\n" PROGRAM
			    ", user: nobody, requires: [b], after: [b], on_failing: [sleep, 1],\n"
			    " forward_signals: [HUP], limits: {core: 0},\n"
			    " on_check_failure: {components: [api]}}, b: {command: [sleep, 1]}}\n");
	process_spec_copy(&copy, deployment_program(&d, "a"));
	assert_true(process_spec_runs_alike(&copy, deployment_program(&d, "a")));
	deployment_done(&d);
	/* Read after the original is gone: the sanitizer sees what was not copied. */
	assert_string_equal(copy.component, "program.a");
	assert_string_equal(copy.argv[1], "1");
	assert_string_equal(copy.requires.v[0], "b");
	assert_string_equal(copy.after.v[0], "b");
	assert_string_equal(copy.forward.v[0], "HUP");
	assert_string_equal(copy.on_failing[1], "1");
	assert_string_equal(copy.on_check_failure.components.v[0], "api");
	process_spec_done(&copy);
	assert_null(copy.name);
}

static void what_a_process_does_not_feel_is_no_difference(void **state)
{
	static const char *const others[] = {
		PROGRAM "}}\n",
		"programs: {a: {environment: {B: 2, A: 1}, command: [sleep, 1]}}\n",
		PROGRAM ", restart: never, stop_timeout: 1s, log: none, label: x}}\n",
		PROGRAM ", ready_after: 5s, impact: none, failing_after: 5s}}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_true(is_alike(PROGRAM "}}\n", others[i]));
}

static void what_it_feels_is_one(void **state)
{
	static const char *const others[] = {
		"programs: {a: {command: [sleep, 2], environment: {A: 1, B: 2}}}\n",
		"programs: {a: {command: [sleep], environment: {A: 1, B: 2}}}\n",
		"programs: {a: {command: [sleep, 1], environment: {A: 1, B: 3}}}\n",
		"programs: {a: {command: [sleep, 1], environment: {A: 1}}}\n",
		PROGRAM ", umask: 077}}\n",
		PROGRAM ", directory: /tmp}}\n",
		PROGRAM ", stdin: /etc/passwd}}\n",
		PROGRAM ", notify: true}}\n",
		PROGRAM ", limits: {core: 0}}}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(is_alike(PROGRAM "}}\n", others[i]));
	assert_false(
		is_alike(PROGRAM ", limits: {core: 0}}}\n", PROGRAM ", limits: {core: 1}}}\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_owns_all_it_has),
		cmocka_unit_test(what_a_process_does_not_feel_is_no_difference),
		cmocka_unit_test(what_it_feels_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
