/* SPDX-License-Identifier: Apache-2.0 */
/* The blocking part of a run, against real SQLite files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "execute.h"
#include "fixture.h"

#define SCHEMA                                                                                     \
	"CREATE TABLE positions (symbol TEXT NOT NULL, qty INTEGER, price REAL, status TEXT,"      \
	" stop_price REAL, opened_at TEXT, closed_at TEXT);"                                       \
	"INSERT INTO positions VALUES ('AAPL', 10, 100.0, 'open', 95.0, 'x', NULL),"               \
	" ('TSLA', 7, 70.0, 'open', 66.0, 'x', NULL), ('MSFT', 1, 1.0, 'closed', 1.0, 'x', 'y');"
#define SOURCE                                                                                     \
	"{\"positions\": [{\"symbol\": \"AAPL\", \"qty\": 12, \"avg_cost\": 101},"                 \
	" {\"symbol\": \"MSFT\", \"qty\": 5, \"avg_cost\": 50}]}"
#define ALL "SELECT symbol, qty, price, status, stop_price FROM positions ORDER BY symbol, status"

struct fixture {
	struct fixture_db db;
	struct job_spec spec;
	struct run_info info;
	struct run_result result;
	struct control control;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fixture_db_make(&f->db, SCHEMA);
	control_init(&f->control);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	run_result_done(&f->result);
	control_done(&f->control);
	spec_done(&f->spec);
	fixture_db_remove(&f->db);
	free(f);
	return 0;
}

/* Runs the job once more; `more` only the first time. */
static void run(struct fixture *f, const char *more, const char *body, bool is_dry)
{
	if (f->spec.o.name == NULL) {
		fixture_spec(&f->spec, more);
		free(f->spec.o.target.sqlite.path);
		f->spec.o.target.sqlite.path = mem_dup(f->db.path);
	}
	run_result_done(&f->result);
	run_info_init(&f->info, "positions", "node1", RUN_MANUAL, is_dry);
	execute_run(&(struct execution){.spec = &f->spec,
					.info = &f->info,
					.body = body,
					.body_len = body != NULL ? strlen(body) : 0,
					.control = &f->control},
		    &f->result);
}

static void expect_done(const struct fixture *f, size_t inserted, size_t updated, size_t closed)
{
	if (f->result.outcome != RUN_DONE)
		fail_msg("%s: %s", run_outcome_name(f->result.outcome), f->result.message);
	assert_int_equal(f->result.done[PLAN_INSERT], inserted);
	assert_int_equal(f->result.done[PLAN_UPDATE], updated);
	assert_int_equal(f->result.done[PLAN_CLOSE], closed);
}

static void expect_rows(const struct fixture *f, const char *sql, const char *wanted)
{
	char *text = fixture_db_text(&f->db, sql);

	assert_string_equal(text, wanted);
	free(text);
}

static void expect_untouched(const struct fixture *f)
{
	expect_rows(f, ALL, "AAPL|10|100|open|95\nMSFT|1|1|closed|1\nTSLA|7|70|open|66\n");
}

static void must_refuse(const struct fixture *f, const char *part)
{
	assert_int_equal(f->result.outcome, RUN_REFUSED);
	if (strstr(f->result.message, part) == NULL)
		fail_msg("not '%s': %s", part, f->result.message);
}

/* --- the work --- */

static void a_run_inserts_updates_and_closes(void **state)
{
	struct fixture *f = *state;

	run(f, NULL, SOURCE, false);
	expect_done(f, 1, 1, 1);
	/* The closed MSFT is out of scope, and stop_price is nobody's business in an update. */
	expect_rows(f, ALL,
		    "AAPL|12|101|open|95\nMSFT|1|1|closed|1\nMSFT|5|50|open|25\n"
		    "TSLA|7|70|closed|66\n");
}

