/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/cleanup.h"
#include "tls_names.h"

static void names_are_found(void **state)
{
	static const struct {
		const char *names, *wanted;
		bool is_there;
	} rows[] = {
		{"a.org, b.org", "a.org", true},
		{"a.org, b.org", "B.ORG", true},
		{"a.org, b.org", "a.or", false},
		{"a.org, b.org", "a.org, b.org", false},
		{"*.a.org", "www.a.org", true},
		{"*.a.org", "*.a.org", true},
		{"*.a.org", "a.org", false},
		{"*.a.org", "x.www.a.org", false},
		{"*.a.org", ".a.org", false},
		{"*", "a", false},
		{"a*.org", "ab.org", false},
		{"10.0.0.1, ::1", "::1", true},
		{"", "a.org", false},
		{"a.org", "", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (tls_names_have(rows[i].names, rows[i].wanted) != rows[i].is_there)
			fail_msg("'%s' in '%s'", rows[i].wanted, rows[i].names);
	}
}

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void fingerprints_are_read_as_tools_write_them(void **state)
{
	char hex[TLS_SHA256_SIZE];

	(void)state;
	assert_true(tls_sha256_parse(HEX, hex));
	assert_string_equal(hex, HEX);
	assert_true(tls_sha256_parse("00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
				     "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
				     hex));
	assert_string_equal(hex, HEX);
	assert_false(tls_sha256_parse("", hex));
	assert_false(tls_sha256_parse("00112233", hex));
	assert_false(tls_sha256_parse(HEX "0", hex));
	assert_false(tls_sha256_parse("x" HEX, hex));
	assert_false(tls_sha256_parse(":" HEX, hex));
}

static void one_of_several_fingerprints_is_enough(void **state)
{
	struct strlist texts = {0};

	(void)state;
	strlist_add(&texts, "nonsense");
	assert_false(tls_sha256_is_among(HEX, &texts));
	strlist_add(&texts, HEX);
	assert_true(tls_sha256_is_among(HEX, &texts));
	strlist_done(&texts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found),
		cmocka_unit_test(fingerprints_are_read_as_tools_write_them),
		cmocka_unit_test(one_of_several_fingerprints_is_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
