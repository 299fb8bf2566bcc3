/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "args.h"

static const struct flag flags[] = {
	{"follow", 'f', FLAG_SWITCH, NULL, "go on"},
	{"lines", 'n', FLAG_COUNT, "N", "how many"},
	{"topic", 't', FLAG_TEXT, "TOPIC", "only this"},
	{"since", 0, FLAG_DURATION, "TIME", "how far back"},
	{0},
};

static struct err err;

/* argv[0] is the verb. */
#define PARSE(a, ...) parse(a, (const char *const[]){"hale", __VA_ARGS__, NULL})

static int parse(struct args *a, const char *const *argv)
{
	const struct flag *const tables[] = {flags, NULL};
	int argc = 0, next = 1;

	while (argv[argc] != NULL)
		argc++;
	return args_parse(a, tables, argc, (char **)(uintptr_t)argv, &next, false, &err);
}

static void assert_refused(const char *message, const char *one, const char *two)
{
	struct args a = {0};

	assert_int_equal(PARSE(&a, one, two), -EINVAL);
	assert_string_equal(err.text, message);
	args_done(&a);
}

static void flags_stand_before_behind_and_between_words(void **state)
{
	struct args a = {0};

	(void)state;
	assert_int_equal(PARSE(&a, "-f", "api", "-n", "5", "db", "--topic=health"), 0);
	assert_int_equal(a.words.n, 2);
	assert_string_equal(args_word(&a, 0), "api");
	assert_string_equal(args_word(&a, 1), "db");
	assert_null(args_word(&a, 2));
	assert_true(args_is(&a, "follow"));
	assert_int_equal(args_number(&a, "lines", 1), 5);
	assert_string_equal(args_text(&a, "topic"), "health");
	args_done(&a);
}

static void letters_join_and_take_their_value_along(void **state)
{
	struct args a = {0};

	(void)state;
	assert_int_equal(PARSE(&a, "-fn7"), 0);
	assert_true(args_is(&a, "follow"));
	assert_int_equal(args_number(&a, "lines", 1), 7);
	args_done(&a);
}

static void what_is_not_given_has_its_default(void **state)
{
	struct args a = {0};

	(void)state;
	assert_int_equal(PARSE(&a, "x"), 0);
	assert_false(args_is(&a, "follow"));
	assert_int_equal(args_number(&a, "lines", 20), 20);
	assert_null(args_text(&a, "topic"));
	args_done(&a);
}

static void the_last_one_counts_however_many(void **state)
{
	const char *argv[202] = {"hale"};
	struct args a = {0};

	(void)state;
	for (int i = 1; i < 200; i++)
		argv[i] = "-n1";
	argv[200] = "-n9";
	assert_int_equal(parse(&a, argv), 0);
	assert_int_equal(args_number(&a, "lines", 0), 9);
	args_done(&a);
}

static void two_dashes_end_the_flags(void **state)
{
	struct args a = {0};

	(void)state;
	assert_int_equal(PARSE(&a, "--", "-f", "-"), 0);
	assert_string_equal(args_word(&a, 0), "-f");
	assert_string_equal(args_word(&a, 1), "-");
	assert_false(args_is(&a, "follow"));
	args_done(&a);
}

static void durations_are_milliseconds(void **state)
{
	struct args a = {0};

	(void)state;
	assert_int_equal(PARSE(&a, "--since", "1h30m"), 0);
	assert_int_equal(args_number(&a, "since", 0), 5400000);
	args_done(&a);
}

static void mistakes_say_what_to_do(void **state)
{
	(void)state;
	assert_refused("unknown option --folow (did you mean --follow?)", "--folow", NULL);
	assert_refused("unknown option --xyzzy", "--xyzzy=3", NULL);
	assert_refused("unknown option -x", "-fx", NULL);
	assert_refused("--lines needs a value: N", "x", "-n");
	assert_refused("--lines: 'many' is no count from 0 to 1000000", "-n", "many");
	assert_refused("--lines: '-1' is no count from 0 to 1000000", "-n", "-1");
	assert_refused("--lines: '9999999999999999999999' is no count from 0 to 1000000", "-n",
		       "9999999999999999999999");
	assert_refused("--since: '30' is no duration (30s, 12h, 7d)", "--since", "30");
	assert_refused("--follow takes no value", "--follow=yes", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_stand_before_behind_and_between_words),
		cmocka_unit_test(letters_join_and_take_their_value_along),
		cmocka_unit_test(what_is_not_given_has_its_default),
		cmocka_unit_test(the_last_one_counts_however_many),
		cmocka_unit_test(two_dashes_end_the_flags),
		cmocka_unit_test(durations_are_milliseconds),
		cmocka_unit_test(mistakes_say_what_to_do),
	};

	return cmocka_run_group_tests_name("cli.args", tests, NULL, NULL);
}
