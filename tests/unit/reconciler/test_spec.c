/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/str.h"
#include "fixture.h"

static void collect(void *ctx, const char *path, const char *message)
{
	str_addf(ctx, "%s: %s\n", path, message);
}

/* All problems, one a line. */
static void problems_of(const char *more, struct str *out)
{
	struct job_spec spec;

	fixture_spec(&spec, more);
	spec_check(&spec, collect, out);
	spec_done(&spec);
}

static void a_good_job_has_no_problem(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	(void)state;
	problems_of(NULL, &out);
	assert_string_equal(str_text(&out), "");
}

static void each_mistake_is_told_at_its_place(void **state)
{
	/* clang-format off */
	static const struct {
		const char *more, *path, *message;
	} rows[] = {
		{"{'source': {'http': null}}", "/source", "say where the rows come from"},
		{"{'source': {'sql': {'query': 'SELECT 1', 'sqlite': {'path': 'x'}}}}", "/source",
		 "both given"},
		{"{'source': {'http': null, 'sql': {'query': 'SELECT 1'}}}", "/source/sql",
		 "sqlite or postgres"},
		{"{'source': {'http': {'url': 'ftp://x'}}}", "/source/http/url", "http://"},
		{"{'source': {'http': {'rows': '.a['}}}", "/source/http/rows", "syntax"},
		{"{'source': {'http': {'expect': 'foo('}}}", "/source/http/expect", "syntax"},
		{"{'target': {'postgres': {'dsn': 'x'}}}", "/target", "both given"},
		{"{'target': {'sqlite': null}}", "/target", "sqlite or postgres"},
		{"{'target': {'table': 'a; DROP TABLE b'}}", "/target/table", "no table name"},
		{"{'target': {'table': 'a.b.c'}}", "/target/table", "no table name"},
		{"{'audit': {'runs_table': 'a b'}}", "/audit/runs_table", "no table name"},
		{"{'key': ['a-b']}", "/key", "no column name"},
		{"{'columns': {'1x': {}}}", "/columns/1x", "no column name"},
		{"{'columns': {'qty': {'from': '= .a['}}}", "/columns/qty/from", "syntax"},
		{"{'insert': {'values': {'x': '= nope'}}}", "/insert/values/x", "nope"},
		{"{'insert': {'values': {'qty': '1'}}}", "/insert/values/qty", "columns too"},
		{"{'update': {'set': {'symbol': '1'}}}", "/update/set/symbol", "key column"},
		{"{'close': {'mode': 'update', 'set': null}}", "/close", "needs set"},
		{"{'close': {'mode': 'delete'}}", "/close/set", "mode update only"},
		{"{'skip': '.a ='}", "/skip", "syntax"},
		{"{'scope': '1 = 1) OR (1 = 1'}", "/scope", "do not match"},
		{"{'scope': 'a = 1; DROP TABLE x'}", "/scope", "one condition"},
		{"{'scope': 'a = 1 -- so'}", "/scope", "one condition"},
		{"{'schedule': '*/5 * * * *', 'every': 60000}", "/every", "both given"},
		{"{'every': 5000, 'guards': {'min_interval': 60000}}", "/every", "min_interval"},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		HALE_CLEANUP(str_done) struct str out = {0};
		HALE_CLEANUP(str_done) struct str wanted = {0};

		problems_of(rows[i].more, &out);
		str_addf(&wanted, "%s: ", rows[i].path);
		if (strncmp(str_text(&out), str_text(&wanted), wanted.len) != 0 ||
		    strstr(str_text(&out), rows[i].message) == NULL)
			fail_msg("%s: said '%s'", rows[i].more, str_text(&out));
	}
}

static void parentheses_in_quotes_of_the_scope_are_text(void **state)
{
	HALE_CLEANUP(str_done) struct str out = {0};

	(void)state;
	problems_of("{'scope': \"name = ')' OR (a = 'x;y')\"}", &out);
	assert_string_equal(str_text(&out), "");
}

static void what_the_tables_of_options_see_is_told_by_decoding(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{'source': {}, 'target': {'table': 't'}, 'key': []}",
		"{'source': {}, 'target': {'table': 't'}, 'key': ['a'], 'close': {'mode': "
		"'maybe'}}",
		"{'source': {}, 'target': {'table': 't'}, 'key': ['a'], 'schedule': '* * *'}",
		"{'source': {}, 'target': {'table': 't'}, 'key': ['a'], 'guard': {}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		json_t *job = fixture_json(bad[i]);
		struct err err = {0};
		struct job_spec spec;

		if (spec_decode("j", job, &spec, &err) == 0)
			fail_msg("took %s", bad[i]);
		assert_true(str_starts(err.text, "j: "));
		json_decref(job);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_job_has_no_problem),
		cmocka_unit_test(each_mistake_is_told_at_its_place),
		cmocka_unit_test(parentheses_in_quotes_of_the_scope_are_text),
		cmocka_unit_test(what_the_tables_of_options_see_is_told_by_decoding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
