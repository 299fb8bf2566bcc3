/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "fixture.h"

struct fixture {
	struct job_spec spec;
	struct plan plan;
};

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return *state == NULL;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	plan_done(&f->plan);
	spec_done(&f->spec);
	free(f);
	return 0;
}

static void make(struct fixture *f, const char *more, const char *source, const char *target)
{
	fixture_spec(&f->spec, more);
	fixture_plan(&f->spec, source, target, &f->plan);
}

static void expect(const struct fixture *f, const char *summary)
{
	char *text = fixture_summary(&f->plan);

	assert_string_equal(text, summary);
	free(text);
}

static void expect_json(const json_t *value, const char *text)
{
	json_t *wanted = fixture_json(text);

	if (!json_equal(value, wanted)) {
		char *have = json_dumps(value, JSON_ENCODE_ANY);

		fail_msg("%s is not %s", have, text);
	}
	json_decref(wanted);
}

#define AAPL   "{'symbol': 'AAPL', 'qty': 10, 'avg_cost': 100}"
#define MSFT   "{'symbol': 'MSFT', 'qty': 5, 'avg_cost': 50}"
#define T_AAPL "{'symbol': 'AAPL', 'qty': 10, 'price': 100, 'status': 'open', 'closed_at': null}"
#define T_TSLA "{'symbol': 'TSLA', 'qty': 7, 'price': 70, 'status': 'open', 'closed_at': null}"

/* --- what becomes of a row --- */

static void both_sides_equal_plan_nothing(void **state)
{
	struct fixture *f = *state;

	make(f, NULL, "[" AAPL "]", "[" T_AAPL "]");
	expect(f, "");
	assert_int_equal(f->plan.errors_n, 0);
}

static void each_side_may_have_what_the_other_has_not(void **state)
{
	struct fixture *f = *state;

	/* The same number of rows on both sides, and yet nothing in sync (S0-28). */
	make(f, NULL, "[" AAPL "," MSFT "]", "[" T_AAPL "," T_TSLA "]");
	expect(f, "insert MSFT; close TSLA");
}

static void an_insert_has_key_columns_and_values(void **state)
{
	struct fixture *f = *state;

	make(f, NULL, "[" AAPL "]", "[]");
	expect(f, "insert AAPL");
	assert_null(f->plan.rows[0].before);
	expect_json(f->plan.rows[0].after,
		    "{'symbol': 'AAPL', 'qty': 10, 'price': 100, 'status': 'open',"
		    " 'stop_price': 50, 'opened_at': '2026-11-22T01:30:37.000Z'}");
}

static void an_update_has_all_compared_columns_before_and_after(void **state)
{
	struct fixture *f = *state;

	make(f, NULL, "[{'symbol': 'AAPL', 'qty': 12, 'avg_cost': 100.005}]", "[" T_AAPL "]");
	expect(f, "update AAPL");
	expect_json(f->plan.rows[0].before, "{'qty': 10, 'price': 100}");
	expect_json(f->plan.rows[0].after, "{'qty': 12, 'price': 100.005}");
	expect_json(f->plan.rows[0].identity, "['AAPL']");
}

static void a_difference_within_the_tolerance_is_no_change(void **state)
{
	struct fixture *f = *state;

	make(f, NULL, "[{'symbol': 'AAPL', 'qty': 10, 'avg_cost': 100.01}]", "[" T_AAPL "]");
	expect(f, "");
}

static void a_difference_just_beyond_the_tolerance_is_a_change(void **state)
{
	struct fixture *f = *state;

	make(f, NULL, "[{'symbol': 'AAPL', 'qty': 10, 'avg_cost': 100.011}]", "[" T_AAPL "]");
	expect(f, "update AAPL");
}

static void a_close_sets_what_it_is_told_and_keeps_what_was(void **state)
{
	struct fixture *f = *state;

	make(f, "{'guards': {'allow_empty': true}}", "[]", "[" T_AAPL "]");
	expect(f, "close AAPL");
	expect_json(f->plan.rows[0].before, "{'status': 'open', 'closed_at': null}");
	expect_json(f->plan.rows[0].after,
		    "{'status': 'closed', 'closed_at': '2026-11-22T01:30:37.000Z'}");
}

