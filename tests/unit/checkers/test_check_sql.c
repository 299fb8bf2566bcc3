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
#include <sys/stat.h>
#include <unistd.h>

#include "../db/pg_server.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "runner.h"
#include "sql_judge.h"
#include "db/db.h"

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

static void a_pipe_is_refused_and_not_waited_for(void **state)
{
	char path[160];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/pipe", server.dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_only(json_pack("{s:{s:s}}", "sqlite", "path", path), "fail", "sql_error",
		    "is a pipe, not a database");
	assert_int_equal(unlink(path), 0);
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

/* ---- Beside the query: more queries, ages, figures, counts ---- */

static const char *const setup_sql =
	"CREATE TABLE orders (id INTEGER, state TEXT);"
	"INSERT INTO orders VALUES (1, 'open'), (2, 'open'), (3, 'closed');"
	"CREATE TABLE empty (at TEXT)";

static const char *const sqlite_setup_sql =
	"CREATE TABLE ages (id TEXT, iso TEXT, epoch INTEGER, ms INTEGER, julian REAL);"
	"INSERT INTO ages SELECT id, datetime('now', printf('%+d seconds', -s)),"
	" strftime('%s', 'now') - s, (strftime('%s', 'now') - s) * 1000,"
	" julianday('now') - s / 86400.0 FROM (SELECT 'a' AS id, 10 AS s UNION ALL SELECT 'b', 45"
	" UNION ALL SELECT 'c', 3540 UNION ALL SELECT 'd', 3660 UNION ALL SELECT 'e', -3600)";

static const char *const postgres_setup_sql =
	"CREATE TABLE ages (id text, iso timestamptz, plain timestamp, epoch int8, ms int8);"
	"INSERT INTO ages SELECT id, now() - s * interval '1 s',"
	" (now() AT TIME ZONE 'UTC') - s * interval '1 s', extract(epoch FROM now()) - s,"
	" (extract(epoch FROM now()) - s) * 1000 FROM (VALUES ('a', 10), ('b', 45), ('c', 3540),"
	" ('d', 3660), ('e', -3600)) v(id, s);"
	"CREATE SCHEMA trade; CREATE TABLE trade.\"Odd Name\" (id int);"
	"INSERT INTO trade.\"Odd Name\" SELECT generate_series(1, 7);"
	"GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest; GRANT USAGE ON SCHEMA trade TO "
	"guest;"
	"GRANT SELECT ON ALL TABLES IN SCHEMA trade TO guest;"
	/* A zone of its own must not move times without one. */
	"ALTER ROLE guest SET timezone = 'America/New_York'";

static void on_server(const char *sql)
{
	struct db_target target = {.engine = DB_POSTGRES, .where = server.conninfo};
	struct err err = {0};
	struct db *db = NULL;

	if (db_open(&target, &db, &err) != 0 || db_script(db, sql, &err) != 0)
		fail_msg("%s", err.text);
	db_close(db);
}

static json_t *with_text(json_t *options, const char *key, const char *json)
{
	return with(options, key, json_loads(json, JSON_DECODE_ANY, NULL));
}

static const char *detail(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(json_object_get(o, "details"), name));

	return text != NULL ? text : "(none)";
}

static void named_queries_give_metrics_and_details(void **state)
{
	(void)state;
	EACH_ENGINE(e)
	{
		json_t *o = expect(
			with_text(engines[e]("SELECT 1 AS one"), "queries",
				  "{\"open\": \"SELECT count(*) FROM orders WHERE state = 'open'\","
				  " \"last\": \"SELECT id AS nr, state FROM orders ORDER BY id DESC"
				  " LIMIT 1\","
				  " \"none\": \"SELECT id FROM orders WHERE id > 100\"}"),
			"pass", "ok", "4 statements in ");

		assert_true(metric(o, "one") == 1);
		assert_true(metric(o, "open") == 2);
		assert_true(metric(o, "open_query_ms") > 0);
		assert_true(metric(o, "last_nr") == 3);
		assert_string_equal(detail(o, "last_state"), "closed");
		assert_false(has_metric(o, "none"));
		json_decref(o);
	}
}

static void rows_may_be_kept_as_a_detail(void **state)
{
	(void)state;
	EACH_ENGINE(e)
	{
		json_t *o = expect(with(engines[e]("SELECT id, state FROM orders ORDER BY id"),
					"keep_rows", json_integer(2)),
				   "pass", "ok", "3 rows");
		json_t *rows = json_pack("[{s:i, s:s}, {s:i, s:s}]", "id", 1, "state", "open", "id",
					 2, "state", "open");

		assert_true(
			json_equal(json_object_get(json_object_get(o, "details"), "rows"), rows));
		json_decref(rows);
		json_decref(o);
	}
}

