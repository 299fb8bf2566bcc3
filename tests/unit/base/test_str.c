/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static void an_empty_str_has_text(void **state)
{
	struct str s = {0};

	(void)state;
	assert_string_equal(str_text(&s), "");
	str_clear(&s);
	str_drop_front(&s, 0);
	assert_string_equal(str_text(&s), "");
	str_done(&s);
}

static void appending_grows_and_terminates(void **state)
{
	struct str s = {0};

	(void)state;
	for (int i = 0; i < 1000; i++) {
		str_add(&s, "ab");
		str_addc(&s, 'c');
		str_addf(&s, "%d", i % 10);
		str_addn(&s, "zz", 1);
		assert_int_equal(s.len, 5 * (i + 1));
		assert_int_equal(strlen(str_text(&s)), s.len);
	}
	assert_true(str_starts(s.data, "abc0zabc1z"));
	assert_true(str_ends(s.data, "abc9z"));
	str_done(&s);
}

static void front_and_end_can_be_dropped(void **state)
{
	struct str s = {0};

	(void)state;
	str_add(&s, "hello world");
	str_drop_front(&s, 6);
	assert_string_equal(str_text(&s), "world");
	str_truncate(&s, 2);
	assert_string_equal(str_text(&s), "wo");
	str_clear(&s);
	assert_string_equal(str_text(&s), "");
	str_done(&s);
}

static void taking_empties(void **state)
{
	struct str s = {0};
	char *text;

	(void)state;
	text = str_take(&s);
	assert_string_equal(text, "");
	free(text);
	str_add(&s, "mine");
	text = str_take(&s);
	assert_string_equal(text, "mine");
	assert_null(s.data);
	assert_int_equal(s.len, 0);
	free(text);
}

static void null_equals_only_null(void **state)
{
	(void)state;
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq(NULL, ""));
	assert_false(str_eq("", NULL));
	assert_true(str_eq("a", "a"));
	assert_false(str_ends("b", "ab"));
}

static void cleaning_cuts_between_characters(void **state)
{
	char buf[8];

	(void)state;
	/* U+20AC is three bytes: two of them fit into seven, the third would be torn. */
	assert_int_equal(str_clean(buf, sizeof(buf), "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"), 6);
	assert_string_equal(buf, "\xe2\x82\xac\xe2\x82\xac");
	assert_int_equal(str_clean(buf, sizeof(buf), "1234567890"), 7);
	assert_string_equal(buf, "1234567");
	assert_int_equal(str_clean(buf, 1, "1"), 0);
	assert_string_equal(buf, "");
}

static void cleaning_leaves_one_line_of_utf8(void **state)
{
	static const struct {
		const char *dirty, *clean;
	} rows[] = {
		{"a\nb\tc\x7f", "a b c "},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"\xf0\x9f\x92\xa5!", "\xf0\x9f\x92\xa5!"},
		{"caf\xe9", "caf?"},
		{"\x80\xbf", "??"},
		{"\xc0\xaf", "??"},           /* overlong */
		{"\xed\xa0\x80", "???"},      /* surrogate */
		{"\xf4\x90\x80\x80", "????"}, /* above U+10FFFF */
		{"\xe2\x82", "??"},           /* ends inside a character */
		{"\xe2(\xa1", "?(?"},
	};
	char buf[32];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)str_clean(buf, sizeof(buf), rows[i].dirty);
		assert_string_equal(buf, rows[i].clean);
	}
}

static void cleaning_twice_changes_nothing(void **state)
{
	(void)state;
	srandom(5);
	for (int i = 0; i < 100000; i++) {
		char dirty[24], once[16], twice[16];
		size_t n = (size_t)random() % sizeof(dirty);

		for (size_t k = 0; k < n; k++)
			dirty[k] =
				(char)(random() % 2 ? random() % 255 + 1 : 0x80 + random() % 128);
		dirty[HALE_MIN(n, sizeof(dirty) - 1)] = '\0';
		assert_true(str_clean(once, sizeof(once), dirty) < sizeof(once));
		(void)str_clean(twice, sizeof(twice), once);
		assert_string_equal(once, twice);
	}
}

static void quoting_is_json(void **state)
{
	struct str s = {0};

	(void)state;
	str_add_quoted(&s, "");
	str_add_quoted(&s, "a\"b\\c\nd/\xc3\xa4");
	assert_string_equal(str_text(&s), "\"\"\"a\\\"b\\\\c\\u000ad/\xc3\xa4\"");
	str_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_str_has_text),
		cmocka_unit_test(appending_grows_and_terminates),
		cmocka_unit_test(front_and_end_can_be_dropped),
		cmocka_unit_test(taking_empties),
		cmocka_unit_test(quoting_is_json),
		cmocka_unit_test(null_equals_only_null),
		cmocka_unit_test(cleaning_cuts_between_characters),
		cmocka_unit_test(cleaning_leaves_one_line_of_utf8),
		cmocka_unit_test(cleaning_twice_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
