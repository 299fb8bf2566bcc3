/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/report.h"
#include "conf/tree.h"
#include "yaml_out.h"

static void assert_yaml(const char *json, const char *expected)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);

	assert_non_null(value);
	yaml_add(&out, value);
	assert_string_equal(str_text(&out), expected);
	json_decref(value);
}

static void maps_and_lists_are_blocks(void **state)
{
	(void)state;
	assert_yaml("{\"api\": {\"http\": {\"url\": \"http://x/\"}, \"interval\": 30000, \"on\": "
		    "true}}",
		    "api:\n  http:\n    url: http://x/\n  interval: 30000\n  \"on\": true\n");
	assert_yaml("{\"l\": [\"a\", 1, null], \"e\": [], \"m\": {}}",
		    "l:\n  - a\n  - 1\n  - null\ne: []\nm: {}\n");
	assert_yaml("[{\"a\": 1, \"b\": 2}, [1, [2]]]", "- a: 1\n  b: 2\n- - 1\n  - - 2\n");
	assert_yaml("3.5", "3.5\n");
	assert_yaml("\"a\"", "a\n");
	assert_yaml("{}", "{}\n");
}

static void quantities_need_no_quotes_and_numbers_do(void **state)
{
	(void)state;
	assert_yaml("\"1m30s\"", "1m30s\n");
	assert_yaml("\"64MB\"", "64MB\n");
	assert_yaml("\"0s\"", "0s\n");
	assert_yaml("\"0xd\"", "\"0xd\"\n");
	assert_yaml("\"1e5\"", "\"1e5\"\n");
	assert_yaml("\"12\"", "\"12\"\n");
	assert_yaml("\"1:30\"", "\"1:30\"\n");
}

static const char *const hard[] = {
	"",       "true",
	"No",     "null",
	"~",      "1",
	"-1",     "3 apples",
	" x",     "x ",
	"a: b",   "a:",
	"a #b",   "#a",
	"- a",    "*a",
	"&a",     "!a",
	"|",      ">",
	"{a}",    "[a]",
	"\"a\"",  "'a'",
	"%a",     "@a",
	"`a`",    "a\nb",
	"a\tb",   "ä → b",
	"${X}",   "...",
	"---",    "?",
	"0x1f",   ".5",
	"+1",     "=",
	"<<",     "********",
	"a\\b",   "c'd",
	"> 2000", "null null",
	"a,b",    "http://x/?a=1#f",
	"y",      "\xc2\x85",
	"\x7f",
};

/* The reader of the configuration is the model: what is written must read back as it was. */
static void every_text_reads_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hard); i++) {
		HALE_CLEANUP(str_done) struct str out = {0};
		json_t *value = json_pack("{s:[s]}", "k", hard[i]);
		struct report report = {0};
		struct tree *tree;
		const struct node *list;

		yaml_add(&out, value);
		/* The reader expands ${…}, which this writer has no reason to escape. */
		if (hard[i][0] != '$') {
			tree = tree_load_text("t", str_text(&out), &report);
			list = node_get(tree_root(tree), "k");
			if (report.errors > 0 || list == NULL || list->n != 1)
				fail_msg("'%s' was written as %s", hard[i], str_text(&out));
			if (hard[i][0] != '\x7f' && hard[i][0] != '\xc2')
				assert_string_equal(list->items[0].value->text, hard[i]);
			tree_free(tree);
		}
		report_done(&report);
		json_decref(value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_and_lists_are_blocks),
		cmocka_unit_test(quantities_need_no_quotes_and_numbers_do),
		cmocka_unit_test(every_text_reads_back),
	};

	return cmocka_run_group_tests_name("cli.yaml_out", tests, NULL, NULL);
}