static void kept_rows_are_bounded(void **state)
{
	(void)state;
	EACH_ENGINE(e)
	{
		/* 200 rows of some 430 bytes are more than 64 KB. */
		json_t *o = expect(
			with(engines[e](
				     "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1"
				     " FROM t WHERE n < 200), u(x) AS (SELECT replace('aaaaaaaaaa',"
				     " 'a', '01234567890123456789')) SELECT x, x AS y FROM t, u"),
			     "keep_rows", json_integer(200)),
			"pass", "ok", "200 rows");
		const json_t *rows = json_object_get(json_object_get(o, "details"), "rows");

		assert_in_range(json_array_size(rows), 140, 165);
		json_decref(o);
	}
}

static void one_that_fails_does_not_spoil_the_others(void **state)
{
	(void)state;
	EACH_ENGINE(e)
	{
		json_t *o = expect(with_text(engines[e]("SELECT 1 AS one"), "queries",
					     "{\"bad\": \"SELECT x FROM nowhere\","
					     " \"worse\": \"DELETE FROM orders\","
					     " \"good\": \"SELECT count(*) FROM orders\"}"),
				   "fail", "sql_error", "nowhere");

		assert_non_null(
			strstr(json_string_value(json_object_get(o, "message")), "(and 1 more)"));
		assert_true(metric(o, "good") == 3);
		json_decref(o);
	}
}

