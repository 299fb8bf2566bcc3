/* SPDX-License-Identifier: Apache-2.0 */
/* The kind `sql`, asked through the runner, on a SQLite file and a real PostgreSQL. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../store/pg_server.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "runner.h"
#include "store/db.h"

#define TIMEOUT_MS 1000

static struct pg_server server;
static char sqlite_path[64];

static void publish(void *ctx, json_t *observation)
{
	(void)ctx;
	json_decref(observation);
}

static void tell_status(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static void take(void *ctx, const json_t *observation, const json_t *saw HALE_UNUSED)
{
	*(json_t **)ctx = json_deep_copy(observation);
}

static void on_stopped(void *ctx)
{
	(void)ctx;
}

/* One run with these options (taken); the caller drops the observation. */
static json_t *ask(json_t *options)
{
	json_t *observation = NULL;
	struct err err = {0};
	struct runner *runner;
	uv_loop_t loop;

	assert_non_null(options);
	uv_loop_init(&loop);
	runner = runner_new(&check_ops, &(struct runner_host){.loop = &loop,
							      .node = "n1",
							      .concurrent_max = 1,
							      .publish = publish,
							      .status = tell_status});
	if (runner_add(runner, "a", 60000, TIMEOUT_MS, options, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(runner_run(runner, "a", take, &observation), 0);
	while (observation == NULL)
		uv_run(&loop, UV_RUN_ONCE);
	runner_stop(runner, on_stopped, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	runner_free(runner);
	json_decref(options);
	return observation;
}

static json_t *on_sqlite(const char *query)
{
	return json_pack("{s:{s:s}, s:s}", "sqlite", "path", sqlite_path, "query", query);
}

static json_t *on_postgres(const char *query)
{
	return json_pack("{s:{s:s}, s:s}", "postgres", "dsn", server.guest, "query", query);
}

static json_t *with(json_t *options, const char *key, json_t *value)
{
	assert_int_equal(json_object_set_new(options, key, value), 0);
	return options;
}

/* `message` is a part of the message. */
static json_t *expect(json_t *options, const char *outcome, const char *reason, const char *message)
{
	json_t *o = ask(options);
	const char *told = json_string_value(json_object_get(o, "message"));

	if (strcmp(json_string_value(json_object_get(o, "reason")), reason) != 0 ||
	    strstr(told, message) == NULL)
		fail_msg("%s: %s", json_string_value(json_object_get(o, "reason")), told);
	assert_string_equal(json_string_value(json_object_get(o, "outcome")), outcome);
	assert_null(strstr(told, PG_SERVER_PASSWORD));
	return o;
}

static void expect_only(json_t *options, const char *outcome, const char *reason,
			const char *message)
{
	json_decref(expect(options, outcome, reason, message));
}

static double metric(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(json_object_get(o, "metrics"), name);

	if (!json_is_number(v))
		fail_msg("no metric %s", name);
	return json_number_value(v);
}

static bool has_metric(const json_t *o, const char *name)
{
	return json_object_get(json_object_get(o, "metrics"), name) != NULL;
}

typedef json_t *(*engine_fn)(const char *query);
static const engine_fn engines[] = {on_sqlite, on_postgres};
#define EACH_ENGINE(e) for (size_t e = 0; e < ARRAY_LEN(engines); e++)

static void a_query_passes_with_its_times(void **state)
{
	(void)state;
	EACH_ENGINE(e)
	{
		json_t *o = expect(engines[e]("SELECT 1"), "pass", "ok", "1 row in ");

		assert_true(metric(o, "connect_ms") > 0);
		assert_true(metric(o, "query_ms") > 0);
		assert_true(metric(o, "rows") == 1);
		json_decref(o);
		expect_only(engines[e]("SELECT 1 WHERE 1 = 0"), "pass", "ok", "0 rows in ");
		expect_only(engines[e]("SELECT 1 UNION ALL SELECT 2"), "pass", "ok", "2 rows in ");
	}
}

static void the_query_may_be_left_out(void **state)
{
	(void)state;
	expect_only(json_pack("{s:{s:s}}", "sqlite", "path", sqlite_path), "pass", "ok", "1 row");
}

static void numeric_columns_are_metrics(void **state)
{
	(void)state;
	EACH_ENGINE(e)
	{
		json_t *o =
			expect(engines[e]("SELECT 3 AS \"Open Orders\", 2.5 AS lag_ms, 'x' AS name,"
					  " NULL AS missing, 9 AS rows, 7 AS \"9 lives!\""),
			       "pass", "ok", "1 row");

		assert_true(metric(o, "open_orders") == 3);
		assert_true(metric(o, "lag_ms") == 2.5);
		assert_true(metric(o, "lives") == 7);
		/* Its own figures cannot be replaced. */
		assert_true(metric(o, "rows") == 1);
		assert_true(metric(o, "column_rows") == 9);
		assert_false(has_metric(o, "name"));
		assert_false(has_metric(o, "missing"));
		json_decref(o);
	}
}

static void listed_columns_alone_are_metrics(void **state)
{
	(void)state;
	EACH_ENGINE(e)
	{
		json_t *o = expect(with(engines[e]("SELECT 3 AS a, '4.5' AS b, 5 AS c"), "metrics",
					json_pack("[s, s]", "a", "b")),
				   "pass", "ok", "1 row");

		assert_true(metric(o, "a") == 3);
		assert_true(metric(o, "b") == 4.5);
		assert_false(has_metric(o, "c"));
		json_decref(o);
		expect_only(with(engines[e]("SELECT 1 AS a"), "metrics", json_pack("[s]", "z")),
			    "error", "config_error", "no column 'z'");
		expect_only(with(engines[e]("SELECT 'abc' AS a"), "metrics", json_pack("[s]", "a")),
			    "fail", "sql_mismatch", "not a number: 'abc'");
	}
}

static void the_first_value_is_compared_as_text(void **state)
{
	(void)state;
	EACH_ENGINE(e)
	{
		expect_only(with(engines[e]("SELECT 42, 1"), "expect", json_string("42")), "pass",
			    "ok", "1 row");
		expect_only(with(engines[e]("SELECT 'on'"), "expect", json_string("on")), "pass",
			    "ok", "1 row");
		expect_only(with(engines[e]("SELECT 'off'"), "expect", json_string("on")), "fail",
			    "sql_mismatch", "'off', expected 'on'");
		expect_only(with(engines[e]("SELECT NULL"), "expect", json_string("on")), "fail",
			    "sql_mismatch", "NULL, expected 'on'");
		expect_only(with(engines[e]("SELECT 1 WHERE 1 = 0"), "expect", json_string("on")),
			    "fail", "sql_no_row", "no row, expected 'on'");
	}
}

static void the_number_of_rows_is_compared(void **state)
{
	(void)state;
	EACH_ENGINE(e)
	{
		expect_only(
			with(engines[e]("SELECT 1 WHERE 1 = 0"), "expect_rows", json_integer(0)),
			"pass", "ok", "0 rows");
		expect_only(with(engines[e]("SELECT 1"), "expect_rows", json_integer(0)), "fail",
			    "sql_mismatch", "1 row, expected 0");
		expect_only(
			with(engines[e]("SELECT 1 WHERE 1 = 0"), "expect_rows", json_integer(2)),
			"fail", "sql_no_row", "0 rows, expected 2");
	}
}

static void an_error_is_told_in_the_databases_words(void **state)
{
	(void)state;
	EACH_ENGINE(e)
	expect_only(engines[e]("SELECT * FROM no_such_thing"), "fail", "sql_error",
		    "no_such_thing");
	expect_only(on_postgres("SELECT 1/0"), "fail", "sql_error", "division by zero");
}

static void writing_is_refused(void **state)
{
	(void)state;
	EACH_ENGINE(e)
	expect_only(engines[e]("CREATE TABLE made (id INTEGER)"), "fail", "sql_error", "read");
}

static void a_long_query_times_out_and_says_at_what(void **state)
{
	int64_t begin = clock_mono_ms();

	(void)state;
	expect_only(on_sqlite("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
			      " SELECT count(*) FROM c"),
		    "down", "timeout_read", "");
	expect_only(on_postgres("SELECT pg_sleep(60)"), "down", "timeout_read", "");
	assert_true(clock_mono_ms() - begin < 20 * TIMEOUT_MS);
}

static void nobody_there_is_conn_refused(void **state)
{
	(void)state;
	expect_only(json_pack("{s:{s:s}}", "sqlite", "path", "/nonexistent/x.db"), "down",
		    "conn_refused", "no such file");
	expect_only(json_pack("{s:{s:s}}", "postgres", "dsn", "host=/nonexistent"), "down",
		    "conn_refused", "/nonexistent");
}

static void a_refused_login_is_sql_auth(void **state)
{
	char dsn[160];

	(void)state;
	(void)snprintf(dsn, sizeof(dsn), "host=%s user=guest dbname=postgres password=hunter2",
		       server.dir);
	expect_only(json_pack("{s:{s:s}}", "postgres", "dsn", dsn), "fail", "sql_auth",
		    "authentication failed");
}

/* Whatever moment the process ends at. */
static void stopping_in_the_middle_leaves_nothing_behind(void **state)
{
	(void)state;
	for (int i = 0; i < 2 * 8; i++) {
		json_t *options =
			engines[i % 2](i % 2 == 1 ? "SELECT pg_sleep(5)"
						  : "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL"
						    " SELECT n + 1 FROM c) SELECT count(*) FROM c");
		json_t *observation = NULL;
		struct err err = {0};
		struct runner *runner;
		uv_loop_t loop;

		uv_loop_init(&loop);
		runner = runner_new(&check_ops, &(struct runner_host){.loop = &loop,
								      .node = "n1",
								      .concurrent_max = 1,
								      .publish = publish,
								      .status = tell_status});
		assert_int_equal(runner_add(runner, "a", 60000, TIMEOUT_MS, options, &err), 0);
		assert_int_equal(runner_run(runner, "a", take, &observation), 0);
		for (int turn = 0; turn < i / 2; turn++)
			uv_run(&loop, UV_RUN_NOWAIT);
		runner_stop(runner, on_stopped, NULL);
		uv_run(&loop, UV_RUN_DEFAULT);
		assert_int_equal(uv_loop_close(&loop), 0);
		runner_free(runner);
		json_decref(options);
		json_decref(observation);
	}
}

struct problems {
	int n;
	char last[256];
};

static void on_problem(void *ctx, const char *path, const char *message)
{
	struct problems *p = ctx;

	p->n++;
	(void)snprintf(p->last, sizeof(p->last), "%s %s", path, message);
}

static void expect_problem(json_t *options, const char *part)
{
	void *opts = mem_alloc(check_ops.opts_size);
	struct problems p = {0};
	struct err err = {0};

	assert_int_equal(conf_decode(check_ops.items, options, opts, &err), 0);
	check_ops.validate(opts, on_problem, &p);
	assert_int_equal(p.n, part != NULL);
	if (part != NULL)
		assert_non_null(strstr(p.last, part));
	conf_free(check_ops.items, opts);
	free(opts);
	json_decref(options);
}

static void exactly_one_database_must_be_named(void **state)
{
	(void)state;
	expect_problem(json_object(), "needs 'sqlite' or 'postgres'");
	expect_problem(
		with(on_sqlite("SELECT 1"), "postgres", json_pack("{s:s}", "dsn", "dbname=x")),
		"both");
	expect_problem(on_sqlite("SELECT 1"), NULL);
	expect_problem(on_postgres("SELECT 1"), NULL);
	expect_problem(json_pack("{s:{s:s}}", "postgres", "dsn", "secret nonsense"),
		       "/postgres/dsn postgresql: the connection string");
}

static int setup_all(void **state)
{
	struct db_target target = {.where = sqlite_path};
	struct err err = {0};
	struct db *db = NULL;
	int fd;

	(void)state;
	(void)snprintf(sqlite_path, sizeof(sqlite_path), "/tmp/hale-check-sql-XXXXXX");
	fd = mkstemp(sqlite_path);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(db_open(&target, &db, &err), 0);
	assert_int_equal(db_script(db, "CREATE TABLE t (id INTEGER)", &err), 0);
	db_close(db);
	pg_server_start(&server);
	return 0;
}

static int teardown_all(void **state)
{
	(void)state;
	pg_server_stop(&server);
	(void)unlink(sqlite_path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_passes_with_its_times),
		cmocka_unit_test(the_query_may_be_left_out),
		cmocka_unit_test(numeric_columns_are_metrics),
		cmocka_unit_test(listed_columns_alone_are_metrics),
		cmocka_unit_test(the_first_value_is_compared_as_text),
		cmocka_unit_test(the_number_of_rows_is_compared),
		cmocka_unit_test(an_error_is_told_in_the_databases_words),
		cmocka_unit_test(writing_is_refused),
		cmocka_unit_test(a_long_query_times_out_and_says_at_what),
		cmocka_unit_test(nobody_there_is_conn_refused),
		cmocka_unit_test(a_refused_login_is_sql_auth),
		cmocka_unit_test(stopping_in_the_middle_leaves_nothing_behind),
		cmocka_unit_test(exactly_one_database_must_be_named),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