static void a_delete_keeps_the_whole_row(void **state)
{
	struct fixture *f = *state;

	make(f, "{'close': {'mode': 'delete', 'set': null}}", "[" MSFT "]", "[" T_AAPL "]");
	expect(f, "insert MSFT; close AAPL");
	expect_json(f->plan.rows[1].before, T_AAPL);
	assert_null(f->plan.rows[1].after);
}

static void what_is_switched_off_is_counted_as_skipped(void **state)
{
	struct fixture *f = *state;

	make(f,
	     "{'insert': {'enabled': false}, 'update': {'enabled': false},"
	     " 'close': {'mode': 'none', 'set': null}}",
	     "[{'symbol': 'AAPL', 'qty': 1, 'avg_cost': 100}," MSFT "]", "[" T_AAPL "," T_TSLA "]");
	expect(f, "");
	assert_int_equal(f->plan.skipped, 3);
	assert_int_equal(f->plan.errors_n, 0);
}

static void an_update_may_set_more_and_look_at_the_target(void **state)
{
	struct fixture *f = *state;

	make(f, "{'update': {'set': {'was': '= $target.qty + 1'}}}",
	     "[{'symbol': 'AAPL', 'qty': 12, 'avg_cost': 100}]", "[" T_AAPL "]");
	expect(f, "update AAPL");
	assert_int_equal(json_integer_value(json_object_get(f->plan.rows[0].after, "was")), 11);
}

/* --- keys --- */

static void a_composite_key_is_compared_by_its_parts(void **state)
{
	struct fixture *f = *state;

	make(f, "{'key': ['symbol', 'account'], 'columns': {'price': null}}",
	     "[{'symbol': 'A', 'account': 'B/C', 'qty': 1, 'avg_cost': 1}]",
	     "[{'symbol': 'A/B', 'account': 'C', 'qty': 1}]");
	expect(f, "insert A/B/C; close A/B/C");
}

static void a_number_as_key_meets_the_same_number_as_text(void **state)
{
	struct fixture *f = *state;

	make(f, NULL, "[{'symbol': 7, 'qty': 10, 'avg_cost': 100}]",
	     "[{'symbol': '7', 'qty': 10, 'price': 100, 'status': 'open'}]");
	expect(f, "");
}

static void a_key_may_come_from_another_member(void **state)
{
	struct fixture *f = *state;

	make(f, "{'columns': {'symbol': {'from': '= .ticker | ascii_upcase'}}}",
	     "[{'ticker': 'aapl', 'qty': 10, 'avg_cost': 100}]", "[" T_AAPL "]");
	expect(f, "");
}

static void a_duplicate_key_in_the_source_is_an_error_and_nothing_is_closed(void **state)
{
	struct fixture *f = *state;

	make(f, NULL, "[" AAPL "," MSFT "," AAPL "]", "[" T_TSLA "]");
	expect(f, "insert MSFT");
	assert_true(fixture_list_has(&f->plan.errors, "Duplicate key in the source: AAPL"));
	assert_true(fixture_list_has(&f->plan.errors,
				     "1 rows are absent from the source and not closed"));
	assert_int_equal(f->plan.errors_n, 2);
}

static void a_duplicate_key_in_the_table_is_left_alone(void **state)
{
	struct fixture *f = *state;

	make(f, NULL, "[" MSFT "]", "[" T_AAPL "," T_AAPL "," T_TSLA "]");
	expect(f, "insert MSFT; close TSLA");
	assert_true(fixture_list_has(&f->plan.errors, "Duplicate key in the table: AAPL"));
}

static void a_row_without_a_key_is_an_error_and_nothing_is_closed(void **state)
{
	struct fixture *f = *state;

	make(f, NULL, "[{'symbol': null, 'qty': 1, 'avg_cost': 1}, {'qty': 1}, 5," MSFT "]",
	     "[" T_AAPL "]");
	expect(f, "insert MSFT");
	assert_true(fixture_list_has(&f->plan.errors, "Row 1 of the source has no key"));
	assert_true(fixture_list_has(&f->plan.errors, "Row 2 of the source has no key"));
	assert_true(fixture_list_has(&f->plan.errors,
				     "Row 3 of the source has no key: it is no object"));
	assert_true(fixture_list_has(&f->plan.errors, "not closed"));
}

