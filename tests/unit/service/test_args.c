/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "service/args.h"

static int parse(struct args *a, struct err *err, const char *first, const char *second)
{
	char program[] = "hale-test";
	char one[64];
	char two[64];
	char *argv[] = {program, one, two, NULL};
	int argc = 1 + (first != NULL) + (second != NULL);

	strcpy(one, first != NULL ? first : "");
	strcpy(two, second != NULL ? second : "");
	argv[argc] = NULL;
	return args_parse(argc, argv, a, err);
}

static void without_arguments_it_runs(void **state)
{
	struct args a;

	(void)state;
	assert_int_equal(parse(&a, NULL, NULL, NULL), 0);
	assert_int_equal(a.action, ARGS_RUN);
	assert_null(a.slice);
	assert_null(a.run_dir);
}

static void what_it_answers_without_running(void **state)
{
	static const struct {
		const char *option;
		enum args_action action;
	} table[] = {
		{"--check", ARGS_CHECK}, {"--describe", ARGS_DESCRIBE},
		{"--help", ARGS_HELP},   {"--version", ARGS_VERSION},
		{"-h", ARGS_HELP},       {"-V", ARGS_VERSION},
	};
	struct args a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		assert_int_equal(parse(&a, NULL, table[i].option, NULL), 0);
		assert_int_equal(a.action, table[i].action);
	}
}

static void an_unknown_log_level_is_refused(void **state)
{
	struct err err = {0};
	struct args a;

	(void)state;
	assert_int_equal(parse(&a, &err, "--log-level", "loud"), -EINVAL);
	assert_string_equal(err.text, "--log-level loud: expected debug, info, warn or error");
	assert_int_equal(parse(&a, &err, "--log-level", "debug"), 0);
}

static void an_argument_nobody_expects_is_refused(void **state)
{
	struct err err = {0};
	struct args a;

	(void)state;
	assert_int_equal(parse(&a, &err, "now", NULL), -EINVAL);
	assert_string_equal(err.text, "unexpected argument 'now' (see --help)");
}

static void help_names_the_program_and_every_option(void **state)
{
	HALE_CLEANUP(str_done) struct str help = {0};

	(void)state;
	args_help("hale-x", "does x", &help);
	assert_true(str_starts(str_text(&help), "hale-x - does x\n"));
	assert_non_null(strstr(str_text(&help), "--slice"));
	assert_non_null(strstr(str_text(&help), "--run-dir"));
	assert_non_null(strstr(str_text(&help), "--state-dir"));
	assert_non_null(strstr(str_text(&help), "--log-level"));
	assert_non_null(strstr(str_text(&help), "--check"));
	assert_non_null(strstr(str_text(&help), "--describe"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_arguments_it_runs),
		cmocka_unit_test(what_it_answers_without_running),
		cmocka_unit_test(an_unknown_log_level_is_refused),
		cmocka_unit_test(an_argument_nobody_expects_is_refused),
		cmocka_unit_test(help_names_the_program_and_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
