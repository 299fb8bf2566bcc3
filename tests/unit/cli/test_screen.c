/* SPDX-License-Identifier: Apache-2.0 */
/* Keys out of what a terminal sends, and lines that fit one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "screen.h"

static void keys_are_told_apart(void **state)
{
	static const struct {
		const char *typed;
		int key;
		size_t used;
	} rows[] = {
		{"", KEY_NONE, 0},
		{"q", 'q', 1},
		{"jj", 'j', 1},
		{"\033", KEY_ESCAPE, 1},
		{"\033[A", KEY_UP, 3},
		{"\033[Bq", KEY_DOWN, 3},
		{"\033OA", KEY_UP, 3},
		{"\033[5~x", KEY_PAGE_UP, 4},
		{"\033[6~", KEY_PAGE_DOWN, 4},
		{"\033[1~", KEY_HOME, 4},
		{"\033[F", KEY_END, 3},
		{"\033q", KEY_ESCAPE, 1},
		{"\033[1;5Cq", KEY_NONE, 6}, /* Ctrl-Right: one key, and none of ours */
		{"\033[200~", KEY_NONE, 6},
		{"\033[12", KEY_NONE, 4}, /* cut off: dropped, not taken for digits */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t used = 99;
		int key = screen_key_parse(rows[i].typed, strlen(rows[i].typed), &used);

		if (key != rows[i].key || used != rows[i].used)
			fail_msg("row %zu: key %d, %zu used", i, key, used);
	}
}

static void assert_cut(const char *line, size_t columns, const char *cut)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	screen_line_cut(&out, line, strlen(line), columns);
	assert_string_equal(str_text(&out), cut);
}

static void lines_are_cut_to_the_width(void **state)
{
	(void)state;
	assert_cut("ready", 5, "ready");
	assert_cut("ready", 4, "rea…");
	assert_cut("", 4, "");
}

static void colours_take_no_width_and_end_behind_the_cut(void **state)
{
	(void)state;
	assert_cut("\033[32mready\033[0m", 5, "\033[32mready\033[0m");
	assert_cut("\033[1;32mready\033[0m go", 3, "\033[1;32mre…\033[0m");
	assert_cut("a\033[2mb\033[0mc", 2, "a\033[2mb\033[0m");
}

static void other_control_characters_reach_no_terminal(void **state)
{
	(void)state;
	assert_cut("a\033]0;title\007b", 80, "a ]0;title b");
	assert_cut("a\tb", 80, "a b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_told_apart),
		cmocka_unit_test(lines_are_cut_to_the_width),
		cmocka_unit_test(colours_take_no_width_and_end_behind_the_cut),
		cmocka_unit_test(other_control_characters_reach_no_terminal),
	};

	return cmocka_run_group_tests_name("cli.screen", tests, NULL, NULL);
}