static void the_bands_keep_the_operators_of_their_source(void **state)
{
	static const struct {
		int64_t age;
		enum sql_band band;
	} rows[] = {{-5, SQL_FRESH},   {0, SQL_FRESH},    {29, SQL_FRESH},
		    {30, SQL_WARNING}, {60, SQL_WARNING}, {61, SQL_STALE}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(sql_band_of(rows[i].age, 30000, 60000), rows[i].band);
}

static json_t *age_of(size_t engine, const char *column, char id, const char *more)
{
	char text[256];

	(void)snprintf(text, sizeof(text),
		       "{\"quotes\": {\"table\": \"ages\", \"column\": \"%s\", \"where\":"
		       " \"id = '%c' -- this one\"%s}}",
		       column, id, more);
	return with_text(engines[engine]("SELECT 1"), "freshness", text);
}

static void ages_are_read_from_every_kind_of_column(void **state)
{
	static const char *const columns[][5] = {{"iso", "epoch", "ms", "julian", NULL},
						 {"iso", "plain", "epoch", "ms", NULL}};

	(void)state;
	EACH_ENGINE(e)
	for (size_t i = 0; columns[e][i] != NULL; i++) {
		json_t *o = expect(age_of(e, columns[e][i], 'a',
					  ", \"warn\": 3000000,"
					  " \"stale\": 3000000"),
				   "pass", "ok", "1 source, oldest quotes: ");

		assert_in_range((int64_t)metric(o, "quotes_age_seconds"), 10, 600);
		assert_string_equal(detail(o, "quotes_band"), "FRESH");
		assert_int_equal(strlen(detail(o, "quotes_last_update")), 24);
		json_decref(o);
	}
}

static void old_data_are_aging_then_stale(void **state)
{
	(void)state;
	EACH_ENGINE(e)
	{
		/* Wide, so that a slow machine does not make them older than they are meant. */
		json_t *o = expect(age_of(e, "iso", 'b', ", \"stale\": 3000000"), "warn", "aging",
				   "quotes: ");

		assert_string_equal(detail(o, "quotes_band"), "WARNING");
		json_decref(o);
		o = expect(age_of(e, "iso", 'c', ""), "fail", "stale", "old (STALE after 1m)");
		assert_string_equal(detail(o, "quotes_band"), "STALE");
		json_decref(o);
		o = expect(age_of(e, "iso", 'c', ", \"bands\": false"), "pass", "ok", "quotes");
		assert_string_equal(detail(o, "quotes_band"), "(none)");
		assert_true(metric(o, "quotes_age_seconds") >= 3540);
		json_decref(o);
		expect_only(age_of(e, "iso", 'e', ""), "warn", "aging", "in the future");
	}
}

static void what_has_no_age_is_shown_as_stale(void **state)
{
	(void)state;
	EACH_ENGINE(e)
	{
		json_t *o =
			expect(with_text(engines[e]("SELECT 1"), "freshness",
					 "{\"q\": {\"table\": \"nowhere\", \"column\": \"at\"}}"),
			       "error", "sql_error", "nowhere");

		assert_string_equal(detail(o, "q_band"), "STALE");
		assert_non_null(strstr(detail(o, "q_error"), "nowhere"));
		assert_false(has_metric(o, "q_age_seconds"));
		json_decref(o);
		expect_only(with_text(engines[e]("SELECT 1"), "freshness",
				      "{\"q\": {\"table\": \"orders\", \"column\": \"at\"}}"),
			    "error", "sql_error", "at");
		expect_only(with_text(engines[e]("SELECT 1"), "freshness",
				      "{\"q\": {\"table\": \"empty\", \"column\": \"at\"}}"),
			    "fail", "stale", "q: no data");
		expect_only(with_text(engines[e]("SELECT 1"), "freshness",
				      "{\"q\": {\"query\": \"SELECT 'soon'\"}}"),
			    "error", "config_error", "'soon' is not a time");
		/* What is known to be bad comes before what is not known. */
		expect_only(with_text(engines[e]("SELECT 1"), "freshness",
				      "{\"a\": {\"table\": \"nowhere\", \"column\": \"at\"},"
				      " \"b\": {\"table\": \"empty\", \"column\": \"at\"}}"),
			    "fail", "stale", "b: no data (and 1 more)");
	}
}

static void recent_rows_are_counted(void **state)
{
	static const char *const columns[][4] = {{"iso", "epoch", "ms", NULL},
						 {"iso", "plain", "epoch", "ms"}};
	static const char *const types[][4] = {{"time", "epoch", "epoch_ms", NULL},
					       {"time", "time", "epoch", "epoch_ms"}};
	char text[512];

	(void)state;
	EACH_ENGINE(e)
	for (size_t i = 0; i < 4 && columns[e][i] != NULL; i++) {
		json_t *o;

		/* 59 minutes is within the hour, 61 are not; a slow minute may pass. */
		(void)snprintf(text, sizeof(text),
			       "{\"quotes\": {\"table\": \"ages\", \"column\": \"%s\","
			       " \"column_type\": \"%s\", \"where\": \"id IN ('b', 'c', 'd')\"},"
			       " \"day\": {\"table\": \"ages\", \"column\": \"%s\","
			       " \"column_type\": \"%s\", \"window\": 86400000,"
			       " \"metric\": \"quotes_last_day\"}}",
			       columns[e][i], types[e][i], columns[e][i], types[e][i]);
		o = expect(with_text(engines[e]("SELECT 1"), "activity", text), "pass", "ok", "");
		assert_true(metric(o, "quotes_last_1h") == 2);
		assert_true(metric(o, "quotes_last_day") == 5);
		json_decref(o);
	}
}

static void figures_of_the_database_are_metrics(void **state)
{
	(void)state;
	EACH_ENGINE(e)
	{
		json_t *o =
			expect(with_text(engines[e]("SELECT 1"), "stats", "[\"size\", \"tables\"]"),
			       "pass", "ok", "");

		assert_true(metric(o, "database_size_bytes") >= 4096);
		assert_true(metric(o, "database_size_mb") ==
			    metric(o, "database_size_bytes") / 1048576);
		assert_true(metric(o, "table_count") == 4);
		json_decref(o);
	}
}

static void figures_of_the_server_need_no_special_role(void **state)
{
	json_t *o = expect(with_text(on_postgres("SELECT 1"), "stats",
				     "[\"connections\", \"transactions\", \"replication\"]"),
			   "pass", "ok", "");

	(void)state;
	assert_in_range((int)metric(o, "connections"), 1, 20);
	assert_true(metric(o, "connections_max") == 20);
	assert_true(metric(o, "connections_used_percent") == metric(o, "connections") * 5);
	assert_true(metric(o, "longest_transaction_seconds") >= 0);
	assert_true(metric(o, "waiting_for_locks") == 0);
	assert_true(metric(o, "is_replica") == 0);
	assert_true(metric(o, "replicas") == 0);
	assert_true(metric(o, "replication_lag_seconds") == 0);
	json_decref(o);
}

static void rows_of_tables_are_counted(void **state)
{
	(void)state;
	EACH_ENGINE(e)
	{
		json_t *o = expect(
			with_text(engines[e]("SELECT 1"), "row_counts", "[\"orders\", \"empty\"]"),
			"pass", "ok", "");

		assert_true(metric(o, "rows_orders") == 3);
		assert_true(metric(o, "rows_empty") == 0);
		json_decref(o);
		o = expect(with_text(engines[e]("SELECT 1"), "row_counts", "[\"*\"]"), "pass", "ok",
			   "");
		assert_true(metric(o, "rows_orders") == 3);
		assert_true(metric(o, "rows_ages") == 5);
		if (e == 1)
			assert_true(metric(o, "rows_trade_odd_name") == 7);
		json_decref(o);
		expect_only(with_text(engines[e]("SELECT 1"), "row_counts", "[\"nowhere\"]"),
			    "fail", "sql_error", "nowhere");
	}
	expect_only(with_text(on_postgres("SELECT 1"), "row_counts", "[\"trade.Odd Name\"]"),
		    "pass", "ok", "");
}

static void large_tables_are_estimated(void **state)
{
	json_t *o;

	(void)state;
	on_server("ANALYZE orders");
	o = expect(with_text(with_text(on_postgres("SELECT 1"), "row_counts", "[\"orders\"]"),
			     "estimate_above", "2"),
		   "pass", "ok", "");
	assert_true(metric(o, "rows_orders") == 3);
	assert_string_equal(
		json_string_value(json_array_get(
			json_object_get(json_object_get(o, "details"), "estimated"), 0)),
		"rows_orders");
	json_decref(o);
}

static void without_a_server_all_is_stale(void **state)
{
	json_t *o = expect(with_text(json_pack("{s:{s:s}}", "postgres", "dsn", "host=/nonexistent"),
				     "freshness", "{\"q\": {\"query\": \"SELECT now()\"}}"),
			   "down", "conn_refused", "");

	(void)state;
	assert_string_equal(detail(o, "q_band"), "STALE");
	json_decref(o);
}

static void what_cannot_be_is_refused_beforehand(void **state)
{
	(void)state;
	expect_problem(json_pack("{s:{s:s}}", "sqlite", "path", "shop.db"),
		       "/sqlite/path must be an absolute path");
	expect_problem(with_text(on_sqlite("SELECT 1"), "stats", "[\"connections\"]"),
		       "/stats SQLite has only");
	expect_problem(with_text(on_sqlite("SELECT 1"), "queries", "{\"A b\": \"SELECT 1\"}"),
		       "/queries/A b a metric's name");
	expect_problem(with_text(on_sqlite("SELECT 1"), "freshness", "{\"q\": {\"table\": \"t\"}}"),
		       "/freshness/q needs");
	expect_problem(with_text(on_sqlite("SELECT 1"), "freshness",
				 "{\"q\": {\"query\": \"x\", \"table\": \"t\"}}"),
		       "/freshness/q has 'query'");
	expect_problem(with_text(on_sqlite("SELECT 1"), "freshness",
				 "{\"q\": {\"query\": \"x\", \"warn\": 90000}}"),
		       "/freshness/q/warn must not be longer");
	expect_problem(
		with_text(on_sqlite("SELECT 1"), "activity",
			  "{\"q\": {\"table\": \"t\", \"column\": \"c\", \"metric\": \"A\"}}"),
		"/activity/q/metric");
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
	assert_int_equal(db_script(db, setup_sql, &err), 0);
	assert_int_equal(db_script(db, sqlite_setup_sql, &err), 0);
	db_close(db);
	pg_server_start(&server);
	on_server(setup_sql);
	on_server(postgres_setup_sql);
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
		cmocka_unit_test(a_pipe_is_refused_and_not_waited_for),
		cmocka_unit_test(a_refused_login_is_sql_auth),
		cmocka_unit_test(stopping_in_the_middle_leaves_nothing_behind),
		cmocka_unit_test(exactly_one_database_must_be_named),
		cmocka_unit_test(named_queries_give_metrics_and_details),
		cmocka_unit_test(rows_may_be_kept_as_a_detail),
		cmocka_unit_test(kept_rows_are_bounded),
		cmocka_unit_test(one_that_fails_does_not_spoil_the_others),
		cmocka_unit_test(the_bands_keep_the_operators_of_their_source),
		cmocka_unit_test(ages_are_read_from_every_kind_of_column),
		cmocka_unit_test(old_data_are_aging_then_stale),
		cmocka_unit_test(what_has_no_age_is_shown_as_stale),
		cmocka_unit_test(recent_rows_are_counted),
		cmocka_unit_test(figures_of_the_database_are_metrics),
		cmocka_unit_test(figures_of_the_server_need_no_special_role),
		cmocka_unit_test(rows_of_tables_are_counted),
		cmocka_unit_test(large_tables_are_estimated),
		cmocka_unit_test(without_a_server_all_is_stale),
		cmocka_unit_test(what_cannot_be_is_refused_beforehand),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
