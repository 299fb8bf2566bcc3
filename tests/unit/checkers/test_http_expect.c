/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

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

static bool matches(const char *source, enum text_rule_form form, const char *text, size_t len)
{
	struct text_rule rule;
	bool is_match;

	assert_int_equal(text_rule_init(&rule, source, form, NULL), 0);
	is_match = text_rule_matches(&rule, text, len);
	text_rule_done(&rule);
	return is_match;
}

static void a_rule_is_a_text_or_an_expression(void **state)
{
	struct text_rule rule;
	struct err err;

	(void)state;
	assert_true(matches("b.c", TEXT_RULE_TEXT, "ab.cd", 5));
	assert_false(matches("b.c", TEXT_RULE_TEXT, "abxcd", 5));
	assert_true(matches("b.c", TEXT_RULE_REGEX, "abxcd", 5));
	/* Only what stands between slashes is one where both may be. */
	assert_false(matches("^ab", TEXT_RULE_EITHER, "abc", 3));
	assert_true(matches("/^ab/", TEXT_RULE_EITHER, "abc", 3));
	assert_true(matches("/", TEXT_RULE_EITHER, "a/b", 3));
	assert_true(matches("/v1", TEXT_RULE_EITHER, "a/v1", 4));
	assert_true(matches("", TEXT_RULE_EITHER, "", 0));
	/* Behind a NUL, and not behind the end. */
	assert_true(matches("c", TEXT_RULE_TEXT, "a\0c", 3));
	assert_true(matches("c$", TEXT_RULE_REGEX, "a\0c", 3));
	assert_false(matches("c", TEXT_RULE_REGEX, "abc", 2));
	/* Each line has a beginning and an end. */
	assert_true(matches("^b$", TEXT_RULE_REGEX, "a\nb\nc", 5));
	assert_int_equal(text_rule_init(&rule, "/(/", TEXT_RULE_EITHER, &err), -EINVAL);
	assert_string_equal(err.text, "Unmatched ( or \\(");
}

static void what_is_shown_of_a_url_holds_no_secret(void **state)
{
	static const struct {
		const char *url, *shown;
	} rows[] = {
		{"https://a.example.org:8443/v1/health", "https://a.example.org:8443/v1/health"},
		{"http://a", "http://a"},
		{"http://a?", "http://a?"},
		{"http://u:p@ss@a/x", "http://a/x"},
		{"https://a/x?key=s3cret&limit=1&s3cret#s3cret", "https://a/x?key=…&limit=…&…"},
		{"https://t/bot123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11/getMe",
		 "https://t/…/getMe"},
		{"/login?to=http://b/c", "/login?to=…"},
		{"//b/c", "//b/c"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *shown = http_url_shown(rows[i].url);

		assert_string_equal(shown, rows[i].shown);
		free(shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_is_a_number_a_class_or_a_range),
		cmocka_unit_test(other_texts_are_no_status),
		cmocka_unit_test(what_is_shown_of_a_url_holds_no_secret),
		cmocka_unit_test(a_rule_is_a_text_or_an_expression),
		cmocka_unit_test(a_url_has_a_scheme_a_host_and_no_login),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