static void a_null_key_in_the_table_is_an_error_and_stays(void **state)
{
	struct fixture *f = *state;

	make(f, NULL, "[" AAPL "]", "[" T_AAPL ", {'symbol': null, 'qty': 1, 'price': 1}]");
	expect(f, "");
	assert_int_equal(f->plan.errors_n, 1);
}

/* --- rows that cannot be read --- */

static void a_row_with_a_missing_member_is_an_error_and_its_row_stays(void **state)
{
	struct fixture *f = *state;

	make(f, NULL, "[{'symbol': 'AAPL', 'avg_cost': 1}," MSFT "]", "[" T_AAPL "]");
	expect(f, "insert MSFT");
	assert_true(fixture_list_has(
		&f->plan.errors,
		"Failed to update AAPL: column 'qty': the source row has no member"));
}

static void a_text_where_a_number_is_compared_is_an_error(void **state)
{
	struct fixture *f = *state;

	make(f, NULL,
	     "[{'symbol': 'AAPL', 'qty': 10, 'avg_cost': 'n/a'},"
	     " {'symbol': 'NVDA', 'qty': 10, 'avg_cost': 'n/a'}]",
	     "[" T_AAPL "]");
	expect(f, "");
	assert_true(fixture_list_has(
		&f->plan.errors, "Failed to update AAPL: column 'price': 'n/a' is not a number"));
	assert_true(fixture_list_has(
		&f->plan.errors, "Failed to insert NVDA: column 'price': 'n/a' is not a number"));
}

static void a_formula_that_fails_is_its_rows_error(void **state)
{
	struct fixture *f = *state;

	make(f, "{'columns': {'price': null}}",
	     "[{'symbol': 'AAPL', 'qty': 10, 'avg_cost': {}}," MSFT "]", "[]");
	expect(f, "insert MSFT");
	assert_true(
		fixture_list_has(&f->plan.errors, "Failed to insert AAPL: column 'stop_price'"));
}

static void skipped_rows_are_neither_inserted_nor_updated_nor_closed(void **state)
{
	struct fixture *f = *state;

	make(f, "{'skip': '.qty < 0'}",
	     "[{'symbol': 'AAPL', 'qty': -10, 'avg_cost': 1}, {'symbol': 'NVDA', 'qty': -1}]",
	     "[" T_AAPL "," T_TSLA "]");
	expect(f, "close TSLA");
	assert_int_equal(f->plan.skipped, 2);
}

static void errors_are_kept_up_to_a_number_and_counted_beyond(void **state)
{
	struct fixture *f = *state;
	struct str source = {0};

	str_addc(&source, '[');
	for (int i = 0; i < PLAN_ERRORS_MAX + 50; i++)
		str_add(&source, i > 0 ? ",{}" : "{}");
	str_addc(&source, ']');
	make(f, NULL, str_text(&source), "[]");
	assert_int_equal(f->plan.errors.n, PLAN_ERRORS_MAX);
	assert_int_equal(f->plan.errors_n, PLAN_ERRORS_MAX + 50);
	str_done(&source);
}

/* --- guards --- */

static void an_empty_source_is_not_believed(void **state)
{
	struct fixture *f = *state;

	make(f, NULL, "[]", "[" T_AAPL "," T_TSLA "]");
	assert_int_equal(f->plan.refusals.n, 1);
	assert_string_equal(f->plan.refusals.v[0],
			    "allow_empty: the source has no rows, the table has 2");
	/* What would be closed is shown all the same. */
	expect(f, "close AAPL; close TSLA");
}

static void an_empty_source_is_believed_if_the_configuration_says_so(void **state)
{
	struct fixture *f = *state;

	make(f, "{'guards': {'allow_empty': true}}", "[]", "[" T_AAPL "]");
	assert_int_equal(f->plan.refusals.n, 0);
}

static void an_empty_source_and_an_empty_table_agree(void **state)
{
	struct fixture *f = *state;

	make(f, NULL, "[]", "[]");
	assert_int_equal(f->plan.refusals.n, 0);
}

