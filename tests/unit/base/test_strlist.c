/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/strlist.h"

static const char *const options[] = {"interval",   "timeout",    "url",
				      "thresholds", "depends_on", NULL};

static void a_list_owns_what_it_was_given(void **state)
{
	char word[] = "alpha";
	struct strlist l = {0};

	(void)state;
	strlist_add(&l, word);
	word[0] = 'A';
	strlist_add(&l, "beta");
	assert_int_equal(l.n, 2);
	assert_true(strlist_has(&l, "alpha"));
	assert_false(strlist_has(&l, "Alpha"));
	strlist_add(&l, "alpha");
	strlist_drop(&l, "alpha");
	strlist_drop(&l, "gamma");
	assert_int_equal(l.n, 1);
	assert_string_equal(l.v[0], "beta");
	strlist_done(&l);
	assert_int_equal(l.n, 0);
	assert_false(strlist_has(&l, "beta"));
}

static void entries_match_as_globs(void **state)
{
	struct strlist l = {0};

	(void)state;
	strlist_add(&l, "db.*");
	strlist_add(&l, "api");
	assert_true(strlist_matches(&l, "db.primary"));
	assert_true(strlist_matches(&l, "api"));
	assert_false(strlist_matches(&l, "api2"));
	strlist_done(&l);
}

static void a_typing_mistake_is_understood(void **state)
{
	(void)state;
	assert_string_equal(suggest_nearest("intervall", options), "interval");
	assert_string_equal(suggest_nearest("intreval", options), "interval");
	assert_string_equal(suggest_nearest("time_out", options), "timeout");
	assert_string_equal(suggest_nearest("ulr", options), "url");
	assert_string_equal(suggest_nearest("depend_on", options), "depends_on");
}

static void what_is_far_off_gets_no_suggestion(void **state)
{
	char word[100];

	(void)state;
	assert_null(suggest_nearest("banana", options));
	assert_null(suggest_nearest("", options));
	for (size_t i = 0; i < sizeof(word) - 1; i++)
		word[i] = 'x';
	word[sizeof(word) - 1] = '\0';
	assert_null(suggest_nearest(word, options));
}

static void the_longest_word_fits_the_table(void **state)
{
	/* 63 letters, one of them wrong. */
	const char *word = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
	const char *near = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	const char *const words[] = {near, NULL};

	(void)state;
	assert_string_equal(suggest_nearest(word, words), near);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_owns_what_it_was_given),
		cmocka_unit_test(entries_match_as_globs),
		cmocka_unit_test(a_typing_mistake_is_understood),
		cmocka_unit_test(what_is_far_off_gets_no_suggestion),
		cmocka_unit_test(the_longest_word_fits_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