static void a_second_run_changes_nothing(void **state)
{
	struct fixture *f = *state;

	run(f, NULL, SOURCE, false);
	run(f, NULL, SOURCE, false);
	expect_done(f, 0, 0, 0);
	expect_rows(f, "SELECT count(*) FROM hale_reconcile_runs", "2\n");
	expect_rows(f, "SELECT count(*) FROM hale_reconcile_changes", "3\n");
}

static void the_audit_has_each_change_before_and_after(void **state)
{
	struct fixture *f = *state;

	run(f,
	    "{'close': {'set': {'closed_at': '2026-11-22'}}, 'insert': {'values': {'opened_at': "
	    "'2026'}}}",
	    SOURCE, false);
	expect_rows(
		f,
		"SELECT number, job, target, op, key, before, after, error FROM"
		" hale_reconcile_changes ORDER BY number",
		"1|positions|positions|update|AAPL|{\"qty\":10,\"price\":100.0}|"
		"{\"qty\":12,\"price\":101}|-\n"
		"2|positions|positions|insert|MSFT|-|{\"symbol\":\"MSFT\",\"qty\":5,\"price\":50,"
		"\"status\":\"open\",\"stop_price\":25,\"opened_at\":\"2026\"}|-\n"
		"3|positions|positions|close|TSLA|{\"status\":\"open\",\"closed_at\":null}|"
		"{\"status\":\"closed\",\"closed_at\":\"2026-11-22\"}|-\n");
}

static void the_audit_has_the_run(void **state)
{
	struct fixture *f = *state;

	run(f, NULL, SOURCE, false);
	expect_rows(f,
		    "SELECT job, node, cause, outcome, message, inserted, updated, closed, skipped,"
		    " errors, source_rows, target_rows FROM hale_reconcile_runs",
		    "positions|node1|manual|done||1|1|1|0|[]|2|2\n");
	expect_rows(f,
		    "SELECT count(*) FROM hale_reconcile_runs r JOIN hale_reconcile_changes c"
		    " USING (run)",
		    "3\n");
}

static void rows_may_come_from_another_database(void **state)
{
	struct fixture *f = *state;
	struct fixture_db source;
	char *more;

	fixture_db_make(&source, "CREATE TABLE broker (symbol TEXT, qty INTEGER, avg_cost REAL);"
				 "INSERT INTO broker VALUES ('AAPL', 10, 100.01)");
	more = mem_printf("{'source': {'http': null, 'sql': {'sqlite': {'path': '%s'},"
			  " 'query': 'SELECT symbol, qty, avg_cost FROM broker'}}}",
			  source.path);
	run(f, more, NULL, false);
	free(more);
	expect_done(f, 0, 0, 1);
	fixture_db_remove(&source);
}

static void a_deleted_row_is_kept_in_the_audit(void **state)
{
	struct fixture *f = *state;

	run(f, "{'close': {'mode': 'delete', 'set': null}}", SOURCE, false);
	expect_done(f, 1, 1, 1);
	expect_rows(f, "SELECT count(*) FROM positions WHERE symbol = 'TSLA'", "0\n");
	expect_rows(f, "SELECT before FROM hale_reconcile_changes WHERE op = 'close'",
		    "{\"symbol\":\"TSLA\",\"qty\":7,\"price\":70.0,\"status\":\"open\","
		    "\"stop_price\":66.0,\"opened_at\":\"x\",\"closed_at\":null}\n");
}

/* --- dry runs --- */

static void a_dry_run_plans_the_same_and_leaves_every_byte(void **state)
{
	struct fixture *f = *state;
	struct str before = {0}, after = {0};
	json_t *answer;

	assert_int_equal(file_read(f->db.path, 1 << 20, &before, NULL), 0);
	run(f, NULL, SOURCE, true);
	expect_done(f, 1, 1, 1);
	assert_int_equal(file_read(f->db.path, 1 << 20, &after, NULL), 0);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	answer = run_encode(&f->info, &f->result, true);
	assert_int_equal(json_array_size(json_object_get(answer, "plan")), 3);
	assert_true(json_is_true(json_object_get(answer, "dry_run")));
	assert_true(json_is_false(json_object_get(answer, "truncated")));
	json_decref(answer);
	str_done(&before);
	str_done(&after);
}

