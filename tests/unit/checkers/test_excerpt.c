/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "excerpt.h"

static void assert_excerpt(const char *text, const char *want)
{
	char got[EXCERPT_SIZE];

	assert_string_equal(excerpt(text, strlen(text), got), want);
}

static void a_short_text_is_whole(void **state)
{
	(void)state;
	assert_excerpt("", "");
	assert_excerpt("grün", "grün");
}

static void control_characters_are_blanks_and_broken_bytes_marks(void **state)
{
	char got[EXCERPT_SIZE];

	(void)state;
	assert_excerpt("a\r\n\tb\x7f", "a   b ");
	assert_excerpt("\xff\xc3 \xe2\x82", "?? ??");
	assert_string_equal(excerpt("a\0b", 3, got), "a b");
	/* JSON takes no overlong forms, no surrogates, nothing beyond U+10FFFF. */
	assert_excerpt("\xe0\x80\x80 \xed\xa0\x80 \xf4\x90\x80\x80", "??? ??? ????");
}

static void a_long_text_is_cut_at_a_characters_edge(void **state)
{
	char text[200];
	char want[EXCERPT_SIZE];

	(void)state;
	memset(text, 'x', sizeof(text));
	memset(want, 'x', EXCERPT_MAX);
	memcpy(want + EXCERPT_MAX, "…", 4);
	text[199] = '\0';
	assert_excerpt(text, want);
	/* "ü" would end one byte behind the edge. */
	memcpy(text + EXCERPT_MAX - 1, "ü", 2);
	memcpy(want + EXCERPT_MAX - 1, "…", 4);
	assert_excerpt(text, want);
	/* Exactly as long as there is room for is not cut. */
	text[EXCERPT_MAX - 1] = 'x';
	text[EXCERPT_MAX] = '\0';
	assert_excerpt(text, text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_text_is_whole),
		cmocka_unit_test(control_characters_are_blanks_and_broken_bytes_marks),
		cmocka_unit_test(a_long_text_is_cut_at_a_characters_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
