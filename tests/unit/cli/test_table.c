/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "table.h"
#include "text.h"

static const struct table_column columns[] = {TABLE_LEFT("NAME"), TABLE_LEFT("LABEL"),
					      TABLE_RIGHT("TOOK"), TABLE_FLEXIBLE("MESSAGE")};

static void row(struct table *t, const char *name, const char *label, const char *took,
		const char *message)
{
	table_cell(t, TONE_PLAIN, name);
	table_cell(t, TONE_PLAIN, label);
	table_cell(t, TONE_PLAIN, took);
	table_cell(t, TONE_PLAIN, message);
}

static void assert_table(struct table *t, size_t width, const char *expected)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	table_format(t, false, width, &out);
	assert_string_equal(str_text(&out), expected);
	table_done(t);
}

static struct table new_table(void)
{
	return (struct table){.columns = columns, .columns_n = ARRAY_LEN(columns)};
}

static void columns_line_up_and_lines_have_no_blanks_at_their_end(void **state)
{
	struct table t = new_table();

	(void)state;
	row(&t, "api", "API", "41 ms", "fine");
	row(&t, "database", "DB", "2.31 s", NULL);
	assert_table(&t, 0,
		     "NAME      LABEL    TOOK  MESSAGE\n"
		     "api       API     41 ms  fine\n"
		     "database  DB     2.31 s\n");
}

static void wide_characters_do_not_shift_what_follows(void **state)
{
	struct table t = new_table();

	(void)state;
	row(&t, "玩具", "Spielzeug für Zürich", "1 ms", "ok");
	row(&t, "e\xcc\x81", "x", "1 ms", "ok");
	assert_table(&t, 0,
		     "NAME  LABEL                 TOOK  MESSAGE\n"
		     "玩具  Spielzeug für Zürich  1 ms  ok\n"
		     "e\xcc\x81     x                     1 ms  ok\n");
}

static void a_column_without_content_is_left_out(void **state)
{
	struct table t = new_table();

	(void)state;
	row(&t, "api", NULL, "", "fine");
	assert_table(&t, 0, "NAME  MESSAGE\napi   fine\n");
}

static void the_message_gives_way_to_the_terminal(void **state)
{
	struct table t = new_table();

	(void)state;
	row(&t, "api", NULL, "41 ms", "the connection was refused by the host");
	assert_table(&t, 40,
		     "NAME   TOOK  MESSAGE\n"
		     "api   41 ms  the connection was refused…\n");
}

static void a_message_keeps_a_least_width_on_a_narrow_terminal(void **state)
{
	struct table t = new_table();

	(void)state;
	row(&t, "a-component-with-a-long-name", NULL, "41 ms", "the connection was refused");
	assert_table(&t, 20,
		     "NAME                           TOOK  MESSAGE\n"
		     "a-component-with-a-long-name  41 ms  the connect…\n");
}

static void no_rows_print_nothing(void **state)
{
	struct table t = new_table();

	(void)state;
	assert_table(&t, 0, "");
}

static void without_titles_only_rows_are_printed(void **state)
{
	static const struct table_column plain[] = {TABLE_PLAIN, TABLE_PLAIN};
	struct table t = {.columns = plain, .columns_n = 2, .indent = 2};

	(void)state;
	table_cell(&t, TONE_PLAIN, "since");
	table_cell(&t, TONE_PLAIN, "today");
	table_cell(&t, TONE_PLAIN, "message");
	table_cell(&t, TONE_PLAIN, "fine");
	assert_table(&t, 0, "  since    today\n  message  fine\n");
}

static void colour_adds_no_columns(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	struct table t = new_table();

	(void)state;
	table_cell(&t, TONE_GOOD, "● healthy");
	table_cell(&t, TONE_PLAIN, "x");
	table_cell(&t, TONE_PLAIN, "1");
	table_cell(&t, TONE_PLAIN, "m");
	table_format(&t, true, 0, &out);
	assert_string_equal(str_text(&out),
			    "\033[2mNAME\033[0m       \033[2mLABEL\033[0m  \033[2mTOOK\033[0m  "
			    "\033[2mMESSAGE\033[0m\n"
			    "\033[32m● healthy\033[0m  x         1  m\n");
	table_done(&t);
}

static void foreign_text_cannot_break_a_line(void **state)
{
	struct table t = new_table();

	(void)state;
	row(&t, "api", NULL, NULL, "one\ntwo\033[2J");
	assert_table(&t, 0, "NAME  MESSAGE\napi   one two [2J\n");
}

/* Against a model: no line is wider than the terminal unless a column had its least width. */
static void no_line_is_wider_than_asked(void **state)
{
	(void)state;
	for (size_t width = 30; width < 90; width++) {
		HALE_CLEANUP(str_done) struct str out = {0};
		struct table t = new_table();
		const char *line;

		row(&t, "api", "玩具", "41 ms",
		    "玩具屋 and a long message that goes on and on 🚀🚀🚀");
		table_format(&t, false, width, &out);
		table_done(&t);
		line = str_text(&out);
		while (*line != '\0') {
			size_t len = 0;
			HALE_CLEANUP(str_done) struct str one = {0};

			while (line[len] != '\n')
				len++;
			str_addn(&one, line, len);
			assert_true(text_width(str_text(&one)) <= HALE_MAX(width, (size_t)32));
			line += len + 1;
		}
	}
}

static void an_optional_column_goes_where_there_is_no_room(void **state)
{
	static const struct table_column three[] = {TABLE_LEFT("ID"), TABLE_OPTIONAL("LABEL"),
						    TABLE_FLEXIBLE("MESSAGE")};
	static const struct {
		size_t width;
		const char *text;
	} rows[] = {
		{0,
		 "ID   LABEL       MESSAGE\napi  My program  a message of some thirty letters\n"},
		{50,
		 "ID   LABEL       MESSAGE\napi  My program  a message of some thirty letters\n"},
		{49,
		 "ID   LABEL       MESSAGE\napi  My program  a message of some thirty letters\n"},
		{48,
		 "ID   LABEL       MESSAGE\napi  My program  a message of some thirty lette…\n"},
		{46, "ID   MESSAGE\napi  a message of some thirty letters\n"},
		{20, "ID   MESSAGE\napi  a message of s…\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct table t = {.columns = three, .columns_n = ARRAY_LEN(three)};
		HALE_CLEANUP(str_done) struct str out = {0};

		table_cell(&t, TONE_PLAIN, "api");
		table_cell(&t, TONE_PLAIN, "My program");
		table_cell(&t, TONE_PLAIN, "a message of some thirty letters");
		table_format(&t, false, rows[i].width, &out);
		assert_string_equal(str_text(&out), rows[i].text);
		table_done(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_line_up_and_lines_have_no_blanks_at_their_end),
		cmocka_unit_test(an_optional_column_goes_where_there_is_no_room),
		cmocka_unit_test(wide_characters_do_not_shift_what_follows),
		cmocka_unit_test(a_column_without_content_is_left_out),
		cmocka_unit_test(the_message_gives_way_to_the_terminal),
		cmocka_unit_test(a_message_keeps_a_least_width_on_a_narrow_terminal),
		cmocka_unit_test(no_rows_print_nothing),
		cmocka_unit_test(without_titles_only_rows_are_printed),
		cmocka_unit_test(colour_adds_no_columns),
		cmocka_unit_test(foreign_text_cannot_break_a_line),
		cmocka_unit_test(no_line_is_wider_than_asked),
	};

	return cmocka_run_group_tests_name("cli.table", tests, NULL, NULL);
}