static void a_dry_run_shows_what_a_guard_would_stop(void **state)
{
	struct fixture *f = *state;

	run(f, NULL, "{\"positions\": []}", true);
	must_refuse(f, "allow_empty: the source has no rows, the table has 2");
	assert_int_equal(f->result.plan.counts[PLAN_CLOSE], 2);
}

/* --- rows that fail --- */

static void a_row_the_database_rejects_is_told_and_the_rest_goes_on(void **state)
{
	struct fixture *f = *state;

	fixture_db_script(&f->db,
			  "CREATE TRIGGER no BEFORE INSERT ON positions"
			  " WHEN NEW.symbol = 'MSFT' BEGIN SELECT RAISE(ABORT, 'not MSFT'); END");
	run(f, NULL, SOURCE, false);
	expect_done(f, 0, 1, 1);
	assert_int_equal(f->result.plan.errors_n, 1);
	assert_true(fixture_list_has(&f->result.plan.errors, "Failed to insert MSFT: "));
	assert_true(fixture_list_has(&f->result.plan.errors, "not MSFT"));
	expect_rows(f, ALL, "AAPL|12|101|open|95\nMSFT|1|1|closed|1\nTSLA|7|70|closed|66\n");
	expect_rows(f, "SELECT key, error IS NOT NULL FROM hale_reconcile_changes ORDER BY number",
		    "AAPL|0\nMSFT|1\nTSLA|0\n");
}

static void without_its_audit_row_a_change_is_not_made(void **state)
{
	struct fixture *f = *state;

	run(f, NULL,
	    "{\"positions\": [{\"symbol\": \"AAPL\", \"qty\": 10, \"avg_cost\": 100},"
	    " {\"symbol\": \"TSLA\", \"qty\": 7, \"avg_cost\": 70}]}",
	    false);
	expect_done(f, 0, 0, 0);
	fixture_db_script(&f->db,
			  "CREATE TRIGGER no BEFORE INSERT ON hale_reconcile_changes"
			  " WHEN NEW.key = 'AAPL' BEGIN SELECT RAISE(ABORT, 'no audit'); END");
	run(f, NULL, SOURCE, false);
	expect_done(f, 1, 0, 1);
	assert_true(fixture_list_has(&f->result.plan.errors, "Failed to update AAPL: audit: "));
	expect_rows(f, "SELECT qty FROM positions WHERE symbol = 'AAPL'", "10\n");
}

static void a_rollback_from_within_fails_the_run_as_a_whole(void **state)
{
	struct fixture *f = *state;

	fixture_db_script(&f->db, "CREATE TRIGGER no BEFORE INSERT ON positions"
				  " BEGIN SELECT RAISE(ROLLBACK, 'all away'); END");
	run(f, NULL, SOURCE, false);
	assert_int_equal(f->result.outcome, RUN_FAILED);
	expect_untouched(f);
}

static void two_rows_of_one_key_in_the_table_are_not_touched(void **state)
{
	struct fixture *f = *state;

	fixture_db_script(&f->db,
			  "INSERT INTO positions SELECT * FROM positions WHERE symbol = 'AAPL'");
	run(f, NULL, SOURCE, false);
	expect_done(f, 1, 0, 1);
	assert_true(fixture_list_has(&f->result.plan.errors, "Duplicate key in the table: AAPL"));
	expect_rows(f, "SELECT qty FROM positions WHERE symbol = 'AAPL'", "10\n10\n");
}

/* --- refusals --- */

