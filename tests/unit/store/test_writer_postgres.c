/* SPDX-License-Identifier: Apache-2.0 */
/* What only PostgreSQL can do to a writer: break, refuse, be shared. */
#include "store_fixture.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/rnd.h"
#include "base/str.h"

static const char kill_writers[] = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
				   " WHERE application_name = 'hale-writer'";

/* Lines that are results and nothing else. */
static int write_results(struct fixture *f, uint64_t from, uint64_t to)
{
	size_t n = (size_t)(to - from + 1);
	struct store_line *lines = mem_array(n, sizeof(*lines));
	int rc;

	for (size_t i = 0; i < n; i++)
		lines[i] = make_line("health", from + i, HEALTHY(""));
	rc = write_lines(f, lines, n);
	for (size_t i = 0; i < n; i++)
		free_line(&lines[i]);
	free(lines);
	return rc;
}

static void a_connection_that_is_lost_is_made_anew(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	must(f, write_results(f, 1, 10));
	raw_script(f, kill_writers);
	assert_int_equal(write_results(f, 11, 20), -EIO);
	must(f, write_results(f, 11, 20));
	assert_int_equal(f->repeated, 0);
	assert_int_equal(count(f, "results"), 20);
	/* The schema is gone: said, not crashed. */
	raw_script(f, "ALTER SCHEMA hale RENAME TO away");
	assert_true(write_results(f, 21, 30) < 0);
	raw_script(f, "ALTER SCHEMA away RENAME TO hale");
	must(f, write_results(f, 21, 30));
	assert_int_equal(count(f, "results"), 30);
}

struct killer {
	struct fixture *f;
	struct db *db;
	uv_timer_t timer;
};

static void on_timer(uv_timer_t *timer)
{
	const struct killer *k = timer->data;

	must(k->f, db_script(k->db, kill_writers, &k->f->err));
}

/* Also in the commit: nobody knows then whether it was, and the batch is handed in again. */
static void a_connection_that_breaks_at_any_moment_loses_and_repeats_nothing(void **state)
{
	struct fixture *f = *state;
	struct killer k = {.f = f};
	uint64_t head = 0;
	int broken = 0;

	open_writer(f);
	k.db = raw_open(f);
	k.timer.data = &k;
	(void)uv_timer_init(&f->loop, &k.timer);
	for (int round = 0; round < 40; round++) {
		int rc;

		(void)uv_timer_start(&k.timer, on_timer, rnd_u32() % 8, 0);
		while ((rc = write_results(f, head + 1, head + 50)) != 0) {
			assert_true(rc == -EIO || rc == -ECONNREFUSED || rc == -EINTR);
			broken++;
		}
		head += 50;
		assert_int_equal(count(f, "results"), head);
	}
	assert_true(broken > 0);
	expect(f, "SELECT count(DISTINCT seq) FROM results", "2000;");
	uv_close((uv_handle_t *)&k.timer, NULL);
	(void)uv_run(&f->loop, UV_RUN_NOWAIT);
	db_close(k.db);
}

static void two_recorders_of_a_node_never_write_together(void **state)
{
	struct fixture *f = *state, other = {.options = f->options, .is_postgres = true};

	open_writer(f);
	assert_int_equal(uv_loop_init(&other.loop), 0);
	assert_int_equal(try_open_writer(&other), -EBUSY);
	assert_non_null(strstr(other.err.text, "another recorder stores lines of node web1"));
	must(f, write_results(f, 1, 5));
	close_writer(f);
	/* It was asked again. */
	must(&other, try_open_writer(&other));
	assert_int_equal(other.seq, 5);
	close_writer(&other);
	store_close(other.h);
	assert_int_equal(uv_loop_close(&other.loop), 0);
}

static void who_moved_on_meanwhile_is_not_written_over(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	must(f, write_results(f, 1, 5));
	raw_script(f, "UPDATE epochs SET last_seq = 8");
	must(f, write_results(f, 6, 10));
	assert_int_equal(f->repeated, 3);
	expect(f, "SELECT seq FROM results WHERE seq > 5 ORDER BY seq", "9;10;");
	expect(f, "SELECT last_seq FROM epochs", "10;");
}

static void what_the_database_refuses_keeps_nothing_else_out(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	raw_script(f, "ALTER TABLE results ADD CONSTRAINT refuse CHECK (seq NOT IN (18, 40))");
	must(f, write_results(f, 1, 40));
	assert_int_equal(f->skipped, 2);
	assert_int_equal(count(f, "results"), 38);
	must(f, write_results(f, 41, 45));
	assert_int_equal(count(f, "results"), 43);
}

