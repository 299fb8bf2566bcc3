/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "framing.h"

struct header {
	const char *name, *value;
};

static const char *problem_of(const struct header *headers)
{
	struct framing f = {0};
	for (; headers->name; headers++)
		framing_header(&f, headers->name, headers->value);
	return framing_problem(&f);
}
#define END          NULL, NULL
#define PROBLEM(...) problem_of((const struct header[]){__VA_ARGS__, {END}})

static void ordinary_requests_pass(void **state)
{
	(void)state;
	assert_null(PROBLEM({"Host", "a"}));
	assert_null(PROBLEM({"Host", "a"}, {"Content-Length", "12"}));
	assert_null(PROBLEM({"Host", "a"}, {"Transfer-Encoding", "chunked"}));
	assert_null(PROBLEM({"Host", "a"}, {"TRANSFER-ENCODING", "Chunked"}));
}

static void two_lengths_are_refused_even_if_equal(void **state)
{
	(void)state;
	assert_non_null(PROBLEM({"Content-Length", "5"}, {"content-length", "5"}));
}

static void length_beside_encoding_is_refused_in_either_order(void **state)
{
	(void)state;
	assert_non_null(PROBLEM({"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}));
	assert_non_null(PROBLEM({"Transfer-Encoding", "chunked"}, {"Content-Length", "5"}));
}

static void lengths_that_parsers_read_differently_are_refused(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"+5", "-5", "5, 5", "0x5", "5 ", "", "9999999999999999999"};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!PROBLEM({"Content-Length", rows[i]}))
			fail_msg("'%s' passed", rows[i]);
}

static void encodings_other_than_chunked_are_refused(void **state)
{
	(void)state;
	assert_non_null(PROBLEM({"Transfer-Encoding", "gzip, chunked"}));
	assert_non_null(PROBLEM({"Transfer-Encoding", "xchunked"}));
	assert_non_null(
		PROBLEM({"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}));
}

static void two_hosts_are_refused(void **state)
{
	(void)state;
	assert_non_null(PROBLEM({"Host", "a"}, {"Host", "b"}));
}

static void names_that_are_no_names_are_refused(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"Content-Length ", "Content-Length\t", " X", "X Y", "X(", "", "\x80"};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!PROBLEM({rows[i], "5"}))
			fail_msg("'%s' passed", rows[i]);
	assert_null(PROBLEM({"x-1.2_3~!#$%&'*+^`|", "5"}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_requests_pass),
		cmocka_unit_test(two_lengths_are_refused_even_if_equal),
		cmocka_unit_test(length_beside_encoding_is_refused_in_either_order),
		cmocka_unit_test(lengths_that_parsers_read_differently_are_refused),
		cmocka_unit_test(encodings_other_than_chunked_are_refused),
		cmocka_unit_test(two_hosts_are_refused),
		cmocka_unit_test(names_that_are_no_names_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
