/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <errno.h>
#include <unistd.h>

#include "base/str.h"
#include "bind.h"

static void addresses_are_read_in_all_their_forms(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int family;
		bool is_loopback;
	} rows[] = {
		{"127.0.0.1:5051", AF_INET, true},  {"localhost:1", AF_INET, true},
		{"127.9.9.9:80", AF_INET, true},    {"0.0.0.0:80", AF_INET, false},
		{"10.0.0.1:65535", AF_INET, false}, {"[::1]:80", AF_INET6, true},
		{"[::]:80", AF_INET6, false},       {"*:80", AF_INET6, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bind_address a;
		struct err err = {0};
		if (bind_parse(rows[i].text, &a, &err))
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_int_equal(a.sa.ss_family, rows[i].family);
		assert_int_equal(a.is_loopback, rows[i].is_loopback);
	}
}

static void what_is_no_address_is_refused(void **state)
{
	(void)state;
	static const char *const rows[] = {"",
					   "127.0.0.1",
					   ":80",
					   "127.0.0.1:",
					   "1.2.3:80",
					   "::1:80",
					   "[::1:80",
					   "127.0.0.1:65536",
					   "host:80",
					   "127.0.0.1:80x",
					   "127.0.0.1:-1",
					   "[]:80",
					   "127.0.0.1: 80"};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bind_address a;
		struct err err = {0};
		if (bind_parse(rows[i], &a, &err) != -EINVAL)
			fail_msg("'%s' was taken", rows[i]);
		assert_true(err.text[0]);
	}
}

static void a_taken_port_is_told_as_such(void **state)
{
	(void)state;
	struct bind_address a;
	struct err err = {0};
	assert_int_equal(bind_parse("127.0.0.1:0", &a, &err), 0);
	int first = bind_listen(&a, &err);
	assert_true(first >= 0);
	char text[32];
	snprintf(text, sizeof(text), "127.0.0.1:%u", (unsigned)bind_port(first));
	assert_int_equal(bind_parse(text, &a, &err), 0);
	assert_int_equal(bind_listen(&a, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "in use"));
	close(first);
}

static void only_this_machines_own_names_are_local(void **state)
{
	(void)state;
	static const char *const ours[] = {"localhost",    "localhost:5051", "127.0.0.1",
					   "127.0.0.1:80", "[::1]:80",       "[::1]"};
	static const char *const others[] = {"evil.example",
					     "127.0.0.1.evil.example",
					     "localhost.evil",
					     "[::2]:80",
					     "",
					     "[::1]x",
					     "10.0.0.1"};
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		assert_true(bind_host_is_loopback(ours[i]));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(bind_host_is_loopback(others[i]));
	assert_false(bind_host_is_loopback(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_in_all_their_forms),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(a_taken_port_is_told_as_such),
		cmocka_unit_test(only_this_machines_own_names_are_local),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