static void a_batch_that_waits_for_a_lock_is_given_back(void **state)
{
	struct fixture *f = *state;
	struct db *other;

	open_writer(f);
	must(f, write_results(f, 1, 5));
	other = raw_open(f);
	f->options.postgres.statement_timeout_ms = 1000;
	open_writer(f);
	must(f, db_script(other, "BEGIN; LOCK TABLE results IN ACCESS EXCLUSIVE MODE", &f->err));
	/* The server ends it. */
	assert_int_equal(write_results(f, 6, 10), -EINTR);
	must(f, db_script(other, "COMMIT", &f->err));
	must(f, write_results(f, 6, 10));
	assert_int_equal(count(f, "results"), 10);
	db_close(other);
}

/* However long that takes: lines are not what is wrong. */
static void a_writer_that_is_always_too_late_drops_no_line(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	raw_script(f, "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql"
		      " AS 'BEGIN RETURN NULL; END';"
		      "CREATE TRIGGER keep BEFORE UPDATE ON epochs FOR EACH ROW"
		      " EXECUTE FUNCTION keep()");
	/* At first the epoch is asked for, then it is known. */
	assert_int_equal(write_results(f, 1, 1), -EIO);
	assert_int_equal(write_results(f, 1, 1), -EIO);
	raw_script(f, "DROP TRIGGER keep ON epochs; DROP FUNCTION keep()");
	must(f, write_results(f, 1, 1));
	assert_int_equal(f->skipped, 0);
	assert_int_equal(count(f, "results"), 1);
}

/* A result with so many metrics, whose names no compression shortens. */
static struct store_line many_metrics(uint64_t seq, unsigned n, bool is_transition)
{
	HALE_CLEANUP(str_done) struct str json = {0};

	str_addf(&json,
		 "{\"component\":\"api\",\"transition\":%s,\"previous\":\"healthy\","
		 "\"no_data\":false,\"state\":{\"status\":\"healthy\",\"outcome\":\"pass\","
		 "\"reason\":\"ok\",\"took_ms\":1.0,\"metrics\":{",
		 is_transition ? "true" : "false");
	for (unsigned i = 0; i < n; i++)
		str_addf(&json, "%s\"%08x%08x%08x%08x\":%u.0", i > 0 ? "," : "", rnd_u32(),
			 rnd_u32(), rnd_u32(), rnd_u32(), i);
	str_add(&json, "}}}");
	return make_line("health", seq, str_text(&json));
}

/* An index entry has an end. */
static void names_of_metrics_too_long_for_an_index_are_stored_with_the_result(void **state)
{
	struct fixture *f = *state;
	struct store_line lines[] = {many_metrics(1, 250, false), many_metrics(2, 250, true),
				     many_metrics(3, 2, false)};

	open_writer(f);
	must(f, write_lines(f, lines, ARRAY_LEN(lines)));
	assert_int_equal(f->skipped, 0);
	expect(f, "SELECT seq || ',' || (metric_set IS NULL) FROM results ORDER BY seq",
	       "1,true;2,true;3,false;");
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		free_line(&lines[i]);
}

/* A database in another encoding has no letter for this one. */
static void a_name_the_database_refuses_keeps_nothing_else_out(void **state)
{
	struct fixture *f = *state;
	struct store_line lines[3];

	open_writer(f);
	raw_script(f, "ALTER TABLE components ADD CONSTRAINT refuse CHECK (name <> 'bad')");
	lines[0] = make_line("health", 1, HEALTHY(""));
	lines[1] = make_line("health", 2,
			     "{\"component\":\"bad\",\"transition\":false,\"state\":{\"status\":"
			     "\"healthy\",\"outcome\":\"pass\",\"message\":\"200\"}}");
	lines[2] = make_line("health", 3, HEALTHY(""));
	must(f, write_lines(f, lines, ARRAY_LEN(lines)));
	assert_int_equal(f->skipped, 1);
	expect(f, "SELECT seq FROM results ORDER BY seq", "1;3;");
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		free_line(&lines[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_setup_postgres, store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_connection_that_is_lost_is_made_anew),
		TEST(a_connection_that_breaks_at_any_moment_loses_and_repeats_nothing),
		TEST(two_recorders_of_a_node_never_write_together),
		TEST(who_moved_on_meanwhile_is_not_written_over),
		TEST(what_the_database_refuses_keeps_nothing_else_out),
		TEST(a_writer_that_is_always_too_late_drops_no_line),
		TEST(names_of_metrics_too_long_for_an_index_are_stored_with_the_result),
		TEST(a_name_the_database_refuses_keeps_nothing_else_out),
		TEST(a_batch_that_waits_for_a_lock_is_given_back),
	};

	return cmocka_run_group_tests(tests, store_start_server, store_stop_server);
}
