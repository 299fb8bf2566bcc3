/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/report.h"

static void says(const struct report *r, bool colour, const char *text)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	report_format(r, colour, &out);
	assert_string_equal(str_text(&out), text);
}

static void add(struct report *r, const char *file, size_t line, size_t column, size_t length,
		const char *source, const char *message)
{
	struct conf_mark mark = {.file = file, .line = line, .column = column, .length = length};

	report_add(r, &mark, source, NULL, "%s", message);
}

static void an_error_is_shown_with_its_line_and_hint(void **state)
{
	struct report r = {0};
	struct conf_mark mark = {.file = "etc/hale.yaml", .line = 14, .column = 5, .length = 9};

	(void)state;
	report_add(&r, &mark, "    intervall: 30s", "did you mean 'interval'?", "unknown key '%s'",
		   "intervall");
	says(&r, false,
	     "etc/hale.yaml:14:5: unknown key 'intervall'\n"
	     "   14 |     intervall: 30s\n"
	     "      |     ^^^^^^^^^\n"
	     "      = did you mean 'interval'?\n"
	     "1 error\n");
	says(&r, true,
	     "\033[1metc/hale.yaml:14:5: \033[0m\033[1;31munknown key 'intervall'\033[0m\n"
	     "\033[1;34m   14 |\033[0m     intervall: 30s\n"
	     "\033[1;34m      |\033[0m     \033[1;31m^^^^^^^^^\033[0m\n"
	     "\033[1;34m      =\033[0m \033[36mdid you mean 'interval'?\033[0m\n"
	     "1 error\n");
	report_done(&r);
}

static void errors_are_sorted_by_file_line_and_column(void **state)
{
	struct report r = {0};

	(void)state;
	add(&r, "b.yaml", 1, 1, 1, NULL, "fifth");
	add(&r, "a.yaml", 10, 2, 1, NULL, "third");
	add(&r, "a.yaml", 10, 2, 1, NULL, "fourth");
	add(&r, "a.yaml", 9, 7, 1, NULL, "second");
	add(&r, "a.yaml", 9, 1, 1, NULL, "first");
	says(&r, false,
	     "a.yaml:9:1: first\na.yaml:9:7: second\na.yaml:10:2: third\na.yaml:10:2: fourth\n"
	     "b.yaml:1:1: fifth\n5 errors\n");
	report_done(&r);
}

static void the_same_error_is_told_once(void **state)
{
	struct report r = {0};

	(void)state;
	add(&r, "a.yaml", 1, 1, 1, NULL, "twice");
	add(&r, "a.yaml", 1, 1, 1, NULL, "twice");
	assert_int_equal(r.errors, 1);
	report_done(&r);
}

static void carets_stand_under_characters_not_bytes(void **state)
{
	struct report r = {0};

	(void)state;
	add(&r, "a.yaml", 3, 9, 5, "größe: häß", "wide");
	says(&r, false,
	     "a.yaml:3:9: wide\n"
	     "    3 | größe: häß\n"
	     "      |       ^^^^\n"
	     "1 error\n");
	report_done(&r);
}

static void tabs_before_the_mark_stay_tabs(void **state)
{
	struct report r = {0};

	(void)state;
	add(&r, "a.yaml", 123456, 4, 1, "a:\tb", "x");
	says(&r, false,
	     "a.yaml:123456:4: x\n"
	     "123456 | a:\tb\n"
	     "       |   \t^\n"
	     "1 error\n");
	report_done(&r);
}

static void an_underline_ends_with_its_line(void **state)
{
	struct report r = {0};

	(void)state;
	add(&r, "a.yaml", 1, 3, 99, "abcd", "long");
	add(&r, "a.yaml", 2, 99, 4, "abcd", "beyond");
	says(&r, false,
	     "a.yaml:1:3: long\n    1 | abcd\n      |   ^^\n"
	     "a.yaml:2:99: beyond\n    2 | abcd\n      |     ^\n"
	     "2 errors\n");
	report_done(&r);
}

static void a_long_line_is_shown_around_the_mark(void **state)
{
	HALE_CLEANUP(str_done) struct str line = {0};
	HALE_CLEANUP(str_done) struct str out = {0};
	struct report r = {0};

	(void)state;
	for (int i = 0; i < 5000; i++)
		str_addc(&line, i == 3000 ? 'X' : '.');
	add(&r, "a.yaml", 1, 3001, 1, str_text(&line), "here");
	report_format(&r, false, &out);
	assert_true(out.len < 400);
	assert_non_null(strchr(str_text(&out), 'X'));
	/* The caret is exactly one line (gutter, 160 characters, newline) below the X. */
	assert_int_equal(strchr(str_text(&out), '^') - strchr(str_text(&out), 'X'), 8 + 160 + 1);
	report_done(&r);
}

static void warnings_are_counted_apart(void **state)
{
	struct report r = {0};
	struct conf_mark mark = {.file = "a.yaml"};

	(void)state;
	report_warn(&r, &mark, NULL, NULL, "odd");
	assert_int_equal(r.errors, 0);
	says(&r, false, "a.yaml: warning: odd\n0 errors, 1 warning\n");
	report_done(&r);
}

static void only_so_many_errors_are_kept(void **state)
{
	struct report r = {0};

	(void)state;
	for (size_t i = 1; i <= REPORT_MAX + 7; i++)
		add(&r, "a.yaml", i, 1, 1, NULL, "wrong");
	assert_int_equal(r.n, REPORT_MAX);
	assert_int_equal(r.errors, REPORT_MAX + 7);
	assert_int_equal(r.dropped, 7);
	report_done(&r);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
	struct report r = {0};

	(void)state;
	add(&r, "a.yaml", 1, 1, 1, "\033[2J", "key '\033]0;x\a'");
	says(&r, false, "a.yaml:1:1: key '?]0;x?'\n    1 | ?[2J\n      | ^\n1 error\n");
	report_done(&r);
}

static void a_report_encodes_as_json(void **state)
{
	struct report r = {0};
	json_t *json;
	char *text;

	(void)state;
	add(&r, "a.yaml", 2, 3, 4, "  key", "wrong");
	json = report_encode(&r);
	text = json_dumps(json, JSON_COMPACT);
	assert_string_equal(
		text,
		"[{\"file\":\"a.yaml\",\"line\":2,\"column\":3,\"length\":4,"
		"\"message\":\"wrong\",\"hint\":null,\"source\":\"  key\",\"warning\":false}]");
	free(text);
	json_decref(json);
	report_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_is_shown_with_its_line_and_hint),
		cmocka_unit_test(errors_are_sorted_by_file_line_and_column),
		cmocka_unit_test(the_same_error_is_told_once),
		cmocka_unit_test(carets_stand_under_characters_not_bytes),
		cmocka_unit_test(tabs_before_the_mark_stay_tabs),
		cmocka_unit_test(an_underline_ends_with_its_line),
		cmocka_unit_test(a_long_line_is_shown_around_the_mark),
		cmocka_unit_test(warnings_are_counted_apart),
		cmocka_unit_test(only_so_many_errors_are_kept),
		cmocka_unit_test(control_characters_do_not_reach_the_terminal),
		cmocka_unit_test(a_report_encodes_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
