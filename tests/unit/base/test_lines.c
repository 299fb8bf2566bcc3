/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/lines.h"

/* Every reported line, each followed by '|'. */
static void collect(void *ctx, const char *line, size_t len)
{
	struct str *seen = ctx;

	assert_int_equal(strlen(line), len);
	str_addn(seen, line, len);
	str_addc(seen, '|');
}

static void expect(const char *data, size_t len, size_t max, const char *want)
{
	struct str seen = {0};
	struct lines l = {.max = max, .on_line = collect, .ctx = &seen};

	lines_feed(&l, data, len);
	lines_finish(&l);
	assert_string_equal(str_text(&seen), want);
	lines_done(&l);
	str_done(&seen);
}

#define EXPECT(text, max, want) expect(text, sizeof(text) - 1, max, want)

static void newlines_end_lines(void **state)
{
	(void)state;
	EXPECT("", 80, "");
	EXPECT("one\ntwo\r\n\nlast", 80, "one|two||last|");
}

static void control_bytes_are_shown_as_question_marks(void **state)
{
	(void)state;
	EXPECT("a\0b\tc\033[1m\x7f\n", 80, "a?b\tc?[1m?|");
}

static void long_lines_come_in_pieces(void **state)
{
	(void)state;
	EXPECT("123456789\n", 4, "1234|5678|9|");
}

static void cutting_the_stream_anywhere_changes_nothing(void **state)
{
	static const char data[] = "one\r\ntwo and more\n\nthree\nno end";

	(void)state;
	for (size_t cut = 0; cut < sizeof(data); cut++) {
		struct str seen = {0};
		struct lines l = {.max = 80, .on_line = collect, .ctx = &seen};

		lines_feed(&l, data, cut);
		lines_feed(&l, data + cut, sizeof(data) - 1 - cut);
		lines_finish(&l);
		assert_string_equal(str_text(&seen), "one|two and more||three|no end|");
		lines_done(&l);
		str_done(&seen);
	}
}

static void random_bytes_never_exceed_the_bound(void **state)
{
	(void)state;
	srandom(7);
	for (int i = 0; i < 2000; i++) {
		char data[200];
		struct str seen = {0};
		struct lines l = {
			.max = 1 + (size_t)random() % 20, .on_line = collect, .ctx = &seen};

		for (size_t k = 0; k < sizeof(data); k++)
			data[k] = (char)random();
		lines_feed(&l, data, sizeof(data));
		assert_true(l.part.len < l.max);
		lines_done(&l);
		str_done(&seen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newlines_end_lines),
		cmocka_unit_test(control_bytes_are_shown_as_question_marks),
		cmocka_unit_test(long_lines_come_in_pieces),
		cmocka_unit_test(cutting_the_stream_anywhere_changes_nothing),
		cmocka_unit_test(random_bytes_never_exceed_the_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
