/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "text.h"

static void assert_cut(const char *text, size_t columns, const char *expected, size_t used)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	assert_int_equal(text_add_cut(&out, text, columns), used);
	assert_string_equal(str_text(&out), expected);
}

static void width_counts_columns_not_bytes(void **state)
{
	(void)state;
	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("abc"), 3);
	assert_int_equal(text_width("zürich"), 6);
	assert_int_equal(text_width("玩具"), 4);
	assert_int_equal(text_width("e\xcc\x81"), 1); /* e and a combining acute */
	assert_int_equal(text_width("🚀"), 2);
	assert_int_equal(text_width("● healthy"), 9);
}

static void bytes_that_are_no_utf8_take_one_column_each(void **state)
{
	(void)state;
	assert_int_equal(text_width("a\xff\xfe"), 3);
	assert_int_equal(text_width("\xc0\xaf"), 2);     /* overlong */
	assert_int_equal(text_width("\xed\xa0\x80"), 3); /* a surrogate */
	assert_int_equal(text_width("\xe4\xbd"), 2);     /* cut off */
	assert_cut("\xe4\xbd", 9, "??", 2);
}

static void control_sequences_do_not_reach_the_terminal(void **state)
{
	(void)state;
	assert_cut("a\033[31mb\r\nc\x7f", 40, "a [31mb  c ", 11);
	assert_cut("\xc2\x9b"
		   "31m",
		   40, " 31m", 4); /* the one-character CSI of C1 */
}

static void what_is_cut_ends_in_an_ellipsis(void **state)
{
	(void)state;
	assert_cut("connection refused", 18, "connection refused", 18);
	assert_cut("connection refused", 11, "connection…", 11);
	assert_cut("abc", 1, "…", 1);
	assert_cut("abc", 0, "", 0);
}

static void a_wide_character_is_never_split(void **state)
{
	(void)state;
	assert_cut("玩具屋", 5, "玩具…", 5);
	assert_cut("玩具屋", 4, "玩…", 3);
}

static void spans_read_at_a_glance(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{0, "now"},           {999, "now"},     {1000, "1s"},        {59999, "59s"},
		{60000, "1m"},        {3599999, "59m"}, {3600000, "1h"},     {11520000, "3h12m"},
		{86399999, "23h59m"}, {86400000, "1d"}, {446400000, "5d4h"}, {34560000000, "400d"},
	};
	char buf[TEXT_TIME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(text_span(rows[i].ms, buf), rows[i].text);
}

static void ago_knows_past_and_future(void **state)
{
	const int64_t now = 1795311037123;
	char buf[TEXT_TIME_MAX];

	(void)state;
	assert_string_equal(text_ago(now, now, buf), "now");
	assert_string_equal(text_ago(now - 12000, now, buf), "12s ago");
	assert_string_equal(text_ago(now + 5000, now, buf), "in 5s");
	assert_string_equal(text_ago(now + 300, now, buf), "now");
}

static void measured_times_keep_their_meaning_at_every_size(void **state)
{
	static const struct {
		double ms;
		const char *text;
	} rows[] = {
		{0, "0 ms"},       {0.004, "0 ms"}, {0.42, "0.42 ms"},  {3.14, "3.1 ms"},
		{41.2, "41 ms"},   {999, "999 ms"}, {2310.2, "2.31 s"}, {59000, "59 s"},
		{200000, "3m20s"}, {1e300, ""},
	};
	char buf[TEXT_TIME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) - 1; i++)
		assert_string_equal(text_took(rows[i].ms, buf), rows[i].text);
	assert_true(text_took(rows[ARRAY_LEN(rows) - 1].ms, buf)[0] != '\0');
}

static void dates_are_local(void **state)
{
	char buf[TEXT_TIME_MAX];

	(void)state;
	assert_string_equal(text_date(1795311037123, buf), "2026-11-22 02:30:37");
	assert_string_equal(text_clock(1795311037123, buf), "02:30:37.123");
	assert_string_equal(text_date(-1, buf), "-");
	assert_string_equal(text_clock(INT64_MIN, buf), "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(width_counts_columns_not_bytes),
		cmocka_unit_test(bytes_that_are_no_utf8_take_one_column_each),
		cmocka_unit_test(control_sequences_do_not_reach_the_terminal),
		cmocka_unit_test(what_is_cut_ends_in_an_ellipsis),
		cmocka_unit_test(a_wide_character_is_never_split),
		cmocka_unit_test(spans_read_at_a_glance),
		cmocka_unit_test(ago_knows_past_and_future),
		cmocka_unit_test(measured_times_keep_their_meaning_at_every_size),
		cmocka_unit_test(dates_are_local),
	};

	(void)setenv("TZ", "UTC-1", 1); /* an hour east */
	tzset();
	return cmocka_run_group_tests_name("cli.text", tests, NULL, NULL);
}