static void more_changes_than_allowed_are_refused(void **state)
{
	struct fixture *f = *state;

	make(f, "{'guards': {'max_changes': 1}}", "[" AAPL "," MSFT "]", "[]");
	assert_int_equal(f->plan.refusals.n, 1);
	assert_string_equal(f->plan.refusals.v[0], "max_changes: 2 rows would change, 1 may");
}

static void as_many_changes_as_allowed_are_fine(void **state)
{
	struct fixture *f = *state;

	make(f, "{'guards': {'max_changes': 2}}", "[" AAPL "," MSFT "]", "[]");
	assert_int_equal(f->plan.refusals.n, 0);
}

static void target_rows(struct str *out, int n)
{
	str_addc(out, '[');
	for (int i = 0; i < n; i++)
		str_addf(out, "%s{'symbol': 'S%d', 'qty': 1, 'price': 1, 'status': 'open'}",
			 i > 0 ? "," : "", i);
	str_addc(out, ']');
}

static void source_rows(struct str *out, int n)
{
	str_addc(out, '[');
	for (int i = 0; i < n; i++)
		str_addf(out, "%s{'symbol': 'S%d', 'qty': 1, 'avg_cost': 1}", i > 0 ? "," : "", i);
	str_addc(out, ']');
}

static size_t refusals_when(struct fixture *f, int source_n, int target_n, const char *more)
{
	struct str source = {0}, target = {0};
	size_t n;

	source_rows(&source, source_n);
	target_rows(&target, target_n);
	plan_done(&f->plan);
	spec_done(&f->spec);
	make(f, more, str_text(&source), str_text(&target));
	str_done(&source);
	str_done(&target);
	n = f->plan.refusals.n;
	return n;
}

static void too_large_a_share_of_the_rows_is_refused(void **state)
{
	struct fixture *f = *state;
	const char *half = "{'guards': {'max_change_percent': 50}}";

	assert_int_equal(refusals_when(f, 5, 10, half), 0); /* 5 of 10 closed */
	assert_int_equal(refusals_when(f, 4, 10, half), 1); /* 6 of 10 */
	assert_string_equal(
		f->plan.refusals.v[0],
		"max_change_percent: 6 of 10 rows would change, which is more than 50 %");
	/* A few rows are always fine, whatever share they are. */
	assert_int_equal(refusals_when(f, 1, 5, half), 0);
	/* Inserts are no share of what is there. */
	assert_int_equal(refusals_when(f, 30, 1, half), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(both_sides_equal_plan_nothing),
		T(each_side_may_have_what_the_other_has_not),
		T(an_insert_has_key_columns_and_values),
		T(an_update_has_all_compared_columns_before_and_after),
		T(a_difference_within_the_tolerance_is_no_change),
		T(a_difference_just_beyond_the_tolerance_is_a_change),
		T(a_close_sets_what_it_is_told_and_keeps_what_was),
		T(a_delete_keeps_the_whole_row),
		T(what_is_switched_off_is_counted_as_skipped),
		T(an_update_may_set_more_and_look_at_the_target),
		T(a_composite_key_is_compared_by_its_parts),
		T(a_number_as_key_meets_the_same_number_as_text),
		T(a_key_may_come_from_another_member),
		T(a_duplicate_key_in_the_source_is_an_error_and_nothing_is_closed),
		T(a_duplicate_key_in_the_table_is_left_alone),
		T(a_row_without_a_key_is_an_error_and_nothing_is_closed),
		T(a_null_key_in_the_table_is_an_error_and_stays),
		T(a_row_with_a_missing_member_is_an_error_and_its_row_stays),
		T(a_text_where_a_number_is_compared_is_an_error),
		T(a_formula_that_fails_is_its_rows_error),
		T(skipped_rows_are_neither_inserted_nor_updated_nor_closed),
		T(errors_are_kept_up_to_a_number_and_counted_beyond),
		T(an_empty_source_is_not_believed),
		T(an_empty_source_is_believed_if_the_configuration_says_so),
		T(an_empty_source_and_an_empty_table_agree),
		T(more_changes_than_allowed_are_refused),
		T(as_many_changes_as_allowed_are_fine),
		T(too_large_a_share_of_the_rows_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