static void a_guard_that_refuses_leaves_the_table_and_its_reason(void **state)
{
	struct fixture *f = *state;

	run(f, "{'guards': {'max_changes': 2}}", SOURCE, false);
	must_refuse(f, "max_changes: 3 rows would change, 2 may");
	expect_untouched(f);
	expect_rows(f, "SELECT outcome, message FROM hale_reconcile_runs",
		    "refused|max_changes: 3 rows would change, 2 may\n");
	expect_rows(f, "SELECT count(*) FROM hale_reconcile_changes", "0\n");
}

static void an_answer_that_is_not_as_expected_is_refused(void **state)
{
	struct fixture *f = *state;

	run(f, "{'source': {'http': {'expect': '.connected'}}}", SOURCE, false);
	must_refuse(f, "expect: the answer does not fulfil '.connected'");
	expect_untouched(f);
}

static void a_run_too_soon_after_the_last_one_is_refused_by_the_audit_table(void **state)
{
	struct fixture *f = *state;

	run(f, "{'guards': {'min_interval': 60000}}", SOURCE, false);
	expect_done(f, 1, 1, 1);
	run(f, NULL, "{\"positions\": []}", false);
	must_refuse(f, "min_interval: the last run began ");
	/* A dry run has no such limit in the database. */
	run(f, NULL, SOURCE, true);
	expect_done(f, 0, 0, 0);
}

static void a_refused_run_does_not_count_for_the_interval(void **state)
{
	struct fixture *f = *state;

	run(f, "{'guards': {'min_interval': 60000}}", "{\"positions\": []}", false);
	must_refuse(f, "allow_empty");
	run(f, NULL, SOURCE, false);
	expect_done(f, 1, 1, 1);
}

static void a_schedule_is_not_early_by_the_fraction_of_a_second(void **state)
{
	struct fixture *f = *state;
	struct run_info info = {.started_ms = 1000000, .trigger = RUN_SCHEDULE};
	char *text;

	fixture_spec(&f->spec, "{'guards': {'min_interval': 60000}}");
	assert_null(execute_too_early(&f->spec, &info, 1000000 - 59500));
	info.trigger = RUN_MANUAL;
	text = execute_too_early(&f->spec, &info, 1000000 - 59500);
	assert_non_null(text);
	free(text);
	assert_null(execute_too_early(&f->spec, &info, 1000000 - 60000));
	assert_null(execute_too_early(&f->spec, &info, 0));
	assert_null(execute_too_early(&f->spec, &info, 2000000));
}

/* --- failures --- */

static void a_source_that_is_no_json_fails_the_run(void **state)
{
	struct fixture *f = *state;

	run(f, NULL, "<html>", false);
	assert_int_equal(f->result.outcome, RUN_FAILED);
	assert_non_null(strstr(f->result.message, "source: the answer is not JSON"));
	expect_untouched(f);
}

static void a_program_that_fails_on_the_answer_fails_the_run(void **state)
{
	struct fixture *f = *state;

	run(f, NULL, "{\"positions\": 5}", false);
	assert_int_equal(f->result.outcome, RUN_FAILED);
	assert_non_null(strstr(f->result.message, "source: rows: "));
	expect_untouched(f);
}

static void a_missing_table_fails_the_run_and_makes_no_audit(void **state)
{
	struct fixture *f = *state;

	run(f, "{'target': {'table': 'nowhere'}}", SOURCE, false);
	assert_int_equal(f->result.outcome, RUN_FAILED);
	assert_non_null(strstr(f->result.message, "no such table"));
	expect_rows(f, "SELECT count(*) FROM sqlite_master", "1\n");
}

static void a_missing_file_is_not_created(void **state)
{
	struct fixture *f = *state;
	char *path = mem_printf("%s/none.db", f->db.dir);

	fixture_spec(&f->spec, NULL);
	free(f->spec.o.target.sqlite.path);
	f->spec.o.target.sqlite.path = mem_dup(path);
	run(f, NULL, SOURCE, false);
	assert_int_equal(f->result.outcome, RUN_FAILED);
	assert_int_not_equal(access(path, F_OK), 0);
	free(path);
}

