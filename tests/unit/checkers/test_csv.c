/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "csv.h"

/* Records as "line:field|field;", quoted fields in brackets. */
static bool on_record(void *ctx, const struct csv_field *fields, size_t n, size_t line)
{
	struct str *out = ctx;

	str_addf(out, "%zu:", line);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(fields[i].text[fields[i].len], '\0');
		str_addf(out, fields[i].is_quoted ? "%s[%s]" : "%s%s", i > 0 ? "|" : "",
			 fields[i].text);
	}
	str_addc(out, ';');
	return strstr(str_text(out), "stop") == NULL;
}

static void expect(const char *csv, const char *records)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct err err = {0};

	if (csv_parse(csv, strlen(csv), ',', on_record, &out, &err) != 0)
		fail_msg("%s: %s", csv, err.text);
	assert_string_equal(str_text(&out), records);
}

static void expect_error(const char *csv, const char *part)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct err err = {0};

	assert_int_not_equal(csv_parse(csv, strlen(csv), ',', on_record, &out, &err), 0);
	if (strstr(err.text, part) == NULL)
		fail_msg("%s", err.text);
}

static void records_are_lines_and_fields_are_between_commas(void **state)
{
	(void)state;
	expect("", "");
	expect("a,b\n1,2\n", "1:a|b;2:1|2;");
	expect("a,b\r\n1,2", "1:a|b;2:1|2;");
	expect("a,,\n,", "1:a||;2:|;");
	expect("\xef\xbb\xbf"
	       "a\n",
	       "1:a;");
	expect("\n\na\n\n\nb\n", "3:a;6:b;");
	expect(" a , b ", "1: a | b ;");
	expect("a\rb,c", "1:a\rb|c;");
}

static void quotes_hold_what_would_end_a_field(void **state)
{
	(void)state;
	expect("\"a,b\",c\n", "1:[a,b]|c;");
	expect("\"a \"\"b\"\" c\"", "1:[a \"b\" c];");
	expect("\"two\nlines\",x\ny,z\n", "1:[two\nlines]|x;3:y|z;");
	expect("\"\",x", "1:[]|x;");
	expect("a\"b,c", "1:a\"b|c;");
}

static void reading_may_stop(void **state)
{
	(void)state;
	expect("a\nstop\nb\n", "1:a;2:stop;");
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
	HALE_CLEANUP(str_done) struct str wide = {0};

	(void)state;
	expect_error("a,b\n1,\"2\n3", "line 2: a quote that does not end");
	expect_error("a\n\"1\"2\n", "line 2: text behind a quoted field");
	for (int i = 0; i <= CSV_FIELDS_MAX; i++)
		str_add(&wide, "x,");
	expect_error(str_text(&wide), "line 1: more than 1024 fields");
}

static void another_separator_may_be_used(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(csv_parse("a,b;c", 5, ';', on_record, &out, &err), 0);
	assert_string_equal(str_text(&out), "1:a,b|c;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_lines_and_fields_are_between_commas),
		cmocka_unit_test(quotes_hold_what_would_end_a_field),
		cmocka_unit_test(reading_may_stop),
		cmocka_unit_test(what_is_wrong_is_told_with_its_line),
		cmocka_unit_test(another_separator_may_be_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
