/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "address.h"

static void assert_address(const char *text, const char *host, const char *port)
{
	struct address a;
	struct err err;

	if (address_parse(text, &a, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	assert_string_equal(a.host, host);
	assert_string_equal(a.port, port);
}

static void assert_refused(const char *text, const char *why)
{
	struct address a;
	struct err err;

	assert_int_equal(address_parse(text, &a, &err), -EINVAL);
	assert_string_equal(err.text, why);
}

static void names_and_numbers_are_taken(void **state)
{
	(void)state;
	assert_address("db.example.org:5432", "db.example.org", "5432");
	assert_address("127.0.0.1:1", "127.0.0.1", "1");
	assert_address("[::1]:65535", "::1", "65535");
	assert_address("[fe80::1%eth0]:22", "fe80::1%eth0", "22");
}

static void a_path_is_a_unix_socket(void **state)
{
	char text[] = "unix:/0123456789012345678901234567890123456789012345678901234567890123456789"
		      "012345678901234567890123456789012345";

	(void)state;
	assert_address("unix:/run/a.sock", "/run/a.sock", "");
	assert_address("unix:5432", "unix", "5432");
	assert_address(text, text + strlen("unix:"), "");
	assert_refused(
		"unix:/0123456789012345678901234567890123456789012345678901234567890123456789"
		"0123456789012345678901234567890123456",
		"the path of a Unix socket has at most 107 bytes");
}

static void a_port_may_be_left_out(void **state)
{
	struct address a;
	struct err err;

	(void)state;
	assert_int_equal(address_parse_or("a.org", "443", &a, NULL), 0);
	assert_string_equal(a.port, "443");
	assert_int_equal(address_parse_or("[::1]", "443", &a, NULL), 0);
	assert_string_equal(a.host, "::1");
	assert_string_equal(a.port, "443");
	assert_int_equal(address_parse_or("a.org:8443", "443", &a, NULL), 0);
	assert_string_equal(a.port, "8443");
	assert_int_equal(address_parse_or("a.org:", "443", &a, &err), -EINVAL);
	assert_int_equal(address_parse_or("::1", "443", &a, &err), -EINVAL);
	assert_string_equal(err.text, "an IPv6 address needs brackets: [::1]:80");
}

static void what_is_wrong_is_said(void **state)
{
	char text[400];

	(void)state;
	assert_refused("localhost", "expected host:port");
	assert_refused("", "expected host:port");
	assert_refused("[::1]", "expected host:port");
	assert_refused("a:", "'' is not a port from 1 to 65535");
	assert_refused("a:0", "'0' is not a port from 1 to 65535");
	assert_refused("a:65536", "'65536' is not a port from 1 to 65535");
	assert_refused("a:+1", "'+1' is not a port from 1 to 65535");
	assert_refused("a:000080", "'000080' is not a port from 1 to 65535");
	assert_refused(":80", "'' is not a host");
	assert_refused("::1:80", "an IPv6 address needs brackets: [::1]:80");
	assert_refused("[]:80", "expected [IPv6 address]:port");
	assert_refused("[::1:80", "expected [IPv6 address]:port");
	assert_refused("http://a:80", "an IPv6 address needs brackets: [::1]:80");
	assert_refused("a b:80", "'a b' is not a host");
	memset(text, 'x', sizeof(text));
	memcpy(text + sizeof(text) - 4, ":80", 4);
	assert_int_equal(address_parse(text, &(struct address){0}, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_numbers_are_taken),
		cmocka_unit_test(a_path_is_a_unix_socket),
		cmocka_unit_test(a_port_may_be_left_out),
		cmocka_unit_test(what_is_wrong_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