static void a_stopped_run_changes_nothing(void **state)
{
	struct fixture *f = *state;

	control_stop(&f->control);
	run(f, NULL, SOURCE, false);
	assert_int_equal(f->result.outcome, RUN_FAILED);
	assert_non_null(strstr(f->result.message, "stopped"));
	expect_untouched(f);
}

struct killing {
	enum control_step at;
	int nth;
};

static void kill_self(void *ctx, enum control_step step)
{
	struct killing *k = ctx;

	if (step == k->at && --k->nth == 0)
		(void)raise(SIGKILL);
}

static void killed_at_any_step_the_table_is_as_it_was(void **state)
{
	static const struct killing moments[] = {
		{CONTROL_ROW, 1}, {CONTROL_ROW, 2}, {CONTROL_ROW, 3}, {CONTROL_COMMIT, 1}};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
		struct killing k = moments[i];
		int status = 0;
		pid_t pid = fork();

		if (pid == 0) {
			f->control.on_step = kill_self;
			f->control.ctx = &k;
			run(f, NULL, SOURCE, false);
			_exit(0);
		}
		assert_true(pid > 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		expect_untouched(f);
		expect_rows(f, "SELECT count(*) FROM sqlite_master", "1\n");
	}
	run(f, NULL, SOURCE, false);
	expect_done(f, 1, 1, 1);
}

/* --- history --- */

static void the_history_is_read_newest_first(void **state)
{
	struct fixture *f = *state;
	struct db_target place;
	struct err err = {0};
	struct db *db = NULL;
	json_t *runs = NULL;

	run(f, NULL, SOURCE, true);
	place = spec_target_place(&f->spec, true);
	assert_int_equal(db_open(&place, &db, &err), 0);
	assert_int_equal(audit_list(db, &f->spec, 10, &runs, &err), 0);
	assert_int_equal(json_array_size(runs), 0); /* no table yet */
	json_decref(runs);
	run(f, NULL, SOURCE, false);
	run(f, NULL, "{\"positions\": []}", false);
	assert_int_equal(audit_list(db, &f->spec, 10, &runs, &err), 0);
	assert_int_equal(json_array_size(runs), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(runs, 0), "outcome")),
			    "refused");
	assert_string_equal(json_string_value(json_object_get(json_array_get(runs, 1), "trigger")),
			    "manual");
	json_decref(runs);
	db_close(db);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_run_inserts_updates_and_closes),
		T(a_second_run_changes_nothing),
		T(the_audit_has_each_change_before_and_after),
		T(the_audit_has_the_run),
		T(rows_may_come_from_another_database),
		T(a_deleted_row_is_kept_in_the_audit),
		T(a_dry_run_plans_the_same_and_leaves_every_byte),
		T(a_dry_run_shows_what_a_guard_would_stop),
		T(a_row_the_database_rejects_is_told_and_the_rest_goes_on),
		T(without_its_audit_row_a_change_is_not_made),
		T(a_rollback_from_within_fails_the_run_as_a_whole),
		T(two_rows_of_one_key_in_the_table_are_not_touched),
		T(a_guard_that_refuses_leaves_the_table_and_its_reason),
		T(an_answer_that_is_not_as_expected_is_refused),
		T(a_run_too_soon_after_the_last_one_is_refused_by_the_audit_table),
		T(a_refused_run_does_not_count_for_the_interval),
		T(a_schedule_is_not_early_by_the_fraction_of_a_second),
		T(a_source_that_is_no_json_fails_the_run),
		T(a_program_that_fails_on_the_answer_fails_the_run),
		T(a_missing_table_fails_the_run_and_makes_no_audit),
		T(a_missing_file_is_not_created),
		T(a_stopped_run_changes_nothing),
		T(killed_at_any_step_the_table_is_as_it_was),
		T(the_history_is_read_newest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
