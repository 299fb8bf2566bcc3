/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/cleanup.h"
#include "http_expect.h"

static void a_status_is_a_number_a_class_or_a_range(void **state)
{
	char *texts[] = {(char *)"204", (char *)"3xx", (char *)"400-404"};
	struct strlist wanted = {.v = texts, .n = ARRAY_LEN(texts)};
	char described[64];

	(void)state;
	assert_true(http_status_matches(&wanted, 204));
	assert_false(http_status_matches(&wanted, 200));
	assert_true(http_status_matches(&wanted, 300));
	assert_true(http_status_matches(&wanted, 399));
	assert_true(http_status_matches(&wanted, 400));
	assert_true(http_status_matches(&wanted, 404));
	assert_false(http_status_matches(&wanted, 405));
	assert_false(http_status_matches(&wanted, 0));
	assert_string_equal(http_status_describe(&wanted, described, sizeof(described)),
			    "204 or 3xx or 400-404");
}

static void other_texts_are_no_status(void **state)
{
	static const char *const texts[] = {"",     "20",      "2000",    "2x",      "xx2",
					    "0xx",  "6xx",     "999",     "300-200", "200-",
					    "-200", "200-29x", "200 299", "2xx-3xx", "200-2999"};
	struct http_status_range range;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(http_status_parse(texts[i], &range, NULL), -EINVAL);
}

static void a_url_has_a_scheme_a_host_and_no_login(void **state)
{
	static const char *const good[] = {"http://a", "HTTPS://a.b:8443/c?d=e@f#g",
					   "http://[::1]/"};
	static const char *const bad[] = {"",           "a.b",           "ftp://a",
					  "http://",    "http:///a",     "http://:80",
					  "http://a b", "http://u:p@a/", "http://a/\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(http_url_check(good[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(http_url_check(bad[i], NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_is_a_number_a_class_or_a_range),
		cmocka_unit_test(other_texts_are_no_status),
		cmocka_unit_test(a_url_has_a_scheme_a_host_and_no_login),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
