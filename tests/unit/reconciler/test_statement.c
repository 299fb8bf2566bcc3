/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "statement.h"

static void expect_select(const char *more, bool is_locking, const char *wanted)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	struct job_spec spec;

	fixture_spec(&spec, more);
	statement_select(&spec, is_locking, &sql);
	assert_string_equal(str_text(&sql), wanted);
	spec_done(&spec);
}

static void expect_change(const char *more, enum plan_op op, const char *after, const char *wanted)
{
	HALE_CLEANUP(str_done) struct str sql = {0};
	struct plan_row row = {.op = op};
	struct job_spec spec;

	fixture_spec(&spec, more);
	row.after = after == NULL ? NULL : fixture_json(after);
	statement_change(&spec, &row, &sql);
	assert_string_equal(str_text(&sql), wanted);
	json_decref(row.after);
	spec_done(&spec);
}

static void a_select_names_what_is_compared_and_what_may_be_replaced(void **state)
{
	(void)state;
	expect_select("{'close': {'set': {'closed_at': '2026'}}}", true,
		      "SELECT \"symbol\", \"qty\", \"price\", \"status\", \"closed_at\" FROM "
		      "\"positions\""
		      " WHERE (status = 'open')");
}

static void a_formula_may_look_at_the_whole_row(void **state)
{
	(void)state;
	expect_select(NULL, false, "SELECT * FROM \"positions\" WHERE (status = 'open')");
}

static void postgres_locks_the_rows_and_knows_schemas(void **state)
{
	(void)state;
	expect_select(
		"{'target': {'sqlite': null, 'postgres': {'dsn': 'x'}, 'table': 'trade.positions'},"
		" 'scope': null}",
		true, "SELECT * FROM \"trade\".\"positions\" WHERE 1 = 1 FOR UPDATE");
}

static void changes_bind_values_and_stay_in_scope(void **state)
{
	(void)state;
	expect_change(NULL, PLAN_INSERT, "{'symbol': 'A', 'qty': 1}",
		      "INSERT INTO \"positions\" (\"symbol\", \"qty\") VALUES ($1, $2)");
	expect_change("{'key': ['symbol', 'account']}", PLAN_UPDATE, "{'qty': 1, 'price': 2}",
		      "UPDATE \"positions\" SET \"qty\" = $1, \"price\" = $2 WHERE \"symbol\" = $3"
		      " AND \"account\" = $4 AND (status = 'open')");
	expect_change("{'scope': null}", PLAN_CLOSE, NULL,
		      "DELETE FROM \"positions\" WHERE \"symbol\" = $1 AND 1 = 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_select_names_what_is_compared_and_what_may_be_replaced),
		cmocka_unit_test(a_formula_may_look_at_the_whole_row),
		cmocka_unit_test(postgres_locks_the_rows_and_knows_schemas),
		cmocka_unit_test(changes_bind_values_and_stay_in_scope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
